"""DCO: the oscillator of an Alpha Juno, whose waves are made of the bits of one counter.

Squares at 8, 4, 2, 1, 1/2 and 1/4 of the frequency f gate a falling saw and each other:

- pulse 1 to 3: high for 1/2, for 1/4, for the width.
- saw 1 to 5: plain; gated by 2f; by a pulse at 2f of the width; by 8f; by 8f and 2f.
- sub 0 to 5: f/2; f/2 and f; f/2 and 2f; f/2 and 8f; f/4; f/4 and f/2.

Which shapes there are was measured on the instrument (boochow.com, "Roland Alpha Juno no DCO",
2017); their order between saw 3 and the ends is a guess, and nothing is calibrated. The phase that
comes in runs two octaves low, so that all squares are read from it. Every jump and every turn
stands at a known place of it and is band-limited there (`dsp.edges`). No wave has DC. Where a gate
is too fast for that (8f beyond a third of the sample rate) its mean takes its place.
"""

from __future__ import annotations

import numpy as np

from deepdiva.engine.dsp.edges import kink, nearest
from deepdiva.engine.dsp.edges import step as edge
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 0.49
_NEAR = 1e-4
"""What a whole number may lack after a division, cycles."""
_FASTEST_GATE = 0.33


def _is(value: float, wanted: float) -> float:
    return 1.0 if abs(value - wanted) < 0.5 else 0.0


def controls(u, c, rate):
    pulse, saw, sub, width, sub_level, noise = u
    gain, sub_gain, noise_gain = c
    high = min(1.0, max(0.5, width))
    twice = _is(saw, 2.0) + _is(saw, 3.0)
    both = _is(saw, 5.0)
    fast = _is(saw, 4.0) + both
    saw_rate = 1.0 + twice + 7.0 * fast
    share = 1.0 - 0.5 * (_is(saw, 2.0) + fast) - (1.0 - high) * _is(saw, 3.0)
    # Twice the mean of the saw where the gate is open; gated twice it is open in 4 eighths of 8.
    mean = share * (1.0 + (1.0 - share) / saw_rate)
    mean += both * (0.328125 - mean)
    sub_length = 1.0 + _is(sub, 1.0) + _is(sub, 5.0) + 3.0 * _is(sub, 2.0) + 15.0 * _is(sub, 3.0)
    return (
        gain * (1.0 if pulse > 0.5 else 0.0),
        0.5 * _is(pulse, 1.0) + 0.25 * _is(pulse, 2.0) + high * _is(pulse, 3.0),
        gain * (1.0 if saw > 0.5 else 0.0) + 1e-9,
        saw_rate,
        share,
        1.0 + 3.0 * both,
        mean,
        share * (1.0 - 0.5 * both),
        gain * sub_gain * min(1.0, max(0.0, sub_level)),
        2.0 - (1.0 if sub > 3.5 else 0.0),
        sub_length,
        gain * noise_gain * min(1.0, max(0.0, noise)),
    )


def _fade(increment: float) -> float:
    return min(1.0, max(0.0, (_HIGHEST - increment) * 14.285714285714286))


def _rest(distance: float) -> float:
    """What a band-limited step from 0 to 1 has beyond the bare one."""
    return 0.5 * (edge(distance) - (1.0 if distance >= 0.0 else -1.0))


def _even(count: float, length: float) -> float:
    """Whether the square that changes every half of `length` counts is high.

    Read a quarter of a count later: compilers may divide by way of a reciprocal that is not exact.
    """
    place = (count + 0.25) / length
    return 1.0 if place - np.floor(place) < 0.5 else 0.0


def _gated_saw(phase: float, increment: float, rate: float, share: float, length: float) -> float:
    """A saw from 1 down to 0 behind one or two gates, band-limited.

    Args:
        phase: cycles.
        increment: cycles per sample.
        rate: of the faster gate, openings per cycle.
        share: of the time that it is open.
        length: of the slower gate's cycle, in openings of the faster; 1 for none.
    """
    at = phase * rate
    inverse = 1.0 / (increment * rate)
    shut = at - share
    rise = np.floor(at + 0.5)
    fall = np.floor(shut + 0.5)
    cycle = 1.0 / rate
    rise_place = rise * cycle
    fall_place = fall * cycle
    # The saw where the gate opens and where it shuts; of whole numbers, so that none is misread.
    rise_height = 1.0 - (rise_place - np.floor(rise_place + _NEAR))
    fall_height = 1.0 - (fall_place - np.floor(fall_place + _NEAR)) - share * cycle
    number = np.floor(at)
    bare = (number - np.floor(shut)) * _even(number, length) * (1.0 - (phase - np.floor(phase)))
    after = (at - rise) * inverse
    rises = _even(rise, length) * (rise_height * _rest(after) - increment * kink(after))
    after = (shut - fall) * inverse
    falls = _even(fall, length) * (fall_height * _rest(after) - increment * kink(after))
    return bare + rises - falls


