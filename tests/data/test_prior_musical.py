"""Musical constraints: what they refuse, knob by knob."""

from __future__ import annotations

import numpy as np
import pytest

from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.prior.base import each_note
from deepdiva.synths.diva.prior.human import HumanPrior
from deepdiva.synths.diva.prior.musical import refusals


def broken(note: Note | None = None, **knobs: float) -> list[str]:
    """Constraints that MS-REV1 with other knobs (`OSC_Vol1`) breaks."""
    patch = DIVA.defaults()
    for name, value in knobs.items():
        patch[DIVA.index(name.replace("_", ".", 1))] = value
    found = refusals(patch[None], each_note(note, 1))
    return [reason for reason, mask in found.items() if mask[0]]


def test_the_base_preset_is_heard() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("reason", "knobs"),
    [
        ("no audible oscillator", {"OSC_Vol1": 0, "OSC_Vol2": 0}),
        ("no audible oscillator", {"OSC_Model": 0, "OSC_Vol1": 0, "OSC_Vol2": 4, "OSC_Vol3": 0}),
        ("no audible oscillator", {"OSC_Model": 1, "OSC_OscMix": 100, "OSC_Saw2": 0}),
        ("no audible oscillator", {"OSC_Model": 2, "OSC_PWShp": 0, "OSC_SawShp": 0}),
        ("pitch out of hearing", {"OSC_Tune1": -24, "VCC_Trsp": -24, "OSC_Vol2": 0}),
        ("filter closed", {"VCF1_Freq": 30, "VCF1_Model": 0}),
        ("filter closed", {"VCF1_Model": 2, "VCF1_SvfMode": 2, "VCF1_Freq": 150, "OSC_Tune1": -12}),
        ("filter closed", {"HPF_Freq": 140, "VCF1_Freq": 60, "VCF1_Model": 0}),
        ("envelope silent", {"ENV1_Atk": 100}),
        ("envelope silent", {"ENV1_Atk": 0, "ENV1_Dec": 5, "ENV1_Sus": 0}),
        ("no level", {"VCA1_Vol": 0}),
        ("no level", {"main_CcOp": 0}),
        ("no level", {"VCA1_ModSrc": 5, "VCA1_ModDpt": -100}),
    ],
)
def test_silent_knobs_are_refused(reason: str, knobs: dict[str, float]) -> None:
    short = Note(pitch=36, length_seconds=0.5)
    assert reason in broken(short, **knobs)


@pytest.mark.parametrize(
    "knobs",
    [
        {"OSC_Vol1": 0, "OSC_Vol2": 5},
        {"OSC_Model": 0, "OSC_Vol1": 0, "OSC_Noise": 30},
        {"OSC_Model": 1, "OSC_OscMix": 100, "OSC_Saw2": 1},
        {"OSC_Model": 2, "OSC_PWShp": 0, "OSC_SawShp": 0, "OSC_Vol3": 80},
        {"VCF1_Freq": 30, "VCF1_Model": 0, "VCF1_FMSrc": 15, "VCF1_FMDpt": 80},
        {"ENV1_Atk": 100, "VCA1_VCA": 0},
        {"ENV1_Atk": 0, "ENV1_Dec": 40, "ENV1_Sus": 0},
    ],
)
def test_audible_knobs_pass(knobs: dict[str, float]) -> None:
    assert broken(Note(pitch=36, length_seconds=0.5), **knobs) == []


def test_length_and_key_of_the_note_count() -> None:
    assert broken(Note(length_seconds=0.2), ENV1_Atk=50) == ["envelope silent"]
    assert broken(Note(length_seconds=2.0), ENV1_Atk=50) == []
    closed = {"VCF1_Freq": 60.0, "VCF1_Model": 0.0}
    assert broken(Note(pitch=96), **closed) == ["filter closed"]
    assert broken(Note(pitch=48), **closed) == []
    assert broken(Note(pitch=96), **closed, VCF1_KeyScl=100) == []


def test_a_renderer_hears_what_passes_and_misses_more_of_what_does_not() -> None:
    """Of the one chain that the embedded engine has always played."""
    note = Note(length_seconds=0.5, render_seconds=0.5)
    drawn = HumanPrior(constrained=False).sample(20_000, seed=9)
    for name in ("OSC.Model", "HPF.Model", "VCF1.Model"):
        drawn = drawn[drawn[:, DIVA.index(name)] == 3]
    for name in ("main.#FX1", "main.#FX2", "ARP.OnOff", "VCC.MTunS"):
        drawn[:, DIVA.index(name)] = 0
    refused = np.any(list(refusals(drawn, each_note(note, len(drawn))).values()), axis=0)
    sounds = PanelRenderer().render(drawn, note, np.arange(len(drawn)))
    silent = np.abs(sounds).max(axis=1) < 1e-3
    assert np.mean(silent[~refused]) < 0.05
    assert np.mean(silent[refused]) > 5 * np.mean(silent[~refused])
