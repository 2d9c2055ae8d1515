"""Diva's panel: which module a choice stands for, and what each knob sets.

A line of a table takes one knob to one input of one module; `Lanes` reads knobs. This is the only
place where the engine meets Diva's parameters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine import control_program as program
from deepdiva.engine.chain import Chain, LaneInputs
from deepdiva.engine.chance import normal, uniform
from deepdiva.engine.effects import Setting
from deepdiva.engine.module import Constant, Module
from deepdiva.engine.modules.amplifiers import vca
from deepdiva.engine.modules.effects import chorus, delay, phaser, plate, rotary
from deepdiva.engine.modules.filters import bite as bite_lp
from deepdiva.engine.modules.filters import cascade, ladder, multimode, uhbie
from deepdiva.engine.modules.highpass import bite as bite_hp
from deepdiva.engine.modules.highpass import none, post, pre
from deepdiva.engine.modules.oscillators import dco, digital, dual_vco, dual_vco_eco, triple_vco
from deepdiva.engine.voice_constants import VOICE_CONSTANTS
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.performance import AT_REST, Performance
from deepdiva.synths.diva.phrase import LEGATO, Event, plain
from deepdiva.synths.diva.table import DIVA
from deepdiva.synths.diva.trimmers import AT_REST as UNTRIMMED
from deepdiva.synths.diva.trimmers import Trimmers

Array = NDArray[np.float64]

_DIVISIONS = (
    1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 3 / 64, 3 / 32, 3 / 16, 3 / 8, 3 / 4,
    1 / 24, 1 / 12, 1 / 6, 1 / 3, 2 / 3, 2, 3, 4, 5, 6, 7, 8,
)  # fmt: skip
"""Length of LFO.Sync 0 to 23, in bars of four beats."""


def within(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Values kept in a range: `np.clip`, which takes several times as long for short arrays."""
    return np.asarray(np.minimum(np.maximum(values, low), high))


class Lanes:
    """One patch per lane, with what every law needs.

    Args:
        patches: (lanes, 281) in the units of `DIVA`.
        note: velocity, length, sample rate.
        seeds: (lanes,).
        voice: (lanes,), place in the stack, from 0 on.
        stack: (lanes,), voices of each stack.
        constants: of the voice.
        rate: samples per second.
        performance: tempo, wheels, tuning.
        events: one for each lane; None for the note's key, struck from silence.
        trimmers: of the preset.
    """

    def __init__(
        self,
        patches: Array,
        note: Note,
        seeds: NDArray[np.uint64],
        voice: NDArray[np.int64],
        stack: NDArray[np.int64],
        constants: Mapping[str, float],
        rate: float,
        performance: Performance = AT_REST,
        events: Sequence[Event] | None = None,
        trimmers: Trimmers = UNTRIMMED,
    ) -> None:
        self._columns = np.ascontiguousarray(patches.T)
        self.note = note
        self.place = voice
        self.stack = stack
        self.constants = constants
        self.rate = rate
        self.performance = performance
        self.trimmers = trimmers
        self.seeds = seeds
        given = events or [plain(note.pitch)] * len(voice)
        self.events = given
        self.key = np.array([event.key for event in given], np.float64)
        self.upper = np.array([event.upper for event in given], np.float64)
        self.held = np.array([event.held for event in given])
        self.onset = np.array([event.onset for event in given])
        self.number = np.array([event.number for event in given], np.int64)
        self.voice = voice + stack * np.array([event.voice for event in given], np.int64)

    def __getitem__(self, name: str) -> Array:
        column: Array = self._columns[DIVA.index(name)]
        return column

    def share(self, name: str) -> Array:
        """A knob of 0 to 100 as 0..1."""
        return within(self[name] / 100.0, 0.0, 1.0)

    def sources(self, names: Sequence[str]) -> NDArray[np.int64]:
        """(lanes, names): the modulation sources that these switches choose."""
        chosen = np.rint(self._columns[[DIVA.index(name) for name in names]]).T
        return within(chosen, 0, program.SOURCES - 1).astype(np.int64)

    def choice(self, name: str) -> NDArray[np.int64]:
        """A switch as a whole number."""
        return np.rint(self[name]).astype(np.int64)

    def follow(self, name: str) -> Array:
        """Semitones that key follow adds to a cutoff."""
        return self.share(name) * (self.key - self.constants["key_pivot"])

    def uniform(self, stream: int) -> Array:
        """A number of 0..1 per lane, drawn for the voice."""
        return uniform(self.seeds, stream + 64 * self.voice)

    def fresh(self, stream: int) -> Array:
        """A number of 0..1 per lane, drawn for the voice and each time it is struck."""
        return uniform(self.seeds, stream + 64 * self.voice + (self.number << _EVENT_BITS))

    def stray(self, stream: int, anew: bool) -> Array:
        """A standard normal number per lane, drawn for the voice.

        Args:
            stream: of chance.
            anew: whether it is drawn each time that the voice is struck.
        """
        struck = (self.number << _EVENT_BITS) if anew else 0
        return normal(self.seeds, stream + 64 * self.voice + struck)

    def note_uniform(self, stream: int) -> Array:
        """A number of 0..1 per lane, the same for all voices of a patch."""
        return uniform(self.seeds, stream + 0 * self.voice)

    def note_fresh(self, stream: int) -> Array:
        """The same, drawn for each event."""
        return uniform(self.seeds, stream + (self.number << _EVENT_BITS))

    @property
    def size(self) -> int:
        """How many lanes."""
        return len(self.voice)


Law = Callable[[Lanes], Array]


class _Reader(Lanes):
    """Lanes of default patches that note which parameters a law reads."""

    def __init__(self) -> None:
        lane = np.zeros(1, np.int64)
        constants: defaultdict[str, float] = defaultdict(lambda: 1.0)
        super().__init__(
            DIVA.defaults()[None], Note(), np.zeros(1, np.uint64), lane, lane + 1, constants, 1.0
        )
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Array:
        self.names.add(name)
        return super().__getitem__(name)


@lru_cache(maxsize=4096)
def reads(law: Law) -> frozenset[str]:
    """The parameters that a law depends on."""
    reader = _Reader()
    law(reader)
    return frozenset(reader.names)


def knob(name: str, scale: float = 1.0, offset: float = 0.0) -> Law:
    """The value, scaled."""
    return lambda lanes: lanes[name] * scale + offset


