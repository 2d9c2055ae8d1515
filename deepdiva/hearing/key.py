"""The key of a note, from its sound alone: several candidates with weights.

Two estimators that fail in different ways propose fundamentals, and the partials decide:

- periodicity: peaks of the normalised square difference function, after P. McLeod and G. Wyvill, "A
  smarter way to find pitch", ICMC 2005. Right for pulses and missing fundamentals; low by an octave
  or more on fifths; without an answer beside much noise;
- partials: every strong peak of the spectrum, and it divided by 2 to 6.

A fundamental is good if its harmonics explain most of the partials (one that is too high explains
few) and if few of its harmonics are missing (of one that is too low, most are). The idea is that of
the two-way mismatch of R. Maher and J. Beauchamp, JASA 95(4), 1994.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 20.0, 5000.0
PITCHED = 0.5
"""Clarity of a frame, 0 to 1, above which it has a pitch."""

_FRAME_SECONDS = 0.1
_HOP_SECONDS = 0.02
_SPECTRUM_SECONDS = 0.74
_DEPTH_DB = 60.0
_PROMINENCE_DB = 8.0
_PEAKS = 60
_TELLING_SECONDS = 0.25
_WIDTH_CENTS, _WIDTH_HZ = 30.0, 0.8
_HARMONICS = 12
_SECOND = 0.1
_REST, _OWN, _NOBODY_PLAYS = 0.12, 0.05, 0.3
_AUDIBLE = 0.12
_STRONG = 0.44
_FIRST = 6
_TWO = 0.88
_KEPT = 4
_EIGHT = 8
_MULTIPLES = 2
_STANDS_OUT_DB = 12.0
_DIVIDED = 0.6


@dataclass(frozen=True)
class Candidate:
    """A key that a sound may be of.

    Attributes:
        hertz: its fundamental.
        weight: how likely it is beside the others, 0 to 1; those of a sound sum up to 1.
    """

    hertz: float
    weight: float

    @property
    def pitch(self) -> float:
        """MIDI note number with its fraction; 69 is 440 Hz."""
        return 69.0 + 12.0 * math.log2(self.hertz / 440.0)

    @property
    def key(self) -> int:
        """MIDI note number of the nearest key."""
        return min(127, max(0, round(self.pitch)))

    @property
    def cents(self) -> float:
        """How far it is out of tune with that key, -50 to 50."""
        return 100.0 * (self.pitch - self.key)


@dataclass(frozen=True)
class Track:
    """Pitch over time.

    Attributes:
        seconds: centre of each frame, shape (frames,).
        hertz: fundamental, shape (frames,); NaN where there is none.
        clarity: periodicity, shape (frames,), 0 to 1.
    """

    seconds: NDArray[np.float64]
    hertz: NDArray[np.float64]
    clarity: NDArray[np.float64]

    @property
    def pitches(self) -> NDArray[np.float64]:
        """MIDI note numbers with their fractions, shape (frames,)."""
        return 69.0 + 12.0 * np.log2(self.hertz / 440.0)


@dataclass(frozen=True)
class Partials:
    """Lines of a spectrum.

    Attributes:
        hertz: shape (count,), ascending.
        levels_db: shape (count,), below the strongest, 0 at most.
        tonal: share of the power that lies in lines, 0 (noise) to 1.
    """

    hertz: NDArray[np.float64]
    levels_db: NDArray[np.float64]
    tonal: float


def track_pitch(audio: NDArray[np.float32], sample_rate: int) -> Track:
    """Follow the pitch by normalised square differences (McLeod and Wyvill, section 3 to 5).

    Args:
        audio: shape (samples,).
        sample_rate: samples per second.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    window = round(_FRAME_SECONDS * sample_rate)
    hop = round(_HOP_SECONDS * sample_rate)
    padded = np.pad(audio.astype(np.float64), (0, max(0, window - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    longest = min(round(sample_rate / LOWEST_HZ), round(0.8 * window))
    size = next_fast_len(window + longest, real=True)
    spectra = rfft(frames, size, axis=1)
    correlation = irfft(np.abs(spectra) ** 2, size, axis=1)[:, : longest + 1]
    squares = np.pad(np.cumsum(frames**2, axis=1), ((0, 0), (1, 0)))
    lags = np.arange(longest + 1)
    energy = squares[:, window - lags] + squares[:, -1:] - squares[:, lags]
    curve = 2.0 * correlation / np.maximum(energy, 1e-20)
    shortest = max(2, math.floor(sample_rate / HIGHEST_HZ))
    found = np.array([_period(row, shortest) for row in curve])
    hertz = np.where(found[:, 0] > 0, sample_rate / np.maximum(found[:, 0], 1.0), np.nan)
    seconds = (np.arange(len(frames)) * hop + window / 2) / sample_rate
    return Track(seconds, hertz, np.clip(found[:, 1], 0.0, 1.0))


def find_partials(audio: NDArray[np.float32], sample_rate: int) -> Partials:
    """Measure the lines of a sound's mean spectrum.

    Peaks of the Blackman-Harris spectrum are placed by the parabola through the three highest bins
    in dB (Smith and Serra, "PARSHL", ICMC 1987).

    Args:
        audio: shape (samples,), the steady part.
        sample_rate: samples per second.
    """
    from scipy.signal import find_peaks
    from scipy.signal.windows import blackmanharris

    size = min(2 ** round(math.log2(_SPECTRUM_SECONDS * sample_rate)), len(audio))
    window = blackmanharris(size, sym=False)
    starts = range(0, len(audio) - size + 1, max(1, size // 4))
    length = 1 << math.ceil(math.log2(4 * size))
    power = np.zeros(length // 2 + 1)
    for start in starts:
        power += np.abs(np.fft.rfft(audio[start : start + size] * window, length)) ** 2
    levels = 10.0 * np.log10(power + 1e-30)
    step = sample_rate / length
    first = max(1, math.floor(LOWEST_HZ * 0.8 / step))
    bottom = levels[first:].max() - _DEPTH_DB
    width = max(1, round(2.0 * length / size))
    peaks, _ = find_peaks(levels, height=bottom, prominence=_PROMINENCE_DB, distance=width)
    peaks = peaks[(peaks >= first) & (peaks < len(levels) - 1)]
    peaks = peaks[np.argsort(-levels[peaks], kind="stable")[:_PEAKS]]
    peaks.sort()
    low, mid, high = levels[peaks - 1], levels[peaks], levels[peaks + 1]
    offsets = 0.5 * (low - high) / np.minimum(low - 2 * mid + high, -1e-12)
    lines = np.zeros(len(power), bool)
    for peak in peaks:
        lines[max(0, peak - 2 * width) : peak + 2 * width + 1] = True
    tonal = float(power[lines].sum() / max(power[first:].sum(), 1e-30))
    top = mid.max() if len(mid) else 0.0
    return Partials((peaks + offsets) * step, mid - top, min(1.0, tonal))


def find_key(
    audio: NDArray[np.float32], sample_rate: int, track: Track | None = None
) -> tuple[Candidate, ...]:
    """The keys that a note may be of, the likeliest first; none for noise.

    Args:
        audio: shape (samples,), the note, best without its attack.
        sample_rate: samples per second.
        track: of the same audio, if it is known.
    """
    if track is None:
        track = track_pitch(audio, sample_rate)
    lines = find_partials(audio, sample_rate)
    pitched = track.clarity > PITCHED
    clarity = float(np.median(track.clarity)) if len(track.clarity) else 0.0
    is_short = len(audio) < _TELLING_SECONDS * sample_rate
    if not len(lines.hertz) or (clarity < PITCHED and (is_short or lines.tonal < 0.3)):
        return ()
    wanted = _proposals(lines, track.hertz[pitched & np.isfinite(track.hertz)])
    if not len(wanted):
        return ()
    scores = _scores(wanted, lines)
    periodic = np.array([_periodicity(hertz, track, pitched) for hertz in wanted])
    scores = scores * (0.6 + 0.4 * np.maximum(periodic, 0.7 * (scores > scores.max() - 0.02)))
    return _weighed(wanted, scores, lines)


def _period(curve: NDArray[np.float64], shortest: int) -> tuple[float, float]:
    """Period in samples, and its clarity: the first peak that is nearly as high as any; or 0, 0."""
    negative = np.flatnonzero(curve < 0.0)
    begin = max(shortest, int(negative[0]) if len(negative) else len(curve))
    part = curve[begin:]
    if len(part) < 3:
        return 0.0, 0.0
    inner = np.flatnonzero((part[1:-1] >= part[:-2]) & (part[1:-1] > part[2:])) + 1
    if not len(inner):
        return 0.0, 0.0
    highest = part[inner].max()
    at = int(inner[np.argmax(part[inner] >= 0.93 * highest)]) + begin
    before, here, after = curve[at - 1 : at + 2]
    bend = before - 2.0 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    return at + float(np.clip(shift, -0.5, 0.5)), float(here)


def _proposals(lines: Partials, tracked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fundamentals worth a look, Hz, no two within 30 cents."""
    strong = lines.hertz[np.argsort(-lines.levels_db, kind="stable")[:12]]
    found = (strong[:, None] / np.arange(1, 7)).ravel()
    if len(tracked):
        middle = float(np.median(tracked))
        found = np.concatenate([found, middle * np.array([1.0, 0.5, 2.0, 3.0])])
    found = np.sort(found[(found > LOWEST_HZ) & (found < HIGHEST_HZ)])
    if not len(found):
        return found
    apart = np.concatenate([[True], np.diff(np.log2(found)) > 30.0 / 1200.0])
    return np.asarray([group.mean() for group in np.split(found, np.flatnonzero(apart)[1:])])


def _near(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far a partial may lie from a harmonic at these frequencies, Hz."""
    return np.asarray(np.maximum(hertz * (2.0 ** (_WIDTH_CENTS / 1200.0) - 1.0), _WIDTH_HZ))


def _scores(wanted: NDArray[np.float64], lines: Partials) -> NDArray[np.float64]:
    """How well each fundamental, alone or with a second one, explains the partials, 0 to 1.

    Two oscillators that are no octaves apart have a common fundamental that nobody plays.
    """
    strength = np.maximum(0.0, 1.0 + lines.levels_db / _DEPTH_DB) ** 2
    numbers = np.maximum(1, np.rint(lines.hertz / wanted[:, None]))
    near = np.minimum(_near(lines.hertz), 0.2 * wanted[:, None])
    matched = np.abs(lines.hertz - numbers * wanted[:, None]) < near
    # Harmonics of a low fundamental lie close: to meet one of them by chance proves nothing.
    chance = np.where(lines.hertz < 0.9 * wanted[:, None], 0.0, 2.0 * near / wanted[:, None])
    presence = np.array(
        [_presence(n[m], strength[m]) for n, m in zip(numbers, matched, strict=True)]
    )
    scores = _explained(matched, chance, strength) ** 1.5 * presence**0.6
    amplitudes = 10.0 ** (lines.levels_db / 20.0)
    partly = np.ones(len(wanted))
    for at, (n, m) in enumerate(zip(numbers, matched, strict=True)):
        if _is_common(n[m], amplitudes[m]):
            scores[at] *= _NOBODY_PLAYS
        if _is_divided(n[m], lines.levels_db[m]):
            partly[at] = _DIVIDED
    scores *= partly
    for one in range(len(wanted)):
        for two in range(one + 1, len(wanted)):
            ratio = wanted[two] / wanted[one]
            if abs(ratio - round(ratio)) < 0.02 * ratio:
                continue
            only = [
                float(strength[matched[a] & ~matched[b]].sum()) / strength.sum()
                for a, b in ((one, two), (two, one))
            ]
            if min(only) < _SECOND:
                continue
            both = matched[one] | matched[two]
            together = np.minimum(1.0, chance[one] + chance[two])
            score = _explained(both, together, strength) ** 1.5 * _TWO
            score *= min(partly[one], partly[two])
            # What the two explain is each one's merit only if its own harmonics are there.
            own = score * presence[[one, two]] ** 0.6
            scores[one] = max(scores[one], own[0])
            scores[two] = max(scores[two], own[1] * (0.9 if only[1] < 2.0 * only[0] else 1.0))
    return np.asarray(scores)


def _is_common(numbers: NDArray[np.float64], amplitudes: NDArray[np.float64]) -> bool:
    """Whether a fundamental is but the common one of two oscillators a fifth, fourth ... apart.

    Then nearly all is in multiples of two numbers, such as 2 and 3, and each has a part of its own;
    the rest, the fundamental too, is what a distorting filter makes of both.
    """
    total = amplitudes.sum()
    for one, two in ((2, 3), (3, 4), (4, 5), (5, 6), (3, 5), (5, 8), (8, 9)):
        of_one, of_two = numbers % one == 0, numbers % two == 0
        rest = amplitudes[~of_one & ~of_two].sum()
        own = min(amplitudes[of_one & ~of_two].sum(), amplitudes[of_two & ~of_one].sum())
        if rest < _REST * total and own > rest and own > _OWN * total:
            return True
    return False


def _is_divided(numbers: NDArray[np.float64], levels_db: NDArray[np.float64]) -> bool:
    """Whether a fundamental is but a half or a third of one that is played.

    Then its harmonics whose numbers are multiples of 2, or of 3, stand out from the others, in the
    median over the first eight in dB: a resonance on one of them, or a pulse without some of them,
    does not count.
    """
    if not len(numbers):
        return False
    last = min(_EIGHT, int(numbers.max()))
    heard = np.full(last + 1, -_DEPTH_DB)
    inside = numbers <= last
    np.maximum.at(heard, numbers[inside].astype(int), levels_db[inside])
    every = np.arange(1, last + 1)
    for divisor in (2, 3):
        multiple = every % divisor == 0
        if multiple.sum() < _MULTIPLES:
            continue
        if np.median(heard[1:][multiple]) - np.median(heard[1:][~multiple]) > _STANDS_OUT_DB:
            return True
    return False


def _explained(
    matched: NDArray[np.bool_], chance: NDArray[np.float64], strength: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of the partials' strength that is matched, less what chance would match."""
    telling = (strength * (1.0 - chance)).sum(axis=-1)
    excess = (strength * (matched - chance)).sum(axis=-1)
    return np.asarray(np.maximum(0.0, excess) / np.maximum(telling, 1e-9))


def _presence(numbers: NDArray[np.float64], strength: NDArray[np.float64]) -> float:
    """How many of a fundamental's harmonics, up to the highest that is there, are there."""
    if not len(numbers):
        return 0.0
    last = min(_HARMONICS, int(numbers.max()))
    there = np.zeros(last + 1)
    inside = numbers <= last
    np.maximum.at(there, numbers[inside].astype(int), strength[inside])
    weights = 1.0 / np.sqrt(np.arange(1, last + 1))
    present = float((weights * np.sqrt(there[1:])).sum() / weights.sum())
    if there[1] > _STRONG:
        return present
    # A fundamental that is weak or missing is believed if all but it are there: where harmonics of
    # a low one are met by chance, most are not.
    return present * float(np.mean(there[1 : _FIRST + 1] > _AUDIBLE / 4)) ** 4


def _periodicity(hertz: float, track: Track, pitched: NDArray[np.bool_]) -> float:
    """Share of the frames whose period is that of the fundamental."""
    if not pitched.any():
        return 0.0
    away = np.abs(1200.0 * np.log2(track.hertz[pitched] / hertz))
    return float(np.mean(away < 60.0)) * float(np.mean(pitched))


def _weighed(
    wanted: NDArray[np.float64], scores: NDArray[np.float64], lines: Partials
) -> tuple[Candidate, ...]:
    """The best fundamentals, placed by their partials, with weights."""
    order = np.argsort(-scores, kind="stable")[:_KEPT]
    odds = np.exp(10.0 * (scores[order] / max(scores[order[0]], 1e-9) - 1.0))
    weights = odds / odds.sum()
    return tuple(
        Candidate(_placed(float(wanted[at]), lines), float(weight))
        for at, weight in zip(order, weights, strict=True)
        if weight > 0.02
    )


def _placed(hertz: float, lines: Partials) -> float:
    """A fundamental tuned to its partials: their mean, the strong and the high ones first."""
    numbers = np.maximum(1, np.rint(lines.hertz / hertz))
    matched = (np.abs(lines.hertz - numbers * hertz) < _near(lines.hertz)) & (numbers <= 24)
    if not matched.any():
        return hertz
    strength = np.maximum(0.0, 1.0 + lines.levels_db[matched] / _DEPTH_DB) ** 2
    ratios = lines.hertz[matched] / numbers[matched]
    weights = strength * np.minimum(numbers[matched], 8)
    order = np.argsort(ratios)
    middle = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(ratios[order][min(middle, len(order) - 1)])
