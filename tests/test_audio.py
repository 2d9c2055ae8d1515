"""Reading targets and writing previews: levels stay, trimming is what a musician expects."""

import struct

import numpy as np
import pytest
import soundfile

from deepdiva.audio import load_target, read_audio, sound_files, write_wav
from deepdiva.errors import (
    AudioError,
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
)
from deepdiva.note import Note

NOTE = Note(render_seconds=1.0)
RATE = 44100


def tone(seconds=1.0, rate=RATE, frequency=440.0, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def saved(folder, samples, rate=RATE, name="sound.wav", subtype="FLOAT"):
    path = folder / name
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def spectral_peak(audio, rate=RATE):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return np.argmax(spectrum) * rate / len(audio)


def test_a_sound_that_fits_is_not_touched(tmp_path):
    samples = tone().astype(np.float32)
    target = load_target(saved(tmp_path, samples), NOTE)
    assert np.array_equal(target.audio, samples)
    assert target.audio.dtype == np.float32
    assert target.report == ()
    assert target.source == tmp_path / "sound.wav"


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("sound.wav", "PCM_16", 1e-4),
        ("sound.wav", "PCM_24", 1e-6),
        ("sound.flac", "PCM_24", 1e-6),
        ("sound.aiff", "PCM_16", 1e-4),
        ("sound.ogg", "VORBIS", 0.02),
        ("sound.mp3", "MPEG_LAYER_III", 0.02),
    ],
)
def test_formats_keep_pitch_and_level(tmp_path, name, subtype, tolerance):
    samples = tone()
    target = load_target(saved(tmp_path, samples, name=name, subtype=subtype), NOTE)
    assert target.audio.shape == (NOTE.samples,)
    middle = slice(RATE // 4, 3 * RATE // 4)
    rms = np.sqrt(np.mean(target.audio[middle] ** 2))
    assert rms == pytest.approx(0.5 / np.sqrt(2), rel=max(tolerance, 1e-3))
    assert spectral_peak(target.audio) == pytest.approx(440, abs=1.5)
    if tolerance < 0.01:
        assert np.allclose(target.audio, samples, atol=tolerance)


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000, 192000])
def test_any_sample_rate_gives_the_same_tone(tmp_path, rate):
    target = load_target(saved(tmp_path, tone(rate=rate), rate), NOTE)
    middle = slice(2000, NOTE.samples - 2000)
    assert np.abs(target.audio - tone())[middle].max() < 1e-4
    assert target.report[0] == f"Resampled from {rate:,} to 44,100 Hz."


def test_resampling_lets_no_alias_through(tmp_path):
    target = load_target(saved(tmp_path, tone(rate=96000, frequency=30000), 96000), NOTE)
    assert np.abs(target.audio[2000:-2000]).max() < 1e-5


def test_channels_are_averaged_and_levels_stay(tmp_path):
    left, right = tone(level=1.6), tone(frequency=880.0, level=0.2)
    target = load_target(saved(tmp_path, np.stack([left, right], axis=1)), NOTE)
    assert np.allclose(target.audio, (left + right) / 2, atol=1e-6)
    assert target.report == ("Took the mean of 2 channels.",)


def test_channels_that_cancel_each_other_out(tmp_path):
    target = load_target(saved(tmp_path, np.stack([tone(), -0.99 * tone()], axis=1)), NOTE)
    assert np.allclose(target.audio, tone(), atol=1e-6)
    assert "cancel each other out: took channel 1" in target.report[0]


@pytest.mark.parametrize("background", [0.0, 1e-4, 3e-3])
def test_silence_and_hiss_before_the_note_are_trimmed(tmp_path, background):
    rng = np.random.default_rng(1)
    lead = rng.normal(0, background, round(0.7 * RATE))
    target = load_target(saved(tmp_path, np.concatenate([lead, tone(2.0)])), NOTE)
    # The note begins 3 ms after the start, up to the 10 ms by which hiss is measured.
    onset = np.argmax(np.abs(target.audio) > 0.02) / RATE
    assert 0.002 < onset < 0.015
    assert "before the sound begins" in target.report[0]


@pytest.mark.parametrize("background", [0.0, 1e-3])
def test_a_constant_offset_is_no_sound(tmp_path, background):
    rng = np.random.default_rng(1)
    lead = rng.normal(0, background, round(0.7 * RATE))
    target = load_target(saved(tmp_path, 0.02 + np.concatenate([lead, tone(2.0)])), NOTE)
    onset = np.argmax(np.abs(target.audio - 0.02) > 0.02) / RATE
    assert 0.002 < onset < 0.015
    assert "before the sound begins" in target.report[0]


