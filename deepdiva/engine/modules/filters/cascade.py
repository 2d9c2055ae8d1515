"""Cascade: four OTA stages in a loop, each saturating, as in Roland's IR3109.

    dyn/dt = w tanh(d (y(n-1) - yn)) / d,  y0 = (1 + b k) x - k y4

V. Zavalishin, "The Art of VA Filter Design", 2018, chapters 3 to 6. Trapezoidal stages; the loop is
solved without delay with the chords of the last sample. 12 dB is the tap behind the second stage.
Rough drives the stages harder than clean. No real sound has judged it: uncalibrated.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import tanh_chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421


def controls(u, c, rate):
    pitch, resonance, mode, colour = u
    shift, gain, power, rough, clean, bass = c
    k = gain * min(1.0, max(0.0, resonance)) ** power
    drive = clean if colour > 0.5 else rough
    two = 1.0 if mode > 0.5 else 0.0
    return warped(pitch + shift, rate), k, 1.0 + bass * k, drive, two


def bend(p, factor):
    warp, k, level, drive, two = p
    return min(_HIGHEST, warp * factor), k, level, drive, two


def step(x, p, s):
    warp, k, level, drive, two = p
    z1, z2, z3, z4, e1, e2, e3, e4 = s
    w1 = warp * (1.0 - e1)
    w2 = warp * (1.0 - e2)
    w3 = warp * (1.0 - e3)
    w4 = warp * (1.0 - e4)
    b1 = 1.0 / (1.0 + w1)
    b2 = 1.0 / (1.0 + w2)
    b3 = 1.0 / (1.0 + w3)
    b4 = 1.0 / (1.0 + w4)
    g2 = w2 * b2
    g3 = w3 * b3
    g4 = w4 * b4
    rest = b4 * z4 + g4 * (b3 * z3 + g3 * (b2 * z2 + g2 * b1 * z1))
    loop = w1 * b1 * g2 * g3 * g4
    u = (level * x - k * rest) / (1.0 + k * loop)
    d1 = b1 * (u - z1)
    y1 = z1 + w1 * d1
    d2 = b2 * (y1 - z2)
    y2 = z2 + w2 * d2
    d3 = b3 * (y2 - z3)
    y3 = z3 + w3 * d3
    d4 = b4 * (y3 - z4)
    y4 = z4 + w4 * d4
    y = y4 + two * (y2 - y4)
    # The true slopes, not the chords' ones, move the states: no step is above 2 w / d.
    c1 = tanh_chord(drive * d1)
    c2 = tanh_chord(drive * d2)
    c3 = tanh_chord(drive * d3)
    c4 = tanh_chord(drive * d4)
    states = (
        z1 + 2.0 * warp * c1 * d1,
        z2 + 2.0 * warp * c2 * d2,
        z3 + 2.0 * warp * c3 * d3,
        z4 + 2.0 * warp * c4 * d4,
        1.0 - c1,
        1.0 - c2,
        1.0 - c3,
        1.0 - c4,
    )
    return y, states


def circuit(t, y, x, p, c):
    warp, k, level, drive, two = p
    y1, y2, y3, y4 = y[0], y[1], y[2], y[3]
    d1 = level * x - k * y4 - y1
    d2, d3, d4 = y1 - y2, y2 - y3, y3 - y4
    return y4 + two * (y2 - y4), (
        2.0 * warp * d1 * tanh_chord(drive * d1),
        2.0 * warp * d2 * tanh_chord(drive * d2),
        2.0 * warp * d3 * tanh_chord(drive * d3),
        2.0 * warp * d4 * tanh_chord(drive * d4),
    )


MODULE = Module(
    slot=Slot.FILTER,
    name="cascade",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 170.0, "knob's pitch, MIDI", 90.0),
        Input("resonance", "", 0.0, 1.0, "feedback"),
        Input("mode", "", 0.0, 1.0, "0: 24 dB an octave, 1: 12 dB"),
        Input("colour", "", 0.0, 1.0, "0: rough, 1: clean"),
    ),
    constants=(
        Constant(
            "shift",
            -12.95,
            -14.0,
            0.0,
            "semitones",
            Confidence.GUESS,
            "cutoff above the knob's pitch",
        ),
        Constant(
            "feedback_gain",
            5.9,
            4.0,
            6.5,
            "",
            Confidence.GUESS,
            "loop gain at resonance 1; at 4 it oscillates",
        ),
        Constant(
            "feedback_power", 1.07, 0.9, 1.5, "", Confidence.GUESS, "power of the resonance knob"
        ),
        Constant("rough", 1.2, 0.7, 2.5, "", Confidence.GUESS, "gain into the saturation, rough"),
        Constant("clean", 0.4, 0.1, 0.7, "", Confidence.GUESS, "gain into the saturation, clean"),
        Constant("bass", 0.5, 0.0, 1.0, "", Confidence.GUESS, "share of the lost bass given back"),
    ),
    coefficients=("warp", "k", "level", "drive", "two"),
    states=("z1", "z2", "z3", "z4", "e1", "e2", "e3", "e4"),
    controls=controls,
    step=step,
    circuit=circuit,
    bend=bend,
)
