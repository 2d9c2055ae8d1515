"""The voice: oscillators, filters, amplifier, in the order in which the signal flows.

Time runs in blocks of `BLOCK` samples. Controls (drift, envelopes, LFOs, modulation) are worked
out once a block and ramp through it; oscillators fill the block lane by lane; filters take it
sample by sample, all lanes side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numba import njit

from deepdiva.engine import filters as f
from deepdiva.engine import voices as v
from deepdiva.engine.modulation import modulate
from deepdiva.engine.oscillators import (
    FAST,
    SHARPENING_REACH,
    add_pulse,
    add_saw,
    add_triangle,
    sharpen,
)

BLOCK: Final = 64
"""Samples between two looks at the controls, times the oversampling."""

LANES: Final = 32
"""Lanes that one call of the kernel takes at most: two or four SIMD registers' worth."""

LANE_STEP: Final = 16
"""Lanes come in multiples of this; fewer would fall out of the SIMD loop."""

_HIGHEST_INCREMENT: Final = 0.49
_FADE_FROM: Final = 0.42
_HISTORY: Final = 2 * SHARPENING_REACH

# Entries of the array of laws: how knobs become gains and feedback, the same for all lanes.
LAWS: Final = 15
(
    LEVEL_GAIN,
    LEVEL_POWER,
    GAIN_TRIANGLE,
    GAIN_SAW_1,
    GAIN_PULSE,
    GAIN_NOISE,
    GAIN_SAW_2,
    GAIN_SQUARE,
    GAIN_NARROW,
    GAIN_RING,
    LP_FEEDBACK_GAIN,
    LP_FEEDBACK_POWER,
    HP_FEEDBACK_GAIN,
    HP_FEEDBACK_POWER,
    NOISE_COLOUR,
) = range(LAWS)


@njit(**FAST)
def _advance(level, shape, stage, samples):  # type: ignore[no-untyped-def]
    """An envelope `samples` samples on; shape is (3, 4), see `Voices.envelopes`."""
    factor = shape[stage, v.FACTOR]
    step = shape[stage, v.STEP]
    if factor < 1.0:
        rest = step / (1.0 - factor)
        level = rest + (level - rest) * math.exp(samples * math.log(factor))
    else:
        level += samples * step
    return min(shape[stage, v.TOP], max(shape[stage, v.BOTTOM], level))


@njit(**FAST)
def _warp(pitch, rate):  # type: ignore[no-untyped-def]
    """tan(pi f / rate) of a MIDI pitch, with f held below 0.45 of the rate."""
    hertz = 440.0 * 2.0 ** ((min(160.0, max(-20.0, pitch)) - 69.0) / 12.0)
    return math.tan(math.pi * min(0.45, hertz / rate))


@njit(**FAST)
def _coefficients(values, moved, laws, rate, goal):  # type: ignore[no-untyped-def]
    """Filter and amplifier coefficients of one lane into goal, (COEFFICIENTS,) float64."""
    goal[f.HP_WARP] = _warp(values[v.HP_PITCH] + moved[v.TO_HP], rate)
    feedback = laws[HP_FEEDBACK_GAIN] * values[v.HP_RESONANCE] ** laws[HP_FEEDBACK_POWER]
    goal[f.HP_DAMPING] = 2.0 - feedback
    goal[f.LP_GAIN] = _warp(values[v.LP_PITCH] + moved[v.TO_LP_1] + moved[v.TO_LP_2], rate)
    knob = min(1.0, max(0.0, values[v.LP_RESONANCE] + moved[v.TO_RESONANCE]))
    goal[f.LP_FEEDBACK] = laws[LP_FEEDBACK_GAIN] * knob ** laws[LP_FEEDBACK_POWER]
    pan = min(1.0, max(-1.0, values[v.PAN] + moved[v.TO_PAN]))
    angle = 0.25 * math.pi * (pan + 1.0)
    gain = min(4.0, max(0.0, 1.0 + moved[v.TO_AMPLITUDE]))
    goal[f.AMPLITUDE] = values[v.LOUDNESS] * gain * (math.cos(angle) + math.sin(angle)) / 2.0**0.5
    goal[f.FM_DEPTH] = values[v.FILTER_FM] + moved[v.TO_FILTER_FM]


@njit(**FAST)
def _run(wave, kind, second, count, phase, step, bend, width, flat):  # type: ignore[no-untyped-def]
    """One block of an oscillator into flat, band-limited; `wave` keeps the history it needs."""
    p, d, b, w = np.float32(phase), np.float32(step), np.float32(bend), np.float32(width)
    if second:
        if kind == 1:
            add_saw(wave, _HISTORY, count, p, d, b)
        else:
            add_pulse(wave, _HISTORY, count, p, d, b, w)
    elif kind == 1:
        add_triangle(wave, _HISTORY, count, p, d, b)
    elif kind == 2:
        add_saw(wave, _HISTORY, count, p, d, b)
    else:
        add_pulse(wave, _HISTORY, count, p, d, b, w)
    sharpen(wave, count, flat)
    for i in range(_HISTORY):
        wave[i] = wave[count + i]