def share(name: str) -> Law:
    """A knob of 0 to 100 as 0..1."""
    return lambda lanes: lanes.share(name)


def width(name: str, scale: float, offset: float = 0.0) -> Law:
    """A pulse width, with what each voice strays from it."""

    def law(lanes: Lanes) -> Array:
        stray = lanes.stray(_WIDTH, lanes.trimmers.width_anew)
        slop = lanes.constants["width_slop"] * lanes["OPT.PSlop"] / 10.0 * stray
        return lanes[name] * scale + offset + slop

    return law


def cutoff(name: str, key_follow: str) -> Law:
    """A cutoff's MIDI pitch with key follow."""
    return lambda lanes: lanes[name] + lanes.follow(key_follow)


@dataclass(frozen=True)
class Route:
    """One row of the modulation matrix.

    Attributes:
        source: parameter that chooses the source.
        depth: parameter of the depth.
        target: input of the chain.
        scale: input units per unit of the depth, a number or a law of the lanes.
    """

    source: str
    depth: str
    target: str
    scale: float | Law = 1.0


@dataclass(frozen=True)
class Fitting:
    """A module as the panel uses it: what sets its inputs, which routes reach it.

    Attributes:
        module: the circuit.
        inputs: law of each input that a knob sets, by the input's name.
        routes: rows of the matrix that end here.
        pitches: of an oscillator panel: MIDI pitch of each oscillator, relative to the key.
        filter_fm: of a filter: the constant that says how far FilterFM bends its cutoff.
        feedback: whether the chain's feedback knob is on the panel with this module.
    """

    module: Module
    inputs: Mapping[str, Law]
    routes: tuple[Route, ...] = ()
    pitches: tuple[Law, ...] = ()
    filter_fm: str = "filter_fm_semitones"
    feedback: bool = False


def _octave(lanes: Lanes) -> Array:
    return 12.0 * within(np.rint(lanes["OSC.Tune1"] / 12.0), -2, 2)


def _on(name: str, scale: float = 1.0) -> Law:
    return lambda lanes: np.where(lanes[name] > 0.5, scale, 0.0)


def _one_of(name: str, *choices: int) -> Law:
    return lambda lanes: np.asarray(np.isin(lanes.choice(name), choices), np.float64)


_SHAPE_SCALE = 8.0 / 100.0
"""Shape units per unit of ShapeDepth: the whole range at depth 100 (uncalibrated)."""

OSCILLATORS: dict[int, Fitting] = {
    0: Fitting(
        triple_vco.MODULE,
        {
            "shape1": knob("OSC.Shape1"),
            "shape2": knob("OSC.Shape2"),
            "shape3": knob("OSC.Shape3"),
            "level1": share("OSC.Vol1"),
            "level2": share("OSC.Vol2"),
            "level3": share("OSC.Vol3"),
            "noise": share("OSC.Noise"),
            "fm": share("OSC.FM"),
            "sync2": knob("OSC.Sync2"),
            "sync3": knob("OSC.Sync3"),
            "colour": knob("OSC.NoiseC"),
        },
        (
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch1", _on("OSC.TM1On")),
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch2", _on("OSC.TM2On")),
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch3", _on("OSC.TM3On")),
            Route("OSC.Sh1Src", "OSC.Sh1Dpt", "oscillator.shape1", _on("OSC.SM1On", _SHAPE_SCALE)),
            Route("OSC.Sh1Src", "OSC.Sh1Dpt", "oscillator.shape2", _on("OSC.SM2On", _SHAPE_SCALE)),
            Route("OSC.Sh1Src", "OSC.Sh1Dpt", "oscillator.shape3", _on("OSC.SM3On", _SHAPE_SCALE)),
            Route("OSC.FmSrc", "OSC.FmDpt", "oscillator.fm", 0.01),
        ),
        pitches=(_octave, knob("OSC.Tune2"), knob("OSC.Tune3")),
        feedback=True,
    ),
    1: Fitting(
        dual_vco.MODULE,
        {
            "triangle1": knob("OSC.Tri1"),
            "saw1": knob("OSC.Saw1"),
            "pulse1": knob("OSC.PWM1"),
            "noise1": knob("OSC.Noise1"),
            "sine2": knob("OSC.Sin2"),
            "triangle2": knob("OSC.Tri2"),
            "saw2": knob("OSC.Saw2"),
            "pulse2": knob("OSC.PW2"),
            "width1": width("OSC.PW", 0.005, 0.5),
            "width2": width("OSC.PW", 0.005, 0.5),
            "fm": share("OSC.FM"),
            "sync": knob("OSC.Sync2"),
            "mix": share("OSC.OscMix"),
            "revision": knob("OSC.triSp"),
        },
        (
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch1", _one_of("OSC.TMmode", 0, 1, 3)),
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch2", _one_of("OSC.TMmode", 1, 2)),
            Route("OSC.TM2Src", "OSC.TM2Dpt", "pitch1", _one_of("OSC.TMmode", 0, 1)),
            Route("OSC.TM2Src", "OSC.TM2Dpt", "pitch2", _one_of("OSC.TMmode", 1, 2, 3)),
            Route("OSC.PWMSrc", "OSC.PWMDpt", "oscillator.width1", 0.01),
            Route("OSC.PWMSrc", "OSC.PWMDpt", "oscillator.width2", _on("OSC.PWM2", 0.01)),
            Route("OSC.FmSrc", "OSC.FmDpt", "oscillator.fm", 0.01),
            Route("OSC.NoisSrc", "OSC.NoisDpt", "oscillator.mix", 0.01),
        ),
        pitches=(_octave, knob("OSC.Tune2")),
    ),
    2: Fitting(
        dco.MODULE,
        {
            "pulse": knob("OSC.PWShp"),
            "saw": knob("OSC.SawShp"),
            "sub": knob("OSC.SubShp"),
            "width": width("OSC.PW", 0.005, 0.5),
            "sub_level": share("OSC.Vol3"),
            "noise": share("OSC.Noise"),
        },
        (
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch1"),
            Route("OSC.TM2Src", "OSC.TM2Dpt", "pitch1"),
            Route("OSC.PWMSrc", "OSC.PWMDpt", "oscillator.width", 0.01),
            Route("OSC.NoisSrc", "OSC.NoisDpt", "oscillator.noise", 0.01),
        ),
        pitches=(lambda lanes: _octave(lanes) - 24.0,),
    ),
    3: Fitting(
        dual_vco_eco.MODULE,
        {
            "wave1": lambda lanes: within(np.rint(lanes["OSC.Wave1"]), 1, 4),
            "wave2": lambda lanes: within(np.rint(lanes["OSC.Wave2"]), 1, 4),
            "level1": share("OSC.Vol1"),
            "level2": share("OSC.Vol2"),
            "width": width("OSC.PW", 0.01),
        },
        (
            *(Route(f"OSC.TM{m}Src", f"OSC.TM{m}Dpt", f"pitch{k}") for m in (1, 2) for k in (1, 2)),
            Route("OSC.NoisSrc", "OSC.NoisDpt", "oscillator.level1", 0.01),
        ),
        pitches=(_octave, knob("OSC.Tune2")),
    ),
    4: Fitting(
        digital.MODULE,
        {
            "kind1": knob("OSC.DgtlTp1"),
            "kind2": knob("OSC.DgtlTp2"),
            "one1": share("OSC.PW"),
            "two1": share("OSC.DgtlSp2"),
            "one2": share("OSC.DgtlSp3"),
            "two2": share("OSC.DgtlSp4"),
            "fm": share("OSC.FM"),
            "sync": knob("OSC.Sync2"),
            "ring": knob("OSC.RMPwm"),
            "mix": share("OSC.OscMix"),
            "clean": knob("OSC.DNoAlia"),
            "multisaw": lambda lanes: np.maximum(
                _one_of("OSC.DgtlTp1", 0)(lanes), _one_of("OSC.DgtlTp2", 0)(lanes)
            ),
        },
        (
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch1", _on("OSC.TM1On")),
            Route("OSC.TM1Src", "OSC.TM1Dpt", "pitch2", _on("OSC.TM2On")),
            Route("OSC.PWMSrc", "OSC.PWMDpt", "oscillator.one1", _on("OSC.PWM1", 0.01)),
            Route("OSC.PWMSrc", "OSC.PWMDpt", "oscillator.one2", _on("OSC.PWM2", 0.01)),
            Route("OSC.Sh1Src", "OSC.Sh1Dpt", "oscillator.two1", _on("OSC.SM1On", 0.01)),
            Route("OSC.Sh1Src", "OSC.Sh1Dpt", "oscillator.two2", _on("OSC.SM2On", 0.01)),
            Route("OSC.FmSrc", "OSC.FmDpt", "oscillator.fm", 0.01),
            Route("OSC.NoisSrc", "OSC.NoisDpt", "oscillator.mix", 0.01),
        ),
        pitches=(_octave, knob("OSC.Tune2")),
    ),
}
"""OSC.Model to what plays it."""