@pytest.mark.parametrize(("frequency", "width"), [(27.5, 0.1), (32.7, 0.1), (30.0, 0.05)])
def test_a_pulse_that_begins_flat_keeps_its_beginning(tmp_path, frequency, width):
    turns = (np.arange(2 * RATE) / RATE * frequency + 0.12) % 1
    samples = 0.5 * np.where(turns < width, 1 - width, -width)
    assert load_target(saved(tmp_path, samples), Note()).report == ()


@pytest.mark.parametrize("seconds", [0.5, 2.0, 10.0])
@pytest.mark.parametrize("law", ["linear", "exponential"])
def test_a_slow_attack_is_not_trimmed_away(tmp_path, seconds, law):
    time = np.arange(2 * RATE) / RATE
    rise = time / seconds if law == "linear" else 10 ** (2.5 * (time / seconds - 1))
    target = load_target(saved(tmp_path, tone(2.0) * np.minimum(rise, 1)), Note())
    assert target.report == ()


def test_an_attack_after_silence_keeps_its_beginning(tmp_path):
    rise = np.minimum(np.arange(2 * RATE) / RATE, 1)
    samples = np.concatenate([np.zeros(RATE), tone(2.0) * rise])
    target = load_target(saved(tmp_path, samples), NOTE)
    piece = target.audio[10000:10050]
    place = next(i for i in range(RATE, 2 * RATE) if np.allclose(samples[i : i + 50], piece))
    # The start lies within 3 ms of the moment at which the note was struck.
    assert abs(place - 10000 - RATE) < 0.003 * RATE


def test_the_recordings_of_diva_are_not_trimmed(diva_recordings):
    for path in diva_recordings:
        report = load_target(path, Note()).report
        assert report == ("Cut to 2 s, with a fade of 2 ms.",)


def test_long_sounds_are_cut_with_a_fade(tmp_path):
    samples = tone(3.0)
    target = load_target(saved(tmp_path, samples), NOTE)
    assert np.allclose(target.audio[: RATE - 88], samples[: RATE - 88], atol=1e-6)
    assert target.audio[-1] == 0
    assert target.report == ("Cut to 1 s, with a fade of 2 ms.",)


