"""Envelopes as the sample loop plays them: in each block the lower of a rise and a fall.

Every stage is `e <- max(bottom, factor * e + step)` once a sample: an exponential, or a line where
the factor is 1. That holds for all of Diva's envelope models; they differ in numbers.

What is kept on disk here calls nothing of another file and reads no constant of one: numba compares
the file of the outermost function alone.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from deepdiva.compiled_code import njit

ATTACK, DECAY, RELEASE = range(3)
FACTOR, STEP, BOTTOM = range(3)
CURVE: Final = 7
_RISE, _FALL, _BOTTOM = 0, 3, 6
_FAST = {"error_model": "numpy", "fastmath": True, "nogil": True}

_FLOOR: Final = 1e-15
"""Level below which no envelope falls: it keeps the filters' states clear of denormal numbers."""

_STEEPEST: Final = 60.0
"""Time constants that a decay may run back from its peak to the start of the block."""


@njit(**_FAST)
def travel(factor, step, samples):  # type: ignore[no-untyped-def]
    """What `e <- factor * e + step` does to a level in so many samples: factor and step."""
    if factor < 1.0:
        kept = math.exp(samples * math.log(factor))
        return kept, step * (1.0 - kept) / (1.0 - factor)
    return 1.0, step * samples


@njit(**_FAST)
def _steps_to_one(level, factor, step):  # type: ignore[no-untyped-def]
    if factor == 1.0:
        return (1.0 - level) / step
    goal = step / (1.0 - factor)
    return math.log((goal - 1.0) / (goal - level)) / math.log(factor)


@njit(**_FAST)
def advance(shape, stage, level, whole_factor, whole_step, samples, curve):  # type: ignore[no-untyped-def]
    """Bring an envelope to the end of a block.

    Args:
        shape: (3, 3) float64, `factor, step, bottom` of attack, decay and release.
        stage: the current one.
        level: at the block's start.
        whole_factor: of `travel` for this stage and block.
        whole_step: likewise.
        samples: of the block.
        curve: (CURVE,) float64: level, factor and step of the rise, the same of the fall, and where
            the fall ends; overwritten.

    Returns:
        Stage and level at the block's end.
    """
    moving = _FALL if stage != ATTACK else _RISE
    still = _RISE if stage != ATTACK else _FALL
    curve[moving] = level
    curve[moving + 1] = shape[stage, FACTOR]
    curve[moving + 2] = shape[stage, STEP]
    curve[still] = 1.0
    curve[still + 1] = 1.0
    curve[still + 2] = 0.0
    curve[_BOTTOM] = max(_FLOOR, shape[stage, BOTTOM])
    end = max(curve[_BOTTOM], level * whole_factor + whole_step)
    if stage != ATTACK or end < 1.0:
        return stage, end
    # The decay begins where the attack reaches 1. Seen from there it runs both ways: it lies above
    # the attack before, and below it after.
    peak = _steps_to_one(curve[_RISE], curve[_RISE + 1], curve[_RISE + 2])
    factor = shape[DECAY, FACTOR]
    step = shape[DECAY, STEP]
    if factor < 1.0:
        goal = step / (1.0 - factor)
        speed = min(-math.log(factor), _STEEPEST / max(1.0, peak))
        curve[_FALL] = goal + (1.0 - goal) * math.exp(speed * peak)
        curve[_FALL + 1] = math.exp(-speed)
        curve[_FALL + 2] = goal * -math.expm1(-speed)
        there = goal + (1.0 - goal) * math.exp(speed * (peak - samples))
    else:
        curve[_FALL] = 1.0 - peak * step
        curve[_FALL + 2] = step
        there = 1.0 + (samples - peak) * step
    curve[_BOTTOM] = max(_FLOOR, shape[DECAY, BOTTOM])
    return DECAY, max(curve[_BOTTOM], there)


@njit(**_FAST)
def straight(before, after, samples, curve):  # type: ignore[no-untyped-def]
    """Turn a block's curve into a line: for envelopes in steps, or of a shape of their own."""
    curve[_RISE] = before
    curve[_RISE + 1] = 1.0
    curve[_RISE + 2] = (after - before) / samples
    curve[_FALL] = 1.0
    curve[_FALL + 1] = 1.0
    curve[_FALL + 2] = 0.0
    curve[_BOTTOM] = 0.0


@njit(cache=True, **_FAST)
def play_envelopes(shapes, heard, quantised, edges, note_off, levels, stages, reached, curves):  # type: ignore[no-untyped-def]
    """Run all envelopes of all lanes through a segment.

    Args:
        shapes: (lanes, 3, 3, 3) float64: envelope (1, 2, amplifier's), stage, and its numbers.
        heard: (3,) bool, which envelopes to run; the others stay at 0.
        quantised: (lanes, 3) float64, levels to which envelopes are rounded; 0 for none.
        edges: (blocks + 1,) int64, first sample of each block and the end of the last.
        note_off: sample of the key's release; an edge.
        levels: (lanes, 3) float64; carried on.
        stages: (lanes, 3) int64; carried on.
        reached: (lanes, 2, blocks + 1) float64, overwritten: levels of envelopes 1 and 2.
        curves: (blocks, CURVE, 32) float32, overwritten: the amplifier's.
    """
    curve = np.zeros(CURVE)
    for n in range(shapes.shape[0]):
        for e in range(3):
            if not heard[e]:
                continue
            shape = shapes[n, e]
            level = levels[n, e]
            stage = stages[n, e]
            last_stage = -1
            last_samples = -1
            factor = 1.0
            step = 0.0
            steps = quantised[n, e]
            for b in range(edges.shape[0] - 1):
                if edges[b] >= note_off:
                    stage = RELEASE
                samples = edges[b + 1] - edges[b]
                if stage != last_stage or samples != last_samples:
                    factor, step = travel(shape[stage, 0], shape[stage, 1], samples)
                    last_stage, last_samples = stage, samples
                if e < 2:
                    reached[n, e, b] = level
                before = level
                stage, level = advance(shape, stage, level, factor, step, samples, curve)
                if e == 2:
                    if steps > 0.0:
                        here = round(before * steps) / steps
                        straight(here, round(level * steps) / steps, samples, curve)
                    for k in range(CURVE):
                        curves[b, k, n] = curve[k]
            if e < 2:
                reached[n, e, edges.shape[0] - 1] = level
            levels[n, e] = level
            stages[n, e] = stage
