"""What is understood of a recording: sounds of known truth, and the cases that went wrong."""

import json
import math
import struct

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from deepdiva.cli import main
from deepdiva.hearing import understand
from deepdiva.hearing.key import Track, find_key
from deepdiva.hearing.kind import is_speech
from deepdiva.hearing.naming import stated_by_name
from deepdiva.units import key_name

RATE = 44100


def hertz(key):
    return 440.0 * 2.0 ** ((key - 69.0) / 12.0)


def wave(key, seconds=1.0, amplitude=lambda n: 1.0 / n):
    """A band-limited wave of given harmonics."""
    times = np.arange(round(seconds * RATE)) / RATE
    count = min(200, math.floor(0.45 * RATE / hertz(key)))
    parts = (amplitude(n) * np.sin(2 * np.pi * n * hertz(key) * times) for n in range(1, count + 1))
    return (0.2 * sum(parts)).astype(np.float32)


SHAPES = {
    "saw": lambda n: 1.0 / n,
    "square": lambda n: n % 2 / n,
    "pulse of 5 %": lambda n: math.sin(math.pi * n * 0.05) / n,
    "resonance on the 7th": lambda n: (1.0 + 12.0 * (n == 7)) / n,
    "no fundamental": lambda n: (n > 1) / n,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("key", [24, 36.2, 48, 59.8, 72, 84, 96])
def test_key_and_tuning_of_waves(shape, key):
    best = find_key(wave(key, amplitude=SHAPES[shape]), RATE)[0]
    assert best.pitch == pytest.approx(key, abs=0.03)


def test_a_tone_beside_noise_keeps_its_key():
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    best = find_key((wave(48) + noise).astype(np.float32), RATE)[0]
    assert best.pitch == pytest.approx(48, abs=0.05)


def test_noise_has_no_key():
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    assert find_key(noise, RATE) == ()


def test_weights_are_shares():
    found = find_key(wave(48) + wave(55), RATE)
    assert 0.9 < sum(candidate.weight for candidate in found) <= 1.0 + 1e-9
    assert found[0].key == 48


@pytest.mark.parametrize(
    ("name", "keys", "velocity"),
    [
        ("Bass_C2", (36, 48), None),
        ("pad-F#3", (54, 66), None),
        ("Bb1 bass", (34, 46), None),
        ("60_vel100", (60,), 100),
        ("lead_A4_v64", (69, 81), 64),
        ("gm004_epiano1_k60", (60,), None),
        ("bass", (), None),
        ("chord_C3_E3_G3", (), None),
        ("take_2", (), None),
        ("c_99_bottles_44100", (99,), None),
    ],
)
def test_names(name, keys, velocity):
    stated = stated_by_name(name)
    assert stated.keys == keys
    assert stated.velocity == velocity


@pytest.mark.parametrize("sounding", [36, 48])
def test_the_sound_tells_which_octave_a_name_means(tmp_path, sounding):
    path = tmp_path / "Bass_C2.wav"
    soundfile.write(path, wave(sounding), RATE)
    heard = understand(path)
    assert heard.key == sounding
    convention = "C4" if sounding == 36 else "C3"
    assert any(f"the middle C being {convention}" in remark for remark in heard.remarks)


@pytest.mark.parametrize("chunk", ["smpl", "inst"])
def test_chunks_name_the_key(tmp_path, chunk):
    path = tmp_path / "sound.wav"
    soundfile.write(path, wave(36), RATE, subtype="PCM_16")
    content = {
        "smpl": struct.pack("<9I", 0, 0, 22676, 36, 0, 0, 0, 0, 0),
        "inst": bytes([36, 0, 0, 0, 127, 1, 127, 0]),
    }[chunk]
    path.write_bytes(path.read_bytes() + chunk.encode() + struct.pack("<I", len(content)) + content)
    heard = understand(path)
    assert (heard.key, heard.key_source) == (36, f"its {chunk} chunk")


def test_who_says_another_key_is_believed_and_told(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, wave(53), RATE)
    heard = understand(path, pitch=48)
    assert heard.key == 48
    assert any("sounds like key 53 (F3), and you say 48" in remark for remark in heard.remarks)


def test_key_names():
    assert [key_name(key) for key in (0, 36, 54, 60, 127)] == ["C-1", "C2", "F#3", "C4", "G9"]


@pytest.mark.parametrize("lead", [0.0, 0.35])
@pytest.mark.parametrize("held", [0.8, 1.4])
@pytest.mark.parametrize("decay", [0.03, 0.1])
def test_onset_and_release(tmp_path, lead, held, decay):
    note = wave(60, 2.0)
    times = np.arange(len(note)) / RATE
    note *= np.where(times < held, 1.0, np.exp(-(times - held) / decay))
    path = tmp_path / "note.wav"
    soundfile.write(path, np.concatenate([np.zeros(round(lead * RATE)), note]), RATE)
    heard = understand(path)
    assert heard.onset_seconds == pytest.approx(lead, abs=0.005)
    assert heard.release_seconds == pytest.approx(lead + held, abs=0.05)
    assert heard.note().length_seconds == pytest.approx(held, abs=0.05)


def test_a_steady_note_that_breaks_off_was_not_released(tmp_path):
    path = tmp_path / "note.wav"
    soundfile.write(path, wave(60, 1.5), RATE)
    heard = understand(path)
    assert heard.is_cut
    assert heard.release_seconds is None
    assert heard.note().length_seconds == heard.note().render_seconds


CASES = {
    "Bass_C2.flac": ("note", 36),
    "Pad-F#3.flac": ("note", 54),
    "bell_E6.flac": ("note", 88),
    "chord_C3_E3_G3.flac": ("chord", 48),
    "chord_fifth_C3_G3.flac": ("note", 48),
    "click_before_note.flac": ("note", 48),
    "data_size_0.wav": ("note", 48),
    "glide_C3_C4.flac": ("glide", 60),
    "hat_80ms.flac": ("drum", None),
    "kick_sweep.flac": ("sweep", None),
    "lead_A4_v64.flac": ("note", 69),
    "left_only.wav": ("note", 48),
    "level_minus40dB.flac": ("note", 48),
    "melody_4_notes.flac": ("melody", 48),
    "noise_only.flac": ("noise", None),
    "octave_low_k36.flac": ("note", 36),
    "pad_10s.flac": ("note", 52),
    "smpl_root_36.wav": ("note", 36),
    "tone_left_hiss_right.wav": ("note", 48),
    "vibrato_5hz.flac": ("vibrato", 57),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(shared, name):
    heard = understand(shared / "cases" / name)
    assert (heard.kind, heard.key) == CASES[name]


@pytest.mark.parametrize(("name", "cents"), [("tuned_plus32", 32), ("tuned_minus18", -18)])
def test_tuning_of_cases(shared, name, cents):
    assert understand(shared / "cases" / f"{name}.flac").cents == pytest.approx(cents, abs=3.0)


def test_keys_of_instruments_by_sound_alone(shared, tmp_path):
    for number, path in enumerate(sorted((shared / "instruments").glob("*.flac"))):
        anonymous = tmp_path / f"sound{number}.flac"
        anonymous.write_bytes(path.read_bytes())
        assert understand(anonymous).key == int(path.stem.rsplit("_k", 1)[1]), path.name


def test_command(tmp_path):
    soundfile.write(tmp_path / "Bass_C2.wav", wave(36), RATE)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    done = CliRunner().invoke(
        main, ["hear", str(tmp_path), "--json", "--output", str(tmp_path / "pictures")]
    )
    assert done.exit_code == 2
    first, second = json.loads(done.stdout)
    assert (first["key"], first["note"]["pitch"]) == (36, 36)
    assert "cannot be read" in second["error"]
    assert (tmp_path / "pictures" / "Bass_C2.png").read_bytes()[:4] == b"\x89PNG"
    assert "36 C2" in CliRunner().invoke(main, ["hear", str(tmp_path / "Bass_C2.wav")]).stdout


def written(path, sound):
    """The path of a sound that was written."""
    soundfile.write(path, sound, RATE)
    return path


def spoken(slope, syllables=5):
    """Track and levels of syllables: voiced frames whose pitch moves, a hiss, a rest."""
    pitches = np.tile(np.r_[45.0 + slope * np.arange(7), np.full(9, 60.0)], syllables)
    clarity = np.tile(np.r_[np.full(7, 0.9), np.full(9, 0.2)], syllables)
    levels = np.tile(np.r_[np.full(7, -10.0), np.full(4, -18.0), np.full(5, -60.0)], syllables)
    seconds = 0.02 * np.arange(len(levels))
    return Track(seconds, hertz(pitches), clarity), levels


def test_speech_moves_in_pitch_and_tunes_do_not():
    assert is_speech(*spoken(-0.25))
    assert not is_speech(*spoken(0.0))
    track, levels = spoken(-0.25)
    assert not is_speech(track, np.full_like(levels, -10.0))


def test_many_hits_are_a_loop(tmp_path):
    rng = np.random.default_rng(4)
    hit = rng.standard_normal(4000) * np.exp(-np.arange(4000) / 400.0)
    heard = understand(written(tmp_path / "loop.wav", np.tile(np.r_[hit, np.zeros(7000)], 6)))
    assert heard.kind == "loop"
    assert any(remark.startswith("A loop or a phrase:") for remark in heard.remarks)


def test_a_tail_that_is_longer_than_its_note_is_named(tmp_path):
    times = np.arange(4 * RATE) / RATE
    levels = np.where(times < 0.3, 1.0, 0.25 * np.exp(-1.5 * (times - 0.3)))
    heard = understand(written(tmp_path / "hall.wav", levels * wave(57, 4.0)))
    assert heard.kind == "reverberant"
    assert any("rings for" in remark for remark in heard.remarks)
