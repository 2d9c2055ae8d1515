"""Sounds as bytes that a browser decodes exactly."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_FLOAT = 3  # WAVE_FORMAT_IEEE_FLOAT


def wav_bytes(audio: NDArray[np.float32], sample_rate: int) -> bytes:
    """A mono WAV file of 32-bit floats.

    Args:
        audio: shape (samples,).
        sample_rate: samples per second.
    """
    data = np.ascontiguousarray(audio, "<f4").tobytes()
    chunks = [
        (b"fmt ", struct.pack("<HHIIHHH", _FLOAT, 1, sample_rate, 4 * sample_rate, 4, 32, 0)),
        (b"fact", struct.pack("<I", len(audio))),
        (b"data", data),
    ]
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(part)) + part for name, part in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
