"""The voice once more, to hold the fast one against: one lane, float64, plain Python.

What `kernel`, `controls`, `oscillators`, `filters` and `modulation` do in float32 for many lanes at
once stands here a second time, in the order of the block diagram and without regard for speed: a
second of sound takes about a second. Only what a lane is told (`mapping.to_voices`) is shared.

It is no second opinion on the circuit, only on the arithmetic. It follows the same grid of control
blocks, because between two of them controls are straight lines by definition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from deepdiva.engine import controls
from deepdiva.engine import kernel as k
from deepdiva.engine import voices as v
from deepdiva.engine.constants import EngineConstants
from deepdiva.engine.mapping import MS_REV1_POTS, Nuisance, drift_seconds, to_voices
from deepdiva.engine.oscillators import noise_table
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA

Array = NDArray[np.float64]


def render_reference(
    patch: Array,
    note: Note,
    seed: int = 0,
    constants: Mapping[str, float] | EngineConstants | None = None,
    pots: ArrayLike = MS_REV1_POTS,
    nuisance: Nuisance | None = None,
    oversampling: int = 1,
) -> Array:
    """Play one patch as `EmbeddedRenderer.render` does, but for the last decimation.

    Args:
        patch: (281,) in the units of `DIVA`.
        note: what is played.
        seed: decides what stands in no preset.
        constants: the engine's, or those that differ from the table.
        pots: (8, at least 2), detune pots.
        nuisance: of one patch, what is given instead of drawn.
        oversampling: any whole number from 1 on.

    Returns:
        (note.samples * oversampling,) float64, at that many times the note's sample rate.
    """
    if not isinstance(constants, EngineConstants):
        constants = EngineConstants(constants)
    rate = float(note.sample_rate * oversampling)
    lanes = to_voices(
        patch[None],
        note,
        np.array([seed]).astype(np.int64).astype(np.uint64),
        constants,
        np.asarray(pots, dtype=np.float64),
        nuisance or Nuisance(),
        rate,
    )
    samples = note.samples * oversampling
    moving = bool(lanes.moving[0])
    setting = Setting(
        constants=constants,
        second_hp=bool(patch[DIVA.index("HPF.Rev")] > 1.5),
        second_lp=bool(patch[DIVA.index("VCF1.SkRev")] > 1.5),
        rate=rate,
        samples=samples,
        note_off=min(samples, max(1, round(note.length_seconds * rate))),
        block=(k.BLOCK if moving else k.STILL_BLOCK) * oversampling,
        drift_samples=max(1, round(drift_seconds(constants) * rate)),
        noise_gain=math.sqrt(oversampling),
        moving=moving,
    )
    return np.asarray(sum(_voice(lanes, n, setting) for n in range(len(lanes.values))))


@dataclass(frozen=True)
class Setting:
    """What all lanes of a patch have in common; lengths in samples at `rate`."""

    constants: EngineConstants
    second_hp: bool
    second_lp: bool
    rate: float
    samples: int
    note_off: int
    block: int
    drift_samples: int
    noise_gain: float
    moving: bool

    def blocks(self) -> Iterator[tuple[int, int]]:
        """First and last sample of each control block; one ends where the key is released."""
        start = 0
        while start < self.samples:
            end = min(start + self.block, self.samples)
            if start < self.note_off < end:
                end = self.note_off
            yield start, end
            start = end


def _voice(lanes: v.Voices, n: int, setting: Setting) -> Array:
    """Oscillators, high-pass, low-pass, amplifier."""
    envelopes = [
        _envelope(lanes.envelopes[n, e], lanes.values[n, v.START_LEVEL], setting) for e in range(3)
    ]
    controls = _Controls(lanes, n, envelopes, setting)
    mix, modulator = _oscillators(lanes, n, controls, setting)
    filtered = _filters(mix, modulator, controls, setting)
    return filtered * controls.amplitude


# ---- envelopes ----------------------------------------------------------------------------------


def _envelope(shape: Array, start: float, setting: Setting) -> Array:
    """An envelope, (3, 3) of `Voices.envelopes`, at every sample: it rises, falls, is released."""
    steps = np.arange(1, setting.samples + 1, dtype=np.float64)
    held = steps <= setting.note_off
    peak = 0.0 if start >= 1.0 else _steps_to_one(shape[v.ATTACK], start)
    rising = _travelled(shape[v.ATTACK], start, steps)
    falling = _travelled(shape[v.DECAY], max(1.0, start), np.maximum(0.0, steps - peak))
    level = np.where(steps < peak, rising, falling)
    last = level[setting.note_off - 1]
    level[~held] = _travelled(shape[v.RELEASE], last, steps[~held] - setting.note_off)
    return level


def _travelled(stage: Array, level: float, steps: Array) -> Array:
    """Where a stage, (3,), brings a level in so many steps."""
    factor, step = stage[v.FACTOR], stage[v.STEP]
    if factor < 1.0:
        goal = step / (1.0 - factor)
        reached = goal + (level - goal) * factor**steps
    else:
        reached = level + step * steps
    return np.asarray(np.maximum(reached, stage[v.BOTTOM]))


def _steps_to_one(stage: Array, level: float) -> float:
    """Steps, not whole, in which a stage brings a level to 1."""
    factor, step = stage[v.FACTOR], stage[v.STEP]
    if factor == 1.0:
        return float((1.0 - level) / step)
    goal = step / (1.0 - factor)
    if goal <= 1.0:
        return math.inf
    return math.log((goal - 1.0) / (goal - level)) / math.log(factor)


def _quantised(level: Array, steps: float, setting: Setting) -> Array:
    """An envelope in steps: from block to block it moves in a line to the nearest of its levels."""
    if steps == 0.0:
        return level
    line = np.empty_like(level)
    here = 0.0
    for start, end in setting.blocks():
        there = np.rint(level[end - 1] * steps) / steps
        line[start:end] = here + (there - here) * np.arange(1, end - start + 1) / (end - start)
        here = there
    return line


# ---- controls -----------------------------------------------------------------------------------

_COEFFICIENTS = ("hp_warp", "hp_damping", "lp_warp", "lp_feedback", "lp_zero", "fm_octaves", "gain")


class _Controls:
    """What moves, as straight lines between the ends of the control blocks.

    Attributes:
        increment: (2, samples + 1), of both oscillators, cycles per sample.
        phase: (2, samples), cycles.
        level: (2, samples), gain of both oscillators.
        coefficients: (samples,) each, by the names of `_COEFFICIENTS`, at the end of every sample.
        amplitude: (samples,), what the amplifier does.
    """

    def __init__(self, lanes: v.Voices, n: int, envelopes: list[Array], setting: Setting) -> None:
        self._values = lanes.values[n]
        self._setting = setting
        self._constants = setting.constants
        knots = np.array([0, *(end for _, end in setting.blocks())])
        if setting.moving:
            sources = _Sources(lanes, n, envelopes, setting)
            moved = [sources.advance(time) for time in knots]
        else:
            moved = [np.zeros(v.ROUTES + 1)] * len(knots)
        steps = np.arange(setting.samples + 1)

        def lines(knot_values: list[float]) -> Array:
            return np.interp(steps, knots, knot_values)

        drift = self._drift(lanes.drift[n], knots)
        self.increment = np.empty((2, len(steps)))
        self.phase = np.empty((2, setting.samples))
        self.level = np.empty((2, setting.samples))
        for o in (0, 1):
            increments = [self._increment(o, d, m) for d, m in zip(drift[o], moved, strict=True)]
            line = lines(increments)
            self.increment[o] = line
            travelled = np.cumsum(0.5 * (line[:-1] + line[1:]))
            self.phase[o, 0] = self._values[v.PHASE_1 + o]
            self.phase[o, 1:] = self.phase[o, 0] + travelled[:-1]
            levels = [self._level(o, i, m) for i, m in zip(increments, moved, strict=True)]
            self.level[o] = lines(levels)[:-1]
        rows = np.array([self._coefficients(m) for m in moved]).T
        self.coefficients = {
            name: lines(list(row))[1:] for name, row in zip(_COEFFICIENTS, rows, strict=True)
        }
        amplifier = _quantised(
            envelopes[v.SHAPE_AMPLIFIER], self._values[v.STEPS_AMPLIFIER], setting
        )
        self.amplitude = amplifier * self.coefficients["gain"]

    def _drift(self, nodes: Array, knots: NDArray[np.int64]) -> Array:
        """Pitch off the tune at the knots, (2, knots), semitones."""
        times = knots / self._setting.drift_samples
        return np.array([np.interp(times, np.arange(len(line)), line) for line in nodes])

    def _increment(self, o: int, drift: float, moved: Array) -> float:
        semitones = drift + moved[v.TO_TUNE_1] + moved[v.TO_TUNE_2] + moved[_VIBRATO]
        hertz = self._values[v.FREQUENCY_1 + o] * 2.0 ** (semitones / 12.0)
        return float(min(controls.HIGHEST_INCREMENT, hertz / self._setting.rate))

    def _level(self, o: int, increment: float, moved: Array) -> float:
        """Gain of an oscillator before that of its wave; it fades out close to Nyquist."""
        c = self._constants
        fade = np.interp(increment, [controls.FADE_FROM, controls.HIGHEST_INCREMENT], [1.0, 0.0])
        knob = self._values[v.LEVEL_1 + o] + (moved[v.TO_LEVEL] if o == 0 else 0.0)
        gain = c["level_gain"] * float(np.clip(knob, 0.0, 1.0)) ** c["level_power"]
        return float(max(controls.FAINT, fade * gain))

    def _coefficients(self, moved: Array) -> list[float]:
        """In the order of `_COEFFICIENTS`."""
        values, c = self._values, self._constants
        hp_feedback = c["hp_feedback_gain"] * values[v.HP_RESONANCE] ** c["hp_feedback_power"]
        lp_warp = self._warp(values[v.LP_PITCH] + moved[v.TO_LP_1] + moved[v.TO_LP_2])
        resonance = float(np.clip(values[v.LP_RESONANCE] + moved[v.TO_RESONANCE], 0.0, 1.0))
        pan = float(np.clip(values[v.PAN] + moved[v.TO_PAN], -1.0, 1.0))
        right = 0.25 * math.pi * (pan + 1.0)
        mono = (math.cos(right) + math.sin(right)) / math.sqrt(2.0)
        return [
            self._warp(values[v.HP_PITCH] + moved[v.TO_HP]),
            max(0.0, 2.0 - hp_feedback),
            lp_warp,
            c["lp_feedback_gain"] * resonance ** c["lp_feedback_power"],
            _zero(lp_warp),
            values[v.FILTER_FM] + moved[v.TO_FILTER_FM],
            values[v.LOUDNESS] * mono * float(np.clip(1.0 + moved[v.TO_AMPLITUDE], 0.0, 4.0)),
        ]

    def _warp(self, pitch: float) -> float:
        hertz = 440.0 * 2.0 ** ((min(160.0, max(-20.0, pitch)) - 69.0) / 12.0)
        return math.tan(math.pi * min(0.45, hertz / self._setting.rate))


def _zero(warp: float) -> float:
    """Share of a one-pole's step that gives it, at Nyquist, the magnitude of the analogue one.

    A trapezoidal one-pole of warp w has the gain `zero * w` there; the analogue one has
    1 / sqrt(1 + (Nyquist / cutoff)^2).
    """
    nyquist_over_cutoff = 0.5 * math.pi / math.atan(warp)
    return 1.0 / (warp * math.sqrt(1.0 + nyquist_over_cutoff**2))


# ---- modulation ---------------------------------------------------------------------------------

_VIBRATO = v.ROUTES
"""Behind the routes stands the vibrato, in semitones."""


class _Sources:
    """The modulation sources of a lane, which go from block to block."""

    def __init__(self, lanes: v.Voices, n: int, envelopes: list[Array], setting: Setting) -> None:
        self._values = lanes.values[n]
        self._lfos = lanes.lfos[n]
        self._sources = lanes.sources[n]
        self._depths = lanes.depths[n]
        self._envelopes = envelopes
        self._setting = setting
        self._cycles = [0.0, 0.0]
        self._level = np.zeros(v.SOURCES)
        self._time = 0.0

    def advance(self, sample: int) -> Array:
        """Bring all sources to the end of a block; what they do to each route, and the vibrato."""
        values, level = self._values, self._level
        time = sample / self._setting.rate
        span = time - self._time
        self._time = time
        # A processor that reads another, or itself, hears what that said a block ago.
        level[v.GATE] = float(sample <= self._setting.note_off)
        level[v.SOURCE_VELOCITY] = values[v.VELOCITY]
        level[[v.KEY_FOLLOW, v.KEY_FOLLOW_2]] = values[v.KEY]
        level[v.ALTERNATE] = 1.0
        level[v.SOURCE_RANDOM] = values[v.RANDOM]
        level[v.STACK_VOICE] = values[v.STACK]
        level[v.SOURCE_VOICE_MAP] = values[v.VOICE_MAP]
        for e in (0, 1):
            level[v.ENV_1 + e] = self._envelope(e, sample)
        for o in (0, 1):
            level[v.LFO_1 + o] = self._lfo(o, time, span)
        level[v.RECTIFY] = abs(self._heard(v.TO_RECTIFY))
        level[v.INVERT] = -self._heard(v.TO_INVERT)
        steps = values[v.QUANTISE]
        level[v.QUANT] = math.floor(self._heard(v.TO_QUANTISE) * steps + 0.5) / steps
        goal = self._heard(v.TO_LAG)
        left = math.exp(-span / max(1e-4, values[v.LAG])) if sample > 0 else 0.0
        level[v.LAGGED] = goal + (level[v.LAGGED] - goal) * left
        level[v.ADDER] = self._heard(v.TO_ADD_1) + self._heard(v.TO_ADD_2)
        level[v.MULTIPLY] = self._heard(v.TO_MULTIPLY_1) * self._heard(v.TO_MULTIPLY_2)
        np.clip(level, -4.0, 4.0, out=level)
        moved = self._depths * level[self._sources]
        return np.append(moved, values[v.VIBRATO] * level[v.LFO_1])

    def _heard(self, route: int) -> float:
        return float(self._level[self._sources[route]])

    def _envelope(self, e: int, sample: int) -> float:
        level = self._envelopes[e][sample - 1] if sample > 0 else self._values[v.START_LEVEL]
        steps = self._values[v.STEPS_ENV_1 + e]
        if steps > 0.0:
            level = np.rint(level * steps) / steps
        return float(level * self._values[v.LEVEL_ENV_1 + e])

    def _lfo(self, o: int, time: float, span: float) -> float:
        lfo = self._lfos[o]
        octaves = self._depths[v.TO_LFO_1_RATE + o] * self._heard(v.TO_LFO_1_RATE + o)
        self._cycles[o] += span * lfo[v.LFO_RATE] * 2.0 ** min(10.0, max(-10.0, octaves))
        depth = lfo[v.LFO_DEPTH]
        if self._sources[v.TO_LFO_1_DEPTH + o] != v.NONE:
            depth *= self._heard(v.TO_LFO_1_DEPTH + o)
        if time < lfo[v.LFO_FADE]:
            depth *= time / lfo[v.LFO_FADE]
        cycles = min(self._cycles[o], 1.0) if lfo[v.LFO_SINGLE] else self._cycles[o]
        value = self._wave(o, int(lfo[v.LFO_WAVE]), cycles + lfo[v.LFO_PHASE])
        return float(depth * (0.5 * (value + 1.0) if lfo[v.LFO_UNIPOLAR] else value))

    def _wave(self, o: int, wave: int, at: float) -> float:
        cycle = math.floor(at)
        p = at - cycle
        seed = self._values[v.NOISE] * (0.5 + 0.25 * o)
        if wave < 6:
            return (
                math.sin(2.0 * math.pi * p),
                (2.0 / math.pi) * math.asin(math.sin(2.0 * math.pi * p)),
                2.0 * p - 1.0,
                1.0 - 2.0 * p,
                1.0 if p < 0.5 else -1.0,
                -1.0 if p < 0.5 else 1.0,
            )[wave]
        last, following = _scattered(seed, cycle + 1), _scattered(seed, cycle + 2)
        share = 0.0 if wave == 6 else p * p * (3.0 - 2.0 * p)
        return (1.0 - share) * last + share * following


def _scattered(seed: float, count: int) -> float:
    """The hash of `modulation.scatter`, -1..1, in Python's whole numbers."""
    mask = (1 << 64) - 1
    bits = (int(seed * 2.0**52) + count * 0x9E3779B97F4A7C15) & mask
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & mask
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & mask
    bits ^= bits >> 31
    return (bits >> 11) * 2.0**-52 - 1.0


