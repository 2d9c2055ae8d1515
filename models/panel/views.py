"""What the panel network hears of a sound: one vector of fixed length, for any key and length.

| view | shape | what it holds |
|---|---|---|
| `lines` | (2, 432) | spectra of an early and a late stretch, 48 bands an octave, key-aligned |
| `picture` | (64, 48) | mel spectrogram; 32 frames while the key is held, 16 after it |
| `level` | (96,) | loudness in finer steps, 64 while the key is held, 32 after it |
| `modulation` | (3, 40) | rates, 0.7 to 40 Hz, of level, brightness and pitch |
| `scalars` | (16,) | key, velocity, lengths, stereo width, and what the curves are on average |

The time axes are stretched: close together at first, then ever farther apart. Levels are decibels
of a full-scale sine, from the floor (-90 dB is -1) to about 1, of the sound at one root mean
square. What a sound does not have (time after the key, a second channel) is at the floor, or 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.level import REFERENCE_RMS

RATE = 44100
"""Samples per second of all sounds."""

LAYOUT: dict[str, tuple[int, ...]] = {
    "lines": (2, 432),
    "picture": (64, 48),
    "level": (96,),
    "modulation": (3, 40),
    "scalars": (16,),
}
"""Views and their shapes, in the order in which they lie in the vector."""

WIDTH = sum(math.prod(shape) for shape in LAYOUT.values())
"""Length of the vector."""

SHORTEST_SECONDS = 0.1
"""Shorter sounds are heard with silence behind them."""

_FLOOR_DB = -90.0
_LINE_SAMPLES = (16384, 32768)
_BINS_PER_OCTAVE = 48
_LOWEST_OCTAVE = -2.75
_FRAME = 2048
_HELD_FRAMES, _LATE_FRAMES = 32, 16
_HIGHEST_HZ = 18000.0
_BLOCK = 64
_HELD_STEPS, _LATE_STEPS = 64, 32
_HOP = 256
_RATES_HZ = np.geomspace(0.7, 40.0, LAYOUT["modulation"][1])
_CURVE_FFT = 2048

PITCHES = 272
"""Bands of the lines at which a pitch may stand, from the lowest."""

Array = NDArray[np.float32]


def harmonic_shifts(harmonics: int) -> list[int]:
    """How many bands above a pitch each of its partials stands."""
    return [round(_BINS_PER_OCTAVE * math.log2(k)) for k in range(1, harmonics + 1)]


@dataclass(frozen=True)
class Played:
    """How a sound was played.

    Attributes:
        pitch: MIDI key, 0 to 127.
        velocity: 1 to 127.
        held_seconds: from key down to key up; longer than the recording if it ends before.
    """

    pitch: int
    velocity: int
    held_seconds: float


def views(sound: NDArray[np.float32], played: Played) -> Array:
    """What is heard of a sound.

    Args:
        sound: shape (samples,), or (2, samples) of a recording in stereo; 44,100 samples a second.
        played: how.

    Returns:
        Shape (WIDTH,), float32.

    Raises:
        InvalidValueError: another shape.
    """
    if sound.ndim not in (1, 2) or (sound.ndim == 2 and len(sound) != 2) or not sound.shape[-1]:
        raise InvalidValueError(
            f"A sound has the shape (samples,) or (2, samples), not {sound.shape}."
        )
    samples = sound.shape[-1]
    mono = sound if sound.ndim == 1 else (sound[0] + sound[1]) * np.float32(0.5)
    energy = float(np.dot(mono, mono)) / samples
    mono = mono * np.float32(REFERENCE_RMS / max(math.sqrt(energy), 1e-5))
    held = min(samples, max(1, round(played.held_seconds * RATE)))
    shortest = round(SHORTEST_SECONDS * RATE)
    if samples < shortest:
        mono = np.concatenate([mono, np.zeros(shortest - samples, np.float32)])
    length, until = len(mono), min(max(held, shortest), len(mono))
    padded = np.concatenate([mono, np.zeros(_FRAME, np.float32)])
    hertz = 440.0 * 2.0 ** ((played.pitch - 69) / 12)
    modulation, averages = _modulation(mono[:until], hertz)
    scalars = np.zeros(LAYOUT["scalars"], np.float32)
    scalars[:5] = (
        (played.pitch - 60) / 36,
        played.velocity / 127,
        math.log2(until / RATE),
        math.log2(length / RATE),
        float(length - until >= _LATE_STEPS * _BLOCK),
    )
    if sound.ndim == 2:
        scalars[5] = 1.0
        scalars[6:9] = _width(sound)
    scalars[9] = math.log10(max(float(np.abs(mono).max()), 1e-5))
    scalars[10:] = averages
    parts = (
        _lines(mono, until, played.pitch),
        _picture(padded, until, length),
        _level(mono, until),
        modulation,
        scalars,
    )
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def split(vectors: Array) -> dict[str, Array]:
    """Views by name, each of shape (batch, *LAYOUT[name]), of vectors of shape (batch, WIDTH)."""
    found, at = {}, 0
    for name, shape in LAYOUT.items():
        size = math.prod(shape)
        found[name] = vectors[:, at : at + size].reshape(-1, *shape)
        at += size
    return found


def _decibels(power: NDArray[np.floating]) -> Array:
    """Power relative to a full-scale sine -> about [-1, 1]; the floor is exactly -1."""
    level = 10.0 * np.log10(np.maximum(power, 10.0 ** (_FLOOR_DB / 10.0)))
    return np.asarray(level * (-2.0 / _FLOOR_DB) + 1.0, dtype=np.float32)


@lru_cache(maxsize=16)
def _hann(samples: int) -> Array:
    """Periodic Hann window whose sum is 2: a full-scale sine has the power 1 at its line."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(samples) / samples)
    return np.asarray(window * (2.0 / window.sum()), dtype=np.float32)