HIGHPASSES: dict[int, Fitting] = {
    0: Fitting(none.MODULE, {}, feedback=True),
    1: Fitting(post.MODULE, {"position": knob("HPF.PFreq")}),
    2: Fitting(
        pre.MODULE,
        {"cutoff": knob("HPF.Freq")},
    ),
    3: Fitting(
        bite_hp.MODULE,
        {
            "cutoff": cutoff("HPF.Freq", "HPF.KeyScl"),
            "resonance": share("HPF.Res"),
            "revision": knob("HPF.Rev"),
        },
        (Route("HPF.FMSrc", "HPF.FMDpt", "highpass.cutoff"),),
    ),
}
"""HPF.Model to what plays it."""


def _cutoff_depth(lanes: Lanes) -> Array:
    return np.full(lanes.size, lanes.constants["cutoff_depth"])


_CUTOFF_ROUTES = (
    Route("VCF1.FMSrc", "VCF1.FMDpt", "filter.cutoff", _cutoff_depth),
    Route("VCF1.FM2Src", "VCF1.FM2Dpt", "filter.cutoff"),
    Route("VCF1.ResSrc", "VCF1.ResDpt", "filter.resonance", 0.01),
)

FILTERS: dict[int, Fitting] = {
    0: Fitting(
        ladder.MODULE,
        {
            "cutoff": cutoff("VCF1.Freq", "VCF1.KeyScl"),
            "resonance": share("VCF1.Res"),
            "mode": knob("VCF1.LMode"),
        },
        _CUTOFF_ROUTES,
        filter_fm="filter_fm_ladder_semitones",
    ),
    1: Fitting(
        cascade.MODULE,
        {
            "cutoff": cutoff("VCF1.Freq", "VCF1.KeyScl"),
            "resonance": share("VCF1.Res"),
            "mode": knob("VCF1.LMode"),
            "colour": knob("VCF1.LColor"),
        },
        _CUTOFF_ROUTES,
    ),
    2: Fitting(
        multimode.MODULE,
        {
            "cutoff": cutoff("VCF1.Freq", "VCF1.KeyScl"),
            "resonance": share("VCF1.Res"),
            "mode": knob("VCF1.SvfMode"),
        },
        _CUTOFF_ROUTES,
    ),
    3: Fitting(
        bite_lp.MODULE,
        {
            "cutoff": cutoff("VCF1.Freq", "VCF1.KeyScl"),
            "resonance": share("VCF1.Res"),
            "revision": knob("VCF1.SkRev"),
        },
        _CUTOFF_ROUTES,
    ),
    4: Fitting(
        uhbie.MODULE,
        {
            "cutoff": cutoff("VCF1.Freq", "VCF1.KeyScl"),
            "resonance": share("VCF1.Res"),
            "mix": share("VCF1.ShpMix"),
            "band": knob("VCF1.BpUbie"),
        },
        (*_CUTOFF_ROUTES, Route("VCF1.SMSrc", "VCF1.SMDpt", "filter.mix", 0.01)),
    ),
}
"""VCF1.Model to what plays it."""


def _drawn(slot: int) -> Law:
    return lambda lanes: lanes.note_uniform(_EFFECT + slot)


def effect_phases(seeds: NDArray[np.uint64], slot: int) -> Array:
    """Where an effect's slow wave starts with each seed, cycles; slot 1 or 2."""
    return uniform(seeds, _EFFECT + slot)


def _sixteenths(name: str) -> Law:
    return lambda lanes: lanes[name] * lanes.performance.beat_seconds / 4.0


