"""Numbers drawn for one seed and one purpose, alike in every batch.

Counter-based: a draw depends on its seed and stream alone (splitmix64: Steele, Lea, Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014), so the size of a batch changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN, _ONE, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(1), np.uint64(2**32)
_TIMES_1, _TIMES_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_RIGHT_30, _RIGHT_27, _RIGHT_31, _RIGHT_11 = (np.uint64(bits) for bits in (30, 27, 31, 11))


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Splitmix64's last step, in place."""
    bits ^= bits >> _RIGHT_30
    bits *= _TIMES_1
    bits ^= bits >> _RIGHT_27
    bits *= _TIMES_2
    bits ^= bits >> _RIGHT_31
    return bits


def uniform(seeds: NDArray[np.uint64], streams: ArrayLike) -> NDArray[np.float64]:
    """Uniform in [0, 1), shape of the broadcast of both.

    Args:
        seeds: uint64, at least one axis.
        streams: whole numbers from 0 on, one for each purpose.
    """
    stream = np.atleast_1d(streams).astype(np.uint64)  # arrays overflow in silence, scalars do not
    bits = _mix(_mix(seeds + _GOLDEN) + (stream + _ONE) * _GOLDEN)
    return (bits >> _RIGHT_11).astype(np.float64) * 2.0**-53


def normal(seeds: NDArray[np.uint64], streams: ArrayLike) -> NDArray[np.float64]:
    """Standard normal, by Box and Muller; uses `streams` and `streams + 2**32`."""
    stream = np.atleast_1d(streams).astype(np.uint64)
    radius = np.sqrt(-2.0 * np.log1p(-uniform(seeds, stream)))
    return radius * np.cos(2.0 * np.pi * uniform(seeds, stream + _SECOND))
