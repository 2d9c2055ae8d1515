"""What is said of a recording before it is matched."""

from pathlib import Path

import numpy as np
import pytest

from deepdiva.audio import Target
from deepdiva.note import Note
from deepdiva.pipeline.recordings import heard_note, remarks

NOTE = Note(render_seconds=0.5)


def target(audio, report=()):
    return Target(audio.astype(np.float32), report, Path("bass.wav"))


def tone(key):
    times = np.arange(NOTE.samples) / NOTE.sample_rate
    hertz = 440.0 * 2.0 ** ((key - 69) / 12)
    return 0.1 * sum(np.sin(2 * np.pi * hertz * n * times) / n for n in range(1, 8))


@pytest.mark.parametrize("key", [42, 53.2, 61])
def test_another_key_is_told(key):
    report = ("Took the mean of 2 channels.",)
    first, said = remarks(target(tone(key), report), NOTE)
    assert first == report[0]
    assert f"say --note-pitch {round(key)}" in said
    assert not remarks(target(tone(key)), Note(pitch=round(key), render_seconds=0.5))


def test_a_short_sound_has_its_key_too():
    audio = tone(42) * (np.arange(NOTE.samples) < 0.3 * NOTE.samples)
    assert "key 42" in remarks(target(audio), NOTE)[0]


@pytest.mark.parametrize("key", [24, 36, 47.6, 48, 60.4, 72])
def test_octaves_and_detuning_are_no_other_key(key):
    assert not remarks(target(tone(key)), NOTE)


def test_noise_and_glides_have_no_key():
    noise = np.random.default_rng(0).standard_normal(NOTE.samples)
    assert not remarks(target(noise), NOTE)
    glide = np.sin(np.cumsum(np.geomspace(90.0, 400.0, NOTE.samples)) * 2 * np.pi / 44100)
    assert not remarks(target(glide), NOTE)


def test_a_base_that_transposes_counts():
    assert not remarks(target(tone(55)), NOTE, 7.0)
    assert heard_note(target(tone(55)), NOTE, 7.0).pitch == 48
    [said] = remarks(target(tone(53)), NOTE, 7.0)
    assert "key 46 (174.6 Hz), as the base preset transposes it by 7 semitones" in said
    assert "say --note-pitch 46" in said


def test_a_short_sound_is_no_error():
    short = Note(render_seconds=0.01)
    remarks(target(np.ones(short.samples)), short)
