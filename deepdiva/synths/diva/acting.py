"""Which parameters shape a patch, by its own switches.

The cutoff modulation of a filter that is not chosen acts on nothing, nor does an LFO that nobody
listens to. What acts follows from the panel's tables and from the matrix: a source acts where a
route with a depth, or a processor that is itself heard, takes it somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine import control_program as program
from deepdiva.renderer import Ignored
from deepdiva.synths.diva import panel
from deepdiva.synths.diva.table import DIVA

_ALWAYS = frozenset(
    (
        *panel.MODELS, "VCC.Voicing", "VCC.Trsp", "VCC.FTun", "main.CcOp", "VCA1.Vol", "VCA1.VCA",
        "VCA1.Pan", "OSC.Drift", "OPT.TSlop", "OPT.CSlop",
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


def acts(patch: NDArray[np.float64]) -> frozenset[str]:
    """Names of the parameters that shape the sound of a patch.

    Args:
        patch: (281,) in the units of `DIVA`. For a model without a module, what plays in its place
            counts.
    """
    value = {parameter.name: float(patch[parameter.index]) for parameter in DIVA}
    fittings = _fittings(panel.played_models(patch))
    found = set(_ALWAYS)
    heard: set[int] = set()
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
        found |= {f"OPT.V{k + 1}Mod" for k in range(max(1, min(6, round(value["VCC.Voicing"]))))}
    return frozenset(found)


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
    fittings = [f for t in (panel.OSCILLATORS, panel.HIGHPASSES, panel.FILTERS) for f in t.values()]
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
    names |= {f"OPT.V{k + 1}Mod" for k in range(6)} | {"OPT.ESlop"}
    return frozenset(names)


_UNHEARD: tuple[tuple[str, int, str], ...] = (
    ("main.#FX1", 0, "the engine has no effects"),
    ("main.#FX2", 0, "the engine has no effects"),
    ("ARP.OnOff", 0, "the engine has no arpeggiator"),
    ("VCC.MTunS", 0, "the engine plays in equal temperament"),
    ("ENV1.Trig", 0, "what the other triggers do is unknown"),
    ("ENV2.Trig", 0, "what the other triggers do is unknown"),
    ("VCA1.Mode", 0, "what the other modes do is unknown"),
)


def unsupported(patch: NDArray[np.float64]) -> tuple[Ignored, ...]:
    """What a patch asks for and the panel's modules do not do, in the order of the table.

    Args:
        patch: (281,) in the units of `DIVA`.
    """
    found = [
        Ignored(name, reason)
        for name, expected, reason in _UNHEARD
        if round(float(patch[DIVA.index(name)])) != expected
    ]
    played = panel.played_models(patch)
    for name, model in zip(panel.MODELS, played, strict=True):
        parameter = DIVA[name]
        asked = float(patch[parameter.index])
        if round(asked) != model:
            reason = f"{parameter.label(asked)} has no module, {parameter.label(model)} plays"
            found.append(Ignored(name, reason))
    return tuple(sorted(found, key=lambda entry: DIVA.index(entry.parameter)))


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
