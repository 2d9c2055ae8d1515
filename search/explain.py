"""What a match rests on: which parameters matter, which are uncertain, what would do as well.

Distances here are those of the forgiving judge, and their yardstick is what the best match itself
shows when it is rendered with another seed: a difference below that is no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import Parameter
from deepdiva.search.archive import Archive
from deepdiva.search.encoding import nearest_class
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.objective import FORGIVING
from deepdiva.space import ParameterSpace

SEEDS = 16
"""The best match is rendered with so many other seeds, to know how far chance reaches."""

OFFSETS = (-0.2, -0.1, -0.05, -0.02, 0.02, 0.05, 0.1, 0.2)
"""How far an ordered parameter is moved, as parts of its range."""

FEW_OFFSETS = (-0.2, -0.05, 0.05, 0.2)
"""The same where only some of many parameters are looked at."""

STEP = 0.05
"""The move by which parameters are compared; those of coarser choices move to the next one."""

ALTERNATIVES = 5
"""Other matches that are offered, at most."""

MOST_CHOICES = 12
"""Of a class with more others, so many are tried."""

TOGETHER = 256
"""Points that are scored at once."""

APART = 0.1
"""Alternatives differ by at least this part of the range in one ordered parameter, or in a
class."""


@dataclass(frozen=True)
class ParameterRole:
    """What one parameter does for a match.

    Attributes:
        name: of the parameter.
        value: of the best match, in units.
        effect: growth of the distance when it is moved by a twentieth of its range, or to the next
            choice where choices lie further apart, the lesser of up and down; for a class, when it
            is changed to the next best.
        low: lowest value, in units, that was tried and is no worse than chance; for a class, the
            least of all such values.
        high: highest such value.
        uncertain: another class, or such a move, makes no difference.
    """

    name: str
    value: float
    effect: float
    low: float
    high: float
    uncertain: bool


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a match rests on.

    Attributes:
        distance: of the best match, by the forgiving judge.
        chance: how much that grows, in nine of ten renders with another seed.
        roles: of all free parameters, or those that were looked at, in their order.
        alternatives: patches no worse than chance, distinct from the match and from each other,
            the best first, shape (at most `ALTERNATIVES`, len(table)), in units.
    """

    distance: float
    chance: float
    roles: tuple[ParameterRole, ...]
    alternatives: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """All but the alternatives, ready for JSON."""
        return {
            "distance": self.distance,
            "chance": self.chance,
            "parameters": [asdict(role) for role in self.roles],
        }


def explain(
    best: NDArray[np.float64],
    archive: Archive,
    evaluator: Evaluator,
    names: Sequence[str] | None = None,
    alternatives: NDArray[np.float64] | None = None,
) -> Explanation:
    """Look around a match.

    Args:
        best: its point, shape (dimensions,).
        archive: candidates of the wide search, among which alternatives are sought.
        evaluator: of the search, whose seed counts; others follow it.
        names: parameters that are looked at, some free ones; all of them if None.
        alternatives: patches that are known to do, shape (any, len(table)), in units; sought in
            the archive if None.
    """
    space = archive.space
    # The same point, first with the seed of the search, then with other seeds.
    repeated = np.repeat(best[None], 1 + SEEDS, axis=0)
    seeds = evaluator.seed + np.arange(1 + SEEDS)
    distance, *again = evaluator.score(repeated, FORGIVING, seeds).distances
    # Luck may have been good or bad: chance is how far renders lie apart.
    chance = float(np.quantile(again, 0.9) - min(distance, np.median(again)))
    looked_at: Sequence[int] = range(space.dimensions)
    if names is not None:
        looked_at = [space.names.index(name) for name in names]
    offsets = OFFSETS if names is None else FEW_OFFSETS
    moves = [_moves(best, space, position, offsets) for position in looked_at]
    scores = _scores(np.concatenate(moves), evaluator) - distance
    ends = np.cumsum([len(points) for points in moves])
    roles = [
        _role(best, space, position, points, scores[end - len(points) : end], chance)
        for position, points, end in zip(looked_at, moves, ends, strict=True)
    ]
    if alternatives is None:
        others = _alternatives(best, distance + chance, archive, evaluator)
        alternatives = evaluator.with_volume(evaluator.patches(others))
    return Explanation(float(distance), chance, tuple(roles), alternatives)


