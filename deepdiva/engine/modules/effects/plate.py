"""Plate: Dattorro's reverberator.

J. Dattorro, "Effect Design, part 1: Reverberator and other filters", JAES 45 (1997), figure 1 and
tables 1 and 2: pre-delay, four all-passes, and a figure of eight of two tanks, each a wobbling
all-pass, a delay, damping, an all-pass and a delay; seven taps for each side. Delays are the
paper's, for 29,761 samples per second, times Size. No sound of Diva has judged the knobs' laws.
"""

from __future__ import annotations

import math

import numpy as np

from deepdiva.engine.dsp.blocks import (
    allpass, glide, onward, put, quiet, ring, sine, start,
)  # fmt: skip
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_PAPER_RATE = 29761.0
_LINES = (142, 107, 379, 277, 672, 4453, 1800, 3720, 908, 4217, 2656, 3163)
"""Delays of four diffusers, then of both tanks."""


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
    rings = [ring(d + e) for d, e in zip(delays, extra, strict=True)] + [ring(pre)]
    return (dry, wet, longest * decay, 0.75 * diffusion, 0.625 * diffusion, low, band, block, away,
            hertz / rate, phase, scale, pre, *delays, *rings)  # fmt: skip


def memory(p):
    return int(sum(p[-13:])) + 13 * 128


def tap(line, size, at, delay, gain, out, n):
    """Add a delayed block."""
    place = start(size, at, int(delay))
    row = line[place : place + n]
    g = np.float32(gain)
    for i in range(n):
        out[i] += g * row[i]


