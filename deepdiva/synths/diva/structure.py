"""Diva's panel as a tree of models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.synths.diva import acting, panel
from deepdiva.synths.diva.keys import (
    FINE_TUNING,
    KEY_FOLLOWING,
    TRANSPOSING,
    VELOCITY_FOLLOWING,
)
from deepdiva.synths.diva.space import VOICE_STACK, whole_panel
from deepdiva.synths.diva.table import DIVA
from deepdiva.synths.structure import Patch, Proposal, Structure

_ENV_2, _LFO_2 = 15.0, 17.0
"""Sources of modulation."""

_SLOTS = (1, 2)

_EFFECTS: tuple[tuple[str, float, Mapping[str, float]], ...] = (
    ("chorus", 0.0, {"Chrs.Type": 0.0, "Chrs.Rate": 40.0, "Chrs.Depth": 50.0, "Chrs.Wet": 60.0}),
    ("chorus", 0.0, {"Chrs.Type": 1.0, "Chrs.Rate": 25.0, "Chrs.Depth": 30.0, "Chrs.Wet": 100.0}),
    ("phaser", 1.0, {"Phase.Rate": 40.0, "Phase.FB": 30.0, "Phase.Wet": 60.0, "Phase.Sync": 0.0}),
    ("plate", 2.0, {"Plate.Decay": 25.0, "Plate.Wet": 30.0, "Plate.Dry": 90.0}),
    ("plate", 2.0, {"Plate.Decay": 60.0, "Plate.Wet": 40.0, "Plate.Dry": 80.0}),
    ("plate", 2.0, {"Plate.Decay": 85.0, "Plate.Wet": 70.0, "Plate.Dry": 60.0}),
    ("delay", 3.0, {"Delay.FeedB": 30.0, "Delay.CVol": 30.0, "Delay.SVol": 30.0}),
    ("delay", 3.0, {"Delay.FeedB": 50.0, "Delay.CVol": 60.0, "Delay.CDel": 2.0}),
    ("rotary", 4.0, {"Rtary.Mix": 60.0, "Rtary.Slow": 30.0}),
    ("rotary", 4.0, {"Rtary.Mix": 60.0, "Rtary.Slow": 80.0}),
)
"""Effects: what they are called, their place in a slot, and settings worth a try."""

_STEREO = ("VCA1.Pan", "VCA1.PanSrc", "VCA1.PanDpt")


class DivaStructure(Structure):
    """See the module."""

    @property
    def panel(self) -> tuple[str, ...]:
        return _panel()

    @property
    def chain(self) -> tuple[str, ...]:
        return panel.MODELS

    @property
    def effects(self) -> Mapping[str, float]:
        return MappingProxyType({f"main.#FX{slot}": 0.0 for slot in _SLOTS})

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        return _groups()

    @property
    def untold(self) -> frozenset[str]:
        followed = (*KEY_FOLLOWING, *VELOCITY_FOLLOWING, *TRANSPOSING, *_STEREO)
        return frozenset((*followed, "HPF.KeyScl", "ENV2.KeyFlw", *_arpeggiator()))

    def acting(self, patch: Patch) -> frozenset[str]:
        return acting.acts(patch)

    def chain_label(self, patch: Patch) -> str:
        labels = [DIVA[name].label(_value(patch, name)) for name in panel.MODELS]
        oscillator, highpass, lowpass = labels
        if _value(patch, "HPF.Model") == 0.0:
            return f"{oscillator} + {lowpass}"
        highpass = highpass if highpass.startswith("HPF") else f"HPF {highpass}"
        return f"{oscillator} + {highpass} + {lowpass}"

    def chain_values(self, text: str) -> dict[str, float]:
        words = [word.strip() for word in text.split("+") if word.strip()]
        found: dict[str, float] = {}
        for place, word in enumerate(words):
            names = [
                (name, value)
                for name, value in _models(word)
                # Bite is a high-pass and a low-pass: in the middle it is the one, last the other.
                if name not in found and (name != "VCF1.Model" or place == len(words) - 1)
            ]
            if not names:
                raise InvalidValueError(
                    f"--chain {text!r}: {word!r} names no model here; it takes oscillator, "
                    f"high-pass and filter, such as 'Triple VCO + Ladder'. Known are "
                    f"{', '.join(_model_labels())}."
                )
            # The last word is a filter, if it can be one.
            name, value = names[-1] if place == len(words) - 1 else names[0]
            found[name] = value
        if {"OSC.Model", "VCF1.Model"} <= found.keys() and len(words) == 2:
            found["HPF.Model"] = 0.0
        if not found:
            raise InvalidValueError("--chain is empty: name models, such as 'Triple VCO + Ladder'.")
        return found

    def modules(self, patch: Patch) -> tuple[str, ...]:
        acts = acting.acts(patch)
        found = []
        for slot in _SLOTS:
            if f"FX{slot}.Module" in acts:
                parameter = DIVA[f"FX{slot}.Module"]
                found.append(parameter.label(_value(patch, parameter.name)))
        stack = round(_value(patch, VOICE_STACK))
        if stack > 1:
            found.append(f"stack {stack}")
        found += [f"LFO {number}" for number in (1, 2) if f"LFO{number}.Rate" in acts]
        if "ENV2.Dec" in acts:
            found.append("envelope 2")
        for source, depth, what in _ROUTES:
            if depth in acts and source in acts and _value(patch, depth) != 0.0:
                found.append(f"{what} modulation")
        if _value(patch, "OSC.VtoD") != 0.0:
            found.append("vibrato")
        for name, what in _EXTRAS:
            if name in acts and _value(patch, name) != 0.0:
                found.append(what)
        if _value(patch, "ARP.OnOff") > 0.5:
            found.append("arpeggiator")
        return tuple(found)

    def stacks(self, patch: Patch) -> list[Proposal]:
        now = round(_value(patch, VOICE_STACK))
        return [
            Proposal(f"stack {choice.value:g}", {VOICE_STACK: choice.value})
            for choice in DIVA[VOICE_STACK].choices
            if round(choice.value) != now
        ]

    def proposals(self, patch: Patch, rates_hz: Sequence[float] = ()) -> list[Proposal]:
        rates = [round(math.log2(rate), 3) for rate in rates_hz]
        rates = [rate for rate in rates if abs(rate) <= _FASTEST]
        return [*_new_effects(patch), *_new_modulations(patch, rates)]

    def simplifications(self, patch: Patch) -> list[Proposal]:
        acts = acting.acts(patch)
        found = [
            Proposal(f"effect {slot} off", {f"main.#FX{slot}": 0.0})
            for slot in _SLOTS
            if f"FX{slot}.Module" in acts
        ]
        for source, depth, what in _ROUTES:
            if depth in acts and source in acts and _value(patch, depth) != 0.0:
                found.append(Proposal(f"{what} modulation off", {depth: 0.0}))
        for name, what in (("OSC.VtoD", "vibrato"), *_EXTRAS):
            if name in acts and _value(patch, name) != 0.0:
                found.append(Proposal(f"{what} off", {name: 0.0}))
        if _value(patch, "ARP.OnOff") > 0.5:
            found.append(Proposal("arpeggiator off", {"ARP.OnOff": 0.0}))
        return found

    def draws(self, count: int, seed: int, note: Note) -> NDArray[np.float64]:
        from deepdiva.synths.diva.prior.human import HumanPrior

        return HumanPrior().sample(count, seed, note)


_ROUTES = (
    ("OSC.TM1Src", "OSC.TM1Dpt", "pitch"),
    ("OSC.TM2Src", "OSC.TM2Dpt", "second pitch"),
    ("OSC.PWMSrc", "OSC.PWMDpt", "pulse-width"),
    ("OSC.Sh1Src", "OSC.Sh1Dpt", "shape"),
    ("OSC.FmSrc", "OSC.FmDpt", "FM"),
    ("OSC.NoisSrc", "OSC.NoisDpt", "mix"),
    ("HPF.FMSrc", "HPF.FMDpt", "high-pass"),
    ("VCF1.FMSrc", "VCF1.FMDpt", "cutoff"),
    ("VCF1.FM2Src", "VCF1.FM2Dpt", "second cutoff"),
    ("VCF1.ResSrc", "VCF1.ResDpt", "resonance"),
    ("VCF1.FfmSrc", "VCF1.FfmDpt", "filter-FM"),
    ("VCF1.FbSrc", "VCF1.FbDpt", "feedback"),
    ("VCF1.SMSrc", "VCF1.SMDpt", "filter-shape"),
    ("VCA1.ModSrc", "VCA1.ModDpt", "level"),
)
"""Source and depth of modulations, and what they move."""

_EXTRAS = (
    ("OSC.FM", "FM"),
    ("OSC.Noise", "noise"),
    ("VCF1.FFM", "filter FM"),
    ("VCF1.Fback", "feedback"),
)
"""Knobs that take a part of the voice into the sound, and the part."""


def _value(patch: Patch, name: str) -> float:
    return float(patch[DIVA.index(name)])


@lru_cache(maxsize=1)
def _panel() -> tuple[str, ...]:
    """The whole panel without the fine tuning, which is measured in the recording."""
    return tuple(name for name in whole_panel().names if name != FINE_TUNING)


def _arpeggiator() -> tuple[str, ...]:
    phrase = [p.name for p in DIVA if p.section in ("ARP", "CLK")]
    return (*phrase, "VCC.Mode", "VCC.Voices", "VCC.Prior")


@lru_cache(maxsize=1)
def _groups() -> tuple[tuple[str, ...], ...]:
    def of(*sections: str) -> tuple[str, ...]:
        return tuple(p.name for p in DIVA if p.section in sections and p.name in _panel())

    slots = [
        (f"main.#FX{k}", *of(f"FX{k}", *(f"{name}{k}" for name in _EFFECT_SECTIONS)))
        for k in _SLOTS
    ]
    single = [of(s) for s in ("OSC", "HPF", "VCF1", "VCA1", "ENV1", "ENV2", "LFO1", "LFO2", "MOD")]
    voices = tuple(name for name in of("VCC", "OPT") if name not in _arpeggiator())
    return (*single, voices, *slots)


_EFFECT_SECTIONS = ("Chrs", "Phase", "Plate", "Delay", "Rtary")


def _models(word: str) -> list[tuple[str, float]]:
    """Which choices of models a word names."""
    wanted = word.casefold().removeprefix("hpf ") if word.casefold() != "hpf post" else "hpf post"
    found = []
    for name in panel.MODELS:
        for choice in DIVA[name].choices:
            label = choice.label.casefold()
            if label == word.casefold() or label.removeprefix("hpf ") == wanted:
                found.append((name, choice.value))
    return found


def _model_labels() -> list[str]:
    labels = [choice.label for name in panel.MODELS for choice in DIVA[name].choices]
    return list(dict.fromkeys(labels))


def _new_effects(patch: Patch) -> Iterator[Proposal]:
    """Effects in the first slot that is off."""
    free = [slot for slot in _SLOTS if _value(patch, f"main.#FX{slot}") <= 0.5]
    if not free:
        return
    slot, other = free[0], 3 - free[0]
    taken = _value(patch, f"FX{other}.Module") if other not in free else -1.0
    for label, module, knobs in _EFFECTS:
        if module == taken:
            continue
        values = {f"main.#FX{slot}": 1.0, f"FX{slot}.Module": module}
        values |= {name.replace(".", f"{slot}."): value for name, value in knobs.items()}
        yield Proposal(label, values)


def _new_modulations(patch: Patch, rates: Sequence[float]) -> Iterator[Proposal]:
    """Envelope and LFOs on what they usually move, where nothing moves it yet.

    Args:
        patch: to be changed.
        rates: of LFOs, as their knobs spell them, that were heard; the usual ones if empty.
    """
    acts = acting.acts(patch)
    if _value(patch, "VCF1.FMDpt") == 0.0:
        yield from _envelopes_on_cutoff("ENV2.Dec" not in acts)
    yield from _lfos(patch, acts, rates)
    if _value(patch, "OSC.VtoD") == 0.0:
        vibrato = {"OSC.VtoD": 8.0, "LFO1.DMD1": 0.0}
        yield Proposal("vibrato", vibrato)
        if "LFO1.Rate" not in acts or _rests(patch, 1):
            for rate in (*rates, 2.0, 2.5):
                lfo = {"LFO1.Sync": _SECOND, "LFO1.Rate": rate}
                yield Proposal("vibrato", {**vibrato, **lfo})
    if _value(patch, "OSC.TM1Dpt") == 0.0:
        for tune in (-12.0, 12.0):
            envelope = {"ENV2.Dec": 15.0, "ENV2.Sus": 0.0}
            yield Proposal(
                "envelope on pitch", {"OSC.TM1Src": _ENV_2, "OSC.TM1Dpt": tune, **envelope}
            )
    for name, what, value in _SWITCHED_ON:
        if name in acts and _value(patch, name) == 0.0:
            yield Proposal(what, {name: value})


def _envelopes_on_cutoff(idle: bool) -> Iterator[Proposal]:
    """Both ways; with some decays where the envelope moves nothing else."""
    for depth in (-40.0, 25.0, 60.0):
        route = {"VCF1.FMSrc": _ENV_2, "VCF1.FMDpt": depth}
        if not idle:
            yield Proposal("envelope on cutoff", route)
            continue
        for decay in (30.0, 60.0):
            envelope = {"ENV2.Atk": 0.0, "ENV2.Dec": decay, "ENV2.Sus": 0.0}
            yield Proposal("envelope on cutoff", {**route, **envelope})


def _lfos(patch: Patch, acts: frozenset[str], rates: Sequence[float]) -> Iterator[Proposal]:
    """LFO 2 on what nothing moves, at some rates where it is idle; heard rates for acting LFOs."""
    idle = "LFO2.Rate" not in acts or _rests(patch, 2)
    for what, route in _open_routes(patch):
        if not idle:
            yield Proposal(what, route)
            continue
        for rate in rates or (0.0, 1.5, 2.5):
            lfo = {"LFO2.Sync": _SECOND, "LFO2.Rate": rate, "LFO2.DMD1": 0.0}
            # What was heard deserves its wave and the phase at which it starts.
            for wave, phase in _LFO_SHAPES if rates else _LFO_SHAPES[:1]:
                yield Proposal(what, {**route, **lfo, "LFO2.Wave": wave, "LFO2.Phse": phase})
    for number in (1, 2):
        if f"LFO{number}.Rate" not in acts or _rests(patch, number):
            continue
        for rate in rates:
            yield Proposal(
                f"LFO {number} at a rate that is heard",
                {f"LFO{number}.Sync": _SECOND, f"LFO{number}.Rate": rate},
            )


def _rests(patch: Patch, number: int) -> bool:
    """Whether an LFO waits for a wheel or for pressure, or for nothing at all."""
    source = round(_value(patch, f"LFO{number}.DMS1"))
    return source in _PLAYED and _value(patch, f"LFO{number}.DMD1") >= _SILENT_DEPTH


def _open_routes(patch: Patch) -> Iterator[tuple[str, dict[str, float]]]:
    """What LFO 2 could move and nothing does, and what brings it there.

    A row of the matrix that the chain lacks is none; switches that let it through are set.
    """
    rows = set(acting.routes_of(patch).values())
    taken: set[str] = set()
    for source, depth, amount, what, switches in _LFO_ROUTES:
        if depth not in rows or what in taken:
            continue
        taken.add(what)
        if _value(patch, depth) != 0.0:
            continue
        route = {source: _LFO_2, depth: amount}
        after = patch.copy()
        for name, value in {**route, **switches}.items():
            after[DIVA.index(name)] = value
        acts = acting.acts(after)
        if depth in acts:
            yield what, {**route, **{n: v for n, v in switches.items() if n in acts}}


_SECOND = -2.0
"""The time base of an LFO: a rate of 0 is one cycle a second, each unit doubles it.

