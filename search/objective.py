"""What the search minimises: a forgiving judge while it is wide, the reported distance at its end.

No single distance serves all. The averaged one forgives how two oscillators happened to beat and
ranks small changes of a patch best (`benchmarks/objective_ranking.py`), but a search that starts
far off finds its way better where single frames and the level count too. So objectives are weighted
sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import Distance, Profile
from deepdiva.search.registry import DISTANCES

COARSE: Final = "coarse"
"""For the wide search."""

FINE: Final = "fine"
"""For its end: the match that is chosen is near by the reported distance, too."""

FORGIVING: Final = "forgiving"
"""For questions about parameters: what only chance changed counts least."""

STEADY: Final = "steady"
"""For the mean over several seeds: which lines and bands are how strong, whatever chance does to
single frames."""

SETTLED: Final = "settled"
"""For the last steps, over several seeds: single frames count too, as in what is reported."""

FRAMES: Final = "frames"
"""For fitting start phases, which show in single frames."""

GUIDE: Final = "guide"
"""For a search over a whole panel, beside the reported distance: what single frames do counts
less, and the level more."""

REPORTED: Final = "reported"
"""What is reported."""

WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    COARSE: {"lines": 1.0, "frames": 0.2, "level": 0.3},
    FINE: {"lines": 1.0, "scales": 0.2, "level": 0.3},
    FORGIVING: {"averaged": 1.0},
    STEADY: {"averaged": 1.0, "lines": 1.0},
    SETTLED: {"averaged": 1.0, "lines": 1.0, "scales": 0.5, "level": 0.3},
    GUIDE: {"lines": 1.0, "full": 0.3, "level": 0.3},
    FRAMES: {"frames": 1.0},
    REPORTED: {"full": 1.0},
}
"""What each objective is the weighted sum of, unless the user says otherwise."""


@dataclass(frozen=True)
class Objectives:
    """The distances of one search, all to one target.

    Attributes:
        distances: by the names that stand in `deepdiva.search.registry.DISTANCES`.
        weights: what each objective is the weighted sum of.
        profile: the vector of differences, for methods that need more than a number.
    """

    distances: Mapping[str, Distance]
    weights: Mapping[str, Mapping[str, float]]
    profile: Profile

    @classmethod
    def of(
        cls,
        target: NDArray[np.float32],
        sample_rate: int,
        weights: Mapping[str, float] | None = None,
    ) -> Objectives:
        """The objectives of a target.

        Args:
            target: shape (samples,), float32.
            sample_rate: samples per second.
            weights: of the distances, for the search from beginning to end; None for `WEIGHTS`.
        """
        all_weights = dict(WEIGHTS)
        if weights is not None:
            all_weights |= dict.fromkeys((COARSE, FINE, GUIDE, STEADY, SETTLED), weights)
        needed = {name for weighted in all_weights.values() for name in weighted}
        return cls(
            {
                name: kind.make(target, sample_rate)
                for name, kind in DISTANCES.items()
                if name in needed
            },
            all_weights,
            Profile(target, sample_rate),
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
        for part, weight in self.weights[name].items():
            total += weight * self.distances[part](sounds)
        return total
