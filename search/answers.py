"""Several answers of one search, distinct by their chains of models or by their effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.archive import Archive
from deepdiva.search.evaluator import WORST, Evaluator
from deepdiva.space import ParameterSpace
from deepdiva.synths.structure import Structure

ANSWERS = 5
"""Answers, at most."""

_CONTENDERS = 12
"""Candidates of each chain whose modules are counted."""

_FARTHEST = 2.0
"""An answer is at most so many times as far from the target as the best one."""


@dataclass(frozen=True, eq=False)
class Answer:
    """One preset that would do.

    Attributes:
        patch: shape (len(table),), in units, at the level of the target.
        point: the same in the space of the search.
        distance: reported, to the target.
        chain: its models, in words.
        modules: what it uses beyond one bare voice, in words.
        differs: values in which it differs from the first answer where both act, in units by
            name, this answer's; empty of the first.
    """

    patch: NDArray[np.float64]
    point: NDArray[np.float64]
    distance: float
    chain: str
    modules: tuple[str, ...]
    differs: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """All but patch and point, ready for JSON."""
        return {
            "distance": self.distance,
            "chain": self.chain,
            "modules": list(self.modules),
            "complexity": len(self.modules),
            "differs": self.differs,
        }


def _columns(space: ParameterSpace, structure: Structure) -> list[int]:
    """What tells answers apart: the chain, or where that is held, which effects are on."""
    for names in (structure.chain, tuple(structure.effects)):
        found = [space.names.index(name) for name in names if name in space.names]
        if found:
            return found
    return [dimension.position for dimension in space.classes]


def answers_of(
    archive: Archive,
    evaluator: Evaluator,
    structure: Structure,
    price: float,
    farthest: float = np.inf,
) -> tuple[Answer, ...]:
    """The best candidate, and the best of other chains; the one nearest of all is among them.

    The best is the nearest after the price of its modules. Where another candidate is nearer
    without, that is the second answer; and the first, where the best is farther than may be.

    Args:
        archive: candidates and their reported distances; at least one.
        evaluator: of the search.
        structure: of the synthesizer.
        price: of a module, as a part of the distance.
        farthest: distance beyond which the nearest is preferred, whatever its modules.
    """
    space = archive.space
    points, distances = archive.points, archive.distances
    columns = _columns(space, structure)
    taken: dict[bytes, list[int]] = {}
    for row in np.argsort(distances, kind="stable"):
        if distances[row] >= WORST:
            break
        rows = taken.setdefault(np.ascontiguousarray(points[row, columns]).tobytes(), [])
        if len(rows) < _CONTENDERS:
            rows.append(int(row))
    chosen: list[tuple[float, int]] = []
    for rows in taken.values():
        values = [
            distances[row]
            * (1.0 + price * len(structure.modules(evaluator.patches(points[row][None])[0])))
            for row in rows
        ]
        best = int(np.argmin(values))
        chosen.append((float(values[best]), rows[best]))
    chosen.sort()
    rows = [row for _, row in chosen]
    nearest = int(distances.argmin())
    if rows and distances[rows[0]] > farthest:
        rows = [nearest, *(row for row in rows if row != nearest)]
    if rows and nearest not in rows[:ANSWERS]:
        rows.insert(1, nearest)
    rows = [row for row in rows if distances[row] <= _FARTHEST * distances[nearest]][:ANSWERS]
    patches = evaluator.with_volume(evaluator.patches(points[rows]))
    found: list[Answer] = []
    for row, patch in zip(rows, patches, strict=True):
        first = found[0].patch if found else patch
        both = structure.acting(first) & structure.acting(patch) & set(space.names)
        differs = {
            name: float(patch[space.table.index(name)])
            for name in space.names
            if name in both and patch[space.table.index(name)] != first[space.table.index(name)]
        }
        found.append(
            Answer(
                patch,
                points[row].copy(),
                float(distances[row]),
                structure.chain_label(patch),
                structure.modules(patch),
                differs,
            )
        )
    return tuple(found)