def test_short_sounds_are_padded(tmp_path):
    target = load_target(saved(tmp_path, tone(0.25)), NOTE)
    assert not target.audio[RATE // 4 + 1 :].any()
    assert target.report[0] == "Added 0.750 s of silence at the end."


def test_who_breaks_off_is_told_of_the_silence(tmp_path):
    sound = tone(0.25)
    [_, said] = load_target(saved(tmp_path, sound), NOTE).report
    assert "breaks off 0 dB below its peak" in said
    assert "--render-length 0.250" in said
    faded = sound * np.exp(-8.0 * np.linspace(0.0, 1.0, sound.size))
    assert len(load_target(saved(tmp_path, faded), NOTE).report) == 1


def test_a_part_of_a_file(tmp_path):
    samples = np.concatenate([tone(1.0, frequency=220), tone(1.0), tone(1.0, frequency=880)])
    path = saved(tmp_path, samples)
    target = load_target(path, NOTE, start_seconds=1.0, length_seconds=0.5)
    assert np.allclose(target.audio[: RATE // 2], samples[RATE : RATE + RATE // 2], atol=1e-6)
    assert not target.audio[RATE // 2 :].any()
    assert target.report[0] == "Began at 1 s."
    part, rate = read_audio(path, 2.5, 9.0)
    assert (part.shape, rate) == ((RATE // 2, 1), RATE)


def test_a_start_keeps_the_silence_that_follows(tmp_path):
    samples = np.concatenate([np.zeros(RATE), tone(1.0)])
    target = load_target(saved(tmp_path, samples), NOTE, start_seconds=0.5)
    assert not target.audio[: RATE // 2].any()
    assert target.audio[RATE // 2 :].any()


@pytest.mark.parametrize("constant", [0.0, 1e-6, 0.3])
def test_silence_is_refused(tmp_path, constant):
    path = saved(tmp_path, np.full(RATE, constant))
    with pytest.raises(AudioError, match=r"sound\.wav is silent: no sample lies above -100 dBFS"):
        load_target(path, NOTE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(tmp_path, bad):
    samples = tone()
    samples[RATE // 2] = bad
    with pytest.raises(AudioError, match=r"not finite numbers, the first at 0\.500 s"):
        load_target(saved(tmp_path, samples), NOTE)


def test_a_file_that_is_no_sound(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("this is no sound")
    with pytest.raises(AudioError, match=r"notes\.wav cannot be read as sound"):
        load_target(path, NOTE)


def test_a_file_without_samples(tmp_path):
    with pytest.raises(AudioError, match="holds no samples"):
        load_target(saved(tmp_path, np.zeros(0)), NOTE)
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(AudioError, match=r"empty\.wav cannot be read"):
        load_target(empty, NOTE)


def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path):
    path = saved(tmp_path, tone(), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: RATE + 44])
    audio, _ = read_audio(path)
    assert len(audio) == RATE // 2


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(MissingFileError, match=r"nothing\.wav does not exist"):
        load_target(tmp_path / "nothing.wav", NOTE)
    with pytest.raises(AudioError, match="is a folder: name a sound file in it"):
        load_target(tmp_path, NOTE)


def sparse_wav(path, seconds, rate=RATE):
    """A WAV file of 8-bit silence that takes no space on the disk."""
    size = seconds * rate
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, rate, rate, 1, 8, b"data", size),
    )
    with path.open("wb") as file:
        file.write(header)
        file.truncate(size + 44)


def test_three_hours_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "concert.wav"
    sparse_wav(path, 3 * 3600)
    with pytest.raises(AudioError, match=r"lasts 3 h.*at most 10 min .*--start SECONDS --length"):
        load_target(path, NOTE)
    audio, _ = read_audio(path, 7200.0, 2.0)
    assert len(audio) == 2 * RATE


def test_a_file_of_less_than_a_sample(tmp_path):
    with pytest.raises(AudioError, match="less than a sample at 44,100 Hz"):
        load_target(saved(tmp_path, np.array([0.0, 0.5]), 192000), NOTE)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"start_seconds": 5.0}, AudioError, "--start 5 lies after its end"),
        ({"start_seconds": -1.0}, InvalidValueError, "--start is -1.0"),
        ({"start_seconds": np.nan}, InvalidValueError, "--start is nan"),
        ({"length_seconds": 0.0}, InvalidValueError, "--length is 0.0"),
        ({"length_seconds": 601.0}, InvalidValueError, "at most 600 seconds"),
    ],
)
def test_parts_that_do_not_exist(tmp_path, arguments, error, message):
    path = saved(tmp_path, tone())
    with pytest.raises(error, match=message):
        load_target(path, NOTE, **arguments)


def test_written_files_hold_the_same_samples(tmp_path):
    samples = np.array([0.0, 1.5, -3.25, 1e-9, 0.1], np.float32)
    path = tmp_path / "preview.wav"
    write_wav(path, samples, 48000)
    audio, rate = read_audio(path)
    assert rate == 48000
    assert np.array_equal(audio[:, 0], samples)
    assert soundfile.info(path).subtype == "FLOAT"
    first = path.read_bytes()
    write_wav(path, samples, 48000, force=True)
    assert path.read_bytes() == first


def test_writing_refuses(tmp_path):
    path = tmp_path / "preview.wav"
    write_wav(path, np.zeros((10, 2), np.float32), RATE)
    with pytest.raises(FileExistsAlreadyError):
        write_wav(path, np.ones(10, np.float32), RATE)
    with pytest.raises(InvalidValueError, match="must be finite"):
        write_wav(tmp_path / "other.wav", np.array([np.nan], np.float32), RATE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["preview.wav"]


def test_folders_are_searched_for_sounds(tmp_path):
    for name in ("b.WAV", "a.flac", ".hidden.wav", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert sound_files([tmp_path / "notes.txt", tmp_path]) == (
        tmp_path / "notes.txt",
        tmp_path / "a.flac",
        tmp_path / "b.WAV",
    )
    with pytest.raises(AudioError, match="holds no sound file"):
        sound_files([tmp_path / "folder.wav"])
    with pytest.raises(MissingFileError):
        sound_files([tmp_path / "missing"])


def test_previews_of_matches_are_no_recordings(tmp_path):
    for name in ("a.mp3", "a.wav", "a.h2p", "b.wav", "b.h2p", "c.flac", "c.wav"):
        (tmp_path / name).touch()
    assert [path.name for path in sound_files([tmp_path])] == ["a.mp3", "b.wav", "c.flac", "c.wav"]
