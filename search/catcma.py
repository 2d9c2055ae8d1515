"""CatCMAwM of the package `cmaes` as a strategy: continuous, stepped and categorical together.

R. Hamano, S. Saito, M. Nomura, K. Uchida, S. Shirakawa, "CatCMA: Stochastic Optimization for
Mixed-Category Problems", GECCO 2024, and its sequel with margins for integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import MissingFeatureError
from deepdiva.search.encoding import nearest_class
from deepdiva.search.start import Start
from deepdiva.search.strategy import Strategy

MOST_POPULATION = 32
"""A larger population costs more evaluations for the same."""

_EQUAL = 1e-9
"""Distances that differ by no more are equal."""

_WORST_PROBABILITY = 0.05
"""Of what a start rules out, together, so that nothing is ruled out for good."""


class CatCma(Strategy):
    """One CatCMAwM over all free parameters.

    Args:
        start: its first candidate is the mean, its classes' probabilities the first ones.
        population: points in a batch, at most `MOST_POPULATION`.
        rng: source of all randomness.

    Raises:
        MissingFeatureError: the package is not installed.
    """

    def __init__(self, start: Start, population: int, rng: np.random.Generator) -> None:
        try:
            from cmaes import CatCMAwM
        except ImportError as error:
            raise MissingFeatureError(
                "The optimizer CatCMAwM needs the package cmaes: pip install "
                "'deepdiva[optimizers]', or leave --optimizer out."
            ) from error
        space = start.space
        self._space = space
        self._classes = space.classes
        parameters = space.parameters
        self._free = [k for k in space.continuous if not parameters[k].choices]
        self._stepped = [k for k in space.continuous if parameters[k].choices]
        self._first = start.candidates[:1] if len(start.candidates) else None
        centre = space.normalised(space.base[None])[0] if self._first is None else self._first[0]
        ordered = [*self._free, *self._stepped]
        wide = max((len(d.positions) for d in self._classes), default=1)
        chances = np.zeros((len(self._classes), wide))
        for row, probabilities in enumerate(start.class_probabilities()):
            even = np.full(len(probabilities), 1.0 / len(probabilities))
            known = 0.5 * np.eye(len(probabilities))[self._nearest(row, centre)] + 0.5 * even
            found = probabilities * known
            found = (1.0 - _WORST_PROBABILITY) * found / found.sum() + _WORST_PROBABILITY * even
            chances[row, : len(found)] = found
        steps = start.deviations[ordered]
        width = float(np.median(steps)) if ordered else 1.0
        self._search: Any = CatCMAwM(
            x_space=[[0.0, 1.0]] * len(self._free) or None,
            z_space=[parameters[k].choice_positions.tolist() for k in self._stepped] or None,
            c_space=[len(d.positions) for d in self._classes] or None,
            population_size=min(population, MOST_POPULATION),
            mean=centre[ordered] if ordered else None,
            sigma=width if ordered else None,
            # Of its own, 0.13.1 takes a width of 0 from a mean on a bound.
            cov=np.diag((steps / width) ** 2) if ordered else None,
            cat_param=chances if self._classes else None,
            seed=int(rng.integers(2**31)),
        )
        self._asked: list[Any] = []
        self._converged = False

    def _nearest(self, row: int, point: NDArray[np.float64]) -> int:
        dimension = self._classes[row]
        return int(nearest_class(dimension.positions, point[[dimension.position]])[0])

    def ask(self) -> NDArray[np.float64]:
        self._asked = [self._search.ask() for _ in range(self._search.population_size)]
        points = np.empty((len(self._asked), self._space.dimensions))
        for point, asked in zip(points, self._asked, strict=True):
            if self._free:
                point[self._free] = np.clip(asked.x, 0.0, 1.0)
            if self._stepped:
                point[self._stepped] = asked.z
            for row, dimension in enumerate(self._classes):
                point[dimension.position] = dimension.positions[int(np.argmax(asked.c[row]))]
        return points

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:  # noqa: ARG002
        told = [float(distance) for distance in distances]
        # A distribution without width in some direction has no logarithm, and no axes.
        with np.errstate(all="ignore"):
            try:
                self._search.tell(list(zip(self._asked, told, strict=True)))
                if self._free or self._stepped:
                    self._converged = bool(self._search.should_stop())
            except (AssertionError, np.linalg.LinAlgError, ValueError):
                self._converged = True
        self._converged = self._converged or max(told) - min(told) < _EQUAL

    @property
    def done(self) -> bool:
        """Whether it has converged: all told of a batch is equal, or its distribution is narrow."""
        return self._converged