@lru_cache(maxsize=512)
def _positions(samples: int, count: int, first_step: float) -> NDArray[np.int64]:
    """`count` positions from 0 to `samples`, whose steps grow by a constant factor."""
    steps = count - 1
    if samples <= first_step * steps:
        return np.linspace(0, samples, count).round().astype(np.int64)
    low, high = 1.0, samples / first_step
    for _ in range(60):  # bisection for the factor g with first_step * sum(g^k) = samples
        growth = 0.5 * (low + high)
        total = first_step * (growth**steps - 1.0) / max(growth - 1.0, 1e-12)
        low, high = (growth, high) if total < samples else (low, growth)
    edges = np.concatenate([[0.0], np.cumsum(first_step * low ** np.arange(steps))])
    edges[-1] = samples
    return np.asarray(edges.round().astype(np.int64))


@lru_cache(maxsize=256)
def _line_edges(pitch: int, window: int) -> tuple[NDArray[np.int64], Array, Array]:
    """Of the bands of a long spectrum: bin below, share of the next one, scale."""
    bands = LAYOUT["lines"][1]
    octaves = _LOWEST_OCTAVE + (np.arange(bands + 1) - 0.5) / _BINS_PER_OCTAVE
    hertz = 440.0 * 2.0 ** ((pitch - 69) / 12) * 2.0**octaves
    bins = np.minimum(hertz, 0.45 * RATE) * window / RATE + 0.5  # bin k covers [k, k + 1] here
    below = np.floor(bins).astype(np.int64)
    width = np.diff(bins)
    # A full-scale Hann line holds a power of 1 at its peak and of 1.5 (bins) altogether.
    scale = np.where(width > 0, 1.0 / np.clip(width, 1e-9, 1.5), 0.0)
    return below, (bins - below).astype(np.float32), scale.astype(np.float32)


def _lines(mono: Array, until: int, pitch: int) -> Array:
    lines = np.empty(LAYOUT["lines"], np.float32)
    for row, window in enumerate(_LINE_SAMPLES):
        length = min(window, len(mono))
        start = min(256, len(mono) - length) if row == 0 else max(0, until - length)
        part = mono[start : start + length] * _hann(length)
        spectrum = scipy.fft.rfft(part, window)
        power = spectrum.real**2 + spectrum.imag**2
        total = np.zeros(len(power) + 1)
        np.cumsum(power, out=total[1:])
        below, share, scale = _line_edges(pitch, window)
        summed = total[below] * (1.0 - share) + total[below + 1] * share
        lines[row] = _decibels(np.maximum(np.diff(summed), 0.0) * scale)
    return lines


