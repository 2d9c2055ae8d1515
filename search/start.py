"""What is known before the search: candidates, likely classes, values that are worth a try.

A predictor, a preset of one's own and the partials measured in the target all speak through this
one interface, so the search knows nothing of networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.search.strategy import reflect
from deepdiva.space import ParameterSpace

UNIFORM_SPREAD = 0.3
"""Standard deviation of first steps where nothing is known; a uniform position has 0.29."""

LEAST_SPREAD = 0.01
"""Standard deviation below which no prediction is believed."""

HINT_SPREAD = 0.003
"""Standard deviation of first steps from a hint: a fifth of a semitone in five octaves."""

NEAR_SPREAD = 0.1
"""Standard deviation of first steps around a preset that is believed to be near."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where a search begins.

    Attributes:
        space: the parameter space.
        candidates: shape (count, space.dimensions), in [0, 1], the most credible first; count may
            be 0. The first generation holds as many of them as fit.
        spread: first steps from a candidate in [0, 1] units: one standard deviation, above 0, or
            one for each dimension, shape (space.dimensions,), or their covariance matrix. The
            entries of classes are not used.
        probabilities: by name of a class parameter, probabilities of its choices, shape (choices,),
            which sum to 1. Parameters without an entry have equally likely choices.
        hints: by name of a parameter that is no class, positions in [0, 1] that are worth a try,
            shape (count,), the most credible first. They stand for narrow valleys of the distance
            with plains between them, as pitches are.
        trust: part of what is drawn, 0 to 1, that lies around candidates, where there are some.
        rates_hz: at which the target moves periodically, in Hz, the strongest first.

    Raises:
        InvalidValueError: candidates of another shape or outside [0, 1], a spread that is not
            positive, probabilities of a parameter that is no free class, of another length, or
            that do not sum to 1, or trust outside [0, 1].
    """

    space: ParameterSpace
    candidates: NDArray[np.float64]
    spread: float | NDArray[np.float64] = UNIFORM_SPREAD
    probabilities: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    hints: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    trust: float = 0.5
    rates_hz: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        shape = np.shape(self.candidates)
        if len(shape) != 2 or shape[1] != self.space.dimensions:
            raise InvalidValueError(
                f"Candidates have shape {shape}: (count, {self.space.dimensions}) is wanted."
            )
        if not np.all((self.candidates >= 0) & (self.candidates <= 1)):
            raise InvalidValueError("A candidate lies outside [0, 1].")
        size = self.space.dimensions
        spread = np.asarray(self.spread, dtype=np.float64)
        if spread.shape == (size, size):
            positive = np.allclose(spread, spread.T) and np.linalg.eigvalsh(spread)[0] > 0
        else:
            positive = spread.shape in ((), (size,)) and bool(np.all(spread > 0))
        if not positive:
            raise InvalidValueError(
                f"The spread is {self.spread!r}: one positive number, {size} of them, or a "
                "covariance matrix is wanted."
            )
        choices = {d.parameter.name: len(d.positions) for d in self.space.classes}
        for name, probabilities in self.probabilities.items():
            if name not in choices:
                raise InvalidValueError(f"{name} is no free parameter with classes.")
            if (
                np.shape(probabilities) != (choices[name],)
                or np.any(np.asarray(probabilities) < 0)
                or abs(float(np.sum(probabilities)) - 1) > 1e-6
            ):
                raise InvalidValueError(
                    f"The probabilities of {name} are {probabilities!r}: {choices[name]} numbers "
                    "that sum to 1 are wanted."
                )

        ordered = {self.space.names[position] for position in self.space.continuous}
        for name, hints in self.hints.items():
            if name not in ordered:
                raise InvalidValueError(f"{name} is no free parameter without classes.")
            if np.ndim(hints) != 1 or not np.all((hints >= 0) & (hints <= 1)):
                raise InvalidValueError(f"The hints for {name} are {hints!r}, not in [0, 1].")
        if not 0 <= self.trust <= 1:
            raise InvalidValueError(f"The trust is {self.trust!r}, not in [0, 1].")

    @classmethod
    def uniform(cls, space: ParameterSpace) -> Start:
        """Nothing is known."""
        return cls(space, np.empty((0, space.dimensions)))

    @classmethod
    def near(cls, space: ParameterSpace, patch: NDArray[np.float64]) -> Start:
        """A patch, shape (len(space.table),), in units, is believed to be near."""
        return cls(space, _position(space, patch), NEAR_SPREAD)

    @classmethod
    def predicted(
        cls,
        space: ParameterSpace,
        names: Sequence[str],
        positions: NDArray[np.float64],
        probabilities: Mapping[str, NDArray[np.float64]],
    ) -> Start:
        """What a predictor says, of which the search may have other parameters free.

        How far candidates lie apart is taken for how far each may be off. Parameters that are
        free and not predicted start at the base patch, with wide steps.

        Args:
            space: of the search.
            names: of the predicted parameters.
            positions: candidates, shape (count, len(names)), in [0, 1], the likeliest first.
            probabilities: of the choices of predicted classes, by name.
        """
        candidates = np.tile(_position(space, space.base), (len(positions), 1))
        covariance = np.diag(np.full(space.dimensions, UNIFORM_SPREAD**2))
        shared = [
            (space.names.index(name), names.index(name)) for name in names if name in space.names
        ]
        here, there = (np.array(side, dtype=np.intp) for side in zip(*shared, strict=True))
        candidates[:, here] = positions[:, there]
        if len(positions) > 1:
            scatter = np.cov(positions[:, there], rowvar=False).reshape(len(here), len(here))
            # Kept from being flat, or wider than if nothing were known.
            wide = np.sqrt(np.diag(scatter) + LEAST_SPREAD**2)
            shrink = np.minimum(1.0, UNIFORM_SPREAD / wide)
            scatter = scatter * np.outer(shrink, shrink) + np.diag(
                np.full(len(here), LEAST_SPREAD**2)
            )
            covariance[np.ix_(here, here)] = scatter
        known = {name: array for name, array in probabilities.items() if name in space.names}
        return cls(space, candidates, covariance, known)

    def led_by(self, patch: NDArray[np.float64]) -> Start:
        """The same start with a patch, shape (len(space.table),), in units, as first candidate."""
        own = _position(self.space, patch)
        return replace(self, candidates=np.concatenate([own, self.candidates]))

    def within(self, space: ParameterSpace) -> Start:
        """What the start says of a space with some of its parameters, around the same base."""
        columns = [self.space.names.index(name) for name in space.names]
        return Start(
            space,
            self.candidates[:, columns],
            self.covariance[np.ix_(columns, columns)],
            {name: found for name, found in self.probabilities.items() if name in space.names},
            {name: found for name, found in self.hints.items() if name in space.names},
            self.trust,
            self.rates_hz,
        )

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of first steps, shape (space.dimensions, space.dimensions)."""
        spread = np.asarray(self.spread, dtype=np.float64)
        if spread.ndim == 2:
            return spread
        return np.diag(np.broadcast_to(spread, self.space.dimensions) ** 2)

    @property
    def deviations(self) -> NDArray[np.float64]:
        """Standard deviation of first steps in each dimension, shape (space.dimensions,)."""
        return np.sqrt(np.diag(self.covariance))

    def digest(self) -> str:
        """A fingerprint of the numbers, 64 hexadecimal digits."""
        found = hashlib.sha256(np.ascontiguousarray(self.candidates).tobytes())
        found.update(np.ascontiguousarray(self.covariance).tobytes())
        found.update(np.float64(self.trust).tobytes())
        for probabilities in self.class_probabilities():
            found.update(probabilities.tobytes())
        if self.rates_hz:
            found.update(np.asarray(self.rates_hz, np.float64).tobytes())
        for name in sorted(self.hints):
            found.update(name.encode() + np.asarray(self.hints[name], np.float64).tobytes())
        return found.hexdigest()

    def informed(
        self,
        probabilities: Mapping[str, NDArray[np.float64]],
        hints: Mapping[str, NDArray[np.float64]],
    ) -> Start:
        """The same start with knowledge from another source.

        Args:
            probabilities: as the attribute; where both know something, the product counts.
            hints: as the attribute; where both know something, these come after.
        """
        merged = dict(self.probabilities)
        for name, other in probabilities.items():
            product = merged.get(name, 1.0) * np.asarray(other)
            # Sources that rule each other out say nothing together.
            merged[name] = product / product.sum() if product.sum() > 0 else np.asarray(other)
        joined = dict(self.hints)
        for name, positions in hints.items():
            joined[name] = np.concatenate([joined.get(name, np.empty(0)), positions])
        return replace(self, probabilities=merged, hints=joined)

    @cached_property
    def hinted(self) -> tuple[tuple[int, NDArray[np.float64]], ...]:
        """Column and hints of every parameter that has some."""
        return tuple(
            (self.space.names.index(name), np.asarray(positions, dtype=np.float64))
            for name, positions in self.hints.items()
            if len(positions)
        )

    @cached_property
    def steps(self) -> NDArray[np.float64]:
        """Covariance of first steps around one point, (dimensions, dimensions).

        As `covariance`, but narrow and independent of others where there are hints.
        """
        steps = self.covariance.copy()
        for position, _ in self.hinted:
            steps[position, :] = steps[:, position] = 0.0
            steps[position, position] = HINT_SPREAD**2
        return steps

    def sample(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Draw points from all that is known.

        As many as candidates are trusted lie around them, where there are some; the others are
        uniform. Classes follow their probabilities; hints are taken three times out of four, the
        first ones more often.

        Returns:
            Shape (count, space.dimensions), in [0, 1]; classes on their positions.
        """
        points = self.space.random(rng, count)
        for dimension, probabilities in zip(
            self.space.classes, self.class_probabilities(), strict=True
        ):
            drawn = rng.choice(len(probabilities), size=count, p=probabilities)
            points[:, dimension.position] = dimension.positions[drawn]
        for position, hints in self.hinted:
            weights = 1.0 / np.arange(1, len(hints) + 1)
            chosen = hints[rng.choice(len(hints), size=count, p=weights / weights.sum())]
            narrow = reflect(chosen + HINT_SPREAD * rng.standard_normal(count))
            points[:, position] = np.where(rng.random(count) < 0.75, narrow, points[:, position])
        if len(self.candidates):
            around = self.candidates[rng.integers(len(self.candidates), size=count)]
            ordered = self.space.continuous
            root = np.linalg.cholesky(self.steps[np.ix_(ordered, ordered)])
            drawn = rng.standard_normal((count, len(ordered))) @ root.T
            around[:, ordered] = reflect(around[:, ordered] + drawn)
            points = np.where(rng.random((count, 1)) < self.trust, around, points)
        return points

    def class_probabilities(self) -> tuple[NDArray[np.float64], ...]:
        """Probabilities of the choices of each of `space.classes`, uniform where unknown."""
        found = []
        for dimension in self.space.classes:
            even = np.ones(len(dimension.positions))
            weights = np.asarray(self.probabilities.get(dimension.parameter.name, even), np.float64)
            found.append(weights / weights.sum())  # exact also for what came in float32
        return tuple(found)


def _position(space: ParameterSpace, patch: NDArray[np.float64]) -> NDArray[np.float64]:
    """A patch as a point, shape (1, dimensions).

    A class between two choices, as presets in circulation hold some, stands at the one it plays.
    """
    points = space.normalised(patch[None])
    for dimension in space.classes:
        played = dimension.parameter.to_unit(points[:, dimension.position])
        points[:, dimension.position] = dimension.parameter.to_normalised(played)
    return points
