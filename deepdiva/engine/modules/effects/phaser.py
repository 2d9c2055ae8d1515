"""Phaser: four all-passes, or a short comb, swept by a triangle.

Stoned: y = all-pass^4(x + feedback y), mixed half and half with x, as in the Small Stone: notches
where the four turn the phase by 180 and 540 degrees, tan(pi f / fs) = tan(pi fc / fs) tan(pi / 8)
and tan(3 pi / 8). Flanged: a comb of some milliseconds with feedback. No sound has judged it.
"""

from __future__ import annotations

import numpy as np

from deepdiva.engine.dsp.blocks import glide, onward, put, quiet, ring, triangle
from deepdiva.engine.dsp.powers import exp2, tan
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    kind, hertz, feedback, stereo, phase, wet, depth, centre = u
    slowest_hertz, corner, range_octaves, octaves, most, comb_ms = c
    flanged = round(kind) == 1
    half = 0.5 * octaves * depth
    offset = range_octaves * (centre - 0.5)
    widest = 0.5 if flanged else 0.25
    apart = min(widest, max(-widest, stereo))
    if flanged:
        middle = comb_ms * 0.001 * rate * 2.0**-offset
        size = ring(max(24.0, middle * 2.0**half) + 8.0)
    else:
        middle = corner * 2.0**offset / rate
        size = 64.0
    increment = max(slowest_hertz, hertz) / rate
    share = 0.5 * wet
    return (float(flanged), 1.0 - share, share, middle, half, increment, phase, apart,
            most * feedback, size)  # fmt: skip


def memory(p):
    return 2 * (int(p[-1]) + 128)


def turn(cycles):
    """Coefficient of a first-order all-pass that turns by 90 degrees at `cycles` per sample."""
    g = tan(3.141592653589793 * min(0.45, cycles))
    return (g - 1.0) / (g + 1.0)


def comb(sound, begin, lines, first, size, at, before, goal, dry, wet, feedback, scratch):
    """16 samples through a delay that moves towards a goal; returns where it comes to."""
    goal = max(20.0, goal)
    here = goal if before == 0.0 else before
    there = min(here + 2.0, max(here - 2.0, goal))
    glide(lines, first, size, at, here, there, 16, scratch, 16)
    x = sound[begin : begin + 16]
    for i in range(16):
        scratch[i] = quiet(x[i] + feedback * scratch[16 + i])
        x[i] = dry * x[i] + wet * scratch[16 + i]
    put(lines, first, size, at, scratch, 0, np.float32(1.0), 16)
    return there


def play(left, right, p, lines, s):
    flanged, dry, wet, middle, half, increment, phase, apart, feedback, cells = p
    size = int(cells)
    d, w, g = np.float32(dry), np.float32(wet), np.float32(feedback)
    cycles = s[1]
    at = int(s[0])
    x0, x1, x2, x3 = np.float32(s[2]), np.float32(s[3]), np.float32(s[4]), np.float32(s[5])
    y0, y1, y2, y3 = np.float32(s[6]), np.float32(s[7]), np.float32(s[8]), np.float32(s[9])
    x_last, y_last = np.float32(s[10]), np.float32(s[11])
    into = np.empty(32, np.float32)
    for begin in range(0, left.shape[0], 64):
        l_from = half * triangle(phase + cycles)
        r_from = half * triangle(phase + cycles + apart)
        cycles += 64 * increment
        l_to = half * triangle(phase + cycles)
        r_to = half * triangle(phase + cycles + apart)
        if flanged > 0.5:
            for k in range(4):
                part = 0.25 * (k + 1)
                there = middle * exp2(-(l_from + part * (l_to - l_from)))
                s[12] = comb(left, begin + 16 * k, lines, 0, size, at, s[12], there, d, w, g, into)
                there = middle * exp2(-(r_from + part * (r_to - r_from)))
                s[13] = comb(
                    right, begin + 16 * k, lines, size + 128, size, at, s[13], there, d, w, g, into
                )
                at = onward(size, at, 16)
        else:
            x = left[begin : begin + 64]
            y = right[begin : begin + 64]
            l_a = np.float32(turn(middle * exp2(l_from)))
            r_a = np.float32(turn(middle * exp2(r_from)))
            l_s = np.float32((turn(middle * exp2(l_to)) - l_a) / 64)
            r_s = np.float32((turn(middle * exp2(r_to)) - r_a) / 64)
            for i in range(64):
                v = x[i] + g * x_last
                u = l_a * v + x0
                x0 = v - l_a * u
                v = l_a * u + x1
                x1 = u - l_a * v
                u = l_a * v + x2
                x2 = v - l_a * u
                x_last = l_a * u + x3
                x3 = u - l_a * x_last
                x[i] = d * x[i] + w * x_last
                l_a += l_s
                v = y[i] + g * y_last
                u = r_a * v + y0
                y0 = v - r_a * u
                v = r_a * u + y1
                y1 = u - r_a * v
                u = r_a * v + y2
                y2 = v - r_a * u
                y_last = r_a * u + y3
                y3 = u - r_a * y_last
                y[i] = d * y[i] + w * y_last
                r_a += r_s
            x0, x1, x2, x3 = quiet(x0), quiet(x1), quiet(x2), quiet(x3)
            y0, y1, y2, y3 = quiet(y0), quiet(y1), quiet(y2), quiet(y3)
            x_last, y_last = quiet(x_last), quiet(y_last)
    s[0], s[1] = at, cycles
    s[2], s[3], s[4], s[5] = x0, x1, x2, x3
    s[6], s[7], s[8], s[9] = y0, y1, y2, y3
    s[10], s[11] = x_last, y_last


_GUESS = Confidence.GUESS

MODULE = Module(
    slot=Slot.EFFECT,
    name="phaser",
    version=1,
    inputs=(
        Input("type", "", 0.0, 1.0, "0 stoned, 1 flanged"),
        Input("hertz", "Hz", 0.0, 20.0, "rate of the sweep", 0.5),
        Input("feedback", "", 0.0, 1.0, "what goes round once more"),
        Input("stereo", "cycles", -0.5, 0.5, "the right sweep runs ahead of the left by"),
        Input("phase", "cycles", 0.0, 1.0, "where the sweep starts"),
        Input("wet", "", 0.0, 1.0, "1: half of the sound is swept", 1.0),
        Input("depth", "", 0.0, 1.0, "how far it sweeps", 1.0),
        Input("centre", "", 0.0, 1.0, "where it sweeps", 0.5),
    ),
    constants=(
        Constant("slowest_hertz", 0.0, 0.0, 0.05, "Hz", _GUESS, "no sweep is slower"),
        Constant("corner", 800.0, 300.0, 1500.0, "Hz", _GUESS, "all-passes' corner at Center 50"),
        Constant("range_octaves", 6.0, 3.0, 8.0, "octaves", _GUESS, "range of Center"),
        Constant("octaves", 4.0, 2.0, 6.0, "octaves", _GUESS, "sweep at Depth 100"),
        Constant("most_feedback", 0.9, 0.7, 0.98, "", _GUESS, "gain of the round at 100"),
        Constant("comb_ms", 2.0, 1.0, 5.0, "ms", _GUESS, "flanged delay at Center 50"),
    ),
    coefficients=(
        "flanged", "dry", "wet", "middle", "half", "increment", "phase", "apart", "feedback",
        "cells",
    ),
    states=(
        "at", "cycles", "x0", "x1", "x2", "x3", "y0", "y1", "y2", "y3", "x_last", "y_last",
        "left_delay", "right_delay",
    ),
    controls=controls,
    step=play,
    memory=memory,
)  # fmt: skip
