"""`deepdiva evaluate` from a folder to a report."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.cli.evaluate import command
from deepdiva.errors import StorageError
from deepdiva.evaluation.folder import RunFolder
from deepdiva.synths.diva.preset import Preset

SHORT = ("--note-length", "0.3", "--render-length", "0.3", "--realizations", "2", "--jobs", "1")


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """Two presets, and the answers of a friend to one of them."""
    folder = tmp_path_factory.mktemp("presets")
    base = Preset.template()
    for name, cutoff in (("bright", 140.0), ("dark", 80.0)):
        patch = base.values()
        patch[148] = cutoff
        base.with_values(patch).write(folder / f"{name}.h2p")
    friend = tmp_path_factory.mktemp("a=b")  # `a` is no name of a method
    base.write(friend / "dark.h2p")
    return folder, friend


@pytest.fixture(scope="module")
def done(presets, tmp_path_factory):
    """Output of a run, and its folder."""
    folder, friend = presets
    output = tmp_path_factory.mktemp("out") / "run"
    arguments = [str(folder), "-o", str(output), "-m", "mean", "--presets", str(friend), *SHORT]
    return CliRunner().invoke(command, arguments, env={"COLUMNS": "120"}), output


def test_command_writes_a_report_and_says_where(done):
    result, output = done
    assert result.exit_code == 0, result.output
    assert f"Report: {output / 'report.html'}" in result.output.replace("\n", "")
    for name in ("report.html", "summary.json", "summary.md", "results.csv", "run.json"):
        assert (output / name).stat().st_size > 100
    assert (output / "presets" / "mean" / "dark.h2p").exists()


def test_failures_are_shown_and_do_not_stop_the_run(done):
    result, output = done
    # Lines end at the width of a terminal, wherever that falls in the path.
    assert "bright.h2pdoesnotexist" in "".join(result.output.split())
    summary = json.loads((output / "summary.json").read_bytes())
    failed = {c["name"]: c["counts"]["failed"] for c in summary["methods"]}
    assert sorted(failed.values()) == [0, 1]


def test_presets_are_their_own_truth(done):
    _, output = done
    summary = json.loads((output / "summary.json").read_bytes())
    assert {sound["name"] for sound in summary["run"]["sounds"]} == {"bright", "dark"}
    assert all(floor["known"] for floor in summary["floors"].values())


def test_same_command_again_answers_only_what_failed(done, presets):
    _, output = done
    folder, friend = presets
    arguments = [str(folder), "-o", str(output), "-m", "mean", "--presets", str(friend), *SHORT]
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert "3 of 4 matches are there already" in result.output
    printed = json.loads(result.stdout)
    assert printed["sounds"] == 2
    assert {method["name"] for method in printed["methods"]} > {"mean"}


def test_other_settings_in_the_same_folder_are_refused(done, presets):
    _, output = done
    arguments = [str(presets[0]), "-o", str(output), "-m", "mean", *SHORT, "--seed", "1"]
    result = CliRunner().invoke(command, arguments)
    assert "differs in" in str(result.exception)
    assert "--force" in str(result.exception)


@pytest.mark.skipif(sys.platform != "linux", reason="names of other encodings are Linux's")
def test_names_of_other_encodings_and_all_formats_are_taken(tmp_path):
    sound = np.sin(np.arange(3000) / 20.0)
    for name in (b"b\xe4ss.wav", b"x $a_$ y.caf", b"pad.opus"):
        path = tmp_path / os.fsdecode(name)
        with path.open("wb") as file:
            kind = path.suffix[1:].upper() if path.suffix != ".opus" else "OGG"
            subtype = "OPUS" if kind == "OGG" else None
            soundfile.write(file, sound, 48000, subtype, format=kind)
    arguments = [str(tmp_path), "-o", str(tmp_path / "run"), "-m", "mean", "--json", *SHORT]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["sounds"] == 3
    assert "b\N{REPLACEMENT CHARACTER}ss" in (tmp_path / "run" / "results.csv").read_text("utf-8")


def test_a_test_set_keeps_its_note(tmp_path):
    make = ["testset", "make", str(tmp_path / "set"), "--count", "2", "--note-pitch", "60"]
    assert CliRunner().invoke(main, [*make, *SHORT[:4]]).exit_code == 0
    arguments = ["evaluate", str(tmp_path / "set"), "-m", "mean", "-o", str(tmp_path / "run")]
    refused = CliRunner().invoke(main, [*arguments, "--note-pitch", "48"])
    assert refused.exit_code == 2
    assert "leave out the options of the note" in refused.stderr
    taken = CliRunner().invoke(main, [*arguments, "--note-pitch", "60", "--jobs", "1"])
    assert taken.exit_code == 0, taken.output


def test_one_evaluation_at_a_time_works_in_a_folder(done, presets):
    _, output = done
    before = (output / "run.json").read_bytes()
    arguments = [str(presets[0]), "-o", str(output), "-m", "mean", *SHORT]
    with RunFolder(output).alone():
        result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, StorageError)
    assert "in use by another evaluation" in str(result.exception)
    assert (output / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "no test set 'nowhere'"),
        ((".", "-m", "oracle"), "oracle"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    arguments, message, tmp_path, monkeypatch, presets
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dark.h2p").write_bytes((presets[0] / "dark.h2p").read_bytes())
    result = CliRunner().invoke(command, [*arguments, *SHORT])
    assert message in str(result.exception)
    assert not (tmp_path / "runs").exists()


def test_presets_and_recordings_are_not_mixed(presets, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "b.h2p").write_bytes((presets[0] / "dark.h2p").read_bytes())
    result = CliRunner().invoke(command, [str(tmp_path), "-m", "mean", *SHORT])
    assert "presets and recordings" in str(result.exception)
