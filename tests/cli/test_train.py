"""`deepdiva train`: online and from data sets, killed and resumed, and what it refuses."""

import csv
import json
import signal
import subprocess
import sys
import time
from datetime import datetime

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.models.weights import read_header, read_weights
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

SHORT = ("--note-length", "0.4", "--render-length", "0.4")
TINY = ("--online", *SHORT, "--batch-size", "16", "--epoch-sounds", "48", "--test-sounds", "16")


def run(*arguments, expect=0):
    result = CliRunner().invoke(main, ["train", *map(str, arguments)])
    assert result.exit_code == expect, (result.output, result.exception)
    return result.output


def other(*arguments):
    """Run another command, which must succeed."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, (result.output, result.exception)


def weights(folder):
    return read_weights(folder / "final_model.safetensors")


@pytest.mark.parametrize("model", ["posterior", "cnn", "lstm"])
def test_every_network_trains_online_and_describes_itself(tmp_path, model):
    output = run("--model", model, *TINY, "--epochs", 2, "--save-freq", 1, "--model-path", tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("training_20")
    header = read_header(folder / "final_model.safetensors")
    assert header.model == model
    assert header.played_note().render_seconds == 0.4
    assert header.parameter_space().dimensions == 11
    header.check_engine(PanelRenderer().info, folder)
    assert header.training["sounds"] == 96
    assert header.training["data"]["variety"]["settings"] == {"VCC.Voicing": [1.0, 2.0]}
    assert header.metrics["test_loss"] > 0
    assert f"{header.metrics['test_loss']:.4f}" in output
    files = {path.name for path in folder.iterdir()}
    assert {"losses.csv", "losses.png", "cp-0001.safetensors", "cp-0002.safetensors"} <= files


def test_json_says_what_came_out(tmp_path):
    options = ("--model", "cnn", *TINY, "--epochs", "1", "--model-path", str(tmp_path), "--json")
    told = json.loads(CliRunner().invoke(main, ["train", *options]).stdout)
    (folder,) = tmp_path.iterdir()
    assert told["model_file"] == str(folder / "final_model.safetensors")
    assert (told["epochs"], told["sounds"], told["stopped_early"]) == (1, 48, False)
    assert told["metrics"]["test_loss"] > 0


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    options = (*TINY, "--epochs", "5", "--model-path", tmp_path, "--schedule", "cosine")
    run(*options, "--folder-name", "whole")
    program = [sys.executable, "-m", "deepdiva", "train", *map(str, options)]
    process = subprocess.Popen([*program, "--folder-name", "killed"], stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run("--resume", tmp_path / "killed")
    (header, expected), (again, resumed) = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensor, resumed[name], err_msg=name)
    assert header.metrics == again.metrics
    assert header.training == again.training
    with (tmp_path / "killed" / "losses.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == list("12345")


def test_a_training_begins_at_the_weights_of_another(tmp_path):
    run(*TINY, "--epochs", 2, "--model-path", tmp_path, "--folder-name", "a")
    second = (*TINY, "--epochs", 1, "--seed", 1, "--model-path", tmp_path)
    begin = ("--begin-with", tmp_path / "a", "--learning-rate", 1e-12)
    run(*second, *begin, "--folder-name", "b")
    (_, first), (header, then) = weights(tmp_path / "a"), weights(tmp_path / "b")
    for name, tensor in first.items():
        np.testing.assert_allclose(then[name], tensor, rtol=2e-3, atol=1e-6, err_msg=name)
    assert header.training["sounds_before"] == 96
    assert header.training["sounds"] == 48
    output = run(*second, *begin, "--folder-name", "c", "--model", "cnn", expect=2)
    assert "not those of a cnn network" in " ".join(output.split())
    output = run(*second, "--begin-with", tmp_path, "--folder-name", "d", expect=2)
    assert "holds no checkpoint.pt" in " ".join(output.split())


def test_resuming_takes_no_other_options(tmp_path):
    run(*TINY, "--epochs", 1, "--model-path", tmp_path, "--folder-name", "a")
    output = run("--resume", tmp_path / "a", "--epochs", 3, expect=2)
    assert "epochs: a training goes on as it was begun" in output


def test_resuming_with_other_data_is_refused(tmp_path):
    base = tmp_path / "base.h2p"
    Preset.template().write(base)
    run(*TINY, "--base", base, "--epochs", 1, "--model-path", tmp_path, "--folder-name", "a")
    run("--resume", tmp_path / "a")
    edited = DIVA.defaults()
    edited[DIVA.index("VCC.Trsp")] = 12.0
    Preset.template().with_values(edited).write(base, force=True)
    assert "was begun with other data" in run("--resume", tmp_path / "a", expect=2)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.zeros((40, 1)), "has shape (40, 1): it must be (sounds, 11)"),
        (np.zeros(40), "has shape (40,)"),
        (np.full((40, 11), 2.0), "numbers outside 0 to 1"),
        (np.full((40, 11), np.nan), "numbers outside 0 to 1"),
    ],
)
def test_targets_that_are_none_are_refused(tmp_path, data_sets, target, message):
    path = data_sets / "train" / "odd.npy"
    np.save(path, target)
    options = ("--data-path", data_sets / "train", "--model-path", tmp_path, "--model", "cnn")
    output = run(*options, "--train-target", "odd.npy", expect=2)
    path.unlink()
    assert message in " ".join(output.split())


def test_resuming_nothing_is_refused(tmp_path):
    assert "holds no training.json" in run("--resume", tmp_path, expect=2)


def test_an_old_training_is_not_overwritten(tmp_path):
    run(*TINY, "--epochs", 1, "--model-path", tmp_path, "--folder-name", "a")
    output = run(*TINY, "--epochs", 1, "--model-path", tmp_path, "--folder-name", "a", expect=2)
    assert "holds something already" in output


def test_trainings_of_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 5, 1, 10, 30, 0, tzinfo=tz)

    monkeypatch.setattr("deepdiva.pipeline.train.datetime", Stopped)
    for _ in range(3):  # nothing but training.json comes of them
        run(*TINY, "--vary", "VCC.Voicing", "--model-path", tmp_path, expect=2)
    name = "training_2026-05-01_10-30-00"
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}-2", f"{name}-3"}


def test_one_training_at_a_time_works_in_a_folder(tmp_path, monkeypatch):
    begin = (*TINY, "--vary", "VCC.Voicing", "--model-path", tmp_path, "--folder-name", "a")
    answers = []

    def training(folder, *_, **__):
        record = (folder / "training.json").read_bytes()
        commands = (begin, ("--resume", folder))
        answers.extend(" ".join(run(*command, expect=2).split()) for command in commands)
        assert (folder / "training.json").read_bytes() == record

    with monkeypatch.context() as during:
        during.setattr("deepdiva.cli.train.run", training)
        run(*TINY, "--model-path", tmp_path, "--folder-name", "a")
    assert len(answers) == 2
    assert all("is in use by another training" in answer for answer in answers)
    assert "varies nothing" in run(*begin, expect=2)  # it has ended


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--optimizer", "adamant"), "There is no optimizer 'adamant'"),
        (("--model", "cnn", "--loss", "rmsee"), "Did you mean 'rmse'"),
        (("--epochs", "0"), "epochs is 0"),
        (("--data-path", "somewhere"), "data_path: not with --online"),
        (("--vary", "OSC.Wave1=1,2"), "OSC.Wave1 is free"),
        (("--vary", "VCC.Voicing"), "varies nothing"),
        (("--vary", "VCC.Voicing=1,77"), "VCC.Voicing = 77"),
        (("--vary", "VCC.Voicing=1,2", "--lock", "5=1"), "VCC.Voicing cannot vary and be held"),
        (("--device", "mps"), "has none. Use cpu"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path, options, message):
    output = run(*TINY, *options, "--model-path", tmp_path, "--folder-name", "a", expect=2)
    assert message in " ".join(output.split())
    run(*TINY, "--epochs", 1, "--model-path", tmp_path, "--folder-name", "a")  # not in the way


@pytest.mark.parametrize(
    ("options", "varied"),
    [
        ((), {"VCC.Voicing": (1.0, 2.0)}),
        (("--vary", "none"), {}),
        (("--lock", "VCC.Voicing=1"), {}),
        (("--base", "stack.h2p"), {}),
        (("--free", "VCC.Voicing VCF1.Freq"), {}),
        (("--vary", "VCC.Voicing=3,4"), {"VCC.Voicing": (3.0, 4.0)}),
    ],
)
def test_voices_vary_unless_somebody_says_otherwise(tmp_path, monkeypatch, options, varied):
    monkeypatch.chdir(tmp_path)
    values = DIVA.defaults()
    values[DIVA.index("VCC.Voicing")] = 3.0
    Preset.template().with_values(values).write(tmp_path / "stack.h2p")
    run(*TINY, *options, "--epochs", 1, "--model-path", tmp_path, "--folder-name", "a")
    header = read_header(tmp_path / "a" / "final_model.safetensors")
    settings = header.training["data"]["variety"]["settings"]
    assert {name: tuple(values) for name, values in settings.items()} == varied


def test_networks_of_other_synthesizers_are_refused(tmp_path, amsynth):
    options = ("--plugin", amsynth, "--model-path", tmp_path, "--folder-name", "a")
    output = run(*TINY, *options, expect=2)
    assert "networks answer with patches of Diva" in " ".join(output.split())


def test_online_options_without_online_are_refused(tmp_path):
    output = run("--free", "VCF1.Freq", "--model-path", tmp_path, expect=2)
    assert "free: only with --online" in " ".join(output.split())


@pytest.fixture(scope="module")
def data_sets(tmp_path_factory):
    """A training and a test set with their features."""
    folder = tmp_path_factory.mktemp("data")
    for name, seed, count in (("train", 1, 40), ("test", 2, 12)):
        prefix = ("--file-prefix", f"{name}_")
        size = ("--sample-size", count, "--seed", seed)
        other("dataset", *size, "--data-path", folder, "--folder-name", name, *prefix, *SHORT)
        scaler = ["--saved-scaler", "--scaler-file", "../train/train_mfcc_scaling.json"]
        for feature in (["spectrogram"], ["mfcc", *(scaler if name == "test" else [])]):
            other("features", "--data-path", folder / name, "--feature", *feature)
    return folder


@pytest.mark.parametrize("model", ["posterior", "cnn", "lstm"])
def test_a_data_set_trains_every_network(tmp_path, data_sets, model):
    paths = ("--data-path", data_sets / "train", "--model-path", tmp_path)
    run("--model", model, *paths, "--epochs", 2, "--batch-size", 16, "--folder-name", "a")
    header = read_header(tmp_path / "a" / "final_model.safetensors")
    assert header.training["data"] == {"kind": "stored", "origin": "train", "sounds": 36}
    assert header.played_note().render_seconds == 0.4


@pytest.mark.parametrize(("model", "feature"), [("cnn", "melspectrogram"), ("lstm", "mfcc")])
def test_feature_files_give_the_same_as_the_sounds(tmp_path, data_sets, model, feature):
    common = ("--model", model, "--data-path", data_sets / "train", "--test-path")
    common += (data_sets / "test", "--epochs", 2, "--batch-size", 16, "--model-path", tmp_path)
    run(*common, "--folder-name", "sounds")
    features = (
        "--train-features",
        f"train_{feature}.npy",
        "--test-features",
        f"test_{feature}.npy",
    )
    run(*common, *features, "--folder-name", "features")
    sounds, files = (weights(tmp_path / name) for name in ("sounds", "features"))
    assert sounds[0].features == files[0].features
    for name, tensor in sounds[1].items():
        np.testing.assert_allclose(tensor, files[1][name], atol=2e-3)


def test_a_single_sound_cannot_be_held_back(tmp_path):
    options = ["dataset", "--sample-size", "1", "--folder-name", "one", "--data-path", tmp_path]
    options += ["--note-length", "0.1", "--render-length", "0.1"]
    refused = CliRunner().invoke(main, [*map(str, options), "--jitter", "0.2"])
    assert "--jitter 0.2: it spreads patches around those of --from-presets" in refused.stderr
    assert CliRunner().invoke(main, list(map(str, options))).exit_code == 0
    output = run("--data-path", tmp_path / "one", "--model-path", tmp_path, expect=2)
    assert "holds 1 sound, which is held back" in output


def test_features_of_another_kind_are_refused(tmp_path, data_sets):
    common = ("--data-path", data_sets / "train", "--model-path", tmp_path, "--train-features")
    assert "the cnn hears 'melspectrogram'" in " ".join(
        run("--model", "cnn", *common, "train_mfcc.npy", expect=2).split()
    ).replace("hears melspectrogram", "hears 'melspectrogram'")
    assert "does not exist" in run("--model", "cnn", *common, "none.npy", expect=2)


def test_mfccs_that_another_scaler_has_scaled_are_refused(tmp_path, data_sets):
    def trained(expect):
        files = ("--train-features", "train_mfcc.npy", "--test-features", "own_mfcc.npy")
        paths = ("--data-path", data_sets / "train", "--test-path", data_sets / "test")
        options = ("--model", "lstm", "--epochs", 1, "--model-path", tmp_path)
        return " ".join(run(*paths, *files, *options, expect=expect).split())

    def computed(*options):
        own = ("--feature", "mfcc", "--file-prefix", "own_", "--force")
        other("features", "--data-path", data_sets / "test", *own, *options)

    def of_an_earlier_version():
        path = data_sets / "test" / "own_mfcc.json"
        about = json.loads(path.read_text())
        del about["scaler_digest"]
        path.write_text(json.dumps(about))

    computed()
    assert "was scaled by another scaler than" in trained(2)
    of_an_earlier_version()
    trained(0)
    computed("--scale-axis", "0 1")
    of_an_earlier_version()
    assert "was scaled by another scaler than" in trained(2)
    computed("--fmax", 9000)
    assert "other MFCCs: mel is" in trained(2)
    computed("--saved-scaler", "--scaler-file", data_sets / "train" / "train_mfcc_scaling.json")
    trained(0)


def test_sets_of_different_notes_are_refused(tmp_path, data_sets):
    other("dataset", "--sample-size", 4, "--data-path", tmp_path, "--folder-name", "other")
    output = run(
        *("--data-path", data_sets / "train", "--test-path", tmp_path / "other"),
        *("--model", "cnn", "--model-path", tmp_path / "out"),
        expect=2,
    )
    assert "train and test on sets of the same" in " ".join(output.split())


def test_what_was_said_is_kept(tmp_path):
    run(*TINY, "--epochs", 1, "--model-path", tmp_path, "--folder-name", "a", "--seed", 7)
    record = json.loads((tmp_path / "a" / "training.json").read_text())
    assert record["options"]["seed"] == 7
    assert record["options"]["render_seconds"] == 0.4


def test_the_network_of_the_whole_panel_is_trained_and_answers(tmp_path):
    from deepdiva.models.registry import load_predictor

    run(
        *("--online", "--model", "panel", "--prior", "human", "--epochs", "1", "--jobs", "1"),
        *("--epoch-sounds", "8", "--test-sounds", "8", "--batch-size", "4", "--no-save-weights"),
        *("--model-path", tmp_path, "--folder-name", "a"),
    )
    predictor, header = load_predictor(tmp_path / "a" / "final_model.safetensors", draws=2)
    assert header.training["sounds"] == 8
    [answer] = predictor.predict(np.ones((1, predictor.note.samples), np.float32), predictor.note)
    assert len(answer) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "panel"), "say --online"),
        (("--online", "--prior", "human"), "only with --model panel"),
        (("--online", "--model", "panel", "--free", "86"), "not with --model panel"),
        (("--online", "--model", "panel", "--batch-size", "6"), "multiple of 4"),
    ],
)
def test_options_that_do_not_fit_the_panel_are_refused(tmp_path, arguments, message):
    output = run(*arguments, "--model-path", tmp_path, expect=2)
    assert message in " ".join(output.split())
