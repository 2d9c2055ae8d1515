"""What a patch must do to be heard as a note: rules of thumb for one key, held for some time.

They rest on what is known of Diva's laws (cutoff, envelope times, mixers), err on the side of
letting a patch pass, and look at the knobs alone: no sound is rendered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.synths.diva import DIVA

LEAST_LEVEL = 5.0
"""Of 100: a mixer level, volume or sustain below it counts as silent."""
PITCHES = (9.0, 127.0)
"""MIDI numbers between which an oscillator must lie (14 Hz to 12.5 kHz)."""
CLOSED_SEMITONES = 12.0
"""How far the cutoff may stay below the lowest oscillator."""
LEAST_REACHED = 0.25
"""Part of its peak that the envelope must reach while the key is held."""
SHORTEST_SECONDS = 0.005
"""Of attack and decay together, where nothing is sustained."""

_CUTOFF_OFFSET = -12.0  # the knob 69 is 220 Hz; the Bite's is 440 Hz
_KEY_PIVOT = 52.0
_CONSTANT = (5, 6)  # gate and velocity stand still while a key is held
_UNIPOLAR = (14, 15)  # envelopes
_CONTROLLERS = (0, 1, 2, 3, 4, 7)  # nobody touches them
_HIGH_PASS_REACH = 60.0


class _Values:
    """Columns of patches by name."""

    def __init__(self, patches: NDArray[np.float64]) -> None:
        self._patches = patches

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self._patches[:, DIVA.index(name)]

    def swing(self, source: str, depth: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and greatest that a modulation adds, in the depth's unit."""
        number, reach = self[source], self[depth]
        still = np.isin(number, _CONSTANT)
        low = np.where(np.isin(number, _UNIPOLAR), np.minimum(reach, 0.0), -np.abs(reach))
        high = np.where(np.isin(number, _UNIPOLAR), np.maximum(reach, 0.0), np.abs(reach))
        unheard = np.isin(number, _CONTROLLERS)
        low, high = np.where(still, reach, low), np.where(still, reach, high)
        return np.where(unheard, 0.0, low), np.where(unheard, 0.0, high)


def refusals(
    patches: NDArray[np.float64], notes: NDArray[np.float64]
) -> dict[str, NDArray[np.bool_]]:
    """Which patches break which constraint.

    Args:
        patches: shape (batch, 281), in units.
        notes: MIDI pitch and length in seconds, shape (batch, 2).

    Returns:
        By constraint, shape (batch,), true where it is broken.
    """
    values = _Values(patches)
    lowest, highest = _pitches(values, notes[:, 0])
    silent = np.isinf(lowest)
    lowest = np.where(silent, notes[:, 0], lowest)
    highest = np.where(silent, notes[:, 0], highest)
    return {
        "no audible oscillator": silent,
        "pitch out of hearing": (highest < PITCHES[0]) | (lowest > PITCHES[1]),
        "filter closed": _is_closed(values, notes[:, 0], lowest),
        "envelope silent": _is_unheard(values, notes[:, 1]),
        "no level": _is_turned_down(values),
    }