def _phaser_hertz(section: str) -> Law:
    """Free: 0.05 to 10 Hz. Synced: 16 beats to a quarter of a beat a sweep (both uncalibrated)."""

    def law(lanes: Lanes) -> Array:
        rate = lanes.share(f"{section}.Rate")
        beats = 2.0 ** np.rint(4.0 - 6.0 * rate)
        synced = 1.0 / lanes.performance.beat_seconds / beats
        return np.where(lanes[f"{section}.Sync"] > 0.5, synced, 0.05 * 200.0**rate)

    return law


def _controller(name: str) -> Law:
    """The position of the controller that a switch chooses."""

    def law(lanes: Lanes) -> Array:
        played = lanes.performance
        positions = (played.wheel, played.control_a, played.control_b, played.pressure)
        return np.array(positions)[np.clip(lanes.choice(name), 0, 3)]

    return law


def _effects(slot: int) -> dict[int, Fitting]:
    chrs, phase, plat, dly, rtary = (
        f"{section}{slot}" for section in ("Chrs", "Phase", "Plate", "Delay", "Rtary")
    )
    return {
        0: Fitting(
            chorus.MODULE,
            {
                "type": knob(f"{chrs}.Type"),
                "rate": share(f"{chrs}.Rate"),
                "depth": share(f"{chrs}.Depth"),
                "wet": share(f"{chrs}.Wet"),
                "phase": _drawn(slot),
            },
        ),
        1: Fitting(
            phaser.MODULE,
            {
                "type": knob(f"{phase}.Type"),
                "hertz": _phaser_hertz(phase),
                "feedback": share(f"{phase}.FB"),
                "stereo": knob(f"{phase}.Stereo", 0.01),
                "phase": share(f"{phase}.Phase"),
                "wet": share(f"{phase}.Wet"),
                "depth": share(f"{phase}.Depth"),
                "centre": share(f"{phase}.Center"),
            },
        ),
        2: Fitting(
            plate.MODULE,
            {
                "before": knob(f"{plat}.Pre", 0.001),
                "diffusion": share(f"{plat}.Diff"),
                "damp": share(f"{plat}.Damp"),
                "decay": share(f"{plat}.Decay"),
                "size": knob(f"{plat}.Size"),
                "dry": share(f"{plat}.Dry"),
                "wet": share(f"{plat}.Wet"),
                "phase": _drawn(slot),
            },
        ),
        3: Fitting(
            delay.MODULE,
            {
                "left": _sixteenths(f"{dly}.LDel"),
                "centre": _sixteenths(f"{dly}.CDel"),
                "right": _sixteenths(f"{dly}.RDel"),
                "side_level": share(f"{dly}.SVol"),
                "centre_level": share(f"{dly}.CVol"),
                "feedback": share(f"{dly}.FeedB"),
                "highpass": share(f"{dly}.HP"),
                "lowpass": share(f"{dly}.LP"),
                "dry": share(f"{dly}.Dry"),
                "wow": share(f"{dly}.Wow"),
                "phase": _drawn(slot),
            },
        ),
        4: Fitting(
            rotary.MODULE,
            {
                "mode": knob(f"{rtary}.Mode"),
                "mix": share(f"{rtary}.Mix"),
                "balance": share(f"{rtary}.Bal"),
                "drive": share(f"{rtary}.Drive"),
                "stereo": share(f"{rtary}.Stereo"),
                "out": knob(f"{rtary}.Out"),
                "slow": share(f"{rtary}.Slow"),
                "fast": share(f"{rtary}.Fast"),
                "rise": share(f"{rtary}.RTime"),
                "controller": _controller(f"{rtary}.Cont"),
                "phase": _drawn(slot),
            },
        ),
    }


EFFECTS: dict[int, dict[int, Fitting]] = {1: _effects(1), 2: _effects(2)}
"""For each slot, FX1.Module or FX2.Module to what plays it."""

ROTARY_SPEEDS = frozenset(
    f"Rtary{slot}.{key}" for slot in (1, 2) for key in ("Fast", "RTime", "Cont")
)
"""What acts where a controller of a Rotary does not rest."""


def played_effects(patch: Array) -> tuple[Fitting, ...]:
    """The effects of a patch, (281,), in the order of the signal; none for a slot that is off."""
    found = []
    for slot, table in EFFECTS.items():
        if patch[DIVA.index(f"main.#FX{slot}")] > 0.5:
            choice = round(float(patch[DIVA.index(f"FX{slot}.Module")]))
            found.append(table[min(4, max(0, choice))])
    return tuple(found)


def effect_settings(
    patches: Array,
    note: Note,
    seeds: NDArray[np.uint64],
    constants: Mapping[str, float],
    rate: float,
    performance: Performance = AT_REST,
) -> list[tuple[Setting, ...]]:
    """The effects of each patch, with their inputs.

    Args:
        patches: (batch, 281) in the units of `DIVA`.
        note: what is played.
        seeds: (batch,) uint64; they decide where slow waves start.
        constants: of the voice.
        rate: samples per second.
        performance: tempo, and the controllers of a Rotary.
    """
    chosen = [played_effects(patch) for patch in patches]
    settings: list[list[Setting]] = [[] for _ in patches]
    for table in EFFECTS.values():
        for fitting in table.values():
            rows = [k for k, effects in enumerate(chosen) if any(e is fitting for e in effects)]
            if not rows:
                continue
            lane = np.zeros(len(rows), np.int64)
            lanes = Lanes(
                patches[rows], note, seeds[rows], lane, lane + 1, constants, rate, performance
            )
            inputs = np.stack(
                [
                    within(fitting.inputs[entry.name](lanes), entry.low, entry.high)
                    for entry in fitting.module.inputs
                ],
                axis=1,
            )
            for row, values in zip(rows, inputs, strict=True):
                settings[row].append((fitting.module, tuple(float(v) for v in values)))
    return [tuple(found) for found in settings]


_LEVEL_ROUTE = Route("VCA1.ModSrc", "VCA1.ModDpt", "amplifier.level")
_FEEDBACK_ROUTE = Route("VCF1.FbSrc", "VCF1.FbDpt", "mixer.feedback")
_FILTER_FM_ROUTE = Route("VCF1.FfmSrc", "VCF1.FfmDpt", "mixer.filter_fm")
_PAN_ROUTE = Route("VCA1.PanSrc", "VCA1.PanDpt", "mixer.pan", 0.01)


def shared_routes(feedback: bool) -> tuple[Route, ...]:
    """Rows of the matrix that every chain has, and that of the feedback where it has one.

    Their units are those of the knobs beside them; what a unit is worth the chain's constants say.
    """
    rows = (_LEVEL_ROUTE, _FILTER_FM_ROUTE, _PAN_ROUTE)
    return (*rows, _FEEDBACK_ROUTE) if feedback else rows


