"""The last steps of a descent, where every generation is rendered with another seed.

A search hears every candidate rendered with one seed, and what happens to beat like the target
looks right. Over seeds that neither the search nor the target had, luck counts for nothing.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.strategy import Strategy

POPULATION = 16
"""Candidates in a generation."""


@final
class NoiseAveragedDescent(Strategy):
    """A CMA-ES whose answer is the centre of its distribution.

    Its stage renders each generation with a new seed, all candidates of one alike. The best
    candidate had a lucky seed; the centre had them all.

    Args:
        point: where it begins, shape (dimensions,), in [0, 1].
        moving: positions of the parameters that move, one or more, all ordered.
        steps: covariance of first steps, shape (dimensions, dimensions), where 1 is a parameter's
            whole range.
        generations: of `POPULATION` candidates; 0 or more.
        rng: source of all randomness.
    """

    def __init__(
        self,
        point: NDArray[np.float64],
        moving: NDArray[np.intp],
        steps: NDArray[np.float64],
        generations: int,
        rng: np.random.Generator,
    ) -> None:
        self._point = point
        self._moving = moving
        self._left = generations
        self._search = CmaEs(point[moving], steps[np.ix_(moving, moving)], rng, POPULATION)

    def ask(self) -> NDArray[np.float64]:
        batch = np.tile(self._point, (POPULATION, 1))
        batch[:, self._moving] = self._search.ask()
        return batch

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        self._search.tell(batch[:, self._moving], distances)
        self._left -= 1

    @property
    def done(self) -> bool:
        return self._left <= 0

    @property
    def point(self) -> NDArray[np.float64]:
        """Where the descent stands, shape (dimensions,)."""
        point = self._point.copy()
        point[self._moving] = self._search.mean
        return point
