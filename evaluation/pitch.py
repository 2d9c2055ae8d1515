"""Fundamental frequency over time, and how far two sounds are out of tune.

The estimator is YIN: A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency estimator for
speech and music", JASA 111(4), 2002, steps 1 to 5, with two changes. A resonance at a harmonic
makes dips at its own period, which step 4 would take; so a dip counts only if it is about as deep
as the deepest of the frame. And lags are quarters of a sample, since the period of a bright tone of
some kilohertz falls between samples. A frame counts as pitched only if its normalised difference
falls below `PERIODIC`, so that noise and clashing oscillators are not given a pitch that they do
not have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ = 20.0
HIGHEST_HZ = 4000.0

PERIODIC = 0.2
"""A frame is pitched where the cumulative mean normalised difference falls below it."""

PITCHED_SHARE = 0.2
"""A sound has a pitch if at least this share of its frames is pitched."""

CAP_CENTS = 2400.0
"""Two octaves: the worst score, also given where the target has a pitch and the match has none."""

STEADY_SHARE = 0.8
"""Of a sound that has a key, this share of the frames is pitched, most of them alike."""

_FINER = 4
"""Lags in a sample."""

_DEEP = 0.02
_DEEP_SHARE = 1.5
"""A dip counts that is no higher than this share of the deepest one, and `_DEEP` more."""

_WINDOW_SECONDS = 0.08
_HOP_SECONDS = 0.025
_QUIET = 1e-4
_FADED = 1e-2


def fundamental(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Fundamental frequency of each frame by YIN.

    Args:
        audio: shape (samples,), at least 0.1 s.
        sample_rate: samples per second.

    Returns:
        Shape (frames,), Hz from 20 to 4,000, a frame every 25 ms; NaN where a frame is not
        periodic or has a peak below -80 dB.
    """
    longest = int(np.ceil(sample_rate / LOWEST_HZ))
    shortest = int(np.floor(sample_rate / HIGHEST_HZ))
    window = max(int(_WINDOW_SECONDS * sample_rate), longest)
    length = window + longest + 1
    padded = np.pad(audio.astype(np.float64), (0, max(0, length - audio.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)
    frames = frames[:: int(_HOP_SECONDS * sample_rate)]

    difference = _difference(frames, window, longest + 1)
    lags = np.arange(1, difference.shape[1])
    running_mean = np.cumsum(difference[:, 1:], axis=1) / lags
    normalised = np.ones_like(difference)
    np.divide(difference[:, 1:], running_mean, out=normalised[:, 1:], where=running_mean > 0)

    pitches = np.full(len(frames), np.nan)
    for i, curve in enumerate(normalised):
        if np.abs(frames[i]).max() < _QUIET:
            continue
        lag = _first_dip(curve, shortest * _FINER, longest * _FINER)
        if lag is not None:
            pitches[i] = sample_rate * _FINER / lag
    return pitches


def has_pitch(pitches: NDArray[np.float64]) -> bool:
    """Whether enough frames of `fundamental` are pitched to speak of the pitch of the sound."""
    return bool(np.mean(np.isfinite(pitches)) >= PITCHED_SHARE)


def key_of(audio: NDArray[np.float32], sample_rate: int) -> float | None:
    """The key whose pitch a sound holds, as a MIDI note number with its fraction; 69 is 440 Hz.

    Args:
        audio: shape (samples,), at least 0.1 s.
        sample_rate: samples per second.

    Returns:
        None where the sound holds no pitch: noise, glides, clashing oscillators.
    """
    loud = np.flatnonzero(np.abs(audio) > _FADED * np.abs(audio).max())
    # A decay that is over has no pitch; it takes none from the sound either.
    pitches = fundamental(audio[: loud[-1] + 1] if len(loud) else audio, sample_rate)
    heard = pitches[np.isfinite(pitches)]
    if len(heard) < STEADY_SHARE * len(pitches) or not len(heard):
        return None
    keys = 69.0 + 12.0 * np.log2(heard / 440.0)
    key = float(np.median(keys))
    return key if np.mean(np.abs(keys - key) < 0.5) >= STEADY_SHARE else None


def pitch_error_cents(
    target: NDArray[np.float32], match: NDArray[np.float32], sample_rate: int
) -> float | None:
    """Median distance of the fundamentals in cents, 0 to 2400; lower is better.

    The median is over the frames in which both sounds are pitched. An octave too high is 1200.

    Returns:
        None where the target has no pitch (noise, ring modulation): then the metric is undefined
        for this sound, whatever the match is. 2400 where only the match has none.
    """
    target_pitch = fundamental(target, sample_rate)
    if not has_pitch(target_pitch):
        return None
    match_pitch = fundamental(match, sample_rate)
    both = np.isfinite(target_pitch) & np.isfinite(match_pitch)
    if not both.any():
        return CAP_CENTS
    cents = 1200.0 * np.abs(np.log2(match_pitch[both] / target_pitch[both]))
    return float(min(np.median(cents), CAP_CENTS))


def _difference(frames: NDArray[np.float64], window: int, lags: int) -> NDArray[np.float64]:
    """Squared difference of each frame's first `window` samples and the same, `lag` later.

    Equations 6 and 7 of the paper: two energies less twice the correlation, which an FFT gives.

    Between samples both are interpolated: the correlation by a longer transform, which is exact
    for what lies below half the sample rate, the energy by straight lines.

    Returns:
        Shape (frames, _FINER * lags + 1), in steps of a fraction of a sample, lag 0 first.
    """
    size = 1 << int(np.ceil(np.log2(frames.shape[1] + window)))
    spectrum = np.fft.rfft(frames, size) * np.conj(np.fft.rfft(frames[:, :window], size))
    correlation = _FINER * np.fft.irfft(spectrum, _FINER * size)[:, : _FINER * lags + 1]
    cumulated = np.pad(np.cumsum(frames**2, axis=1), ((0, 0), (1, 0)))
    lag = np.arange(lags + 1)
    energy = cumulated[:, lag + window] - cumulated[:, lag]
    steps = np.arange(_FINER * lags + 1) / _FINER
    below = np.minimum(steps.astype(int), lags - 1)
    energy = energy[:, below] + (steps - below) * (energy[:, below + 1] - energy[:, below])
    difference: NDArray[np.float64] = np.maximum(energy[:, :1] + energy - 2 * correlation, 0)
    return difference


def _first_dip(curve: NDArray[np.float64], shortest: int, longest: int) -> float | None:
    """Lag of the first deep dip below `PERIODIC`, between steps by a parabola; None without one."""
    deepest = float(curve[shortest : longest + 1].min())
    if deepest >= PERIODIC:
        return None
    enough = min(_DEEP_SHARE * deepest + _DEEP, PERIODIC)
    lag = shortest + int(np.flatnonzero(curve[shortest : longest + 1] <= enough)[0])
    while lag < longest and curve[lag + 1] < curve[lag]:
        lag += 1
    before, here, after = curve[lag - 1 : lag + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return lag + float(np.clip(shift, -1.0, 1.0))
