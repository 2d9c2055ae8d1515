"""Digital: the two oscillators of a JP-8000, seven waves with two shape knobs each. Uncalibrated.

0 Multisaw: seven saws; detune and mix as measured on the instrument (A. Szabo, "How to Emulate the
  Super Saw", KTH 2010): offsets, detune curve, gains of centre and sides, a high-pass at the pitch.
1 TriWrap: a triangle that overflows and comes in again from the other side; its lowest point moves.
2 Noise: behind a resonant low-pass above the pitch; its distance and its resonance.
3 Feedback: a saw that excites a resonance on one of its overtones, and saturates.
4 Pulse: width; how far it is a saw.
5 Sawtooth: how far it is a spike; how far it is an octave up.
6 Triangle: spike; its lowest point moves.

What the knobs of 1 to 6 do is known by their names only. The first oscillator modulates the pitch
of the second exponentially, or is multiplied with it (ring modulation). Hard sync forces the second
in its plain form: saw, pulse, triangle, the centre of the Multisaw. The other saws of a Multisaw,
the Feedback and what is multiplied begin anew too, but their jumps are left as they are.
Without "less aliasing" no jump is smoothed; the engine then sharpens what (1, 4, 1) / 6 has dulled,
which is the bare wave.
"""

from __future__ import annotations

import numpy as np

from deepdiva.engine.dsp.edges import kink, nearest
from deepdiva.engine.dsp.edges import step as edge
from deepdiva.engine.dsp.forced import forced
from deepdiva.engine.dsp.powers import octaves
from deepdiva.engine.dsp.saturation import tanh
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot

_HIGHEST = 0.49
_STEEPEST = 0.95


def _is(value, wanted):
    return 1.0 if abs(value - wanted) < 0.5 else 0.0


def detune_curve(knob):
    """Detune of the Super Saw for a knob of 0..1: Szabo's polynomial (thesis, section 3.1)."""
    x = min(1.0, max(0.0, knob))
    y = 10028.7312891634
    y = y * x - 50818.8652045924
    y = y * x + 111363.4808729368
    y = y * x - 138150.6761080548
    y = y * x + 106649.6679158292
    y = y * x - 53046.9642751875
    y = y * x + 17019.9518580080
    y = y * x - 3425.0836591318
    y = y * x + 404.2703938388
    y = y * x - 24.1878824391
    y = y * x + 0.6717417634
    return y * x + 0.0030115596


def _oscillator(kind, one, two, depth):
    """The 8 coefficients of one oscillator."""
    a = min(1.0, max(0.0, one))
    b = min(1.0, max(0.0, two))
    multi = _is(kind, 0.0)
    ratio = 1.0 + 11.0 * a if _is(kind, 3.0) > 0.5 else 2.0 ** (8.0 * a)
    return (
        min(6.0, max(0.0, kind)),
        a,
        b,
        multi * (0.99785 - 0.55366 * b),
        multi * (0.044372 + b * (1.2841 - 0.73764 * b)),
        depth * detune_curve(a),
        ratio,
        2.0 * (1.0 - 0.98 * b),
    )


def controls(u, c, rate):
    kind1, kind2, one1, two1, one2, two2, fm, sync, ring, mix, clean, _ = u
    gain, depth, wrap, fm_octaves, noise_gain = c
    balance = min(1.0, max(0.0, mix))
    first = gain * min(1.0, 2.0 - 2.0 * balance)
    second = gain * min(1.0, 2.0 * balance)
    return (
        _oscillator(kind1, one1, two1, depth)
        + _oscillator(kind2, one2, two2, depth)
        + (
            first + 1e-9,
            second,
            noise_gain,
            wrap,
            fm_octaves * min(1.0, max(0.0, fm)),
            1.0 if sync > 0.5 else 0.0,
            1.0 if ring > 0.5 else 0.0,
            1.0 if clean > 0.5 else 0.0,
        )
    )


def _fade(increment):
    return min(1.0, max(0.0, (_HIGHEST - increment) * 14.285714285714286))


def _sign(x):
    return 1.0 if x >= 0.0 else -1.0


def _jump(distance, clean):
    """A step from -1 to 1, band-limited as far as `clean` says."""
    bare = _sign(distance)
    return bare + clean * (edge(distance) - bare)


def _saw(phase, inverse, clean):
    e = nearest(phase)
    return _jump(e * inverse, clean) - 2.0 * e


