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


def step_taps(distance: float) -> tuple[float, float, float, float]:
    """What a band-limited step from 0 to 1 has beyond the bare one, around a jump just passed.

    Args:
        distance: samples since the jump, 0..1.

    Returns:
        The rest two samples and one sample before now, now, and one sample later.
    """
    d = distance * distance
    e = 1.0 - distance
    e *= e
    f = 1.0 + distance
    f *= f
    g = 2.0 - distance
    g *= g
    d *= d
    e *= e
    scale = 0.041666666666666664
    return scale * d, scale * (f * f - 4.0 * d), scale * (4.0 * e - g * g), -scale * e


def kink_taps(distance: float) -> tuple[float, float, float, float]:
    """`kink` two samples and one sample before now, now, and later; arguments as `step_taps`."""
    e = 1.0 - distance
    f = 1.0 + distance
    g = 2.0 - distance
    d2 = distance * distance
    e2 = e * e
    f2 = f * f
    g2 = g * g
    d5 = d2 * d2 * distance
    e5 = e2 * e2 * e
    scale = 0.008333333333333333
    return (
        scale * d5,
        scale * (f2 * f2 * f - 4.0 * d5),
        scale * (g2 * g2 * g - 4.0 * e5),
        scale * e5,
    )


def nearest(cycles: float) -> float:
    """Distance from the nearest whole number, -0.5..0.5."""
    return cycles - np.floor(cycles + 0.5)
