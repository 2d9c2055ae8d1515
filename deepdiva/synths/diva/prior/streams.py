"""Random numbers by counter: those of patch `i` do not depend on which others are drawn.

Each patch and attempt has a SplitMix64 stream of its own (Steele, Lea, Flood: Fast splittable
pseudorandom number generators, OOPSLA 2014), whose start is hashed from seed, number and attempt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def uniforms(
    seed: int, numbers: NDArray[np.int64], attempt: int, columns: int
) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), 53 bits each.

    Args:
        seed: 0 or more; of any size.
        numbers: of the patches, shape (batch,), 0 or more.
        attempt: how often these patches were drawn before, 0 or more.
        columns: numbers for each patch.

    Returns:
        Shape (columns, batch): a column of a patch lies in a row, in one piece.
    """
    key = np.random.SeedSequence(entropy=seed, spawn_key=(attempt,)).generate_state(1, np.uint64)[0]
    starts = _mix(_mix(numbers.astype(np.uint64) * _GOLDEN + key) ^ key)
    steps = np.arange(1, columns + 1, dtype=np.uint64) * _GOLDEN
    words = _mix(steps[:, None] + starts[None, :])
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function; arithmetic is modulo 2**64."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return words ^ (words >> np.uint64(31))
