"""The distance with which known patches of the real synthesizer are judged, and its parts.

See `deepdiva.distance.band_levels`: 40 bands from 60 Hz to 9 kHz over frames of 93 ms, each sound
from its own onset, one gain taken out, levels cut 60 dB below the target's loudest. The figures are
dB and blind to gain and latency. Source: own; the calibration of the engine minimises `known`.

Conventions: sounds are float32 of shape (samples,) at `sample_rate` Hz, the target not silent. A
silent match is `deepdiva.distance.band_levels.RANGE_DB` away, by the panel's record of silence.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance.band_levels import (
    RATE,
    WINDOW,
    LevelDifferences,
    band_edges,
    band_levels,
    from_onset,
    level_differences,
)

Audio = NDArray[np.float32]

REGIONS_HZ: dict[str, tuple[float, float]] = {
    "low": (0.0, 250.0),
    "middle": (250.0, 1000.0),
    "high": (1000.0, 4000.0),
    "top": (4000.0, 9001.0),
}
"""Ends of the regions of `region_error`; a band belongs to the region that holds its middle."""


def known(target: Audio, match: Audio, sample_rate: int) -> float:
    """Mean |level difference| over bands and frames in dB; lower is better."""
    return float(np.abs(_differences(target, match, sample_rate).bands).mean())


def known_level(target: Audio, match: Audio, sample_rate: int) -> float:
    """Mean |difference of the level over time| in dB, all bands together; lower is better.

    The gain is the one that `known` takes out: a match whose timbre is wrong pays here too.
    """
    return float(np.abs(_differences(target, match, sample_rate).over_time).mean())


def region_error(target: Audio, match: Audio, sample_rate: int, region: str) -> float:
    """`known` over the bands of one of `REGIONS_HZ` alone, in dB; the gain is that of all bands."""
    low, high = REGIONS_HZ[region]
    edges = band_edges()
    middles = np.sqrt(edges[:-1] * edges[1:])
    chosen = (middles >= low) & (middles < high)
    return float(np.abs(_differences(target, match, sample_rate).bands[chosen]).mean())


def _differences(target: Audio, match: Audio, sample_rate: int) -> LevelDifferences:
    return _compared(target.tobytes(), match.tobytes(), sample_rate)


@lru_cache(maxsize=1)
def _compared(target: bytes, match: bytes, sample_rate: int) -> LevelDifferences:
    """The regions and both distances of a match ask for the same."""
    wanted, got = (
        _prepared(np.frombuffer(sound, np.float32), sample_rate) for sound in (target, match)
    )
    samples = max(min(len(wanted), len(got)), WINDOW)
    pair = [band_levels(_long(sound, samples)) for sound in (wanted, got)]
    return level_differences(*pair)


def _prepared(sound: Audio, sample_rate: int) -> NDArray[np.float64]:
    import soxr

    wide = sound.astype(np.float64)
    return from_onset(wide if sample_rate == RATE else soxr.resample(wide, sample_rate, RATE))


def _long(sound: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """Cut, or padded with silence, to a length."""
    return np.pad(sound[:samples], (0, max(0, samples - len(sound))))
