"""LFOs and modulation sources of one voice, worked out once a block.

What Diva calls a source is a number about -1..1; a route takes one source to one destination. The
processors (rectify, invert, quantise, lag, add, multiply) are sources that read other sources.
"""

from __future__ import annotations

import math

import numpy as np

from deepdiva.compiled_code import njit
from deepdiva.engine import voices as v
from deepdiva.engine.compiling import FAST


@njit(**FAST)
def scatter(seed, count):  # type: ignore[no-untyped-def]
    """A number of -1..1 for each pair of a seed (0..1) and a count; splitmix64's finaliser."""
    bits = np.uint64(seed * 4503599627370496.0) + np.uint64(count) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return np.float64(bits >> np.uint64(11)) * (2.0 / 9007199254740992.0) - 1.0


@njit(**FAST)
def lfo_value(wave, at, seed):  # type: ignore[no-untyped-def]
    """The wave of an LFO, -1..1, `at` cycles after phase 0; see `voices` for the waves' numbers."""
    cycle = math.floor(at)
    p = at - cycle
    if wave == 0:
        return math.sin(2.0 * math.pi * p)
    if wave == 1:
        return 1.0 - 4.0 * abs(p - 0.25) if p < 0.75 else 4.0 * p - 4.0
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


@njit(**FAST)
def modulate(  # type: ignore[no-untyped-def]
    n, values, lfos, sources, depths, envelopes, known, cycles, moved, gate, time, span
):
    """Bring all sources of lane n to the end of a block, and all routes with them.

    Args:
        n: lane.
        values: of `Voices`.
        lfos: of `Voices`.
        sources: of `Voices`.
        depths: of `Voices`.
        envelopes: (lanes, at least 2) float64, levels of both envelopes at the block's end, 0..1.
        known: (lanes, SOURCES) float64, the sources at the last block's end; overwritten.
        cycles: (lanes, 2) float64, cycles that the LFOs have run; overwritten.
        moved: (lanes, ROUTES) float64, depth times source of each route; overwritten.
        gate: 1 while the key is down, else 0.
        time: seconds since the note began, at the block's end.
        span: seconds since the last call; 0 on the first.
    """
    known[n, v.GATE] = gate
    known[n, v.SOURCE_VELOCITY] = values[n, v.VELOCITY]
    known[n, v.KEY_FOLLOW] = values[n, v.KEY]
    known[n, v.KEY_FOLLOW_2] = values[n, v.KEY]
    known[n, v.ALTERNATE] = 1.0
    known[n, v.SOURCE_RANDOM] = values[n, v.RANDOM]
    known[n, v.STACK_VOICE] = values[n, v.STACK]
    known[n, v.SOURCE_VOICE_MAP] = values[n, v.VOICE_MAP]
    for k in range(2):
        reached = envelopes[n, k]
        steps = values[n, v.STEPS_ENV_1 + k]
        if steps > 0.0:
            reached = round(reached * steps) / steps
        known[n, v.ENV_1 + k] = reached * values[n, v.LEVEL_ENV_1 + k]
    for k in range(2):
        octaves = depths[n, v.TO_LFO_1_RATE + k] * known[n, sources[n, v.TO_LFO_1_RATE + k]]
        octaves = min(10.0, max(-10.0, octaves))
        cycles[n, k] += span * lfos[n, k, v.LFO_RATE] * 2.0**octaves
        depth = lfos[n, k, v.LFO_DEPTH]
        source = sources[n, v.TO_LFO_1_DEPTH + k]
        if source != v.NONE:
            depth *= known[n, source]
        if time < lfos[n, k, v.LFO_FADE]:
            depth *= time / lfos[n, k, v.LFO_FADE]
        at = cycles[n, k]
        if lfos[n, k, v.LFO_SINGLE] > 0.0:
            at = min(at, 1.0)
        seed = values[n, v.NOISE] * (0.5 + 0.25 * k)
        value = lfo_value(int(lfos[n, k, v.LFO_WAVE]), at + lfos[n, k, v.LFO_PHASE], seed)
        if lfos[n, k, v.LFO_UNIPOLAR] > 0.0:
            value = 0.5 * (value + 1.0)
        known[n, v.LFO_1 + k] = depth * value
    known[n, v.RECTIFY] = abs(known[n, sources[n, v.TO_RECTIFY]])
    known[n, v.INVERT] = -known[n, sources[n, v.TO_INVERT]]
    steps = values[n, v.QUANTISE]
    known[n, v.QUANT] = math.floor(known[n, sources[n, v.TO_QUANTISE]] * steps + 0.5) / steps
    goal = known[n, sources[n, v.TO_LAG]]
    if span > 0.0:
        goal += (known[n, v.LAGGED] - goal) * math.exp(-span / max(1e-4, values[n, v.LAG]))
    known[n, v.LAGGED] = goal
    known[n, v.ADDER] = known[n, sources[n, v.TO_ADD_1]] + known[n, sources[n, v.TO_ADD_2]]
    factor = known[n, sources[n, v.TO_MULTIPLY_2]]
    known[n, v.MULTIPLY] = known[n, sources[n, v.TO_MULTIPLY_1]] * factor
    for k in range(v.SOURCES):
        known[n, k] = min(4.0, max(-4.0, known[n, k]))
    for k in range(v.ROUTES):
        moved[n, k] = depths[n, k] * known[n, sources[n, k]]
