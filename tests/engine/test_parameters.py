"""Every honoured parameter acts, every other changes nothing, and what is left out is named."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.engine import EmbeddedRenderer
from deepdiva.engine.mapping import laws
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA

NOTE = Note(pitch=55, velocity=80, length_seconds=0.2, render_seconds=0.3)
ENGINE = EmbeddedRenderer()
HONOURED = sorted(ENGINE.honoured, key=DIVA.index)

ENV_2, LFO_1, LFO_2 = 15.0, 16.0, 17.0
RECTIFY, INVERT, QUANT, LAGGED, ADDER, MULTIPLY = 18.0, 19.0, 20.0, 21.0, 22.0, 23.0
VOICE_MAP = 13.0


def route(source: float) -> dict[str, float]:
    """The source moves the cutoff by an octave."""
    return {"VCF1.FMSrc": source, "VCF1.FMDpt": 12.0}


def context(name: str) -> dict[str, float]:
    """Values of other parameters with which this one is heard."""
    section, _, key = name.partition(".")
    settings: dict[str, float] = {}
    if section == "ENV2":
        settings |= route(ENV_2)
    if section in ("LFO1", "LFO2"):
        settings |= route(LFO_1 if section == "LFO1" else LFO_2)
        settings |= {f"{section}.DMD1": 100.0, f"{section}.DMS1": 0.0, f"{section}.Sync": -3.0}
    keys: dict[str, dict[str, float]] = {
        "DMS1": {f"{section}.DMD1": 60.0},
        "FMS1": {f"{section}.FMD1": 2.0},
        "FMD1": {f"{section}.FMS1": 11.0},
        "Quant": {f"{section}.Model": 2.0, f"{section}.Crve": 1.0, f"{section}.Atk": 10.0},
        "Crve": {f"{section}.Model": 2.0, f"{section}.Atk": 10.0},
        "RelOn": {f"{section}.Model": 0.0},
    }
    if section in ("ENV1", "ENV2", "LFO1", "LFO2"):
        settings |= keys.get(key, {})
    chains = {
        "MOD.Quant": {**route(QUANT), "MOD.QSrc": ENV_2},
        "MOD.Slew": {**route(LAGGED), "MOD.LSrc": ENV_2},
        "MOD.RSrc": route(RECTIFY),
        "MOD.ISrc": route(INVERT),
        "MOD.QSrc": route(QUANT),
        "MOD.LSrc": route(LAGGED),
        "MOD.A1Src": route(ADDER),
        "MOD.A2Src": route(ADDER),
        "MOD.M1Src": {**route(MULTIPLY), "MOD.M2Src": 5.0},
        "MOD.M2Src": {**route(MULTIPLY), "MOD.M1Src": 5.0},
        "OSC.VtoD": {"LFO1.DMD1": 100.0, "LFO1.DMS1": 0.0},
        "OSC.PW": {"OSC.Wave1": 3.0},
        "OPT.PSlop": {"OSC.Wave1": 3.0},
        "VCF1.SkRev": {"VCF1.Res": 60.0},
    }
    settings |= chains.get(name, {})
    if name.startswith("OPT.V"):
        settings |= {**route(VOICE_MAP), "VCC.Voicing": 6.0}
    if name.endswith(("Src", "Src1")) and section in ("OSC", "HPF", "VCF1", "VCA1"):
        settings[name.replace("Src", "Dpt")] = 12.0
    if name.endswith("Dpt"):
        settings[name.replace("Dpt", "Src")] = 5.0
    settings.pop(name, None)
    return settings


def base() -> NDArray[np.float64]:
    """A patch in whose sound every module has a part."""
    patch = DIVA.defaults()
    for name, value in {
        "VCC.Voicing": 2.0,
        "OSC.Vol2": 40.0,
        "OSC.Tune2": 3.3,
        "ENV1.Atk": 5.0,
        "ENV1.Dec": 8.0,
        "ENV1.Sus": 60.0,
        "ENV1.Rel": 8.0,
        "ENV2.Atk": 5.0,
        "ENV2.Dec": 8.0,
        "ENV2.Sus": 60.0,
        "ENV2.Rel": 8.0,
        "VCF1.Freq": 90.0,
        "VCF1.Res": 30.0,
        "HPF.Freq": 45.0,
    }.items():
        patch[DIVA.index(name)] = value
    return patch


def spread(name: str) -> NDArray[np.float64]:
    """Values all over the range of a parameter."""
    return np.unique(DIVA[name].to_unit(np.linspace(0.0, 1.0, 7)))


@pytest.mark.parametrize("name", HONOURED)
def test_an_honoured_parameter_acts(name):
    """Somewhere in its range the sound is another, and by more than rounding."""
    patches = base()[None].repeat(len(spread(name)), axis=0)
    for other, value in context(name).items():
        patches[:, DIVA.index(other)] = value
    patches[:, DIVA.index(name)] = spread(name)
    audio = ENGINE.render(patches, NOTE)
    loudest = np.abs(audio).max()
    assert loudest > 0.01
    assert np.abs(audio - audio[0]).max() > 1e-3 * loudest


@pytest.mark.parametrize("moving", [False, True])
def test_any_other_parameter_changes_no_bit(moving):
    patch = base()
    if moving:
        for name, value in route(ENV_2).items():
            patch[DIVA.index(name)] = value
    others = [parameter for parameter in DIVA if parameter.name not in ENGINE.honoured]
    patches = patch[None].repeat(2 * len(others) + 1, axis=0)
    for row, parameter in enumerate(others):
        patches[2 * row + 1, parameter.index] = parameter.minimum
        patches[2 * row + 2, parameter.index] = parameter.maximum
    audio = ENGINE.render(patches, Note(length_seconds=0.03, render_seconds=0.04), 7)
    np.testing.assert_array_equal(audio, audio[:1].repeat(len(audio), axis=0))


def test_the_parts_make_all_281():
    assert len(HONOURED) == len(laws())
    assert set(HONOURED) <= set(DIVA.names)


def test_ms_rev1_leaves_nothing_out():
    assert ENGINE.ignored(DIVA.defaults()) == ()
    assert ENGINE.ignored(base()) == ()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("OSC.Model", 0.0, "Dual VCO Eco"),
        ("HPF.Model", 0.0, "Bite"),
        ("VCF1.Model", 2.0, "Bite"),
        ("main.#FX1", 1.0, "no effects"),
        ("main.#FX2", 1.0, "no effects"),
        ("ARP.OnOff", 1.0, "no arpeggiator"),
        ("VCC.MTunS", 1.0, "equal temperament"),
        ("VCA1.Offset", 0.5, "unknown"),
    ],
)
def test_what_a_patch_asks_for_in_vain_is_named(name, value, reason):
    patch = base()
    patch[DIVA.index(name)] = value
    (found,) = ENGINE.ignored(patch)
    assert found.parameter == name
    assert reason in found.reason
    assert name not in ENGINE.honoured


def test_several_are_named_in_the_order_of_the_table():
    patch = base()
    for name, value in (("ARP.OnOff", 1.0), ("OSC.Model", 1.0), ("main.#FX1", 1.0)):
        patch[DIVA.index(name)] = value
    names = [entry.parameter for entry in ENGINE.ignored(patch)]
    assert names == ["main.#FX1", "OSC.Model", "ARP.OnOff"]
