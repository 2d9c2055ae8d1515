"""Numba kernels of the spectral distance; they let go of Python's global lock."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": True}


@njit(**_OPTIONS)
def cut_frames(
    audio: NDArray[np.float32], window: NDArray[np.float32], hop: int, frames: NDArray[np.float32]
) -> None:
    """Write the windowed frames of `audio` into `frames`, shape (count, size)."""
    for frame in range(frames.shape[0]):
        offset = frame * hop
        for position in range(frames.shape[1]):
            frames[frame, position] = audio[offset + position] * window[position]


@njit(**_OPTIONS)
def magnitudes(
    spectra: NDArray[np.float32],
    floor_power: np.float32,
    linear: NDArray[np.float32],
    logarithmic: NDArray[np.float32],
) -> None:
    """Magnitude and its log10 of interleaved complex spectra, floored in power."""
    for i in range(linear.shape[0]):
        power = spectra[2 * i] ** 2 + spectra[2 * i + 1] ** 2 + floor_power
        linear[i] = math.sqrt(power)
        logarithmic[i] = np.float32(0.5) * np.log10(power)


@njit(**_OPTIONS)
def difference(
    spectra: NDArray[np.float32],
    floor_power: np.float32,
    linear: NDArray[np.float32],
    logarithmic: NDArray[np.float32],
) -> tuple[float, float]:
    """Sums of the absolute linear and logarithmic differences to a target's magnitudes."""
    linear_sum = 0.0
    log_sum = 0.0
    for i in range(linear.shape[0]):
        power = spectra[2 * i] ** 2 + spectra[2 * i + 1] ** 2 + floor_power
        linear_sum += abs(math.sqrt(power) - linear[i])
        log_sum += abs(np.float32(0.5) * np.log10(power) - logarithmic[i])
    return linear_sum, log_sum
