"""Bite low-pass: a second-order Sallen-Key cell as in the Korg35, whose loop saturates.

    H(s) = 1 / (s^2 + (2 - k) s + 1)

Sources as of the Bite high-pass. The trapezoidal rule puts both zeros at Nyquist, where the real
sounds go on falling by 12 dB an octave; each one-pole's forward path therefore mixes in `zero`
times its step, which gives it the analogue magnitude at Nyquist and changes nothing at 0 Hz. The
loop saturates as x / sqrt(1 + x^2), so resonance gives way to a loud input; it is solved with the
chord at the last output.
"""

from __future__ import annotations

import math

from deepdiva.engine.dsp.powers import corner_cycles, warped
from deepdiva.engine.dsp.saturation import chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421


def controls(u, c, rate):
    pitch, resonance, revision = u
    shift, gain, power, clip, bias, clip2 = c
    warp = warped(pitch + shift, rate)
    corner = 2.0 * corner_cycles(pitch + shift, rate)  # 2 / pi times the arc tangent of warp
    zero = corner / (math.sqrt(1.0 + corner * corner) * warp)
    feedback = gain * min(1.0, max(0.0, resonance)) ** power
    second = revision > 1.5
    level = clip2 if second else clip
    offset = 0.0 if second else bias
    rest = level * offset / math.sqrt(1.0 + offset * offset)
    return warp, warp / (1.0 + warp), feedback, zero, level, 1.0 / level, offset, rest


def bend(p, factor):
    warp, gain, feedback, zero, clip, by_clip, bias, rest = p
    warp = min(_HIGHEST, warp * factor)
    return warp, warp / (1.0 + warp), feedback, zero, clip, by_clip, bias, rest


def step(x, p, s):
    warp, gain, feedback, zero, clip, by_clip, bias, rest = p
    z1, z2, z3, slope = s
    back = 1.0 - gain
    move = gain * (x - z1)
    first = move + z1
    y = (gain * (first - back * z3) + back * z2) / (1.0 - gain * back * feedback * slope)
    driven = y * by_clip + bias
    slope = chord(driven)
    edge = feedback * (clip * driven * slope - rest) - z3
    z1 = first + move
    z3 += 2.0 * gain * edge
    move = gain * (first + zero * move + back * edge - z2)
    y = move + z2
    return y + zero * move, (z1, y + move, z3, chord(y * by_clip + bias))


def circuit(t, y, x, p, c):
    # The mix of steps at the output of each one-pole is of the discrete filter only.
    warp, gain, feedback, zero, clip, by_clip, bias, rest = p
    first, second, third = y[0], y[1], y[2]
    driven = second * by_clip + bias
    edge = feedback * (clip * driven * chord(driven) - rest) - third
    w = 2.0 * warp
    return second, (w * (x - first), w * (first + edge - second), w * edge)


MODULE = Module(
    slot=Slot.FILTER,
    name="bite",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 160.0, "MIDI pitch of the corner", 90.0),
        Input("resonance", "", 0.0, 1.0, "feedback"),
        Input("revision", "", 1.0, 2.0, "circuit revision", 1.0),
    ),
    constants=(
        Constant(
            "shift", 0.0, -2.0, 2.0, "semitones", Confidence.MEDIUM, "corner above the knob's pitch"
        ),
        Constant(
            "feedback_gain",
            2.5,
            2.25,
            2.8,
            "",
            Confidence.LOW,
            "feedback at resonance 1; at 2 it oscillates",
        ),
        Constant(
            "feedback_power", 1.7, 1.0, 2.5, "", Confidence.LOW, "power of the resonance knob"
        ),
        Constant(
            "clip",
            1.0,
            0.75,
            1.15,
            "",
            Confidence.LOW,
            "level at which the loop of revision 1 saturates",
        ),
        Constant("bias", 0.2, -0.05, 0.25, "", Confidence.LOW, "bias of that saturation"),
        Constant(
            "clip2",
            0.7,
            0.4,
            1.3,
            "",
            Confidence.GUESS,
            "level at which the loop of revision 2 saturates",
        ),
    ),
    coefficients=("warp", "gain", "feedback", "zero", "clip", "by_clip", "bias", "rest"),
    states=("z1", "z2", "z3", "slope"),
    controls=controls,
    step=step,
    circuit=circuit,
    bend=bend,
    confidence=Confidence.LOW,
)
