"""Dual VCO: two oscillators with stacked waves, as in a Jupiter-8 or Jupiter-6. Uncalibrated.

The first stacks triangle, saw, pulse and noise, the second sine, triangle, saw and pulse; the first
modulates the pitch of the second exponentially, and can force its cycle (hard sync). A balance goes
from the first to the second. Every wave is a sum of a triangle, a sine and two saws
(`dsp.edges`); a voice with sync comes two samples late (`dsp.forced`). The revisions of the panel
differ in their triangles: an ideal one, one with round flanks, one with even harmonics.
"""

from __future__ import annotations

import numpy as np

from deepdiva.engine.dsp.edges import kink, nearest
from deepdiva.engine.dsp.edges import step as edge
from deepdiva.engine.dsp.forced import cosine, forced, shaped, shaped_slope
from deepdiva.engine.dsp.powers import octaves
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 0.49


def _on(value):
    return 1.0 if value > 0.5 else 0.0


def controls(u, c, rate):
    (
        triangle1, saw1, pulse1, noise1, sine2, triangle2, saw2, pulse2,
        width1, width2, fm, sync, mix, noise, revision,
    ) = u  # fmt: skip
    gain, narrowest, fm_octaves, noise_gain, bend1, bend2, tilt2 = c
    first_kind = 1.0 if abs(revision - 1.0) < 0.5 else 0.0
    second_kind = 1.0 if revision > 1.5 else 0.0
    balance = min(1.0, max(0.0, mix))
    first = gain * min(1.0, 2.0 - 2.0 * balance)
    second = gain * min(1.0, 2.0 * balance)
    return (
        _on(triangle1),
        _on(saw1),
        _on(pulse1),
        first + 1e-9,
        min(1.0 - narrowest, max(0.5, width1)),
        second * _on(sine2),
        second * _on(triangle2),
        second * _on(saw2),
        second * _on(pulse2),
        min(1.0 - narrowest, max(0.5, width2)),
        fm_octaves * min(1.0, max(0.0, fm)),
        _on(sync),
        first * noise_gain * _on(noise1) * min(1.0, max(0.0, noise)),
        1.0 / max(1.0, _on(triangle1) + _on(saw1) + _on(pulse1)),
        first_kind * bend1 + second_kind * bend2,
        second_kind * tilt2,
    )


def _fade(increment):
    return min(1.0, max(0.0, (_HIGHEST - increment) * 14.285714285714286))


def _smooth(phase, increment, sine, triangle, saw, pulse, high, bend, tilt):
    """The waves, band-limited, where every jump is known ahead."""
    inverse = 1.0 / increment
    e = nearest(phase)
    away = abs(e)
    turns = shaped_slope(-1.0, bend, tilt) * kink((0.5 - away) * inverse)
    turns -= shaped_slope(1.0, bend, tilt) * kink(away * inverse)
    corner = shaped(1.0 - 4.0 * away, bend, tilt) + 8.0 * increment * turns
    ramp = edge(e * inverse) - 2.0 * e
    e = nearest(phase - high)
    later = edge(e * inverse) - 2.0 * e
    gate = ramp - later + (2.0 * high - 1.0)
    return sine * cosine(phase) + triangle * corner + saw * ramp + pulse * gate


def plain(x, p, s):
    phase1, increment1, phase2, increment2, white = x
    (
        triangle1, saw1, pulse1, level1, high1, sine2, triangle2, saw2, pulse2, high2,
        _, _, noise, unit, bend, tilt,
    ) = p  # fmt: skip
    first = _fade(increment1) * _smooth(
        phase1, increment1, 0.0, triangle1, saw1, pulse1, high1, bend, tilt
    )
    step2 = min(_HIGHEST, increment2)
    second = _fade(step2) * _smooth(
        phase2, step2, sine2, triangle2, saw2, pulse2, high2, bend, tilt
    )
    return (level1 * first + second, noise * white, unit * first), s


def light(x, p, s):
    phase1, increment1, phase2, increment2, white = x
    (
        triangle1, saw1, pulse1, level1, high1, sine2, triangle2, saw2, pulse2, high2,
        fm, _, noise, unit, bend, tilt,
    ) = p  # fmt: skip
    ahead, awake, last1, last2, beyond, early1, early2, queue1, queue2, queue3 = s
    first = _fade(increment1) * _smooth(
        phase1, increment1, 0.0, triangle1, saw1, pulse1, high1, bend, tilt
    )
    step2 = min(_HIGHEST, increment2 * octaves(fm * unit * first))
    second = _fade(step2) * _smooth(
        phase2 + ahead, step2, sine2, triangle2, saw2, pulse2, high2, bend, tilt
    )
    return (level1 * first + second, noise * white, unit * first), (
        nearest(ahead + step2 - increment2),
        awake, last1, last2, beyond, early1, early2, queue1, queue2, queue3,
    )  # fmt: skip