SUBSTITUTES: dict[str, dict[int, int]] = {
    "OSC.Model": {},
    "HPF.Model": {},
    "VCF1.Model": {},
}
"""Choices that have no module yet, and the choice that plays in their place."""

MODELS = ("OSC.Model", "HPF.Model", "VCF1.Model")
"""The parameters that choose the modules of a chain."""


def played_models(patch: Array) -> tuple[int, int, int]:
    """The choices of a patch, (281,), or what plays in the place of one that has no module."""
    found = []
    for name in MODELS:
        parameter = DIVA[name]
        value = min(parameter.maximum, max(parameter.minimum, patch[parameter.index]))
        found.append(SUBSTITUTES[name].get(round(value), round(value)))
    return found[0], found[1], found[2]


def chain_of(oscillator: int, highpass: int, lowpass: int) -> Chain:
    """The chain of a choice of models."""
    return Chain(
        OSCILLATORS[oscillator].module,
        HIGHPASSES[highpass].module,
        FILTERS[lowpass].module,
        vca.MODULE,
    )


@lru_cache(maxsize=1)
def constants() -> Mapping[str, Constant]:
    """Every constant of the engine by name: `filter.ladder.drive`, or `decay_power` of a voice."""
    found = {entry.name: entry for entry in VOICE_CONSTANTS}
    for module in modules():
        found.update({f"{module.full_name}.{entry.name}": entry for entry in module.constants})
    return MappingProxyType(found)


def draw_constants(rng: np.random.Generator, width: float = 1.0) -> dict[str, float]:
    """Each constant drawn from what the evidence leaves open (domain randomisation).

    A constant is as often below its value as above it, also where the range is open to one side
    only: what learns from such engines is not drawn away from the best one.

    Args:
        rng: the source of chance.
        width: share of the range on either side that is drawn from, uniformly; 0 keeps the values.
    """
    drawn = {}
    for name, constant in constants().items():
        bound = constant.low if rng.random() < 0.5 else constant.high
        drawn[name] = constant.value + width * rng.random() * (bound - constant.value)
    return drawn


def modules() -> tuple[Module, ...]:
    """All modules that the panel can choose, each once."""
    tables = (OSCILLATORS, HIGHPASSES, FILTERS, EFFECTS[1])
    found = [fitting.module for table in tables for fitting in table.values()]
    return (*found, vca.MODULE)


# Streams of chance, one for each thing that is drawn; a voice has 64 of them.
_PHASE, _CUTOFF, _WIDTH, _TIME, _NOISE, _LFO, _GLIDE = 0, 3, 4, 5, 6, 7, 9
_RANDOM, _EFFECT, _DRIFT = 10, 11, 16
_EVENT_BITS = 40  # above them: the number of the event


@dataclass(frozen=True)
class Nuisance:
    """What shapes a sound and stands in no preset. Whatever is None is drawn from the seed.

    Attributes:
        phases: (batch, voices, at least the oscillators that play), start phases, cycles. They
            count also where a preset resets its oscillators.
        noise: (batch, voices), where in the noise a voice starts, 0..1.
        detune_cents: (batch, voices, at least the oscillators that play), added to pots and slop.
        start_level: (batch,), level that the envelopes start from, 0..1; 0 if None. Above 0 in a
            recording whose voice was still sounding when the note began.
        drift: whether the oscillators wander.

    `voices` may exceed a patch's stack; the surplus is ignored.
    """

    phases: Array | None = None
    noise: Array | None = None
    detune_cents: Array | None = None
    start_level: Array | None = None
    drift: bool = True

    def rows(self, rows: NDArray[np.int64]) -> Nuisance:
        """That of some patches."""

        def some(array: Array | None) -> Array | None:
            return None if array is None else array[rows]

        return Nuisance(
            some(self.phases),
            some(self.noise),
            some(self.detune_cents),
            some(self.start_level),
            self.drift,
        )

    def check(self, patches: Array) -> None:
        """Compare the shapes with a batch of patches, (batch, 281).

        Raises:
            InvalidValueError: an array of another shape.
        """
        batch, voices = len(patches), int(voices_of(patches).max())
        panels = [OSCILLATORS[played_models(patch)[0]] for patch in patches]
        oscillators = max(fitting.module.oscillators for fitting in panels)
        least: dict[str, tuple[int, ...]] = {
            "phases": (batch, voices, oscillators),
            "noise": (batch, voices),
            "detune_cents": (batch, voices, oscillators),
            "start_level": (batch,),
        }
        for name, shape in least.items():
            given = getattr(self, name)
            if given is None:
                continue
            fits = len(given.shape) == len(shape) and given.shape[0] == batch
            if not fits or any(g < s for g, s in zip(given.shape, shape, strict=True)):
                raise InvalidValueError(
                    f"{name} has shape {given.shape}: it must be at least {shape}, with exactly "
                    f"{batch} rows, one for each patch."
                )


DRAWN = Nuisance()
"""All of it drawn from the seed."""


def lane_inputs(
    patches: Array,
    note: Note,
    seeds: NDArray[np.uint64],
    constants: Mapping[str, float],
    pots: Array,
    rate: float,
    performance: Performance = AT_REST,
    events: Sequence[Event] | None = None,
    trimmers: Trimmers = UNTRIMMED,
    nuisance: Nuisance = DRAWN,
) -> Iterator[LaneInputs]:
    """What the lanes of a batch of patches play, chain by chain.

    Args:
        patches: (batch, 281) in the units of `DIVA`.
        note: pitch, velocity, length.
        seeds: (batch,) uint64.
        constants: of the panel and of the modules' laws outside their files.
        pots: (8, at least 2), detune pots of voices and oscillators.
        rate: samples per second, oversampling included.
        performance: tempo, wheels, tuning.
        events: one for each patch of the batch; None for the note's key, struck from silence.
        trimmers: of the preset.
        nuisance: what stands in no preset, of fitting shape (`Nuisance.check`).
    """
    models = np.array([played_models(patch) for patch in patches], np.int64)
    stacks = voices_of(patches)
    for model in np.unique(models, axis=0):
        members = np.flatnonzero((models == model).all(axis=1))
        stack = stacks[members]
        owner = np.repeat(members, stack)
        voice = np.arange(len(owner)) - np.repeat(np.cumsum(stack) - stack, stack)
        lanes = Lanes(
            patches[owner], note, seeds[owner], voice, np.repeat(stack, stack), constants, rate,
            performance, None if events is None else [events[int(row)] for row in owner], trimmers,
        )  # fmt: skip
        yield _inputs(lanes, tuple(int(m) for m in model), owner, pots, nuisance)


