"""What follows the key in Diva, and what transposes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from deepdiva.synths.synthesizer import KeyRules

KEY_FOLLOWING = ("VCF1.KeyScl", "ENV1.KeyFlw")
VELOCITY_FOLLOWING = ("ENV1.Vel", "ENV2.Vel")

FINE_TUNING = "VCC.FTun"
"""Tunes all oscillators by cents."""

TRANSPOSING: Mapping[str, float] = MappingProxyType({"VCC.Trsp": 1.0, FINE_TUNING: 0.01})
"""Semitones by which a unit of a parameter transposes all oscillators."""

_TIMES = tuple(f"ENV{k}.{stage}" for k in (1, 2) for stage in ("Atk", "Dec", "Rel"))


def slower(name: str, values: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Settings, 0 to 100, of an envelope stage that takes `factor` times as long.

    As the engine reads them: shortest + longest * setting^power.
    """
    from deepdiva.engine.voice_constants import voice_values

    constants = voice_values({})
    kind = {"Atk": "attack", "Dec": "decay", "Rel": "release"}[name.partition(".")[2]]
    shortest, longest = constants[f"{kind}_shortest"], constants[f"{kind}_longest"]
    power = constants[f"{kind}_power"]
    seconds = (shortest + longest * (values / 100.0) ** power) * factor
    share = np.clip((seconds - shortest) / longest, 0.0, 1.0)
    settings: NDArray[np.float64] = 100.0 * share ** (1.0 / power)
    return settings


KEY_RULES = KeyRules(
    pitches=("OSC.Tune1", "OSC.Tune2", "OSC.Tune3"),
    octave_switch="OSC.Tune1",
    octave_shifters=frozenset({"OSC.Tune1", "OSC.Tune2"}),
    cutoffs=MappingProxyType({"VCF1.Freq": "VCF1.KeyScl", "HPF.Freq": "HPF.KeyScl"}),
    times=MappingProxyType({name: f"{name[:4]}.KeyFlw" for name in _TIMES}),
    rates=("LFO1.Rate", "LFO2.Rate"),
    slower=slower,
)
