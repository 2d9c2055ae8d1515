"""How good a match is, in a word: good, fair, poor or failed.

A distance says little by itself: that of silence differs from sound to sound, and so does that of
two renders of one patch. A grade puts it between the two, and looks at what an ear hears besides:
by how many dB the spectrum is off over time. `deepdiva help grades` says what that is worth.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.level import at_reference, rms

GradeName = Literal["good", "fair", "poor", "failed"]

GRADES: Final[tuple[GradeName, ...]] = ("good", "fair", "poor", "failed")
"""The best first."""

GOOD_DB: Final = 4.4
FAIR_DB: Final = 7.3
POOR_DB: Final = 12.5
"""Up to so many dB the spectrum over time may be off."""

FAILED_SHARE: Final = 0.9
"""A match whose distance is this part of that of silence has failed."""

POOR_SHARE: Final = 0.75
"""From this part on it is poor at best, unless its own renders lie as far apart."""

BESIDE_CHANCE: Final = 0.4
"""How far above the noise floor, as a part of the distance of silence."""

CHANCE: Final = 1.3
"""Within this factor of what two renders of one patch differ, the spectrum is as good as equal."""

SILENT_DB: Final = 30.0
"""A match so far below the level of the target is silent."""

LEVEL_DB: Final = 3.5
"""From so many dB on, level over time is worth a word."""

_FRAME_SECONDS = 0.093
_STEP_SECONDS = 0.02
_BANDS = 32
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 16000.0
_SPAN_DB = 50.0

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Measures:
    """What a grade rests on.

    Attributes:
        distance: reported distance of the match, the lesser of those with and without fitted
            phases; 0 or more.
        silence: that of silence.
        base: that of the preset around which was searched, as it was; None where it is not known.
        floor: distance between two renders of the match; 0 where they are equal.
        spectrum_db: mean difference of levels in bands over time, dB, at one level.
        spectrum_floor_db: the same between two renders of the match.
        level_db: mean difference of the level over time, dB, at one level.
        colour_db: mean difference of the levels in bands of the whole sounds, dB.
        below_db: how far the match lies below the target's level, dB; infinite if it is silent.
    """

    distance: float
    silence: float
    base: float | None
    floor: float
    spectrum_db: float
    spectrum_floor_db: float
    level_db: float
    colour_db: float
    below_db: float


@dataclass(frozen=True)
class Grade:
    """A grade, and what it rests on.

    Attributes:
        name: one of `GRADES`.
        reason: what is most likely behind it, one sentence; empty where the match is good.
        advice: the option that helps, one sentence; empty where none is known.
        measures: the numbers.
    """

    name: GradeName
    reason: str
    advice: str
    measures: Measures

    @property
    def is_silent(self) -> bool:
        """Whether the match cannot be heard."""
        return is_silent(self.measures)

    @property
    def sentence(self) -> str:
        """In words, as `Fair: its colour is 6 dB off (what helps).` is."""
        reason = f": {self.reason}" if self.reason else ""
        advice = f" ({self.advice})" if self.advice else ""
        return f"{self.name.capitalize()}{reason}{advice}."

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        numbers = {
            key: value if value is None or math.isfinite(value) else None
            for key, value in asdict(self.measures).items()
        }
        return {
            "name": self.name,
            "reason": self.reason,
            "advice": self.advice,
            "measures": numbers,
        }


def worse(name: GradeName, least: GradeName) -> bool:
    """Whether a grade is worse than the least that is wanted."""
    return GRADES.index(name) > GRADES.index(least)


def grade_name(measures: Measures) -> GradeName:
    """The grade of a match by its numbers alone."""
    share = measures.distance / max(measures.silence, 1e-9)
    floor = measures.floor / max(measures.silence, 1e-9)
    if is_silent(measures) or share >= FAILED_SHARE or measures.spectrum_db > POOR_DB:
        return "failed"
    if measures.base is not None and measures.distance > 1.05 * measures.base:
        return "failed"
    if share > POOR_SHARE and share > floor + BESIDE_CHANCE:
        return "poor"
    by_chance = measures.spectrum_db <= CHANCE * measures.spectrum_floor_db
    if measures.spectrum_db <= GOOD_DB or by_chance:
        return "good"
    return "fair" if measures.spectrum_db <= FAIR_DB else "poor"


def is_silent(measures: Measures) -> bool:
    """Whether a match cannot be heard beside its target."""
    return measures.below_db > SILENT_DB


def compared(target: Audio, match: Audio, sample_rate: int) -> dict[str, float]:
    """The differences in dB that an ear hears, as fields of `Measures`.

    Args:
        target: shape (samples,), not silent.
        match: shape (samples,).
        sample_rate: of both, samples per second.
    """
    loud, soft = float(rms(target)), float(rms(match))
    below = 20.0 * math.log10(loud / soft) if soft > 0.0 else math.inf
    (wanted, got), _ = at_reference(np.stack([target, match]))
    return {
        "spectrum_db": spectrum_difference(wanted, got, sample_rate),
        "level_db": _level_difference(wanted, got, sample_rate),
        "colour_db": _colour_difference(wanted, got, sample_rate),
        "below_db": below,
    }


def spectrum_difference(target: Audio, match: Audio, sample_rate: int) -> float:
    """Mean difference in dB of 32 bands, 40 Hz to 16 kHz, in frames of 93 ms.

    What lies 50 dB below the loudest of the target counts as that, and where both do, nothing.

    Args:
        target: shape (samples,).
        match: shape (samples,), at the same level.
        sample_rate: of both, samples per second.
    """
    return _apart(_bands(target, sample_rate), _bands(match, sample_rate))


def _apart(target: NDArray[np.float64], match: NDArray[np.float64]) -> float:
    """Mean difference of levels in dB, where one of them counts."""
    bottom = float(target.max()) - _SPAN_DB
    wanted, got = np.maximum(target, bottom), np.maximum(match, bottom)
    counts = (wanted > bottom) | (got > bottom)
    return float(np.abs(wanted - got)[counts].mean()) if counts.any() else 0.0


def _powers(frames: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Levels in dB of frames in bands, shape (frames, bands); bands without a bin are left out."""
    size = frames.shape[1]
    power = np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2
    highest = min(_HIGHEST_HZ, 0.5 * sample_rate)
    edges = np.geomspace(_LOWEST_HZ, highest, _BANDS + 1) * size / sample_rate
    sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    places = np.minimum(np.ceil(edges).astype(np.intp), power.shape[1])
    bands = np.diff(sums[:, places], axis=1)[:, np.diff(places) > 0]
    return np.asarray(10.0 * np.log10(np.maximum(bands, 0.0) + 1e-12))


def _bands(sound: Audio, sample_rate: int) -> NDArray[np.float64]:
    size = 1 << round(math.log2(_FRAME_SECONDS * sample_rate))
    padded = np.pad(np.asarray(sound, np.float64), size // 2)
    return _powers(
        np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4], sample_rate
    )


def _colour_difference(target: Audio, match: Audio, sample_rate: int) -> float:
    means = [
        10.0 * np.log10(np.mean(10.0 ** (_bands(sound, sample_rate) / 10.0), axis=0))
        for sound in (target, match)
    ]
    return _apart(means[0], means[1])


def _level_difference(target: Audio, match: Audio, sample_rate: int) -> float:
    piece = max(1, round(_STEP_SECONDS * sample_rate))
    levels = []
    for sound in (target, match):
        whole = np.pad(np.asarray(sound, np.float64), (0, -len(sound) % piece))
        levels.append(10.0 * np.log10(np.square(whole).reshape(-1, piece).mean(axis=1) + 1e-12))
    return _apart(levels[0], levels[1])
