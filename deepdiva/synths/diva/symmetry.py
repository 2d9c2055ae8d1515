"""Patches of Diva that sound alike: oscillators exchanged, and values that nothing plays.

In the Dual VCO Eco model two patches that differ only in which of the two oscillators plays which
part sound alike (to the few cents of their detune pots) where both parts exist on both oscillators:
VCO1 has octaves where VCO2 has semitones, and of their waves only the sawtooth, and the square at
PW=0, are common.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.synths.diva.table import DIVA

OCTAVE = 12.0
"""Semitones."""

_ECO_MODEL = 3.0
_SAWTOOTHS = {2.0: 1.0}
"""VCO1's class to VCO2's class of the same wave."""
_SQUARES = {3.0: 2.0}
"""The same for the pulse, a square only while the pulse width is 0."""
_NOISE_1, _RING_2 = 4.0, 4.0
"""Waves that are no tone of the oscillator alone."""


def exchange(patch: NDArray[np.float64], within_semitones: float = 0.0) -> dict[str, float] | None:
    """What to set for the same sound with VCO1 and VCO2 in each other's place.

    Takes and returns what `Synthesizer.exchange` does. Waves are named where they change; tunings
    and volumes always.
    """
    wave1, wave2, tune1, tune2, volume1, volume2 = (
        _value(patch, f"OSC.{key}") for key in ("Wave1", "Wave2", "Tune1", "Tune2", "Vol1", "Vol2")
    )
    waves = _SAWTOOTHS | (_SQUARES if _value(patch, "OSC.PW") == 0.0 else {})
    back = {second: first for first, second in waves.items()}
    if _value(patch, "OSC.Model") != _ECO_MODEL or wave1 not in waves or wave2 not in back:
        return None
    octave = OCTAVE * round(tune2 / OCTAVE)
    if abs(tune2 - octave) > within_semitones or octave not in DIVA["OSC.Tune1"].choice_values:
        return None
    changes = {
        "OSC.Tune1": octave,
        "OSC.Tune2": tune1 if tune2 == octave else tune1 + tune2 - octave,
        "OSC.Vol1": volume2,
        "OSC.Vol2": volume1,
    }
    if back[wave2] != wave1:
        changes |= {"OSC.Wave1": back[wave2], "OSC.Wave2": waves[wave1]}
    return changes


def unused(patch: NDArray[np.float64]) -> frozenset[str]:
    """Parameters that do not act on the sound of a patch, whatever their values.

    Of an oscillator of the Dual VCO Eco that is turned down, wave and pitch, unless something else
    takes its signal: ring modulation, filter FM, a modulated level. Depths whose source is "none"
    (class 0), and sources whose depth is 0.
    """
    names: set[str] = set()
    for source, depth in _modulations():
        if _value(patch, source) == 0.0:
            names.add(depth)
        elif _value(patch, depth) == 0.0:
            names.add(source)
    if _value(patch, "OSC.Model") != _ECO_MODEL:
        return frozenset(names)
    rings = _value(patch, "OSC.Wave2") == _RING_2 and _value(patch, "OSC.Vol2") > 0.0
    fm = _value(patch, "VCF1.FFM") != 0.0 or not names & {"VCF1.FfmSrc", "VCF1.FfmDpt"}
    level = not names & {"OSC.NoisSrc", "OSC.NoisDpt"}
    if not (_value(patch, "OSC.Vol1") > 0.0 or rings or fm or level):
        names |= {"OSC.Wave1", "OSC.Tune1"}
    if not (_value(patch, "OSC.Vol2") > 0.0 or fm or level):
        names |= {"OSC.Wave2", "OSC.Tune2"}
    return frozenset(names)


def _modulations() -> tuple[tuple[str, str], ...]:
    """Sources and their depths, of oscillators and filters."""
    return (
        ("OSC.TM1Src", "OSC.TM1Dpt"),
        ("OSC.TM2Src", "OSC.TM2Dpt"),
        ("OSC.NoisSrc", "OSC.NoisDpt"),
        ("VCF1.FMSrc", "VCF1.FMDpt"),
        ("VCF1.FM2Src", "VCF1.FM2Dpt"),
        ("VCF1.ResSrc", "VCF1.ResDpt"),
        ("VCF1.FfmSrc", "VCF1.FfmDpt"),
    )


def _value(patch: NDArray[np.float64], name: str) -> float:
    return float(patch[DIVA.index(name)])
