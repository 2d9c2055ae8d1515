"""High-pass Post: a switch behind the main filter, as in the Juno: bass boost, flat, three corners.

    H(s) = (s + a w) / (s + w),  a > 1 at -1 (a shelf), 1 at 0, 0 at 1, 2 and 3 (RC high-passes)

The corners come from no document: the Juno-106's service notes were not at hand, and what is known
is only that the corners lie at a few hundred Hz. The values here are guesses spread evenly over
that octave range, as are frequency and height of the boost: uncalibrated.
"""

from __future__ import annotations

import math

from deepdiva.engine.dsp.powers import tan
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    (position,) = u
    boost, shelf, first, second, third = c
    hertz = third
    if position < 2.5:
        hertz = second
    if position < 1.5:
        hertz = first
    if position < 0.5:
        hertz = shelf
    bass = 0.0
    if position < 0.5:
        bass = 1.0
    if position < -0.5:
        bass = boost
    warp = tan(math.pi * hertz / rate)
    return warp, warp / (1.0 + warp), bass - 1.0


def step(x, p, s):
    warp, gain, bass = p
    (z,) = s
    move = gain * (x - z)
    low = move + z
    return x + bass * low, (low + move,)


def circuit(t, y, x, p, c):
    warp, gain, bass = p
    return x + bass * y[0], (2.0 * warp * (x - y[0]),)


MODULE = Module(
    slot=Slot.HIGHPASS,
    name="post",
    version=1,
    inputs=(Input("position", "", -1.0, 3.0, "-1 bass boost, 0 flat, 1 to 3 high-pass"),),
    constants=(
        Constant("boost", 2.0, 1.3, 3.5, "", Confidence.GUESS, "gain of the bass at -1"),
        Constant("shelf", 90.0, 50.0, 200.0, "Hz", Confidence.GUESS, "corner of the boost"),
        Constant("corner1", 220.0, 100.0, 300.0, "Hz", Confidence.GUESS, "corner at 1"),
        Constant("corner2", 450.0, 250.0, 600.0, "Hz", Confidence.GUESS, "corner at 2"),
        Constant("corner3", 900.0, 500.0, 1300.0, "Hz", Confidence.GUESS, "corner at 3"),
    ),
    coefficients=("warp", "gain", "bass"),
    states=("z",),
    controls=controls,
    step=step,
    circuit=circuit,
    after_filter=True,
)
