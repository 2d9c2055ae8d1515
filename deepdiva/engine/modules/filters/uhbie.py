"""Uhbie: a state-variable filter with saturating integrators, as in Oberheim's SEM.

    dv/dt = w f(h),  dl/dt = w f(v),  h = x - 2 v + k f(v) - l,  f(x) = tanh(d x) / d

The output goes from low-pass over notch (their sum) or band-pass to high-pass.
V. Zavalishin, "The Art of VA Filter Design", 2018, chapters 4 and 6; the loop is solved with the
chords of the last sample. No real sound has judged it: uncalibrated.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import tanh_chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421


def controls(u, c, rate):
    pitch, resonance, mix, band = u
    shift, gain, power, drive = c
    k = 0.5 * gain * min(1.0, max(0.0, resonance)) ** power
    away = 2.0 * min(1.0, max(0.0, mix)) - 1.0
    middle = 1.0 - abs(away)
    notch = 0.0 if band > 0.5 else middle
    lp, hp, bp = notch + max(0.0, -away), notch + max(0.0, away), middle - notch
    return warped(pitch + shift, rate), k, drive, lp, hp, bp


def bend(p, factor):
    warp, k, drive, lp, hp, bp = p
    return min(_HIGHEST, warp * factor), k, drive, lp, hp, bp


def step(x, p, s):
    warp, k, drive, lp, hp, bp = p
    s1, s2, e1, e2 = s
    chord = 1.0 - e2
    w1 = warp * (1.0 - e1)
    w2 = warp * chord
    loss = 2.0 - k * chord
    high = (x - (loss + w2) * s1 - s2) / (1.0 + w1 * (loss + w2))
    move = w1 * high
    band = s1 + move
    rise = w2 * band
    low = s2 + rise
    y = lp * low + hp * high + bp * band
    # The true slopes, not the chords' ones, move the states: no step is above 2 w / d.
    c1 = tanh_chord(drive * high)
    c2 = tanh_chord(drive * band)
    return y, (s1 + 2.0 * warp * c1 * high, s2 + 2.0 * warp * c2 * band, 1.0 - c1, 1.0 - c2)


def circuit(t, y, x, p, c):
    warp, k, drive, lp, hp, bp = p
    band, low = y[0], y[1]
    bent = band * tanh_chord(drive * band)
    high = x - 2.0 * band + k * bent - low
    return lp * low + hp * high + bp * band, (
        2.0 * warp * high * tanh_chord(drive * high),
        2.0 * warp * bent,
    )


MODULE = Module(
    slot=Slot.FILTER,
    name="uhbie",
    version=2,
    inputs=(
        Input("cutoff", "semitones", -20.0, 170.0, "knob's pitch, MIDI", 90.0),
        Input("resonance", "", 0.0, 1.0, "feedback"),
        Input("mix", "", 0.0, 1.0, "0: low-pass, 0.5: notch or band-pass, 1: high-pass"),
        Input("band", "", 0.0, 1.0, "what is in the middle; 1: band-pass"),
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
            3.0,
            6.5,
            "",
            Confidence.GUESS,
            "loop gain at resonance 1; at 4 it oscillates",
        ),
        Constant(
            "feedback_power", 1.07, 0.9, 1.5, "", Confidence.GUESS, "power of the resonance knob"
        ),
        Constant("drive", 0.6, 0.3, 1.5, "", Confidence.GUESS, "gain into the saturation"),
    ),
    coefficients=("warp", "k", "drive", "lp", "hp", "bp"),
    states=("s1", "s2", "e1", "e2"),
    controls=controls,
    step=step,
    circuit=circuit,
    bend=bend,
)
