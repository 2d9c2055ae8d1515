"""The part of a long note in which nothing changes, and which need not be matched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONG_SECONDS = 3.0
"""A note that is held no longer is matched as it is."""

KEPT_SECONDS = 1.0
"""Of a steady part so much stays: beats, vibrato and noise need a while to show."""

_FRAME_SECONDS = 0.2
_AVERAGE = 5
_BANDS = 24
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 16000.0
_DEPTH_DB = 50.0
_CHANGE_DB = 1.0


def steady_part(
    note: NDArray[np.float32], sample_rate: int, held_seconds: float
) -> tuple[float, float] | None:
    """What can be left out of a long note, in seconds from its beginning.

    Levels of 24 logarithmic bands, averaged over a second, stay within 1 dB of those at the end of
    the note, in the mean over the bands. What stays is longer than a second on either side.

    Args:
        note: shape (samples,), from its onset on.
        sample_rate: samples per second.
        held_seconds: until the key is released, or the recording ends.

    Returns:
        None where the note is short, or never steady.
    """
    held = note[: round(held_seconds * sample_rate)]
    if held_seconds <= LONG_SECONDS:
        return None
    levels = _bands(held, sample_rate)
    ends = np.abs(levels - levels[-1]).mean(axis=1)
    moved = np.flatnonzero(ends > _CHANGE_DB)
    first = int(moved[-1]) + 1 if len(moved) else 0
    # The average of a frame reaches over those after it.
    begin = first * _FRAME_SECONDS + KEPT_SECONDS
    end = held_seconds - KEPT_SECONDS
    return (begin, end) if end - begin > KEPT_SECONDS else None


def _bands(held: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Levels of frequency bands over time, dB, shape (frames, bands)."""
    size = round(_FRAME_SECONDS * sample_rate)
    count = len(held) // size
    edges = np.geomspace(_LOWEST_HZ, min(_HIGHEST_HZ, 0.45 * sample_rate), _BANDS + 1)
    bins = np.unique(np.rint(edges * size / sample_rate).astype(int))
    window = np.hanning(size).astype(np.float32)
    power = np.empty((count, len(bins) - 1))
    for index in range(count):
        spectrum = np.abs(np.fft.rfft(held[index * size : (index + 1) * size] * window)) ** 2
        power[index] = np.add.reduceat(spectrum, bins)[:-1]
    mean = np.stack(
        [np.convolve(band, np.ones(_AVERAGE) / _AVERAGE, "valid") for band in power.T],
        axis=1,
    )
    bottom = mean.max() * 10.0 ** (-_DEPTH_DB / 10.0)
    return np.asarray(10.0 * np.log10(np.maximum(mean, bottom)))
