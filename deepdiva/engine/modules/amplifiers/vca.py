"""The amplifier of a voice: coupling capacitor, envelope, saturation, level.

What the feedback round takes back is the saturated signal, before the voice's level. Law of the
saturation and corner of the capacitor: fitted to real sounds (`docs/ENGINE.md`).
"""

from __future__ import annotations

import math

from deepdiva.engine.dsp.saturation import tanh
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    (level,) = u
    drive, hertz = c
    coupling = 1.0 - math.exp(-2.0 * math.pi * hertz / rate)
    return min(8.0, max(0.0, level)), drive, 1.0 / drive, coupling


def step(x, p, s):
    sound, envelope = x
    level, drive, by_drive, coupling = p
    (offset,) = s
    y = tanh((sound - offset) * envelope * drive) * by_drive
    return (y * level, y), (offset + coupling * (sound - offset),)


MODULE = Module(
    slot=Slot.AMPLIFIER,
    name="vca",
    version=1,
    inputs=(Input("level", "", 0.0, 8.0, "gain of the voice", 1.0),),
    constants=(
        Constant("drive", 2.0, 1.0, 3.0, "", Confidence.MEDIUM, "gain into the saturation"),
        Constant("coupling", 10.0, 4.0, 14.0, "Hz", Confidence.MEDIUM, "corner of the capacitor"),
    ),
    coefficients=("level", "drive", "by_drive", "coupling"),
    states=("offset",),
    controls=controls,
    step=step,
    confidence=Confidence.MEDIUM,
)
