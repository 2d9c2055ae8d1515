"""Multimode: two state-variable sections, as in a Jupiter-6. Uncalibrated.

    H(s) = {1, s, s^2} / (s^2 + d s + 1), the low-pass of 24 dB followed by 1 / (s^2 + sqrt(2) s + 1)

Trapezoidal integrators without delay (V. Zavalishin, "The Art of VA Filter Design", 2018, chapter
4). The damping d grows with the level of the band-pass, which holds self-oscillation.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.dsp.saturation import chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 6.3137515146750421
_SQRT2 = 1.4142135623730951


def _is(value, wanted):
    return 1.0 if abs(value - wanted) < 0.5 else 0.0


def controls(u, c, rate):
    pitch, resonance, mode = u
    shift, gain, power, drive, lowest, highest = c
    warp = warped(min(highest, max(lowest, pitch)) + shift, rate)
    damping = _SQRT2 - gain * min(1.0, max(0.0, resonance)) ** power
    low4 = _is(mode, 0.0)
    return warp, damping, drive, low4, _is(mode, 1.0), _is(mode, 2.0), _is(mode, 3.0)


def bend(p, factor):
    warp, damping, drive, low4, low2, high, band = p
    return min(_HIGHEST, warp * factor), damping, drive, low4, low2, high, band


def step(x, p, s):
    warp, damping, drive, to_low4, to_low2, to_high, to_band = p
    s1, s2, s3, s4, lost = s
    d = damping + 2.0 * lost
    high = (x - (d + warp) * s1 - s2) / (1.0 + warp * (d + warp))
    band = warp * high + s1
    s1 = warp * high + band
    low = warp * band + s2
    s2 = warp * band + low
    high2 = (low - (_SQRT2 + warp) * s3 - s4) / (1.0 + warp * (_SQRT2 + warp))
    band2 = warp * high2 + s3
    s3 = warp * high2 + band2
    low2 = warp * band2 + s4
    s4 = warp * band2 + low2
    y = to_low4 * low2 + to_low2 * low + to_high * high + to_band * band
    return y, (s1, s2, s3, s4, 1.0 - chord(drive * band))


MODULE = Module(
    slot=Slot.FILTER,
    name="multimode",
    version=1,
    inputs=(
        Input("cutoff", "semitones", -20.0, 170.0, "knob's pitch, MIDI", 90.0),
        Input("resonance", "", 0.0, 1.0, "less damping"),
        Input("mode", "", 0.0, 3.0, "0 LP 24 dB, 1 LP 12 dB, 2 HP, 3 BP"),
    ),
    constants=(
        Constant("shift", -12.95, -13.2, 0.0, "semitones", Confidence.GUESS, "cutoff above the knob's pitch"),
        Constant("resonance_gain", 1.5, 1.35, 1.6, "", Confidence.GUESS, "damping taken away at resonance 1"),
        Constant("resonance_power", 0.8, 0.5, 1.2, "", Confidence.GUESS, "power of the resonance knob"),
        Constant("drive", 0.8, 0.4, 1.5, "", Confidence.GUESS, "how early the band-pass is damped"),
        Constant("lowest", 27.0, 20.0, 40.0, "semitones", Confidence.GUESS, "no modulation closes it further"),
        Constant("highest", 150.0, 130.0, 170.0, "semitones", Confidence.GUESS, "no modulation opens it further"),
    ),
    coefficients=("warp", "damping", "drive", "low4", "low2", "high", "band"),
    states=("s1", "s2", "s3", "s4", "lost"),
    controls=controls,
    step=step,
    bend=bend,
)
