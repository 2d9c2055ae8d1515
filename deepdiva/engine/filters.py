"""The two Bite filters and the amplifier's drive, all lanes side by side.

Both filters are second-order Sallen-Key cells as in the Korg35 (T. Stinchcombe, "A Study of the
Korg MS10 & MS20 Filters", 2006; W. Pirkle, application notes AN-5 and AN-7, 2013), discretised by
the trapezoidal rule with the feedback loop solved without delay (V. Zavalishin, "The Art of VA
Filter Design", 2018, chapters 3 to 6):

    high-pass   H(s) = s (s + 1) / (s^2 + (2 - k) s + 1)
    low-pass    H(s) = 1 / (s^2 + (2 - k) s + 1)

The trapezoidal rule puts both zeros of the low-pass at Nyquist, where the recordings go on
falling by 12 dB an octave; each one-pole's forward path therefore mixes in `zero` times its step,
which gives it the analogue magnitude at Nyquist and changes nothing at 0 Hz.

What stands between and after the filters saturates as x / sqrt(1 + x^2). The loop of the low-pass
saturates too, so resonance gives way to a loud input; it is solved with the slope at the last
output. Its bias leaves an offset, which a coupling capacitor takes away before the envelope.

A block holds `samples` rows of `lanes` values, 16 or LANES. Lanes are contiguous, so the compiler
turns the inner loop into SIMD across patches and voices. State and coefficients stand in one flat
float32 array, in rows of LANES values. All this is what the compiler needs: no branch in the loop,
a number of lanes that it does not know, and a distance between rows that it does.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from deepdiva.compiled_code import njit
from deepdiva.engine.compiling import FAST, INLINE

LANES: Final = 32
"""Lanes that are filtered side by side at most, a power of two."""

# Rows of the lane array: coefficients, which the controls set ...
HP_WARP: Final = 0
HP_DAMPING: Final = 1
LP_WARP: Final = 2
LP_FEEDBACK: Final = 3
LP_ZERO: Final = 4
AMPLITUDE: Final = 5
FM_DEPTH: Final = 6
COEFFICIENTS: Final = 7
# ... the same number of slopes per sample (moving kernel) or what follows from them (still) ...
HP_SUM: Final = 7
HP_INVERSE: Final = 8
LP_GAIN: Final = 9
# ... the envelope: a rise and a fall, of which the lower one sounds, and where the fall ends ...
RISE: Final = 14
RISE_FACTOR: Final = 15
RISE_STEP: Final = 16
FALL: Final = 17
FALL_FACTOR: Final = 18
FALL_STEP: Final = 19
FALL_BOTTOM: Final = 20
# ... and the state.
HP_1: Final = 21
HP_2: Final = 22
LP_1: Final = 23
LP_2: Final = 24
LP_LOOP: Final = 25
LP_OUT: Final = 26
OFFSET: Final = 27
ROWS: Final = 28

# Entries of the circuit array, float32, the same for all lanes of a call.
HP_CLIP: Final = 0
LOOP_CLIP: Final = 1
LOOP_BIAS: Final = 2
DRIVE_CLIP: Final = 3
COUPLING: Final = 4
CIRCUIT: Final = 5

_1 = np.float32(1.0)
_2 = np.float32(2.0)
_5 = np.float32(5.0)
_EIGHTH = np.float32(0.125)
_LN2, _LN2_2, _LN2_3, _LN2_4, _LN2_5 = (
    np.float32(math.log(2.0) ** power / math.factorial(power)) for power in range(1, 6)
)
_HIGHEST_WARP = np.float32(math.tan(0.45 * math.pi))


@njit(**INLINE)
def slope(x):  # type: ignore[no-untyped-def]
    """Chord of the saturation x / sqrt(1 + x^2), which has slope 1 at 0 and stays below 1."""
    return _1 / np.sqrt(_1 + x * x)


@njit(**INLINE)
def octaves(x):  # type: ignore[no-untyped-def]
    """2^x for x within -5..5, clipped beyond; within 0.01 %, without a call that stops SIMD."""
    y = min(_5, max(-_5, x)) * _EIGHTH
    y = _1 + y * (_LN2 + y * (_LN2_2 + y * (_LN2_3 + y * (_LN2_4 + y * _LN2_5))))
    y *= y
    y *= y
    return y * y


@njit(**INLINE)
def _low_pass(x, gain, feedback, zero, z1, z2, z3, last, by_clip, clip, bias, rest):  # type: ignore[no-untyped-def]
    """One sample of the low-pass: output, and the states z1, z2, z3 and `last` after it."""
    back = _1 - gain
    step = gain * (x - z1)
    first = step + z1
    bent = feedback * slope(last * by_clip + bias)
    y = (gain * (first - back * z3) + back * z2) / (_1 - gain * back * bent)
    driven = y * by_clip + bias
    edge = feedback * (clip * driven * slope(driven) - rest) - z3
    z1 = first + step
    z3 += _2 * gain * edge
    step = gain * (first + zero * step + back * edge - z2)
    y = step + z2
    return y + zero * step, z1, y + step, z3, y


@njit(**FAST)
def filter_block(mix, samples, lane, lanes, circuit):  # type: ignore[no-untyped-def]
    """High-pass, low-pass, drive and envelope, with coefficients that stand still.

    Args:
        mix: (samples * lanes,) float32, what the oscillators gave; overwritten with the output.
        samples: rows to work on.
        lane: (ROWS * LANES,) float32; the rows LP_WARP, HP_DAMPING, AMPLITUDE and FM_DEPTH are
            not read, AMPLITUDE is part of the envelope.
        lanes: values in a row of `mix`, 16 or LANES.
        circuit: (CIRCUIT,) float32.
    """
    hp_clip = circuit[HP_CLIP]
    clip = circuit[LOOP_CLIP]
    bias = circuit[LOOP_BIAS]
    drive = circuit[DRIVE_CLIP]
    coupling = circuit[COUPLING]
    by_hp = _1 / hp_clip
    by_clip = _1 / clip
    by_drive = _1 / drive
    rest = clip * bias * slope(bias)
    for t in range(samples):
        row = t * lanes
        for n in range(lanes):
            warp = lane[HP_WARP * LANES + n]
            s1 = lane[HP_1 * LANES + n]
            s2 = lane[HP_2 * LANES + n]
            high = mix[row + n] - lane[HP_SUM * LANES + n] * s1 - s2
            high *= lane[HP_INVERSE * LANES + n]
            band = warp * high + s1
            lane[HP_1 * LANES + n] = warp * high + band
            low = warp * band + s2
            lane[HP_2 * LANES + n] = warp * band + low
            x = (high + band) * by_hp
            x *= hp_clip * slope(x)

            y, z1, z2, z3, last = _low_pass(
                x,
                lane[LP_GAIN * LANES + n],
                lane[LP_FEEDBACK * LANES + n],
                lane[LP_ZERO * LANES + n],
                lane[LP_1 * LANES + n],
                lane[LP_2 * LANES + n],
                lane[LP_LOOP * LANES + n],
                lane[LP_OUT * LANES + n],
                by_clip,
                clip,
                bias,
                rest,
            )
            lane[LP_1 * LANES + n] = z1
            lane[LP_2 * LANES + n] = z2
            lane[LP_LOOP * LANES + n] = z3
            lane[LP_OUT * LANES + n] = last

            rise = lane[RISE * LANES + n] * lane[RISE_FACTOR * LANES + n]
            rise += lane[RISE_STEP * LANES + n]
            lane[RISE * LANES + n] = rise
            fall = lane[FALL * LANES + n] * lane[FALL_FACTOR * LANES + n]
            fall += lane[FALL_STEP * LANES + n]
            lane[FALL * LANES + n] = fall
            envelope = min(rise, max(fall, lane[FALL_BOTTOM * LANES + n]))
            y *= slope(y * by_drive)
            offset = lane[OFFSET * LANES + n]
            lane[OFFSET * LANES + n] = offset + coupling * (y - offset)
            mix[row + n] = (y - offset) * envelope


@njit(**FAST)
def moving_filter_block(mix, modulator, samples, lane, lanes, circuit):  # type: ignore[no-untyped-def]
    """`filter_block` with coefficients that move, and with filter FM by the first oscillator.

    Every coefficient row grows by its slope row at each sample. The cutoff of the low-pass is
    multiplied by 2^(depth * modulator), depth in octaves.

    Args:
        mix: see `filter_block`.
        modulator: (samples * lanes,) float32, the first oscillator.
        samples: see `filter_block`.
        lane: see `filter_block`; the rows HP_SUM, HP_INVERSE and LP_GAIN hold slopes here.
        lanes: see `filter_block`.
        circuit: see `filter_block`.
    """
    hp_clip = circuit[HP_CLIP]
    clip = circuit[LOOP_CLIP]
    bias = circuit[LOOP_BIAS]
    drive = circuit[DRIVE_CLIP]
    coupling = circuit[COUPLING]
    by_hp = _1 / hp_clip
    by_clip = _1 / clip
    by_drive = _1 / drive
    rest = clip * bias * slope(bias)
    moving = COEFFICIENTS * LANES
    for t in range(samples):
        row = t * lanes
        for m in range(moving):
            lane[m] += lane[moving + m]
        for n in range(lanes):
            warp = lane[HP_WARP * LANES + n]
            damping = lane[HP_DAMPING * LANES + n]
            lp_warp = lane[LP_WARP * LANES + n]
            feedback = lane[LP_FEEDBACK * LANES + n]
            zero = lane[LP_ZERO * LANES + n]
            depth = lane[FM_DEPTH * LANES + n]

            s1 = lane[HP_1 * LANES + n]
            s2 = lane[HP_2 * LANES + n]
            high = mix[row + n] - (damping + warp) * s1 - s2
            high /= _1 + damping * warp + warp * warp
            band = warp * high + s1
            lane[HP_1 * LANES + n] = warp * high + band
            low = warp * band + s2
            lane[HP_2 * LANES + n] = warp * band + low
            x = (high + band) * by_hp
            x *= hp_clip * slope(x)

            lp_warp = min(_HIGHEST_WARP, lp_warp * octaves(depth * modulator[row + n]))
            y, z1, z2, z3, last = _low_pass(
                x,
                lp_warp / (_1 + lp_warp),
                feedback,
                zero,
                lane[LP_1 * LANES + n],
                lane[LP_2 * LANES + n],
                lane[LP_LOOP * LANES + n],
                lane[LP_OUT * LANES + n],
                by_clip,
                clip,
                bias,
                rest,
            )
            lane[LP_1 * LANES + n] = z1
            lane[LP_2 * LANES + n] = z2
            lane[LP_LOOP * LANES + n] = z3
            lane[LP_OUT * LANES + n] = last

            rise = lane[RISE * LANES + n] * lane[RISE_FACTOR * LANES + n]
            rise += lane[RISE_STEP * LANES + n]
            lane[RISE * LANES + n] = rise
            fall = lane[FALL * LANES + n] * lane[FALL_FACTOR * LANES + n]
            fall += lane[FALL_STEP * LANES + n]
            lane[FALL * LANES + n] = fall
            envelope = min(rise, max(fall, lane[FALL_BOTTOM * LANES + n]))
            y *= slope(y * by_drive)
            offset = lane[OFFSET * LANES + n]
            lane[OFFSET * LANES + n] = offset + coupling * (y - offset)
            mix[row + n] = (y - offset) * envelope * lane[AMPLITUDE * LANES + n]
