"""Pitches that a target's partials suggest, as starting points for the search.

Tuning is the one parameter that a search cannot creep up on: half a semitone beside the right
place the distance is as flat as ten semitones beside it. So the partials are measured, every
fundamental within an oscillator's range is asked how many of its harmonics are there, and the
best-founded ones become hints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.search.start import Start
from deepdiva.synths import synthesizer_of

_FRAME_SECONDS = 0.74
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 6000.0
_DEPTH_DB = 70.0
_PROMINENCE_DB = 6.0
_WIDTH_CENTS, _WIDTH_HZ = 18.0, 2.0
_HARMONICS, _HARMONICS_HZ, _FADING = 30, 5000.0, 0.9
_STEP_SEMITONES = 0.05
_HINTS = 8
_SHARPNESS = 15.0
_DOUBT = 0.1
_CLASS_SEMITONES = 0.35


@dataclass(frozen=True)
class Partials:
    """Lines of a spectrum.

    Attributes:
        frequencies_hz: shape (count,), ascending.
        strengths: shape (count,), 0 to 1: how far each stands above 70 dB below the strongest.
    """

    frequencies_hz: NDArray[np.float64]
    strengths: NDArray[np.float64]


def partials(audio: NDArray[np.float32], sample_rate: int) -> Partials:
    """Measure the partials of a sound, each at its loudest moment.

    Peaks of the Blackman-Harris spectrum, whose side lobes lie 92 dB down, are placed by the
    parabola through the three highest bins in dB (Smith and Serra, "PARSHL", ICMC 1987).

    Args:
        audio: shape (samples,), float32.
        sample_rate: samples per second.
    """
    from scipy.signal import find_peaks
    from scipy.signal.windows import blackmanharris

    size = 2 ** round(math.log2(_FRAME_SECONDS * sample_rate))
    padded = np.pad(audio, (0, max(0, size - len(audio)))).astype(np.float64)
    window = blackmanharris(size, sym=False)
    starts = range(0, len(padded) - size + 1, size // 4)
    frames = np.stack([padded[start : start + size] * window for start in starts])
    amplitudes = np.abs(np.fft.rfft(frames, 2 * size)).max(axis=0) * 2 / window.sum()
    levels = 20 * np.log10(amplitudes + 1e-6)
    bottom = float(levels.max()) - _DEPTH_DB
    peaks, _ = find_peaks(levels[1:-1], height=bottom, prominence=_PROMINENCE_DB)
    peaks = peaks + 1
    low, mid, high = levels[peaks - 1], levels[peaks], levels[peaks + 1]
    offsets = 0.5 * (low - high) / (low - 2 * mid + high)
    frequencies = (peaks + offsets) * sample_rate / (2 * size)
    heard = (frequencies > _LOWEST_HZ) & (frequencies < _HIGHEST_HZ)
    return Partials(frequencies[heard], (mid[heard] - bottom) / _DEPTH_DB)


def salience(found: Partials, fundamentals_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well each fundamental is founded: mean strength of its harmonics that are there.

    A mean, and not a sum: a fundamental an octave too low misses every other harmonic.

    Args:
        found: partials of a sound.
        fundamentals_hz: shape (count,).

    Returns:
        Shape (count,), 0 to 1.
    """
    numbers = np.arange(1, _HARMONICS + 1)
    harmonics = fundamentals_hz[:, None] * numbers
    weights = np.where(harmonics <= _HARMONICS_HZ, _FADING ** (numbers - 1.0), 0.0)
    weights[:, 0] = 1.0
    if not len(found.frequencies_hz):
        return np.zeros(len(fundamentals_hz))
    edges = (found.frequencies_hz[1:] + found.frequencies_hz[:-1]) / 2
    nearest = np.searchsorted(edges, harmonics)
    cents = np.abs(1200 * np.log2(found.frequencies_hz[nearest] / harmonics))
    widths = np.maximum(_WIDTH_CENTS, 1200 * np.log2(1 + _WIDTH_HZ / harmonics))
    near = np.where(cents < 1.5 * widths, np.exp(-0.5 * (cents / (0.6 * widths)) ** 2), 0.0)
    evidence = (weights * near * found.strengths[nearest]).sum(axis=1)
    return np.asarray(evidence / weights.sum(axis=1))