def voices_of(patches: Array) -> NDArray[np.int64]:
    """(batch,): how many voices a key plays."""
    stack = within(np.rint(patches[:, DIVA.index("VCC.Voicing")]), 1, 6)
    return np.asarray(stack, np.int64)


def realization_shape(patch: Array) -> tuple[int, int]:
    """Voices of a patch, (281,), and numbers for each: start phases and a place in the noise."""
    oscillators = OSCILLATORS[played_models(patch)[0]].module.oscillators
    return int(voices_of(patch[None])[0]), oscillators + 1


def _output(lanes: Lanes) -> Array:
    """The output knob where no effect is on; behind effects, `output_gain` does its work."""
    wet = (lanes["main.#FX1"] > 0.5) | (lanes["main.#FX2"] > 0.5)
    return np.where(wet, 150.0, lanes["main.CcOp"])


def output_gain(patch: Array) -> float:
    """The gain of the output knob behind the effects of a patch, (281,)."""
    return float(patch[DIVA.index("main.CcOp")]) / 150.0


def _inputs(
    lanes: Lanes,
    model: tuple[int, ...],
    owner: NDArray[np.int64],
    pots: Array,
    nuisance: Nuisance,
) -> LaneInputs:
    c = lanes.constants
    oscillator, highpass, lowpass = (
        OSCILLATORS[model[0]],
        HIGHPASSES[model[1]],
        FILTERS[model[2]],
    )
    chain = chain_of(*model)
    base = np.zeros((lanes.size, len(chain.inputs)))
    for fitting in (oscillator, highpass, lowpass):
        for entry in fitting.module.inputs:
            column = chain.index(f"{fitting.module.slot}.{entry.name}")
            law = fitting.inputs.get(entry.name)
            base[:, column] = entry.default if law is None else law(lanes)
    shared = lanes["VCC.Trsp"] + lanes["VCC.FTun"] / 100.0 + _bend(lanes) + _stacked(lanes)
    slop = lanes["OPT.TSlop"] / 35.0
    for k, pitch in enumerate(oscillator.pitches):
        pot = pots[lanes.voice % len(pots), k] if k < pots.shape[1] else 0.0
        cents = c[f"tune_{min(k, 1) + 1}_cents"] + c[f"pot_{min(k, 1) + 1}_cents"] * pot * slop
        if nuisance.detune_cents is not None:
            cents = cents + nuisance.detune_cents[owner, lanes.place, k]
        base[:, k] = pitch(lanes) + _keys(lanes, k) + shared + cents / 100.0
    slop = c["cutoff_slop_semitones"] * lanes["OPT.CSlop"] / 10.0
    slop = slop * lanes.stray(_CUTOFF, lanes.trimmers.cutoff_anew)
    base[:, chain.index("filter.cutoff")] += slop
    if oscillator.feedback or highpass.feedback:
        base[:, chain.index("mixer.feedback")] = c["feedback_gain"] * lanes.share("VCF1.Fback")
    base[:, chain.index("mixer.filter_fm")] = c[lowpass.filter_fm] / 12.0 * lanes["VCF1.FFM"]
    gated = lanes["VCA1.VCA"] < 0.5
    softer = 1.0 - lanes.note.velocity / 127.0
    level = c["output_gain"] * _output(lanes) / 150.0 * lanes["VCA1.Vol"] / 50.0
    level = level * np.where(gated, 1.0, 1.0 - lanes.share("ENV1.Vel") * softer)
    base[:, chain.index("amplifier.level")] = level
    base[:, chain.index("mixer.pan")] = within(lanes["VCA1.Pan"] / 100.0, -1.0, 1.0)

    feedback = oscillator.feedback or highpass.feedback
    routes = [*oscillator.routes, *highpass.routes, *lowpass.routes, *shared_routes(feedback)]
    units: dict[str, Array | float] = {
        "amplifier.level": 0.01 * level,
        "mixer.feedback": 0.01 * c["feedback_gain"],
        "mixer.filter_fm": c[lowpass.filter_fm] / 12.0,
    }
    sources = lanes.sources([route.source for route in routes])
    depths = np.stack(
        [
            lanes[r.depth]
            * (r.scale(lanes) if callable(r.scale) else r.scale)
            * units.get(r.target, 1.0)
            for r in routes
        ],
        1,
    )
    targets = [chain.index(r.target) for r in routes]
    vibrato = c["vibrato_semitones"] * lanes.share("OSC.VtoD")
    count = chain.oscillator.oscillators
    targets += list(range(count))
    lfo = np.full((lanes.size, count), program.LFO_1)
    sources = np.concatenate([sources, lfo], axis=1)
    depths = np.concatenate([depths, np.repeat(vibrato[:, None], count, axis=1)], axis=1)
    inner_sources, inner_depths = _inner(lanes)
    noise = lanes.fresh(_NOISE)
    if nuisance.noise is not None:
        noise = np.mod(nuisance.noise[owner, lanes.place], 1.0)
    extras = _extras(lanes)
    if nuisance.start_level is not None:
        level = within(nuisance.start_level[owner], 0.0, 1.0)
        extras[:, program.START_ENV_1 : program.START_AMPLIFIER + 1] = level[:, None]
    spread = 0.25 * np.pi * (within(lanes["VCA1.Pan"] / 100.0, -1.0, 1.0) + 1.0)
    return LaneInputs(
        chain=chain,
        base=base,
        route_inputs=np.array(targets, np.int64),
        sources=sources.astype(np.int64),
        depths=depths,
        inner_sources=inner_sources,
        inner_depths=inner_depths,
        static=_static(lanes),
        lfos=_lfos(lanes),
        extras=extras,
        shapes=_envelopes(lanes),
        glide=_glide(lanes, count),
        drift=_drift(lanes, count) * nuisance.drift,
        drift_samples=max(1, round(c["drift_seconds"] / 4.0 * lanes.rate)),
        phase=_phases(lanes, count, nuisance, owner),
        noise=noise,
        pan=np.sqrt(2.0) * np.stack([np.cos(spread), np.sin(spread)], axis=1),
        patch=owner,
    )


