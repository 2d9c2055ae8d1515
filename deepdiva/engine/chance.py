"""Numbers drawn for one seed and one purpose, alike in every batch.

Counter-based: a draw depends on its seed and stream alone (splitmix64: Steele, Lea, Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014), so the size of a batch changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def uniform(seeds: NDArray[np.uint64], streams: ArrayLike) -> NDArray[np.float64]:
    """Uniform in [0, 1), shape of the broadcast of both.

    Args:
        seeds: uint64, at least one axis.
        streams: whole numbers from 0 on, one for each purpose.
    """
    stream = np.atleast_1d(streams).astype(np.uint64)  # arrays overflow in silence, scalars do not
    bits = _mix(_mix(seeds + _GOLDEN) + (stream + np.uint64(1)) * _GOLDEN)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seeds: NDArray[np.uint64], streams: ArrayLike) -> NDArray[np.float64]:
    """Standard normal, by Box and Muller; uses `streams` and `streams + 2**32`."""
    stream = np.atleast_1d(streams).astype(np.uint64)
    radius = np.sqrt(-2.0 * np.log1p(-uniform(seeds, stream)))
    return radius * np.cos(2.0 * np.pi * uniform(seeds, stream + np.uint64(2**32)))
