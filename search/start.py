"""What is known before the search: candidates, likely classes, values that are worth a try.

A predictor, a preset of one's own and the partials measured in the target all speak through this
one interface, so the search knows nothing of networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.search.strategy import reflect
from deepdiva.space import ParameterSpace

UNIFORM_SPREAD = 0.3
"""Standard deviation of first steps where nothing is known; a uniform position has 0.29."""

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
            be 0. All are scored before anything else.
        spread: standard deviation of first steps from a candidate, above 0, in [0, 1] units; one
            number, or one for each dimension, shape (space.dimensions,). The entries of classes
            are not used.
        probabilities: by name of a class parameter, probabilities of its choices, shape (choices,),
            which sum to 1. Parameters without an entry have equally likely choices.
        hints: by name of a parameter that is no class, positions in [0, 1] that are worth a try,
            shape (count,), the most credible first. They stand for narrow valleys of the distance
            with plains between them, as pitches are.

    Raises:
        InvalidValueError: candidates of another shape or outside [0, 1], a spread that is not
            positive, or probabilities of a parameter that is no free class, of another length, or
            that do not sum to 1.
    """

    space: ParameterSpace
    candidates: NDArray[np.float64]
    spread: float | NDArray[np.float64] = UNIFORM_SPREAD
    probabilities: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    hints: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = np.shape(self.candidates)
        if len(shape) != 2 or shape[1] != self.space.dimensions:
            raise InvalidValueError(
                f"Candidates have shape {shape}: (count, {self.space.dimensions}) is wanted."
            )
        if not np.all((self.candidates >= 0) & (self.candidates <= 1)):
            raise InvalidValueError("A candidate lies outside [0, 1].")
        if np.shape(self.spread) not in ((), (self.space.dimensions,)) or not np.all(
            np.asarray(self.spread) > 0
        ):
            raise InvalidValueError(
                f"The spread is {self.spread!r}: one positive number, or "
                f"{self.space.dimensions} of them, is wanted."
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

    @classmethod
    def uniform(cls, space: ParameterSpace) -> Start:
        """Nothing is known."""
        return cls(space, np.empty((0, space.dimensions)))

    @classmethod
    def near(cls, space: ParameterSpace, patch: NDArray[np.float64]) -> Start:
        """A patch, shape (len(space.table),), in units, is believed to be near."""
        return cls(space, space.normalised(patch[None]), NEAR_SPREAD)

    @property
    def deviations(self) -> NDArray[np.float64]:
        """Spread of each dimension, shape (space.dimensions,)."""
        return np.broadcast_to(np.asarray(self.spread, dtype=np.float64), self.space.dimensions)

    def digest(self) -> str:
        """A fingerprint of the numbers, 64 hexadecimal digits."""
        found = hashlib.sha256(np.ascontiguousarray(self.candidates).tobytes())
        found.update(self.deviations.tobytes())
        for probabilities in self.class_probabilities():
            found.update(probabilities.tobytes())
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
        """Standard deviations of first steps, shape (space.dimensions,): narrow where hinted."""
        steps = self.deviations.copy()
        for position, _ in self.hinted:
            steps[position] = HINT_SPREAD
        return steps

    def sample(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Draw points from all that is known.

        Half of them lie around candidates, where there are some; the others are uniform. Classes
        follow their probabilities; hints are taken three times out of four, the first ones more
        often.

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
            around[:, ordered] = reflect(
                around[:, ordered]
                + self.steps[ordered] * rng.standard_normal((count, len(ordered)))
            )
            points = np.where(rng.random((count, 1)) < 0.5, around, points)
        return points

    def class_probabilities(self) -> tuple[NDArray[np.float64], ...]:
        """Probabilities of the choices of each of `space.classes`, uniform where unknown."""
        return tuple(
            np.asarray(
                self.probabilities.get(
                    dimension.parameter.name,
                    np.full(len(dimension.positions), 1.0 / len(dimension.positions)),
                ),
                dtype=np.float64,
            )
            for dimension in self.space.classes
        )
