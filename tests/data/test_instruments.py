"""Test sets of instruments: a note of MIDI, a sound font where there is one, recorded notes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import write_wav
from deepdiva.cli import main
from deepdiva.data.testsets.instruments import (
    FURTHER,
    PROGRAMS,
    make_from_recordings,
    make_from_soundfont,
    midi,
)
from deepdiva.data.testsets.testset import TestSet
from deepdiva.errors import FileExistsAlreadyError, InvalidValueError, MissingFileError
from deepdiva.evaluation.pitch import key_of
from deepdiva.evaluation.sound_collections import from_test_set
from deepdiva.note import Note
from deepdiva.synths.diva import default_space

FONTS = [Path("/usr/share/sounds/sf2") / name for name in ("TimGM6mb.sf2", "FluidR3_GM.sf2")]
NOTE = Note(pitch=60, velocity=100, length_seconds=0.4, render_seconds=0.5)


def tone(key: float, note: Note = NOTE) -> np.ndarray:
    time = np.arange(note.samples) / note.sample_rate
    hertz = 440.0 * 2 ** ((key - 69) / 12)
    return (0.3 * sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 9))).astype("f4")


def test_a_note_of_midi_by_hand() -> None:
    """960 ticks a second: held for 384 = 3 * 128 + 0, then 0.3 s to the end."""
    data = midi(11, NOTE)
    assert data[:14] == b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0"
    assert data[14:18] == b"MTrk"
    assert data[22:] == bytes.fromhex("00 c0 0b 00 90 3c 64 83 00 80 3c 00 82 20 ff 2f 00")
    assert int.from_bytes(data[18:22], "big") == len(data) - 22


def test_programs_are_32_of_general_midi() -> None:
    assert len({program for program, _, _ in PROGRAMS}) == 32
    assert all(0 <= program < 128 for program, _, _ in PROGRAMS)


def test_a_sound_font_sounds_on_its_keys(tmp_path: Path) -> None:
    fonts = [font for font in FONTS if font.is_file()]
    if not fonts or shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth, or Debian's timgm6mb-soundfont, is not installed")
    programs = [(73, "flute", 72)]
    folder = tmp_path / "set"
    space = default_space()
    made = make_from_soundfont(folder, "i", fonts[0], NOTE, space, programs=programs)
    there = TestSet.open(folder)
    [sound] = there.sounds
    assert there.damaged() == []
    assert sound.patch is None
    assert key_of(there.audio(sound), NOTE.sample_rate) == pytest.approx(72, abs=0.5)
    for further, (semitones, velocity) in zip(sound.further, FURTHER, strict=True):
        assert further.note.velocity == velocity
        found = key_of(there.audio(further), NOTE.sample_rate)
        assert found == pytest.approx(72 + semitones, abs=0.5)
    with pytest.raises(FileExistsAlreadyError):
        make_from_soundfont(folder, "i", fonts[0], NOTE, space, programs=programs)
    assert [each.sha256 for each in made.sounds] == [sound.sha256]


def test_without_a_font_it_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="apt install fluid"):  # the program or the font
        make_from_soundfont(tmp_path / "s", "i", tmp_path / "none.sf2", NOTE, default_space())


def test_recorded_notes_with_their_keys_and_further_ones(tmp_path: Path) -> None:
    source, folder = tmp_path / "notes", tmp_path / "set"
    source.mkdir()
    for name, key in (("bass_k36", 36), ("bass_k36@48", 48), ("bass_k36@36v60", 36), ("pad", 60)):
        write_wav(source / f"{name}.wav", tone(key), NOTE.sample_rate)
    options = ["--note-length", "0.4", "--render-length", "0.5", "--note-pitch", "60"]
    arguments = ["testset", "make", str(folder), "--from-recordings", str(source), *options]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    collection = from_test_set(TestSet.open(folder))
    bass, pad = collection.sounds
    assert (bass.name, pad.name) == ("bass_k36", "pad")
    assert bass.note is not None
    assert bass.note.pitch == 36
    notes = [(note.pitch, note.velocity) for note, _ in bass.further]
    assert notes == [(36, 60), (48, 127)]
    assert key_of(bass.further[1][1], NOTE.sample_rate) == pytest.approx(48, abs=0.1)
    assert pad.further == ()


def test_further_recordings_of_nothing_are_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "lead@48.wav", tone(48), NOTE.sample_rate)
    with pytest.raises(InvalidValueError, match="no lead itself"):
        make_from_recordings(
            tmp_path / "set", "n", [tmp_path / "lead@48.wav"], NOTE, default_space()
        )
    sources = ["--soundfont", "x.sf2", "--from-recordings", str(tmp_path)]
    refused = CliRunner().invoke(main, ["testset", "make", str(tmp_path / "two"), *sources])
    assert refused.exit_code == 2
    assert "name one of them" in refused.output