def _triangle(phase, increment, wrap, lowest, spike, clean):
    """A triangle, 1 at 0 and -1 at `lowest`, `wrap` times as high, wrapped into -1..1."""
    place = phase - np.floor(phase)
    falling = 1.0 / lowest
    rising = 1.0 / (1.0 - lowest)
    down = place < lowest
    slope = falling if down else rising
    other = rising if down else falling
    # In half heights: 0 to 1 is where nothing overflows.
    top = 0.5 * (wrap + 1.0)
    bottom = 0.5 * (1.0 - wrap)
    u = top - wrap * place * falling if down else bottom + wrap * (place - lowest) * rising
    whole = max(np.floor(bottom), min(np.floor(u), np.ceil(top) - 1.0))
    y = 2.0 * (u - whole) - 1.0
    y -= spike * (y - y * y * y)
    # The overflow next to here, on this slope and on the one behind the nearest turn.
    from_top = abs(nearest(phase))
    from_bottom = abs(nearest(phase - lowest))
    level = np.floor(u + 0.5)
    crossed = clean if (level > bottom) and (level < top) else 0.0
    beyond = top + wrap * from_top * other
    below = bottom - wrap * from_bottom * other
    mirror = beyond if from_top < from_bottom else below
    here = (u - level) / (wrap * increment * slope)
    there = (mirror - level) / (wrap * increment * other)
    y -= crossed * (edge(here) - _sign(here) + edge(there) - _sign(there))
    turns = kink(from_bottom / increment) - kink(from_top / increment)
    return y + clean * 2.0 * wrap * increment * (falling + rising) * (1.0 + 2.0 * spike) * turns


def _resonance(x, cycles, damping, s1, s2):
    """Low-pass and band-pass of a state-variable filter (V. Zavalishin, 2018, chapter 4)."""
    w = 3.141592653589793 * min(0.4, cycles)
    z = w * w
    # Its tangent, within 1 %.
    g = w * (15.0 - z) / (15.0 - 6.0 * z)
    high = (x - (damping + g) * s1 - s2) / (1.0 + g * (damping + g))
    band = g * high + s1
    low = g * band + s2
    return low, band, g * high + band, g * band + low


def _plain(phase, increment, white, kind, a, b, ratio, damping, wrap, clean, s1, s2):
    """All waves but the Multisaw's: tone, noise, the states of the resonance, the plain saw."""
    folded = _is(kind, 1.0)
    noise = _is(kind, 2.0)
    feedback = _is(kind, 3.0)
    pulse = _is(kind, 4.0)
    saw = _is(kind, 5.0)
    triangle = _is(kind, 6.0)
    later = saw * b - pulse * (1.0 - b)
    offset = 0.5 + 0.49 * a * pulse
    lowest = 0.5 + (_STEEPEST - 0.5) * b
    inverse = 1.0 / increment
    e = nearest(phase)
    bare = _sign(e)
    ramp = bare - 2.0 * e
    rest = clean * (edge(e * inverse) - bare)
    ramp_spike = ramp - saw * a * (ramp - ramp * ramp * ramp) + rest
    ramp += rest
    second = _saw(phase - offset, inverse, clean)
    corner = _triangle(phase, increment, 1.0 + wrap * a * folded, lowest, triangle * a, clean)
    low, band, s1, s2 = _resonance(
        feedback * ramp + noise * white, increment * ratio, damping, s1, s2
    )
    howl = tanh(0.8 * ramp + (2.0 - damping) * band)
    tone = (saw + pulse) * ramp_spike + later * second
    tone += (triangle + folded) * corner + feedback * howl
    return tone, noise * low, s1, s2, ramp


def light(x, p, s):
    phase1, increment1, phase2, increment2, white = x
    (
        kind1, one1, two1, _, _, _, ratio1, damping1,
        kind2, one2, two2, _, _, _, ratio2, damping2,
        level1, level2, noise, wrap, fm, _, ring, clean,
    ) = p  # fmt: skip
    (
        ahead, awake, last1, last2, beyond, early1, early2, queue1, queue2, queue3, mix1, mix2,
        low1, band1, low2, band2, pass1, pass2,
        c1, c2, c3, c4, c5, c6, d1, d2, d3, d4, d5, d6,
    ) = s  # fmt: skip
    tone1, hiss1, low1, band1, _ = _plain(
        phase1, increment1, white, kind1, one1, two1, ratio1, damping1, wrap, clean, low1, band1,
    )  # fmt: skip
    first = _fade(increment1) * tone1
    step2 = min(_HIGHEST, increment2 * octaves(fm * first))
    tone2, hiss2, low2, band2, _ = _plain(
        phase2 + ahead, step2, white, kind2, one2, two2, ratio2, damping2, wrap, clean, low2, band2,
    )  # fmt: skip
    second = _fade(step2) * tone2
    product = (first + noise * hiss1) * (second + noise * hiss2)
    mix = level1 * first + level2 * (second + ring * (product - second))
    tone = mix1 + (1.0 - clean) * 0.16666666666666666 * (mix - 2.0 * mix1 + mix2)
    hiss = noise * (level1 * hiss1 + level2 * (1.0 - ring) * hiss2)
    return (tone, hiss, first), (
        nearest(ahead + step2 - increment2),
        awake, last1, last2, beyond, early1, early2, queue1, queue2, queue3, mix, mix1,
        low1, band1, low2, band2, pass1, pass2,
        c1, c2, c3, c4, c5, c6, d1, d2, d3, d4, d5, d6,
    )  # fmt: skip


