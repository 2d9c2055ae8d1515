"""What the search minimises: cheap and wide at first, the reported distance at the end.

`COARSE` compares two STFT sizes and costs a fifth of the reported distance. `FINE` is the reported
distance itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import SEARCH, SpectralDistance
from deepdiva.distance.base import Distance

COARSE = "coarse"
FINE = "fine"


def objective(name: str, target: NDArray[np.float32], sample_rate: int, full: Distance) -> Distance:
    """An objective by name.

    Args:
        name: `COARSE` or `FINE`.
        target: shape (samples,), float32.
        sample_rate: samples per second.
        full: the reported distance to the same target.
    """
    return full if name == FINE else SpectralDistance(target, sample_rate, SEARCH)
