"""Which note is played for a recording: what is said goes before what is heard."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.pipeline.note_choice import Chosen, NoteChoice, listen
from deepdiva.pipeline.options import RecordingChoice
from deepdiva.search.pitch import with_keys
from deepdiva.search.start import Start
from deepdiva.synths.diva import default_space

RATE = 22050


def tone(key, held=1.0, release=0.2, lead=0.0):
    """A saw that rises at once, stays, and fades by 60 dB after the key's release."""
    times = np.arange(round((held + release + 0.1) * RATE)) / RATE
    hertz = 440.0 * 2.0 ** ((key - 69) / 12)
    wave = sum(np.sin(2 * np.pi * hertz * n * times) / n for n in range(1, int(9000 / hertz)))
    envelope = 10.0 ** (-3.0 * np.maximum(0.0, times - held) / release)
    return np.concatenate([np.zeros(round(lead * RATE)), 0.2 * envelope * wave]).astype(np.float32)


def heard(folder, audio, choice=None, name="bass.wav", **recording):
    write_wav(folder / name, audio, RATE, force=True)
    return listen(folder / name, choice or NoteChoice(), RecordingChoice(**recording))


def test_everything_is_heard(tmp_path):
    found = heard(tmp_path, tone(55, lead=0.3))
    note = found.chosen.note
    assert (note.pitch, note.velocity, note.sample_rate) == (55, 127, 44100)
    assert note.length_seconds == pytest.approx(1.0, abs=0.03)
    assert note.render_seconds == pytest.approx(1.25, abs=0.05)
    assert found.chosen.is_released
    assert found.chosen.begin_seconds == pytest.approx(0.297, abs=0.002)
    assert found.target.audio.shape == (note.samples,)
    assert any("Trimmed 0.29" in remark for remark in found.remarks)


def test_what_is_said_goes_before(tmp_path):
    choice = NoteChoice(pitch=43, velocity=20, length_seconds=0.4, render_seconds=0.5)
    found = heard(tmp_path, tone(50, lead=0.3), choice)
    assert found.chosen.note == Note(43, 20, 0.4, 0.5, 44100)
    assert any("sounds like key 50 (D3), and you say 43" in remark for remark in found.remarks)
    octave = heard(tmp_path, tone(50), NoteChoice(pitch=38))
    assert any("an octave that an oscillator may add" in remark for remark in octave.remarks)


def test_where_the_sound_begins_is_believed(tmp_path):
    found = heard(tmp_path, tone(50, lead=0.3), part_start=0.25)
    assert found.chosen.begin_seconds == 0.0
    assert found.chosen.note.length_seconds == pytest.approx(1.05, abs=0.03)
    assert np.abs(found.target.audio[: round(0.045 * 44100)]).max() < 1e-3


def test_a_held_note_that_is_cut_has_no_release(tmp_path):
    found = heard(tmp_path, tone(50)[: round(0.8 * RATE)])
    assert not found.chosen.is_released
    assert found.chosen.note.length_seconds == found.chosen.note.render_seconds == 0.8
    shorter = heard(
        tmp_path, tone(50)[: round(0.8 * RATE)], NoteChoice(render_seconds=0.5)
    ).chosen.note
    assert shorter.length_seconds == 0.5