def _sides(phase, increment, clean, a, b, c, d, e, f):
    """The six saws beside the centre, `a` to `f` cycles ahead of it."""
    inverse = 1.0 / increment
    return (
        _saw(phase + a, inverse, clean)
        + _saw(phase + b, inverse, clean)
        + _saw(phase + c, inverse, clean)
        + _saw(phase + d, inverse, clean)
        + _saw(phase + e, inverse, clean)
        + _saw(phase + f, inverse, clean)
    )


def _drawn(phase, awake, ahead, spread, number):
    """How far a side saw is ahead: at the first sample scattered by the start phase, then grown."""
    place = phase * (number + 1.0) + 0.6180339887 * number
    return ahead * awake + (1.0 - awake) * nearest(place) + spread


def _scattered(phase, awake, detune, a, b, c, d, e, f):
    """Where the six side saws are: `a` to `f` cycles ahead, at Szabo's offsets of the detune."""
    return (
        _drawn(phase, awake, a, -0.11002313 * detune, 1.0),
        _drawn(phase, awake, b, -0.06288439 * detune, 2.0),
        _drawn(phase, awake, c, -0.01952356 * detune, 3.0),
        _drawn(phase, awake, d, 0.01991221 * detune, 4.0),
        _drawn(phase, awake, e, 0.06216538 * detune, 5.0),
        _drawn(phase, awake, f, 0.10745242 * detune, 6.0),
    )


def step(x, p, s):
    phase1, increment1, phase2, increment2, white = x
    (
        kind1, one1, two1, centre1, side1, detune1, ratio1, damping1,
        kind2, one2, two2, centre2, side2, detune2, ratio2, damping2,
        level1, level2, noise, wrap, fm, sync, ring, clean,
    ) = p  # fmt: skip
    (
        ahead, awake, last1, last2, beyond, early1, early2, queue1, queue2, queue3, mix1, mix2,
        low1, band1, low2, band2, pass1, pass2,
        c1, c2, c3, c4, c5, c6, d1, d2, d3, d4, d5, d6,
    ) = s  # fmt: skip
    c1, c2, c3, c4, c5, c6 = _scattered(phase1, awake, increment1 * detune1, c1, c2, c3, c4, c5, c6)
    tone1, hiss1, low1, band1, ramp = _plain(
        phase1, increment1, white, kind1, one1, two1, ratio1, damping1, wrap, clean, low1, band1,
    )  # fmt: skip
    multi = centre1 * ramp + side1 * _sides(phase1, increment1, clean, c1, c2, c3, c4, c5, c6)
    pass1 += min(0.9, 6.283185307179586 * increment1) * (multi - pass1)
    first = _fade(increment1) * (tone1 + multi - pass1)
    step2 = min(_HIGHEST, increment2 * octaves(fm * min(2.0, max(-2.0, first))))
    begun = phase1 - np.floor(phase1)
    again = awake * sync if begun < last1 else 0.0
    since = min(1.0, max(0.0, begun / increment1))
    free = phase2 + ahead
    free -= np.floor(free)
    # Of a voice with sync: what is forced and smoothed, and (below) what only follows.
    forces = sync * (1.0 - ring)
    gate = _is(kind2, 4.0) * (1.0 - two2)
    now, beyond, bare, t0, t1, t2, t3 = forced(
        free, last2, beyond, awake, again, since,
        0.0, _is(kind2, 4.0) + _is(kind2, 5.0) - gate + centre2,
        _is(kind2, 1.0) + _is(kind2, 6.0), gate, 0.5 + 0.49 * one2, 0.0, 0.0,
    )  # fmt: skip
    d1, d2, d3, d4, d5, d6 = _scattered(now, awake, step2 * detune2, d1, d2, d3, d4, d5, d6)
    tone2, hiss2, low2, band2, ramp = _plain(
        now, step2, white, kind2, one2, two2, ratio2, damping2, wrap, clean, low2, band2,
    )  # fmt: skip
    sides = side2 * _sides(now, step2, clean, d1, d2, d3, d4, d5, d6)
    multi = centre2 * ramp + sides
    pass2 += min(0.9, 6.283185307179586 * step2) * (multi - pass2)
    fade = _fade(step2)
    second = fade * (tone2 + multi - pass2)
    product = (first + noise * hiss1) * (second + noise * hiss2)
    second += ring * (product - second)
    w = level2 * forces * fade
    t0, t1, t2, t3 = clean * t0, clean * t1, clean * t2, clean * t3
    mix = queue1 + w * t0
    tone = mix1 + (1.0 - clean) * 0.16666666666666666 * (mix - 2.0 * mix1 + mix2)
    hiss = noise * (level1 * hiss1 + level2 * (1.0 - ring) * hiss2)
    follows = tone2 * _is(kind2, 3.0) + sides - pass2
    second = second + forces * (fade * follows - second)
    return (tone, hiss, early2), (
        nearest(ahead + now - free + step2 - increment2),
        1.0,
        begun,
        now,
        beyond,
        first,
        early1,
        queue2 + w * t1,
        queue3 + level1 * first + level2 * second + w * (bare + t2),
        w * t3,
        mix,
        mix1,
        low1, band1, low2, band2, pass1, pass2,
        nearest(c1), nearest(c2), nearest(c3), nearest(c4), nearest(c5), nearest(c6),
        nearest(d1), nearest(d2), nearest(d3), nearest(d4), nearest(d5), nearest(d6),
    )  # fmt: skip


