"""High-pass Pre: one pole before the filter, as in a Jupiter-8. Uncalibrated.

    H(s) = s / (s + 1)

At its lowest setting the corner lies below hearing, so it is as good as off.
"""

from __future__ import annotations

from deepdiva.engine.dsp.powers import warped
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    (pitch,) = u
    (shift,) = c
    warp = warped(pitch + shift, rate)
    return (warp / (1.0 + warp),)


def step(x, p, s):
    (gain,) = p
    (z,) = s
    move = gain * (x - z)
    low = move + z
    return x - low, (low + move,)


def circuit(t, y, x, p, c):
    """dy/dt of the capacitor; x(t) the input, p the corner in rad/s."""
    return p * (x(t) - y)


MODULE = Module(
    slot=Slot.HIGHPASS,
    name="pre",
    version=1,
    inputs=(Input("cutoff", "semitones", -20.0, 160.0, "knob's pitch, MIDI", 30.0),),
    constants=(
        Constant("shift", -12.95, -13.0, 0.0, "semitones", Confidence.GUESS, "corner above the knob's pitch"),
    ),
    coefficients=("gain",),
    states=("z",),
    controls=controls,
    step=step,
    circuit=circuit,
)
