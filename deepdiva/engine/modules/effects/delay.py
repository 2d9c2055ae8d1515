"""Delay: three taps on one line, whose centre tap feeds back through a high-pass and a low-pass.

The line takes the mean of both channels; the left and the right tap sound on their side, the centre
tap on both. Tape wobble (wow) moves all taps. Times as documented, the rest is uncalibrated.
"""

from __future__ import annotations

import math

import numpy as np

from deepdiva.engine.dsp.blocks import glide, onward, put, ring, sine, smooth
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    left, centre, right, side, middle, feedback, highpass, lowpass, dry, wow, phase = u
    highest, lowest, wobble, wow_hertz, limit = c
    excursion = wobble * wow * wow * rate / (2.0 * math.pi * wow_hertz)
    times = [max(80.0 + excursion, float(round(t * rate))) for t in (left, centre, right)]
    high = math.exp(-2.0 * math.pi * highest * highpass**3 / rate)
    hertz = lowest * (20000.0 / lowest) ** lowpass / max(1e-9, 1.0 - lowpass**8)
    low = math.exp(-2.0 * math.pi * hertz / rate)
    size = ring(max(times) + excursion)
    return (*times, side, middle, feedback, high, low, dry, excursion, wow_hertz / rate, phase,
            limit, size)  # fmt: skip


def memory(p):
    return int(p[-1]) + 128


def play(left, right, p, line, s):
    (to_left, to_centre, to_right, side, middle, feedback, high, low, dry, excursion, increment,
     phase, limit, cells) = p  # fmt: skip
    size = int(cells)
    d, g_side, g_middle = np.float32(dry), np.float32(side), np.float32(middle)
    g, h, c, most = np.float32(feedback), np.float32(high), np.float32(low), np.float32(limit)
    at = int(s[0])
    cycles = s[1]
    below, above = np.float32(s[2]), np.float32(s[3])
    taps = np.empty(192, np.float32)
    back = np.empty(64, np.float32)
    low_part = np.empty(64, np.float32)
    here = excursion * sine(phase + cycles)
    for begin in range(0, left.shape[0], 64):
        x = left[begin : begin + 64]
        y = right[begin : begin + 64]
        cycles += 64 * increment
        there = excursion * sine(phase + cycles)
        for k in range(3):
            time = to_left if k == 0 else (to_centre if k == 1 else to_right)
            glide(line, 0, size, at, time + here, time + there, 64, taps, 64 * k)
        below = smooth(taps, 64, h, below, low_part, 64)
        for i in range(64):
            low_part[i] = taps[64 + i] - low_part[i]
        above = smooth(low_part, 0, c, above, back, 64)
        for i in range(64):
            back[i] = min(most, max(-most, 0.5 * (x[i] + y[i]) + g * back[i]))
        put(line, 0, size, at, back, 0, np.float32(1.0), 64)
        for i in range(64):
            x[i] = d * x[i] + g_side * taps[i] + g_middle * taps[64 + i]
            y[i] = d * y[i] + g_side * taps[128 + i] + g_middle * taps[64 + i]
        here = there
        at = onward(size, at, 64)
    s[0], s[1], s[2], s[3] = at, cycles, below, above


_GUESS = Confidence.GUESS

MODULE = Module(
    slot=Slot.EFFECT,
    name="delay",
    version=1,
    inputs=(
        Input("left", "s", 0.0, 12.0, "time of the left tap", 0.25),
        Input("centre", "s", 0.0, 12.0, "time of the centre tap", 0.5),
        Input("right", "s", 0.0, 12.0, "time of the right tap", 0.5),
        Input("side_level", "", 0.0, 1.0, "level of the left and right taps", 0.2),
        Input("centre_level", "", 0.0, 1.0, "level of the centre tap"),
        Input("feedback", "", 0.0, 1.0, "gain of the loop: 1 is endless", 0.25),
        Input("highpass", "", 0.0, 1.0, "corner of the loop's high-pass; 0: none"),
        Input("lowpass", "", 0.0, 1.0, "corner of the loop's low-pass; 1: none", 1.0),
        Input("dry", "", 0.0, 1.0, "level of what comes in", 1.0),
        Input("wow", "", 0.0, 1.0, "wobble of the tape", 0.5),
        Input("phase", "cycles", 0.0, 1.0, "where the wobble starts"),
    ),
    constants=(
        Constant("highest", 5000.0, 1000.0, 10000.0, "Hz", _GUESS, "high-pass at 100"),
        Constant("lowest", 200.0, 50.0, 500.0, "Hz", _GUESS, "low-pass at 0"),
        Constant("wobble", 0.01, 0.002, 0.02, "", _GUESS, "change of speed at Wow 100"),
        Constant("wow_hertz", 0.7, 0.4, 3.0, "Hz", _GUESS, "rate of the wobble"),
        Constant("limit", 4.0, 2.0, 8.0, "", _GUESS, "where the line clips"),
    ),
    coefficients=(
        "left", "centre", "right", "side", "middle", "feedback", "high", "low", "dry", "excursion",
        "increment", "phase", "limit", "cells",
    ),
    states=("at", "cycles", "below", "above"),
    controls=controls,
    step=play,
    memory=memory,
)  # fmt: skip
