"""Levels in bands over time, and how far two sounds are apart in them with one gain taken out.

The power of a sound in 40 bands, equally wide on a logarithmic axis from 60 Hz to 9 kHz, in frames
of 93 ms that overlap by half. Both sounds begin at their own onset: a latency costs nothing. One
gain, the median of the level differences, is taken out: a volume costs nothing. Levels are cut
60 dB below the loudest one of the sound that is wanted: what nobody hears costs nothing. With this
distance the engine is calibrated and known patches are judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RATE: Final = 22050
"""Samples per second at which levels are taken."""

WINDOW: Final = 2048
BANDS: Final = 40
LOWEST_HZ: Final = 60.0
HIGHEST_HZ: Final = 9000.0

RANGE_DB: Final = 60.0
"""Levels this far below the loudest one of the sound that is wanted are all the same."""

_FLOOR: Final = 10.0 ** (-RANGE_DB / 10.0)
_LEAST: Final = 1e-30
_ONSET: Final = 0.01


def band_edges() -> Array:
    """Edges of the bands in Hz, (41,)."""
    return np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)


@lru_cache(maxsize=1)
def _bands() -> Array:
    """(40, bins): which bins of the spectrum make a band; a narrow one has its middle bin."""
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / RATE)
    rows = []
    for low, high in pairwise(band_edges()):
        row = (hertz >= low) & (hertz < high)
        if not row.any():
            row = np.arange(len(hertz)) == np.argmin(np.abs(hertz - np.sqrt(low * high)))
        rows.append(row)
    return np.array(rows, np.float64)


def from_onset(sound: Array) -> Array:
    """The sound, (samples,), from its first sample above a hundredth of its peak."""
    loud = np.flatnonzero(np.abs(sound) > _ONSET * np.abs(sound).max(initial=0.0))
    return sound[loud[0] :] if loud.size else sound


def band_levels(sound: Array) -> Array:
    """Power in the bands over time, (40, frames).

    Args:
        sound: (samples,) at `RATE`, at least `WINDOW` samples.
    """
    from scipy.signal import stft

    _, _, spectrum = stft(sound, RATE, nperseg=WINDOW, noverlap=WINDOW // 2, boundary=None)
    return np.asarray(_bands() @ np.abs(spectrum) ** 2)


@dataclass(frozen=True, eq=False)
class LevelDifferences:
    """What a sound lacks of the wanted one, in dB; negative where it has too much.

    Attributes:
        bands: (40, frames).
        over_time: (frames,), of the power of all bands together.
        gain_db: that was added to the sound.
    """

    bands: Array
    over_time: Array
    gain_db: float


def level_differences(wanted: Array, got: Array) -> LevelDifferences:
    """Compare the levels of two sounds.

    Args:
        wanted: as `band_levels` gives them, not all 0.
        got: of another sound, the same shape.
    """
    floor = _FLOOR * wanted.max()
    least_db = 10.0 * np.log10(floor)
    a = 10.0 * np.log10(np.maximum(wanted, floor))
    b = 10.0 * np.log10(np.maximum(got, _LEAST))
    gain_db = float(np.median((a - b)[wanted > floor]))
    total = got.sum(axis=0) * 10.0 ** (gain_db / 10.0)
    over_time = np.log10(np.maximum(wanted.sum(axis=0), floor)) - np.log10(np.maximum(total, floor))
    return LevelDifferences(a - np.maximum(b + gain_db, least_db), 10.0 * over_time, gain_db)