# ---- oscillators --------------------------------------------------------------------------------


def _oscillators(
    lanes: v.Voices, n: int, controls: _Controls, setting: Setting
) -> tuple[Array, Array]:
    """What goes into the high-pass, and the first oscillator alone at full level."""
    values, c = lanes.values[n], setting.constants
    wave_1, wave_2 = int(values[v.WAVE_1]), int(values[v.WAVE_2])
    noise = _noise(values[v.NOISE], setting) * setting.noise_gain
    phase_1, phase_2 = controls.phase
    inverse_1, inverse_2 = 1.0 / controls.increment[:, :-1]
    level_1 = controls.level[0] * c[_GAINS_1[wave_1]]
    level_2 = controls.level[1] * c[_GAINS_2[wave_2]]
    if wave_1 == 1:
        first = _triangle(phase_1, inverse_1)
    elif wave_1 == 2:
        first = _saw(phase_1, inverse_1)
    else:
        first = _pulse(phase_1, inverse_1, values[v.WIDTH_1])
    if wave_2 == 1:
        second = _saw(phase_2, inverse_2)
    else:
        second = _pulse(phase_2, inverse_2, values[v.WIDTH_2])
    if wave_2 == 4:
        second = second * _pulse(phase_1, inverse_1, values[v.WIDTH_1])
    if wave_1 == 4:
        return _sharpened(level_2 * second) + level_1 * noise, noise
    return _sharpened(level_1 * first + level_2 * second), _sharpened(first)