def _scores(points: NDArray[np.float64], evaluator: Evaluator) -> NDArray[np.float64]:
    """Distances of any number of points; of a few hundred the sounds are held at once."""
    pieces = range(0, len(points), TOGETHER)
    scored = [evaluator.score(points[start : start + TOGETHER], FORGIVING) for start in pieces]
    return np.concatenate([scores.distances for scores in scored])


def _moves(
    best: NDArray[np.float64], space: ParameterSpace, position: int, offsets: Sequence[float]
) -> NDArray[np.float64]:
    """The match with one parameter moved, or with each other class or coarse choice."""
    parameter = space.parameters[position]
    if parameter.is_class or _is_coarse(parameter):
        positions = parameter.choice_positions
        own = nearest_class(positions, best[[position]])[0]
        values = np.delete(positions, own)
        if len(values) > MOST_CHOICES:
            values = values[np.linspace(0, len(values) - 1, MOST_CHOICES).astype(np.intp)]
    else:
        values = np.clip(best[position] + np.array(offsets), 0.0, 1.0)
    points = np.repeat(best[None], len(values), axis=0)
    points[:, position] = values
    return points


def _role(
    best: NDArray[np.float64],
    space: ParameterSpace,
    position: int,
    points: NDArray[np.float64],
    growth: NDArray[np.float64],
    chance: float,
) -> ParameterRole:
    parameter = space.parameters[position]
    value = float(parameter.to_unit(best[position]))
    values = parameter.to_unit(points[:, position])
    if parameter.is_class:
        effect = float(growth.min())
        equal = values[growth <= chance]
    else:
        if _is_coarse(parameter):
            compared = _neighbours(values, value)
        else:
            # At an end of the range the move that was cut short says nothing.
            compared = np.isclose(np.abs(points[:, position] - best[position]), STEP)
        effect = float(growth[compared].min())
        equal = _reached(values, growth, value, chance)
    span = np.append(equal, value)
    return ParameterRole(
        parameter.name, value, effect, float(span.min()), float(span.max()), effect <= chance
    )


def _is_coarse(parameter: Parameter) -> bool:
    """Whether its choices lie further apart than the usual move reaches."""
    return bool(parameter.choices) and float(np.diff(parameter.choice_positions).max()) > STEP


def _neighbours(values: NDArray[np.float64], value: float) -> NDArray[np.bool_]:
    """Which of some other values are the next below and above one; shape (values,)."""
    low = values[values < value].max(initial=-np.inf)
    high = values[values > value].min(initial=np.inf)
    return np.asarray((values == low) | (values == high))


def _reached(
    values: NDArray[np.float64], growth: NDArray[np.float64], value: float, chance: float
) -> NDArray[np.float64]:
    """Values that are no worse than chance, and all between them and the match as well."""
    reached: list[float] = []
    for side in (values < value, values > value):
        order = np.argsort(np.abs(values - value)[side], kind="stable")
        for moved, worse in zip(values[side][order], growth[side][order], strict=True):
            if worse > chance:
                break
            reached.append(float(moved))
    return np.array(reached)


def _alternatives(
    best: NDArray[np.float64], limit: float, archive: Archive, evaluator: Evaluator
) -> NDArray[np.float64]:
    """Distinct candidates of the search that are no worse than `limit`."""
    space = archive.space
    # Other combinations of classes first: they are the most distinct.
    points = np.concatenate(
        [archive.ranked(2 * ALTERNATIVES, per_combination=1), archive.ranked(len(archive))]
    )
    left = _apart(points, best, space)
    chosen: list[NDArray[np.float64]] = []
    while left.any() and len(chosen) < 4 * ALTERNATIVES:
        chosen.append(points[int(left.argmax())])
        left &= _apart(points, chosen[-1], space)
    others = np.array(chosen).reshape(-1, space.dimensions)
    if not len(others):
        return others
    distances = evaluator.score(others, FORGIVING).distances
    order = np.argsort(distances, kind="stable")
    return others[order[distances[order] <= limit][:ALTERNATIVES]]


def _apart(
    points: NDArray[np.float64], other: NDArray[np.float64], space: ParameterSpace
) -> NDArray[np.bool_]:
    """Which points, shape (count, dimensions), are another match than a point; (count,)."""
    classes = [dimension.position for dimension in space.classes]
    far = np.abs(points - other)[:, space.continuous].max(axis=1, initial=0.0) >= APART
    return np.asarray(far | np.any(points[:, classes] != other[classes], axis=1))
