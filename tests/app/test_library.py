"""What is kept in the folder, and that it is what the command line leaves and understands."""

import json
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from deepdiva.app.child import Child
from deepdiva.app.keeping import Words, keep_preset, preset_of
from deepdiva.app.library import Library
from deepdiva.app.panel import acting_names, panel_description
from deepdiva.app.target import TargetChoice
from deepdiva.app.wav import wav_bytes
from deepdiva.audio import read_audio
from deepdiva.errors import (
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    UnknownNameError,
)
from deepdiva.note import Note
from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.synths.diva import DIVA, acting
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.user_folder import user_folders


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path)


def test_sounds_and_takes_are_there_again(library):
    sound = library.add_sound("Bass_C2.wav", b"RIFF")
    take = library.new_take(sound, locked=["VCF1.Freq"], base=DIVA.defaults().tolist())
    take.state = "running"
    library.keep(take)
    again = Library(library.folder)
    assert again.sounds == library.sounds
    assert again.takes == library.takes
    assert again.token() == library.token()
    assert again.file(sound).read_bytes() == b"RIFF"


def test_takes_lie_where_refine_would_write_them(library):
    sound = library.add_sound("bass.wav", b"RIFF")
    first, second = library.new_take(sound), library.new_take(sound)
    assert library.output(first) == library.folder
    assert library.run_folder(first) == library.folder / "bass.run"
    assert library.run_folder(second) == library.folder / "take-2" / "bass.run"
    assert (library.folder / "take-2").is_dir()


def test_a_base_patch_becomes_a_preset(library):
    patch = DIVA.defaults()
    patch[DIVA.index("VCF1.Freq")] = 77.25
    take = library.new_take(library.add_sound("a.wav", b""), base=patch.tolist())
    assert np.array_equal(Preset.read(library.base_file(take)).values(), patch)


def test_two_sounds_of_one_name_are_two(library):
    names = [library.add_sound("Bass.wav", bytes([k])).id for k in range(2)]
    names.append(library.add_sound("bass.flac", b"2").id)
    assert names == ["Bass", "Bass_2", "bass_3"]


def test_what_refine_left_is_a_take(tmp_path):
    run = tmp_path / "bass.run"
    run.mkdir()
    preset = Preset.template()
    preset.write(tmp_path / "bass.h2p")
    preset.write(run / "alternative-1.h2p")
    about = {
        "sound": "bass.flac",
        "note": Note(pitch=36).to_dict(),
        "settings": {"seed": 3},
        "space": {
            "table": "diva",
            "free": [
                {"name": "VCF1.Freq", "kind": "x", "minimum": 30, "maximum": 150, "choices": []}
            ],
            "base": {},
        },
    }
    (run / "run.json").write_text(json.dumps(about))
    library = Library(tmp_path)
    take = library.take("bass~1")
    assert (take.state, take.note["pitch"], take.seed) == ("done", 36, 3)
    assert take.answer["best"]["patch"] == preset.values().tolist()
    assert take.answer["free"] == ["VCF1.Freq"]
    assert len(take.answer["others"]) == 1
    assert library.file(library.sound("bass")) is None
    sound = tmp_path / "elsewhere" / "bass.flac"
    sound.parent.mkdir()
    sound.write_bytes(b"fLaC")
    assert library.adopt(sound) is library.sound("bass")
    assert library.file(library.sound("bass")).read_bytes() == b"fLaC"


def test_damaged_entries_are_refused_in_one_line(library, tmp_path):
    sound = library.add_sound("bass.wav", b"RIFF")
    take = library.new_take(sound, base=DIVA.defaults().tolist())
    take.state, take.edit = "done", take.base
    take.answer = {"best": {"patch": take.base, "distance": 0.5}, "free": [], "roles": []}
    library.keep(take)
    Library(library.folder)
    for kind, entry in (("sounds", sound.id), ("takes", take.id)):
        file = tmp_path / ".app" / kind / f"{entry}.json"
        whole = file.read_bytes()
        content = json.loads(whole)
        spoiled = [b"", whole[:40], b"[" * 100_000, b"[1]", whole.replace(b"bass", b"../x")]
        for name, value in content.items():
            other = 7 if isinstance(value, str | dict | list) else [None]
            spoiled.append(json.dumps({**content, name: other}).encode())
        for data in (
            *spoiled,
            json.dumps({**content, "answer": {"best": {"patch": [1]}}}).encode(),
        ):
            if kind == "sounds" and data.endswith(b"[1]}}}"):
                continue
            file.write_bytes(data)
            with pytest.raises(InvalidValueError, match=r"does not describe .*: remove it") as told:
                Library(library.folder)
            assert str(file) in str(told.value)
            assert "\n" not in str(told.value)
        file.write_bytes(json.dumps({**content, "of_a_later_version": 1}).encode())
        Library(library.folder)


