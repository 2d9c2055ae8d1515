"""Pictures of sounds for calibration: levels in bands over time, absolute, in dB.

Unlike `known_sounds`, nothing is taken out: the level of a probe tells gains, and its onset tells
attacks. A picture is a vector whose squares sum to the mean square of each of its views, so that
every probe weighs the same whatever its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Sounds = NDArray[np.float32]

WINDOW: Final = 2048
HOP: Final = 1024
BANDS: Final = 36
LOWEST_HZ: Final = 30.0
HIGHEST_HZ: Final = 16000.0
FLOOR: Final = 1e-7
"""Of the power in the loudest cell of the wanted sound: what lies 70 dB below counts no more."""

_SHORT: Final = 256
_SHORT_BANDS: Final = (0.0, 700.0, 3500.0, 22050.0)
_SHORT_WEIGHT: Final = 0.5
_PITCH_WINDOW: Final = 4096
_CENT: Final = 1.0
"""What a cent of pitch weighs against a decibel."""
_MOST_CENTS: Final = 600.0
_MOVEMENT_BANDS: Final = 12
_MOVEMENT_EDGES: Final = (0.0, 0.3, 0.6, 1.0, 1.5, 2.2, 3.2, 4.6, 6.6, 9.5, 14.0, 22.0)


@dataclass(frozen=True)
class Kind:
    """Which views make a picture.

    Attributes:
        rate: samples per second.
        key_hz: of the note.
        noisy: only the mean over time counts.
        pitched: what counts is the pitch against the key's, and not levels, whose beats it moves.
        moving: what counts is how much and how fast levels move, and not when.
    """

    rate: int
    key_hz: float
    noisy: bool = False
    pitched: bool = False
    moving: bool = False


@dataclass(frozen=True, eq=False)
class Views:
    """What is seen of some sounds, before it is compared.

    Attributes:
        bands: (sounds, frames, 36) power.
        short: (sounds, frames, 3) power, frames of 6 ms.
        cents: (sounds, frames), the fundamental against the key; empty where it does not count.
    """

    bands: Array
    short: Array
    cents: Array


def see(sounds: Sounds, kind: Kind) -> Views:
    """Look at sounds, (sounds, samples).

    Args:
        sounds: of one length.
        kind: what is looked at.
    """
    bands = _powers(sounds, WINDOW, HOP, _band_matrix(kind.rate))
    empty = np.zeros((len(sounds), 0))
    if kind.noisy or kind.moving:
        return Views(bands, np.zeros((len(sounds), 0, 3)), empty)
    short = _powers(sounds, _SHORT, _SHORT, _short_matrix(kind.rate))
    return Views(bands, short, _cents(sounds, kind) if kind.pitched else empty)


class Wanted:
    """What one sound looks like, and how far others are from it.

    Args:
        sound: (samples,) float32.
        kind: which views count.
    """

    def __init__(self, sound: Sounds, kind: Kind) -> None:
        self.kind = kind
        views = see(sound[None], kind)
        self._floor = FLOOR * max(float(views.bands.max()), 1e-12)
        self._short_floor = FLOOR * max(float(views.short.max(initial=0.0)), 1e-12)
        self._views = self._levels(views)

    def _levels(self, views: Views) -> list[tuple[float, Array]]:
        """(weight, (sounds, any)) of each view."""
        count = len(views.bands)
        if self.kind.noisy:
            return [(1.0, _decibels(views.bands.mean(axis=1), self._floor))]
        if self.kind.moving:
            return [
                (1.0, _decibels(views.bands.mean(axis=1), self._floor)),
                (1.0, _movement(views.bands, self._floor, self.kind.rate)),
            ]
        if self.kind.pitched:
            return [(_CENT, views.cents)]
        return [
            (1.0, _decibels(views.bands, self._floor).reshape(count, -1)),
            (_SHORT_WEIGHT, _decibels(views.short, self._short_floor).reshape(count, -1)),
        ]

    def differences(self, views: Views) -> Array:
        """(sounds, numbers): weighted differences whose squares sum to the views' mean squares."""
        parts = []
        for (weight, wanted), (_, got) in zip(self._views, self._levels(views), strict=True):
            parts.append(weight * (got - wanted) / np.sqrt(wanted.shape[1]))
        return np.concatenate(parts, axis=1)

    def distances(self, differences: Array) -> Array:
        """(sounds,): mean absolute difference over the views, dB."""
        total, weights, start = np.zeros(len(differences)), 0.0, 0
        for weight, wanted in self._views:
            size = wanted.shape[1]
            part = np.abs(differences[:, start : start + size]).sum(axis=1) / np.sqrt(size)
            total += part
            weights += weight
            start += size
        return total / weights


