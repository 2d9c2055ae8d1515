"""What happens once a block, the same for every chain: envelopes, LFOs, the modulation matrix.

The matrix is data: a route takes one source to one input of the chain, with a depth. Which inputs
a chain has, and what its modules make of them, this file does not know.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from deepdiva.compiled_code import njit

_FAST = {"error_model": "numpy", "fastmath": True, "nogil": True}

# Modulation sources, as a preset's `#ms` list numbers them.
(
    NONE, WHEEL, BEND, CONTROL_A, CONTROL_B, GATE, VELOCITY, PRESSURE, KEY_FOLLOW, KEY_FOLLOW_2,
    ALTERNATE, RANDOM, STACK_VOICE, VOICE_MAP, ENV_1, ENV_2, LFO_1, LFO_2, RECTIFY, INVERT,
    QUANTISED, LAGGED, ADDER, MULTIPLY, SOURCES,
) = range(25)  # fmt: skip

# Fields of an LFO.
(
    LFO_RATE,  # Hz
    LFO_WAVE,  # 0 sine, 1 triangle, 2 saw up, 3 saw down, 4 high-low, 5 low-high, 6 hold, 7 glide
    LFO_PHASE,  # at the start, cycles
    LFO_FADE,  # seconds until it is fully in
    LFO_TRIM,  # 0..1: what of its level a depth source takes over
    LFO_UNIPOLAR,
    LFO_SINGLE,  # 1: one cycle, then it holds
    LFO_SEED,  # 0..1, of the random waves
    LFO_FIELDS,
) = range(9)

# Fields of the processors and of what else a lane has but inputs.
(
    QUANTISE,  # levels per unit of the quantise processor
    LAG,  # seconds of the lag processor
    STEPS_ENV_1,  # levels of a quantised envelope; 0: it moves smoothly
    STEPS_ENV_2,
    LEVEL_ENV_1,  # what velocity leaves of the envelope, 0..1
    LEVEL_ENV_2,
    START_ENV_1,  # levels from which the envelopes begin
    START_ENV_2,
    START_AMPLIFIER,
    EXTRAS,
) = range(10)

# Inner routes: what the sources themselves read.
(
    TO_LFO_1_DEPTH, TO_LFO_2_DEPTH, TO_LFO_1_RATE, TO_LFO_2_RATE, TO_RECTIFY, TO_INVERT,
    TO_QUANTISE, TO_LAG, TO_ADD_1, TO_ADD_2, TO_MULTIPLY_1, TO_MULTIPLY_2, INNER,
) = range(13)  # fmt: skip

AMPLIFIER: Final = 2
"""Third envelope: what the amplifier follows."""

SOURCE_LIMIT: Final = 4.0
"""What a source of modulation stays within, up and down."""

HIGHEST_INCREMENT: Final = 0.49
"""Cycles per sample that no oscillator exceeds."""


@njit(**_FAST)
def scatter(seed, count):  # type: ignore[no-untyped-def]
    """A number of -1..1 for each pair of a seed (0..1) and a count; splitmix64's finaliser."""
    bits = np.uint64(seed * 4503599627370496.0) + np.uint64(count) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return np.float64(bits >> np.uint64(11)) * (2.0 / 9007199254740992.0) - 1.0


@njit(**_FAST)
def lfo_value(wave, at, seed):  # type: ignore[no-untyped-def]
    """The wave of an LFO, -1..1, `at` cycles after its start.

    Triangle and sine start at their lowest point (measured for the triangle: `docs/ENGINE.md`).
    """
    cycle = math.floor(at)
    p = at - cycle
    if wave == 0:
        return -math.cos(2.0 * math.pi * p)
    if wave == 1:
        return 1.0 - 4.0 * abs(p - 0.5)
    if wave == 2:
        return 2.0 * p - 1.0
    if wave == 3:
        return 1.0 - 2.0 * p
    if wave == 4:
        return 1.0 if p < 0.5 else -1.0
    if wave == 5:
        return -1.0 if p < 0.5 else 1.0
    if wave == 6:
        return scatter(seed, cycle + 1.0)
    smooth = p * p * (3.0 - 2.0 * p)
    return (1.0 - smooth) * scatter(seed, cycle + 1.0) + smooth * scatter(seed, cycle + 2.0)


