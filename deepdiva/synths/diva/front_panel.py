"""Diva's panel as a musician sees it: modules in the order of the signal, and their knobs.

What stands on a module follows from the tables of `panel`: the parameters that its laws read and
the rows of the matrix that end there. Parameters that no engine plays are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from deepdiva.synths.diva import acting, panel
from deepdiva.synths.diva.table import DIVA

_OF_ENVELOPES = ("Model", "RelOn", "Rel", "Quant", "Crve")
"""What chooses the circuit of an envelope, and what only some circuits have."""

_OF_VOICES = ("VCC", "OPT")
_DRIFT = ("OSC.VtoD", "OSC.Drift")
_FILTER_FM = ("VCF1.FFM", "VCF1.FfmSrc", "VCF1.FfmDpt")
_FEEDBACK = ("VCF1.Fback", "VCF1.FbSrc", "VCF1.FbDpt")
"""On the panel in the place of the high-pass, where there is none."""


@dataclass(frozen=True)
class PanelModule:
    """One module of the panel.

    Attributes:
        key: names it.
        title: what a musician calls it.
        names: parameters that it has always, in the order of the table.
        selector: parameter that chooses its circuit; empty where there is one only.
        choices: parameters that it has besides, by the value of the selector.
        switch: parameter that takes it into the signal; empty where it is there always.
    """

    key: str
    title: str
    names: tuple[str, ...] = ()
    selector: str = ""
    choices: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    switch: str = ""


@lru_cache(maxsize=1)
def front_panel() -> tuple[PanelModule, ...]:
    """All modules, in the order of the signal; modulators come last."""
    known = acting.known()

    def section(*sections: str, without: Iterable[str] = ()) -> tuple[str, ...]:
        left_out = set(without)
        return tuple(
            parameter.name
            for parameter in DIVA
            if parameter.section in sections
            and parameter.name in known
            and parameter.name not in left_out
        )

    def modular(
        key: str,
        title: str,
        selector: str,
        table: Mapping[int, panel.Fitting],
        also: Iterable[str] = (),
        feedback: Iterable[str] = (),
    ) -> PanelModule:
        choices = {
            choice: _names(fitting) | set(feedback if fitting.feedback else ())
            for choice, fitting in table.items()
        }
        common = set.intersection(*choices.values()) | set(also)
        return PanelModule(
            key,
            title,
            _ordered(common & known),
            selector,
            {choice: _ordered(names - common) for choice, names in choices.items()},
        )

    envelopes = [
        PanelModule(
            f"env{number}",
            f"Envelope {number}",
            section(
                f"ENV{number}",
                without=[
                    f"ENV{number}.{key}" for key in ("Model", "RelOn", "Rel", "Quant", "Crve")
                ],
            ),
            f"ENV{number}.Model",
            {
                0: (f"ENV{number}.RelOn",),
                1: (f"ENV{number}.Rel",),
                2: tuple(f"ENV{number}.{key}" for key in ("Rel", "Quant", "Crve")),
            },
        )
        for number in (1, 2)
    ]
    effects = [
        PanelModule(
            f"fx{slot}",
            f"Effect {slot}",
            (),
            f"FX{slot}.Module",
            {
                choice: tuple(name for name in _ordered(_names(fitting)) if name in known)
                for choice, fitting in table.items()
            },
            switch=f"main.#FX{slot}",
        )
        for slot, table in panel.EFFECTS.items()
    ]
    return (
        modular("oscillators", "Oscillators", "OSC.Model", panel.OSCILLATORS, _DRIFT),
        modular("highpass", "High-pass", "HPF.Model", panel.HIGHPASSES, feedback=_FEEDBACK),
        modular("filter", "Filter", "VCF1.Model", panel.FILTERS, _FILTER_FM),
        PanelModule("amplifier", "Amplifier", section("VCA1")),
        *effects,
        PanelModule("output", "Output", ("main.CcOp",)),
        *envelopes,
        *(
            PanelModule(f"lfo{number}", f"LFO {number}", section(f"LFO{number}"))
            for number in (1, 2)
        ),
        PanelModule("modifiers", "Modifiers", section("MOD")),
        PanelModule("voices", "Voices and tuning", section(*_OF_VOICES)),
        PanelModule("arpeggiator", "Arpeggiator", section("ARP", "CLK")),
    )


_NO_MODULE = frozenset({"output", "voices"})
"""On the panel, and not a part of the signal or a modulator that a patch does with or without."""


def modules_in_use(patch: NDArray[np.float64]) -> tuple[str, ...]:
    """Titles of the modules that shape the sound of a patch, in the order of the panel.

    Args:
        patch: (281,) in the units of `DIVA`.
    """
    heard = set(acting.acts(patch))
    for name in ("ARP.OnOff", "VCF1.Fback"):
        if patch[DIVA.index(name)] == 0.0:
            heard.discard(name)
    return tuple(
        module.title
        for module in front_panel()
        if module.key not in _NO_MODULE
        and heard & {*module.names, *chain.from_iterable(module.choices.values())}
    )


def _names(fitting: panel.Fitting) -> set[str]:
    """Everything that a module's laws read, and the knobs of its rows of the matrix.

    What the voices have in common stands on a module of its own.
    """
    names: set[str] = set()
    for law in (*fitting.inputs.values(), *fitting.pitches):
        names |= panel.reads(law)
    for route in fitting.routes:
        names |= {route.source, route.depth}
        if callable(route.scale):
            names |= panel.reads(route.scale)
    return {name for name in names if DIVA[name].section not in _OF_VOICES}


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names), key=DIVA.index))
