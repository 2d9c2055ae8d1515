"""Sounds come from test sets, recordings and presets; what cannot be matched is set aside."""

from __future__ import annotations

import numpy as np
import pytest

from deepdiva.audio import write_wav
from deepdiva.data.testsets.testset import ListedSound, TestSet
from deepdiva.errors import InvalidValueError, PresetError, UnknownNameError
from deepdiva.evaluation.sound_collections import (
    from_presets,
    from_recordings,
    from_test_set,
    open_test_set,
)
from deepdiva.files import file_sha256
from deepdiva.note import Note
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(length_seconds=0.3, render_seconds=0.3)


def open_engine(preset):
    return PanelRenderer(preset.detune_pots())


def tone(amplitude=0.4):
    time = np.arange(NOTE.samples) / NOTE.sample_rate
    return (amplitude * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def test_recordings_keep_their_names_and_say_what_was_done(tmp_path):
    write_wav(tmp_path / "kick.wav", np.tile(tone(), 3), 44100)
    collection = from_recordings("drums", [tmp_path / "kick.wav"], NOTE)
    [sound] = collection.sounds
    assert (sound.name, sound.preset, collection.name) == ("kick", None, "drums")
    assert sound.audio.shape == (NOTE.samples,)
    assert sound.report


def test_silent_and_broken_recordings_are_left_out_with_their_reasons(tmp_path):
    write_wav(tmp_path / "good.wav", tone(), 44100)
    write_wav(tmp_path / "silent.wav", tone(0.0), 44100)
    write_wav(tmp_path / "faint.wav", tone(0.00005), 44100)
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    collection = from_recordings("mixed", sorted(tmp_path.glob("*.wav")), NOTE)
    assert [sound.name for sound in collection.sounds] == ["good"]
    assert len(collection.left_out) == 3
    assert all(collection.left_out.values())


def test_a_set_of_which_nothing_is_left_is_refused(tmp_path):
    write_wav(tmp_path / "silent.wav", tone(0.0), 44100)
    with pytest.raises(InvalidValueError, match="no sound that can be matched"):
        from_recordings("nothing", [tmp_path / "silent.wav"], NOTE)


def test_presets_are_played_and_remembered_as_the_truth(tmp_path):
    """With their own detune pots, and with seeds that belong to their names."""
    preset = Preset.template()
    for name in ("one", "two"):
        preset.write(tmp_path / f"{name}.h2p")
    files = sorted(tmp_path.glob("*.h2p"))
    collection = from_presets("mine", files, NOTE, open_engine, seed=0)
    one, two = collection.sounds
    assert np.array_equal(one.preset.values(), preset.values())
    assert not np.array_equal(one.audio, two.audio)
    again = from_presets("mine", files[1:], NOTE, open_engine, seed=0)
    assert np.array_equal(again.sounds[0].audio, two.audio)


def test_a_file_that_is_no_preset_is_refused(tmp_path):
    (tmp_path / "odd.h2p").write_text("hello")
    with pytest.raises(PresetError, match=r"odd\.h2p"):
        from_presets("odd", [tmp_path / "odd.h2p"], NOTE, open_engine, seed=0)


def test_a_test_set_brings_its_patches(tmp_path):
    write_wav(tmp_path / "a.wav", tone(), 44100)
    write_wav(tmp_path / "b.wav", tone(), 44100)
    space = default_space()
    patch = space.base.copy()
    patch[space.table.index("VCF1.Freq")] = 99.0
    digest = file_sha256(tmp_path / "a.wav")
    sounds = TestSet(
        name="tiny",
        folder=tmp_path,
        origin="this test",
        note=NOTE,
        space=space,
        renderer={},
        sounds=(
            ListedSound("a", "a.wav", digest, patch, 3),
            ListedSound("b", "b.wav", digest),
        ),
    )
    sounds.write()
    found = open_test_set(str(tmp_path))
    first, second = from_test_set(found).sounds
    assert np.array_equal(first.preset.values(), patch)
    assert second.preset is None
    assert np.array_equal(first.audio, tone())


def test_a_plain_folder_is_no_test_set(tmp_path):
    assert open_test_set(str(tmp_path)) is None


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UnknownNameError, match="diva50, embedded50"):
        open_test_set("diva51")


def test_numbers_in_names_are_counted_and_not_spelled(tmp_path):
    for name in ("sound 10", "sound 2", "Sound 1", "a"):
        write_wav(tmp_path / f"{name}.wav", tone(), 44100)
    collection = from_recordings("four", list(tmp_path.glob("*.wav")), NOTE)
    names = [sound.name for sound in collection.sounds]
    assert names == ["a", "Sound 1", "sound 2", "sound 10"]


def test_only_the_first_sounds(tmp_path):
    for name in ("a", "b", "c"):
        write_wav(tmp_path / f"{name}.wav", tone(), 44100)
    collection = from_recordings("three", sorted(tmp_path.glob("*.wav")), NOTE)
    assert [sound.name for sound in collection.first(2).sounds] == ["a", "b"]
    assert collection.first(None).sounds == collection.sounds
