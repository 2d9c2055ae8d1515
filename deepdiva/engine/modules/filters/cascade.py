"""Cascade: four OTA integrators in a loop, as in Roland's IR3109. Uncalibrated.

    dyn/dt = w sat(y(n-1) - yn),  y0 = (1 + b k) x - k sat(y4)

Every stage saturates at its own input, and the loop at its return; `color` says how early. The
passband keeps part of what resonance takes from it (b). Stages are trapezoidal; the loop is solved
without delay, with each saturation's chord at the last sample (V. Zavalishin, "The Art of VA Filter
Design", 2018, chapters 4 to 6).
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421


def controls(u, c, rate):
    pitch, resonance, mode, color = u
    shift, gain, power, keep, rough, clean, lowest, highest = c
    warp = warped(min(highest, max(lowest, pitch)) + shift, rate)
    k = gain * min(1.0, max(0.0, resonance)) ** power
    two = 1.0 if mode > 0.5 else 0.0
    return warp, k, 1.0 + keep * k, (clean if color > 0.5 else rough), two


def bend(p, factor):
    warp, k, entry, drive, two = p
    return min(_HIGHEST, warp * factor), k, entry, drive, two


def step(x, p, s):
    warp, k, entry, drive, two = p
    z1, z2, z3, z4, c1, c2, c3, c4, back = s
    g1 = warp * (1.0 - c1)
    g2 = warp * (1.0 - c2)
    g3 = warp * (1.0 - c3)
    g4 = warp * (1.0 - c4)
    g1 = g1 / (1.0 + g1)
    g2 = g2 / (1.0 + g2)
    g3 = g3 / (1.0 + g3)
    g4 = g4 / (1.0 + g4)
    free = g2 * (1.0 - g1) * z1 + (1.0 - g2) * z2
    free = g3 * free + (1.0 - g3) * z3
    free = g4 * free + (1.0 - g4) * z4
    loop = k * (1.0 - back)
    u = (entry * x - loop * free) / (1.0 + loop * g1 * g2 * g3 * g4)
    move1 = g1 * (u - z1)
    y1 = z1 + move1
    move2 = g2 * (y1 - z2)
    y2 = z2 + move2
    move3 = g3 * (y2 - z3)
    y3 = z3 + move3
    move4 = g4 * (y3 - z4)
    y4 = z4 + move4
    return y4 + two * (y2 - y4), (
        y1 + move1,
        y2 + move2,
        y3 + move3,
        y4 + move4,
        1.0 - chord(drive * (u - y1)),
        1.0 - chord(drive * (y1 - y2)),
        1.0 - chord(drive * (y2 - y3)),
        1.0 - chord(drive * (y3 - y4)),
        1.0 - chord(y4),
    )


MODULE = Module(
    slot=Slot.FILTER,
    name="cascade",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 170.0, "knob's pitch, MIDI", 90.0),
        Input("resonance", "", 0.0, 1.0, "feedback"),
        Input("mode", "", 0.0, 1.0, "0: 24 dB an octave, 1: 12 dB"),
        Input("color", "", 0.0, 1.0, "0: rough, 1: clean"),
    ),
    constants=(
        Constant("shift", -12.95, -13.2, 0.0, "semitones", Confidence.GUESS, "cutoff above the knob's pitch"),
        Constant("feedback_gain", 5.0, 4.2, 6.0, "", Confidence.GUESS, "loop gain at resonance 1; at 4 it oscillates"),
        Constant("feedback_power", 1.05, 0.9, 1.3, "", Confidence.GUESS, "power of the resonance knob"),
        Constant("keep", 0.3, 0.0, 0.6, "", Confidence.GUESS, "passband that resonance leaves"),
        Constant("rough", 1.2, 0.6, 2.0, "", Confidence.GUESS, "gain into the stages, rough"),
        Constant("clean", 0.5, 0.2, 0.9, "", Confidence.GUESS, "gain into the stages, clean"),
        Constant("lowest", 27.0, 20.0, 40.0, "semitones", Confidence.GUESS, "no modulation closes it further"),
        Constant("highest", 150.0, 130.0, 170.0, "semitones", Confidence.GUESS, "no modulation opens it further"),
    ),
    coefficients=("warp", "k", "entry", "drive", "two"),
    # Chords are kept as what they lack of 1, so that all states start at 0.
    states=("z1", "z2", "z3", "z4", "c1", "c2", "c3", "c4", "back"),
    controls=controls,
    step=step,
    bend=bend,
)
