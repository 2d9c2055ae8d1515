"""Ladder: four one-poles in a loop that saturates at its input, as in Moog's transistor ladder.

    u = x - k (y4 less its very low part),  v = (tanh(d (u - o)) + tanh(d o)) / d
    dy1/dt = w (v - y1),  dyn/dt = w (y(n-1) - yn)

A. Huovilainen, "Non-linear digital implementation of the Moog ladder filter", DAFx-04;
V. Zavalishin, "The Art of VA Filter Design", 2018, chapter 5. Trapezoidal one-poles; the loop is
solved without delay by a Newton step from its linearisation at the last sample. The offset o makes
even products; k, cutoff, offset and drive were fitted to real sounds with known parameters
(`docs/ENGINE.md`). Which pole gives the output of 12 dB is a guess.
"""

from __future__ import annotations

import math

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import tanh
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421


def controls(u, c, rate):
    pitch, resonance, mode = u
    shift, gain, power, drive, offset, hertz, lowest, highest = c
    warp = warped(min(highest, max(lowest, pitch)) + shift, rate)
    k = gain * min(1.0, max(0.0, resonance)) ** power
    rest = math.tanh(drive * offset)
    leak = 1.0 - math.exp(-2.0 * math.pi * hertz / rate)
    two = 1.0 if mode > 0.5 else 0.0
    return warp, warp / (1.0 + warp), k, drive, 1.0 / drive, drive * offset, rest, leak, two


def bend(p, factor):
    warp, gain, k, drive, by_drive, offset, rest, leak, two = p
    warp = min(_HIGHEST, warp * factor)
    return warp, warp / (1.0 + warp), k, drive, by_drive, offset, rest, leak, two


def step(x, p, s):
    warp, gain, k, drive, by_drive, offset, rest, leak, two = p
    z1, z2, z3, z4, low, u, v, slope = s
    back = 1.0 - gain
    g4 = k * gain * gain * gain * gain
    free = k * (back * (z4 + gain * (z3 + gain * (z2 + gain * z1))) - low)
    guess = (x - free - g4 * (v - slope * u)) / (1.0 + g4 * slope)
    bent = tanh(drive * guess - offset)
    v = (bent + rest) * by_drive
    slope = 1.0 - bent * bent
    u = guess - (guess - x + free + g4 * v) / (1.0 + g4 * slope)
    v = v + slope * (u - guess)
    move = gain * (v - z1)
    y1 = move + z1
    z1 = y1 + move
    move = gain * (y1 - z2)
    y2 = move + z2
    z2 = y2 + move
    move = gain * (y2 - z3)
    y3 = move + z3
    z3 = y3 + move
    move = gain * (y3 - z4)
    y4 = move + z4
    z4 = y4 + move
    low = low + leak * (y4 - low)
    return y4 + two * (y2 - y4), (z1, z2, z3, z4, low, u, v, slope)


def circuit(t, y, x, p, c):
    warp, gain, k, drive, by_drive, offset, rest, leak, two = p
    y1, y2, y3, y4, low = y[0], y[1], y[2], y[3], y[4]
    v = (math.tanh(drive * (x - k * (y4 - low)) - offset) + rest) * by_drive
    w = 2.0 * warp
    return y4 + two * (y2 - y4), (
        w * (v - y1),
        w * (y1 - y2),
        w * (y2 - y3),
        w * (y3 - y4),
        -math.log(1.0 - leak) * (y4 - low),
    )


MODULE = Module(
    slot=Slot.FILTER,
    name="ladder",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 170.0, "knob's pitch, MIDI", 90.0),
        Input("resonance", "", 0.0, 1.0, "feedback"),
        Input("mode", "", 0.0, 1.0, "0: 24 dB an octave, 1: 12 dB"),
    ),
    constants=(
        Constant(
            "shift",
            -12.95,
            -13.2,
            -12.0,
            "semitones",
            Confidence.HIGH,
            "cutoff above the knob's pitch",
        ),
        Constant(
            "feedback_gain",
            5.93,
            5.6,
            6.1,
            "",
            Confidence.HIGH,
            "loop gain at resonance 1; at 4 it oscillates",
        ),
        Constant(
            "feedback_power", 1.045, 1.03, 1.13, "", Confidence.HIGH, "power of the resonance knob"
        ),
        Constant("drive", 0.92, 0.7, 1.1, "", Confidence.HIGH, "gain into the loop's saturation"),
        Constant(
            "offset", 0.45, 0.31, 0.47, "", Confidence.HIGH, "where that saturation is centred"
        ),
        Constant("fade", 15.0, 8.0, 20.0, "Hz", Confidence.MEDIUM, "below this the loop fades"),
        Constant(
            "lowest",
            27.0,
            20.0,
            40.0,
            "semitones",
            Confidence.LOW,
            "no modulation closes it further",
        ),
        Constant(
            "highest",
            140.0,
            130.0,
            170.0,
            "semitones",
            Confidence.LOW,
            "no modulation opens it further",
        ),
    ),
    coefficients=("warp", "gain", "k", "drive", "by_drive", "offset", "rest", "leak", "two"),
    states=("z1", "z2", "z3", "z4", "low", "u", "v", "slope"),
    controls=controls,
    step=step,
    circuit=circuit,
    bend=bend,
    confidence=Confidence.HIGH,
)
