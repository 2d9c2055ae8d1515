"""Triple VCO: three oscillators whose shape morphs, as a Minimoog's grown continuous.

Shape 1 is a rising ramp, 3 a triangle, 5 a falling saw, 7 a square, 9 a narrow pulse; between 5 and
7 a saw fades into a pulse that narrows from the whole cycle to half of it, and keeps its DC. The
first oscillator modulates the pitch of the other two exponentially. Every wave is a sum of a
triangle and two saws (`dsp.edges`). The laws between shapes 5 and 7, of FM and of the levels were
fitted to real sounds with known parameters (`docs/ENGINE.md`); the others are documented, and
uncalibrated. Hard sync is not played.
"""

from __future__ import annotations

from deepdiva.engine.dsp.edges import kink, nearest
from deepdiva.engine.dsp.edges import step as edge
from deepdiva.engine.dsp.powers import octaves
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_FADE_FROM = 0.42
_HIGHEST = 0.49


def _to_saw(shape):
    """Gain of the falling saw: rising at 1, none at 3, full at 5, none from 7 on."""
    if shape < 3.0:
        return 0.5 * (max(1.0, shape) - 3.0)
    if shape < 5.0:
        return 0.5 * (shape - 3.0)
    return max(0.0, 0.5 * (7.0 - shape))


def _to_triangle(shape):
    return max(0.0, 1.0 - 0.5 * abs(shape - 3.0))


def _to_pulse(shape):
    return min(1.0, max(0.0, 0.5 * (shape - 5.0)))


def _high(shape, narrowest):
    """Share of the cycle in which the pulse is high."""
    return max(narrowest, 1.0 - 0.25 * max(0.0, shape - 5.0))


def controls(u, c, rate):
    shape1, shape2, shape3, level1, level2, level3, noise, fm = u
    gain, power, noise_gain, fm_octaves, narrowest = c
    return (
        gain * min(1.0, max(0.0, level1)) ** power + 1e-9,
        gain * min(1.0, max(0.0, level2)) ** power,
        gain * min(1.0, max(0.0, level3)) ** power,
        gain * noise_gain * min(1.0, max(0.0, noise)),
        fm_octaves * min(1.0, max(0.0, fm)),
        _to_saw(shape1),
        _to_triangle(shape1),
        _to_pulse(shape1),
        _high(shape1, narrowest),
        _to_saw(shape2),
        _to_triangle(shape2),
        _to_pulse(shape2),
        _high(shape2, narrowest),
        _to_saw(shape3),
        _to_triangle(shape3),
        _to_pulse(shape3),
        _high(shape3, narrowest),
    )


def _fade(increment):
    return min(1.0, max(0.0, (_HIGHEST - increment) * 14.285714285714286))


def _wave(phase, increment, to_saw, to_triangle, to_pulse, high):
    inverse = 1.0 / increment
    e = nearest(phase)
    away = abs(e)
    turns = kink((0.5 - away) * inverse) - kink(away * inverse)
    triangle = 1.0 - 4.0 * away + 8.0 * increment * turns
    saw = edge(e * inverse) - 2.0 * e
    e = nearest(phase - high)
    later = edge(e * inverse) - 2.0 * e
    # A pulse is a saw less the same saw, later.
    pulse = saw - later + (2.0 * high - 1.0)
    return _fade(increment) * (to_saw * saw + to_triangle * triangle + to_pulse * pulse)


def step(x, p, s):
    phase1, increment1, phase2, increment2, phase3, increment3, white = x
    (
        level1, level2, level3, noise, fm,
        saw1, triangle1, pulse1, high1,
        saw2, triangle2, pulse2, high2,
        saw3, triangle3, pulse3, high3,
    ) = p  # fmt: skip
    ahead2, ahead3 = s
    first = _wave(phase1, increment1, saw1, triangle1, pulse1, high1)
    bent = octaves(fm * first)
    step2 = min(_HIGHEST, increment2 * bent)
    step3 = min(_HIGHEST, increment3 * bent)
    second = _wave(phase2 + ahead2, step2, saw2, triangle2, pulse2, high2)
    third = _wave(phase3 + ahead3, step3, saw3, triangle3, pulse3, high3)
    tone = level1 * first + level2 * second + level3 * third
    return (tone, noise * white, first), (
        nearest(ahead2 + step2 - increment2),
        nearest(ahead3 + step3 - increment3),
    )


def noisy(inputs):
    """Whether any lane wants noise."""
    return bool((inputs[:, 6] > 0.0).any())


MODULE = Module(
    slot=Slot.OSCILLATOR,
    name="triple_vco",
    version=1,
    inputs=(
        Input("shape1", "", 1.0, 9.0, "shape of oscillator 1", 5.0),
        Input("shape2", "", 1.0, 9.0, "shape of oscillator 2", 5.0),
        Input("shape3", "", 1.0, 9.0, "shape of oscillator 3", 5.0),
        Input("level1", "", 0.0, 1.0, "level of oscillator 1", 1.0),
        Input("level2", "", 0.0, 1.0, "level of oscillator 2"),
        Input("level3", "", 0.0, 1.0, "level of oscillator 3"),
        Input("noise", "", 0.0, 1.0, "level of the noise"),
        Input("fm", "", 0.0, 1.0, "FM of oscillators 2 and 3 by oscillator 1"),
    ),
    constants=(
        Constant(
            "level_gain", 0.436, 0.4, 0.48, "", Confidence.HIGH, "gain of an oscillator at level 1"
        ),
        Constant("level_power", 0.99, 0.95, 1.05, "", Confidence.HIGH, "power of the level knob"),
        Constant("noise_gain", 0.2, 0.0, 0.3, "", Confidence.LOW, "noise against saw"),
        Constant("fm_octaves", 1.93, 1.7, 2.1, "octaves", Confidence.HIGH, "FM at 1"),
        Constant(
            "narrowest",
            0.04,
            0.02,
            0.1,
            "cycle",
            Confidence.GUESS,
            "high share of the pulse at shape 9",
        ),
    ),
    coefficients=(
        "level1",
        "level2",
        "level3",
        "noise",
        "fm",
        "saw1",
        "triangle1",
        "pulse1",
        "high1",
        "saw2",
        "triangle2",
        "pulse2",
        "high2",
        "saw3",
        "triangle3",
        "pulse3",
        "high3",
    ),
    states=("ahead2", "ahead3"),
    controls=controls,
    step=step,
    confidence=Confidence.HIGH,
    noisy=noisy,
    oscillators=3,
)
