"""The simplest strategy: points that are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.strategy import Strategy


class Given(Strategy):
    """Proposes given points once, in batches.

    Args:
        points: shape (count, dimensions), in [0, 1]; count may be 0.
        population: points in a batch.
    """

    def __init__(self, points: NDArray[np.float64], population: int) -> None:
        self._left = points
        self._population = population

    def ask(self) -> NDArray[np.float64]:
        return self._left[: self._population]

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:  # noqa: ARG002
        self._left = self._left[len(batch) :]

    @property
    def done(self) -> bool:
        return len(self._left) == 0
