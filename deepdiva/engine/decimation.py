"""From the oversampled rate back to the note's."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from deepdiva.engine.compiling import KEPT

_TAPS_PER_FACTOR = 32
_TILE = 2048
_PASSBAND = 0.455
"""Cycles per output sample up to which the filter is flat: 20 kHz at 44.1 kHz."""


@lru_cache(maxsize=4)
def low_pass(factor: int) -> NDArray[np.float32]:
    """Symmetric low-pass for a decimation, shape (factor * 32 + 1,), unit gain at 0 Hz.

    A Kaiser window of 70 dB around the sinc whose cutoff lies between passband and Nyquist.
    """
    reach = factor * _TAPS_PER_FACTOR // 2
    time = np.arange(-reach, reach + 1) / factor
    cutoff = 0.5 * (_PASSBAND + 0.5) * 2.0
    taps = np.sinc(cutoff * time) * np.kaiser(len(time), 6.76)
    return np.asarray(taps / taps.sum(), dtype=np.float32)


@njit(**KEPT)
def decimate(fine, taps, factor, coarse):  # type: ignore[no-untyped-def]
    """Filter each row of `fine` and keep every `factor`-th sample, without delay.

    Args:
        fine: (batch, samples * factor) float32.
        taps: (odd,) float32, symmetric.
        factor: whole number from 2 on.
        coarse: (batch, samples) float32, overwritten.
    """
    reach = taps.shape[0] // 2
    samples = coarse.shape[1]
    reached = samples + taps.shape[0] // factor + 1
    phases = np.zeros((factor, reached), np.float32)
    for row in range(fine.shape[0]):
        for phase in range(factor):
            column = phases[phase]
            for i in range(reached):
                at = i * factor + phase - reach
                column[i] = fine[row, at] if 0 <= at < fine.shape[1] else np.float32(0.0)
        heard = coarse[row]
        heard[:] = np.float32(0.0)
        for start in range(0, samples, _TILE):
            end = min(samples, start + _TILE)
            into = heard[start:end]
            for k in range(taps.shape[0]):
                tap = taps[k]
                source = phases[k % factor, start + k // factor : end + k // factor]
                for i in range(end - start):
                    into[i] += tap * source[i]