def _pitches(
    values: _Values, keys: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """MIDI numbers of the lowest and highest oscillator mixed in; infinite where none is."""
    model = values["OSC.Model"]
    level = {name: values[name] >= LEAST_LEVEL for name in ("OSC.Vol1", "OSC.Vol2", "OSC.Vol3")}
    noise = values["OSC.Noise"] >= LEAST_LEVEL
    mix = values["OSC.OscMix"]
    first, second = mix <= 100.0 - LEAST_LEVEL, mix >= LEAST_LEVEL
    waves_1 = sum(values[f"OSC.{key}"] for key in ("Tri1", "Saw1", "PWM1", "Noise1")) > 0
    waves_2 = sum(values[f"OSC.{key}"] for key in ("Sin2", "Tri2", "Saw2", "PW2")) > 0
    dco = (values["OSC.PWShp"] > 0) | (values["OSC.SawShp"] > 0)
    none = np.zeros(len(model), dtype=bool)
    # Oscillators 1, 2 and 3 by model; noise has the pitch of the key.
    audible = (
        (level["OSC.Vol1"], level["OSC.Vol2"], level["OSC.Vol3"], noise),
        (waves_1 & first, waves_2 & second, none, none),
        (dco, none, level["OSC.Vol3"], noise),
        (level["OSC.Vol1"], level["OSC.Vol2"], none, none),
        (first, second, none, none),
    )
    tuned_3 = np.where(model == 2, values["OSC.Tune1"] - 12.0, values["OSC.Tune3"])
    pitches = (values["OSC.Tune1"], values["OSC.Tune2"], tuned_3, np.zeros(len(model)))
    lowest, highest = np.full(len(model), np.inf), np.full(len(model), -np.inf)
    for number, oscillators in enumerate(audible):
        for heard, pitch in zip(oscillators, pitches, strict=True):
            here = (model == number) & heard
            lowest = np.where(here, np.minimum(pitch, lowest), lowest)
            highest = np.where(here, np.maximum(pitch, highest), highest)
    transposed = keys + values["VCC.Trsp"]
    return np.asarray(lowest + transposed), np.asarray(highest + transposed)


def _is_closed(
    values: _Values, keys: NDArray[np.float64], lowest: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """The low-pass stays below the tone, or high- and low-pass leave nothing between them."""
    model, mode = values["VCF1.Model"], values["VCF1.SvfMode"]
    low_1, high_1 = values.swing("VCF1.FMSrc", "VCF1.FMDpt")
    low_2, high_2 = values.swing("VCF1.FM2Src", "VCF1.FM2Dpt")
    offset = np.where(model == 3, 0.0, _CUTOFF_OFFSET)
    corner = values["VCF1.Freq"] + offset
    corner = corner + values["VCF1.KeyScl"] / 100.0 * (keys - _KEY_PIVOT)
    highest, least = corner + high_1 + high_2, corner + low_1 + low_2
    is_high_pass = (model == 2) & (mode == 2) | (model == 4) & (values["VCF1.ShpMix"] > 50.0)
    closed = ~is_high_pass & (highest < lowest - CLOSED_SEMITONES)
    too_high = is_high_pass & (least > lowest + _HIGH_PASS_REACH)
    bite = values["HPF.Model"] == 3
    bottom = values["HPF.Freq"] + values.swing("HPF.FMSrc", "HPF.FMDpt")[0]
    apart = bite & ((bottom > lowest + _HIGH_PASS_REACH) | ~is_high_pass & (bottom > highest + 24))
    return np.asarray(closed | too_high | apart)


def _is_unheard(values: _Values, lengths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The envelope rises too slowly for the note, or is a click."""
    attack = 20.0 * (values["ENV1.Atk"] / 100.0) ** 3
    decay = 21.0 * (values["ENV1.Dec"] / 100.0) ** 5
    passed = np.minimum(lengths / np.maximum(attack, 1e-9), 1.0)
    reached = np.expm1(-1.9 * passed) / np.expm1(-1.9)
    click = (values["ENV1.Sus"] < LEAST_LEVEL) & (attack + decay < SHORTEST_SECONDS)
    return np.asarray((values["VCA1.VCA"] == 1) & ((reached < LEAST_REACHED) | click))


def _is_turned_down(values: _Values) -> NDArray[np.bool_]:
    """Volume, output, or a modulation of the volume that the held key keeps at the bottom."""
    still = np.isin(values["VCA1.ModSrc"], _CONSTANT)
    pulled = still & (values["VCA1.ModDpt"] <= LEAST_LEVEL - 100.0)
    down = (values["VCA1.Vol"] < LEAST_LEVEL) | (values["main.CcOp"] < LEAST_LEVEL)
    return np.asarray(down | pulled)
