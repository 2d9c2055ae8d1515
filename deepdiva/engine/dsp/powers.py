"""Powers of two, tangents and pitches, without calls that stop SIMD."""

from __future__ import annotations

_LN2 = 0.6931471805599453
_LN2_2 = 0.2402265069591007
_LN2_3 = 0.05550410866482158
_LN2_4 = 0.009618129107628477
_LN2_5 = 0.0013333558146428443
_LN2_6 = 0.0001540353039338161


def octaves(x: float) -> float:
    """2^x for x within -5..5, clipped beyond; within 0.01 %: good enough for FM."""
    y = min(5.0, max(-5.0, x)) * 0.125
    y = 1.0 + y * (_LN2 + y * (_LN2_2 + y * (_LN2_3 + y * (_LN2_4 + y * _LN2_5))))
    y *= y
    y *= y
    return y * y


def exp2(x: float) -> float:
    """2^x for x within -40..40, clipped beyond; relative error below 1e-11 in float64."""
    y = min(40.0, max(-40.0, x)) * 0.0009765625
    y = y * (_LN2 + y * (_LN2_2 + y * (_LN2_3 + y * (_LN2_4 + y * _LN2_5))))
    # (1 + y)^2 - 1, ten times: the 1 is left out, so that no digit of a small y is lost.
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    y = y * (2.0 + y)
    return 1.0 + y


def tan(x: float) -> float:
    """Tangent for x within 0..1.5; relative error below 1e-9 (continued fraction, halved)."""
    y = 0.5 * x
    z = y * y
    half = y * (10395.0 + z * (-1260.0 + 21.0 * z)) / (10395.0 + z * (-4725.0 + z * (210.0 - z)))
    return 2.0 * half / (1.0 - half * half)


def hertz(pitch: float) -> float:
    """Frequency of a MIDI pitch, 69 = 440 Hz."""
    return 440.0 * exp2((pitch - 69.0) * 0.08333333333333333)


def corner_cycles(pitch: float, rate: float) -> float:
    """Cycles per sample of a MIDI pitch, held below 0.45."""
    return min(0.45, hertz(min(160.0, max(-20.0, pitch))) / rate)


def warped(pitch: float, rate: float) -> float:
    """Prewarped gain tan(pi f / rate) of a MIDI pitch, with f held below 0.45 of the rate.

    V. Zavalishin, "The Art of VA Filter Design", 2018, chapter 3.
    """
    return tan(3.141592653589793 * corner_cycles(pitch, rate))
