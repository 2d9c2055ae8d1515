"""Dual VCO Eco: the two oscillators of an MS-20.

The first gives a triangle, a saw, a pulse or noise, the second a saw, a square, a narrow pulse or
the product of its square and the first one's pulse (ring modulation). Every wave is a sum of a
ramp, a triangle and two band-limited edges (`dsp.edges`), so choosing one is choosing gains.
"""

from __future__ import annotations

from deepdiva.engine.dsp.edges import kink, nearest
from deepdiva.engine.dsp.edges import step as edge
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_FADE_FROM = 0.42
_HIGHEST = 0.49


def _is(value, wanted):
    return 1.0 if abs(value - wanted) < 0.5 else 0.0


def controls(u, c, rate):
    wave1, wave2, level1, level2, width = u
    (gain, power, triangle, saw1, pulse, noise, saw2, square, narrow, ring, narrow_high, high50) = c
    w1 = gain * min(1.0, max(0.0, level1)) ** power
    w2 = gain * min(1.0, max(0.0, level2)) ** power
    high = min(1.0, max(0.0, 0.5 + 2.0 * width * (high50 - 0.5)))
    return (
        w1 * triangle * _is(wave1, 1.0) + 1e-9,
        w1 * saw1 * _is(wave1, 2.0),
        w1 * pulse * _is(wave1, 3.0),
        w1 * noise * _is(wave1, 4.0),
        w2 * saw2 * _is(wave2, 1.0) + 1e-9,
        w2 * (square * _is(wave2, 2.0) + narrow * _is(wave2, 3.0)),
        w2 * ring * _is(wave2, 4.0),
        high,
        narrow_high if abs(wave2 - 3.0) < 0.5 else 0.5,
    )


def _saw(phase, inverse):
    """Falling saw, 1 at phase 0 and -1 before it wraps."""
    away = nearest(phase)
    return edge(away * inverse) - 2.0 * away


def _fade(increment):
    return min(1.0, max(0.0, (_HIGHEST - increment) * 14.285714285714286))


def step(x, p, s):
    phase1, increment1, phase2, increment2, white = x
    to_triangle1, to_saw1, to_pulse1, to_noise, to_saw2, to_pulse2, to_ring, high1, high2 = p
    inverse1 = 1.0 / increment1
    inverse2 = 1.0 / increment2
    fade1 = _fade(increment1)
    fade2 = _fade(increment2)
    away = abs(nearest(phase1))
    turns = kink((0.5 - away) * inverse1) - kink(away * inverse1)
    triangle1 = 1.0 - 4.0 * away + 8.0 * increment1 * turns
    saw1 = _saw(phase1, inverse1)
    # A pulse is a saw less the same saw, later.
    pulse1 = saw1 - _saw(phase1 - high1, inverse1) + (2.0 * high1 - 1.0)
    saw2 = _saw(phase2, inverse2)
    pulse2 = saw2 - _saw(phase2 - high2, inverse2) + (2.0 * high2 - 1.0)
    first = fade1 * (to_triangle1 * triangle1 + to_saw1 * saw1 + to_pulse1 * pulse1)
    second = fade2 * (to_saw2 * saw2 + to_pulse2 * pulse2 + to_ring * pulse1 * pulse2)
    return (first + second, to_noise * white, first), s


def _c(name, value, low, high, confidence, meaning, unit=""):
    return Constant(name, value, low, high, unit, Confidence(confidence), meaning)


def noisy(inputs):
    """Which lanes want noise."""
    return inputs[:, 0] > 3.5


MODULE = Module(
    slot=Slot.OSCILLATOR,
    name="dual_vco_eco",
    version=1,
    inputs=(
        Input("wave1", "", 1.0, 4.0, "1 triangle, 2 saw, 3 pulse, 4 noise", 2.0),
        Input("wave2", "", 1.0, 4.0, "1 saw, 2 square, 3 narrow pulse, 4 ring modulation", 1.0),
        Input("level1", "", 0.0, 1.0, "level of oscillator 1", 1.0),
        Input("level2", "", 0.0, 1.0, "level of oscillator 2", 1.0),
        Input("width", "", 0.0, 1.0, "knob of the pulse width of oscillator 1"),
    ),
    constants=(
        _c("level_gain", 1.3, 1.225, 1.35, "medium", "gain of an oscillator at level 100"),
        _c("level_power", 1.0, 0.9, 1.2, "medium", "power of the level knob"),
        _c("gain_triangle", 1.0, 0.95, 1.05, "medium", "triangle against saw"),
        _c("gain_saw1", 1.0, 0.95, 1.05, "high", "saw of the first oscillator"),
        _c("gain_pulse", 1.0, 0.95, 1.05, "medium", "pulse of the first oscillator"),
        _c("gain_noise", 1.0, 0.85, 1.2, "low", "noise against saw"),
        _c("gain_saw2", 1.0, 0.95, 1.05, "high", "saw of the second oscillator"),
        _c("gain_square", 1.0, 0.95, 1.05, "medium", "square of the second oscillator"),
        _c("gain_narrow", 1.0, 0.95, 1.1, "medium", "narrow pulse of the second oscillator"),
        _c("gain_ring", 1.0, 0.9, 1.2, "low", "ring modulation"),
        _c("narrow_high", 0.905, 0.9025, 0.9075, "high", "high share of the narrow pulse", "cycle"),
        _c(
            "pulse_50_high", 0.7475, 0.745, 0.7525, "high", "high share of the pulse at 50", "cycle"
        ),
    ),
    coefficients=("triangle", "saw", "pulse", "noise", "saw2", "pulse2", "ring", "high", "high2"),
    states=(),
    controls=controls,
    step=step,
    confidence=Confidence.MEDIUM,
    noisy=noisy,
    oscillators=2,
)
