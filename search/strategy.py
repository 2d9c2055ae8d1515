"""What every search strategy is: ask for a batch, tell what it sounds like, until done."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray


def reflect(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fold the real line into [0, 1] by mirrors at every whole number; any shape.

    What lies in [0, 1] stays as it is, to the bit.
    """
    folded = 1.0 - np.abs(np.mod(points, 2.0) - 1.0)
    return np.where((points >= 0.0) & (points <= 1.0), points, folded)


class Strategy(ABC):
    """Proposes points in [0, 1] and learns from what is told of them.

    It never sees a sound, a file or a clock. Asking and telling alternate strictly: every batch is
    told, whole and in order, before the next is asked for. What is proposed depends on the
    settings, the seed and what was told, and on nothing else.
    """

    @property
    def wants_residuals(self) -> bool:
        """Whether the next batch is told with residuals, where its stage has some."""
        return True

    @abstractmethod
    def ask(self) -> NDArray[np.float64]:
        """The next points to be scored, shape (batch, dimensions), in [0, 1], batch at least 1."""

    @abstractmethod
    def tell(self, batch: NDArray[np.float64], told: NDArray[np.float64]) -> None:
        """Learn from the batch that was asked for last.

        Args:
            batch: what `ask` returned, shape (batch, dimensions).
            told: what the strategy learns from, which its stage says: distances, shape (batch,),
                finite, the smaller the better; or residuals, shape (batch, any), whose squares are
                to be small, a row that is not finite for a point without a sound; or both with a
                second distance, shape (batch, 2 + any), the distances first.
        """

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether going on would be a waste: converged, or every proposal made."""
