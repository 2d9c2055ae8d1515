"""Presets to start from that need no file: MS-REV1, and one for each kind of oscillator."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deepdiva.synths.diva.preset import Preset

_OPEN = {"VCF1.Freq": 140.0, "VCF1.Res": 0.0, "HPF.Freq": 30.0}

BASES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "MS-REV1": {},
        "TRIPLE": {
            "OSC.Model": 0.0,
            "HPF.Model": 0.0,
            "VCF1.Model": 0.0,
            "OSC.Vol1": 80.0,
            **_OPEN,
        },
        "DUAL": {"OSC.Model": 1.0, "HPF.Model": 1.0, "VCF1.Model": 1.0, "OSC.OscMix": 0.0, **_OPEN},
        "DCO": {"OSC.Model": 2.0, "HPF.Model": 1.0, "VCF1.Model": 1.0, **_OPEN},
        "DIGITAL": {
            "OSC.Model": 4.0,
            "HPF.Model": 2.0,
            "VCF1.Model": 2.0,
            "OSC.OscMix": 0.0,
            **_OPEN,
        },
    }
)
"""By name, what they hold other than MS-REV1."""


def built_in(name: str) -> Preset | None:
    """The built-in preset of a name, whatever its case; None where there is none.

    Args:
        name: as it was typed.
    """
    from deepdiva.synths.diva.preset import Preset
    from deepdiva.synths.diva.table import DIVA

    for known, changes in BASES.items():
        if known.casefold() == name.casefold():
            preset = Preset.template(name=known)
            values = preset.values()
            for parameter, value in changes.items():
                values[DIVA.index(parameter)] = value
            return preset.with_values(values)
    return None
