"""Sounds and pictures small enough to live inside a report."""

from __future__ import annotations

import base64
import io
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SPECTROGRAM_SIZE = (360, 96)
"""Columns (time) and rows (frequency) of a spectrogram picture."""

LOWEST_HZ = 30.0
HIGHEST_HZ = 18000.0
RANGE_DB = 80.0

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_COLOURS = 64
_FFT = 4096


def data_uri(mime: str, data: bytes) -> str:
    """Bytes as an address that needs no network."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def listening_gain(peaks: list[float]) -> float:
    """Gain that keeps the loudest of several sounds from clipping, at most 1.

    One gain for all sounds that are listened to side by side, so that their levels compare.
    """
    loudest = max(peaks, default=0.0)
    return min(1.0, 0.98 / loudest) if loudest > 0 else 1.0


def mp3(audio: NDArray[np.float32], sample_rate: int) -> bytes:
    """MP3 of about 100 kbit/s: what every browser plays, at a third of lossless size.

    Args:
        audio: shape (samples,), within full scale.
        sample_rate: samples per second; resampled to 44,100 Hz where MP3 does not know it.
    """
    import soundfile
    import soxr

    if sample_rate not in _MP3_RATES:
        audio, sample_rate = soxr.resample(audio, sample_rate, 44100), 44100
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        np.clip(audio, -1.0, 1.0),
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=0.3,
    )
    return buffer.getvalue()


def spectrogram_db(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Spectrogram on a logarithmic frequency axis.

    Args:
        audio: shape (samples,).
        sample_rate: samples per second.

    Returns:
        Shape (rows, columns) of `SPECTROGRAM_SIZE`: decibels, a full-scale sine at 0, the lowest
        frequency in the last row, no value below -200.
    """
    columns, rows = SPECTROGRAM_SIZE
    window = np.hanning(_FFT + 1)[:-1]
    starts = np.linspace(0, audio.size, columns, endpoint=False).astype(int)
    # Silence before the attack; at the end the last whole frame stays, so that it makes no click.
    short = max(0, _FFT // 2 - audio.size)
    padded = np.pad(audio.astype(np.float64), (_FFT // 2, short))
    starts = np.minimum(starts, padded.size - _FFT)
    frames = np.stack([padded[start : start + _FFT] for start in starts])
    power = np.abs(np.fft.rfft(frames * window * (2 / window.sum()))) ** 2

    edges = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, sample_rate / 2), rows + 1)
    positions = edges * _FFT / sample_rate
    picture = np.empty((rows, columns))
    for row, (low, high) in enumerate(pairwise(positions)):
        if high - low < 1:  # narrower than a bin: between the two nearest
            centre = (low + high) / 2
            below = int(centre)
            share = centre - below
            picture[row] = (1 - share) * power[:, below] + share * power[:, below + 1]
        else:
            picture[row] = power[:, int(low) : int(np.ceil(high))].max(axis=1)
    return 10 * np.log10(np.maximum(picture, 1e-20))[::-1]


def spectrogram_png(decibels: NDArray[np.float64], top_db: float) -> bytes:
    """Picture of a spectrogram.

    Args:
        decibels: as `spectrogram_db` gives them.
        top_db: brightest level; 80 dB below it all is dark. The same for sounds side by side.
    """
    from matplotlib import colormaps
    from PIL import Image

    depth = np.clip((decibels - top_db + RANGE_DB) / RANGE_DB, 0, 1)
    picture = Image.fromarray(np.round(depth * (_COLOURS - 1)).astype(np.uint8))
    palette = (colormaps["magma"](np.linspace(0, 1, _COLOURS))[:, :3] * 255).astype(np.uint8)
    picture.putpalette(palette.ravel().tolist())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def frequency_position(frequency_hz: float, sample_rate: int) -> float:
    """Where a frequency lies in the picture: 0 at the bottom, 1 at the top."""
    top = min(HIGHEST_HZ, sample_rate / 2)
    return float(np.log(frequency_hz / LOWEST_HZ) / np.log(top / LOWEST_HZ))
