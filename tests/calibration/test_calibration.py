"""Fits of constants to sounds whose parameters are known: rendered ones, and real ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from deepdiva.calibration import Judge, KnownSounds, cross_validate, fit
from deepdiva.calibration.known_sounds import STILL, mean_distance
from deepdiva.cli import main
from deepdiva.errors import InvalidValueError, MissingFileError, UnknownNameError
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.trimmers import Trimmers

NOTE = Note(pitch=60, velocity=127, length_seconds=0.5, render_seconds=0.8)
TRUTH = {"decay_power": 4.7, "filter.bite.shift": 1.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Six sounds of an engine with other constants, and the table that says how they were made."""
    folder = tmp_path_factory.mktemp("known")
    rng = np.random.default_rng(0)
    patches = DIVA.defaults()[None].repeat(6, axis=0)
    for name, low, high in (("ENV1.Dec", 30, 50), ("VCF1.Freq", 60, 90), ("ENV1.Sus", 0, 30)):
        patches[:, DIVA.index(name)] = rng.uniform(low, high, 6).round(2)
    patches[:, DIVA.index("OSC.Wave1")] = 2.0
    patches[:, DIVA.index("OSC.Drift")] = 0.0
    reset = Trimmers(oscillator_reset=True)
    engine = PanelRenderer(np.zeros((8, 3)), {**STILL, **TRUTH}, trimmers=reset)
    with (folder / "parameters.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["wav", *DIVA.names])
        for k, (patch, sound) in enumerate(zip(patches, engine.render(patches, NOTE), strict=True)):
            soundfile.write(folder / f"{'ab'[k % 2]}{k}.wav", sound, 44100, subtype="FLOAT")
            table.writerow([f"{'ab'[k % 2]}{k}.wav", *(repr(float(v)) for v in patch)])
    return folder


def test_a_fit_finds_the_constants_that_the_sounds_were_made_with(folder):
    known = KnownSounds.read(folder, NOTE)
    found = fit(known, list(TRUTH), steps=5)
    assert found.after < 0.2 * found.before
    for name, value in TRUTH.items():
        away = abs(panel.constants()[name].value - value)
        assert abs(found.values[name] - value) < 0.1 * away
    assert mean_distance(Judge(known).differences(TRUTH)) < 0.05


def test_what_is_left_out_judges(folder):
    found = cross_validate(KnownSounds.read(folder, NOTE), ["a", "b"], ["decay_power"], steps=2)
    assert set(found.left_out) == set(found.fits) == {"a", "b"}
    assert found.spread("decay_power") < 0.2
    with pytest.raises(InvalidValueError, match="'c' holds 0 of 6 sounds"):
        cross_validate(KnownSounds.read(folder, NOTE), ["c"])


def test_the_command(folder):
    note = ["--note-length", "0.5", "--render-length", "0.8", "--json"]
    shown = CliRunner().invoke(main, ["calibrate", "show", str(folder), *note])
    assert shown.exit_code == 0, shown.output
    assert set(json.loads(shown.stdout)["sounds"]) == {f"{'ab'[k % 2]}{k}.wav" for k in range(6)}
    steps = ["-c", "decay_power", "--steps", "1"]
    fitted = CliRunner().invoke(main, ["calibrate", "fit", str(folder), *steps, *note])
    assert fitted.exit_code == 0, fitted.output
    assert json.loads(fitted.stdout)["after"] < json.loads(fitted.stdout)["before"]
    listed = CliRunner().invoke(main, ["calibrate", "constants", "ladder", "--json"])
    assert {"filter.ladder.drive"} <= {row["name"] for row in json.loads(listed.stdout)}


def test_bad_input_is_refused(tmp_path, folder):
    with pytest.raises(MissingFileError, match=r"parameters\.csv does not exist"):
        KnownSounds.read(tmp_path)
    table = tmp_path / "parameters.csv"
    table.write_text("wav,ENV1.Dec\na.wav,much\n")
    with pytest.raises(InvalidValueError, match=r"a\.wav: ENV1\.Dec is 'much'"):
        KnownSounds.read(tmp_path)
    table.write_text("wav,ENV1.Dec\na.wav,3\n")
    with pytest.raises(MissingFileError, match=r"a\.wav does not exist"):
        KnownSounds.read(tmp_path)
    table.write_text("sound\na.wav\n")
    with pytest.raises(InvalidValueError, match="column `wav`"):
        KnownSounds.read(tmp_path)
    with pytest.raises(UnknownNameError, match="no constant 'nothing'"):
        fit(KnownSounds.read(folder, NOTE), ["nothing"])


def test_real_sounds_are_near(shared):
    """The laws of a whole voice, judged by this package's own measure."""
    known = KnownSounds.read(shared / "diva_known")
    assert mean_distance(Judge(known, threads=2).differences({})) < 1.2
