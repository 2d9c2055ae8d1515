"""Each of the 281 parameters acts in some patch, or it is said why it cannot be heard."""

import numpy as np
import pytest

from deepdiva.note import Note
from deepdiva.performance import Performance
from deepdiva.synths.diva import DIVA, acting, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.trimmers import Trimmers
from deepdiva.tuning import Tuning

NOTE = Note(pitch=55, velocity=70, length_seconds=0.3, render_seconds=0.4, sample_rate=22050)
CHAINS = ((0, 0, 0), (1, 2, 1), (2, 1, 2), (3, 3, 3), (4, 0, 4))  # each model once
ROUNDS = 12
POTS = np.linspace(-90.0, 90.0, 24).reshape(8, 3)
STRETCHED = Tuning("stretched", tuple(60.0 + 1.1 * (key - 60) for key in range(128)))


def base_patch(number):
    """Random values, in which a note of 0.3 s is heard from its attack to its release."""
    rng = np.random.default_rng(number)
    low, high = (np.array([getattr(p, bound) for p in DIVA]) for bound in ("minimum", "maximum"))
    patch = low + rng.random(len(DIVA)) * (high - low)
    quick = {
        "Atk": 10, "Dec": 25, "Sus": 60, "Rel": 30, "Dly": 20, "Rate": 3, "Sync": -2, "LDel": 2,
        "CDel": 2, "RDel": 2, "Pre": 5,
    }  # fmt: skip
    for parameter in DIVA:
        if parameter.key in quick:
            patch[parameter.index] = quick[parameter.key]
    fixed = {
        "VCA1.Vol": 40, "VCF1.Freq": 100, "HPF.Freq": 50, "main.#FX1": 1, "main.#FX2": 1,
        "FX1.Module": number % 5, "FX2.Module": (number + 1) % 5, "VCC.Porta": 20,
        "ARP.OnOff": number % 2, "CLK.Base": 3, "CLK.Mult": 200, "VCC.Voices": 0,
        "VCC.Mode": number % 4, "VCC.Trsp": 0, "LFO1.DMD1": 50, "LFO2.DMD1": 50,
        "MOD.A1Src": 16, "MOD.A2Src": 17, "MOD.M1Src": 14, "MOD.M2Src": 16, "MOD.RSrc": 17,
        "MOD.ISrc": 16, "MOD.QSrc": 16, "MOD.LSrc": 17, "VCF1.FMSrc": 15, "VCF1.FMDpt": 40,
        "VCF1.FM2Src": 18 + number % 6, "VCF1.FM2Dpt": 40, "VCF1.SMSrc": 17, "VCF1.SMDpt": 60,
        "ENV1.Model": (number + 1) % 3, "ENV2.Model": number % 3,
        **dict(zip(panel.MODELS, CHAINS[number % 5], strict=True)),
    }  # fmt: skip
    for name, value in fixed.items():
        patch[DIVA.index(name)] = value
    return patch


def others(patch, names, rng):
    """The patch again and again, each time with one parameter at another of its values."""
    rows = np.tile(patch, (len(names), 1))
    for row, name in zip(rows, names, strict=True):
        parameter = DIVA[name]
        ends = parameter.minimum, parameter.maximum
        if parameter.is_class:
            choices = [c.value for c in parameter.choices if c.value != round(row[parameter.index])]
            row[parameter.index] = rng.choice(choices or ends)
        else:
            middle = 0.5 * (ends[0] + ends[1])
            row[parameter.index] = ends[0] if row[parameter.index] > middle else ends[1]
    return rows


@pytest.fixture(scope="module")
def heard():
    """The parameters that changed the sound of some patch by more than a rounding error."""
    found = set()
    for number in range(ROUNDS):
        patch = base_patch(number)
        bend = 0.5 if number % 2 else -0.5
        performance = Performance(
            wheel=0.7, pressure=0.4, bend=bend, control_a=0.3, control_b=0.6, chord=(48, 60),
            glide_from=67, tempo=400.0,
        )  # fmt: skip
        trimmers = Trimmers(tuning=STRETCHED)
        wanted = acting.acts(patch, performance, trimmers) - found - set(panel.MODELS)
        names = sorted(wanted, key=DIVA.index)
        engine = PanelRenderer(POTS, performance=performance, trimmers=trimmers, threads=1)
        rows = np.vstack([patch, others(patch, names, np.random.default_rng(number))])
        sounds = engine.render(rows, NOTE, 5)
        changes = np.abs(sounds[1:] - sounds[0]).max(axis=1)
        found |= {name for name, change in zip(names, changes, strict=True) if change > 1e-4}
    return found | set(panel.MODELS)  # that each model is another circuit, other tests hold


def test_every_parameter_acts_or_is_said_to_be_silent(heard):
    names = {parameter.name for parameter in DIVA}
    assert names - set(acting.SILENT) - heard == set()
    assert not heard & set(acting.SILENT)
    assert acting.known() == names - set(acting.SILENT)
    assert all(acting.SILENT.values())
