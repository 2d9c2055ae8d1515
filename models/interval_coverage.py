"""Whether a posterior's intervals hold what they promise (simulation-based calibration).

If the true values were drawn from the distribution that the network was trained on, the rank of
each true value among draws from the posterior is uniform (Talts et al. 2018, arXiv:1804.06788), and
the central 90 % of the draws hold the true value 90 times in 100.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepdiva.models.predictor import Candidates


def ranks(answers: Sequence[Candidates], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the candidates that lie below the true value, ties counted by half.

    Args:
        answers: candidates of each sound, drawn from the posterior and not chosen by anything.
        truth: positions, shape (sounds, dimensions).

    Returns:
        Shape (sounds, dimensions), in [0, 1].
    """
    below = [
        ((answer.x < x).mean(axis=0) + (answer.x <= x).mean(axis=0)) / 2
        for answer, x in zip(answers, truth, strict=True)
    ]
    return np.stack(below)


def coverage(rank: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Share of true values inside the central interval of the draws.

    Args:
        rank: as `ranks` gives it, continuous dimensions only.
        level: of the interval, such as 0.9.

    Returns:
        Shape (dimensions,); equal to `level` for a calibrated posterior.
    """
    inside: NDArray[np.float64] = (np.abs(rank - 0.5) <= level / 2).mean(axis=0)
    return inside
