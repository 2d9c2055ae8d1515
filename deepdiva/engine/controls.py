"""What is worked out once a block, for each lane: envelopes, coefficients, levels."""

from __future__ import annotations

import math
from typing import Final

from deepdiva.compiled_code import njit
from deepdiva.engine import filters as f
from deepdiva.engine import voices as v
from deepdiva.engine.compiling import FAST

HIGHEST_INCREMENT: Final = 0.49
"""Cycles per sample that no oscillator exceeds."""

FADE_FROM: Final = 0.42
"""Cycles per sample from which an oscillator fades out, until the highest increment."""

FAINT: Final = 1e-9
"""Gain of a silent oscillator: what keeps the filters' states clear of denormal numbers."""

_HUSH: Final = 1e-15
"""Level below which no envelope falls, for the same reason."""

_STEEPEST: Final = 60.0
"""Time constants that a decay may run back from its peak to the start of the block."""

# Entries of the curve of an envelope in a block, in the order of the rows of `filters`.
_RISE, _FALL, _BOTTOM, CURVE = 0, 3, 6, 7

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
def travel(factor, step, samples):  # type: ignore[no-untyped-def]
    """What `e <- factor * e + step` does to a level in so many samples: factor and step."""
    if factor < 1.0:
        kept = math.exp(samples * math.log(factor))
        return kept, step * (1.0 - kept) / (1.0 - factor)
    return 1.0, step * samples


@njit(**FAST)
def _steps_to_one(level, factor, step):  # type: ignore[no-untyped-def]
    """In how many steps, not whole, `e <- factor * e + step` brings a level below 1 to 1."""
    if factor == 1.0:
        return (1.0 - level) / step
    goal = step / (1.0 - factor)
    return math.log((goal - 1.0) / (goal - level)) / math.log(factor)


@njit(**FAST)
def follow(envelopes, n, e, whole, stages, levels, curve):  # type: ignore[no-untyped-def]
    """Bring an envelope to the end of a block.

    Within the block it is the lower of a rise and a fall, one of which stands still.

    Args:
        envelopes: see `Voices`.
        n: lane.
        e: which of its envelopes.
        whole: (2,) float64, what `travel` gives for this stage and block.
        stages: (lanes, 3) int64.
        levels: (lanes, 3) float64, at the block's start; overwritten.
        curve: (CURVE,) float64, level, factor and step of the rise, the same of the fall, and where
            the fall ends; overwritten.

    Returns:
        Whether an attack is over before the block is; then `turn` has to correct all this.
    """
    stage = stages[n, e]
    here = levels[n, e]
    moving = _FALL * int(stage != v.ATTACK)
    still = _FALL - moving
    curve[moving] = here
    curve[moving + 1] = envelopes[n, e, stage, v.FACTOR]
    curve[moving + 2] = envelopes[n, e, stage, v.STEP]
    curve[still] = 1.0
    curve[still + 1] = 1.0
    curve[still + 2] = 0.0
    curve[_BOTTOM] = max(_HUSH, envelopes[n, e, stage, v.BOTTOM])
    levels[n, e] = max(curve[_BOTTOM], here * whole[0] + whole[1])
    return stage == v.ATTACK and levels[n, e] >= 1.0


@njit(**FAST)
def turn(envelopes, n, e, samples, stages, levels, curve):  # type: ignore[no-untyped-def]
    """Let the decay begin where the attack reaches 1, and not where the block ends.

    Seen from there the decay runs both ways: it lies above the attack before, and below it after.
    """
    stages[n, e] = v.DECAY
    peak = _steps_to_one(curve[_RISE], curve[_RISE + 1], curve[_RISE + 2])
    factor = envelopes[n, e, v.DECAY, v.FACTOR]
    step = envelopes[n, e, v.DECAY, v.STEP]
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
    curve[_BOTTOM] = max(_HUSH, envelopes[n, e, v.DECAY, v.BOTTOM])
    levels[n, e] = max(curve[_BOTTOM], there)


@njit(**FAST)
def quantise(steps, before, after, samples, curve):  # type: ignore[no-untyped-def]
    """Turn the curve of an envelope in steps into a line from its last level to the next."""
    here = round(before * steps) / steps
    curve[_RISE] = here
    curve[_RISE + 1] = 1.0
    curve[_RISE + 2] = (round(after * steps) / steps - here) / samples
    curve[_FALL] = 1.0
    curve[_FALL + 1] = 1.0
    curve[_FALL + 2] = 0.0
    curve[_BOTTOM] = 0.0


@njit(**FAST)
def bent(n, values, known, moved):  # type: ignore[no-untyped-def]
    """Semitones by which modulation bends both oscillators of lane n."""
    routes = moved[n, v.TO_TUNE_1] + moved[n, v.TO_TUNE_2]
    return routes + values[n, v.VIBRATO] * known[n, v.LFO_1]


@njit(**FAST)
def increment(hertz, semitones, rate):  # type: ignore[no-untyped-def]
    """Cycles per sample of an oscillator that is off its tune."""
    return min(HIGHEST_INCREMENT, hertz * 2.0 ** (semitones / 12.0) / rate)


@njit(**FAST)
def loudness(knob, cycles, laws):  # type: ignore[no-untyped-def]
    """Gain of an oscillator: its knob, faded out where its fundamental meets Nyquist."""
    fade = (HIGHEST_INCREMENT - cycles) / (HIGHEST_INCREMENT - FADE_FROM)
    gain = laws[LEVEL_GAIN] * min(1.0, max(0.0, knob)) ** laws[LEVEL_POWER]
    return max(FAINT, min(1.0, max(0.0, fade)) * gain)


@njit(**FAST)
def tone(wave, second, laws):  # type: ignore[no-untyped-def]
    """Gain of a wave of the first or second oscillator."""
    if not second:
        return laws[GAIN_TRIANGLE + wave - 1]
    return laws[GAIN_RING] if wave == 4 else laws[GAIN_SAW_2 + wave - 1]


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
def coefficients(n, values, moved, laws, rate, goal):  # type: ignore[no-untyped-def]
    """Filter and amplifier coefficients of lane n into goal, (COEFFICIENTS,) float64."""
    goal[f.HP_WARP] = _warp(values[n, v.HP_PITCH] + moved[n, v.TO_HP], rate)
    feedback = laws[HP_FEEDBACK_GAIN] * values[n, v.HP_RESONANCE] ** laws[HP_FEEDBACK_POWER]
    # Below 0 the loop, which nothing saturates, would grow without end.
    goal[f.HP_DAMPING] = max(0.0, 2.0 - feedback)
    pitch = values[n, v.LP_PITCH] + moved[n, v.TO_LP_1] + moved[n, v.TO_LP_2]
    warp = _warp(pitch, rate)
    goal[f.LP_WARP] = warp
    goal[f.LP_ZERO] = _zero(warp)
    knob = min(1.0, max(0.0, values[n, v.LP_RESONANCE] + moved[n, v.TO_RESONANCE]))
    goal[f.LP_FEEDBACK] = laws[LP_FEEDBACK_GAIN] * knob ** laws[LP_FEEDBACK_POWER]
    gain = min(4.0, max(0.0, 1.0 + moved[n, v.TO_AMPLITUDE]))
    pan = _pan_gain(values[n, v.PAN] + moved[n, v.TO_PAN])
    goal[f.AMPLITUDE] = values[n, v.LOUDNESS] * gain * pan
    goal[f.FM_DEPTH] = values[n, v.FILTER_FM] + moved[n, v.TO_FILTER_FM]
