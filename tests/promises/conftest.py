"""What the tests of promises share: real runs, small, made once for all processes that test."""

import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner
from filelock import FileLock

from deepdiva.calibration.recorded import RecordedProbes
from deepdiva.cli import main
from deepdiva.synths.diva.own_constants import OwnConstants
from deepdiva.synths.diva.panel_renderer import ENGINE_VERSION
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.probes import plan

NOTE = ("--note-length", "0.2", "--render-length", "0.2")


def deepdiva(*arguments, expect=0):
    """Run a command in this process; what it printed."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == expect, (arguments, result.output, result.exception)
    return result.output


def _reset_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(*arguments, code=None, **options):
    """Start a command as a program of its own, in a group of its own, with signals as usual."""
    program = ["-c", code] if code else ["-m", "deepdiva"]
    return subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)],
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_reset_signals,
        env={**os.environ, **options.pop("env", {})},
        **options,
    )


@pytest.fixture(scope="session")
def command():
    return deepdiva


@pytest.fixture(scope="session")
def program():
    return start


def _presets(folder):
    folder.mkdir()
    base = Preset.template()
    for number, cutoff in enumerate((140.0, 110.0, 80.0, 60.0)):
        patch = base.values()
        patch[148] = cutoff
        base.with_values(patch).write(folder / f"cutoff{number}.h2p")


@pytest.fixture(scope="session")
def chain(tmp_path_factory):
    """Real runs of the commands, each on the output of the one before; read only."""
    worker = "PYTEST_XDIST_WORKER" in os.environ
    root = tmp_path_factory.getbasetemp()
    root = (root.parent if worker else root) / "chain"
    with FileLock(f"{root}.lock"):
        if not (root / "done").exists():
            root.mkdir()
            _make(root)
            (root / "done").touch()
    return root


def _calibration(root):
    """Probes of which one failed, and constants, as `deepdiva calibrate` leaves them."""
    plugin = {"name": "Diva", "version": "1.4.8"}
    recorded = RecordedProbes.go_on(root / "probes", plugin)
    recorded.put_failure(plan()["amplifier"].probes[0], "crashed")
    recorded.save()
    digests = ("0" * 64, "1" * 64)
    OwnConstants({"output_gain": 1.5}, plugin, ENGINE_VERSION, *digests).write(root / "own.json")


def _make(root):
    _calibration(root)
    _presets(root / "presets")
    deepdiva("render", root / "presets", "-o", root / "recordings", *NOTE)
    sound = root / "recordings" / "cutoff1.wav"
    search = ("--evaluations", 96, "--no-predict", *NOTE)
    deepdiva("refine", "--free", "ms-rev1", sound, "--output", root / "matched", *search)
    preset = root / "matched" / "cutoff1.h2p"
    deepdiva("render", preset, "-o", root / "previews", *NOTE)
    deepdiva("inspect", preset, "--diff", root / "presets" / "cutoff1.h2p")
    rows = ("--sample-size", 8, "--nr-data-batches", 2)
    deepdiva("dataset", *rows, "--data-path", root, "--file-prefix", "train_", *NOTE)
    deepdiva("dataset", "inspect", root / "dataset")
    for feature in ("spectrogram", "mfcc"):
        deepdiva("features", "--feature", feature, "--data-path", root / "dataset")
    learn = ("--train-features", "train_melspectrogram.npy", "--epochs", 1, "--batch-size", 8)
    folder = ("--model-path", root, "--folder-name", "training")
    deepdiva("train", "--data-path", root / "dataset", "--model", "cnn", *learn, *folder)
    weights = ("--model-file", root / "training" / "final_model.safetensors")
    deepdiva("predict", sound, "--output", root / "predicted", *weights, *NOTE)
    for name, kind in (("old", "search:64"), ("new", "search:96")):
        who = ("--method", "mean", "--method", f"search={kind}")
        how = ("--output", root / name, "--jobs", 1, "--realizations", 1, "--limit", 2)
        deepdiva("evaluate", root / "presets", *who, *how, *NOTE)
    deepdiva("testset", "make", root / "testset", "--from-presets", root / "presets", *NOTE)
