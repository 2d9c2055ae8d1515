"""Uhbie: one state-variable section, as in Oberheim's SEM. Uncalibrated.

    H(s) = {1, s, s^2} / (s^2 + d s + 1)

`shape` goes from the low-pass over the notch (low plus high) to the high-pass; a switch takes the
band-pass. It does not oscillate by itself. Discretised as Multimode.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421


def controls(u, c, rate):
    pitch, resonance, shape, only_band = u
    shift, widest, narrowest, drive, lowest, highest = c
    warp = warped(min(highest, max(lowest, pitch)) + shift, rate)
    knob = min(1.0, max(0.0, resonance))
    damping = widest * (narrowest / widest) ** knob
    mix = min(1.0, max(0.0, shape))
    through = 0.0 if only_band > 0.5 else 1.0
    low = through * min(1.0, 2.0 - 2.0 * mix)
    high = through * min(1.0, 2.0 * mix)
    return warp, damping, drive, low, high, 1.0 - through


def bend(p, factor):
    warp, damping, drive, low, high, band = p
    return min(_HIGHEST, warp * factor), damping, drive, low, high, band


def step(x, p, s):
    warp, damping, drive, to_low, to_high, to_band = p
    s1, s2, lost = s
    d = damping + 2.0 * lost
    high = (x - (d + warp) * s1 - s2) / (1.0 + warp * (d + warp))
    band = warp * high + s1
    low = warp * band + s2
    y = to_low * low + to_high * high + to_band * band
    return y, (warp * high + band, warp * band + low, 1.0 - chord(drive * band))


MODULE = Module(
    slot=Slot.FILTER,
    name="uhbie",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 170.0, "knob's pitch, MIDI", 90.0),
        Input("resonance", "", 0.0, 1.0, "less damping"),
        Input("shape", "", 0.0, 1.0, "0 low-pass, 0.5 notch, 1 high-pass"),
        Input("band", "", 0.0, 1.0, "1: the band-pass"),
    ),
    constants=(
        Constant("shift", -12.95, -13.2, 0.0, "semitones", Confidence.GUESS, "cutoff above the knob's pitch"),
        Constant("widest", 1.8, 1.4, 2.0, "", Confidence.GUESS, "damping at resonance 0"),
        Constant("narrowest", 0.06, 0.02, 0.15, "", Confidence.GUESS, "damping at resonance 1"),
        Constant("drive", 0.5, 0.2, 1.0, "", Confidence.GUESS, "how early the band-pass is damped"),
        Constant("lowest", 27.0, 20.0, 40.0, "semitones", Confidence.GUESS, "no modulation closes it further"),
        Constant("highest", 150.0, 130.0, 170.0, "semitones", Confidence.GUESS, "no modulation opens it further"),
    ),
    coefficients=("warp", "damping", "drive", "low", "high", "band"),
    states=("s1", "s2", "lost"),
    controls=controls,
    step=step,
    bend=bend,
)