def _decibels(power: Array, floor: float) -> Array:
    return np.asarray(10.0 * np.log10(power + floor))


def _powers(sounds: Sounds, window: int, hop: int, matrix: Sounds) -> Array:
    """(sounds, frames, bands): power in bands."""
    from scipy.fft import rfft

    padded = np.pad(sounds, ((0, 0), (0, max(0, window - sounds.shape[1]))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, ::hop]
    spectrum: Any = rfft(frames * _window(window), axis=2)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(power @ matrix, np.float64)


def _cents(sounds: Sounds, kind: Kind) -> Array:
    """(sounds, frames): pitch of the fundamental against the key's, cents, from its phase."""
    time = np.arange(sounds.shape[1]) / kind.rate
    turned = sounds * np.exp(-2j * np.pi * kind.key_hz * time)
    frames = np.lib.stride_tricks.sliding_window_view(turned, _PITCH_WINDOW, axis=1)[:, ::HOP]
    phasors = frames @ _window(_PITCH_WINDOW).astype(np.float64)
    steps = np.angle(phasors[:, 1:] * np.conj(phasors[:, :-1]))
    hertz = steps / (2.0 * np.pi) * kind.rate / HOP
    strong = np.abs(phasors[:, 1:]) > 0.05 * np.abs(phasors).max(axis=1, keepdims=True)
    cents = 1200.0 * np.log2(np.maximum(0.5, 1.0 + hertz / kind.key_hz))
    return np.where(strong, np.clip(cents, -_MOST_CENTS, _MOST_CENTS), 0.0)


def _movement(bands: Array, floor: float, rate: int) -> Array:
    """(sounds, any): how much levels move at each rate, dB, whatever the phase."""
    count, frames, _ = bands.shape
    wide = bands.reshape(count, frames, _MOVEMENT_BANDS, -1).sum(axis=3)
    levels = _decibels(wide, floor)
    inner = levels[:, 1:-1] if frames > 4 else levels
    inner = inner - inner.mean(axis=1, keepdims=True)
    length = inner.shape[1]
    spectrum = np.abs(np.fft.rfft(inner * np.hanning(length)[None, :, None], 4 * length, axis=1))
    hertz = np.fft.rfftfreq(4 * length, HOP / rate)
    power = spectrum**2 / length
    groups = [
        power[:, (hertz >= low) & (hertz < high)].sum(axis=1)
        for low, high in pairwise(_MOVEMENT_EDGES)
    ]
    return np.asarray(np.sqrt(np.stack(groups, axis=1)).reshape(count, -1), np.float64)


@lru_cache(maxsize=8)
def _window(size: int) -> Sounds:
    window = np.hanning(size + 1)[:-1]
    return np.asarray(window / np.sqrt(np.sum(window**2)), np.float32)


@lru_cache(maxsize=4)
def _band_matrix(rate: int) -> Sounds:
    """(bins, 36)."""
    hertz = np.fft.rfftfreq(WINDOW, 1.0 / rate)
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
    # A band narrower than a bin takes what is nearest, so that none is empty.
    places = np.clip(np.searchsorted(hertz, edges), 1, len(hertz) - 1)
    matrix = np.zeros((len(hertz), BANDS), np.float32)
    for band in range(BANDS):
        matrix[places[band] : max(places[band + 1], places[band] + 1), band] = 1.0
    return matrix


@lru_cache(maxsize=4)
def _short_matrix(rate: int) -> Sounds:
    hertz = np.fft.rfftfreq(_SHORT, 1.0 / rate)
    edges = _SHORT_BANDS
    columns = [(hertz >= low) & (hertz < high) for low, high in pairwise(edges)]
    return np.asarray(np.stack(columns, axis=1), np.float32)