@njit(cache=True, **_FAST)
def modulate(  # type: ignore[no-untyped-def]
    base, route_inputs, sources, depths, inner_sources, inner_depths, static, lfos, extras,
    reached, edges, note_off, rate, first, known, cycles, u,
):  # fmt: skip
    """Work out all inputs of all lanes at the edges of a segment's blocks.

    Args:
        base: (lanes, inputs) float64, where the knobs stand.
        route_inputs: (routes,) int64, the input that a route moves.
        sources: (lanes, routes) int64.
        depths: (lanes, routes) float64, in the input's unit.
        inner_sources: (lanes, INNER) int64.
        inner_depths: (lanes, INNER) float64.
        static: (lanes, SOURCES) float64, sources that stand still; GATE is set here.
        lfos: (lanes, 2, LFO_FIELDS) float64.
        extras: (lanes, EXTRAS) float64.
        reached: see `play_envelopes`.
        edges: likewise.
        note_off: likewise.
        rate: samples per second.
        first: whether the segment is the note's first.
        known: (lanes, SOURCES) float64, the sources at the last edge; carried on.
        cycles: (lanes, 2) float64, that the LFOs have run; carried on.
        u: (lanes, inputs, blocks + 1) float64, overwritten.
    """
    count = edges.shape[0]
    read = np.zeros(2, np.bool_)
    for n in range(base.shape[0]):
        for k in range(base.shape[1]):
            for b in range(count):
                u[n, k, b] = base[n, k]
        any_route = False
        for r in range(route_inputs.shape[0]):
            if sources[n, r] != NONE and depths[n, r] != 0.0:
                any_route = True
        if not any_route:
            continue
        for k in range(2):
            read[k] = False
            for r in range(route_inputs.shape[0]):
                read[k] |= sources[n, r] == LFO_1 + k
            for r in range(inner_sources.shape[1]):
                read[k] |= inner_sources[n, r] == LFO_1 + k
        value = known[n]
        if first:
            for k in range(SOURCES):
                value[k] = static[n, k]
        for b in range(count):
            time = edges[b] / rate
            span = 0.0
            if b > 0:
                span = (edges[b] - edges[b - 1]) / rate
            value[GATE] = 1.0 if edges[b] < note_off or edges[b] == 0 else 0.0
            for k in range(2):
                level = reached[n, k, b]
                steps = extras[n, STEPS_ENV_1 + k]
                if steps > 0.0:
                    level = round(level * steps) / steps
                value[ENV_1 + k] = level * extras[n, LEVEL_ENV_1 + k]
            for k in range(2):
                if not read[k]:
                    continue
                octaves = inner_depths[n, TO_LFO_1_RATE + k]
                if octaves != 0.0:
                    octaves *= value[inner_sources[n, TO_LFO_1_RATE + k]]
                    octaves = 2.0 ** min(10.0, max(-10.0, octaves))
                else:
                    octaves = 1.0
                cycles[n, k] += span * lfos[n, k, LFO_RATE] * octaves
                trim = lfos[n, k, LFO_TRIM]
                depth = 1.0 - trim + trim * value[inner_sources[n, TO_LFO_1_DEPTH + k]]
                if time < lfos[n, k, LFO_FADE]:
                    depth *= time / lfos[n, k, LFO_FADE]
                at = cycles[n, k]
                if lfos[n, k, LFO_SINGLE] > 0.0:
                    at = min(at, 1.0)
                seed = lfos[n, k, LFO_SEED]
                wave = lfo_value(int(lfos[n, k, LFO_WAVE]), at + lfos[n, k, LFO_PHASE], seed)
                if lfos[n, k, LFO_UNIPOLAR] > 0.0:
                    wave = 0.5 * (wave + 1.0)
                value[LFO_1 + k] = depth * wave
            value[RECTIFY] = abs(value[inner_sources[n, TO_RECTIFY]])
            value[INVERT] = -value[inner_sources[n, TO_INVERT]]
            steps = extras[n, QUANTISE]
            value[QUANTISED] = (
                math.floor(value[inner_sources[n, TO_QUANTISE]] * steps + 0.5) / steps
            )
            goal = value[inner_sources[n, TO_LAG]]
            if not (first and b == 0) and inner_sources[n, TO_LAG] != NONE:
                goal += (value[LAGGED] - goal) * math.exp(-span / max(1e-4, extras[n, LAG]))
            value[LAGGED] = goal
            value[ADDER] = value[inner_sources[n, TO_ADD_1]] + value[inner_sources[n, TO_ADD_2]]
            factor = value[inner_sources[n, TO_MULTIPLY_2]]
            value[MULTIPLY] = value[inner_sources[n, TO_MULTIPLY_1]] * factor
            for k in range(SOURCES):
                value[k] = min(SOURCE_LIMIT, max(-SOURCE_LIMIT, value[k]))
            for r in range(route_inputs.shape[0]):
                if sources[n, r] != NONE:
                    u[n, route_inputs[r], b] += depths[n, r] * value[sources[n, r]]


