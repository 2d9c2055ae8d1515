"""The two Bite filters and the amplifier's drive, all lanes side by side.

Both filters are second-order Sallen-Key cells as in the Korg35 (T. Stinchcombe, "A Study of the
Korg MS10 & MS20 Filters", 2006; W. Pirkle, application notes AN-5 and AN-7, 2013), discretised by
the trapezoidal rule with the feedback loop solved without delay (V. Zavalishin, "The Art of VA
Filter Design", 2018, chapters 3 to 6):

    high-pass   H(s) = s (s + 1) / (s^2 + (2 - k) s + 1)
    low-pass    H(s) = 1 / (s^2 + (2 - k) s + 1)

What is between and after them saturates. The loop of the low-pass saturates too, so resonance
gives way to a loud input; the saturation is solved with its chord slope at the last output.

A block holds `samples` rows of `lanes` values. Lanes are contiguous, so the compiler turns the
inner loop into SIMD across patches and voices; it holds no branch, and `lanes` is a multiple of
16. State and coefficients stand in one flat float32 array, one row of `lanes` values each.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from deepdiva.engine.oscillators import FAST, INLINE

# Rows of the lane array. Those of the first group are coefficients that the controls set.
HP_WARP: Final = 0
HP_DAMPING: Final = 1
LP_GAIN: Final = 2
LP_FEEDBACK: Final = 3
AMPLITUDE: Final = 4
FM_DEPTH: Final = 5
COEFFICIENTS: Final = 6
"""How many coefficients there are; each has a slope per sample this many rows further on."""
ENVELOPE_FACTOR: Final = 12
ENVELOPE_STEP: Final = 13
ENVELOPE_TOP: Final = 14
ENVELOPE_BOTTOM: Final = 15
ENVELOPE: Final = 16
HP_1: Final = 17
HP_2: Final = 18
LP_1: Final = 19
LP_2: Final = 20
LP_LOOP: Final = 21
LP_OUT: Final = 22
ROWS: Final = 23

# Entries of the circuit array: one float32 each, the same for all lanes of a call.
MIX_CLIP: Final = 0
MIX_BIAS: Final = 1
HP_CLIP: Final = 2
HP_BIAS: Final = 3
LOOP_CLIP: Final = 4
LOOP_BIAS: Final = 5
DRIVE_CLIP: Final = 6
DRIVE_BIAS: Final = 7
CIRCUIT: Final = 8

_0 = np.float32(0.0)
_1 = np.float32(1.0)
_2 = np.float32(2.0)
_3 = np.float32(3.0)
_6 = np.float32(6.0)
_9 = np.float32(9.0)
_15 = np.float32(15.0)
_27 = np.float32(27.0)
_HIGHEST_WARP = np.float32(6.0)


@njit(**INLINE)
def clip_gain(x):  # type: ignore[no-untyped-def]
    """Chord slope of the saturation, `saturate(x) / x`; 1 at 0, Pade form of tanh(x) / x."""
    x = min(_3, max(-_3, x))
    square = x * x
    return (_27 + square) / (_27 + _9 * square)


@njit(**INLINE)
def saturate(x):  # type: ignore[no-untyped-def]
    """tanh to within 0.024, exactly 1 from 3 on."""
    x = min(_3, max(-_3, x))
    square = x * x
    return x * (_27 + square) / (_27 + _9 * square)


@njit(**FAST)
def filter_block(mix, samples, lane, lanes, circuit):  # type: ignore[no-untyped-def]
    """High-pass, low-pass, amplifier and envelope, with coefficients that stand still.

    Args:
        mix: (samples * lanes,) float32, what the oscillators gave; overwritten with the output.
        samples: rows to work on.
        lane: (ROWS * lanes,) float32, coefficients and state.
        lanes: lanes per row.
        circuit: (CIRCUIT,) float32.
    """
    mix_clip = circuit[MIX_CLIP]
    mix_bias = circuit[MIX_BIAS]
    hp_clip = circuit[HP_CLIP]
    hp_bias = circuit[HP_BIAS]
    loop_clip = circuit[LOOP_CLIP]
    loop_bias = circuit[LOOP_BIAS]
    drive_clip = circuit[DRIVE_CLIP]
    drive_bias = circuit[DRIVE_BIAS]
    by_mix = _1 / mix_clip
    by_hp = _1 / hp_clip
    by_loop = _1 / loop_clip
    by_drive = _1 / drive_clip
    mix_rest = saturate(mix_bias)
    hp_rest = saturate(hp_bias)
    loop_rest = saturate(loop_bias)
    drive_rest = saturate(drive_bias)
    for t in range(samples):
        row = t * lanes
        for n in range(lanes):
            x = mix_clip * (saturate(mix[row + n] * by_mix + mix_bias) - mix_rest)

            warp = lane[HP_WARP * lanes + n]
            damping = lane[HP_DAMPING * lanes + n]
            s1 = lane[HP_1 * lanes + n]
            s2 = lane[HP_2 * lanes + n]
            high = (x - (damping + warp) * s1 - s2) / (_1 + damping * warp + warp * warp)
            band = warp * high + s1
            s1 = warp * high + band
            low = warp * band + s2
            lane[HP_1 * lanes + n] = s1
            lane[HP_2 * lanes + n] = warp * band + low
            x = hp_clip * (saturate((high + band) * by_hp + hp_bias) - hp_rest)

            gain = lane[LP_GAIN * lanes + n]
            feedback = lane[LP_FEEDBACK * lanes + n]
            rest = _1 - gain
            z1 = lane[LP_1 * lanes + n]
            z2 = lane[LP_2 * lanes + n]
            z3 = lane[LP_LOOP * lanes + n]
            last = lane[LP_OUT * lanes + n]
            step = gain * (x - z1)
            first = step + z1
            lane[LP_1 * lanes + n] = first + step
            slope = feedback * clip_gain(last * by_loop + loop_bias)
            y = (gain * (first - rest * z3) + rest * z2) / (_1 - gain * rest * slope)
            loop = feedback * loop_clip * (saturate(y * by_loop + loop_bias) - loop_rest)
            edge = loop - z3
            lane[LP_LOOP * lanes + n] = z3 + _2 * gain * edge
            step = gain * (first + rest * edge - z2)
            y = step + z2
            lane[LP_2 * lanes + n] = y + step
            lane[LP_OUT * lanes + n] = y

            envelope = lane[ENVELOPE * lanes + n]
            envelope = envelope * lane[ENVELOPE_FACTOR * lanes + n] + lane[ENVELOPE_STEP * lanes + n]
            envelope = min(lane[ENVELOPE_TOP * lanes + n], envelope)
            envelope = max(lane[ENVELOPE_BOTTOM * lanes + n], envelope)
            lane[ENVELOPE * lanes + n] = envelope
            driven = drive_clip * (saturate(y * by_drive + drive_bias) - drive_rest)
            mix[row + n] = driven * envelope * lane[AMPLITUDE * lanes + n]


@njit(**FAST)
def moving_filter_block(mix, modulator, samples, lane, lanes, circuit):  # type: ignore[no-untyped-def]
    """`filter_block` with coefficients that move, and with filter FM by the first oscillator.

    Every coefficient row grows by its slope row at each sample. The cutoff of the low-pass is
    multiplied by 2^(depth * modulator), depth in octaves.

    Args:
        modulator: (samples * lanes,) float32, the first oscillator.
    """
    mix_clip = circuit[MIX_CLIP]
    mix_bias = circuit[MIX_BIAS]
    hp_clip = circuit[HP_CLIP]
    hp_bias = circuit[HP_BIAS]
    loop_clip = circuit[LOOP_CLIP]
    loop_bias = circuit[LOOP_BIAS]
    drive_clip = circuit[DRIVE_CLIP]
    drive_bias = circuit[DRIVE_BIAS]
    by_mix = _1 / mix_clip
    by_hp = _1 / hp_clip
    by_loop = _1 / loop_clip
    by_drive = _1 / drive_clip
    mix_rest = saturate(mix_bias)
    hp_rest = saturate(hp_bias)
    loop_rest = saturate(loop_bias)
    drive_rest = saturate(drive_bias)
    for t in range(samples):
        row = t * lanes
        for n in range(lanes):
            warp = lane[HP_WARP * lanes + n] + lane[(HP_WARP + COEFFICIENTS) * lanes + n]
            damping = lane[HP_DAMPING * lanes + n] + lane[(HP_DAMPING + COEFFICIENTS) * lanes + n]
            lp_warp = lane[LP_GAIN * lanes + n] + lane[(LP_GAIN + COEFFICIENTS) * lanes + n]
            feedback = lane[LP_FEEDBACK * lanes + n] + lane[(LP_FEEDBACK + COEFFICIENTS) * lanes + n]
            amplitude = lane[AMPLITUDE * lanes + n] + lane[(AMPLITUDE + COEFFICIENTS) * lanes + n]
            depth = lane[FM_DEPTH * lanes + n] + lane[(FM_DEPTH + COEFFICIENTS) * lanes + n]
            lane[HP_WARP * lanes + n] = warp
            lane[HP_DAMPING * lanes + n] = damping
            lane[LP_GAIN * lanes + n] = lp_warp
            lane[LP_FEEDBACK * lanes + n] = feedback
            lane[AMPLITUDE * lanes + n] = amplitude
            lane[FM_DEPTH * lanes + n] = depth

            x = mix_clip * (saturate(mix[row + n] * by_mix + mix_bias) - mix_rest)

            s1 = lane[HP_1 * lanes + n]
            s2 = lane[HP_2 * lanes + n]
            high = (x - (damping + warp) * s1 - s2) / (_1 + damping * warp + warp * warp)
            band = warp * high + s1
            s1 = warp * high + band
            low = warp * band + s2
            lane[HP_1 * lanes + n] = s1
            lane[HP_2 * lanes + n] = warp * band + low
            x = hp_clip * (saturate((high + band) * by_hp + hp_bias) - hp_rest)

            lp_warp = min(_HIGHEST_WARP, lp_warp * np.exp2(depth * modulator[row + n]))
            gain = lp_warp / (_1 + lp_warp)
            rest = _1 - gain
            z1 = lane[LP_1 * lanes + n]
            z2 = lane[LP_2 * lanes + n]
            z3 = lane[LP_LOOP * lanes + n]
            last = lane[LP_OUT * lanes + n]
            step = gain * (x - z1)
            first = step + z1
            lane[LP_1 * lanes + n] = first + step
            slope = feedback * clip_gain(last * by_loop + loop_bias)
            y = (gain * (first - rest * z3) + rest * z2) / (_1 - gain * rest * slope)
            loop = feedback * loop_clip * (saturate(y * by_loop + loop_bias) - loop_rest)
            edge = loop - z3
            lane[LP_LOOP * lanes + n] = z3 + _2 * gain * edge
            step = gain * (first + rest * edge - z2)
            y = step + z2
            lane[LP_2 * lanes + n] = y + step
            lane[LP_OUT * lanes + n] = y

            envelope = lane[ENVELOPE * lanes + n]
            envelope = envelope * lane[ENVELOPE_FACTOR * lanes + n] + lane[ENVELOPE_STEP * lanes + n]
            envelope = min(lane[ENVELOPE_TOP * lanes + n], envelope)
            envelope = max(lane[ENVELOPE_BOTTOM * lanes + n], envelope)
            lane[ENVELOPE * lanes + n] = envelope
            driven = drive_clip * (saturate(y * by_drive + drive_bias) - drive_rest)
            mix[row + n] = driven * envelope * amplitude