def _gates(phase: float, increment: float, rate: float, length: float) -> float:
    """A square behind another one, 0 or 1, band-limited; arguments as in `_gated_saw`."""
    at = phase * rate
    inverse = 1.0 / (increment * rate)
    shut = at - 0.5
    rise = np.floor(at + 0.5)
    fall = np.floor(shut + 0.5)
    number = np.floor(at)
    bare = (number - np.floor(shut)) * _even(number, length)
    rises = _even(rise, length) * _rest((at - rise) * inverse)
    falls = _even(fall, length) * _rest((shut - fall) * inverse)
    return bare + rises - falls


def step(x, p, s):
    quarter, slow, white = x
    (
        pulse, high, saw, saw_rate, share, saw_length, saw_mean, saw_left,
        sub, sub_rate, sub_length, noise,
    ) = p  # fmt: skip
    phase = 4.0 * quarter
    increment = 4.0 * slow
    inverse = 1.0 / increment
    e = nearest(phase)
    plain = edge(e * inverse) - 2.0 * e
    e = nearest(phase - high)
    narrow = plain - (edge(e * inverse) - 2.0 * e)
    gated = 2.0 * _gated_saw(phase, increment, saw_rate, share, saw_length) - saw_mean
    # A gate that is too fast leaves its mean.
    clear = min(1.0, max(0.0, (_FASTEST_GATE - increment * saw_rate) * 12.5))
    clear = 1.0 if saw_rate < 1.5 else clear
    chopped = saw_left * plain
    chopped += clear * (gated - chopped)
    fast = sub_rate * sub_length
    length = sub_length if slow * fast < _FASTEST_GATE else 1.0
    both = 0.5 if sub_length > 1.5 else 1.0
    mean = 0.25 if length > 1.5 else 0.5
    weight = 2.0 if length > 1.5 else 2.0 * both
    below = weight * (_gates(quarter, slow, sub_rate * length, length) - mean)
    first = _fade(increment) * (pulse * narrow + saw * chopped)
    tone = first + _fade(slow * sub_rate) * sub * below
    return (tone, noise * white, first), s


def noisy(inputs):
    """Which lanes want noise."""
    return inputs[:, 5] > 0.0


MODULE = Module(
    slot=Slot.OSCILLATOR,
    name="dco",
    version=1,
    inputs=(
        Input("pulse", "", 0.0, 3.0, "shape of the pulse; 0 none", 1.0),
        Input("saw", "", 0.0, 5.0, "shape of the saw; 0 none"),
        Input("sub", "", 0.0, 5.0, "shape of the sub oscillator; from 4 on two octaves down"),
        Input("width", "cycle", 0.5, 1.0, "high share of pulse 3 and of the gate of saw 3", 0.5),
        Input("sub_level", "", 0.0, 1.0, "level of the sub oscillator"),
        Input("noise", "", 0.0, 1.0, "level of the noise"),
    ),
    constants=(
        Constant("level_gain", 0.436, 0.35, 0.55, "", Confidence.GUESS, "gain of pulse and saw"),
        Constant("sub_gain", 1.0, 0.7, 1.3, "", Confidence.GUESS, "sub oscillator against pulse"),
        Constant("noise_gain", 0.3, 0.1, 0.6, "", Confidence.GUESS, "noise against pulse"),
    ),
    coefficients=(
        "pulse",
        "high",
        "saw",
        "saw_rate",
        "share",
        "saw_length",
        "saw_mean",
        "saw_left",
        "sub",
        "sub_rate",
        "sub_length",
        "noise",
    ),
    states=(),
    controls=controls,
    step=step,
    noisy=noisy,
    oscillators=1,
)