@njit(cache=True, **_FAST)
def play_pitches(  # type: ignore[no-untyped-def]
    u, oscillators, edges, rate, glide, drift, drift_samples, phase, phases
):  # fmt: skip
    """Phases of all oscillators through a segment.

    Args:
        u: see `modulate`; its first inputs are the oscillators' MIDI pitches.
        oscillators: how many.
        edges: (blocks + 1,) int64.
        rate: samples per second.
        glide: (lanes, oscillators, 2) float64: semitones beside its pitch that an oscillator starts
            from, and samples until it is there.
        drift: (lanes, oscillators, nodes) float64, semitones.
        drift_samples: between two nodes.
        phase: (lanes, oscillators) float64, cycles; carried on.
        phases: (blocks, 3 * oscillators, 32) float32, overwritten: phase at the block's start,
            cycles per sample, and half of what these grow by per sample.
    """
    blocks = edges.shape[0] - 1
    for n in range(u.shape[0]):
        for k in range(oscillators):
            at = phase[n, k]
            here = 0.0
            last_pitch = -1e9
            hertz = 0.0
            for b in range(blocks + 1):
                pitch = u[n, k, b]
                if edges[b] < glide[n, k, 1]:
                    pitch += glide[n, k, 0] * (1.0 - edges[b] / glide[n, k, 1])
                if pitch != last_pitch:
                    hertz = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
                    last_pitch = pitch
                node = edges[b] // drift_samples
                between = edges[b] / drift_samples - node
                away = drift[n, k, node] * (1.0 - between) + drift[n, k, node + 1] * between
                away *= 0.05776226504666211
                there = min(HIGHEST_INCREMENT, hertz / rate * (1.0 + away * (1.0 + 0.5 * away)))
                if b > 0:
                    samples = edges[b] - edges[b - 1]
                    growth = (there - here) / samples
                    phases[b - 1, 3 * k, n] = at
                    phases[b - 1, 3 * k + 1, n] = here
                    phases[b - 1, 3 * k + 2, n] = 0.5 * growth
                    at += samples * (here + 0.5 * samples * growth)
                    at -= math.floor(at)
                here = there
            phase[n, k] = at


@njit(cache=True, **_FAST)
def slopes(p, edges, q):  # type: ignore[no-untyped-def]
    """Growth per sample of every coefficient: of one row more than q has."""
    for b in range(edges.shape[0] - 1):
        inverse = np.float32(1.0 / (edges[b + 1] - edges[b]))
        for k in range(p.shape[1]):
            for n in range(p.shape[2]):
                q[b, k, n] = (p[b + 1, k, n] - p[b, k, n]) * inverse