@njit(**FAST)
def _level(knob, laws, increment):  # type: ignore[no-untyped-def]
    """Gain of an oscillator: its knob, faded out where its fundamental meets Nyquist."""
    fade = min(1.0, max(0.0, (_HIGHEST_INCREMENT - increment) / (_HIGHEST_INCREMENT - _FADE_FROM)))
    return fade * laws[LEVEL_GAIN] * min(1.0, max(0.0, knob)) ** laws[LEVEL_POWER]


@lru_cache(maxsize=2)
def play(moving: bool) -> Callable[..., None]:
    """The kernel for patches in which nothing but envelope 1 and drift moves, or for all others.

    Compiled on first use and kept on disk by numba. It takes at most LANES lanes:

    Args of the kernel:
        values, envelopes, lfos, sources, depths, drift: of `Voices`, rows of these lanes.
        owner: (lanes,) int64, the row of `out` that a lane sounds in.
        drift_samples: samples between two nodes of the drift.
        laws: (LAWS,) float64.
        circuit: (CIRCUIT,) float32.
        noise: (samples,) float32, white, unit power.
        rate: samples per second, oversampling included.
        block: samples per block, oversampling included.
        note_off: sample of the key's release.
        out: (patches, samples) float32, zeroed; the lanes are added to it.
    """
    filter_block = f.moving_filter_block if moving else None
    still_filter_block = f.filter_block

    @njit(**FAST)
    def kernel(  # type: ignore[no-untyped-def]
        values, envelopes, lfos, sources, depths, drift, owner, drift_samples,
        laws, circuit, noise, rate, block, note_off, out,
    ):  # fmt: skip
        count = values.shape[0]
        total = out.shape[1]
        lanes = (count + LANE_STEP - 1) // LANE_STEP * LANE_STEP
        lane = np.zeros(f.ROWS * lanes, np.float32)
        mix = np.zeros(block * lanes, np.float32)
        modulator = np.zeros(block * lanes if moving else 1, np.float32)
        raw_1 = np.zeros((count, block + _HISTORY), np.float32)
        raw_2 = np.zeros((count, block + _HISTORY), np.float32)
        flat_1 = np.zeros(block, np.float32)
        flat_2 = np.zeros(block, np.float32)
        phase = values[:, v.PHASE_1 : v.PHASE_2 + 1].copy()
        increment = np.zeros((count, 2))
        level = np.zeros((count, 3))
        stage = np.zeros((count, 3), np.int64)
        goal = np.zeros(f.COEFFICIENTS)
        moved = np.zeros((count, v.ROUTES))
        known = np.zeros((count, v.SOURCES))
        lfo_phase = np.zeros((count, 2))
        grain = np.zeros(count, np.float32)
        loudness = np.zeros((count, 2))
        gone = np.zeros((count, 1))
        for n in range(count):
            if moving:
                modulate(
                    values[n], lfos[n], sources[n], depths[n], known[n], lfo_phase[n], moved[n],
                    1.0, 0.0, 0.0, 0.0, 0.0,
                )  # fmt: skip
            _coefficients(values[n], moved[n], laws, rate, goal)
            if not moving:
                goal[f.LP_GAIN] /= 1.0 + goal[f.LP_GAIN]
            for k in range(f.COEFFICIENTS):
                lane[k * lanes + n] = goal[k]
            for k in range(2):
                semitones = drift[n, k, 0] + moved[n, v.TO_TUNE_1] + moved[n, v.TO_TUNE_2]
                if moving:
                    semitones += values[n, v.VIBRATO] * known[n, v.LFO_1]
                hertz = values[n, v.FREQUENCY_1 + k] * 2.0 ** (semitones / 12.0)
                increment[n, k] = min(_HIGHEST_INCREMENT, hertz / rate)
        start = 0
        index = 0
        while start < total:
            samples = min(block, total - start)
            held = start < note_off
            if held and start + samples > note_off:
                samples = note_off - start
            end = start + samples
            node = end // drift_samples
            between = end / drift_samples - node
            span = samples / rate
            for n in range(count):
                value = values[n]
                first, last = (0 if moving else v.SHAPE_AMPLIFIER), 3
                for e in range(first, last):
                    if not held:
                        stage[n, e] = v.RELEASE
                    shape = envelopes[n, e]
                    now = stage[n, e]
                    if e == v.SHAPE_AMPLIFIER:
                        lane[f.ENVELOPE * lanes + n] = level[n, e]
                        lane[f.ENVELOPE_FACTOR * lanes + n] = shape[now, v.FACTOR]
                        lane[f.ENVELOPE_STEP * lanes + n] = shape[now, v.STEP]
                        lane[f.ENVELOPE_TOP * lanes + n] = shape[now, v.TOP]
                        lane[f.ENVELOPE_BOTTOM * lanes + n] = shape[now, v.BOTTOM]
                        steps = value[v.STEPS_AMPLIFIER]
                        if steps > 0.0:
                            lane[f.ENVELOPE * lanes + n] = round(level[n, e] * steps) / steps
                            lane[f.ENVELOPE_FACTOR * lanes + n] = 1.0
                            lane[f.ENVELOPE_STEP * lanes + n] = 0.0
                            lane[f.ENVELOPE_TOP * lanes + n] = 1.0
                            lane[f.ENVELOPE_BOTTOM * lanes + n] = 0.0
                    level[n, e] = _advance(level[n, e], shape, now, samples)
                    if now == v.ATTACK and level[n, e] >= shape[now, v.TOP]:
                        stage[n, e] = v.DECAY
                if moving:
                    levels = np.empty(2)
                    for e in range(2):
                        steps = value[v.STEPS_ENV_1 + e]
                        now_level = level[n, e]
                        if steps > 0.0:
                            now_level = round(now_level * steps) / steps
                        levels[e] = now_level * value[v.LEVEL_ENV_1 + e]
                    modulate(
                        value, lfos[n], sources[n], depths[n], known[n], lfo_phase[n], moved[n],
                        1.0 if held else 0.0, levels[0], levels[1], end / rate, span,
                    )  # fmt: skip
                    _coefficients(value, moved[n], laws, rate, goal)
                    for k in range(f.COEFFICIENTS):
                        slope = (goal[k] - lane[k * lanes + n]) / samples
                        lane[(f.COEFFICIENTS + k) * lanes + n] = slope
                wave_1 = int(value[v.WAVE_1])
                wave_2 = int(value[v.WAVE_2])
                for k in range(2):
                    step = increment[n, k]
                    semitones = drift[n, k, node] + between * (
                        drift[n, k, node + 1] - drift[n, k, node]
                    )
                    if moving:
                        semitones += moved[n, v.TO_TUNE_1] + moved[n, v.TO_TUNE_2]
                        semitones += value[v.VIBRATO] * known[n, v.LFO_1]
                    hertz = value[v.FREQUENCY_1 + k] * math.exp(0.05776226504666211 * semitones)
                    increment[n, k] = min(_HIGHEST_INCREMENT, hertz / rate)
                    bend = 0.5 * (increment[n, k] - step) / samples
                    if k == 0 and (wave_1 != 4 or wave_2 == 4 or moving):
                        _run(raw_1[n], wave_1 if wave_2 != 4 else 3, False, samples, phase[n, 0],
                             step, bend, value[v.WIDTH_1], flat_1)  # fmt: skip
                    elif k == 1:
                        _run(raw_2[n], wave_2, True, samples, phase[n, 1], step, bend,
                             value[v.WIDTH_2], flat_2)  # fmt: skip
                    ahead = phase[n, k] + samples * (step + samples * bend)
                    phase[n, k] = ahead - math.floor(ahead)
                    knob = value[v.LEVEL_1 + k]
                    if moving and k == 0:
                        knob += moved[n, v.TO_LEVEL]
                    if moving or start == 0:
                        loudness[n, k] = _level(knob, laws, increment[n, k])
                gain_2 = np.float32(loudness[n, 1])
                if wave_2 == 4:
                    gain_2 *= np.float32(laws[GAIN_RING])
                    for i in range(samples):
                        flat_2[i] *= flat_1[i]
                else:
                    gain_2 *= np.float32(laws[GAIN_SAW_2 + wave_2 - 1])
                gain_1 = np.float32(loudness[n, 0] * laws[GAIN_TRIANGLE + wave_1 - 1])
                if moving and start == 0:
                    gone[n, 0] = gain_1
                if moving:
                    for i in range(samples):
                        modulator[i * lanes + n] = flat_1[i]
                if wave_1 == 4:
                    colour = np.float32(laws[NOISE_COLOUR])
                    at = int(value[v.NOISE] * 1048576.0) + 7919 * index
                    at = at * 2654435761 % (noise.shape[0] - block)
                    held_grain = grain[n]
                    for i in range(samples):
                        flat_1[i] = noise[at + i]
                    for i in range(samples):
                        here = flat_1[i]
                        flat_1[i] = here - colour * held_grain
                        held_grain = here
                    grain[n] = held_grain
                if moving:
                    drawn = np.float32(gone[n, 0])
                    rise = (gain_1 - drawn) / np.float32(samples)
                    gone[n, 0] = gain_1
                    for i in range(samples):
                        drawn += rise
                        mix[i * lanes + n] = drawn * flat_1[i] + gain_2 * flat_2[i]
                else:
                    for i in range(samples):
                        mix[i * lanes + n] = gain_1 * flat_1[i] + gain_2 * flat_2[i]
            if moving:
                filter_block(mix, modulator, samples, lane, lanes, circuit)
            else:
                still_filter_block(mix, samples, lane, lanes, circuit)
            for n in range(count):
                row = out[owner[n]]
                for i in range(samples):
                    row[start + i] += mix[i * lanes + n]
            start = end
            index += 1

    compiled: Any = kernel
    return compiled  # type: ignore[no-any-return]