def step(x, p, s):
    phase1, increment1, phase2, increment2, white = x
    (
        triangle1, saw1, pulse1, level1, high1, sine2, triangle2, saw2, pulse2, high2,
        fm, sync, noise, unit, bend, tilt,
    ) = p  # fmt: skip
    ahead, awake, last1, last2, beyond, early1, early2, queue1, queue2, queue3 = s
    first = _fade(increment1) * _smooth(
        phase1, increment1, 0.0, triangle1, saw1, pulse1, high1, bend, tilt
    )
    step2 = min(_HIGHEST, increment2 * octaves(fm * unit * first))
    begun = phase1 - np.floor(phase1)
    again = awake * sync if begun < last1 else 0.0
    since = min(1.0, max(0.0, begun / increment1))
    free = phase2 + ahead
    free -= np.floor(free)
    now, beyond, bare, a, b, e, f = forced(
        free, last2, beyond, awake, again, since,
        sine2, saw2, triangle2, pulse2, high2, bend, tilt,
    )  # fmt: skip
    w = _fade(step2)
    return (level1 * early2 + queue1 + w * a, noise * white, unit * early2), (
        nearest(ahead + now - free + step2 - increment2),
        1.0,
        begun,
        now,
        beyond,
        first,
        early1,
        queue2 + w * b,
        queue3 + w * (bare + e),
        w * f,
    )


def noisy(inputs):
    """Which lanes want noise."""
    return inputs[:, 3] > 0.5


def _switch(name, meaning, default=0.0):
    return Input(name, "", 0.0, 1.0, meaning, default)


MODULE = Module(
    slot=Slot.OSCILLATOR,
    name="dual_vco",
    version=1,
    inputs=(
        _switch("triangle1", "triangle of oscillator 1"),
        _switch("saw1", "saw of oscillator 1", 1.0),
        _switch("pulse1", "pulse of oscillator 1"),
        _switch("noise1", "noise in the place of oscillator 1"),
        _switch("sine2", "sine of oscillator 2"),
        _switch("triangle2", "triangle of oscillator 2"),
        _switch("saw2", "saw of oscillator 2", 1.0),
        _switch("pulse2", "pulse of oscillator 2"),
        Input("width1", "cycle", 0.5, 1.0, "high share of pulse 1", 0.5),
        Input("width2", "cycle", 0.5, 1.0, "high share of pulse 2", 0.5),
        Input("fm", "", 0.0, 1.0, "FM of oscillator 2 by oscillator 1"),
        _switch("sync", "oscillator 2 begins anew with oscillator 1"),
        Input("mix", "", 0.0, 1.0, "0 oscillator 1, 1 oscillator 2"),
        Input("noise", "", 0.0, 1.0, "level of the noise", 1.0),
        Input("revision", "", 0.0, 2.0, "triangles: 0 ideal, 1 round flanks, 2 even harmonics"),
    ),
    constants=(
        Constant("level_gain", 0.436, 0.35, 0.55, "", Confidence.GUESS, "gain of one wave alone"),
        Constant(
            "narrowest", 0.03, 0.01, 0.1, "cycle", Confidence.GUESS, "low share of the pulse at 100"
        ),
        Constant("fm_octaves", 1.93, 1.0, 3.0, "octaves", Confidence.GUESS, "FM at 1"),
        Constant("noise_gain", 0.3, 0.1, 0.6, "", Confidence.GUESS, "noise against saw"),
        Constant("bend1", 0.12, 0.0, 0.3, "", Confidence.GUESS, "round flanks, revision 1"),
        Constant("bend2", 0.05, 0.0, 0.3, "", Confidence.GUESS, "round flanks, revision 2"),
        Constant("tilt2", 0.1, -0.2, 0.2, "", Confidence.GUESS, "even harmonics, revision 2"),
    ),
    coefficients=(
        "triangle1",
        "saw1",
        "pulse1",
        "level1",
        "high1",
        "sine2",
        "triangle2",
        "saw2",
        "pulse2",
        "high2",
        "fm",
        "sync",
        "noise",
        "unit",
        "bend",
        "tilt",
    ),
    states=(
        "ahead",
        "awake",
        "last1",
        "last2",
        "beyond",
        "early1",
        "early2",
        "queue1",
        "queue2",
        "queue3",
    ),
    controls=controls,
    step=step,
    light=light,
    heavy=("sync",),
    plain=plain,
    linked=("fm",),
    noisy=noisy,
    oscillators=2,
)