_GAINS_1 = {1: "gain_triangle", 2: "gain_saw_1", 3: "gain_pulse", 4: "gain_noise"}
_GAINS_2 = {1: "gain_saw_2", 2: "gain_square", 3: "gain_narrow", 4: "gain_ring"}


def _powers(distance: Array, power: int) -> Array:
    """The cubic B-spline integrated `power - 3` times, by truncated powers; 0 before -2."""
    x = np.clip(distance, -2.0, 2.0)
    pieces = [(-1) ** j * comb(4, j) * np.maximum(0.0, x + 2.0 - j) ** power for j in range(5)]
    return np.asarray(sum(pieces)) / math.factorial(power)


def _step(distance: Array) -> Array:
    """From -1 to 1 at a distance of 0 samples."""
    return 2.0 * _powers(distance, 4) - 1.0


def _kink(distance: Array) -> Array:
    """What a corner of slope 1 loses: the spline's second integral less that of a delta."""
    return _powers(distance, 5) - np.clip(distance, 0.0, 2.0)


def _nearest(cycles: Array) -> Array:
    """Distance from the nearest whole number, cycles."""
    return cycles - np.rint(cycles)


def _saw(phase: Array, inverse: Array) -> Array:
    edge = _nearest(phase)
    return _step(edge * inverse) - 2.0 * edge


