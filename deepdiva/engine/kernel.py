"""The voice: oscillators, filters, amplifier, in the order in which the signal flows.

Time runs in blocks of `BLOCK` samples. Controls (drift, envelopes, LFOs, modulation) are worked
out once a block and ramp through it; oscillators fill the block lane by lane; filters take it
sample by sample, all lanes side by side.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numba import njit

from deepdiva.engine import filters as f
from deepdiva.engine import voices as v
from deepdiva.engine.modulation import modulate
from deepdiva.engine.oscillators import (
    FAST,
    SHARPENING_REACH,
    fill_pulse,
    fill_saw,
    fill_triangle,
    sharpen,
)

BLOCK: Final = 64
"""Samples between two looks at the controls of a patch in which something moves."""

STILL_BLOCK: Final = 192
"""The same for a patch in which nothing but envelope 1 and drift moves."""

LANES: Final = 64
"""Lanes that one call of the kernel takes at most."""

LANE_STEP: Final = 16
"""Lanes come in multiples of this; fewer would fall out of the SIMD loop."""

_HIGHEST_INCREMENT: Final = 0.49
_FADE_FROM: Final = 0.42
_HISTORY: Final = 2 * SHARPENING_REACH
_FAINT: Final = 1e-9
"""Gain of a silent oscillator: what keeps the filters' states clear of denormal numbers."""

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
def _reach(shape, samples, factors):  # type: ignore[no-untyped-def]
    """What an envelope's stages do to a level in `samples` samples: level * factor + step.

    Args:
        shape: (3, 4), see `Voices.envelopes`.
        samples: how far.
        factors: (3, 2) float64, overwritten.
    """
    for stage in range(3):
        factor = shape[stage, v.FACTOR]
        step = shape[stage, v.STEP]
        if factor < 1.0:
            left = math.exp(samples * math.log(factor))
            factors[stage, 0] = left
            factors[stage, 1] = step * (1.0 - left) / (1.0 - factor)
        else:
            factors[stage, 0] = 1.0
            factors[stage, 1] = step * samples


@njit(**FAST)
def _warp(pitch, rate):  # type: ignore[no-untyped-def]
    """tan(pi f / rate) of a MIDI pitch, with f held below 0.45 of the rate."""
    hertz = 440.0 * 2.0 ** ((min(160.0, max(-20.0, pitch)) - 69.0) / 12.0)
    return math.tan(math.pi * min(0.45, hertz / rate))


@njit(**FAST)
def _zero(warp):  # type: ignore[no-untyped-def]
    """What a one-pole needs to have the analogue magnitude at Nyquist; see `filters`."""
    cutoff = 2.0 / math.pi * math.atan(warp)
    return cutoff / (math.sqrt(1.0 + cutoff * cutoff) * warp)


@njit(**FAST)
def _pan_gain(pan):  # type: ignore[no-untyped-def]
    """What the mean of both channels keeps of a voice that stands at `pan`, -1..1."""
    angle = 0.25 * math.pi * (min(1.0, max(-1.0, pan)) + 1.0)
    return (math.cos(angle) + math.sin(angle)) * 0.7071067811865476


@njit(**FAST)
def _coefficients(values, moved, laws, rate, goal):  # type: ignore[no-untyped-def]
    """Filter and amplifier coefficients of one lane into goal, (COEFFICIENTS,) float64."""
    goal[f.HP_WARP] = _warp(values[v.HP_PITCH] + moved[v.TO_HP], rate)
    feedback = laws[HP_FEEDBACK_GAIN] * values[v.HP_RESONANCE] ** laws[HP_FEEDBACK_POWER]
    goal[f.HP_DAMPING] = 2.0 - feedback
    warp = _warp(values[v.LP_PITCH] + moved[v.TO_LP_1] + moved[v.TO_LP_2], rate)
    goal[f.LP_WARP] = warp
    goal[f.LP_ZERO] = _zero(warp)
    knob = min(1.0, max(0.0, values[v.LP_RESONANCE] + moved[v.TO_RESONANCE]))
    goal[f.LP_FEEDBACK] = laws[LP_FEEDBACK_GAIN] * knob ** laws[LP_FEEDBACK_POWER]
    gain = min(4.0, max(0.0, 1.0 + moved[v.TO_AMPLITUDE]))
    pan = _pan_gain(values[v.PAN] + moved[v.TO_PAN])
    goal[f.AMPLITUDE] = values[v.LOUDNESS] * gain * pan
    goal[f.FM_DEPTH] = values[v.FILTER_FM] + moved[v.TO_FILTER_FM]


