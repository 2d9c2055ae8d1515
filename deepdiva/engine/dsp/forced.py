"""An oscillator that another one may force to begin anew (hard sync), every jump band-limited.

What forces it is known only when it has happened, so that each jump and each turn of slope adds to
two samples before the one at hand (E. Brandt, "Hard sync without aliasing", ICMC 2001, with the
splines of `dsp.edges`). All events of one sample are found in their order: where one of its own
falls together with the reset, exactly one of the two sees it.
"""

from __future__ import annotations

import numpy as np

from deepdiva.engine.dsp.edges import kink_taps, step_taps


def cosine(phase: float) -> float:
    """cos(2 pi phase) for phase in cycles, within 1e-5."""
    a = 0.25 - abs(phase - np.floor(phase + 0.5))
    z = 39.47841760435743 * a * a
    return (
        6.283185307179586
        * a
        * (
            1.0
            - z
            * (0.16666666666 - z * (0.00833333333 - z * (0.000198412698 - z * 0.00000275573192)))
        )
    )


def shaped(triangle: float, bend: float, tilt: float) -> float:
    """A triangle of -1..1 with round flanks (`bend`) or with even harmonics (`tilt`); ends stay."""
    rest = 1.0 - triangle * triangle
    return triangle + rest * (bend * triangle + tilt)


def shaped_slope(triangle: float, bend: float, tilt: float) -> float:
    """Derivative of `shaped` by the triangle."""
    return 1.0 + bend * (1.0 - 3.0 * triangle * triangle) - 2.0 * tilt * triangle


def within(samples: float) -> float:
    """Clipped to 0..1."""
    return min(1.0, max(0.0, samples))


def forced(
    phase: float, last: float, beyond: float, awake: float, reset: float, since: float,
    sine: float, saw: float, triangle: float, pulse: float, high: float, bend: float, tilt: float,
) -> tuple[float, float, float, float, float, float, float]:  # fmt: skip
    """A sum of waves that may be forced to begin anew, and what its jumps add around them.

    Args:
        phase: 0..1, where it would be now if nothing forced it.
        last: phase one sample ago.
        beyond: how far that was beyond the end of the pulse.
        awake: 0 at the first sample, when there is none before it.
        reset: 1 where it began anew since.
        since: samples since then.
        sine: gain, of cos(2 pi phase).
        saw: gain, of a saw that falls from 1.
        triangle: gain, of a triangle that falls from 1.
        pulse: gain, of a pulse that begins high.
        high: share of the cycle in which the pulse is high.
        bend: of the triangle; see `shaped`.
        tilt: likewise.

    Returns:
        Phase and `beyond` now, the waves without residuals, and the residuals two samples and one
        sample before now, now, and one sample later.
    """
    wrapped = 1.0 if phase < last else 0.0
    moved = max(1e-7, phase - last + wrapped)
    inverse = 1.0 / moved
    before = since * reset
    # Its own jumps and turns up to the reset: cycle, middle of the cycle, end of the pulse.
    d0 = within(phase * inverse)
    at0 = awake * (wrapped if d0 >= before else 0.0)
    d1 = within((phase + wrapped - 0.5) * inverse)
    at1 = 1.0 if (last < 0.5) and (phase + wrapped >= 0.5) and (d1 >= before) else 0.0
    at1 *= awake
    low = wrapped if beyond < 0.0 else 0.0
    away = phase - high
    d2 = within((away + low) * inverse)
    fell = low if away < 0.0 else max(wrapped, 1.0 if beyond < 0.0 else 0.0)
    at2 = awake * (fell if d2 >= before else 0.0)
    # Where the reset found it, by the same events, and what came after.
    found = within(phase - since * moved + (1.0 - at0) * wrapped)
    start = 1.0 if beyond < 0.0 else -1.0
    level = -1.0 if at2 > 0.5 else start
    level = 1.0 if (at0 > 0.5) and (low + 1.0 - at2 > 0.5) else level
    second = max(at1, 1.0 if last >= 0.5 else 0.0) * (1.0 - at0)
    corner = 4.0 * abs(found - 0.5) - 1.0
    top = shaped_slope(1.0, bend, tilt)
    bottom = shaped_slope(-1.0, bend, tilt)
    jump = sine * (1.0 - cosine(found)) + saw * 2.0 * found
    jump += triangle * (1.0 - shaped(corner, bend, tilt)) + pulse * (1.0 - level)
    turn = -4.0 * triangle * (top + (2.0 * second - 1.0) * shaped_slope(corner, bend, tilt))
    turn += sine * 6.283185307179586 * cosine(found - 0.25)
    now = phase + reset * (since * moved - phase)
    away = now - high
    again = reset if away >= 0.0 else 0.0
    d2 += again * (within(away * inverse) - d2)
    at2 += again * (1.0 - at2)
    j0 = 2.0 * at0 * (saw + pulse)
    k0 = -8.0 * at0 * moved * triangle * top
    k1 = 8.0 * at1 * moved * triangle * bottom
    j2 = -2.0 * at2 * pulse
    j3 = reset * jump
    k3 = reset * moved * turn
    a0, b0, e0, f0 = step_taps(d0)
    a2, b2, e2, f2 = step_taps(d2)
    a3, b3, e3, f3 = step_taps(since)
    g0, h0, m0, n0 = kink_taps(d0)
    g1, h1, m1, n1 = kink_taps(d1)
    g3, h3, m3, n3 = kink_taps(since)
    bare = sine * cosine(now) + saw * (1.0 - 2.0 * now)
    bare += triangle * shaped(4.0 * abs(now - 0.5) - 1.0, bend, tilt)
    bare += pulse * (1.0 if away < 0.0 else -1.0)
    return (
        now,
        away,
        bare,
        j0 * a0 + j2 * a2 + j3 * a3 + k0 * g0 + k1 * g1 + k3 * g3,
        j0 * b0 + j2 * b2 + j3 * b3 + k0 * h0 + k1 * h1 + k3 * h3,
        j0 * e0 + j2 * e2 + j3 * e3 + k0 * m0 + k1 * m1 + k3 * m3,
        j0 * f0 + j2 * f2 + j3 * f3 + k0 * n0 + k1 * n1 + k3 * n3,
    )
