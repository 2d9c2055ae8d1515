"""The waves of the two oscillators, one lane at a time, vectorised along time.

A lane is one voice of one patch. Within a block the phase of an oscillator is known in closed
form (its frequency moves linearly), so every sample of a block can be computed at once, and only
the selected wave is.

Steps and kinks are band-limited by cubic B-splines (Valimaki, Pekonen, Nam: "Perceptually informed
synthesis of bandlimited classical waveforms using integrated polynomial interpolation", JASA 131,
2012). The droop of the spline, sinc(f/fs)^4, is undone by the inverse of the sampled spline,
(2 + cos w)/3, as a short symmetric filter: together they are the cardinal spline, flat within 1 dB
to 16 kHz at 44.1 kHz.

Conventions: phases in cycles, increments in cycles per sample, waves within about -1..1.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.compiled_code import njit
from deepdiva.engine.compiling import FAST, INLINE

SHARPENING_REACH: Final = 4
"""Samples on either side that the inverse of the sampled spline takes in."""

HISTORY: Final = 2 * SHARPENING_REACH
"""Samples of the last block that sharpening needs in front of the next."""

# Columns of an oscillator's motion through a block.
(
    PHASE,  # at the first sample, cycles, 0..1
    INCREMENT,  # at the first sample, cycles per sample, above 0 and below 0.5
    GROWTH,  # of the increment per sample
    GAIN,  # at the first sample
    RISE,  # of the gain per sample
    WIDTH,  # share of the cycle in which a pulse is high, 0..1
    MOTION,
) = range(7)

_NOISE_SAMPLES = 1 << 18
_NOISE_SEED = 20211

_POLE = math.sqrt(3.0) - 2.0
_TAPS = np.array([math.sqrt(3.0) * _POLE ** abs(k) for k in range(SHARPENING_REACH + 1)])
_TAPS /= _TAPS[0] + 2.0 * _TAPS[1:].sum()
_T0, _T1, _T2, _T3, _T4 = (np.float32(tap) for tap in _TAPS)

_0 = np.float32(0.0)
_HALF = np.float32(0.5)
_1 = np.float32(1.0)
_2 = np.float32(2.0)
_4 = np.float32(4.0)
_8 = np.float32(8.0)
_STEP = np.float32(1.0 / 12.0)
_KINK = np.float32(1.0 / 120.0)


@njit(**INLINE)
def _step(distance):  # type: ignore[no-untyped-def]
    """A band-limited step from -1 to 1, `distance` samples after it; done two samples away."""
    away = abs(distance)
    outer = max(_0, _2 - away)
    inner = max(_0, _1 - away)
    outer *= outer
    inner *= inner
    reached = _1 - (outer * outer - _4 * inner * inner) * _STEP
    return reached if distance >= _0 else -reached


@njit(**INLINE)
def _kink(distance):  # type: ignore[no-untyped-def]
    """Residual of a slope that grows by one per sample; even, zero from 2 samples on."""
    away = abs(distance)
    outer = max(_0, _2 - away)
    inner = max(_0, _1 - away)
    o2 = outer * outer
    i2 = inner * inner
    return (o2 * o2 * outer - _4 * i2 * i2 * inner) * _KINK


@njit(**INLINE)
def _from_nearest(cycles):  # type: ignore[no-untyped-def]
    """Distance from the nearest whole number, -0.5..0.5."""
    return cycles - np.floor(cycles + _HALF)


@njit(**FAST)
def fill_saw(wave, count, motion, n, k, kept):  # type: ignore[no-untyped-def]
    """Write a falling saw, 1 at phase 0 and -1 before it wraps.

    Args:
        wave: (at least HISTORY + count,) float32, written behind the history.
        count: samples to write.
        motion: (lanes, oscillators, MOTION) float64.
        n: lane.
        k: oscillator.
        kept: of what `wave` holds already; 0 overwrites it.
    """
    phase, increment = np.float32(motion[n, k, PHASE]), np.float32(motion[n, k, INCREMENT])
    bend = np.float32(0.5 * motion[n, k, GROWTH])
    gain, rise = np.float32(motion[n, k, GAIN]), np.float32(motion[n, k, RISE])
    keep = np.float32(kept)
    inverse = _1 / (increment + bend * np.float32(count))
    for i in range(count):
        t = np.float32(np.int32(i))
        edge = _from_nearest(phase + t * (increment + t * bend))
        value = _step(edge * inverse) - _2 * edge
        wave[HISTORY + i] = (gain + t * rise) * value + keep * wave[HISTORY + i]


@njit(**FAST)
def fill_pulse(wave, count, motion, n, k, kept):  # type: ignore[no-untyped-def]
    """Write a pulse, 1 while the phase is below its width and -1 after; see `fill_saw`.

    Seen from the middle of its high part a pulse is even, so one step serves both edges; only where
    they lie within four samples of each other, all must be added up.
    """
    phase, increment = np.float32(motion[n, k, PHASE]), np.float32(motion[n, k, INCREMENT])
    bend = np.float32(0.5 * motion[n, k, GROWTH])
    gain, rise = np.float32(motion[n, k, GAIN]), np.float32(motion[n, k, RISE])
    width = np.float32(motion[n, k, WIDTH])
    keep = np.float32(kept)
    inverse = _1 / (increment + bend * np.float32(count))
    high = _HALF * width
    low = _HALF - high
    middle = phase - high
    if min(width, _1 - width) * inverse > _4:
        for i in range(count):
            t = np.float32(np.int32(i))
            away = abs(_from_nearest(middle + t * (increment + t * bend)))
            value = _step((high - away) * inverse)
            wave[HISTORY + i] = (gain + t * rise) * value + keep * wave[HISTORY + i]
    else:
        for i in range(count):
            t = np.float32(np.int32(i))
            away = abs(_from_nearest(middle + t * (increment + t * bend)))
            value = _step((high - away) * inverse) + _step((high + away) * inverse)
            value -= _step((low + (_HALF - away)) * inverse)
            wave[HISTORY + i] = (gain + t * rise) * value + keep * wave[HISTORY + i]


@njit(**FAST)
def fill_triangle(wave, count, motion, n, k, kept):  # type: ignore[no-untyped-def]
    """Write a triangle, 1 at phase 0 and -1 at phase 0.5; see `fill_saw`."""
    phase, increment = np.float32(motion[n, k, PHASE]), np.float32(motion[n, k, INCREMENT])
    bend = np.float32(0.5 * motion[n, k, GROWTH])
    gain, rise = np.float32(motion[n, k, GAIN]), np.float32(motion[n, k, RISE])
    keep = np.float32(kept)
    step = increment + bend * np.float32(count)
    inverse = _1 / step
    turn = _8 * step
    for i in range(count):
        t = np.float32(np.int32(i))
        away = abs(_from_nearest(phase + t * (increment + t * bend)))
        kinks = _kink((_HALF - away) * inverse) - _kink(away * inverse)
        value = _1 - _4 * away + turn * kinks
        wave[HISTORY + i] = (gain + t * rise) * value + keep * wave[HISTORY + i]


@njit(**FAST)
def multiply(wave, count, one, other, kept):  # type: ignore[no-untyped-def]
    """Ring modulation: write the product of two pulses, which is a pulse, and band-limited so.

    Args:
        wave: (at least HISTORY + count,) float32, written behind the history.
        count: samples to write.
        one: as `wave`, one factor.
        other: as `wave`, the other factor.
        kept: see `fill_saw`.
    """
    keep = np.float32(kept)
    for i in range(count):
        product = one[HISTORY + i] * other[HISTORY + i]
        wave[HISTORY + i] = product + keep * wave[HISTORY + i]


@njit(**FAST)
def sharpen(wave, count, history, n, which, flat):  # type: ignore[no-untyped-def]
    """Undo the spline's droop in a block, SHARPENING_REACH samples late, into lane n of flat.

    Args:
        wave: (at least HISTORY + count,) float32; its first HISTORY samples are overwritten.
        count: samples to write.
        history: (lanes, waves, HISTORY) float32, the end of the last block; overwritten with that
            of this one.
        n: lane.
        which: wave.
        flat: (lanes, at least count) float32.
    """
    for i in range(HISTORY):
        wave[i] = history[n, which, i]
    for i in range(count):
        flat[n, i] = (
            _T0 * wave[i + 4]
            + _T1 * (wave[i + 3] + wave[i + 5])
            + _T2 * (wave[i + 2] + wave[i + 6])
            + _T3 * (wave[i + 1] + wave[i + 7])
            + _T4 * (wave[i] + wave[i + 8])
        )
    for i in range(HISTORY):
        history[n, which, i] = wave[count + i]


@njit(**FAST)
def add_noise(noise, at, colour, count, motion, n, grain, flat, alone):  # type: ignore[no-untyped-def]
    """Add noise, whose spectrum a first-order filter tilts, to lane n of flat.

    Args:
        noise: (more than at + count,) float32, white.
        at: where to begin.
        colour: 0 leaves it white; above 0 it is brighter.
        count: samples to write.
        motion: see `fill_saw`; the noise has the gain of the first oscillator.
        n: lane.
        grain: (lanes,) float32, the last white sample of the block before; overwritten.
        flat: (lanes, at least count) float32.
        alone: (at least count,) float32, overwritten with the noise at gain 1.
    """
    tilt = np.float32(colour)
    gain, rise = np.float32(motion[n, 0, GAIN]), np.float32(motion[n, 0, RISE])
    white = noise[at : at + count]
    alone[0] = white[0] - tilt * grain[n]
    for i in range(1, count):
        alone[i] = white[i] - tilt * white[i - 1]
    grain[n] = white[count - 1]
    for i in range(count):
        flat[n, i] += (gain + np.float32(np.int32(i)) * rise) * alone[i]


@lru_cache(maxsize=1)
def noise_table() -> NDArray[np.float32]:
    """The noise that all voices read, each from a place of its own: white, Gaussian, unit power."""
    noise = np.random.default_rng(_NOISE_SEED).standard_normal(_NOISE_SAMPLES)
    table = noise.astype(np.float32)
    table.setflags(write=False)
    return table
