"""Every batch command on a cluster that shares no folder: the bytes of the plain run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.cluster import Workers
from deepdiva.cluster.crew import RECORD
from deepdiva.library import open_library
from deepdiva.note import Note
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(sample_rate=8000, length_seconds=0.2, render_seconds=0.25)
SHORT = ["--note-length", "0.2", "--render-length", "0.25"]
COUNT = 3

Run = Callable[..., Path]


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    space = default_space()
    for number, point in enumerate(space.random(np.random.default_rng(3), COUNT)):
        preset = Preset.template().with_values(space.patches(point[None])[0])
        preset.write(folder / f"preset{number}.h2p")
    return folder


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory, presets: Path) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    patches = np.stack([Preset.read(file).values() for file in sorted(presets.iterdir())])
    for number, sound in enumerate(PanelRenderer().render(patches, NOTE, 9)):
        write_wav(folder / f"sound{number}.wav", sound, NOTE.sample_rate)
    return folder


def command(*arguments: Any, exit_code: int = 0) -> str:
    run = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert run.exit_code == exit_code, run.output
    return run.output


def on(workers: Workers) -> list[str]:
    """The options that send the work to a cluster."""
    address = [] if workers.scheduler is None else ["--scheduler", workers.scheduler]
    return ["--backend", str(workers.backend), *address]


TIMED = {"seconds", "wall_seconds"}


def timeless(name: str, data: bytes) -> object:
    """What a file holds, without how long something took."""
    if name.endswith(".jsonl"):
        return [json.loads(line) | {"seconds": 0} for line in data.splitlines()]
    if name.endswith(".json"):
        held = json.loads(data)
        return {k: v for k, v in held.items() if k not in TIMED} if isinstance(held, dict) else held
    if name.endswith("history.csv"):
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    return data


def tree(folder: Path) -> dict[str, object]:
    """Everything in a folder but what differs by nature: times, and who worked."""
    return {
        name: timeless(name, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (name := path.relative_to(folder).as_posix())
        and path.name not in (RECORD, "history.png", "written.json")
        and not path.name.startswith((".", "report.", "summary.", "results.", "leaderboard."))
    }


@pytest.fixture(scope="module")
def refined(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Path]:
    folder = tmp_path_factory.mktemp("refined") / "out"
    options = ["--note-pitch", 60, *SHORT, "--sample-rate", 8000]
    search = [
        "refine",
        "--free",
        "ms-rev1",
        sounds,
        *options,
        "--evaluations",
        96,
        "--no-predict",
        "--json",
    ]
    command(*search, "-o", folder, "--jobs", 1)
    return search, folder


def test_refine(refined: tuple[list[Any], Path], cluster: Workers, tmp_path: Path) -> None:
    search, expected = refined
    output = command(*search, "-o", tmp_path / "out", *on(cluster))
    found = json.loads(output[output.index("[") :])
    assert [Path(one["sound"]).stem for one in found] == [f"sound{n}" for n in range(COUNT)]
    assert tree(tmp_path / "out") == tree(expected)
    assert (tmp_path / "out" / RECORD).exists()
    command(*search, "-o", tmp_path / "out", "--jobs", 1, exit_code=2)
    (tmp_path / "out" / "sound1.h2p").unlink()
    command(*search, "-o", tmp_path / "out", "--resume", *on(cluster))
    assert tree(tmp_path / "out") == tree(expected)


@pytest.fixture(scope="module")
def evaluated(presets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Path]:
    folder = tmp_path_factory.mktemp("evaluated") / "run"
    who = ["-m", "mean", "-m", f"presets:{presets}", "-m", "search:64"]
    run = ["evaluate", presets, *who, *SHORT, "--realizations", 2, "--free", "ms-rev1"]
    command(*run, "-o", folder, "--jobs", 1)
    return run, folder


def test_evaluate(evaluated: tuple[list[Any], Path], cluster: Workers, tmp_path: Path) -> None:
    run, expected = evaluated
    folder = tmp_path / "run"
    command(*run, "-o", folder, *on(cluster))
    assert tree(folder) == tree(expected)
    assert "failed" not in "".join(map(str, tree(folder).values()))
    (folder / "results" / "mean" / "preset0.json").unlink()
    assert "8 of 9 matches are there already" in command(*run, "-o", folder, "--jobs", 1)
    assert tree(folder) == tree(expected)


def test_render(presets: Path, cluster: Workers, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for file in presets.iterdir():
        (tmp_path / "in" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "in" / "broken.h2p").write_bytes(b"no preset")
    play = ["render", tmp_path / "in", *SHORT, "--format", "flac", "--json"]
    here = command(*play, "-o", tmp_path / "here", "--jobs", 1, exit_code=1)
    there = command(*play, "-o", tmp_path / "there", *on(cluster), exit_code=1)
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
    assert len(tree(tmp_path / "here")) == COUNT
    named = there[there.index("[") :].replace("/there/", "/here/")
    assert json.loads(named) == json.loads(here[here.index("[") :])
    command(*play, "-o", tmp_path / "there", *on(cluster), exit_code=2)


only_dask = pytest.mark.parametrize("cluster", ["dask"], indirect=True)


@only_dask
def test_features(cluster: Workers, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 4000)).astype(np.float32)
    take = ["features", "--feature", "mfcc", "--data-file", "sounds.npy", "--hop-length", 256]
    for name, who in (("here", ["--jobs", 1]), ("two", ["--jobs", 2]), ("there", on(cluster))):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "sounds.npy", rows)
        command(*take, "--data-path", folder, *who)
    assert tree(tmp_path / "there") == tree(tmp_path / "two") == tree(tmp_path / "here")
    assert "mfcc.npy" in tree(tmp_path / "here")


@only_dask
def test_a_library(presets: Path, cluster: Workers, tmp_path: Path) -> None:
    here = open_library(presets, workers=Workers(jobs=1), cached_in=tmp_path / "here")
    there = open_library(presets, workers=cluster, cached_in=tmp_path / "there")
    assert (here.rendered, there.rendered) == (COUNT, COUNT)
    np.testing.assert_array_equal(here.prints, there.prints)
    assert tree(tmp_path / "here") == tree(tmp_path / "there")


@only_dask
def test_predict(sounds: Path, cluster: Workers, tmp_path: Path) -> None:
    ask = ["predict", sounds, "--note-pitch", 60, "--candidates", 2]
    command(*ask, "-o", tmp_path / "here", "--jobs", 1)
    command(*ask, "-o", tmp_path / "there", *on(cluster))
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
    assert len(tree(tmp_path / "here")) == 2 * COUNT
