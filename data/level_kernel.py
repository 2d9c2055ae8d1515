"""Levels of many sounds, compiled by numba."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "reassoc", "contract"})
def peaks_and_energies(
    audio: NDArray[np.float32], bits: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Largest magnitude and sum of squares of each row, in one pass over the memory.

    Magnitudes are compared as the whole numbers that their bits spell without the sign: the order
    is the same, infinity and NaN come last, and the compiler can use SIMD.

    Args:
        audio: shape (batch, samples), contiguous.
        bits: the same memory.

    Returns:
        Bits of the peaks, and the energies; shape (batch,).
    """
    peak = np.zeros(len(audio), np.int32)
    energy = np.zeros(len(audio), np.float32)
    for row in range(audio.shape[0]):
        highest = np.int32(0)
        total = np.float32(0.0)
        for place in range(audio.shape[1]):
            highest = max(highest, bits[row, place] & np.int32(0x7FFFFFFF))
            total += audio[row, place] * audio[row, place]
        peak[row] = highest
        energy[row] = total
    return peak, energy
