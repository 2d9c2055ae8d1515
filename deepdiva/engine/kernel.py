"""The voice: oscillators, filters, amplifier, in the order in which the signal flows.

Time runs in blocks of `BLOCK` samples. Controls (drift, envelopes, LFOs, modulation) are worked
out once a block and ramp through it; oscillators fill the block lane by lane; filters take it
sample by sample, all lanes side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np

from deepdiva.compiled_code import njit
from deepdiva.engine import controls as c
from deepdiva.engine import filters as f
from deepdiva.engine import oscillators as o
from deepdiva.engine import voices as v
from deepdiva.engine.compiling import FAST, edition, kept
from deepdiva.engine.lanes import interleave, separate
from deepdiva.engine.modulation import modulate

BLOCK: Final = 64
"""Samples between two looks at the controls of a patch in which something moves."""

STILL_BLOCK: Final = 256
"""The same for a patch in which nothing but envelope 1 and drift moves."""

_FEWEST_LANES: Final = 16
"""Lanes are filled up to this; fewer would fall out of the SIMD loop."""

_ALONE: Final = 2
"""Behind both oscillators in the array of motion: the first one at gain 1."""


@njit(**FAST)
def _deliver(voices, count, samples, owner, start, out):  # type: ignore[no-untyped-def]
    """Write the sum of each patch's lanes to its row of `out`."""
    for n in range(count):
        row = out[owner[n], start : start + samples]
        if n > 0 and owner[n - 1] == owner[n]:
            for i in range(samples):
                row[i] += voices[n, i]
        else:
            for i in range(samples):
                row[i] = voices[n, i]


