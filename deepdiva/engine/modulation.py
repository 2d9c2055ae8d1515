"""LFOs and modulation sources of one voice, worked out once a block.

What Diva calls a source is a number about -1..1; a route takes one source to one destination. The
processors (rectify, invert, quantise, lag, add, multiply) are sources that read other sources.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from deepdiva.engine import voices as v
from deepdiva.engine.compiling import FAST

LFO_STATE = 3
"""Numbers that an LFO keeps: phase in cycles since the start, and its last two random values."""


@njit(**FAST)
def scatter(seed, count):  # type: ignore[no-untyped-def]
    """A number of -1..1 for each pair of a seed (0..1) and a count; splitmix64's finaliser."""
    bits = np.uint64(seed * 4503599627370496.0) + np.uint64(count) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return np.float64(bits >> np.uint64(11)) * (2.0 / 9007199254740992.0) - 1.0


@njit(**FAST)
def lfo_value(lfo, phase, seed):  # type: ignore[no-untyped-def]
    """The wave of an LFO `phase` cycles after it started, -1..1 (0..1 if unipolar)."""
    wave = int(lfo[v.LFO_WAVE])
    if lfo[v.LFO_SINGLE] > 0.0:
        phase = min(phase, 1.0)
    at = phase + lfo[v.LFO_PHASE]
    cycle = math.floor(at)
    p = at - cycle
    if wave == 0:
        value = math.sin(2.0 * math.pi * p)
    elif wave == 1:
        value = 1.0 - 4.0 * abs(p - 0.25) if p < 0.75 else 4.0 * p - 4.0
    elif wave == 2:
        value = 2.0 * p - 1.0
    elif wave == 3:
        value = 1.0 - 2.0 * p
    elif wave == 4:
        value = 1.0 if p < 0.5 else -1.0
    elif wave == 5:
        value = -1.0 if p < 0.5 else 1.0
    elif wave == 6:
        value = scatter(seed, cycle + 1.0)
    else:
        smooth = p * p * (3.0 - 2.0 * p)
        value = (1.0 - smooth) * scatter(seed, cycle + 1.0) + smooth * scatter(seed, cycle + 2.0)
    return 0.5 * (value + 1.0) if lfo[v.LFO_UNIPOLAR] > 0.0 else value


@njit(**FAST)
def modulate(  # type: ignore[no-untyped-def]
    values, lfos, sources, depths, levels, phases, moved, gate, envelope_1, envelope_2, time, span
):
    """Bring all sources of a voice to the end of a block, and all routes with them.

    Args:
        values: (FIELDS,) float64, one lane of `Voices.values`.
        lfos: (2, LFO_FIELDS) float64.
        sources: (ROUTES,) int64.
        depths: (ROUTES,) float64.
        levels: (SOURCES,) float64, the sources at the last block's end; overwritten.
        phases: (2,) float64, cycles that the LFOs have run; overwritten.
        moved: (ROUTES,) float64, depth times source of each route; overwritten.
        gate: 1 while the key is down, else 0.
        envelope_1: 0..1, at the block's end.
        envelope_2: 0..1.
        time: seconds since the note began, at the block's end.
        span: seconds since the last call; 0 on the first.
    """
    levels[v.GATE] = gate
    levels[v.SOURCE_VELOCITY] = values[v.VELOCITY]
    levels[v.KEY_FOLLOW] = values[v.KEY]
    levels[v.KEY_FOLLOW_2] = values[v.KEY]
    levels[v.ALTERNATE] = 1.0
    levels[v.SOURCE_RANDOM] = values[v.RANDOM]
    levels[v.STACK_VOICE] = values[v.STACK]
    levels[v.SOURCE_VOICE_MAP] = values[v.VOICE_MAP]
    levels[v.ENV_1] = envelope_1
    levels[v.ENV_2] = envelope_2
    for k in range(2):
        lfo = lfos[k]
        octaves = depths[v.TO_LFO_1_RATE + k] * levels[sources[v.TO_LFO_1_RATE + k]]
        phases[k] += span * lfo[v.LFO_RATE] * 2.0 ** min(10.0, max(-10.0, octaves))
        depth = lfo[v.LFO_DEPTH]
        source = sources[v.TO_LFO_1_DEPTH + k]
        if source != v.NONE:
            depth *= levels[source]
        if time < lfo[v.LFO_FADE]:
            depth *= time / lfo[v.LFO_FADE]
        seed = values[v.NOISE] * (0.5 + 0.25 * k)
        levels[v.LFO_1 + k] = depth * lfo_value(lfo, phases[k], seed)
    levels[v.RECTIFY] = abs(levels[sources[v.TO_RECTIFY]])
    levels[v.INVERT] = -levels[sources[v.TO_INVERT]]
    steps = values[v.QUANTISE]
    levels[v.QUANT] = math.floor(levels[sources[v.TO_QUANTISE]] * steps + 0.5) / steps
    goal = levels[sources[v.TO_LAG]]
    if span > 0.0:
        goal += (levels[v.LAGGED] - goal) * math.exp(-span / max(1e-4, values[v.LAG]))
    levels[v.LAGGED] = goal
    levels[v.ADDER] = levels[sources[v.TO_ADD_1]] + levels[sources[v.TO_ADD_2]]
    levels[v.MULTIPLY] = levels[sources[v.TO_MULTIPLY_1]] * levels[sources[v.TO_MULTIPLY_2]]
    for k in range(v.SOURCES):
        levels[k] = min(4.0, max(-4.0, levels[k]))
    for k in range(v.ROUTES):
        moved[k] = depths[k] * levels[sources[k]]
