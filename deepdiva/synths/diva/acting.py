"""Which parameters shape a patch, by its own switches and by how it is played.

The cutoff modulation of a filter that is not chosen acts on nothing, nor does an LFO that nobody
listens to. What acts follows from the panel's tables and from the matrix: a source acts where a
route with a depth, or a processor that is itself heard, takes it somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine import control_program as program
from deepdiva.performance import AT_REST, Performance
from deepdiva.renderer import Unsupported
from deepdiva.synths.diva import panel
from deepdiva.synths.diva.phrase import DUO, LEGATO, MONO, POLYPHONY
from deepdiva.synths.diva.table import DIVA
from deepdiva.synths.diva.trimmers import AT_REST as UNTRIMMED
from deepdiva.synths.diva.trimmers import Trimmers

_ALWAYS = frozenset(
    (
        *panel.MODELS, "VCC.Voicing", "VCC.Trsp", "VCC.FTun", "main.CcOp", "VCA1.Vol", "VCA1.VCA",
        "VCA1.Pan", "main.#FX1", "main.#FX2", "OSC.Drift", "OPT.TSlop", "OPT.CSlop",
    )
)  # fmt: skip
_PROCESSORS = {
    program.RECTIFY: ("MOD.RSrc",),
    program.INVERT: ("MOD.ISrc",),
    program.QUANTISED: ("MOD.QSrc",),
    program.LAGGED: ("MOD.LSrc",),
    program.ADDER: ("MOD.A1Src", "MOD.A2Src"),
    program.MULTIPLY: ("MOD.M1Src", "MOD.M2Src"),
}


def acts(
    patch: NDArray[np.float64],
    performance: Performance = AT_REST,
    trimmers: Trimmers = UNTRIMMED,
) -> frozenset[str]:
    """Names of the parameters that shape the sound of a patch.

    Args:
        patch: (281,) in the units of `DIVA`. For a model without a module, what plays in its place
            counts.
        performance: what is played; a wheel that rests brings out no bend range.
        trimmers: of the preset.
    """
    value = dict(zip(DIVA.names, np.asarray(patch, dtype=np.float64).tolist(), strict=True))
    of_chain, routes = _of_chain(panel.played_models(patch))
    found = set(of_chain)
    found |= _effects(patch, performance)
    found |= _keys(value, performance, trimmers)
    heard: set[int] = set()
    for route in routes:
        found |= _of_route(route, value)
        if value[route.depth] != 0.0:
            heard.add(round(value[route.source]))
    heard.discard(program.NONE)
    if value["OSC.VtoD"] != 0.0:
        heard.add(program.LFO_1)
    found.add("OSC.VtoD")
    _follow(heard, value, found)
    if value["VCA1.VCA"] > 0.5 or program.ENV_1 in heard:
        found |= _envelope(1, value)
    if program.ENV_2 in heard:
        found |= _envelope(2, value)
    if program.VOICE_MAP in heard:
        voices = max(1, min(6, round(value["VCC.Voicing"])))
        if "VCC.Mode" in found:  # more than one key, each with a stack of its own
            voices *= _polyphony(value)
        found |= {f"OPT.V{k + 1}Mod" for k in range(min(8, voices))}
    return frozenset(found)


@lru_cache(maxsize=128)
def _of_chain(models: tuple[int, int, int]) -> tuple[frozenset[str], tuple[panel.Route, ...]]:
    """What acts whenever a chain plays, and its rows of the matrix."""
    fittings = _fittings(models)
    found = set(_ALWAYS)
    for fitting in fittings:
        for law in (*fitting.inputs.values(), *fitting.pitches):
            found |= panel.reads(law)
    feedback = any(fitting.feedback for fitting in fittings)
    if feedback:
        found.add("VCF1.Fback")
    if any(fitting.module.bend for fitting in fittings):
        found.add("VCF1.FFM")
    routes = [route for fitting in fittings for route in fitting.routes]
    routes += panel.shared_routes(feedback)
    return frozenset(found), tuple(routes)


def routes_of(patch: NDArray[np.float64]) -> dict[str, str]:
    """Rows of the matrix that the chain of a patch has: by the source, the depth.

    Args:
        patch: (281,) in the units of `DIVA`.
    """
    return {route.source: route.depth for route in _of_chain(panel.played_models(patch))[1]}


PLAYED_ONLY = ("VCC.PB", "VCC.PBD", "VCC.MTunS")
"""What a bent wheel or a table of tunings brings out, and no key alone."""

_ARPEGGIATOR = frozenset(
    ("ARP.Dir", "ARP.Oct", "ARP.Order", "ARP.Rstrt", "CLK.Base", "CLK.Mult", "CLK.Swing")
)
_GLIDE = frozenset(
    ("VCC.Porta", "VCC.Porta2", "VCC.PRange", "VCC.PortaM", "OPT.GSlop")
)  # fmt: skip
_SEVERAL_KEYS = frozenset(("VCC.Mode", "VCC.Voices", "VCC.Prior"))


def _keys(value: dict[str, float], performance: Performance, trimmers: Trimmers) -> frozenset[str]:
    """What bends the keys, and what turns several of them into a phrase."""
    names = {"ARP.OnOff"}
    if performance.bend != 0.0:
        names.add("VCC.PB" if performance.bend > 0.0 else "VCC.PBD")
    own = trimmers.tuning
    if performance.tuning is None and own is not None and not own.is_equal:
        names.add("VCC.MTunS")
    arpeggio = value["ARP.OnOff"] > 0.5
    if arpeggio:
        names |= _ARPEGGIATOR
    if arpeggio or performance.glide_from is not None:
        names |= _GLIDE
    if arpeggio or performance.glide_from is not None or performance.chord:
        names |= _SEVERAL_KEYS
    return frozenset(names)


def _polyphony(value: dict[str, float]) -> int:
    if round(value["VCC.Mode"]) in (MONO, LEGATO, DUO):
        return 1
    return POLYPHONY[min(7, max(0, round(value["VCC.Voices"])))]


def _effects(patch: NDArray[np.float64], performance: Performance) -> frozenset[str]:
    """The knobs of the effects that are on."""
    names = {f"FX{k}.Module" for k in (1, 2) if patch[DIVA.index(f"main.#FX{k}")] > 0.5}
    for fitting in panel.played_effects(patch):
        for law in fitting.inputs.values():
            names |= panel.reads(law)
    moved = performance.wheel, performance.pressure, performance.control_a, performance.control_b
    return frozenset(names if any(moved) else names - panel.ROTARY_SPEEDS)


def _of_route(route: panel.Route, value: dict[str, float]) -> frozenset[str]:
    """What acts of a row of the matrix: nothing hears a depth of no source, or a source at 0."""
    chosen = round(value[route.source]) != program.NONE
    deep = value[route.depth] != 0.0
    names = set()
    if chosen:
        names.add(route.depth)
    if deep:
        names.add(route.source)
    if chosen and deep and callable(route.scale):
        names |= panel.reads(route.scale)
    return frozenset(names)


def _fittings(model: tuple[int, int, int]) -> list[panel.Fitting]:
    tables = (panel.OSCILLATORS, panel.HIGHPASSES, panel.FILTERS)
    return [table[m] for table, m in zip(tables, model, strict=True)]


@lru_cache(maxsize=1)
def known() -> frozenset[str]:
    """Names of all parameters that act in some patch."""
    names = set(_ALWAYS) | {"OSC.VtoD", "VCF1.Fback", "VCF1.FFM"}
    names |= {"FX1.Module", "FX2.Module"}
    tables = (panel.OSCILLATORS, panel.HIGHPASSES, panel.FILTERS, *panel.EFFECTS.values())
    fittings = [fitting for table in tables for fitting in table.values()]
    routes = list(panel.shared_routes(feedback=True))
    for fitting in fittings:
        for law in (*fitting.inputs.values(), *fitting.pitches):
            names |= panel.reads(law)
        routes += fitting.routes
    for route in routes:
        names |= {route.source, route.depth}
        names |= panel.reads(route.scale) if callable(route.scale) else frozenset()
    for source in range(program.SOURCES):
        names |= _fields(source)
        names |= set(_PROCESSORS.get(source, ()))
    for number in (1, 2):
        keys = ["Atk", "Dec", "Sus", "Rel", "Vel", "Model", "Quant", "Crve", "RelOn", "KeyFlw"]
        names |= {f"ENV{number}.{key}" for key in keys}
    names |= {f"OPT.V{k + 1}Mod" for k in range(8)} | {"OPT.ESlop"}
    names |= _ARPEGGIATOR | _GLIDE | _SEVERAL_KEYS
    return frozenset(names | {"ARP.OnOff", "VCC.PB", "VCC.PBD", "VCC.MTunS"})


SILENT: Mapping[str, str] = MappingProxyType(
    {
        "PCore.LED": "colour of a light",
        "VCC.MuCore": "how Diva uses processors",
        "OPT.Acc": "how carefully Diva computes",
        "OPT.OffAcc": "how carefully Diva computes",
        "Scope1.frq": "view of the oscilloscope",
        "Scope1.scl": "view of the oscilloscope",
        "ENV1.Trig": "on no panel; what it does is unknown, and all known presets hold one value",
        "ENV2.Trig": "on no panel; what it does is unknown, and all known presets hold one value",
        "VCA1.Mode": "on no panel; what it does is unknown, and all known presets hold one value",
        "VCA1.Offset": "on no panel; what it does is unknown, and all known presets hold one value",
        "ARP.CDiv": "on no panel; what it does is unknown, and all known presets hold one value",
    }
)
"""The parameters that act in no patch, with the reason."""

_UNHEARD: tuple[tuple[str, int, str], ...] = (
    ("ENV1.Trig", 0, "what the other triggers do is unknown"),
    ("ENV2.Trig", 0, "what the other triggers do is unknown"),
    ("VCA1.Mode", 0, "what the other modes do is unknown"),
)


def unsupported(
    patch: NDArray[np.float64],
    performance: Performance = AT_REST,
    trimmers: Trimmers = UNTRIMMED,
) -> tuple[Unsupported, ...]:
    """What a patch asks for and the panel's modules do not do, in the order of the table.

    Args:
        patch: (281,) in the units of `DIVA`.
        performance: may bring a table of tunings.
        trimmers: of the preset.
    """
    found = [
        Unsupported(name, reason)
        for name, expected, reason in _UNHEARD
        if round(float(patch[DIVA.index(name)])) != expected
    ]
    tuned = performance.tuning is not None or trimmers.tuning is not None
    if patch[DIVA.index("VCC.MTunS")] > 0.5 and not tuned:
        found.append(Unsupported("VCC.MTunS", "the preset holds no table: give one by --tuning"))
    played = panel.played_models(patch)
    for name, model in zip(panel.MODELS, played, strict=True):
        parameter = DIVA[name]
        asked = float(patch[parameter.index])
        if round(asked) != model:
            reason = f"{parameter.label(asked)} has no module, {parameter.label(model)} plays"
            found.append(Unsupported(name, reason))
    found.sort(key=lambda entry: DIVA.index(entry.parameter))
    return tuple(found)


def _follow(heard: set[int], value: dict[str, float], found: set[str]) -> None:
    """Walk from the sources that are heard to those that they listen to."""
    open_sources = list(heard)
    while open_sources:
        source = open_sources.pop()
        found |= _fields(source)
        for name in _listens(source, value):
            found.add(name)
            further = round(value[name])
            if further not in heard and further != program.NONE:
                heard.add(further)
                open_sources.append(further)


def _fields(source: int) -> frozenset[str]:
    if source in (program.LFO_1, program.LFO_2):
        name = f"LFO{source - program.LFO_1 + 1}"
        keys = [
            "Sync",
            "Trig",
            "Wave",
            "Phse",
            "Dly",
            "DMD1",
            "DMS1",
            "Rate",
            "FMD1",
            "FMS1",
            "Polar",
        ]
        return frozenset(f"{name}.{key}" for key in keys)
    if source == program.QUANTISED:
        return frozenset({"MOD.Quant"})
    return frozenset({"MOD.Slew"}) if source == program.LAGGED else frozenset()


def _listens(source: int, value: dict[str, float]) -> Iterable[str]:
    if source in (program.LFO_1, program.LFO_2):
        name = f"LFO{source - program.LFO_1 + 1}"
        if value[f"{name}.DMD1"] != 0.0:
            yield f"{name}.DMS1"
        if value[f"{name}.FMD1"] != 0.0:
            yield f"{name}.FMS1"
    yield from _PROCESSORS.get(source, ())


def _envelope(number: int, value: dict[str, float]) -> frozenset[str]:
    name = f"ENV{number}"
    keys = {"Atk", "Dec", "Sus", "Vel", "Model", "KeyFlw"}
    model = round(value[f"{name}.Model"])
    keys |= {0: {"RelOn"}, 1: {"Rel"}, 2: {"Rel", "Quant", "Crve"}}[model]
    return frozenset(f"{name}.{key}" for key in keys) | {"OPT.ESlop"}
