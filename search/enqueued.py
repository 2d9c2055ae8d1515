"""The simplest strategy: points that are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.strategy import Strategy


class EnqueuedPoints(Strategy):
    """Proposes given points once, in batches.

    Args:
        points: shape (count, dimensions), in [0, 1]; count may be 0.
        population: points in a batch.

    Attributes:
        best: the nearest of those that were told, shape (dimensions,); empty before.
    """

    def __init__(self, points: NDArray[np.float64], population: int) -> None:
        self.best: NDArray[np.float64] = np.empty(0)
        self._distance = np.inf
        self._left = points
        self._population = population

    def ask(self) -> NDArray[np.float64]:
        return self._left[: self._population]

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        self._left = self._left[len(batch) :]
        row = int(distances.argmin())
        if distances[row] < self._distance:
            self.best, self._distance = batch[row], float(distances[row])

    @property
    def done(self) -> bool:
        return len(self._left) == 0
