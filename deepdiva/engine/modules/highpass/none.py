"""No high-pass: the mixer's sum goes straight into the filter."""

from __future__ import annotations

from deepdiva.engine.module import Confidence, Module, Slot


def controls(u, c, rate):
    return ()


def step(x, p, s):
    return x, s


MODULE = Module(
    slot=Slot.HIGHPASS,
    name="none",
    version=1,
    inputs=(),
    constants=(),
    coefficients=(),
    states=(),
    controls=controls,
    step=step,
    confidence=Confidence.HIGH,
)
