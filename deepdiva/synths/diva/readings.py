"""What the knobs of Diva stand for, in Hz and seconds, as the engine plays them."""

from __future__ import annotations

from collections.abc import Callable

from deepdiva.synths.diva.table import DIVA
from deepdiva.synths.synthesizer import Patch
from deepdiva.units import Reading, hertz_of

_STAGES = {"Atk": "attack", "Dec": "decay", "Rel": "release"}
_LFO_SECONDS = {-3: 0.1, -2: 1.0, -1: 10.0}


def reading(patch: Patch, name: str, value: float, key: int) -> Reading | None:
    """What a value of a parameter stands for; None where it is in no such unit.

    Cutoffs are corners in Hz with key follow; an attack is the time to the peak, decay and release
    are time constants: in one the level falls to 37 %. The laws and constants are the engine's.

    Args:
        patch: shape (281,), in units; says which filter the cutoff is of, and what follows the key.
        name: of the parameter.
        value: in its unit.
        key: that is played.
    """
    section, _, knob = name.partition(".")

    def held(other: str) -> float:
        return float(patch[DIVA.index(other)])

    if section in ("ENV1", "ENV2") and knob in _STAGES:
        return Reading(_stage_seconds(value, _STAGES[knob], held(f"{section}.KeyFlw"), key), "s")
    if name in ("VCF1.Freq", "HPF.Freq"):
        return _corner(section, value, held, key)
    if section in ("LFO1", "LFO2") and knob == "Rate":
        period = _LFO_SECONDS.get(round(held(f"{section}.Sync")))
        return None if period is None else Reading(2.0**value / period, "Hz")
    if section in ("LFO1", "LFO2") and knob == "Dly":
        return Reading(_constant("lfo_fade_seconds") * (value / 100.0) ** 3, "s")
    if section in ("Phase1", "Phase2") and knob == "Rate" and held(f"{section}.Sync") < 0.5:
        return Reading(0.05 * 200.0 ** (value / 100.0), "Hz")
    if name == "VCC.Porta":
        longest, power = _constant("glide_longest"), _constant("glide_power")
        return Reading(longest * (value / 100.0) ** power, "s")
    return None


def _constant(name: str) -> float:
    from deepdiva.engine.voice_constants import voice_values

    return voice_values({})[name]


def _stage_seconds(value: float, stage: str, follow: float, key: int) -> float:
    """Seconds of an envelope stage."""
    shortest, longest, power = (
        _constant(f"{stage}_{part}") for part in ("shortest", "longest", "power")
    )
    octaves = (key - _constant("key_pivot")) / 12.0
    seconds = shortest + longest * (value / 100.0) ** power
    return float(seconds * 2.0 ** (-octaves * follow / 100.0))


def _corner(section: str, value: float, held: Callable[[str], float], key: int) -> Reading | None:
    """Corner of one of the two filters; None where it has none, or is open."""
    from deepdiva.synths.diva.panel import FILTERS, HIGHPASSES, reads

    table = FILTERS if section == "VCF1" else HIGHPASSES
    fitting = table[round(held(f"{section}.Model"))]
    if "cutoff" not in fitting.inputs:
        return None
    constants = {entry.name: entry.value for entry in fitting.module.constants}
    if value <= constants.get("off", -1.0):
        return None
    follow = f"{section}.KeyScl"
    follows = held(follow) / 100.0 if follow in reads(fitting.inputs["cutoff"]) else 0.0
    pitch = value + follows * (key - _constant("key_pivot")) + constants["shift"]
    return Reading(hertz_of(pitch), "Hz")
