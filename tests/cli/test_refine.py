"""`deepdiva refine` as a user meets it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.distance import SpectralDistance
from deepdiva.level import at_reference
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.space import VOLUMES

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
OPTIONS = [*NOTE_OPTIONS, "--jobs", "1"]
SHORT = [*OPTIONS, "--evaluations", "150"]
SPACE = default_space()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Two sounds of the embedded engine, as files."""
    folder = tmp_path_factory.mktemp("sounds")
    points = SPACE.random(np.random.default_rng(3), 2)
    for name, audio in zip(
        ("bass", "lead"), PanelRenderer().render(SPACE.patches(points), NOTE, 9), strict=True
    ):
        write_wav(folder / f"{name}.wav", audio, NOTE.sample_rate)
    return folder


def refine(*arguments):
    return CliRunner().invoke(main, ["refine", "--free", "ms-rev1", *map(str, arguments)])


def test_a_sound_becomes_a_preset_a_preview_and_a_picture(sounds, tmp_path):
    options = [*OPTIONS, "--evaluations", "700", "--keep-tuning"]
    result = refine(sounds / "bass.wav", "-o", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert f"bass.wav -> {tmp_path / 'bass.h2p'}: " in result.stdout
    assert "key 48 (C3), by --note-pitch" in result.stdout
    assert "silence 1." in result.stdout
    preset = Preset.read(tmp_path / "bass.h2p")
    assert "bass.wav" in preset.meta["Description"]
    preview, rate = soundfile.read(tmp_path / "bass.wav", dtype="float32")
    assert rate == NOTE.sample_rate
    # The preview has the target's realization; the preset, played with other start phases, is near.
    played = PanelRenderer().render(preset.values()[None], NOTE, 0)[0]
    target, _ = soundfile.read(sounds / "bass.wav", dtype="float32")
    [target, *sounds] = at_reference(np.stack([target, preview, played]))[0]
    distance = SpectralDistance(target, NOTE.sample_rate)(np.stack(sounds))
    assert f"{distance[0]:.4f} with fitted phases" in result.stdout
    assert f"distance {distance[1]:.4f} " in result.stdout
    assert (tmp_path / "bass.png").read_bytes().startswith(b"\x89PNG")
    assert Preset.read(tmp_path / "bass.run" / "best.h2p")
    rows = (tmp_path / "bass.run" / "history.csv").read_text().splitlines()
    assert 560 <= len(rows) - 1 < 625, "the fit of the realization is no part of the search"


def test_a_folder_is_a_sound_after_the_other(sounds, tmp_path):
    result = refine(sounds, "-o", tmp_path, "--json", *SHORT)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [entry["sound"].rsplit("/", 1)[1] for entry in found] == ["bass.wav", "lead.wav"]
    for entry in found:
        assert entry["evaluations"] == 150
        assert 0 < entry["distance"] < entry["silence"]
        values = Preset.read(entry["preset"]).values()
        for name, value in entry["parameters"].items():
            assert values[SPACE.table.index(name)] == value
        assert entry["settings"]["evaluations"] == 150
        assert entry["note"] == NOTE.to_dict()


def test_json_and_files_are_the_same_every_time(sounds, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, jobs in ((one, "1"), (two, "3")):
        refine(sounds / "lead.wav", "-o", folder, *SHORT, "--jobs", jobs, "--seed", "7")
    for name in ("lead.h2p", "lead.wav"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_what_was_done_to_the_sound_is_said(tmp_path):
    audio = np.sin(np.arange(44100) * 0.1)[:, None].repeat(2, axis=1) * 0.3
    silence = np.zeros((4410, 2))
    soundfile.write(tmp_path / "tone.flac", np.concatenate([silence, audio]), 44100)
    result = refine(tmp_path / "tone.flac", "-o", tmp_path / "out", *SHORT)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stderr.split())
    for sentence in (
        "Took the mean of 2 channels.",
        "Trimmed 0.097 s before the sound begins.",
        "Resampled from 44,100 to 8,000 Hz.",
        "Cut to 0.25 s",
    ):
        assert sentence in said


def test_free_locked_and_base_parameters_are_respected(sounds, tmp_path):
    base = tmp_path / "base.h2p"
    patch = Preset.template().values()
    patch[SPACE.table.index("VCF1.Res")] = 33.0
    Preset.template(author="Somebody").with_values(patch).write(base)
    result = refine(
        sounds / "bass.wav", "-o", tmp_path / "out", "--base", base, "--free", "148 OSC.Wave1 86",
        "--lock", "OSC.Wave1=pulse", "--json", *SHORT,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)
    assert set(found["parameters"]) == {"VCF1.Freq", "OSC.Tune1"}
    values = Preset.read(found["preset"]).values()
    assert values[SPACE.table.index("OSC.Wave1")] == 3.0
    changed = np.flatnonzero(values != patch)
    names = {SPACE.table[int(i)].name for i in changed}
    assert names <= {"VCF1.Freq", "OSC.Tune1", "OSC.Wave1", *VOLUMES}


def test_weights_are_kept_with_the_search(sounds, tmp_path):
    weights = ["--weight", "frames=1", "--weight", "level=0.3"]
    result = refine(sounds / "bass.wav", "-o", tmp_path, *SHORT, *weights, "--json")
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)
    assert found["settings"]["weights"] == {"frames": 1.0, "level": 0.3}
    other = refine(sounds / "bass.wav", "-o", tmp_path, *SHORT, "--resume")
    assert other.exit_code == 2
    assert "settings differ" in other.stderr


def test_parameters_that_the_engine_ignores_are_not_searched(sounds, tmp_path):
    result = refine(sounds / "bass.wav", "-o", tmp_path, "--free", "VCF1.Freq Scope1.frq", *SHORT)
    assert result.exit_code == 0, result.output
    assert "does not honour Scope1.frq" in result.stderr


def test_nothing_is_overwritten_unasked(sounds, tmp_path):
    assert refine(sounds / "bass.wav", "-o", tmp_path, *SHORT).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = refine(sounds / "bass.wav", "-o", tmp_path, *SHORT)
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert "--force" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert refine(sounds / "bass.wav", "-o", tmp_path, "--force", *SHORT).exit_code == 0


def test_resuming_overwrites_only_what_the_search_has_written(sounds, tmp_path):
    arguments = [sounds / "bass.wav", "-o", tmp_path, *SHORT, "--resume"]
    preset = tmp_path / "bass.h2p"
    preset.write_bytes(b"of another command")
    foreign = refine(*arguments)
    assert foreign.exit_code == 2
    assert "bass.h2p exists already" in foreign.stderr
    preset.unlink()
    assert refine(*arguments).exit_code == 0
    found = preset.read_bytes()
    assert refine(*arguments).exit_code == 0
    preset.write_bytes(b"worked on since")
    edited = refine(*arguments)
    assert edited.exit_code == 2
    assert "bass.h2p was changed since the search had written it" in edited.stderr
    assert preset.read_bytes() == b"worked on since"
    assert refine(*arguments, "--force").exit_code == 0
    assert preset.read_bytes() == found
    # Killed before it had written anything, it has written nothing of what lies there now.
    (tmp_path / "bass.run" / "written.json").unlink()
    assert "bass.h2p exists already" in refine(*arguments).stderr


def test_an_earlier_search_leaves_no_alternatives_behind(sounds, tmp_path):
    run = tmp_path / "bass.run"
    arguments = [sounds / "bass.wav", "-o", tmp_path, *SHORT]
    assert refine(*arguments).exit_code == 0
    found = sorted(path.name for path in run.glob("alternative-*"))
    for stale in ("alternative-7.h2p", "alternative-8.json"):
        (run / stale).touch()
    assert refine(*arguments, "--force").exit_code == 0
    assert sorted(path.name for path in run.glob("alternative-*")) == found


def test_the_sound_itself_is_never_overwritten(sounds):
    before = (sounds / "bass.wav").read_bytes()
    result = refine(sounds / "bass.wav", "-o", sounds, "--force", *SHORT)
    assert result.exit_code == 2
    assert "would overwrite the sound itself" in result.stderr
    assert (sounds / "bass.wav").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "TwoPointDE"], "no optimizer 'TwoPointDE'. Similar: TwoPointsDE"),
        (["--lock", "OSC.Wave1=7"], "OSC.Wave1 = 7"),
        (["--free", "VCF1.Frequ"], "VCF1.Freq"),
        (["--base", "nowhere.h2p"], "nowhere.h2p"),
        (["--evaluations", "0"], "evaluations"),
        (["--mode", "fast"], "fast"),
        (["--weight", "full"], "such as full=1"),
        (["--no-predict", "--model-file", "none.safetensors"], "contradict each other"),
        (["--weight", "loudness=1"], "no distance 'loudness'"),
    ],
)
def test_mistakes_are_one_line_and_no_file(sounds, tmp_path, arguments, message):
    result = refine(sounds / "bass.wav", "-o", tmp_path / "out", *OPTIONS, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_sounds_that_are_none_are_refused(tmp_path):
    write_wav(tmp_path / "silent.wav", np.zeros(8000, np.float32), 8000)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("silent.wav", "silent"),
        ("text.wav", "cannot be read"),
        ("nowhere.wav", "does not exist"),
        ("empty", "holds no sound"),
    ):
        result = refine(tmp_path / name, "-o", tmp_path / "out", *SHORT)
        assert result.exit_code == 2, name
        assert message in result.stderr
        assert not (tmp_path / "out" / "silent.h2p").exists()