def _pulse(phase: Array, inverse: Array, width: float) -> Array:
    """1 while the phase is below `width`, else -1: two saws."""
    up, down = phase, phase - width
    return _saw(up, inverse) - _saw(down, inverse) + 2.0 * width - 1.0


def _triangle(phase: Array, inverse: Array) -> Array:
    top, bottom = _nearest(phase), _nearest(phase - 0.5)
    corners = _kink(bottom * inverse) - _kink(top * inverse)
    return 1.0 - 4.0 * np.abs(top) + 8.0 / inverse * corners


def _sharpened(wave: Array) -> Array:
    """Divided by the sampled spline, (2 + cos w) / 3, over nine samples; four samples late."""
    taps = (math.sqrt(3.0) - 2.0) ** np.abs(np.arange(-4.0, 5.0))
    return np.asarray(lfilter(taps / taps.sum(), [1.0], wave))


def _noise(position: float, setting: Setting) -> Array:
    """One stretch of the noise table for each block, tilted."""
    table = noise_table().astype(np.float64)
    white = np.empty(setting.samples)
    for index, (start, end) in enumerate(setting.blocks()):
        at = (int(position * 1048576.0) + 7919 * index) * 2654435761 % (len(table) - setting.block)
        white[start:end] = table[at : at + end - start]
    return np.asarray(lfilter([1.0, -setting.constants["noise_colour"]], [1.0], white))


