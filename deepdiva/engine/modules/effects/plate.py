"""Plate: Dattorro's reverberator.

J. Dattorro, "Effect Design, part 1: Reverberator and other filters", JAES 45 (1997), figure 1 and
tables 1 and 2: pre-delay, four all-passes, and a figure of eight of two tanks, each a wobbling
all-pass, a delay, damping, an all-pass and a delay; seven taps for each side. Delays are the
paper's, for 29,761 samples per second, times Size. No sound of Diva has judged the knobs' laws.
"""

from __future__ import annotations

import math

import numpy as np

from deepdiva.engine.dsp.blocks import allpass, glide, onward, put, ring, sine, smooth, start
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_PAPER_RATE = 29761.0
_LINES = (142, 107, 379, 277, 672, 4453, 1800, 3720, 908, 4217, 2656, 3163)
"""Delays of four diffusers, then of both tanks."""

_TAPPED = (9, 9, 10, 11, 5, 6, 7, 5, 5, 6, 7, 9, 10, 11)
_TAPS = (266, 2974, 1913, 1996, 1990, 187, 1066, 353, 3627, 1228, 2673, 2111, 335, 121)
"""Taps of the left side, then of the right; the first, second and fourth of each add."""


def controls(u, c, rate):
    before, diffusion, damp, decay, size, dry, wet, phase = u
    smallest, usual, excursion, hertz, open_hertz, octaves, longest, bandwidth = c
    scale = rate / _PAPER_RATE * (smallest + (1.0 - smallest) * size / usual)
    delays = [float(max(16, round(line * scale))) for line in _LINES]
    away = min(excursion * scale, 0.25 * delays[8])
    least = min(*delays[:4], delays[8] - 2.0 * away)
    block = 64.0 if least >= 64.0 else (32.0 if least >= 32.0 else 16.0)
    damping = min(0.45 * rate, open_hertz * 2.0 ** (-octaves * damp))
    low = math.exp(-2.0 * math.pi * damping / rate)
    band = math.exp(-2.0 * math.pi * min(0.45 * rate, bandwidth) / rate)
    pre = float(round(before * rate))
    extra = [2.0 * away + 8.0 if k in (4, 8) else 0.0 for k in range(12)]
    taps = [
        float(min(round(tap * scale), delays[k])) for k, tap in zip(_TAPPED, _TAPS, strict=True)
    ]
    rings = [ring(d + e) for d, e in zip(delays, extra, strict=True)] + [ring(pre)]
    return (dry, wet, longest * decay, 0.75 * diffusion, 0.625 * diffusion, low, band, block, away,
            hertz / rate, phase, scale, pre, *delays, *rings, *taps)  # fmt: skip


def memory(p):
    return int(sum(p[25:38])) + 13 * 128