def _keys(lanes: Lanes, oscillator: int) -> Array:
    """MIDI pitch of an oscillator's key in the tuning that is played."""
    return _tuned(lanes, lanes.key if oscillator == 0 else lanes.upper)


def _tuned(lanes: Lanes, keys: Array) -> Array:
    given, own = lanes.performance.tuning, lanes.trimmers.tuning
    if given is not None:
        return np.array(given.pitches)[keys.astype(np.int64)]
    if own is None or own.is_equal:
        return keys
    table = np.array(own.pitches)[keys.astype(np.int64)]
    return np.where(lanes["VCC.MTunS"] > 0.5, table, keys)


def _bend(lanes: Lanes) -> Array:
    """Semitones of the pitch wheel."""
    bend = lanes.performance.bend
    return bend * lanes["VCC.PB" if bend > 0.0 else "VCC.PBD"]


def _stacked(lanes: Lanes) -> Array:
    """Semitones by which the voices of a stack are tuned apart."""
    return np.array(lanes.trimmers.stack_semitones)[lanes.place]


def _glide(lanes: Lanes, count: int) -> Array:
    """Semitones that each oscillator starts from, and samples until it has reached its pitch.

    GlideMode says whether the knob is the time of any glide or of an octave; GlideRange is a share
    of the way; Glide2 is added to the knob for the oscillators but the first. All are uncalibrated.
    """
    glide = np.zeros((lanes.size, count, 2))
    origins = [event.glide_from for event in lanes.events]
    if all(origin is None for origin in origins):
        return glide
    c = lanes.constants
    start = _tuned(lanes, np.array([float(o or 0) for o in origins]))
    gone = np.array([origin is None for origin in origins])
    stray = lanes.stray(_GLIDE, lanes.trimmers.glide_anew)
    slop = np.exp(c["glide_slop"] * lanes["OPT.GSlop"] / 10.0 * stray)
    for k in range(count):
        setting = lanes["VCC.Porta"] + (lanes["VCC.Porta2"] if k > 0 else 0.0)
        share = np.clip(setting / 100.0, 0.0, 1.0)
        seconds = c["glide_longest"] * share ** c["glide_power"] * slop
        away = (start - _keys(lanes, k)) * lanes.share("VCC.PRange")
        seconds = np.where(lanes["VCC.PortaM"] > 0.5, seconds * np.abs(away) / 12.0, seconds)
        glide[:, k, 0] = np.where(gone, 0.0, away)
        glide[:, k, 1] = np.where(gone, 0.0, seconds * lanes.rate)
    return glide


def _phases(lanes: Lanes, count: int, nuisance: Nuisance, owner: NDArray[np.int64]) -> Array:
    if nuisance.phases is not None:
        return np.mod(nuisance.phases[owner, lanes.place, :count], 1.0)
    if lanes.trimmers.oscillator_reset:
        return np.tile(np.array(lanes.trimmers.reset_phases[:count]), (lanes.size, 1))
    return np.stack([lanes.fresh(_PHASE + k) for k in range(count)], axis=1)


_INNER = (
    ("LFO1.DMS1", None), ("LFO2.DMS1", None), ("LFO1.FMS1", "LFO1.FMD1"),
    ("LFO2.FMS1", "LFO2.FMD1"), ("MOD.RSrc", None), ("MOD.ISrc", None), ("MOD.QSrc", None),
    ("MOD.LSrc", None), ("MOD.A1Src", None), ("MOD.A2Src", None), ("MOD.M1Src", None),
    ("MOD.M2Src", None),
)  # fmt: skip


def _inner(lanes: Lanes) -> tuple[NDArray[np.int64], Array]:
    sources = lanes.sources([source for source, _ in _INNER])
    depths = np.stack([lanes[d] if d else np.ones(lanes.size) for _, d in _INNER], 1)
    return sources, depths


def _static(lanes: Lanes) -> Array:
    values = np.zeros((lanes.size, program.SOURCES))
    played = lanes.performance
    values[:, program.VELOCITY] = lanes.note.velocity / 127.0
    values[:, program.WHEEL] = played.wheel
    values[:, program.BEND] = played.bend
    values[:, program.CONTROL_A] = played.control_a
    values[:, program.CONTROL_B] = played.control_b
    values[:, program.PRESSURE] = played.pressure
    key = (lanes.key - lanes.constants["key_pivot"]) / 12.0 / lanes.constants["key_follow_octaves"]
    values[:, program.KEY_FOLLOW] = values[:, program.KEY_FOLLOW_2] = key
    values[:, program.ALTERNATE] = np.where(lanes.number % 2 == 0, 1.0, -1.0)
    values[:, program.RANDOM] = 2.0 * lanes.note_fresh(_RANDOM) - 1.0
    spread = np.maximum(1, lanes.stack - 1)
    values[:, program.STACK_VOICE] = np.where(
        lanes.stack > 1, 2.0 * lanes.place / spread - 1.0, 0.0
    )
    pots = np.stack([lanes[f"OPT.V{k + 1}Mod"] for k in range(8)], axis=1)
    values[:, program.VOICE_MAP] = pots[np.arange(lanes.size), lanes.voice % 8] / 100.0
    return values


def _extras(lanes: Lanes) -> Array:
    extras = np.zeros((lanes.size, program.EXTRAS))
    extras[:, program.QUANTISE] = np.maximum(1.0, lanes["MOD.Quant"])
    extras[:, program.LAG] = lanes.constants["lag_seconds"] * lanes.share("MOD.Slew") ** 2
    softer = 1.0 - lanes.note.velocity / 127.0
    for k, name in enumerate(("ENV1", "ENV2")):
        extras[:, program.LEVEL_ENV_1 + k] = 1.0 - lanes.share(f"{name}.Vel") * softer
        extras[:, program.START_ENV_1 + k] = lanes.held * lanes.share(f"{name}.Sus")
        stepped = (lanes.choice(f"{name}.Model") == 2) & (lanes[f"{name}.Quant"] > 0.5)
        extras[:, program.STEPS_ENV_1 + k] = np.where(stepped, 16.0, 0.0)
    gated = lanes["VCA1.VCA"] < 0.5
    extras[:, program.START_AMPLIFIER] = np.where(gated, lanes.held, extras[:, program.START_ENV_1])
    return extras


