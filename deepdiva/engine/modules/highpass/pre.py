"""High-pass Pre: one RC pole before the filter, as in the Jupiter-8; off at knob 30.

    H(s) = s / (s + w)

Trapezoidal (V. Zavalishin, "The Art of VA Filter Design", 2018, chapter 3). No real sound has
judged it: uncalibrated.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    (pitch,) = u
    shift, off = c
    warp = warped(pitch + shift, rate)
    # It fades in over a semitone, so that a cutoff which moves through the end does not click.
    return warp, warp / (1.0 + warp), min(1.0, max(0.0, pitch - off))


def step(x, p, s):
    warp, gain, on = p
    (z,) = s
    move = gain * (x - z)
    low = move + z
    return x - on * low, (low + move,)


def circuit(t, y, x, p, c):
    warp, gain, on = p
    return x - on * y[0], (2.0 * warp * (x - y[0]),)


MODULE = Module(
    slot=Slot.HIGHPASS,
    name="pre",
    version=1,
    inputs=(Input("cutoff", "semitones", -20.0, 160.0, "MIDI pitch of the corner", 30.0),),
    constants=(
        Constant(
            "shift", 0.0, -13.0, 2.0, "semitones", Confidence.GUESS, "corner above the knob's pitch"
        ),
        Constant("off", 30.0, 29.0, 31.0, "semitones", Confidence.GUESS, "where the knob is off"),
    ),
    coefficients=("warp", "gain", "on"),
    states=("z",),
    controls=controls,
    step=step,
    circuit=circuit,
)