def test_noise_takes_the_usual_key(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    found = heard(tmp_path, noise)
    assert found.chosen.note.pitch == Note().pitch
    assert any("it has no key" in remark for remark in found.remarks)
    own = listen(tmp_path / "bass.wav", NoteChoice(), RecordingChoice(), usual=Note(pitch=60))
    assert own.chosen.note.pitch == 60


def test_the_base_transposes(tmp_path):
    write_wav(tmp_path / "lead.wav", tone(55), RATE)
    found = listen(tmp_path / "lead.wav", NoteChoice(), RecordingChoice(), transposed=7.0)
    assert found.chosen.note.pitch == 48


def test_a_long_steady_part_costs_nothing(tmp_path):
    short = heard(tmp_path, tone(50, held=2.5)).chosen
    found = heard(tmp_path, tone(50, held=20.0))
    assert short.steady is None
    note = found.chosen.note
    assert note.render_seconds < 3.0
    assert note.render_seconds - note.length_seconds == pytest.approx(0.25, abs=0.11)
    assert any("Nothing changes for" in remark for remark in found.remarks)
    # The seam is nowhere louder or softer than the rest by more than two phases may differ.
    blocks = found.target.audio[: round((note.length_seconds - 0.05) * 44100)]
    blocks = blocks[: len(blocks) // 882 * 882].reshape(-1, 882)
    levels = np.sqrt(np.mean(np.square(blocks), axis=1))
    assert levels[1:].max() < 2.0 * levels[1:].min()


def test_a_long_note_that_moves_is_matched_whole(tmp_path):
    audio = tone(50, held=6.0)
    found = heard(tmp_path, audio * np.linspace(1.0, 0.1, len(audio), dtype=np.float32))
    assert found.chosen.steady is None
    assert found.chosen.note.render_seconds > 6.0


def test_what_is_out_of_range_is_refused():
    with pytest.raises(InvalidValueError, match="from 0 to 127"):
        NoteChoice(pitch=128)
    with pytest.raises(InvalidValueError, match="at most 600"):
        NoteChoice(length_seconds=0.0)


CHOSEN = Chosen(Note(), 0.25, (1.0, 2.5), -12.5, (60, 36), is_released=True)


def test_what_was_chosen_is_read_back():
    stored = json.loads(json.dumps([CHOSEN.note.to_dict(), CHOSEN.to_dict()]))
    assert Chosen.from_dict(*stored, Path("run.json")) == CHOSEN
    none = replace(CHOSEN, steady=None)
    assert Chosen.from_dict(none.note.to_dict(), none.to_dict(), Path("run.json")) == none


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("begin_seconds", -1.0),
        ("begin_seconds", "0"),
        ("steady", [1.0]),
        ("cents", float("nan")),
        ("cents", 400.0),
        ("other_keys", [60.5]),
        ("is_released", 1),
        ("other", 0),
    ],
)
def test_a_damaged_record_is_refused(name, value):
    with pytest.raises(InvalidValueError, match=r"run.json holds .* no search writes"):
        Chosen.from_dict(CHOSEN.note.to_dict(), {**CHOSEN.to_dict(), name: value}, Path("run.json"))


def test_a_damaged_note_is_refused():
    for note in (None, {"pitch": 60}, {**Note().to_dict(), "pitch": 200}):
        with pytest.raises(InvalidValueError, match="as note"):
            Chosen.from_dict(note, CHOSEN.to_dict(), Path("run.json"))


def test_resuming_takes_the_note_that_was_chosen(tmp_path):
    write_wav(tmp_path / "bass.wav", tone(48, held=0.3, release=0.05), RATE)
    options = [
        "refine",
        "--free",
        "ms-rev1",
        str(tmp_path / "bass.wav"),
        "-o",
        str(tmp_path / "out"),
        "--no-predict",
    ]
    options += ["--sample-rate", "8000", "--evaluations", "64", "--jobs", "1"]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 0, done.output
    path = tmp_path / "out" / "bass.run" / "run.json"
    run = json.loads(path.read_text())
    assert (run["note"]["pitch"], run["heard"]["is_released"]) == (48, True)
    # As a version would have stored it that hears a little otherwise.
    for changes in ({"note": {**run["note"], "velocity": 90}}, {"heard": {"cents": "0"}}):
        path.write_text(json.dumps({**run, **changes}))
        done = CliRunner().invoke(main, [*options, "--resume", "--json"])
        if "note" in changes:
            assert json.loads(done.stdout)[0]["note"]["velocity"] == 90
        else:
            assert done.exit_code == 2
            assert "no search writes" in " ".join(done.stderr.split())


def test_other_keys_are_starts_of_their_own():
    space = default_space()
    start = with_keys(Start.uniform(space), Note(pitch=48), (60, 36, 53))
    switch = space.table["OSC.Tune1"]
    odds = dict(zip(switch.choice_values, start.probabilities["OSC.Tune1"], strict=True))
    assert odds[0.0] == odds[12.0] == odds[-12.0] > 5 * odds[24.0]
    tuned = space.table["OSC.Tune2"]
    steps = tuned.to_unit(start.hints["OSC.Tune2"])
    assert steps == pytest.approx([0.0, 12.0, -12.0, 5.0])
    assert with_keys(start, Note(), ()).digest() == start.digest()
