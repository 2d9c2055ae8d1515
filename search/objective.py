"""What the search minimises: a forgiving judge while it is wide, the reported distance at its end.

`COARSE` compares spectra averaged over time and frequency, which forgives how two oscillators
happened to beat: it ranks small changes of a patch far better than the reported distance does (see
`benchmarks/judge.py`) and costs a fraction of it. `FINE` adds the reported distance, so that the
match that is chosen in the end is near by that, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import AveragedDistance, Distance

COARSE: Final = "coarse"
FINE: Final = "fine"

REPORTED_WEIGHT: Final = 0.3
"""Weight of the reported distance in `FINE`, beside 1 for the averaged one."""


@dataclass(frozen=True)
class Objectives:
    """The distances of one search, all to one target.

    Attributes:
        averaged: the forgiving judge.
        reported: what is reported.
    """

    averaged: Distance
    reported: Distance

    @classmethod
    def of(cls, target: NDArray[np.float32], sample_rate: int, reported: Distance) -> Objectives:
        """The objectives of a target.

        Args:
            target: shape (samples,), float32.
            sample_rate: samples per second.
            reported: the reported distance to the same target.
        """
        return cls(AveragedDistance(target, sample_rate), reported)

    def score(self, name: str, sounds: NDArray[np.float32]) -> NDArray[np.float64]:
        """Distances of sounds by an objective.

        Args:
            name: `COARSE` or `FINE`.
            sounds: shape (batch, samples), float32.

        Returns:
            Shape (batch,), 0 or more; infinite where a sound is not finite.
        """
        averaged = self.averaged(sounds)
        if name == COARSE:
            return averaged
        return np.asarray(averaged + REPORTED_WEIGHT * self.reported(sounds))
