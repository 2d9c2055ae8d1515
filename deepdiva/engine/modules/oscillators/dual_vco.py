"""Dual VCO: two oscillators with stacked waves, as in a Jupiter-8 or Jupiter-6. Uncalibrated.

The first stacks triangle, saw, pulse and noise, the second sine, triangle, saw and pulse; the first
modulates the pitch of the second exponentially, and can force its cycle (hard sync). A balance goes
from the first to the second. Every wave is a sum of a triangle, a sine and two saws
(`dsp.edges`). With sync, jumps are known only once they have happened: all waves of a synchronized
voice then come two samples late, and each jump is put together with its two samples before it
(E. Brandt, "Hard sync without aliasing", ICMC 2001, with the splines of `dsp.edges`).
"""

from __future__ import annotations

import numpy as np

from deepdiva.engine.dsp.edges import kink, nearest
from deepdiva.engine.dsp.edges import step as edge
from deepdiva.engine.dsp.powers import octaves
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 0.49


def _on(value):
    return 1.0 if value > 0.5 else 0.0


def controls(u, c, rate):
    (
        triangle1, saw1, pulse1, noise1, sine2, triangle2, saw2, pulse2,
        width1, width2, fm, sync, mix, noise,
    ) = u  # fmt: skip
    gain, narrowest, fm_octaves, noise_gain = c
    balance = min(1.0, max(0.0, mix))
    first = gain * min(1.0, 2.0 - 2.0 * balance)
    second = gain * min(1.0, 2.0 * balance)
    return (
        first * _on(triangle1) + 1e-9,
        first * _on(saw1),
        first * _on(pulse1),
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
    )


def _fade(increment):
    return min(1.0, max(0.0, (_HIGHEST - increment) * 14.285714285714286))


def _sine(phase):
    """cos(2 pi phase) by its polynomial on the folded cycle, within 1e-4."""
    a = 0.25 - abs(nearest(phase))
    z = 39.47841760435743 * a * a
    return 6.283185307179586 * a * (1.0 - z * (0.16666666 - z * (0.0083333 - z * 0.00019840)))


def _bare(phase, sine, triangle, saw, pulse, high):
    """The waves with their jumps, none of them band-limited."""
    p = phase - np.floor(phase)
    away = abs(nearest(phase))
    level = 1.0 if p < high else -1.0
    return (
        sine * _sine(phase) + triangle * (1.0 - 4.0 * away) + saw * (1.0 - 2.0 * p) + pulse * level
    )


def _rest(distance):
    """What a band-limited step from -1 to 1 has beyond the bare one, halved."""
    return 0.5 * (edge(distance) - (1.0 if distance >= 0.0 else -1.0))


def _smooth(phase, increment, sine, triangle, saw, pulse, high):
    """The waves, band-limited, where every jump is known ahead."""
    inverse = 1.0 / increment
    e = nearest(phase)
    away = abs(e)
    turns = kink((0.5 - away) * inverse) - kink(away * inverse)
    corner = 1.0 - 4.0 * away + 8.0 * increment * turns
    ramp = edge(e * inverse) - 2.0 * e
    e = nearest(phase - high)
    later = edge(e * inverse) - 2.0 * e
    gate = ramp - later + (2.0 * high - 1.0)
    return sine * _sine(phase) + triangle * corner + saw * ramp + pulse * gate


def step(x, p, s):
    phase1, increment1, phase2, increment2, white = x
    (
        triangle1, saw1, pulse1, high1, sine2, triangle2, saw2, pulse2, high2,
        fm, sync, noise, unit,
    ) = p  # fmt: skip
    ahead, bare1, bare2, early1, early2, q1, q2, q3, seen, fallen = s
    fade1 = _fade(increment1)
    first = fade1 * _smooth(phase1, increment1, 0.0, triangle1, saw1, pulse1, high1)
    bend = octaves(fm * 2.2727272727272727 * first * unit)
    step2 = min(_HIGHEST, increment2 * bend)
    total = phase2 + ahead
    at = phase1 - np.floor(phase1)
    since = at / increment1
    # What happened at the sample before, to within rounding, has been seen there.
    reset = sync * (1.0 if (since < 1.0) and (since + seen < 1.5) else 0.0)
    # Where the second oscillator stood when the first one's cycle began.
    forced = total - since * step2
    jump = _bare(0.0, sine2, triangle2, saw2, pulse2, high2)
    jump -= _bare(forced, sine2, triangle2, saw2, pulse2, high2)
    fresh = since * step2
    total = total + reset * (fresh - total)
    bare = _bare(total, sine2, triangle2, saw2, pulse2, high2)
    p2 = total - np.floor(total)
    # Its own jumps: at the end of its cycle, and where the pulse falls.
    own = 1.0 - reset
    d1 = p2 / step2
    d2 = (p2 - high2) / step2
    wrapped = own * (1.0 if (d1 < 1.0) and (d1 + seen < 1.5) else 0.0)
    fell = own * (1.0 if (d2 >= 0.0) and (d2 < 1.0) and (d2 + fallen < 1.5) else 0.0)
    up = wrapped * 2.0 * (saw2 + pulse2)
    down = -2.0 * fell * pulse2
    forced_up = reset * jump
    r0 = up * _rest(d1 - 2.0) + down * _rest(d2 - 2.0) + forced_up * _rest(since - 2.0)
    r1 = up * _rest(d1 - 1.0) + down * _rest(d2 - 1.0) + forced_up * _rest(since - 1.0)
    r2 = up * _rest(d1) + down * _rest(d2) + forced_up * _rest(since)
    r3 = up * _rest(d1 + 1.0) + down * _rest(d2 + 1.0) + forced_up * _rest(since + 1.0)
    late = bare2 + q1 + r0
    free = _smooth(total, step2, sine2, triangle2, saw2, pulse2, high2)
    second = _fade(step2) * (free + sync * (late - free))
    one = first + sync * (early2 - first)
    return (one + second, noise * white, first * unit * 2.2727272727272727), (
        nearest(total + step2 - phase2 - increment2),
        bare,
        bare1,
        first,
        early1,
        q2 + r1,
        q3 + r2,
        r3,
        max(reset, wrapped),
        fell,
    )


def noisy(inputs):
    """Whether any lane wants noise."""
    return bool((inputs[:, 3] > 0.5).any())


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
    ),
    constants=(
        Constant("level_gain", 0.436, 0.35, 0.55, "", Confidence.GUESS, "gain of one wave alone"),
        Constant(
            "narrowest", 0.03, 0.01, 0.1, "cycle", Confidence.GUESS, "low share of the pulse at 100"
        ),
        Constant("fm_octaves", 1.93, 1.0, 3.0, "octaves", Confidence.GUESS, "FM at 1"),
        Constant("noise_gain", 0.3, 0.1, 0.6, "", Confidence.GUESS, "noise against saw"),
    ),
    coefficients=(
        "triangle1",
        "saw1",
        "pulse1",
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
    ),
    states=("ahead", "bare1", "bare2", "early1", "early2", "q1", "q2", "q3", "seen", "fallen"),
    controls=controls,
    step=step,
    noisy=noisy,
    oscillators=2,
)
