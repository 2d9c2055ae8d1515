"""The same steps, uncompiled, in float64, one lane at a time: slow, for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine.module import Module

Array = NDArray[np.float64]


def coefficients(module: Module, inputs: dict[str, float], rate: float) -> tuple[float, ...]:
    """What `controls` makes of inputs.

    Args:
        module: any.
        inputs: by name; the others rest at their defaults.
        rate: samples per second.
    """
    u = tuple(inputs.get(entry.name, entry.default) for entry in module.inputs)
    return tuple(module.controls(u, tuple(entry.value for entry in module.constants), rate))


def play(module: Module, x: Array, inputs: dict[str, float], rate: float) -> Array:
    """A high-pass or a filter at work.

    Args:
        module: of the slot highpass or filter.
        x: (samples,).
        inputs: see `coefficients`.
        rate: samples per second.

    Returns:
        (samples,).
    """
    p = coefficients(module, inputs, rate)
    states = tuple(0.0 for _ in module.states)
    out = np.empty(len(x))
    for i, value in enumerate(x):
        out[i], states = module.step(float(value), p, states)
    return out
