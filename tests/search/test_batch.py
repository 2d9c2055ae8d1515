"""Many sounds side by side: the same matches as one after the other, and Ctrl-C loses none."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import Target, load_target, write_wav
from deepdiva.cli import main
from deepdiva.cluster import Workers
from deepdiva.left_out import LeftOut
from deepdiva.note import Note
from deepdiva.patch_writer import PresetWriter
from deepdiva.renderer import RendererInfo
from deepdiva.search.many_sounds import WORTH_EVALUATIONS, match_sounds, worth_processes
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.sound_match import Outputs, Task, match_sound
from deepdiva.search.start import Start
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(sample_rate=8000, length_seconds=0.2, render_seconds=0.25)
NOTE_OPTIONS = [
    "--note-pitch",
    "48",
    "--note-length",
    "0.2",
    "--render-length",
    "0.25",
    "--sample-rate",
    "8000",
]
SPACE = default_space()
NAMES = ("bass", "lead", "pad")


class OtherSynthesizer(PanelRenderer):
    """Plays like the engine and is none: it may hold processes of its own."""

    @property
    def info(self):
        return RendererInfo("dawdreamer", "1", repeatable=True, workers="loky")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    points = SPACE.random(np.random.default_rng(3), len(NAMES))
    audio = PanelRenderer().render(SPACE.patches(points), NOTE, 9)
    for name, sound in zip(NAMES, audio, strict=True):
        write_wav(folder / f"{name}.wav", sound, NOTE.sample_rate)
    return folder


def tasks(sounds, folder, **settings):
    """One task for each sound."""
    writer = PresetWriter(Preset.template(), ".h2p")
    chosen = RefineSettings(**{"evaluations": 400, "seed": 2, **settings})
    files = [sounds / f"{name}.wav" for name in NAMES]
    return [
        Task(
            load_target(file, NOTE),
            Outputs.of(file, folder, writer),
            writer,
            SPACE,
            NOTE,
            chosen,
            force=False,
            resume=False,
        )
        for file in files
    ]


def test_processes_find_what_one_after_the_other_finds(sounds, tmp_path):
    starts = [Start.near(SPACE, SPACE.base), None, None]
    engine = PanelRenderer()
    alone = [
        match_sound(task, engine, start)
        for task, start in zip(tasks(sounds, tmp_path / "one"), starts, strict=True)
    ]
    beside = list(match_sounds(tasks(sounds, tmp_path / "two"), starts, engine, Workers(jobs=2)))
    assert [match.task.target.source.stem for match in beside] == list(NAMES)
    for one, two in zip(alone, beside, strict=True):
        assert np.array_equal(one.result.patch, two.result.patch)
        assert np.array_equal(one.result.preview, two.result.preview)
        assert one.result.evaluations == two.result.evaluations
        assert one.result.explanation.to_dict() == two.result.explanation.to_dict()
        assert len(one.alternatives) == len(two.alternatives)
        for ours, theirs in (
            (one.task.outputs.preset, two.task.outputs.preset),
            (one.task.outputs.preview, two.task.outputs.preview),
        ):
            assert ours.read_bytes() == theirs.read_bytes()


def test_a_sound_that_fails_in_a_process_stops_no_other(sounds, tmp_path):
    first, second, _ = tasks(sounds, tmp_path)
    first.outputs.preset.touch()
    workers = Workers(jobs=2)
    bad, good = match_sounds([first, second], [None, None], PanelRenderer(), workers)
    assert isinstance(bad, LeftOut)
    assert bad.sound == first.target.source
    assert "bass.h2p" in bad.reason
    assert good.task.outputs.preset.exists()


@pytest.mark.parametrize(
    ("count", "evaluations", "seconds", "jobs", "worth"),
    [
        (3, WORTH_EVALUATIONS, None, 2, True),
        (3, WORTH_EVALUATIONS // 3, None, 2, False),
        (1, 10 * WORTH_EVALUATIONS, None, 2, False),
        (3, WORTH_EVALUATIONS, None, 1, False),
        (2, None, 5.0, 2, True),
    ],
)
def test_processes_are_started_where_they_are_worth_it(count, evaluations, seconds, jobs, worth):
    settings = RefineSettings(evaluations=evaluations, seconds=seconds)
    writer, sound = PresetWriter(Preset.template(), ".h2p"), Path("sound.wav")
    target = Target(np.zeros(NOTE.samples, np.float32), (), sound)
    outputs = Outputs.of(sound, Path("out"), writer)
    many = [Task(target, outputs, writer, SPACE, NOTE, settings, force=False, resume=False)] * count
    assert worth_processes(many, PanelRenderer(), jobs) == worth
    assert not worth_processes(many, OtherSynthesizer(), jobs)


@pytest.fixture
def folder_search(sounds, tmp_path):
    """Starts a long search of a folder, in a session of its own, and waits until it is under way.

    Ctrl-C in a terminal reaches every process of the session's group, and so does `interrupt`.
    """
    started = []
    output = tmp_path / "out"

    def start(*arguments):
        command = [
            sys.executable,
            "-m",
            "deepdiva",
            "refine",
            "--free",
            "ms-rev1",
            str(sounds),
            "-o",
            str(output),
        ]
        one = subprocess.Popen(
            [*command, *NOTE_OPTIONS, "--jobs", "2", "--no-predict", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(one)
        journals = [output / f"{name}.run" / "generations.jsonl" for name in NAMES[:2]]
        deadline = time.monotonic() + 120
        while not all(path.exists() and path.stat().st_size > 100_000 for path in journals):
            assert one.poll() is None, one.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return one

    yield start
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


@pytest.mark.skipif(os.name == "nt", reason="a process group is interrupted")
def test_ctrl_c_writes_the_best_of_all_sounds_under_way(folder_search, tmp_path):
    search = folder_search("--evaluations", "400000")
    os.killpg(search.pid, signal.SIGINT)
    output, errors = search.communicate(timeout=120)
    assert search.returncode == 130, errors
    assert b"Traceback" not in errors
    assert b"1 sound was not searched; --resume goes on." in b" ".join(errors.split())
    found = json.loads(output)
    assert [entry["end"] for entry in found] == ["interrupted", "interrupted"]
    for entry in found:
        assert entry["distance"] < entry["silence"]
        Preset.read(entry["preset"])
    assert not (tmp_path / "out" / "pad.h2p").exists()
    assert not (tmp_path / "out" / "pad.run").exists()


def test_the_command_matches_a_folder_in_processes(sounds, tmp_path, monkeypatch):
    monkeypatch.setattr("deepdiva.search.many_sounds.WORTH_EVALUATIONS", 300)
    options = [*NOTE_OPTIONS, "--no-predict", "--evaluations", "300", "--json"]
    pair = [str(sounds / f"{name}.wav") for name in NAMES[:2]]
    run = CliRunner().invoke(
        main,
        [
            "refine",
            "--free",
            "ms-rev1",
            *pair,
            "-o",
            str(tmp_path / "both"),
            "--jobs",
            "2",
            *options,
        ],
    )
    assert run.exit_code == 0, run.output
    both = json.loads(run.stdout)
    run = CliRunner().invoke(
        main,
        [
            "refine",
            "--free",
            "ms-rev1",
            pair[1],
            "-o",
            str(tmp_path / "one"),
            "--jobs",
            "1",
            *options,
        ],
    )
    [alone] = json.loads(run.stdout)
    assert [entry["sound"] for entry in both] == pair
    for key in ("distance", "preview_distance", "evaluations", "parameters", "explanation"):
        assert both[1][key] == alone[key]