def test_one_bad_sound_stops_no_other_and_is_listed_at_the_end(sounds, tmp_path):
    write_wav(tmp_path / "silent.wav", np.zeros(8000, np.float32), 8000)
    result = refine(tmp_path / "silent.wav", sounds / "bass.wav", "-o", tmp_path / "out", *SHORT)
    assert result.exit_code == 2
    assert (tmp_path / "out" / "bass.h2p").exists()
    assert "1 sound was left out:" in result.stderr
    assert "silent.wav is silent" in " ".join(result.stderr.splitlines()[-1].split())


def test_a_match_below_a_grade_has_an_exit_code_of_its_own(tmp_path):
    hertz = (300.0, 2900.0)  # one note of one voice does not leap
    tones = 0.3 * np.sin(np.outer(hertz, np.arange(1000) * 2.0 * np.pi / 8000))
    write_wav(tmp_path / "odd.wav", tones.ravel().astype(np.float32), 8000)
    result = refine(
        tmp_path / "odd.wav", "-o", tmp_path / "out", *SHORT, "--fail-below", "good", "--json"
    )
    [found] = json.loads(result.stdout)
    assert found["grade"]["name"] in ("fair", "poor", "failed")
    assert found["grade"]["reason"]
    assert result.exit_code == 3
    assert (tmp_path / "out" / "odd.h2p").exists()


