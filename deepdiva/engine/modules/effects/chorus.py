"""Chorus: bucket brigades whose clocks wobble.

Classic and dramatic: two delays, moved in opposite directions by one triangle, the first of them on
the left and the second on the right, as in the Juno-60 (delays of some 1.7 to 5.4 ms at 0.5 Hz, and
0.8 Hz for its second setting). Ensemble: three delays, moved by a slow and a fast sine at 120
degrees to each other, as in the Solina (0.6 and 6 Hz; J. Haible, "Triple Chorus"). Depth 0 leaves
classic and dramatic a static colour. Figures of the hardware; no sound of Diva has judged them.
"""

from __future__ import annotations

import math

import numpy as np

from deepdiva.engine.dsp.blocks import glide, onward, put, ring, sine, smooth, triangle
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    kind, speed, depth, wet, phase = u
    share, octaves, classic, dramatic, slow, fast, centre_ms, sweep_ms, more, slow_ms, fast_ms, \
        least, corner = c  # fmt: skip
    faster = 2.0 ** (octaves * (speed - 0.5))
    ensemble = round(kind) == 2
    ms = 0.001 * rate
    if ensemble:
        depth = least + (1.0 - least) * depth
        moves = (slow * faster / rate, fast * faster / rate, slow_ms * depth * ms,
                 fast_ms * depth * ms)  # fmt: skip
        shape = (1.0, 1.0 / 3.0, 2.0 / 3.0, 0.7, 0.7)
    else:
        hertz, deeper = (classic, 1.0) if round(kind) == 0 else (dramatic, more)
        moves = (hertz * faster / rate, 0.0, sweep_ms * deeper * depth * ms, 0.0)
        shape = (0.0, 0.5, 0.0, 1.0, 0.0)
    centre = max(centre_ms * ms, moves[2] + moves[3] + 4.0)
    low = math.exp(-2.0 * math.pi * min(corner, 0.45 * rate) / rate)
    size = ring(centre + moves[2] + moves[3] + 8.0)
    return (1.0 - share * wet, share * wet, centre, *moves, *shape, low, phase, size)


def memory(p):
    return int(p[-1]) + 128


def play(left, right, p, line, s):
    (dry, wet, centre, slow, fast, slow_depth, fast_depth, rounded, second, third, side, middle,
     low, phase, cells) = p  # fmt: skip
    size = int(cells)
    d = np.float32(dry)
    c = np.float32(low)
    at = int(s[0])
    slowly, fastly = s[1], s[2]
    one, two = np.float32(s[3]), np.float32(s[4])
    a = np.empty(64, np.float32)
    into = np.empty(64, np.float32)
    here = np.empty(3, np.float64)
    there = np.empty(3, np.float64)
    for begin in range(-64, left.shape[0], 64):
        for k in range(3):
            offset = phase + (second if k == 1 else (third if k == 2 else 0.0))
            wave = sine(slowly + offset) if rounded > 0.5 else triangle(slowly + offset)
            there[k] = centre + slow_depth * wave + fast_depth * sine(fastly + offset)
        if begin >= 0:
            x = left[begin : begin + 64]
            y = right[begin : begin + 64]
            for i in range(64):
                into[i] = x[i] + y[i]
            one = smooth(into, 0, c, one, a, 64)
            two = smooth(a, 0, c, two, into, 64)
            put(line, 0, size, at, into, 0, np.float32(0.5), 64)
            for i in range(64):
                x[i] = d * x[i]
                y[i] = d * y[i]
            for k in range(3 if middle > 0.0 else 2):
                glide(line, 0, size, at, here[k], there[k], 64, a, 0)
                to_left = np.float32(wet * (side if k == 0 else (middle if k == 2 else 0.0)))
                to_right = np.float32(wet * (side if k == 1 else (middle if k == 2 else 0.0)))
                for i in range(64):
                    x[i] += to_left * a[i]
                    y[i] += to_right * a[i]
            at = onward(size, at, 64)
        here[0], here[1], here[2] = there[0], there[1], there[2]
        if begin + 64 < left.shape[0]:
            slowly += 64 * slow
            fastly += 64 * fast
    s[0], s[1], s[2], s[3], s[4] = at, slowly, fastly, one, two


_GUESS = Confidence.GUESS

MODULE = Module(
    slot=Slot.EFFECT,
    name="chorus",
    version=1,
    inputs=(
        Input("type", "", 0.0, 2.0, "0 classic, 1 dramatic, 2 ensemble"),
        Input("rate", "", 0.0, 1.0, "speed", 0.5),
        Input("depth", "", 0.0, 1.0, "how far delays move", 0.5),
        Input("wet", "", 0.0, 1.0, "share of the delayed sound", 1.0),
        Input("phase", "cycles", 0.0, 1.0, "where the wobble starts"),
    ),
    constants=(
        Constant("share", 0.5, 0.4, 1.0, "", _GUESS, "delayed part of the sound at Wet 100"),
        Constant("octaves", 5.0, 3.0, 7.0, "octaves", _GUESS, "range of Rate"),
        Constant("classic_hertz", 0.5, 0.4, 0.6, "Hz", _GUESS, "classic at Rate 50"),
        Constant("dramatic_hertz", 0.8, 0.6, 1.0, "Hz", _GUESS, "dramatic at Rate 50"),
        Constant("slow_hertz", 0.6, 0.2, 0.8, "Hz", _GUESS, "ensemble's slow wave at Rate 50"),
        Constant("fast_hertz", 6.0, 5.0, 7.0, "Hz", _GUESS, "ensemble's fast wave at Rate 50"),
        Constant("centre_ms", 3.5, 3.0, 8.0, "ms", _GUESS, "delay in the middle of the sweep"),
        Constant("sweep_ms", 1.85, 1.0, 3.0, "ms", _GUESS, "sweep at Depth 100, each way"),
        Constant("dramatic_depth", 1.4, 1.0, 2.0, "", _GUESS, "sweep of dramatic over classic"),
        Constant("slow_ms", 1.5, 0.5, 2.0, "ms", _GUESS, "ensemble's slow sweep at Depth 100"),
        Constant("fast_ms", 0.25, 0.1, 0.3, "ms", _GUESS, "ensemble's fast sweep at Depth 100"),
        Constant("least_depth", 0.25, 0.0, 0.5, "", _GUESS, "ensemble's depth at Depth 0"),
        Constant("corner", 10000.0, 6000.0, 14000.0, "Hz", _GUESS, "filters around the brigade"),
    ),
    coefficients=(
        "dry", "wet", "centre", "slow", "fast", "slow_depth", "fast_depth", "rounded", "second",
        "third", "side", "middle", "low", "phase", "cells",
    ),
    states=("at", "slowly", "fastly", "one", "two"),
    controls=controls,
    step=play,
    memory=memory,
)  # fmt: skip
