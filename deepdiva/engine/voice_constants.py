"""Constants of a voice that belong to no module: tuning, drift, envelopes, modulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from deepdiva.engine.module import Confidence, Constant

_HIGH, _MEDIUM, _LOW, _GUESS = (
    Confidence.HIGH,
    Confidence.MEDIUM,
    Confidence.LOW,
    Confidence.GUESS,
)

VOICE_CONSTANTS: Final = (
    Constant("tune_1_cents", 0.0, -1.1, 1.0, "cents", _MEDIUM, "first oscillator at detune pot 0"),
    Constant("tune_2_cents", 0.0, -6.0, 6.0, "cents", _LOW, "the others at detune pot 0"),
    Constant("pot_1_cents", 2.002, 1.98, 2.02, "cents", _HIGH, "a unit of the first pot, TSlop 35"),
    Constant("pot_2_cents", 0.0207, 0.014, 0.034, "cents", _MEDIUM, "a unit of the other pots"),
    Constant("drift_1_cents", 0.05, 0.0, 0.2, "cents", _MEDIUM, "wander of oscillator 1, Drift 35"),
    Constant("drift_2_cents", 0.3, 0.0, 0.8, "cents", _LOW, "wander of the others, Drift 35"),
    Constant("drift_seconds", 1.0, 0.3, 3.0, "s", _LOW, "time constant of the wander"),
    Constant("attack_shortest", 0.002, 0.001, 0.004, "s", _LOW, "attack at 0"),
    Constant("attack_longest", 20.0, 18.0, 21.0, "s", _HIGH, "attack at 100"),
    Constant("attack_power", 3.0, 2.9, 3.1, "", _HIGH, "power of the attack knob"),
    Constant("attack_curve", 1.8, 1.0, 2.0, "", _MEDIUM, "bend of the attack: 0 is a line"),
    Constant("decay_shortest", 0.0025, 0.001, 0.005, "s", _LOW, "time constant of decay at 0"),
    Constant("decay_longest", 21.2, 19.8, 21.5, "s", _HIGH, "time constant of decay at 100"),
    Constant("decay_power", 5.0, 4.93, 5.03, "", _HIGH, "power of the decay knob"),
    Constant(
        "release_shortest", 0.007, 0.003, 0.009, "s", _MEDIUM, "time constant of release at 0"
    ),
    Constant("release_longest", 20.6, 19.0, 21.5, "s", _HIGH, "time constant of release at 100"),
    Constant("release_power", 5.04, 4.93, 5.1, "", _HIGH, "power of the release knob"),
    Constant("release_undershoot", 0.0177, 0.01, 0.025, "", _MEDIUM, "how far below 0 it aims"),
    Constant("output_gain", 1.6, 1.4, 1.8, "", _MEDIUM, "gain at Output 150 and Volume 50"),
    Constant("cutoff_slop_semitones", 0.12, 0.0, 0.3, "semitones", _GUESS, "cutoffs at CSlop 10"),
    Constant("time_slop", 0.02, 0.0, 0.06, "", _GUESS, "envelope times at ESlop 10"),
    Constant("vibrato_semitones", 1.0, 0.3, 2.0, "semitones", _GUESS, "vibrato at depth 100"),
    Constant("key_follow_octaves", 5.0, 2.0, 5.0, "octaves", _GUESS, "where KeyFollow is 1"),
    Constant("key_pivot", 51.5, 51.3, 52.3, "semitones", _HIGH, "key from which key follow counts"),
    Constant("lfo_fade_seconds", 20.0, 10.0, 20.0, "s", _LOW, "fade-in at Delay 100"),
    Constant("width_slop", 0.02, 0.0, 0.1, "", _GUESS, "pulse widths at PWSlop 10"),
    Constant("glide_slop", 0.05, 0.0, 0.2, "", _GUESS, "glide times at GlideSlop 10"),
    Constant(
        "glide_longest", 10.0, 3.0, 20.0, "s", _GUESS, "glide at 100; at GlideMode rate of 1 octave"
    ),
    Constant("glide_power", 3.0, 2.0, 4.0, "", _GUESS, "power of the glide knob"),
    Constant("arp_gate", 0.5, 0.3, 0.9, "", _GUESS, "share of its step that a key is held"),
    Constant(
        "arp_swing", 0.333, 0.25, 0.5, "", _GUESS, "of a step that swing 100 delays each second"
    ),
    Constant("lag_seconds", 2.0, 0.5, 5.0, "s", _GUESS, "lag processor at Slew 100"),
    Constant("cutoff_depth", 1.037, 1.0, 1.04, "", _MEDIUM, "semitones a unit of FreqModDepth"),
    Constant("feedback_gain", 1.98, 1.45, 2.4, "", _MEDIUM, "feedback round at Feedback 100"),
    Constant(
        "filter_fm_ladder_semitones", 0.6, 0.5, 1.0, "semitones", _MEDIUM, "a unit of FilterFM"
    ),
    Constant(
        "filter_fm_semitones", 1.0, 0.5, 1.2, "semitones", _GUESS, "the same of other filters"
    ),
)
"""Fitted to real sounds where their confidence is not a guess; see `docs/ENGINE.md`."""


def voice_values(changes: Mapping[str, float]) -> dict[str, float]:
    """Values by name, some of them changed."""
    return {entry.name: changes.get(entry.name, entry.value) for entry in VOICE_CONSTANTS}
