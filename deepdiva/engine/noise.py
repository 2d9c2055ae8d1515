"""The noise that all voices read, each from a place of its own."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SEED = 20211
_SAMPLES = 1 << 18

LOWEST = 5e-4
"""Cycles per sample below which pink noise is no longer louder: 22 Hz at 44.1 kHz."""


@lru_cache(maxsize=1)
def noise_tables() -> NDArray[np.float32]:
    """White (Gaussian) and pink noise, both of unit power: (2, samples).

    Pink has a power density of 1 / f, at any sample rate.
    """
    white = np.random.default_rng(_SEED).standard_normal(_SAMPLES).astype(np.float32)
    spectrum = np.fft.rfft(white.astype(np.float64))
    cycles = np.arange(len(spectrum)) / len(white)
    spectrum /= np.sqrt(np.maximum(cycles, LOWEST))
    spectrum[0] = 0.0
    pink = np.fft.irfft(spectrum, len(white))
    tables = np.stack([white, (pink / np.sqrt(np.mean(pink**2))).astype(np.float32)])
    tables.setflags(write=False)
    return tables
