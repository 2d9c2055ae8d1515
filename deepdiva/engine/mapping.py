"""From a patch to physical units: the one place where knobs get their meaning.

`mapping.csv` says in words what each parameter does and how well that is known; the functions here
do it, with the numbers of `constants.csv`. What is not in that file is not honoured.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine import voices as v
from deepdiva.engine.chance import normal, uniform
from deepdiva.engine.constants import EngineConstants
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA

Array = NDArray[np.float64]

MS_REV1_POTS = (
    (0.00, 50.61),
    (-5.59, 100.00),
    (-2.85, 28.41),
    (10.00, 20.98),
    (10.00, 64.40),
    (-4.88, 59.47),
    (-5.80, 0.00),
    (0.68, 76.13),
)
"""Detune pots of MS-REV1, for each voice those of oscillators 1 and 2."""

_CENTRE_KEY = 60
_BEATS_PER_MINUTE = 120.0
_QUANTISED_LEVELS = 16.0
_ADS_ATTACK_CURVE = 1.5
_DIVISIONS = (
    1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 3 / 64, 3 / 32, 3 / 16, 3 / 8, 3 / 4,
    1 / 24, 1 / 12, 1 / 6, 1 / 3, 2 / 3, 2, 3, 4, 5, 6, 7, 8,
)  # fmt: skip
"""Length of LFO.Sync 0 to 23, in bars of four beats."""

_PERIODS = np.array(
    [0.1, 1.0, 10.0] + [240.0 / _BEATS_PER_MINUTE * division for division in _DIVISIONS]
)


@dataclass(frozen=True)
class Law:
    """One row of `mapping.csv`: what a parameter does, in words."""

    parameter: str
    quantity: str
    law: str
    confidence: str


@lru_cache(maxsize=1)
def laws() -> Mapping[str, Law]:
    """All honoured parameters by name."""
    text = (files("deepdiva.engine") / "mapping.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["parameter"]: Law(**row) for row in rows}


@dataclass(frozen=True)
class Nuisance:
    """What shapes a sound and stands in no preset. Whatever is None is drawn from the seed.

    Attributes:
        phases: (batch, voices, 2), start phases of both oscillators, cycles.
        detune_cents: (batch, voices, 2), added to what pots and slop give.
        noise: (batch, voices), where in the noise a voice starts, 0..1.
        start_level: (batch,), level that the envelopes start from, 0..1; 0 if None. Above 0 in a
            recording whose voice was still sounding when the note began.
        drift: whether the oscillators wander.

    `voices` may exceed a patch's stack; the surplus is ignored.
    """

    phases: Array | None = None
    detune_cents: Array | None = None
    noise: Array | None = None
    start_level: Array | None = None
    drift: bool = True


def _column(patches: Array, name: str) -> Array:
    return np.asarray(patches[:, DIVA.index(name)])


def to_voices(
    patches: Array,
    note: Note,
    seeds: NDArray[np.uint64],
    constants: EngineConstants,
    pots: Array,
    nuisance: Nuisance,
    rate: float,
) -> v.Voices:
    """What each lane is told, for a batch of patches.

    Args:
        patches: (batch, 281) in the units of `DIVA`.
        note: pitch, velocity, length.
        seeds: (batch,) uint64.
        constants: the engine's.
        pots: (8, at least 2), detune pots of voices and oscillators.
        nuisance: what stands in no preset.
        rate: samples per second, oversampling included.

    Raises:
        InvalidValueError: nuisance arrays of another shape.
    """
    stack = np.clip(np.rint(_column(patches, "VCC.Voicing")), 1, 6).astype(np.int64)
    owner = np.repeat(np.arange(len(patches)), stack)
    voice = np.arange(len(owner)) - np.repeat(np.cumsum(stack) - stack, stack)
    lane = _Lanes(patches[owner], note, seeds[owner], voice, stack[owner], constants, rate)
    values = np.empty((len(owner), v.FIELDS))
    _tune(values, lane, pots)
    _oscillate(values, lane)
    _filter(values, lane)
    _amplify(values, lane)
    _sources(values, lane)
    sources, depths = _routes(lane)
    lfos = _lfos(lane)
    _apply_nuisance(values, nuisance, owner, voice)
    moves = (sources != v.NONE) & (depths != 0)
    moves[:, v.TO_LFO_1_DEPTH :] = False
    reached = moves.any(axis=1) | (values[:, v.VIBRATO] != 0) | (values[:, v.FILTER_FM] != 0)
    moving = np.zeros(len(patches), bool)
    np.logical_or.at(moving, owner, reached)
    return v.Voices(
        values=values,
        envelopes=_envelopes(lane),
        lfos=lfos,
        sources=sources,
        depths=depths,
        drift=_drift(lane, nuisance),
        patch=owner,
        moving=moving,
    )


class _Lanes:
    """One patch per lane, with what every law needs."""

    def __init__(
        self,
        patches: Array,
        note: Note,
        seeds: NDArray[np.uint64],
        voice: NDArray[np.int64],
        stack: NDArray[np.int64],
        constants: EngineConstants,
        rate: float,
    ) -> None:
        self.patches = patches
        self.note = note
        self.voice = voice
        self.stack = stack
        self.constants = constants
        self.rate = rate
        self._seeds = seeds

    def __getitem__(self, name: str) -> Array:
        return _column(self.patches, name)

    def share(self, name: str) -> Array:
        """A knob of 0 to 100 as 0..1."""
        return np.clip(self[name] / 100.0, 0.0, 1.0)

    def uniform(self, stream: int) -> Array:
        """A number of 0..1 per lane, drawn for the voice."""
        return uniform(self._seeds, stream + 64 * self.voice)

    def normal(self, stream: int) -> Array:
        """A standard normal number per lane, drawn for the voice."""
        return normal(self._seeds, stream + 64 * self.voice)

    def normals(self, streams: NDArray[np.int64]) -> Array:
        """Standard normal numbers for streams of shape (lanes, ...)."""
        seeds = self._seeds.reshape(-1, *(1,) * (streams.ndim - 1))
        return normal(seeds, streams)

    def note_uniform(self, stream: int) -> Array:
        """A number of 0..1 per lane, the same for all voices of a note."""
        return uniform(self._seeds, stream + 0 * self.voice)

    @property
    def size(self) -> int:
        return len(self.voice)


# Streams of chance, one for each thing that is drawn.
_PHASE, _NOISE, _CUTOFF, _WIDTH, _TIME, _RANDOM, _LFO, _DRIFT = 0, 2, 3, 4, 5, 6, 7, 16


def _tune(values: Array, lane: _Lanes, pots: Array) -> None:
    c = lane.constants
    octave = 12.0 * np.clip(np.rint(lane["OSC.Tune1"] / 12.0), -2, 2)
    shared = lane["VCC.Trsp"] + lane["VCC.FTun"] / 100.0
    slop = lane["OPT.TSlop"] / 35.0
    pot = pots[lane.voice]
    cents_1 = c["tune_1_cents"] + c["pot_1_cents"] * pot[:, 0] * slop
    cents_2 = c["tune_2_cents"] + c["pot_2_cents"] * pot[:, 1] * slop
    base = lane.note.frequency_hz
    values[:, v.FREQUENCY_1] = base * 2.0 ** ((octave + shared + cents_1 / 100.0) / 12.0)
    values[:, v.FREQUENCY_2] = base * 2.0 ** ((lane["OSC.Tune2"] + shared + cents_2 / 100.0) / 12.0)
    values[:, v.VIBRATO] = c["vibrato_semitones"] * lane.share("OSC.VtoD")


def _oscillate(values: Array, lane: _Lanes) -> None:
    c = lane.constants
    values[:, v.WAVE_1] = np.clip(np.rint(lane["OSC.Wave1"]), 1, 4)
    values[:, v.WAVE_2] = np.clip(np.rint(lane["OSC.Wave2"]), 1, 4)
    values[:, v.LEVEL_1] = lane.share("OSC.Vol1")
    values[:, v.LEVEL_2] = lane.share("OSC.Vol2")
    knob = lane.share("OSC.PW")
    high = 0.5 + 2.0 * knob * (c["pulse_50_high"] - 0.5)
    high += c["width_slop"] * lane["OPT.PSlop"] * lane.normal(_WIDTH)
    values[:, v.WIDTH_1] = np.clip(high, 0.0, 1.0)
    values[:, v.WIDTH_2] = np.where(values[:, v.WAVE_2] == 3, c["narrow_high"], 0.5)
    for k in range(2):
        values[:, v.PHASE_1 + k] = lane.uniform(_PHASE + k)
    values[:, v.NOISE] = lane.uniform(_NOISE)


def _filter(values: Array, lane: _Lanes) -> None:
    c = lane.constants
    key = lane.note.pitch - _CENTRE_KEY
    values[:, v.HP_PITCH] = lane["HPF.Freq"] + c["hp_shift"] + lane.share("HPF.KeyScl") * key
    values[:, v.HP_RESONANCE] = lane.share("HPF.Res")
    slop = c["cutoff_slop_semitones"] * lane["OPT.CSlop"] / 10.0 * lane.normal(_CUTOFF)
    values[:, v.LP_PITCH] = (
        lane["VCF1.Freq"] + c["cutoff_shift"] + slop + lane.share("VCF1.KeyScl") * key
    )
    values[:, v.LP_RESONANCE] = lane.share("VCF1.Res")
    values[:, v.FILTER_FM] = lane["VCF1.FFM"] / 12.0


def _amplify(values: Array, lane: _Lanes) -> None:
    output = lane.constants["output_gain"] * lane["main.CcOp"] / 150.0
    values[:, v.LOUDNESS] = output * lane["VCA1.Vol"] / 50.0
    values[:, v.PAN] = lane["VCA1.Pan"] / 100.0
    for k, name in enumerate(("ENV1", "ENV2")):
        softer = 1.0 - lane.note.velocity / 127.0
        values[:, v.LEVEL_ENV_1 + k] = 1.0 - lane.share(f"{name}.Vel") * softer
        stepped = (lane[f"{name}.Model"] == 2) & (lane[f"{name}.Quant"] > 0.5)
        values[:, v.STEPS_ENV_1 + k] = np.where(stepped, _QUANTISED_LEVELS, 0.0)
    gated = lane["VCA1.VCA"] < 0.5
    values[:, v.STEPS_AMPLIFIER] = np.where(gated, 0.0, values[:, v.STEPS_ENV_1])
    values[:, v.LOUDNESS] *= np.where(gated, 1.0, values[:, v.LEVEL_ENV_1])


def _sources(values: Array, lane: _Lanes) -> None:
    c = lane.constants
    values[:, v.VELOCITY] = lane.note.velocity / 127.0
    values[:, v.KEY] = (lane.note.pitch - _CENTRE_KEY) / 12.0 / c["key_follow_octaves"]
    values[:, v.RANDOM] = 2.0 * lane.note_uniform(_RANDOM) - 1.0
    spread = np.maximum(1, lane.stack - 1)
    values[:, v.STACK] = np.where(lane.stack > 1, 2.0 * lane.voice / spread - 1.0, 0.0)
    pots = np.stack([lane[f"OPT.V{k + 1}Mod"] for k in range(8)], axis=1)
    values[:, v.VOICE_MAP] = pots[np.arange(lane.size), lane.voice] / 100.0
    values[:, v.QUANTISE] = np.maximum(1.0, lane["MOD.Quant"])
    values[:, v.LAG] = c["lag_seconds"] * lane.share("MOD.Slew") ** 2


_ROUTES: tuple[tuple[int, str, str | None, float], ...] = (
    (v.TO_TUNE_1, "OSC.TM1Src", "OSC.TM1Dpt", 1.0),
    (v.TO_TUNE_2, "OSC.TM2Src", "OSC.TM2Dpt", 1.0),
    (v.TO_LEVEL, "OSC.NoisSrc", "OSC.NoisDpt", 0.01),
    (v.TO_HP, "HPF.FMSrc", "HPF.FMDpt", 1.0),
    (v.TO_LP_1, "VCF1.FMSrc", "VCF1.FMDpt", 1.0),
    (v.TO_LP_2, "VCF1.FM2Src", "VCF1.FM2Dpt", 1.0),
    (v.TO_RESONANCE, "VCF1.ResSrc", "VCF1.ResDpt", 0.01),
    (v.TO_FILTER_FM, "VCF1.FfmSrc", "VCF1.FfmDpt", 1.0 / 12.0),
    (v.TO_AMPLITUDE, "VCA1.ModSrc", "VCA1.ModDpt", 0.01),
    (v.TO_PAN, "VCA1.PanSrc", "VCA1.PanDpt", 0.01),
    (v.TO_LFO_1_DEPTH, "LFO1.DMS1", "LFO1.DMD1", 0.01),
    (v.TO_LFO_2_DEPTH, "LFO2.DMS1", "LFO2.DMD1", 0.01),
    (v.TO_LFO_1_RATE, "LFO1.FMS1", "LFO1.FMD1", 1.0),
    (v.TO_LFO_2_RATE, "LFO2.FMS1", "LFO2.FMD1", 1.0),
    (v.TO_RECTIFY, "MOD.RSrc", None, 1.0),
    (v.TO_INVERT, "MOD.ISrc", None, 1.0),
    (v.TO_QUANTISE, "MOD.QSrc", None, 1.0),
    (v.TO_LAG, "MOD.LSrc", None, 1.0),
    (v.TO_ADD_1, "MOD.A1Src", None, 1.0),
    (v.TO_ADD_2, "MOD.A2Src", None, 1.0),
    (v.TO_MULTIPLY_1, "MOD.M1Src", None, 1.0),
    (v.TO_MULTIPLY_2, "MOD.M2Src", None, 1.0),
)


def _routes(lane: _Lanes) -> tuple[NDArray[np.int64], Array]:
    sources = np.zeros((lane.size, v.ROUTES), np.int64)
    depths = np.ones((lane.size, v.ROUTES))
    for route, source, depth, unit in _ROUTES:
        sources[:, route] = np.clip(np.rint(lane[source]), 0, v.SOURCES - 1)
        if depth is not None:
            depths[:, route] = unit * lane[depth]
    return sources, depths


def _lfos(lane: _Lanes) -> Array:
    lfos = np.zeros((lane.size, 2, v.LFO_FIELDS))
    for k, name in enumerate(("LFO1", "LFO2")):
        lfo = lfos[:, k]
        base = np.clip(np.rint(lane[f"{name}.Sync"]) + 3, 0, 26).astype(np.int64)
        lfo[:, v.LFO_RATE] = 2.0 ** lane[f"{name}.Rate"] / _PERIODS[base]
        lfo[:, v.LFO_WAVE] = np.clip(np.rint(lane[f"{name}.Wave"]), 0, 7)
        restart = np.rint(lane[f"{name}.Trig"])
        drawn = lane.note_uniform(_LFO + k)
        lfo[:, v.LFO_PHASE] = np.where(restart == 3, drawn, lane[f"{name}.Phse"] / 100.0)
        lfo[:, v.LFO_SINGLE] = restart == 2
        fade = lane.share(f"{name}.Dly") ** 2
        lfo[:, v.LFO_FADE] = lane.constants["lfo_fade_seconds"] * fade
        lfo[:, v.LFO_DEPTH] = lane.share(f"{name}.DMD1")
        lfo[:, v.LFO_UNIPOLAR] = lane[f"{name}.Polar"] > 0.5
    return lfos


def _stage(rate: float, seconds: Array, goal: Array | float, bottom: Array | float = 0.0) -> Array:
    """An exponential way to `goal` with a time constant, as `factor, step, bottom`."""
    factor = np.exp(-1.0 / (np.maximum(seconds, 1e-5) * rate))
    line = np.empty((len(seconds), 3))
    line[:, v.FACTOR] = factor
    line[:, v.STEP] = goal * -np.expm1(-1.0 / (np.maximum(seconds, 1e-5) * rate))
    line[:, v.BOTTOM] = bottom
    return line


def _line(rate: float, seconds: Array, direction: float, bottom: Array | float = 0.0) -> Array:
    """A straight way of one unit in `seconds`, up (1) or down (-1)."""
    line = np.empty((len(seconds), 3))
    line[:, v.FACTOR] = 1.0
    line[:, v.STEP] = direction / (np.maximum(seconds, 1e-5) * rate)
    line[:, v.BOTTOM] = bottom
    return line


def _curved_attack(rate: float, seconds: Array, curve: float) -> Array:
    """From 0 to 1 in `seconds` on an exponential that aims above 1; curve 0 is a line."""
    if curve < 1e-3:
        return _line(rate, seconds, 1.0)
    return _stage(rate, seconds / curve, 1.0 / -np.expm1(-curve))


def _envelopes(lane: _Lanes) -> Array:
    c = lane.constants
    rate = lane.rate
    shapes = np.empty((lane.size, 3, 3, 3))
    for k, name in enumerate(("ENV1", "ENV2")):
        octaves = (lane.note.pitch - _CENTRE_KEY) / 12.0
        factor = 2.0 ** (-octaves * lane.share(f"{name}.KeyFlw"))
        factor *= np.exp(c["time_slop"] * lane["OPT.ESlop"] / 10.0 * lane.normal(_TIME))
        attack = factor * (
            c["attack_shortest"]
            + c["attack_longest"] * lane.share(f"{name}.Atk") ** c["attack_power"]
        )
        decay = factor * (
            c["decay_shortest"] + c["decay_longest"] * lane.share(f"{name}.Dec") ** c["decay_power"]
        )
        release = factor * (
            c["release_shortest"]
            + c["decay_longest"] * lane.share(f"{name}.Rel") ** c["decay_power"]
        )
        sustain = lane.share(f"{name}.Sus")
        model = np.rint(lane[f"{name}.Model"])[:, None]
        straight = (model == 2) & (lane[f"{name}.Crve"] < 0.5)[:, None]
        ads_release = np.where(lane[f"{name}.RelOn"] > 0.5, decay, c["release_shortest"])
        shapes[:, k, v.ATTACK] = np.where(
            straight,
            _line(rate, attack, 1.0),
            np.where(
                model == 1,
                _curved_attack(rate, attack, c["attack_curve"]),
                _curved_attack(rate, attack, _ADS_ATTACK_CURVE),
            ),
        )
        shapes[:, k, v.DECAY] = np.where(
            straight,
            _line(rate, decay, -1.0, bottom=sustain),
            _stage(rate, decay, sustain),
        )
        shapes[:, k, v.RELEASE] = np.where(
            straight,
            _line(rate, release, -1.0),
            np.where(model == 0, _stage(rate, ads_release, 0.0), _stage(rate, release, 0.0)),
        )
    gate = np.full(lane.size, c["release_shortest"])
    gated = (lane["VCA1.VCA"] < 0.5)[:, None]
    amplifier = shapes[:, v.SHAPE_AMPLIFIER]
    for stage, goal in ((v.ATTACK, 1.0), (v.DECAY, 1.0), (v.RELEASE, 0.0)):
        gates = _stage(rate, gate, goal)
        if stage == v.ATTACK:
            gates = _short_of_one(gates)
        amplifier[:, stage] = np.where(gated, gates, shapes[:, 0, stage])
    return shapes


def _short_of_one(stages: Array) -> Array:
    """Attacks that aim at 1 by rounding alone: they aim below it, and so never have to end there.

    One that aims at exactly 1 would reach it after infinitely many samples.
    """
    goal = stages[:, v.STEP] / (1.0 - stages[:, v.FACTOR])
    stages[:, v.STEP] *= np.where(np.abs(goal - 1.0) < 5e-16, 1.0 - 1e-12, 1.0)
    return stages


def drift_seconds(constants: EngineConstants) -> float:
    """Time between two nodes of the drift."""
    return constants["drift_seconds"] / 4.0


def _drift(lane: _Lanes, nuisance: Nuisance) -> Array:
    """Ornstein-Uhlenbeck paths with unit variance, times what the Drift knob says, semitones."""
    nodes = int(lane.note.render_seconds / drift_seconds(lane.constants)) + 3
    paths = np.zeros((lane.size, 2, nodes))
    if not nuisance.drift:
        return paths
    keep = np.exp(-0.25)
    streams = _DRIFT + 64 * lane.voice[:, None, None] + np.arange(2)[:, None]
    paths = lane.normals(streams + 1000 * np.arange(nodes))
    paths[..., 1:] *= np.sqrt(1.0 - keep * keep)
    for node in range(1, nodes):
        paths[..., node] += keep * paths[..., node - 1]
    for k, name in enumerate(("drift_1_cents", "drift_2_cents")):
        width = lane.constants[name] / 100.0 * lane["OSC.Drift"] / 35.0
        paths[:, k] *= width[:, None]
    return np.asarray(paths)


def _apply_nuisance(
    values: Array, nuisance: Nuisance, owner: NDArray[np.int64], voice: NDArray[np.int64]
) -> None:
    deepest = int(voice.max()) + 1
    values[:, v.START_LEVEL] = 0.0
    if nuisance.start_level is not None:
        if nuisance.start_level.shape != (int(owner.max()) + 1,):
            raise InvalidValueError(
                f"start_level has shape {nuisance.start_level.shape}: it must hold one level for "
                f"each of the {int(owner.max()) + 1} patches."
            )
        values[:, v.START_LEVEL] = np.clip(nuisance.start_level[owner], 0.0, 1.0)
    for name, given, tail in (
        ("phases", nuisance.phases, (2,)),
        ("detune_cents", nuisance.detune_cents, (2,)),
        ("noise", nuisance.noise, ()),
    ):
        if given is None:
            continue
        least = (int(owner.max()) + 1, deepest, *tail)
        if given.ndim != len(least) or given.shape[0] != least[0] or given.shape[1] < deepest:
            raise InvalidValueError(
                f"{name} has shape {given.shape}: it must be {least}, one row for each patch and "
                "one column for each voice of its stack."
            )
        chosen = given[owner, voice]
        if name == "phases":
            values[:, v.PHASE_1 : v.PHASE_2 + 1] = chosen - np.floor(chosen)
        elif name == "detune_cents":
            values[:, v.FREQUENCY_1 : v.FREQUENCY_2 + 1] *= 2.0 ** (chosen / 1200.0)
        else:
            values[:, v.NOISE] = chosen - np.floor(chosen)
