"""Loudness after ITU-R BS.1770-4, as pyloudnorm measures it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.evaluation.optional import require

SILENCE_LUFS = -70.0
"""The absolute gate of BS.1770: nothing is quieter, and silence has this loudness."""

_BLOCK_SECONDS = 0.4


def loudness_lufs(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Integrated loudness in LUFS, at least -70.

    Args:
        audio: shape (samples,). A sound shorter than one block of 0.4 s is padded with silence.
        sample_rate: samples per second.
    """
    meter = require("pyloudnorm", "pyloudnorm").Meter(sample_rate, block_size=_BLOCK_SECONDS)
    missing = int(np.ceil(_BLOCK_SECONDS * sample_rate)) - audio.size
    padded = np.pad(audio.astype(np.float64), (0, max(0, missing)))
    with np.errstate(divide="ignore"):
        loudness = float(meter.integrated_loudness(padded))
    return max(loudness, SILENCE_LUFS)


def loudness_error_lu(
    target: NDArray[np.float32], match: NDArray[np.float32], sample_rate: int
) -> float:
    """Absolute difference of the integrated loudness in LU; lower is better."""
    return abs(loudness_lufs(target, sample_rate) - loudness_lufs(match, sample_rate))
