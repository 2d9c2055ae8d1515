"""Band-limited steps and kinks: cubic B-splines in place of jumps.

Valimaki, Pekonen, Nam: "Perceptually informed synthesis of bandlimited classical waveforms using
integrated polynomial interpolation", JASA 131, 2012. The droop that the spline leaves,
sinc(f/fs)^4, is undone after the mix by the inverse of the sampled spline (see `backends`).
"""

from __future__ import annotations

import numpy as np


def step(distance: float) -> float:
    """A band-limited step from -1 to 1, `distance` samples after it; done two samples away."""
    away = abs(distance)
    outer = max(0.0, 2.0 - away)
    inner = max(0.0, 1.0 - away)
    outer *= outer
    inner *= inner
    reached = 1.0 - (outer * outer - 4.0 * inner * inner) * 0.08333333333333333
    return reached if distance >= 0.0 else -reached


def kink(distance: float) -> float:
    """Residual of a slope that grows by one per sample; even, zero from 2 samples on."""
    away = abs(distance)
    outer = max(0.0, 2.0 - away)
    inner = max(0.0, 1.0 - away)
    o2 = outer * outer
    i2 = inner * inner
    return (o2 * o2 * outer - 4.0 * i2 * i2 * inner) * 0.008333333333333333


def nearest(cycles: float) -> float:
    """Distance from the nearest whole number, -0.5..0.5."""
    return cycles - np.floor(cycles + 0.5)
