"""From the oversampled rate back to the note's."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepdiva.compiled_code import njit
from deepdiva.engine.compiling import KEPT

_TAPS_PER_FACTOR = 32
_TILE = 2048
_TOGETHER = 4  # taps in one pass over a tile
_CUTOFF = 0.955
"""Middle of the transition, in Nyquists of the output."""


@lru_cache(maxsize=4)
def low_pass(factor: int) -> NDArray[np.float32]:
    """Symmetric low-pass for a decimation, shape (factor * 32 + 1,), unit gain at 0 Hz.

    A Kaiser window of 70 dB around a sinc. At 44.1 kHz it is flat within 0.1 dB to 18.5 kHz, 1.7 dB
    down at 20 kHz, and 65 dB down from 24 kHz on, so that what folds back lies above 20 kHz.
    """
    reach = factor * _TAPS_PER_FACTOR // 2
    time = np.arange(-reach, reach + 1) / factor
    taps = np.sinc(_CUTOFF * time) * np.kaiser(len(time), 6.76)
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
    length = fine.shape[1]
    samples = coarse.shape[1]
    reached = samples + taps.shape[0] // factor + _TOGETHER
    padded = np.zeros((reached + 1) * factor, np.float32)
    phases = np.zeros((factor, reached), np.float32)
    weights = np.zeros((factor, taps.shape[0] // factor + 1 + _TOGETHER), np.float32)
    for k in range(taps.shape[0]):
        weights[k % factor, k // factor] = taps[k]
    for row in range(fine.shape[0]):
        padded[reach : reach + length] = fine[row]
        for phase in range(factor):
            for i in range(reached):
                phases[phase, i] = padded[i * factor + phase]
        heard = coarse[row]
        heard[:] = np.float32(0.0)
        for start in range(0, samples, _TILE):
            end = min(samples, start + _TILE)
            into = heard[start:end]
            for phase in range(factor):
                for k in range(0, taps.shape[0] // factor + 1, _TOGETHER):
                    w0, w1 = weights[phase, k], weights[phase, k + 1]
                    w2, w3 = weights[phase, k + 2], weights[phase, k + 3]
                    source = phases[phase, start + k : end + k + _TOGETHER]
                    for i in range(end - start):
                        into[i] += (
                            w0 * source[i]
                            + w1 * source[i + 1]
                            + w2 * source[i + 2]
                            + w3 * source[i + 3]
                        )
