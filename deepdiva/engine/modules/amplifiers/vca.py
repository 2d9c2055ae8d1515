"""The amplifier of a voice: drive, coupling capacitor, envelope, level."""

from __future__ import annotations

import math

from deepdiva.engine.dsp.saturation import chord
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    (level,) = u
    drive, hertz = c
    return min(4.0, max(0.0, level)), 1.0 / drive, 1.0 - math.exp(-2.0 * math.pi * hertz / rate)


def step(x, p, s):
    sound, envelope = x
    level, by_drive, coupling = p
    (offset,) = s
    driven = sound * chord(sound * by_drive)
    return (driven - offset) * envelope * level, (offset + coupling * (driven - offset),)


MODULE = Module(
    slot=Slot.AMPLIFIER,
    name="vca",
    version=1,
    inputs=(Input("level", "", 0.0, 4.0, "gain of the voice", 1.0),),
    constants=(
        Constant("drive_clip", 1.667, 1.4335, 2.3335, "", Confidence.LOW, "level at which it saturates"),
        Constant("coupling", 3.0, 1.0, 8.0, "Hz", Confidence.GUESS, "corner of the coupling capacitor"),
    ),
    coefficients=("level", "by_drive", "coupling"),
    states=("offset",),
    controls=controls,
    step=step,
    confidence=Confidence.LOW,
)
