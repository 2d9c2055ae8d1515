"""What kind of sound a recording holds, where it is not one steady note."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.hearing.key import Partials, Track

CLEAR = 0.75
"""Clarity of frames whose pitch is followed."""

_SHORTEST_FRAMES = 4
_NOTE_SEMITONES = 0.7
_GLIDE_SEMITONES = 1.5
_VIBRATO_SEMITONES = 0.12
_VIBRATO_HZ = (3.0, 9.0)


@dataclass(frozen=True)
class Motion:
    """How the pitch moves.

    Attributes:
        kind: "steady", "glide", "vibrato", "melody" or "unsteady".
        low: lowest pitch, MIDI note number.
        high: highest pitch.
        rate_hz: of a vibrato, otherwise 0.
        first: pitch of the beginning.
        last: pitch of the end.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    rate_hz: float = 0.0
    first: float = 0.0
    last: float = 0.0


def motion_of(track: Track, levels_db: NDArray[np.float64]) -> Motion:
    """Tell how the pitch of a note moves.

    Args:
        track: its pitch over time.
        levels_db: level of each frame, shape (frames,).
    """
    heard = (track.clarity > CLEAR) & np.isfinite(track.hertz)
    heard &= levels_db > levels_db.max() - 30.0
    pitches = track.pitches[heard]
    if len(pitches) < _SHORTEST_FRAMES:
        return Motion("steady" if len(pitches) else "unsteady")
    # A jump by octaves is the tracker's, not the note's.
    jumps = np.diff(pitches)
    octaves = np.where(np.abs(jumps) > 10.0, np.rint(jumps / 12.0), 0.0)
    pitches = pitches - 12.0 * np.concatenate([[0.0], np.cumsum(octaves)])
    pitches += 12.0 * np.rint((np.median(track.pitches[heard]) - np.median(pitches)) / 12.0)
    low, high = np.percentile(pitches, [4.0, 96.0])
    edges = {"low": float(low), "high": float(high)}
    edges |= {"first": float(np.median(pitches[:3])), "last": float(np.median(pitches[-3:]))}
    step = float(track.seconds[1] - track.seconds[0]) if len(track.seconds) > 1 else 0.02
    plateaus = _plateaus(pitches)
    steps = np.abs(np.diff(plateaus))
    if len(plateaus) >= 3 and (steps > _NOTE_SEMITONES).sum() >= 2 and high - low > 1.0:
        return Motion("melody", **edges)
    if high - low > _GLIDE_SEMITONES:
        rises = np.diff(pitches)
        one_way = abs(rises.sum()) / max(np.abs(rises).sum(), 1e-9)
        return Motion("glide" if one_way > 0.7 else "unsteady", **edges)
    rate = _vibrato(pitches, step)
    if rate:
        return Motion("vibrato", rate_hz=rate, **edges)
    return Motion("steady", **edges)


def is_speech(
    track: Track, levels_db: NDArray[np.float64], *, least_spread_db: float = 9.0
) -> bool:
    """Whether somebody speaks: syllables, some of them voiced, whose pitch never stays.

    A third of the loud frames or so has a pitch, between 65 and 500 Hz, which moves within each
    run of them and does not jump as a tune does; level comes and goes 2 to 9 times a second.

    Args:
        track: pitch over time of the whole recording.
        levels_db: level of each frame, shape (frames,).
        least_spread_db: standard deviation of the levels.
    """
    top = float(levels_db.max())
    clipped = np.maximum(levels_db, top - 40.0)
    loud = levels_db > top - 30.0
    voiced = (track.clarity > CLEAR) & np.isfinite(track.hertz) & loud
    share = voiced.sum() / max(1, loud.sum())
    if not (0.12 < share < 0.8 and voiced.sum() >= 4) or clipped.std() < least_spread_db:
        return False
    pitch = float(np.median(track.pitches[voiced]))
    steps = np.abs(np.diff(track.pitches))[voiced[1:] & voiced[:-1]]
    steps = steps[steps < 4.0]
    if not 36.0 <= pitch <= 72.0 or len(steps) < 3:
        return False
    moves = np.percentile(steps, 90.0) > 0.15 and np.median(steps) < 0.35
    spectrum = np.abs(np.fft.rfft((clipped - clipped.mean()) * np.hanning(len(clipped)), 1024)) ** 2
    rates = np.fft.rfftfreq(1024, float(track.seconds[1] - track.seconds[0]))
    syllables = spectrum[(rates > 2.0) & (rates < 9.0)].sum()
    return bool(moves and syllables > 0.2 * spectrum[rates > 0.0].sum())