# ---- filters ------------------------------------------------------------------------------------


def _bent(x: float) -> float:
    """Slope 1 at 0, never beyond 1."""
    return x / math.sqrt(1.0 + x * x)


def _filters(mix: Array, modulator: Array, controls: _Controls, setting: Setting) -> Array:
    """High-pass, low-pass and the amplifier's drive, sample by sample; see `filters`."""
    c = setting.constants
    hp_clip = c["hp_clip_2" if setting.second_hp else "hp_clip"]
    loop_clip = c["loop_clip_2" if setting.second_lp else "loop_clip"]
    loop_bias = 0.0 if setting.second_lp else c["loop_bias"]
    drive_clip = c["drive_clip"]
    rows = zip(
        mix,
        modulator,
        *(controls.coefficients[name] for name in _COEFFICIENTS[:6]),
        strict=True,
    )
    out = np.empty(setting.samples)
    coupling = -math.expm1(-2.0 * math.pi * c["coupling_hertz"] / setting.rate)
    s1 = s2 = z1 = z2 = z3 = last = offset = 0.0
    for i, (x, bend, hp_warp, damping, lp_warp, feedback, zero, octaves) in enumerate(rows):
        # State-variable filter, trapezoidal, its loop solved exactly; s (s + 1) is high plus band.
        high = (x - (damping + hp_warp) * s1 - s2) / (1.0 + damping * hp_warp + hp_warp**2)
        band = hp_warp * high + s1
        low = hp_warp * band + s2
        s1, s2 = hp_warp * high + band, hp_warp * band + low
        x = hp_clip * _bent((high + band) / hp_clip)

        # Two one-poles; the second is driven by the first and by the loop's high-pass.
        warp = (
            min(math.tan(0.45 * math.pi), lp_warp * 2.0 ** (octaves * bend))
            if setting.moving
            else lp_warp
        )
        gain = warp / (1.0 + warp)
        rest = 1.0 - gain
        step = gain * (x - z1)
        first = z1 + step
        z1 = first + step
        # The loop is solved as if it were as steep as at the last output ...
        u = last / loop_clip + loop_bias
        steep = feedback * _bent(u) / u if u != 0.0 else feedback
        guess = (gain * (first - rest * z3) + rest * z2) / (1.0 - gain * rest * steep)
        # ... and runs once with its true shape.
        u = guess / loop_clip + loop_bias
        back = feedback * loop_clip * (_bent(u) - _bent(loop_bias)) - z3
        z3 += 2.0 * gain * back
        second = gain * (first + zero * step + rest * back - z2)
        last = z2 + second
        z2 = last + second
        driven = drive_clip * _bent((last + zero * second) / drive_clip)

        # A coupling capacitor takes the loop's offset away.
        out[i] = driven - offset
        offset += coupling * (driven - offset)
    return out