@njit(**FAST)
def _fill(wave, n, k, shape, count, phase, step, bend, width, gain, rise, kept):  # type: ignore[no-untyped-def]
    """One block of an oscillator into `wave[n, k]`, behind the history that sharpening needs.

    Shape 0 is the saw, 1 the pulse, 2 the triangle; the rest is as `oscillators` has it.
    """
    p, d, b = np.float32(phase), np.float32(step), np.float32(bend)
    g, r, keep = np.float32(gain), np.float32(rise), np.float32(kept)
    if shape == 0:
        fill_saw(wave, n, k, _HISTORY, count, p, d, b, g, r, keep)
    elif shape == 1:
        fill_pulse(wave, n, k, _HISTORY, count, p, d, b, g, r, keep, np.float32(width))
    else:
        fill_triangle(wave, n, k, _HISTORY, count, p, d, b, g, r, keep)


@njit(**FAST)
def _flatten(wave, n, k, count, flat):  # type: ignore[no-untyped-def]
    """Sharpen the block in `wave[n, k]` into `flat[n]`, and keep its end as the next's history."""
    sharpen(wave, n, k, count, flat)
    for i in range(_HISTORY):
        wave[n, k, i] = wave[n, k, count + i]


@njit(**FAST)
def _multiply(wave, n, count, kept):  # type: ignore[no-untyped-def]
    """Add the product of `wave[n, 1]` and `wave[n, 2]` to `wave[n, 0]`, of which `kept` stays.

    Both are pulses, and so is their product: its edges are theirs, and sharpened like theirs.
    """
    into = wave[n, 0, _HISTORY : _HISTORY + count]
    one = wave[n, 1, _HISTORY : _HISTORY + count]
    other = wave[n, 2, _HISTORY : _HISTORY + count]
    keep = np.float32(kept)
    for i in range(count):
        into[i] = keep * into[i] + one[i] * other[i]