@lru_cache(maxsize=1)
def _mel_filters() -> Array:
    """Triangular filters of unit peak, equally spaced in mel: shape (bins, bands)."""
    bands = LAYOUT["picture"][0]
    mel = 2595.0 * np.log10(1.0 + np.array([20.0, _HIGHEST_HZ]) / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(mel[0], mel[1], bands + 2) / 2595.0) - 1.0)
    bins = np.arange(_FRAME // 2 + 1) * RATE / _FRAME
    rising = (bins[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - bins[:, None]) / np.diff(edges)[None, 1:]
    filters = np.clip(np.minimum(rising, falling), 0.0, None)
    deaf = np.flatnonzero(filters.max(axis=0) < 0.1)  # narrower than a bin: the nearest one
    filters[np.rint(edges[1:-1][deaf] * _FRAME / RATE).astype(int), deaf] = 1.0
    return np.asarray(filters, dtype=np.float32)


def _picture(padded: Array, until: int, length: int) -> Array:
    picture = np.full(LAYOUT["picture"], -1.0, np.float32)
    starts = _positions(max(until - _FRAME, 0), _HELD_FRAMES, 256.0)
    if length - until >= _LATE_STEPS * _BLOCK:
        late = until + _positions(max(length - until - _FRAME // 2, 0), _LATE_FRAMES, 512.0)
        starts = np.concatenate([starts, late])
    frames = padded[starts[:, None] + np.arange(_FRAME)] * _hann(_FRAME)
    spectrum = scipy.fft.rfft(frames, axis=-1)
    power = spectrum.real**2 + spectrum.imag**2
    picture[:, : len(starts)] = _decibels(power @ _mel_filters()).T
    return picture


def _level(mono: Array, until: int) -> Array:
    level = np.full(LAYOUT["level"], -1.0, np.float32)
    blocks = len(mono) // _BLOCK
    squares = np.square(mono[: blocks * _BLOCK]).reshape(blocks, _BLOCK)
    total = np.concatenate([[0.0], np.cumsum(squares.sum(1), dtype=np.float64)])
    held = min(until // _BLOCK, blocks)

    def steps(edges: NDArray[np.int64]) -> Array:
        # Twice the mean square is the squared amplitude of a sine.
        return _decibels(2.0 * np.diff(total[edges]) / (_BLOCK * np.maximum(np.diff(edges), 1)))

    level[:_HELD_STEPS] = steps(_positions(held, _HELD_STEPS + 1, 1.0))
    if len(mono) - until >= _LATE_STEPS * _BLOCK:
        level[_HELD_STEPS:] = steps(held + _positions(blocks - held, _LATE_STEPS + 1, 1.0))
    return level


def _modulation(mono: Array, hertz: float) -> tuple[Array, Array]:
    """Rates of three curves while the key is held, and six averages of the curves."""
    count = len(mono) // _HOP
    frames = mono[: count * _HOP].reshape(count, _HOP)
    energy = np.einsum("ij,ij->i", frames, frames) + 1e-7
    steps = np.diff(mono[: count * _HOP], prepend=mono[:1]).reshape(count, _HOP)
    bright = 10.0 * np.log10((np.einsum("ij,ij->i", steps, steps) + 1e-9) / energy)
    level = 10.0 * np.log10(energy)
    level = np.maximum(level, level.max() - 60.0)
    # The line of the key, turned to 0 Hz: its phase tells of pitch (phase vocoder).
    within = np.exp(-2j * np.pi * hertz / RATE * np.arange(_HOP)).astype(np.complex64)
    turned = frames @ within
    turned = turned * np.exp(-2j * np.pi * (hertz * _HOP / RATE * np.arange(count) % 1.0))
    smooth = min(max(4, math.ceil(3.0 * RATE / hertz / _HOP)) + 1, count)
    turned = np.convolve(turned, np.hanning(smooth + 2)[1:-1] / smooth, "same")
    loud = np.abs(turned)
    angle = np.angle(turned[1:] * np.conj(turned[:-1]))
    cents = 1200.0 / math.log(2.0) * angle / (2.0 * np.pi * hertz * _HOP / RATE)
    cents = np.where(loud[1:] > 1e-3 * loud.max() + 1e-9, np.clip(cents, -200.0, 200.0), 0.0)
    cents = np.append(cents, cents[-1:]) if len(cents) else np.zeros(count)
    curves = np.stack([level / 20.0, bright / 10.0, cents / 50.0])
    means, spread = curves.mean(axis=1), curves.std(axis=1)
    time = np.linspace(-1.0, 1.0, count)
    slope = (curves @ time) / max(float(time @ time), 1e-9)
    flat = (curves - means[:, None] - slope[:, None] * time) * _hann(count)
    spectrum = np.abs(scipy.fft.rfft(flat, _CURVE_FFT, axis=-1))
    places = _RATES_HZ * _CURVE_FFT * _HOP / RATE
    below = np.floor(places).astype(np.int64)
    share = places - below
    rates = spectrum[:, below] * (1.0 - share) + spectrum[:, below + 1] * share
    averages = np.concatenate([means * [0.5, 0.5, 0.5], spread]).astype(np.float32)
    return np.log1p(20.0 * rates).astype(np.float32) * np.float32(0.5), averages


def _width(sound: Array) -> NDArray[np.float64]:
    """Level of the sides relative to the middle, tens of decibels: of all, early and late."""
    middle, side = sound[0] + sound[1], sound[0] - sound[1]
    half = sound.shape[1] // 2
    parts = (slice(None), slice(0, max(1, half)), slice(half, None))
    ratios = [
        10.0 * math.log10(
            (float(np.dot(side[part], side[part])) + 1e-9)
            / (float(np.dot(middle[part], middle[part])) + 1e-6)
        )
        for part in parts
    ]  # fmt: skip
    return np.asarray(np.maximum(np.array(ratios), -40.0) / 20.0 + 1.0)