def test_a_sound_that_is_named_twice_is_searched_once(sounds, tmp_path):
    result = refine(sounds / "bass.wav", sounds / "bass.wav", "-o", tmp_path / "out", *SHORT)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("bass.h2p") == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has but one encoding of names")
def test_a_name_of_another_encoding_is_no_obstacle(sounds, tmp_path):
    named = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    shutil.copy(sounds / "bass.wav", named)
    result = refine(os.fsdecode(named), "-o", tmp_path / "out", *SHORT)
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert (tmp_path / "out" / os.fsdecode(b"caf\xe9.h2p")).exists()


def test_what_the_engine_does_not_do_of_a_base_is_said(sounds, tmp_path):
    values = DIVA.defaults()
    values[DIVA.index("ENV2.Trig")] = 1.0
    Preset.template().with_values(values).write(tmp_path / "base.h2p")
    arguments = [sounds / "bass.wav", "-o", tmp_path / "out", *SHORT]
    assert "searches without" not in refine(*arguments).stderr
    warned = refine(*arguments, "--force", "--base", tmp_path / "base.h2p")
    assert "searches without what the base preset asks for: ENV2.Trig" in warned.stderr


def test_two_sounds_of_one_name_are_refused_before_the_search(sounds, tmp_path):
    other = tmp_path / "bass.flac"
    soundfile.write(other, np.ones(100) * 0.1, 8000)
    result = refine(sounds / "bass.wav", other, "-o", tmp_path / "out", *SHORT)
    assert result.exit_code == 2
    assert "would both become" in result.stderr


def hears_ctrl_c():
    """Tests that run in the background ignore SIGINT, and what they start would inherit it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def process(sounds, tmp_path):
    """Starts a long search in a process of its own, and waits until it is under way."""
    started = []

    def start(*arguments):
        command = [
            sys.executable,
            "-m",
            "deepdiva",
            "refine",
            "--free",
            "ms-rev1",
            str(sounds / "bass.wav"),
        ]
        options = ["-o", str(tmp_path / "out"), *OPTIONS, "--evaluations", "400000"]
        one = subprocess.Popen(
            [*command, *options, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=hears_ctrl_c if os.name == "posix" else None,
        )
        started.append(one)
        journal = tmp_path / "out" / "bass.run" / "generations.jsonl"
        deadline = time.monotonic() + 120
        while not journal.exists() or journal.stat().st_size < 50_000:
            assert one.poll() is None, one.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return one

    yield start
    for one in started:
        one.kill()
        one.communicate()


def test_ctrl_c_writes_the_best_so_far(process, tmp_path):
    search = process("--json")
    search.send_signal(signal.SIGINT)
    output, errors = search.communicate(timeout=120)
    assert search.returncode == 130
    assert b"best match so far was written" in errors
    assert b"Traceback" not in errors
    [found] = json.loads(output)
    assert found["end"] == "interrupted"
    assert found["distance"] < found["silence"]
    Preset.read(tmp_path / "out" / "bass.h2p")


@pytest.mark.parametrize("option", ["--resume", "--force"])
def test_a_search_at_work_is_left_alone(process, sounds, tmp_path, option):
    process()
    whole = [*OPTIONS, "--evaluations", "400000", option]
    other = refine(sounds / "bass.wav", "-o", tmp_path / "out", *whole)
    assert other.exit_code == 2
    assert "bass.run is in use by another search" in " ".join(other.stderr.split())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_search_goes_on_where_it_stood(process, sounds, tmp_path):
    search = process()
    search.kill()
    search.communicate()
    journal = tmp_path / "out" / "bass.run" / "generations.jsonl"
    lines = journal.read_bytes().count(b"\n")
    assert Preset.read(tmp_path / "out" / "bass.run" / "best.h2p")
    assert not (tmp_path / "out" / "bass.h2p").exists()
    # The budget belongs to the search: another one is another search.
    other = refine(sounds / "bass.wav", "-o", tmp_path / "out", *SHORT, "--resume")
    assert other.exit_code == 2
    assert "holds another search: settings differ" in other.stderr
    resumed = process("--resume")
    deadline = time.monotonic() + 120
    while journal.read_bytes().count(b"\n") < lines + 20:
        assert resumed.poll() is None, resumed.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    resumed.send_signal(signal.SIGINT)
    resumed.communicate(timeout=120)
    assert resumed.returncode == 130
    Preset.read(tmp_path / "out" / "bass.h2p")