Its level is full where its depth takes nothing away: a depth of 100 is the way of its source.
"""

_PLAYED, _SILENT_DEPTH = (0, 1, 2, 3, 4, 7), 99.0
"""Sources that are 0 at rest: none, the wheels, the controls and pressure."""

_FASTEST = 5.0
"""The knob of an LFO's rate goes as far, up and down."""

_LFO_SHAPES = ((0.0, 0.0), (0.0, 50.0), (1.0, 25.0), (1.0, 75.0), (3.0, 0.0), (4.0, 0.0))
"""Waves of an LFO and phases at which they start: sine, triangle, saw down, square."""

_LFO_ROUTES: tuple[tuple[str, str, float, str, Mapping[str, float]], ...] = (
    ("VCF1.FM2Src", "VCF1.FM2Dpt", 20.0, "LFO on cutoff", {}),
    ("OSC.TM2Src", "OSC.TM2Dpt", 0.4, "LFO on pitch", {"OSC.TMmode": 1.0}),
    (
        "OSC.TM1Src",
        "OSC.TM1Dpt",
        0.4,
        "LFO on pitch",
        {"OSC.TM1On": 1.0, "OSC.TM2On": 1.0, "OSC.TM3On": 1.0},
    ),
    ("VCA1.ModSrc", "VCA1.ModDpt", 30.0, "LFO on level", {}),
    (
        "OSC.PWMSrc",
        "OSC.PWMDpt",
        20.0,
        "LFO on pulse width",
        {"OSC.PWM1": 1.0, "OSC.PWM2": 1.0, "OSC.PWShp": 3.0},
    ),
    (
        "OSC.Sh1Src",
        "OSC.Sh1Dpt",
        20.0,
        "LFO on shape",
        {"OSC.SM1On": 1.0, "OSC.SM2On": 1.0, "OSC.SM3On": 1.0},
    ),
)
"""Source and depth of a row, a depth to begin with, what it moves, and switches on its way."""

_SWITCHED_ON = (
    ("OSC.Noise", "noise", 25.0),
    ("OSC.FM", "FM", 20.0),
    ("VCF1.Fback", "feedback", 35.0),
    ("VCF1.FFM", "filter FM", 6.0),
)


STRUCTURE = DivaStructure()