@njit(**FAST)
def _interleave(flat, samples, lanes, pair, mix):  # type: ignore[no-untyped-def]
    """(lanes, samples) to rows of lanes, two lanes at a time: half as many moves.

    Args:
        flat: (lanes, at least samples) float32, an even number of lanes.
        samples: rows to write.
        lanes: lanes of a row of `mix`, even.
        pair: (2 * samples,) float32 to work in.
        mix: (samples * lanes,) float32, overwritten.
    """
    doubles = pair.view(np.float64)
    into = mix.view(np.float64)
    for n in range(0, flat.shape[0], 2):
        one = flat[n]
        other = flat[n + 1]
        for i in range(samples):
            pair[2 * i] = one[i]
            pair[2 * i + 1] = other[i]
        column = into[n // 2 :: lanes // 2]
        for i in range(samples):
            column[i] = doubles[i]


@njit(**FAST)
def _deliver(mix, count, samples, lanes, pair, owner, start, out):  # type: ignore[no-untyped-def]
    """Write the sum of each patch's lanes to its row of `out`, two lanes at a time where it can."""
    doubles = pair.view(np.float64)
    source = mix.view(np.float64)
    n = 0
    while n < count:
        row = out[owner[n], start : start + samples]
        column = source[n // 2 :: lanes // 2]
        for i in range(samples):
            doubles[i] = column[i]
        alone = n % 2 == 1 or n + 1 == count or owner[n + 1] != owner[n]
        first = n == 0 or owner[n - 1] != owner[n]
        if not alone and first:
            for i in range(samples):
                row[i] = pair[2 * i] + pair[2 * i + 1]
        else:
            keep = np.float32(0.0 if first else 1.0)
            here = np.float32(1.0 if not alone or n % 2 == 0 else 0.0)
            there = np.float32(1.0 if not alone or n % 2 == 1 else 0.0)
            if first:
                row[:] = np.float32(0.0)
            for i in range(samples):
                row[i] = keep * row[i] + here * pair[2 * i] + there * pair[2 * i + 1]
        n += 1 if alone else 2


@njit(**FAST)
def _hiss(noise, at, colour, last, count, gain, rise, mixed, n):  # type: ignore[no-untyped-def]
    """Add one block of noise to `mixed[n]`; returns its last white sample."""
    white = noise[at : at + count]
    row = mixed[n]
    g, r = np.float32(gain), np.float32(rise)
    row[0] += g * (white[0] - colour * last)
    for i in range(1, count):
        row[i] += (g + np.float32(np.int32(i)) * r) * (white[i] - colour * white[i - 1])
    return white[count - 1]


@njit(**FAST)
def _level(knob, laws, increment):  # type: ignore[no-untyped-def]
    """Gain of an oscillator: its knob, faded out where its fundamental meets Nyquist."""
    fade = min(1.0, max(0.0, (_HIGHEST_INCREMENT - increment) / (_HIGHEST_INCREMENT - _FADE_FROM)))
    gain = fade * laws[LEVEL_GAIN] * min(1.0, max(0.0, knob)) ** laws[LEVEL_POWER]
    return max(_FAINT, gain)


@njit(**FAST)
def _modulated(n, values, lfos, sources, depths, known, phases, moved, levels, gate, time, span):  # type: ignore[no-untyped-def]
    """`modulate` for lane n, envelopes quantised and scaled on the way."""
    value = values[n]
    reached_1 = levels[n, 0]
    reached_2 = levels[n, 1]
    if value[v.STEPS_ENV_1] > 0.0:
        reached_1 = round(reached_1 * value[v.STEPS_ENV_1]) / value[v.STEPS_ENV_1]
    if value[v.STEPS_ENV_2] > 0.0:
        reached_2 = round(reached_2 * value[v.STEPS_ENV_2]) / value[v.STEPS_ENV_2]
    modulate(
        value, lfos[n], sources[n], depths[n], known[n], phases[n], moved[n], gate,
        reached_1 * value[v.LEVEL_ENV_1], reached_2 * value[v.LEVEL_ENV_2], time, span,
    )  # fmt: skip


def _fingerprint() -> int:
    """A number that changes with the sources that the kernel is compiled from.

    numba looks at the file of a cached function alone, not at those of the functions it calls. A
    number that the function closes over is part of the key too.
    """
    folder = files("deepdiva.engine")
    sources = ("filters.py", "kernel.py", "modulation.py", "oscillators.py", "voices.py")
    return zlib.crc32(b"".join((folder / name).read_bytes() for name in sources))


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
        out: (patches, samples) float32; the rows of these lanes are overwritten.
    """
    fingerprint = _fingerprint()

    @njit(**FAST)
    def kernel(  # type: ignore[no-untyped-def]
        values, envelopes, lfos, sources, depths, drift, owner, drift_samples,
        laws, circuit, noise, rate, block, note_off, out,
    ):  # fmt: skip
        count = values.shape[0] if fingerprint >= 0 else 0
        total = out.shape[1]
        lanes = (count + LANE_STEP - 1) // LANE_STEP * LANE_STEP
        lane = np.zeros(f.ROWS * lanes, np.float32)
        mix = np.zeros(block * lanes, np.float32)
        modulator = np.zeros(block * lanes if moving else 1, np.float32)
        raw = np.zeros((count, 4, block + _HISTORY), np.float32)
        mixed = np.zeros((count + count % 2, block), np.float32)
        pair = np.zeros(2 * block, np.float32)
        flat = np.zeros(block, np.float32)
        alone = np.zeros((count, block) if moving else (1, 1), np.float32)
        motion = np.zeros((2, 3))
        phase = values[:, v.PHASE_1 : v.PHASE_2 + 1].copy()
        increment = np.zeros((count, 2))
        growth = np.zeros((count, 2))
        level = np.zeros((count, 3))
        stage = np.zeros((count, 3), np.int64)
        whole = np.zeros((count, 3, 3, 2))
        part = np.zeros((3, 2))
        goal = np.zeros(f.COEFFICIENTS)
        moved = np.zeros((count, v.ROUTES))
        known = np.zeros((count, v.SOURCES))
        lfo_phase = np.zeros((count, 2))
        grain = np.zeros(count, np.float32)
        loudness = np.zeros((count, 2))
        scales = np.ones(count)
        first_envelope = 0 if moving else v.SHAPE_AMPLIFIER
        for n in range(count):
            if not moving:
                scales[n] = values[n, v.LOUDNESS] * _pan_gain(values[n, v.PAN])
            for e in range(first_envelope, 3):
                _reach(envelopes[n, e], block, whole[n, e])
                level[n, e] = values[n, v.START_LEVEL]
                if level[n, e] >= envelopes[n, e, v.ATTACK, v.TOP]:
                    stage[n, e] = v.DECAY
            if moving:
                _modulated(n, values, lfos, sources, depths, known, lfo_phase, moved, level,
                           1.0, 0.0, 0.0)  # fmt: skip
            _coefficients(values[n], moved[n], laws, rate, goal)
            for k in range(f.COEFFICIENTS):
                lane[k * lanes + n] = goal[k]
            if not moving:
                warp = goal[f.HP_WARP]
                lane[f.HP_SUM * lanes + n] = goal[f.HP_DAMPING] + warp
                lane[f.HP_INVERSE * lanes + n] = 1.0 / (
                    1.0 + goal[f.HP_DAMPING] * warp + warp * warp
                )
                lane[f.LP_GAIN * lanes + n] = goal[f.LP_WARP] / (1.0 + goal[f.LP_WARP])
            for k in range(2):
                semitones = drift[n, k, 0] + moved[n, v.TO_TUNE_1] + moved[n, v.TO_TUNE_2]
                semitones += values[n, v.VIBRATO] * known[n, v.LFO_1]
                hertz = values[n, v.FREQUENCY_1 + k] * 2.0 ** (semitones / 12.0)
                increment[n, k] = min(_HIGHEST_INCREMENT, hertz / rate)
                knob = values[n, v.LEVEL_1 + k] + (moved[n, v.TO_LEVEL] if k == 0 else 0.0)
                loudness[n, k] = _level(knob, laws, increment[n, k])
        start = 0
        index = 0
        last_node = -1
        while start < total:
            samples = min(block, total - start)
            held = start < note_off
            if held and start + samples > note_off:
                samples = note_off - start
            end = start + samples
            time = end / rate
            node = start // drift_samples
            for n in range(count):
                for e in range(first_envelope, 3):
                    if not held:
                        stage[n, e] = v.RELEASE
                    now = stage[n, e]
                    here = level[n, e]
                    if samples == block:
                        there = here * whole[n, e, now, 0] + whole[n, e, now, 1]
                    else:
                        _reach(envelopes[n, e], samples, part)
                        there = here * part[now, 0] + part[now, 1]
                    bottom = envelopes[n, e, now, v.BOTTOM]
                    factor = envelopes[n, e, now, v.FACTOR]
                    step = envelopes[n, e, now, v.STEP]
                    if there < bottom:
                        factor = 1.0
                        step = (bottom - here) / samples
                        there = bottom
                    if now == v.ATTACK and there >= envelopes[n, e, now, v.TOP]:
                        stage[n, e] = v.DECAY
                    there = min(there, envelopes[n, e, now, v.TOP])
                    level[n, e] = there
                    if e == v.SHAPE_AMPLIFIER:
                        scale = (
                            1.0 if moving else values[n, v.LOUDNESS] * _pan_gain(values[n, v.PAN])
                        )
                        steps = values[n, v.STEPS_AMPLIFIER]
                        if steps > 0.0:
                            here = round(here * steps) / steps
                            factor = 1.0
                            step = (round(there * steps) / steps - here) / samples
                        lane[f.ENVELOPE * lanes + n] = scale * here
                        lane[f.ENVELOPE_FACTOR * lanes + n] = factor
                        lane[f.ENVELOPE_STEP * lanes + n] = scale * step
                        lane[f.ENVELOPE_TOP * lanes + n] = scale * envelopes[n, e, now, v.TOP]
                if moving:
                    _modulated(n, values, lfos, sources, depths, known, lfo_phase, moved, level,
                               1.0 if held else 0.0, time, samples / rate)  # fmt: skip
                    _coefficients(values[n], moved[n], laws, rate, goal)
                    for k in range(f.COEFFICIENTS):
                        slope = (goal[k] - lane[k * lanes + n]) / samples
                        lane[(f.COEFFICIENTS + k) * lanes + n] = slope
                wave_1 = int(values[n, v.WAVE_1])
                wave_2 = int(values[n, v.WAVE_2])
                gain_1 = loudness[n, 0] * laws[GAIN_TRIANGLE + wave_1 - 1]
                gain_2 = (
                    loudness[n, 1] * laws[GAIN_RING if wave_2 == 4 else GAIN_SAW_2 + wave_2 - 1]
                )
                rise = 0.0
                for k in range(2):
                    step = increment[n, k]
                    if moving:
                        between = end / drift_samples - node
                        semitones = drift[n, k, node] * (1.0 - between)
                        semitones += drift[n, k, node + 1] * between
                        semitones += moved[n, v.TO_TUNE_1] + moved[n, v.TO_TUNE_2]
                        semitones += values[n, v.VIBRATO] * known[n, v.LFO_1]
                        hertz = values[n, v.FREQUENCY_1 + k] * 2.0 ** (semitones / 12.0)
                        bend = 0.5 * (min(_HIGHEST_INCREMENT, hertz / rate) - step) / samples
                        knob = values[n, v.LEVEL_1 + k] + (moved[n, v.TO_LEVEL] if k == 0 else 0.0)
                        reached = _level(knob, laws, step)
                        if k == 0:
                            rise = (reached / loudness[n, 0] - 1.0) * gain_1 / samples
                        loudness[n, k] = reached
                    else:
                        if node != last_node:
                            semitones = drift[n, k, node + 1]
                            hertz = values[n, v.FREQUENCY_1 + k] * 2.0 ** (semitones / 12.0)
                            left = (node + 1) * drift_samples - start
                            growth[n, k] = (min(_HIGHEST_INCREMENT, hertz / rate) - step) / left
                        bend = 0.5 * growth[n, k]
                    motion[k, 0] = phase[n, k]
                    motion[k, 1] = step
                    motion[k, 2] = bend
                    ahead = phase[n, k] + samples * (step + samples * bend)
                    phase[n, k] = ahead - math.floor(ahead)
                    increment[n, k] = step + 2.0 * samples * bend
                width_1 = values[n, v.WIDTH_1]
                shape_1 = 2 if wave_1 == 1 else wave_1 - 2
                kept = 0.0
                if wave_1 != 4:
                    _fill(
                        raw,
                        n,
                        0,
                        shape_1,
                        samples,
                        motion[0, 0],
                        motion[0, 1],
                        motion[0, 2],
                        width_1,
                        gain_1,
                        rise,
                        0.0,
                    )
                    kept = 1.0
                if wave_2 != 4:
                    _fill(raw, n, 0, 0 if wave_2 == 1 else 1, samples, motion[1, 0], motion[1, 1],
                          motion[1, 2], values[n, v.WIDTH_2], gain_2, 0.0, kept)  # fmt: skip
                    kept = 1.0
                if wave_2 == 4:
                    _fill(
                        raw,
                        n,
                        1,
                        1,
                        samples,
                        motion[1, 0],
                        motion[1, 1],
                        motion[1, 2],
                        values[n, v.WIDTH_2],
                        1.0,
                        0.0,
                        0.0,
                    )
                    _fill(
                        raw,
                        n,
                        2,
                        1,
                        samples,
                        motion[0, 0],
                        motion[0, 1],
                        motion[0, 2],
                        width_1,
                        gain_2,
                        0.0,
                        0.0,
                    )
                    _multiply(raw, n, samples, kept)
                _flatten(raw, n, 0, samples, mixed)
                if wave_1 == 4:
                    at = (int(values[n, v.NOISE] * 1048576.0) + 7919 * index) * 2654435761
                    at %= noise.shape[0] - block
                    colour = np.float32(laws[NOISE_COLOUR])
                    grain[n] = _hiss(noise, at, colour, grain[n], samples, gain_1, rise, mixed, n)
                if moving:
                    if wave_1 == 4:
                        for i in range(samples):
                            flat[i] = noise[at + i]
                    else:
                        _fill(
                            raw,
                            n,
                            3,
                            shape_1,
                            samples,
                            motion[0, 0],
                            motion[0, 1],
                            motion[0, 2],
                            width_1,
                            1.0,
                            0.0,
                            0.0,
                        )
                        _flatten(raw, n, 3, samples, alone)
                        for i in range(samples):
                            flat[i] = alone[n, i]
                    for i in range(samples):
                        modulator[i * lanes + n] = flat[i]
            _interleave(mixed, samples, lanes, pair, mix)
            if moving:
                f.moving_filter_block(mix, modulator, samples, lane, lanes, circuit)
            else:
                f.filter_block(mix, samples, lane, lanes, circuit)
            _deliver(mix, count, samples, lanes, pair, owner, start, out)
            start = end
            index += 1
            last_node = node

    compiled: Any = kernel
    return compiled  # type: ignore[no-any-return]
