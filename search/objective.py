"""What the search minimises: a forgiving judge while it is wide, the reported distance at its end.

No single distance serves all. The averaged one forgives how two oscillators happened to beat and
ranks small changes of a patch best (`benchmarks/objective_ranking.py`), but a search that starts
far off finds its way better where frames count too. So objectives are weighted sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import (
    FULL,
    SEARCH,
    AveragedDistance,
    Distance,
    SpectralDistance,
)

COARSE: Final = "coarse"
"""For the wide search."""

FINE: Final = "fine"
"""For its end: the match that is chosen is near by the reported distance, too."""

FORGIVING: Final = "forgiving"
"""For questions about parameters: what only chance changed counts least."""

REPORTED: Final = "reported"
"""What is reported."""

WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    COARSE: {"averaged": 1.0, "frames": 0.2},
    FINE: {"averaged": 1.0, "full": 0.3},
    FORGIVING: {"averaged": 1.0},
    REPORTED: {"full": 1.0},
}
"""What each objective is the weighted sum of."""


@dataclass(frozen=True)
class Objectives:
    """The distances of one search, all to one target.

    Attributes:
        distances: by the names that stand in `WEIGHTS`.
    """

    distances: Mapping[str, Distance]

    @classmethod
    def of(cls, target: NDArray[np.float32], sample_rate: int) -> Objectives:
        """The objectives of a target, shape (samples,), float32, at samples per second."""
        return cls(
            {
                "averaged": AveragedDistance(target, sample_rate),
                "frames": SpectralDistance(target, sample_rate, SEARCH),
                "full": SpectralDistance(target, sample_rate, FULL),
            }
        )

    def score(self, name: str, sounds: NDArray[np.float32]) -> NDArray[np.float64]:
        """Distances of sounds by an objective.

        Args:
            name: a key of `WEIGHTS`.
            sounds: shape (batch, samples), float32.

        Returns:
            Shape (batch,), 0 or more; infinite where a sound is not finite.
        """
        total = np.zeros(len(sounds))
        for part, weight in WEIGHTS[name].items():
            total += weight * self.distances[part](sounds)
        return total
