"""High-pass Post: a switch behind the main filter, as in a Juno-106. Uncalibrated.

Position -1 lifts the bass by a shelf, 0 is flat, 1 to 3 are one-pole high-passes. The corners are
guesses of the order that owners of the hardware report for its switch.
"""

from __future__ import annotations

import math

from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    (position,) = u
    shelf, boost, first, second, third = c
    hertz = shelf
    keep = 0.0
    if position < -0.5:
        keep = boost
    elif position > 0.5:
        keep = -1.0
        hertz = first if position < 1.5 else (second if position < 2.5 else third)
    warp = math.tan(math.pi * min(0.45, hertz / rate))
    return warp / (1.0 + warp), keep


def step(x, p, s):
    gain, keep = p
    (z,) = s
    move = gain * (x - z)
    low = move + z
    return x + keep * low, (low + move,)


MODULE = Module(
    slot=Slot.HIGHPASS,
    name="post",
    version=1,
    inputs=(Input("position", "", -1.0, 3.0, "-1 boost, 0 flat, 1 to 3 cut"),),
    constants=(
        Constant("shelf", 90.0, 60.0, 150.0, "Hz", Confidence.GUESS, "corner of the boost"),
        Constant("boost", 1.0, 0.4, 2.0, "", Confidence.GUESS, "gain of the bass that is added"),
        Constant("first", 120.0, 80.0, 240.0, "Hz", Confidence.GUESS, "corner at 1"),
        Constant("second", 270.0, 180.0, 400.0, "Hz", Confidence.GUESS, "corner at 2"),
        Constant("third", 720.0, 500.0, 900.0, "Hz", Confidence.GUESS, "corner at 3"),
    ),
    coefficients=("gain", "keep"),
    states=("z",),
    controls=controls,
    step=step,
    after_filter=True,
)
