"""The engine of the whole panel: real sounds, batches, what acts."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from deepdiva.engine.module import Confidence
from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, acting, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.trimmers import Trimmers

SHORT = Note(pitch=57, render_seconds=0.4, length_seconds=0.25)


def random_patches(count, seed=0):
    rng = np.random.default_rng(seed)
    low = np.array([parameter.minimum for parameter in DIVA])
    high = np.array([parameter.maximum for parameter in DIVA])
    return low + rng.random((count, len(DIVA))) * (high - low)


def test_real_sounds_with_known_parameters(shared, tmp_path):
    """40 renders of Diva, no value fitted to a sound: the judge and the bound come with them."""
    folder = shared / "diva_known"
    with (folder / "parameters.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    defaults = DIVA.defaults()
    patches = np.array([[float(row[p.name] or defaults[p.index]) for p in DIVA] for row in rows])
    note = Note(pitch=60, velocity=127, length_seconds=3.0, render_seconds=4.0)
    engine = PanelRenderer(np.zeros((8, 3)), trimmers=Trimmers(oscillator_reset=True), threads=2)
    for row, sound in zip(rows, engine.render(patches, note), strict=True):
        soundfile.write(tmp_path / row["wav"], sound, note.sample_rate, subtype="FLOAT")
    judge = [sys.executable, shared / "tools" / "known.py", folder, tmp_path, "1.2"]
    done = subprocess.run([str(word) for word in judge], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    level = float(done.stdout.split("level over time ")[1].split(" dB")[0])
    spread = float(done.stdout.split("(sd ")[1].split(")")[0])
    assert level <= 1.0, done.stdout
    assert spread <= 1.0, done.stdout


def test_a_sound_does_not_depend_on_its_batch():
    patches = random_patches(24)
    chains = ((0, 0, 0), (1, 2, 1), (3, 3, 3))  # few, because every pair of filters is compiled
    for k, patch in enumerate(patches):
        patch[[DIVA.index(name) for name in panel.MODELS]] = chains[k % 3]
    whole = PanelRenderer(threads=2).render(patches, SHORT, np.arange(24))
    order = np.random.default_rng(1).permutation(24)
    assert np.array_equal(PanelRenderer().render(patches[order], SHORT, order), whole[order])
    for k in (0, 7, 23):
        assert np.array_equal(PanelRenderer().render(patches[k : k + 1], SHORT, k)[0], whole[k])


@pytest.mark.parametrize(
    "values",
    [
        {
            "OSC.Model": 2.0,
            "OSC.SawShp": 3.0,
            "OSC.PWShp": 3.0,
            "OSC.Vol3": 70.0,
            "OSC.SubShp": 5.0,
        },
        {"OSC.Model": 0.0, "OSC.Sync2": 1.0, "OSC.Vol2": 80.0, "OSC.Tune2": 7.0},
    ],
    ids=["gated saws", "hard sync"],
)
def test_a_patch_alone_sounds_as_among_many(values):
    """Few lanes once took another way through compiled loops than many, and gates stayed shut."""
    patch = DIVA.defaults()
    for name, value in {**values, "HPF.Model": 0.0, "VCF1.Model": 0.0}.items():
        patch[DIVA.index(name)] = value
    alone = PanelRenderer().render(patch[None], SHORT)[0]
    assert np.abs(alone).max() > 0.01
    for count in (2, 5, 12):
        many = PanelRenderer().render(np.tile(patch, (count, 1)), SHORT)
        assert all(np.array_equal(one, alone) for one in many)


@pytest.mark.parametrize(("rate", "key"), [(22050, 108), (44100, 60), (96000, 12)])
def test_random_patches_are_finite_and_bounded(rate, key):
    note = Note(pitch=key, sample_rate=rate, render_seconds=0.3, length_seconds=0.2)
    sounds = PanelRenderer(threads=2).render(random_patches(48, seed=3), note)
    assert np.isfinite(sounds).all()
    assert np.abs(sounds).max() < 20.0


def test_what_does_not_act_changes_nothing():
    base = random_patches(3, seed=5)
    engine = PanelRenderer(threads=2)
    for patch, other in zip(base, random_patches(3, seed=6), strict=True):
        idle = [p.index for p in DIVA if p.name not in acting.acts(patch)]
        changed = patch.copy()
        changed[idle] = other[idle]
        one, two = engine.render(np.array([patch, changed]), SHORT)
        assert np.array_equal(one, two)
        assert acting.acts(changed) >= acting.acts(patch) - {"nothing"}


def test_an_lfo_acts_when_somebody_listens():
    patch = DIVA.defaults()
    for name in ("OSC.VtoD", "VCF1.FMDpt", "VCF1.FM2Dpt"):
        patch[DIVA.index(name)] = 0.0
    assert "LFO2.Rate" not in acting.acts(patch)
    patch[DIVA.index("VCF1.FM2Src")] = 17.0
    patch[DIVA.index("VCF1.FM2Dpt")] = 30.0
    assert "LFO2.Rate" in acting.acts(patch)
    assert acting.acts(patch) <= acting.known()


def test_a_corner_that_jumps_leaves_no_offset_behind():
    """An envelope opens the high-pass by four octaves in 2 ms; the amplifier then falls to 0."""
    patch = DIVA.defaults()
    for name, value in (
        ("HPF.Model", 3), ("HPF.Freq", 104), ("HPF.Res", 30), ("HPF.FMSrc", 15), ("HPF.FMDpt", 50),
        ("VCF1.Model", 2), ("VCF1.SvfMode", 1), ("VCF1.Freq", 31), ("ENV1.Dec", 25),
        ("ENV1.Sus", 0), ("ENV2.Atk", 0), ("ENV2.Dec", 40), ("ENV2.Sus", 0), ("ENV1.Model", 1),
    ):  # fmt: skip
        patch[DIVA.index(name)] = value
    note = Note(pitch=60, render_seconds=1.0, length_seconds=1.0)
    sound = PanelRenderer().render(patch[None], note)[0]
    assert np.abs(sound[-4410:]).max() < 1e-3


def test_stereo_means_mono():
    patches = random_patches(4, seed=8)
    engine = PanelRenderer()
    both = engine.render_stereo(patches, SHORT)
    assert both.shape == (2, 4, SHORT.samples)
    assert np.allclose(both.mean(axis=0), engine.render(patches, SHORT), atol=1e-5)


def test_oscillator_reset_comes_from_the_preset():
    text = Preset.template().to_bytes().replace(b"TransM=0", b"TransM=3")
    text = text.replace(b"RstPh2=0.00", b"RstPh2=25.00")
    trimmers = Trimmers.of(Preset.from_bytes(text))
    assert trimmers.oscillator_reset
    assert trimmers.reset_phases == (0.0, 0.25, 0.0)
    assert not Trimmers.of(Preset.template()).oscillator_reset


def test_every_model_has_a_module():
    patch = DIVA.defaults()
    for name in panel.MODELS:
        for model in range(round(DIVA[name].maximum) + 1):
            patch[DIVA.index(name)] = model
            assert PanelRenderer().unsupported(patch) == ()


def test_constants_are_checked_and_change_the_version():
    usual = PanelRenderer().info.version
    assert PanelRenderer(constants={"filter.ladder.drive": 1.0}).info.version != usual
    with pytest.raises(UnknownNameError, match="no constant 'drive'"):
        PanelRenderer(constants={"drive": 1.0})
    with pytest.raises(InvalidValueError, match="must be finite"):
        PanelRenderer(constants={"attack_longest": np.nan})


def test_what_was_not_heard_is_called_a_guess():
    heard = {"triple_vco", "ladder", "vca", "none", "bite", "dual_vco_eco"}
    for module in panel.modules():
        assert (module.confidence is Confidence.GUESS) == (module.name not in heard)


@pytest.mark.parametrize("held", [0.3, 0.41, 0.5])
def test_the_pitch_stays_when_the_key_is_released(held):
    """A sound that is held on and one with a long release are the same wave."""
    patch = DIVA.defaults()
    for name, value in {"OSC.Wave1": 2.0, "ENV1.Atk": 0.0, "ENV1.Rel": 100.0}.items():
        patch[DIVA.index(name)] = value
    released, kept = (
        PanelRenderer().render(patch[None], Note(length_seconds=length, render_seconds=0.8))[0]
        for length in (held, 0.8)
    )
    assert np.abs(released - kept).max() < 0.05 * np.abs(kept).max()