def falls_in_pitch(note: NDArray[np.float32], sample_rate: int) -> bool:
    """Whether a short sound begins with a falling sine, as a kick drum does.

    The distances of its zero crossings grow, to half as much again or more within 0.2 s.

    Args:
        note: shape (samples,), from its onset on.
        sample_rate: samples per second.
    """
    part = note[: round(0.25 * sample_rate)]
    crossings = np.flatnonzero(np.signbit(part[1:]) != np.signbit(part[:-1]))
    widths = np.diff(crossings) / sample_rate
    if not 4 <= len(widths) <= 120:
        return False
    grows = float(np.mean(np.diff(widths) > -0.02 * widths[:-1]))
    return grows > 0.85 and float(widths[-2:].mean()) > 1.5 * float(widths[:2].mean())


def keys_together(lines: Partials) -> tuple[int, ...]:
    """Keys that sound at once, each by a fundamental and harmonics of its own, ascending.

    The lowest strong line is taken as a note and its harmonics away, until nothing strong is left.
    """
    left = lines.levels_db > -30.0
    keys: list[int] = []
    strength = 10.0 ** (lines.levels_db / 20.0)
    for _ in range(8):
        if not left.any():
            break
        lowest = float(lines.hertz[np.flatnonzero(left)[0]])
        numbers = np.maximum(1, np.rint(lines.hertz / lowest))
        near = np.abs(1200.0 * np.log2(lines.hertz / (numbers * lowest))) < 25.0
        series = set(numbers[near & (lines.levels_db > -50.0)].astype(int))
        own = float(strength[near & left].sum())
        if own > 0.15 * strength.max() and len(series & {1, 2, 3, 4, 5}) >= 4:
            keys.append(round(69.0 + 12.0 * np.log2(lowest / 440.0)))
        left &= ~near
        left[np.flatnonzero(lines.hertz == lowest)] = False
    return tuple(sorted(set(keys)))


def _plateaus(pitches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitches that stay for 80 ms or more, in their order."""
    found: list[float] = []
    begin = 0
    for end in range(1, len(pitches) + 1):
        if end < len(pitches) and abs(pitches[end] - np.median(pitches[begin:end])) < 0.35:
            continue
        if end - begin >= _SHORTEST_FRAMES:
            level = float(np.median(pitches[begin:end]))
            steady = float(np.ptp(pitches[begin:end])) < 0.3
            if steady and (not found or abs(found[-1] - level) > _NOTE_SEMITONES):
                found.append(level)
        begin = end
    return np.asarray(found)


def _vibrato(pitches: NDArray[np.float64], step: float) -> float:
    """Rate of a vibrato in Hz; 0 if there is none."""
    count = len(pitches)
    if count * step < 0.6:
        return 0.0
    times = np.arange(count)
    moved = pitches - np.polyval(np.polyfit(times, pitches, 2), times)
    spectrum = np.abs(np.fft.rfft(moved * np.hanning(count), 4 * count)) ** 2
    rates = np.fft.rfftfreq(4 * count, step)
    inside = (rates >= _VIBRATO_HZ[0]) & (rates <= _VIBRATO_HZ[1])
    peak = int(np.argmax(np.where(inside, spectrum, 0.0)))
    near = np.abs(rates - rates[peak]) < 2.5 / (count * step)
    pure = spectrum[near].sum() / max(spectrum.sum(), 1e-30)
    depth = float(np.sqrt(2.0) * moved.std())
    return float(rates[peak]) if depth > _VIBRATO_SEMITONES and pure > 0.6 else 0.0