def _lfos(lanes: Lanes) -> Array:
    lfos = np.zeros((lanes.size, 2, program.LFO_FIELDS))
    bar = 4.0 * lanes.performance.beat_seconds
    periods = np.array([0.1, 1.0, 10.0] + [bar * division for division in _DIVISIONS])
    for k, name in enumerate(("LFO1", "LFO2")):
        lfo = lfos[:, k]
        base = within(lanes.choice(f"{name}.Sync") + 3, 0, 26)
        lfo[:, program.LFO_RATE] = 2.0 ** lanes[f"{name}.Rate"] / periods[base]
        lfo[:, program.LFO_WAVE] = within(lanes.choice(f"{name}.Wave"), 0, 7)
        restart = lanes.choice(f"{name}.Trig")
        free = lanes.note_uniform(_LFO + k) + lanes.onset * lfo[:, program.LFO_RATE]
        set_phase = np.where(
            restart == 3, lanes.note_fresh(_LFO + k), lanes[f"{name}.Phse"] / 100.0
        )
        lfo[:, program.LFO_PHASE] = np.where(restart == 0, free % 1.0, set_phase)
        lfo[:, program.LFO_SINGLE] = restart == 2
        fade = lanes.share(f"{name}.Dly") ** 3
        lfo[:, program.LFO_FADE] = lanes.constants["lfo_fade_seconds"] * fade
        lfo[:, program.LFO_TRIM] = lanes.share(f"{name}.DMD1")
        lfo[:, program.LFO_UNIPOLAR] = lanes[f"{name}.Polar"] > 0.5
        lfo[:, program.LFO_SEED] = lanes.fresh(_NOISE) * (0.5 + 0.25 * k)
    return lfos


def _drift(lanes: Lanes, count: int) -> Array:
    c = lanes.constants
    step = c["drift_seconds"] / 4.0
    nodes = int(np.ceil(lanes.note.render_seconds / step)) + 3
    spread = np.array([c["drift_1_cents"], c["drift_2_cents"], c["drift_2_cents"]])[:count]
    kept = np.exp(-step / c["drift_seconds"])
    streams = (
        _DRIFT
        + 64 * lanes.voice[:, None, None]
        + 4096 * (1 + np.arange(count)[None, :, None])
        + 4096 * 4 * (np.arange(nodes) + (lanes.onset // step).astype(np.int64)[:, None])[:, None]
    )
    drawn = normal(lanes.seeds[:, None, None], streams)
    drift = np.empty_like(drawn)
    drift[:, :, 0] = drawn[:, :, 0]
    for node in range(1, nodes):
        drift[:, :, node] = kept * drift[:, :, node - 1]
        drift[:, :, node] += np.sqrt(1.0 - kept**2) * drawn[:, :, node]
    return drift * (spread / 100.0)[None, :, None] * lanes["OSC.Drift"][:, None, None] / 35.0


def _stage(rate: float, seconds: Array, goal: Array | float, bottom: Array | float = 0.0) -> Array:
    """An exponential way to `goal` with a time constant, as `factor, step, bottom`."""
    line = np.empty((len(seconds), 3))
    line[:, 0] = np.exp(-1.0 / (np.maximum(seconds, 1e-5) * rate))
    line[:, 1] = goal * -np.expm1(-1.0 / (np.maximum(seconds, 1e-5) * rate))
    line[:, 2] = bottom
    return line


def _line(rate: float, seconds: Array, direction: float, bottom: Array | float = 0.0) -> Array:
    """A straight way of one unit in `seconds`, up (1) or down (-1)."""
    line = np.empty((len(seconds), 3))
    line[:, 0] = 1.0
    line[:, 1] = direction / (np.maximum(seconds, 1e-5) * rate)
    line[:, 2] = bottom
    return line


def _curved_attack(rate: float, seconds: Array, curve: float) -> Array:
    """From 0 to 1 in `seconds` on an exponential that aims above 1."""
    return _stage(rate, seconds / curve, 1.0 / -np.expm1(-curve))


def _envelopes(lanes: Lanes) -> Array:
    c = lanes.constants
    rate = lanes.rate
    shapes = np.empty((lanes.size, 3, 3, 3))
    strays = lanes.stray(_TIME, lanes.trimmers.times_anew)
    for k, name in enumerate(("ENV1", "ENV2")):
        octaves = (lanes.key - lanes.constants["key_pivot"]) / 12.0
        factor = 2.0 ** (-octaves * lanes.share(f"{name}.KeyFlw"))
        factor *= np.exp(c["time_slop"] * lanes["OPT.ESlop"] / 10.0 * strays)
        attack, decay, release = (
            factor
            * (
                c[f"{s}_shortest"]
                + c[f"{s}_longest"] * lanes.share(f"{name}.{p}") ** c[f"{s}_power"]
            )
            for s, p in (("attack", "Atk"), ("decay", "Dec"), ("release", "Rel"))
        )
        sustain = lanes.share(f"{name}.Sus")
        model = lanes.choice(f"{name}.Model")[:, None]
        straight = (model == 2) & (lanes[f"{name}.Crve"] < 0.5)[:, None]
        gone = np.full(lanes.size, c["release_shortest"])
        ads_release = np.where(lanes[f"{name}.RelOn"] > 0.5, decay, gone)
        undershoot = c["release_undershoot"]
        shapes[:, k, 0] = np.where(
            straight, _line(rate, attack, 1.0), _curved_attack(rate, attack, c["attack_curve"])
        )
        shapes[:, k, 1] = np.where(
            straight, _line(rate, decay, -1.0, sustain), _stage(rate, decay, sustain)
        )
        shapes[:, k, 2] = np.where(
            straight,
            _line(rate, release, -1.0),
            np.where(
                model == 0,
                _stage(rate, ads_release, -undershoot),
                _stage(rate, release, -undershoot),
            ),
        )
    gated = (lanes["VCA1.VCA"] < 0.5)[:, None]
    gate = np.full(lanes.size, 0.0006)
    for stage, goal in ((0, 1.0 - 1e-12), (1, 1.0), (2, 0.0)):
        shapes[:, 2, stage] = np.where(gated, _stage(rate, gate, goal), shapes[:, 0, stage])
    # In legato mode an envelope that is held goes on where it is.
    goes_on = lanes.held & (lanes.choice("VCC.Mode") == LEGATO)
    shapes[goes_on, :, 0] = shapes[goes_on, :, 1]
    return shapes
