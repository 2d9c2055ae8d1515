"""Damaged state files give one line, exit code 2, the file's name and the way out."""

import json
import shutil

import pytest
from click.testing import CliRunner

from deepdiva.cli import main

NOTE = ("--note-length", "0.2", "--render-length", "0.2")


def refine(root):
    sound = root / "recordings" / "cutoff1.wav"
    search = ("--evaluations", 96, "--no-predict", *NOTE)
    return ("refine", "--free", "ms-rev1", sound, "--output", root / "matched", *search, "--resume")


def evaluate(root):
    who = ("--method", "mean", "--method", "search=search:64")
    how = ("--output", root / "old", "--jobs", 1, "--realizations", 1, "--limit", 2)
    return ("evaluate", root.parent / "presets", *who, *how, *NOTE)


RUN = "matched/cutoff1.run"
STATES = {
    f"{RUN}/run.json": refine,
    f"{RUN}/written.json": refine,
    f"{RUN}/generations.jsonl": refine,
    "dataset/dataset.json": lambda root: ("dataset", "inspect", root / "dataset"),
    "dataset/train_mfcc_scaling.json": lambda root: (
        *("features", "--feature", "mfcc", "--data-path", root / "dataset"),
        *(
            "--saved-scaler",
            "--force",
            "--scaler-file",
            root / "dataset" / "train_mfcc_scaling.json",
        ),
    ),
    "training/training.json": lambda root: ("train", "--resume", root / "training"),
    "training/checkpoint.pt": lambda root: ("train", "--resume", root / "training"),
    "old/run.json": evaluate,
    "old/results/mean/cutoff0.json": evaluate,
    "old/summary.json": lambda root: ("compare", root / "old", root / "new"),
    "listening.json": lambda root: ("compare", root / "listening.json"),
    "probes/probes.json": lambda root: (
        *("calibrate", "--from", root / "probes", "--output", root / "found.json"),
    ),
    "own.json": lambda root: (
        *("render", root / "presets" / "cutoff1.h2p", "--constants", root / "own.json"),
        *("-o", root / "heard", *NOTE),
    ),
    "testset/testset.json": lambda root: (
        *("evaluate", root / "testset", "-m", "mean", "-o", root / "fresh"),
    ),
}


SAMPLES = {
    "listening.json": {
        "format": "deepdiva-listening",
        "format_version": 1,
        "run": "0" * 16,
        "test_set": "t",
        "listener": "",
        "finished": "2026-11-30T20:00:00.000Z",
        "trials": [
            {
                "sound": "a",
                "seconds": 9.5,
                "reference_plays": 1,
                "ratings": [
                    {"stimulus": "(hidden reference)", "value": 100, "plays": 1},
                    {"stimulus": "mean", "value": 20, "plays": 2},
                ],
            }
        ],
    }
}
"""Files that no command of the chain writes."""


def damages(data):
    """Ways in which a file of JSON is spoiled."""
    yield "empty", b""
    yield "cut short", data[: len(data) // 2]
    yield "binary", bytes(range(256)) + b"\n"
    yield "another", b"[1, 2]\n"
    yield "null", b"null\n"
    yield "deep", b"[" * 100_000 + b"\n"
    yield "not a number", data.replace(b": 0", b": NaN").replace(b": 1", b": -1e999")
    try:
        content = json.loads(data.splitlines()[0] if data[:9] == b'{"seconds' else data)
    except ValueError:
        return
    for key, value in content.items():
        other = [] if isinstance(value, dict | str | int | float) else {}
        yield f"{key} is of another kind", json.dumps({**content, key: other}).encode() + b"\n"
        left = {name: entry for name, entry in content.items() if name != key}
        yield f"{key} is missing", json.dumps(left).encode() + b"\n"


@pytest.mark.parametrize("name", STATES)
def test_what_is_damaged_is_refused_in_one_line(chain, tmp_path, name):
    root = tmp_path / "copy"
    shutil.copytree(chain, root)
    (tmp_path / "presets").symlink_to(chain / "presets")
    path = root / name
    if name in SAMPLES:
        path.write_text(json.dumps(SAMPLES[name]), encoding="utf-8")
    original = path.read_bytes()
    for what, damaged in damages(original):
        if damaged == original:
            continue
        path.write_bytes(damaged)
        result = CliRunner().invoke(main, [*map(str, STATES[name](root))])
        said = f"{name}, {what}: {result.output[-600:]} {result.exception!r}"
        assert isinstance(result.exception, SystemExit | None), said
        if what in ("empty", "cut short", "binary", "another", "null", "deep"):
            if name.endswith(".jsonl") and what in ("empty", "cut short"):
                continue  # what a kill may leave: scored again
            assert result.exit_code == 2, said
        if result.exit_code == 2:
            (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
            assert str(root) in line, said
            assert len(line) < 700, said
        else:
            assert result.exit_code == 0, said
