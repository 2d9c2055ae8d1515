"""Triple VCO: three oscillators whose shape morphs, as a Minimoog's grown continuous.

Shape 1 is a rising ramp, 3 a triangle, 5 a falling saw, 7 a square, 9 a narrow pulse; between 5 and
7 a saw fades into a pulse that narrows from the whole cycle to half of it, and keeps its DC. The
first oscillator modulates the pitch of the other two exponentially. Every wave is a sum of a
triangle and two saws (`dsp.edges`). The laws between shapes 5 and 7, of FM and of the levels were
fitted to real sounds with known parameters (`docs/ENGINE.md`); the others are documented, and
uncalibrated.

The first oscillator can force the cycles of the others (hard sync). Its jumps are known only once
they have happened: a voice with sync comes two samples late, and each jump and each turn of a
synchronized wave is put together with its two samples before it (E. Brandt, "Hard sync without
aliasing", ICMC 2001, with the splines of `dsp.edges`).
"""

from __future__ import annotations

import numpy as np

from deepdiva.engine.dsp.edges import kink, nearest
from deepdiva.engine.dsp.edges import step as edge
from deepdiva.engine.dsp.forced import forced
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
    shape1, shape2, shape3, level1, level2, level3, noise, fm, sync2, sync3, colour = u
    gain, power, noise_gain, fm_octaves, narrowest, pink_gain = c
    return (
        gain * min(1.0, max(0.0, level1)) ** power + 1e-9,
        gain * min(1.0, max(0.0, level2)) ** power,
        gain * min(1.0, max(0.0, level3)) ** power,
        gain * noise_gain * (1.0 if colour > 0.5 else pink_gain) * min(1.0, max(0.0, noise)),
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
        1.0 if sync2 > 0.5 else 0.0,
        1.0 if sync3 > 0.5 else 0.0,
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


def plain(x, p, s):
    phase1, increment1, phase2, increment2, phase3, increment3, white = x
    (
        level1, level2, level3, noise, _,
        saw1, triangle1, pulse1, high1,
        saw2, triangle2, pulse2, high2,
        saw3, triangle3, pulse3, high3,
        _, _,
    ) = p  # fmt: skip
    step2 = min(_HIGHEST, increment2)
    step3 = min(_HIGHEST, increment3)
    first = _wave(phase1, increment1, saw1, triangle1, pulse1, high1)
    second = _wave(phase2, step2, saw2, triangle2, pulse2, high2)
    third = _wave(phase3, step3, saw3, triangle3, pulse3, high3)
    return (level1 * first + level2 * second + level3 * third, noise * white, first), s


def light(x, p, s):
    phase1, increment1, phase2, increment2, phase3, increment3, white = x
    (
        level1, level2, level3, noise, fm,
        saw1, triangle1, pulse1, high1,
        saw2, triangle2, pulse2, high2,
        saw3, triangle3, pulse3, high3,
        _, _,
    ) = p  # fmt: skip
    ahead2, ahead3, awake, last1, last2, last3, beyond2, beyond3, a, b, c, d, e = s
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
        awake, last1, last2, last3, beyond2, beyond3, a, b, c, d, e,
    )  # fmt: skip


def step(x, p, s):
    phase1, increment1, phase2, increment2, phase3, increment3, white = x
    (
        level1, level2, level3, noise, fm,
        saw1, triangle1, pulse1, high1,
        saw2, triangle2, pulse2, high2,
        saw3, triangle3, pulse3, high3,
        sync2, sync3,
    ) = p  # fmt: skip
    (
        ahead2, ahead3, awake, last1, last2, last3, beyond2, beyond3,
        early1, early2, queue1, queue2, queue3,
    ) = s  # fmt: skip
    first = _wave(phase1, increment1, saw1, triangle1, pulse1, high1)
    bent = octaves(fm * first)
    step2 = min(_HIGHEST, increment2 * bent)
    step3 = min(_HIGHEST, increment3 * bent)
    begun = phase1 - np.floor(phase1)
    again = awake if begun < last1 else 0.0
    since = min(1.0, max(0.0, begun / increment1))
    free2 = phase2 + ahead2
    free2 -= np.floor(free2)
    free3 = phase3 + ahead3
    free3 -= np.floor(free3)
    now2, beyond2, bare2, a2, b2, e2, f2 = forced(
        free2, last2, beyond2, awake, sync2 * again, since,
        0.0, saw2, triangle2, pulse2, high2, 0.0, 0.0,
    )  # fmt: skip
    now3, beyond3, bare3, a3, b3, e3, f3 = forced(
        free3, last3, beyond3, awake, sync3 * again, since,
        0.0, saw3, triangle3, pulse3, high3, 0.0, 0.0,
    )  # fmt: skip
    w2 = level2 * _fade(step2)
    w3 = level3 * _fade(step3)
    tone = level1 * early2 + queue1 + w2 * a2 + w3 * a3
    return (tone, noise * white, early2), (
        nearest(ahead2 + now2 - free2 + step2 - increment2),
        nearest(ahead3 + now3 - free3 + step3 - increment3),
        1.0,
        begun,
        now2,
        now3,
        beyond2,
        beyond3,
        first,
        early1,
        queue2 + w2 * b2 + w3 * b3,
        queue3 + w2 * (bare2 + e2) + w3 * (bare3 + e3),
        w2 * f2 + w3 * f3,
    )


def noisy(inputs):
    """Which lanes want noise."""
    return inputs[:, 6] > 0.0


def pink(inputs):
    """Which lanes want it pink."""
    return inputs[:, 10] < 0.5


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
        Input("sync2", "", 0.0, 1.0, "oscillator 2 begins anew with oscillator 1"),
        Input("sync3", "", 0.0, 1.0, "oscillator 3 begins anew with oscillator 1"),
        Input("colour", "", 0.0, 1.0, "noise: 0 pink, 1 white; never modulated"),
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
        # Real sounds (knob 0 to 15, colour 0) bound pink noise only from above: up to half is free.
        Constant("pink_gain", 0.25, 0.0, 0.5, "", Confidence.LOW, "pink noise against white"),
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
        "sync2",
        "sync3",
    ),
    states=(
        "ahead2",
        "ahead3",
        "awake",
        "last1",
        "last2",
        "last3",
        "beyond2",
        "beyond3",
        "early1",
        "early2",
        "queue1",
        "queue2",
        "queue3",
    ),
    controls=controls,
    step=step,
    confidence=Confidence.HIGH,
    light=light,
    heavy=("sync2", "sync3"),
    plain=plain,
    linked=("fm",),
    noisy=noisy,
    pink=pink,
    oscillators=3,
)
