"""Bite high-pass: a second-order Sallen-Key cell as in the Korg35.

T. Stinchcombe, "A Study of the Korg MS10 & MS20 Filters", 2006; W. Pirkle, application note AN-7,
2013; discretised by the trapezoidal rule with the loop solved without delay (V. Zavalishin, "The
Art of VA Filter Design", 2018, chapters 3 to 6):

    H(s) = s (s + 1) / (s^2 + (2 - k) s + 1)

What leaves it saturates as x / sqrt(1 + x^2), at another level in revision 2.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    pitch, resonance, revision = u
    shift, gain, power, clip, clip2 = c
    warp = warped(pitch + shift, rate)
    # Below 0 the loop, which nothing saturates, would grow without end.
    damping = max(0.0, 2.0 - gain * min(1.0, max(0.0, resonance)) ** power)
    level = clip2 if revision > 1.5 else clip
    return warp, damping + warp, level, 1.0 / level


def step(x, p, s):
    warp, back, clip, by_clip = p
    s1, s2 = s
    # Divided here and not once a block: between two blocks it would not follow a corner that moves
    # far, and the loop would grow.
    high = (x - back * s1 - s2) / (1.0 + warp * back)
    band = warp * high + s1
    low = warp * band + s2
    y = (high + band) * by_clip
    return y * clip * chord(y), (warp * high + band, warp * band + low)


def circuit(t, y, x, p, c):
    warp, back, clip, by_clip = p
    high = x - (back - warp) * y[0] - y[1]
    out = (high + y[0]) * by_clip
    return out * clip * chord(out), (2.0 * warp * high, 2.0 * warp * y[0])


MODULE = Module(
    slot=Slot.HIGHPASS,
    name="bite",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 160.0, "MIDI pitch of the corner", 30.0),
        Input("resonance", "", 0.0, 1.0, "feedback"),
        Input("revision", "", 1.0, 2.0, "circuit revision", 1.0),
    ),
    constants=(
        Constant(
            "shift", 0.0, -2.0, 2.0, "semitones", Confidence.MEDIUM, "corner above the knob's pitch"
        ),
        Constant(
            "feedback_gain",
            2.0,
            1.75,
            2.1,
            "",
            Confidence.LOW,
            "feedback at resonance 1; at 2 it oscillates",
        ),
        Constant(
            "feedback_power", 2.0, 1.0, 3.0, "", Confidence.LOW, "power of the resonance knob"
        ),
        Constant("clip", 1.3, 1.05, 2.0, "", Confidence.LOW, "level at which revision 1 saturates"),
        Constant(
            "clip2", 2.0, 1.0, 4.0, "", Confidence.GUESS, "level at which revision 2 saturates"
        ),
    ),
    coefficients=("warp", "back", "clip", "by_clip"),
    states=("s1", "s2"),
    controls=controls,
    step=step,
    circuit=circuit,
    confidence=Confidence.LOW,
)