@lru_cache(maxsize=2)
def play(moving: bool) -> Callable[..., int]:
    """The kernel for patches in which nothing but envelope 1 and drift moves, or for all others.

    Compiled on first use and kept on disk. It takes at most `filters.LANES` lanes:

    Args of the kernel:
        values, envelopes, lfos, sources, depths, drift: of `Voices`, rows of these lanes.
        owner: (lanes,) int64, the row of `out` that a lane sounds in, ascending.
        drift_samples: samples between two nodes of the drift.
        laws: (LAWS,) float64, see `controls`.
        circuit: (CIRCUIT,) float32, see `filters`.
        noise: (samples,) float32, white, unit power.
        rate: samples per second, oversampling included.
        block: samples per block, oversampling included.
        note_off: sample of the key's release.
        out: (patches, samples) float32; the rows of these lanes are overwritten.

    Returns of the kernel:
        The edition of the sources that it was compiled from.
    """
    compiled_edition = edition()
    first_envelope = 0 if moving else v.SHAPE_AMPLIFIER

    def kernel(  # type: ignore[no-untyped-def]
        values, envelopes, lfos, sources, depths, drift, owner, drift_samples,
        laws, circuit, noise, rate, block, note_off, out,
    ):  # fmt: skip
        count = values.shape[0]
        total = out.shape[1]
        lanes = _FEWEST_LANES if count <= _FEWEST_LANES else f.LANES
        lane = np.zeros(f.ROWS * f.LANES, np.float32)
        deck = np.zeros(lanes * block, np.float32)
        rows = np.zeros(lanes * block, np.float32)
        spare = np.zeros(lanes * block, np.float32)
        voices = deck.reshape(lanes, block)
        modulator = np.zeros(lanes * block if moving else 0, np.float32)
        firsts = np.zeros((lanes, block) if moving else (0, 0), np.float32)
        raw = np.zeros(o.HISTORY + block, np.float32)
        one = np.zeros(o.HISTORY + block, np.float32)
        other = np.zeros(o.HISTORY + block, np.float32)
        history = np.zeros((count, 2, o.HISTORY), np.float32)
        grain = np.zeros(count, np.float32)
        motion = np.zeros((count, 3, o.MOTION))
        levels = np.zeros((count, 3))
        stages = np.zeros((count, 3), np.int64)
        whole = np.zeros((count, 3, 3, 2))
        part = np.zeros(2)
        curve = np.zeros(c.CURVE)
        goal = np.zeros(f.COEFFICIENTS)
        moved = np.zeros((count, v.ROUTES))
        known = np.zeros((count, v.SOURCES))
        cycles = np.zeros((count, 2))
        scale = np.ones(count)

        for n in range(count):
            for e in range(first_envelope, 3):
                levels[n, e] = values[n, v.START_LEVEL]
                stages[n, e] = v.DECAY if levels[n, e] >= 1.0 else v.ATTACK
                for stage in range(3):
                    whole[n, e, stage] = c.travel(
                        envelopes[n, e, stage, v.FACTOR], envelopes[n, e, stage, v.STEP], block
                    )
            if moving:
                modulate(n, values, lfos, sources, depths, levels, known, cycles, moved,
                         1.0, 0.0, 0.0)  # fmt: skip
            c.coefficients(n, values, moved, laws, rate, goal)
            for k in range(f.COEFFICIENTS):
                lane[k * f.LANES + n] = goal[k]
            if not moving:
                warp, damping = goal[f.HP_WARP], goal[f.HP_DAMPING]
                lane[f.HP_SUM * f.LANES + n] = damping + warp
                lane[f.HP_INVERSE * f.LANES + n] = 1.0 / (1.0 + damping * warp + warp * warp)
                lane[f.LP_GAIN * f.LANES + n] = goal[f.LP_WARP] / (1.0 + goal[f.LP_WARP])
                scale[n] = goal[f.AMPLITUDE]
            semitones = c.bent(n, values, known, moved)
            for k in range(2):
                cents = semitones + drift[n, k, 0]
                step = c.increment(values[n, v.FREQUENCY_1 + k], cents, rate)
                knob = values[n, v.LEVEL_1 + k] + (moved[n, v.TO_LEVEL] if k == 0 else 0.0)
                tone = c.tone(int(values[n, v.WAVE_1 + k]), k == 1, laws)
                motion[n, k, o.PHASE] = values[n, v.PHASE_1 + k]
                motion[n, k, o.INCREMENT] = step
                motion[n, k, o.GAIN] = tone * c.loudness(knob, step, laws)
                motion[n, k, o.WIDTH] = values[n, v.WIDTH_1 + k]

        start = 0
        index = 0
        last_node = -1
        while start < total:
            held = start < note_off
            end = min(start + block, note_off if held else total)
            samples = end - start
            node = start // drift_samples
            for n in range(count):
                for e in range(first_envelope, 3):
                    if not held:
                        stages[n, e] = v.RELEASE
                    stage = stages[n, e]
                    part[0], part[1] = whole[n, e, stage, 0], whole[n, e, stage, 1]
                    if samples < block:
                        part[0], part[1] = c.travel(
                            envelopes[n, e, stage, v.FACTOR],
                            envelopes[n, e, stage, v.STEP],
                            samples,
                        )
                    before = levels[n, e]
                    if c.follow(envelopes, n, e, part, stages, levels, curve):
                        c.turn(envelopes, n, e, samples, stages, levels, curve)
                steps = values[n, v.STEPS_AMPLIFIER]
                if steps > 0.0:
                    c.quantise(steps, before, levels[n, v.SHAPE_AMPLIFIER], samples, curve)
                for k in range(c.CURVE):
                    scaled = 1.0 if k == 1 or k == 4 else scale[n]
                    lane[(f.RISE + k) * f.LANES + n] = scaled * curve[k]
                if moving:
                    modulate(n, values, lfos, sources, depths, levels, known, cycles, moved,
                             1.0 if held else 0.0, end / rate, samples / rate)  # fmt: skip
                    c.coefficients(n, values, moved, laws, rate, goal)
                    for k in range(f.COEFFICIENTS):
                        slope = (goal[k] - lane[k * f.LANES + n]) / samples
                        lane[(f.COEFFICIENTS + k) * f.LANES + n] = slope
                    between = end / drift_samples - node
                    bent = c.bent(n, values, known, moved)
                    for k in range(2):
                        semitones = bent + drift[n, k, node] * (1.0 - between)
                        semitones += drift[n, k, node + 1] * between
                        step = c.increment(values[n, v.FREQUENCY_1 + k], semitones, rate)
                        motion[n, k, o.GROWTH] = (step - motion[n, k, o.INCREMENT]) / samples
                        knob = values[n, v.LEVEL_1 + k] + (moved[n, v.TO_LEVEL] if k == 0 else 0.0)
                        tone = c.tone(int(values[n, v.WAVE_1 + k]), k == 1, laws)
                        gain = tone * c.loudness(knob, step, laws)
                        motion[n, k, o.RISE] = (gain - motion[n, k, o.GAIN]) / samples
                elif node != last_node:
                    for k in range(2):
                        hertz = values[n, v.FREQUENCY_1 + k]
                        step = c.increment(hertz, drift[n, k, node + 1], rate)
                        left = (node + 1) * drift_samples - start
                        motion[n, k, o.GROWTH] = (step - motion[n, k, o.INCREMENT]) / left

                wave_1, wave_2 = int(values[n, v.WAVE_1]), int(values[n, v.WAVE_2])
                if moving or wave_2 == 4:
                    for k in range(o.MOTION):
                        motion[n, _ALONE, k] = motion[n, 0, k]
                    motion[n, _ALONE, o.GAIN] = 1.0
                    motion[n, _ALONE, o.RISE] = 0.0
                keep = 1.0
                if wave_1 == 1:
                    o.fill_triangle(raw, samples, motion, n, 0, 0.0)
                elif wave_1 == 2:
                    o.fill_saw(raw, samples, motion, n, 0, 0.0)
                elif wave_1 == 3:
                    o.fill_pulse(raw, samples, motion, n, 0, 0.0)
                else:
                    keep = 0.0
                if wave_2 == 1:
                    o.fill_saw(raw, samples, motion, n, 1, keep)
                elif wave_2 < 4:
                    o.fill_pulse(raw, samples, motion, n, 1, keep)
                else:
                    o.fill_pulse(one, samples, motion, n, _ALONE, 0.0)
                    o.fill_pulse(other, samples, motion, n, 1, 0.0)
                    o.multiply(raw, samples, one, other, keep)
                o.sharpen(raw, samples, history, n, 0, voices)
                if wave_1 == 4:
                    at = (int(values[n, v.NOISE] * 1048576.0) + 7919 * index) * 2654435761
                    at %= noise.shape[0] - block
                    colour = laws[c.NOISE_COLOUR]
                    o.add_noise(noise, at, colour, samples, motion, n, grain, voices, one)
                if moving:
                    if wave_1 == 1:
                        o.fill_triangle(raw, samples, motion, n, _ALONE, 0.0)
                    elif wave_1 == 2:
                        o.fill_saw(raw, samples, motion, n, _ALONE, 0.0)
                    elif wave_1 == 3:
                        o.fill_pulse(raw, samples, motion, n, _ALONE, 0.0)
                    if wave_1 < 4:
                        o.sharpen(raw, samples, history, n, 1, firsts)
                    else:
                        for i in range(samples):
                            firsts[n, i] = one[i]
                for k in range(2):
                    growth = motion[n, k, o.GROWTH]
                    step = motion[n, k, o.INCREMENT]
                    ahead = motion[n, k, o.PHASE] + samples * (step + 0.5 * samples * growth)
                    motion[n, k, o.PHASE] = ahead - math.floor(ahead)
                    motion[n, k, o.INCREMENT] = step + samples * growth
                    motion[n, k, o.GAIN] += samples * motion[n, k, o.RISE]

            interleave(deck, spare, rows, lanes)
            if moving:
                interleave(firsts.reshape(lanes * block), spare, modulator, lanes)
                f.moving_filter_block(rows, modulator, samples, lane, lanes, circuit)
            else:
                f.filter_block(rows, samples, lane, lanes, circuit)
            separate(rows, spare, deck, lanes)
            _deliver(voices, count, samples, owner, start, out)
            start = end
            index += 1
            last_node = node
        return compiled_edition

    # numba keeps an index of compiled code by this name: one that both kernels shared could be
    # mixed up by two processes that compile one each.
    kernel.__qualname__ = "moving_kernel" if moving else "still_kernel"
    return kept(kernel)
