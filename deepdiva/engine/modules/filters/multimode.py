"""Multimode: two state-variable sections, as in the Jupiter-6.

    dv/dt = w h,  dl/dt = w v,  h = x - 2 v + k tanh(d v) / d - l

The first section has the resonance, whose feedback saturates; the second, with a fixed damping,
follows its low-pass and makes LP4. V. Zavalishin, "The Art of VA Filter Design", 2018, chapter 4.
The loop is solved with the chord of the last sample. That the resonance lies in the first section
alone is a guess, and no real sound has judged it: uncalibrated.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import tanh_chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421


def controls(u, c, rate):
    pitch, resonance, mode = u
    shift, gain, power, drive, damping = c
    k = 0.5 * gain * min(1.0, max(0.0, resonance)) ** power
    lp4 = 1.0 if mode < 0.5 else 0.0
    lp2 = 1.0 if 0.5 <= mode < 1.5 else 0.0
    hp = 1.0 if 1.5 <= mode < 2.5 else 0.0
    bp = 1.0 if mode >= 2.5 else 0.0
    return warped(pitch + shift, rate), k, drive, damping, lp4, lp2, hp, bp


def bend(p, factor):
    warp, k, drive, damping, lp4, lp2, hp, bp = p
    return min(_HIGHEST, warp * factor), k, drive, damping, lp4, lp2, hp, bp


def step(x, p, s):
    warp, k, drive, damping, lp4, lp2, hp, bp = p
    s1, s2, s3, s4, bent = s
    loss = 2.0 - k * tanh_chord(bent)
    high = (x - (loss + warp) * s1 - s2) / (1.0 + warp * (loss + warp))
    move = warp * high
    band = s1 + move
    rise = warp * band
    low = s2 + rise
    high2 = (low - (damping + warp) * s3 - s4) / (1.0 + warp * (damping + warp))
    move2 = warp * high2
    band2 = s3 + move2
    rise2 = warp * band2
    low2 = s4 + rise2
    y = lp4 * low2 + lp2 * low + hp * high + bp * band
    return y, (band + move, low + rise, band2 + move2, low2 + rise2, drive * band)


def circuit(t, y, x, p, c):
    warp, k, drive, damping, lp4, lp2, hp, bp = p
    band, low, band2, low2 = y[0], y[1], y[2], y[3]
    high = x - (2.0 - k * tanh_chord(drive * band)) * band - low
    high2 = low - damping * band2 - low2
    return lp4 * low2 + lp2 * low + hp * high + bp * band, (
        2.0 * warp * high,
        2.0 * warp * band,
        2.0 * warp * high2,
        2.0 * warp * band2,
    )


MODULE = Module(
    slot=Slot.FILTER,
    name="multimode",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 170.0, "knob's pitch, MIDI", 90.0),
        Input("resonance", "", 0.0, 1.0, "feedback"),
        Input("mode", "", 0.0, 3.0, "0: LP4, 1: LP2, 2: HP, 3: BP"),
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
        Constant(
            "drive", 0.9, 0.5, 1.5, "", Confidence.GUESS, "gain into the feedback's saturation"
        ),
        Constant("damping", 1.4, 1.0, 2.0, "", Confidence.GUESS, "damping of the second section"),
    ),
    coefficients=("warp", "k", "drive", "damping", "lp4", "lp2", "hp", "bp"),
    states=("s1", "s2", "s3", "s4", "bent"),
    controls=controls,
    step=step,
    circuit=circuit,
    bend=bend,
)
