"""Curves that saturate, each with slope 1 at 0."""

from __future__ import annotations

import numpy as np


def chord(x: float) -> float:
    """The chord of x / sqrt(1 + x^2), a saturation that stays within -1..1."""
    return 1.0 / np.sqrt(1.0 + x * x)


def tanh(x: float) -> float:
    """Hyperbolic tangent by its continued fraction, within 1e-4, without a call that stops SIMD."""
    y = min(4.9, max(-4.9, x))
    z = y * y
    upper = y * (135135.0 + z * (17325.0 + z * (378.0 + z)))
    return upper / (135135.0 + z * (62370.0 + z * (3150.0 + 28.0 * z)))


def tanh_chord(x: float) -> float:
    """The chord of the hyperbolic tangent, tanh(x) / x; 1 at 0."""
    y = min(4.9, max(-4.9, x))
    z = y * y
    upper = 135135.0 + z * (17325.0 + z * (378.0 + z))
    return 4.9 * upper / (max(4.9, abs(x)) * (135135.0 + z * (62370.0 + z * (3150.0 + 28.0 * z))))