def test_a_damaged_token_is_made_anew(library, tmp_path):
    (tmp_path / ".app" / "token").write_bytes(b"")
    assert len(library.token()) == 43
    assert library.token() == library.token()


def test_what_was_put_away_stays_away(library):
    sound = library.add_sound("a.wav", b"RIFF")
    library.hide(sound)
    assert Library(library.folder).sound("a").is_hidden
    assert library.file(sound).exists()


def test_unknown_names_are_refused(library):
    with pytest.raises(UnknownNameError, match="reload the page"):
        library.sound("x")
    with pytest.raises(UnknownNameError, match="reload the page"):
        library.take("x")


def test_the_note_of_a_long_sound_is_cut_unless_the_user_says_how_long_it_is():
    long = Note(length_seconds=20.0, render_seconds=30.0).to_dict()
    choice = TargetChoice(Path("a.wav"), NoteChoice(pitch=40))
    assert choice.bounded(long).note == NoteChoice(pitch=40, render_seconds=8.0)
    assert choice.bounded(Note().to_dict()) is choice
    fixed = TargetChoice(Path("a.wav"), NoteChoice(length_seconds=12.0))
    assert fixed.bounded(long) is fixed


def test_samples_pass_exactly(tmp_path):
    audio = np.float32([0.1, -1.5, 2.0, 1e-9])
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(audio, 48000))
    read, rate = read_audio(path)
    assert rate == 48000
    assert np.array_equal(read[:, 0], audio)


def test_every_parameter_that_is_played_stands_on_the_panel_once():
    shown = []
    for module in panel_description()["modules"]:
        chosen = [name for names in module["choices"].values() for name in names]
        assert not set(module["names"]) & set(chosen)
        heads = filter(None, (module["selector"], module["switch"]))
        shown += [*heads, *module["names"], *dict.fromkeys(chosen)]
    assert len(set(shown)) == len(shown)
    assert acting.known() - set(shown) == set()
    assert set(shown) <= set(DIVA.names)


def test_what_acts_follows_the_switches():
    patch = DIVA.defaults()
    assert "OSC.Shape1" not in acting_names(patch)
    patch[DIVA.index("OSC.Model")] = 0
    assert "OSC.Shape1" in acting_names(patch)


def test_a_preset_is_kept_in_divas_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPDIVA_DIVA_PRESETS", str(tmp_path))
    words = Words.of({"name": "../Lead: 1", "author": "A", "categories": "Leads:Soft"})
    path = keep_preset(DIVA.defaults(), words)
    assert path == tmp_path / "DeepDiva" / "_Lead_ 1.h2p"
    assert Preset.read(path).meta["Categories"] == "Leads:Soft"
    with pytest.raises(FileExistsAlreadyError):
        keep_preset(DIVA.defaults(), words)
    keep_preset(DIVA.defaults(), words, force=True)


def test_without_diva_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPDIVA_DIVA_PRESETS", str(tmp_path / "missing"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingFileError, match="download the preset"):
        keep_preset(DIVA.defaults(), Words("a"))


def test_words_are_checked():
    for wanted in ({}, {"name": " "}, {"name": "x" * 61}, {"name": "a", "author": 3}):
        with pytest.raises(InvalidValueError):
            Words.of(wanted)
    assert preset_of(DIVA.defaults(), Words("a", author="'\n")).meta["Author"] == "'\n"


@pytest.mark.parametrize(
    ("platform", "last"),
    [
        ("linux", Path(".u-he/Diva.data/UserPresets/Diva")),
        ("darwin", Path("Library/Audio/Presets/u-he/Diva")),
        ("win32", Path("Documents/u-he/Diva.data/UserPresets/Diva")),
    ],
)
def test_divas_folder_of_each_platform(platform, last):
    home = Path("home")
    assert user_folders(platform, home, {})[0] == home / last
    named = user_folders(platform, home, {"DEEPDIVA_DIVA_PRESETS": "mine"})
    assert named[0] == Path("mine")


def echo(pipe):
    while True:
        pipe.send(pipe.recv())


def test_a_child_that_dies_is_told_of_and_starts_again():
    heard, dead = [], threading.Event()
    answered = threading.Event()

    def on_message(message):
        heard.append(message)
        answered.set()

    child = Child(echo, on_message, dead.set)
    child.send("one")
    assert answered.wait(30)
    os.kill(child.pid, signal.SIGKILL)
    assert dead.wait(30)
    answered.clear()
    child.send("two")
    assert answered.wait(30)
    assert heard == ["one", "two"]
    child.close()
    child.close()