def play(left, right, p, cells, s):
    (dry, wet, decay, diffuse1, diffuse2, low, band, block, away, increment, phase, scale,
     pre) = p[:13]  # fmt: skip
    table = np.array(p)
    n = int(block)
    length = np.empty(13, np.int64)
    size = np.empty(13, np.int64)
    first = np.empty(13, np.int64)
    at = np.empty(13, np.int64)
    end = 0
    for k in range(13):
        length[k] = int(table[13 + k]) if k < 12 else int(pre)
        size[k] = int(table[25 + k])
        first[k] = end
        end += size[k] + 128
        at[k] = int(s[k])
    cycles = s[13]
    input_band = np.float32(s[14])
    damped = np.empty(2, np.float32)
    damped[0], damped[1] = s[15], s[16]
    one, half = np.float32(1.0), np.float32(0.5)
    d, w, g = np.float32(dry), np.float32(wet * 0.6), np.float32(decay)
    c, e = np.float32(low), np.float32(band)
    dense = np.float32(min(0.5, max(0.25, decay + 0.15)))
    x = np.empty(64, np.float32)
    tank = np.empty(128, np.float32)
    q = np.empty(64, np.float32)
    out = np.empty(64, np.float32)
    for begin in range(0, left.shape[0], n):
        u = left[begin : begin + n]
        v = right[begin : begin + n]
        for i in range(n):
            q[i] = u[i] + v[i]
        input_band = smooth(q, 0, e, input_band, x, n)
        put(cells, first[12], size[12], at[12], x, 0, half, n)
        place = first[12] + start(size[12], at[12], length[12])
        row = cells[place : place + n]
        for i in range(n):
            x[i] = one * row[i]
        for k in range(4):
            gain = np.float32(diffuse1 if k < 2 else diffuse2)
            allpass(cells, first[k], size[k], at[k], length[k], gain, x, 0, n)
        for side in range(2):
            # The wobbling all-pass of this tank hears the diffusers and the end of the other tank.
            k = 7 if side == 1 else 11
            place = first[k] + start(size[k], at[k], length[k])
            row = cells[place : place + n]
            k = 4 + 4 * side
            here = length[k] + away * sine(phase + cycles + 0.25 * side)
            there = length[k] + away * sine(phase + cycles + n * increment + 0.25 * side)
            glide(cells, first[k], size[k], at[k], here, there, n, q, 0)
            z = tank[64 * side : 64 * side + n]
            for i in range(n):
                z[i] = x[i] + g * row[i] + 0.7 * q[i]
            put(cells, first[k], size[k], at[k], tank, 64 * side, one, n)
            for i in range(n):
                z[i] = q[i] - 0.7 * z[i]
        for side in range(2):
            k = 5 + 4 * side
            put(cells, first[k], size[k], at[k], tank, 64 * side, one, n)
        cycles += n * increment
        for side in range(2):
            k = 5 + 4 * side
            place = first[k] + start(size[k], at[k], length[k])
            damped[side] = smooth(cells, place, c, damped[side], q, n)
            k += 1
            z = tank[64 * side : 64 * side + n]
            for i in range(n):
                z[i] = g * q[i]
            allpass(cells, first[k], size[k], at[k], length[k], dense, tank, 64 * side, n)
            k += 1
            put(cells, first[k], size[k], at[k], tank, 64 * side, one, n)
        for side in range(2):
            for j in range(7):
                # Left: lines 9, 9, 10, 11, 5, 6, 7; right: those of the other tank.
                k = 9 if j < 2 else (j + 8 if j < 4 else j + 1)
                if side == 1:
                    k = k - 4 if k > 8 else k + 4
                place = first[k] + start(size[k], at[k], int(table[38 + 7 * side + j]))
                row = cells[place : place + n]
                if j == 0:
                    for i in range(n):
                        out[i] = one * row[i]
                else:
                    sign = np.float32(1.0 if j == 1 or j == 3 else -1.0)
                    for i in range(n):
                        out[i] += sign * row[i]
            if side == 0:
                for i in range(n):
                    u[i] = d * u[i] + w * out[i]
            else:
                for i in range(n):
                    v[i] = d * v[i] + w * out[i]
        for k in range(13):
            at[k] = onward(size[k], at[k], n)
    for k in range(13):
        s[k] = at[k]
    s[13], s[14], s[15], s[16] = cycles, input_band, damped[0], damped[1]


_GUESS = Confidence.GUESS

MODULE = Module(
    slot=Slot.EFFECT,
    name="plate",
    version=1,
    inputs=(
        Input("before", "s", 0.0, 0.25, "pre-delay"),
        Input("diffusion", "", 0.0, 1.0, "of the input", 1.0),
        Input("damp", "", 0.0, 1.0, "how soon treble dies", 0.8),
        Input("decay", "", 0.0, 1.0, "how long all lasts", 0.5),
        Input("size", "", 1.0, 200.0, "of the room", 150.0),
        Input("dry", "", 0.0, 1.0, "level of what comes in", 0.9),
        Input("wet", "", 0.0, 1.0, "level of the reverberation", 0.4),
        Input("phase", "cycles", 0.0, 1.0, "where the wobble starts"),
    ),
    constants=(
        Constant("smallest", 0.1, 0.02, 0.3, "", _GUESS, "delays at Size 0 over those at 150"),
        Constant("usual_size", 150.0, 75.0, 200.0, "", _GUESS, "Size with the paper's delays"),
        Constant("excursion", 8.0, 0.0, 16.0, "samples", _GUESS, "wobble, at 29.8 kHz"),
        Constant("wobble_hertz", 1.0, 0.3, 2.0, "Hz", _GUESS, "its rate"),
        Constant("open_hertz", 16000.0, 10000.0, 20000.0, "Hz", _GUESS, "damping's corner at 0"),
        Constant("damp_octaves", 4.0, 2.0, 6.0, "octaves", _GUESS, "range of Damp"),
        Constant("longest", 0.99, 0.9, 0.999, "", _GUESS, "gain of half a tank at Decay 100"),
        Constant("bandwidth", 14000.0, 8000.0, 20000.0, "Hz", _GUESS, "of what enters the tanks"),
    ),
    coefficients=(
        "dry", "wet", "decay", "diffuse1", "diffuse2", "low", "band", "block", "away", "increment",
        "phase", "scale", "pre",
        *(f"delay{k}" for k in range(12)), *(f"ring{k}" for k in range(13)),
        *(f"tap{k}" for k in range(14)),
    ),
    states=(*(f"at{k}" for k in range(13)), "cycles", "input_band", "left_low", "right_low"),
    controls=controls,
    step=play,
    memory=memory,
)  # fmt: skip
