"""What a match sounds like, fit to be listened to: faded, within full scale, beside its target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FADE_SECONDS: Final = 0.05
"""A preview has faded so long after the target, at the latest."""

SHORTEST_FADE_SECONDS: Final = 0.01
"""A sound that is cut at its end fades in so much time."""

PAUSE_SECONDS: Final = 0.4
"""Between the sounds that are heard one after the other."""

_FADED_DB: Final = -60.0

Audio = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Preview:
    """A match and its target, ready to be written.

    Attributes:
        sound: the match, shape (samples,), float32, at most full scale, 0 at its end.
        both: target, pause, match, pause, at the levels that they have to each other.
        quieter_db: by how much `sound` is quieter than the preset plays; 0 where it fits.
    """

    sound: Audio
    both: Audio
    quieter_db: float


def preview_of(match: Audio, target: Audio, sample_rate: int) -> Preview:
    """Fade a match where its target has faded, and bring both within full scale.

    Args:
        match: shape (samples,).
        target: shape (samples,).
        sample_rate: of both, samples per second.
    """
    shape = fade(target, len(match), sample_rate)
    sound = match * shape
    wanted = target * fade(target, len(target), sample_rate)
    peak = float(np.abs(sound).max(initial=0.0))
    gain = 1.0 / peak if peak > 1.0 else 1.0
    highest = max(peak * gain, float(np.abs(wanted).max(initial=0.0)) * gain, 1.0)
    pause = np.zeros(round(PAUSE_SECONDS * sample_rate), np.float32)
    both = np.concatenate([wanted, pause, sound, pause]) * np.float32(gain / highest)
    quieter = 20.0 * math.log10(max(peak, 1.0))
    return Preview((sound * np.float32(gain)).astype(np.float32), both, quieter)


def fade(target: Audio, samples: int, sample_rate: int) -> Audio:
    """Factors from 1 to 0, shape (samples,): half a cosine after the target's end, or at its own.

    Args:
        target: shape (any,); it ends where the last sample lies above -60 dB of its peak.
        samples: how many are wanted.
        sample_rate: samples per second.
    """
    factors = np.ones(samples, np.float32)
    if not samples:
        return factors
    magnitudes = np.abs(target)
    loud = np.flatnonzero(magnitudes > magnitudes.max(initial=0.0) * 10.0 ** (_FADED_DB / 20.0))
    ends = int(loud[-1]) + 1 if len(loud) else 0
    last = min(samples, ends + round(FADE_SECONDS * sample_rate))
    first = max(0, min(ends, last - round(SHORTEST_FADE_SECONDS * sample_rate)))
    length = max(1, last - first)
    factors[last - length : last] = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, length + 1) / length)
    factors[last:] = 0.0
    return factors
