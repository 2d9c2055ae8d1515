"""Rates at which a target moves, as settings that the search tries for LFOs.

An LFO a tenth beside the right rate is out of step before the note ends, and the distance is as far
as without it: a rate, like a pitch, has to be measured. Levels of bands over time tell of tremolo
and of a moving filter, the lines of the spectrum of vibrato. (A modulation spectrum: Sukittanon,
Atlas and Pitton, IEEE Trans. Signal Process. 52, 2004.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.search.start import Start

Array = NDArray[np.float64]

_HOP_SECONDS = 0.008
_BAND_FRAME_SECONDS, _LINE_FRAME_SECONDS = 0.032, 0.096
_BANDS, _BAND_RANGE_HZ = 20, (80.0, 9000.0)
_LINE_RANGE_HZ, _LINE_CENTS, _MOST_CENTS = (150.0, 4500.0), 10.0, 80.0
_RANGE_DB = 50.0
_BEGIN_SECONDS, _SHORTEST_SECONDS = 0.06, 0.4
_TREND: Final = 3
"""Degree of the polynomial that is taken out: what an envelope does."""

_SLOWEST_PERIODS, _FASTEST_HZ = 1.8, 25.0
_LEAST_DB, _LEAST_CENTS, _PROMINENCE = 0.15, 1.0, 3.0
_MOST, _APART, _HARMONIC = 2, 1.1, 0.05
_NEAR, _TRIED = 0.15, 61


def rates_hz(
    sound: NDArray[np.float32], sample_rate: int, held_seconds: float
) -> tuple[float, ...]:
    """Rates of the periodic movements of a held note.

    Beating oscillators move, too.

    Args:
        sound: shape (samples,).
        sample_rate: samples per second.
        held_seconds: for which the key is held.

    Returns:
        Hz, at most four: those of levels, then those of pitch, the strongest first; none where the
        note is shorter than 0.4 s or does not move.
    """
    begin = round(_BEGIN_SECONDS * sample_rate)
    held = sound[begin : round(held_seconds * sample_rate)].astype(np.float64)
    if len(held) < _SHORTEST_SECONDS * sample_rate or not held.any():
        return ()
    found: list[float] = []
    for tracks, least in (
        (_levels(held, sample_rate), _LEAST_DB),
        (_shifts(held, sample_rate), _LEAST_CENTS),
    ):
        for rate in _periods(tracks, least):
            if all(max(rate / other, other / rate) > _APART for other in found):
                found.append(rate)
    return tuple(found)


def with_movements(start: Start, sound: NDArray[np.float32], sample_rate: int, note: Note) -> Start:
    """A start that also knows at which rates the target moves.

    Args:
        start: what is known otherwise.
        sound: the target, shape (samples,).
        sample_rate: samples per second.
        note: what was played.
    """
    return replace(start, rates_hz=rates_hz(sound, sample_rate, note.length_seconds))


def _periods(tracks: Array, least: float) -> list[float]:
    """Rates at which tracks, shape (frames, any), move most together, without multiples."""
    from scipy.signal import find_peaks

    count = len(tracks)
    if count * _HOP_SECONDS < 0.5 * _SHORTEST_SECONDS:
        return []
    trend: Array = np.asarray(
        np.polynomial.legendre.legvander(np.linspace(-1.0, 1.0, count), _TREND), np.float64
    )
    moving = tracks - trend @ np.linalg.lstsq(trend, tracks, rcond=None)[0]
    window = np.hanning(count + 2)[1:-1]
    size = 4 * 2 ** int(np.ceil(np.log2(count)))
    spectra = np.abs(np.fft.rfft(moving * window[:, None], size, axis=0)) * (2.0 / window.sum())
    strength = np.sqrt(np.square(spectra).mean(axis=1))
    rates = np.arange(len(strength)) / (size * _HOP_SECONDS)
    heard = (rates > _SLOWEST_PERIODS / (count * _HOP_SECONDS)) & (rates < _FASTEST_HZ)
    if not heard.any():
        return []
    limit = max(least, _PROMINENCE * float(np.median(strength[heard])))
    peaks, _ = find_peaks(strength)
    found: list[float] = []
    for k in sorted(
        (k for k in peaks if heard[k] and strength[k] > limit), key=lambda k: -strength[k]
    ):
        rate = _nearer(tracks, trend, float(rates[k]))
        times = [rate / other for other in found]
        if all(abs(t - round(t)) > _HARMONIC * t or t < 1.0 / _APART for t in times):
            found.append(rate)
    return found[:_MOST]


def _nearer(tracks: Array, trend: Array, rate: float) -> float:
    """The rate near another whose sine explains most of the tracks beside their trend.

    The trend takes its part of a slow movement, which bends the peak of the spectrum.
    """
    times = _HOP_SECONDS * np.arange(len(tracks))
    around = rate * np.linspace(1.0 - _NEAR, 1.0 + _NEAR, _TRIED)
    explained = []
    for one in around:
        angle = 2.0 * np.pi * one * times
        basis = np.linalg.qr(np.column_stack((trend, np.cos(angle), np.sin(angle))))[0]
        explained.append(float(np.square(basis.T @ tracks).sum()))
    return float(around[int(np.argmax(explained))])


def _spectra(held: Array, sample_rate: int, seconds: float) -> tuple[Array, int]:
    """Power of frames, shape (frames, bins), and the length of a frame in samples."""
    hop, frame = round(_HOP_SECONDS * sample_rate), round(seconds * sample_rate)
    frames = np.lib.stride_tricks.sliding_window_view(held, frame)[::hop] * np.hanning(frame)
    return np.square(np.abs(np.fft.rfft(frames, axis=1))), frame


def _decibels(power: Array) -> Array:
    floor = 10.0 ** (-_RANGE_DB / 10.0) * float(power.max()) + 1e-20
    return np.asarray(10.0 * np.log10(power + floor))


def _levels(held: Array, sample_rate: int) -> Array:
    """Levels of bands in dB, shape (frames, bands)."""
    power, frame = _spectra(held, sample_rate, _BAND_FRAME_SECONDS)
    low, high = _BAND_RANGE_HZ
    edges = np.geomspace(low, min(high, 0.45 * sample_rate), _BANDS + 1)
    places = np.unique(np.round(edges * frame / sample_rate).astype(int))
    return _decibels(np.add.reduceat(power[:, : places[-1]], places[:-1], axis=1))


def _shifts(held: Array, sample_rate: int) -> Array:
    """How far the lines of each frame lie above their mean place, in cents, shape (frames, 1)."""
    power, frame = _spectra(held, sample_rate, _LINE_FRAME_SECONDS)
    low, high = _LINE_RANGE_HZ
    cents = np.arange(0.0, 1200.0 * np.log2(high / low), _LINE_CENTS)
    places = low * 2.0 ** (cents / 1200.0) * frame / sample_rate
    before = np.minimum(places.astype(int), power.shape[1] - 2)
    part = np.clip(places - before, 0.0, 1.0)
    levels = _decibels(power)
    lines = levels[:, before] * (1.0 - part) + levels[:, before + 1] * part
    lines -= lines.mean(axis=1, keepdims=True)
    usual = lines.mean(axis=0)
    reach = round(_MOST_CENTS / _LINE_CENTS)
    inner = lines[:, reach:-reach]
    products = np.stack(
        [inner @ usual[k : k + inner.shape[1]] for k in range(2 * reach + 1)], axis=1
    )
    best = np.clip(products.argmax(axis=1), 1, 2 * reach - 1)
    rows = np.arange(len(lines))
    left, mid, right = (products[rows, best + k] for k in (-1, 0, 1))
    bend = left - 2.0 * mid + right
    offset = np.where(bend < 0.0, 0.5 * (left - right) / np.where(bend < 0.0, bend, 1.0), 0.0)
    return np.asarray((reach - best - np.clip(offset, -1.0, 1.0)) * _LINE_CENTS)[:, None]