def noisy(inputs):
    """Which lanes want noise."""
    return (np.abs(inputs[:, :2] - 2.0) < 0.5).any(axis=1)


def _guess(name, value, low, high, meaning, unit=""):
    return Constant(name, value, low, high, unit, Confidence.GUESS, meaning)


_KINDS = "0 Multisaw, 1 TriWrap, 2 Noise, 3 Feedback, 4 Pulse, 5 Sawtooth, 6 Triangle"

MODULE = Module(
    slot=Slot.OSCILLATOR,
    name="digital",
    version=1,
    inputs=(
        Input("kind1", "", 0.0, 6.0, f"wave of oscillator 1: {_KINDS}", 5.0),
        Input("kind2", "", 0.0, 6.0, "wave of oscillator 2, likewise", 5.0),
        Input("one1", "", 0.0, 1.0, "first shape of wave 1"),
        Input("two1", "", 0.0, 1.0, "second shape of wave 1"),
        Input("one2", "", 0.0, 1.0, "first shape of wave 2"),
        Input("two2", "", 0.0, 1.0, "second shape of wave 2"),
        Input("fm", "", 0.0, 1.0, "FM of oscillator 2 by oscillator 1"),
        Input("sync", "", 0.0, 1.0, "oscillator 2 begins anew with oscillator 1"),
        Input("ring", "", 0.0, 1.0, "the product of both in the place of oscillator 2"),
        Input("mix", "", 0.0, 1.0, "0 oscillator 1, 1 oscillator 2"),
        Input("clean", "", 0.0, 1.0, "less aliasing", 1.0),
        Input("multisaw", "", 0.0, 1.0, "one of the waves is a Multisaw; asks for the full step"),
    ),
    constants=(
        _guess("level_gain", 0.436, 0.35, 0.55, "gain of a wave"),
        _guess("detune_depth", 1.0, 0.8, 1.2, "detune of the Multisaw against the published curve"),
        _guess("wrap", 4.0, 1.0, 8.0, "what the wrap knob adds to the triangle's height"),
        _guess("fm_octaves", 1.93, 1.0, 3.0, "FM at 1", "octaves"),
        _guess("noise_gain", 0.6, 0.3, 1.0, "noise against saw"),
    ),
    coefficients=(
        *(
            f"{name}{number}"
            for number in (1, 2)
            for name in ("kind", "one", "two", "centre", "side", "detune", "ratio", "damping")
        ),
        "level1",
        "level2",
        "noise",
        "wrap",
        "fm",
        "sync",
        "ring",
        "clean",
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
        "mix1",
        "mix2",
        "low1",
        "band1",
        "low2",
        "band2",
        "pass1",
        "pass2",
        *(f"ahead{number}_{side}" for number in (1, 2) for side in range(6)),
    ),
    controls=controls,
    step=step,
    light=light,
    heavy=("sync", "multisaw"),
    noisy=noisy,
    oscillators=2,
)