def with_pitches(start: Start, audio: NDArray[np.float32], sample_rate: int, note: Note) -> Start:
    """A start that also knows what the target's partials suggest for the oscillators' tuning.

    Octave switches get probabilities (times those that the start has), continuous tunings get
    hints. A sound without partials, noise say, leaves the start as it is.

    Both count from the key as the base patch transposes it. Where transposition is free, too, its
    value in the base is as good a guess as any, and where the base is near, a better one.

    Args:
        start: what is known otherwise.
        audio: the target, shape (samples,), float32.
        sample_rate: samples per second.
        note: what was played.
    """
    synthesizer = synthesizer_of(start.space.table)
    names = [name for name in synthesizer.oscillators if name in start.space.names]
    found = partials(audio, sample_rate)
    if not names or not len(found.frequencies_hz):
        return start
    transposed = synthesizer.transposition(start.space.base)
    probabilities: dict[str, NDArray[np.float64]] = {}
    hints: dict[str, NDArray[np.float64]] = {}
    for name in names:
        parameter = start.space.table[name]
        semitones = np.arange(parameter.minimum, parameter.maximum, _STEP_SEMITONES)
        founded = salience(found, note.frequency_hz * 2 ** ((semitones + transposed) / 12))
        if parameter.is_class:
            near = np.abs(semitones - parameter.choice_values[:, None]) < _CLASS_SEMITONES
            best = np.where(near, founded, 0.0).max(axis=1)
            odds = np.exp(_SHARPNESS * (best - best.max()))
            share = odds / odds.sum()
            probabilities[name] = (1 - _DOUBT) * share + _DOUBT / len(share)
        else:
            hints[name] = parameter.to_normalised(_summits(semitones, founded))
    return start.informed(probabilities, hints)


def with_keys(start: Start, note: Note, keys: Sequence[int]) -> Start:
    """A start that also knows that a sound may be of other keys than the one that is played.

    An octave that nobody can tell by ear is an oscillator's in the preset: each key is a start of
    its own, by a hint or by the switch of each oscillator.

    Args:
        start: what is known otherwise.
        note: what is played.
        keys: MIDI note numbers that the sound may be of as well.
    """
    synthesizer = synthesizer_of(start.space.table)
    steps = np.array([0.0, *(float(key - note.pitch) for key in keys)])
    probabilities: dict[str, NDArray[np.float64]] = {}
    hints: dict[str, NDArray[np.float64]] = {}
    for name in synthesizer.oscillators if len(keys) else ():
        if name not in start.space.names:
            continue
        parameter = start.space.table[name]
        if parameter.is_class:
            away = np.abs(parameter.choice_values[:, None] - steps).min(axis=1)
            odds = np.where(away < _CLASS_SEMITONES, 1.0, _DOUBT)
            probabilities[name] = odds / odds.sum()
        else:
            inside = steps[(steps >= parameter.minimum) & (steps <= parameter.maximum)]
            hints[name] = np.asarray(parameter.to_normalised(inside))
    return start.informed(probabilities, hints)


def _summits(semitones: NDArray[np.float64], founded: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best-founded semitones, at least 0.2 apart, the best first."""
    from scipy.signal import find_peaks

    peaks, _ = find_peaks(np.pad(founded, 1), distance=round(0.2 / _STEP_SEMITONES))
    peaks = peaks - 1
    peaks = peaks[founded[peaks] > 0]
    order = np.argsort(-founded[peaks], kind="stable")[:_HINTS]
    return np.asarray(semitones[peaks[order]])