def play(left, right, p, lines, s):
    (dry, wet, decay, diffuse1, diffuse2, low, band, block, away, increment, phase, scale, pre,
     d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11,
     f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12) = p  # fmt: skip
    n = int(block)
    z0, z1, z2, z3, z4, z5 = int(f0), int(f1), int(f2), int(f3), int(f4), int(f5)
    z6, z7, z8, z9, z10, z11, z12 = (
        int(f6), int(f7), int(f8), int(f9), int(f10), int(f11), int(f12),
    )  # fmt: skip
    o = 0
    m0 = lines[o : o + z0 + 128]
    o += z0 + 128
    m1 = lines[o : o + z1 + 128]
    o += z1 + 128
    m2 = lines[o : o + z2 + 128]
    o += z2 + 128
    m3 = lines[o : o + z3 + 128]
    o += z3 + 128
    m4 = lines[o : o + z4 + 128]
    o += z4 + 128
    m5 = lines[o : o + z5 + 128]
    o += z5 + 128
    m6 = lines[o : o + z6 + 128]
    o += z6 + 128
    m7 = lines[o : o + z7 + 128]
    o += z7 + 128
    m8 = lines[o : o + z8 + 128]
    o += z8 + 128
    m9 = lines[o : o + z9 + 128]
    o += z9 + 128
    m10 = lines[o : o + z10 + 128]
    o += z10 + 128
    m11 = lines[o : o + z11 + 128]
    o += z11 + 128
    m12 = lines[o : o + z12 + 128]
    at0, at1, at2, at3, at4, at5 = int(s[0]), int(s[1]), int(s[2]), int(s[3]), int(s[4]), int(s[5])
    at6, at7, at8, at9, at10, at11 = (
        int(s[6]), int(s[7]), int(s[8]), int(s[9]), int(s[10]), int(s[11]),
    )  # fmt: skip
    at12 = int(s[12])
    cycles = s[13]
    input_band = np.float32(s[14])
    l_low, r_low = np.float32(s[15]), np.float32(s[16])
    d, w, g = np.float32(dry), np.float32(wet * 0.6), np.float32(decay)
    c, e = np.float32(low), np.float32(band)
    one, two = np.float32(diffuse1), np.float32(diffuse2)
    three = np.float32(min(0.5, max(0.25, decay + 0.15)))
    here_l, here_r = away * sine(phase + cycles), away * sine(phase + cycles + 0.25)
    x = np.empty(64, np.float32)
    a = np.empty(64, np.float32)
    b = np.empty(64, np.float32)
    q = np.empty(64, np.float32)
    out_l = np.empty(64, np.float32)
    out_r = np.empty(64, np.float32)
    for begin in range(0, left.shape[0], n):
        u = left[begin : begin + n]
        v = right[begin : begin + n]
        for i in range(n):
            input_band = 0.5 * (u[i] + v[i]) + e * (input_band - 0.5 * (u[i] + v[i]))
            x[i] = input_band
        input_band = quiet(input_band)
        put(m12, z12, at12, x, n)
        place = start(z12, at12, int(pre))
        row = m12[place : place + n]
        for i in range(n):
            x[i] = row[i]
        allpass(m0, z0, at0, int(d0), one, x, n)
        allpass(m1, z1, at1, int(d1), one, x, n)
        allpass(m2, z2, at2, int(d2), two, x, n)
        allpass(m3, z3, at3, int(d3), two, x, n)
        place = start(z11, at11, int(d11))
        row = m11[place : place + n]
        place = start(z7, at7, int(d7))
        other = m7[place : place + n]
        for i in range(n):
            a[i] = x[i] + g * row[i]
            b[i] = x[i] + g * other[i]
        cycles += n * increment
        there_l, there_r = away * sine(phase + cycles), away * sine(phase + cycles + 0.25)
        glide(m4, z4, at4, d4 + here_l, d4 + there_l, n, q)
        for i in range(n):
            a[i] += 0.7 * q[i]
        put(m4, z4, at4, a, n)
        for i in range(n):
            q[i] -= 0.7 * a[i]
        put(m5, z5, at5, q, n)
        glide(m8, z8, at8, d8 + here_r, d8 + there_r, n, q)
        for i in range(n):
            b[i] += 0.7 * q[i]
        put(m8, z8, at8, b, n)
        for i in range(n):
            q[i] -= 0.7 * b[i]
        put(m9, z9, at9, q, n)
        here_l, here_r = there_l, there_r
        place = start(z5, at5, int(d5))
        row = m5[place : place + n]
        place = start(z9, at9, int(d9))
        other = m9[place : place + n]
        for i in range(n):
            l_low = row[i] + c * (l_low - row[i])
            a[i] = g * l_low
            r_low = other[i] + c * (r_low - other[i])
            b[i] = g * r_low
        l_low, r_low = quiet(l_low), quiet(r_low)
        allpass(m6, z6, at6, int(d6), three, a, n)
        put(m7, z7, at7, a, n)
        allpass(m10, z10, at10, int(d10), three, b, n)
        put(m11, z11, at11, b, n)
        for i in range(n):
            out_l[i] = 0.0
            out_r[i] = 0.0
        tap(m9, z9, at9, 266.0 * scale, w, out_l, n)
        tap(m9, z9, at9, 2974.0 * scale, w, out_l, n)
        tap(m10, z10, at10, 1913.0 * scale, -w, out_l, n)
        tap(m11, z11, at11, 1996.0 * scale, w, out_l, n)
        tap(m5, z5, at5, 1990.0 * scale, -w, out_l, n)
        tap(m6, z6, at6, 187.0 * scale, -w, out_l, n)
        tap(m7, z7, at7, 1066.0 * scale, -w, out_l, n)
        tap(m5, z5, at5, 353.0 * scale, w, out_r, n)
        tap(m5, z5, at5, 3627.0 * scale, w, out_r, n)
        tap(m6, z6, at6, 1228.0 * scale, -w, out_r, n)
        tap(m7, z7, at7, 2673.0 * scale, w, out_r, n)
        tap(m9, z9, at9, 2111.0 * scale, -w, out_r, n)
        tap(m10, z10, at10, 335.0 * scale, -w, out_r, n)
        tap(m11, z11, at11, 121.0 * scale, -w, out_r, n)
        for i in range(n):
            u[i] = d * u[i] + out_l[i]
            v[i] = d * v[i] + out_r[i]
        at0, at1, at2, at3 = (
            onward(z0, at0, n), onward(z1, at1, n), onward(z2, at2, n), onward(z3, at3, n),
        )  # fmt: skip
        at4, at5, at6, at7 = (
            onward(z4, at4, n), onward(z5, at5, n), onward(z6, at6, n), onward(z7, at7, n),
        )  # fmt: skip
        at8, at9, at10, at11 = (
            onward(z8, at8, n), onward(z9, at9, n), onward(z10, at10, n), onward(z11, at11, n),
        )  # fmt: skip
        at12 = onward(z12, at12, n)
    s[0], s[1], s[2], s[3], s[4], s[5], s[6] = at0, at1, at2, at3, at4, at5, at6
    s[7], s[8], s[9], s[10], s[11], s[12] = at7, at8, at9, at10, at11, at12
    s[13], s[14], s[15], s[16] = cycles, input_band, l_low, r_low


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
        Constant("excursion", 8.0, 0.0, 16.0, "samples", _GUESS, "wobble of the tanks, at 29.8 kHz"),
        Constant("wobble_hertz", 1.0, 0.3, 2.0, "Hz", _GUESS, "its rate"),
        Constant("open_hertz", 16000.0, 10000.0, 20000.0, "Hz", _GUESS, "damping's corner at 0"),
        Constant("damp_octaves", 4.0, 2.0, 6.0, "octaves", _GUESS, "range of Damp"),
        Constant("longest", 0.99, 0.9, 0.999, "", _GUESS, "gain of half a tank at Decay 100"),
        Constant("bandwidth", 14000.0, 8000.0, 20000.0, "Hz", _GUESS, "of what enters the tanks"),
    ),
    coefficients=(
        "dry", "wet", "decay", "diffuse1", "diffuse2", "low", "band", "block", "away", "increment",
        "phase", "scale", "pre", *(f"delay{k}" for k in range(12)), *(f"ring{k}" for k in range(13)),
    ),
    states=(*(f"at{k}" for k in range(13)), "cycles", "input_band", "left_low", "right_low"),
    controls=controls,
    step=play,
    memory=memory,
)  # fmt: skip
