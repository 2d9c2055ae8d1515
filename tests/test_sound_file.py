"""Opening what is not quite a sound file, and parts of it."""

import os
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from deepdiva.audio import load_target, read_audio
from deepdiva.errors import AudioError
from deepdiva.note import Note
from deepdiva.sound_file import open_sound

RATE = 44100
NOTE = Note(render_seconds=0.5)
TONE = (0.5 * np.sin(2 * np.pi * 261.6 * np.arange(RATE) / RATE)).astype(np.float32)
PCM = np.round(TONE * 32767).astype("<i2").tobytes()
FORMAT = (b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))


def riff(*chunks, size=None):
    """A WAVE file of chunks: name, content, and the size that is written."""
    body = b"WAVE"
    for name, content, *stated in chunks:
        body += name + struct.pack("<I", stated[0] if stated else len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


@pytest.mark.parametrize(
    "content",
    [
        riff(FORMAT, (b"data", PCM, 0), size=36),
        riff(FORMAT, (b"LIST", b"INFOISFT\x03\0\0\0abc"), (b"data", PCM)),
        riff(FORMAT, (b"data", PCM, 0xFFFFFFFF), size=0xFFFFFFFF),
    ],
    ids=["size of 0", "odd LIST", "endless"],
)
def test_a_damaged_header_hides_no_sound(tmp_path, content):
    path = tmp_path / "damaged.wav"
    path.write_bytes(content)
    audio, rate = read_audio(path)
    assert rate == RATE
    assert np.abs(audio[:, 0] - TONE).max() < 1e-4


def test_a_short_peak_chunk(tmp_path):
    floats = (b"fmt ", struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32))
    path = tmp_path / "peak.wav"
    path.write_bytes(riff(floats, (b"PEAK", bytes(8)), (b"data", TONE.tobytes())))
    assert np.array_equal(read_audio(path)[0][:, 0], TONE)
    assert "not quite as it should be" in load_target(path, NOTE).report[0]


def test_an_empty_file_stays_empty(tmp_path):
    path = tmp_path / "empty.wav"
    path.write_bytes(riff(FORMAT, (b"data", b""), (b"LIST", b"INFO")))
    with pytest.raises(AudioError, match="holds no samples"):
        read_audio(path)


def test_gsm_is_read_front_to_back(tmp_path):
    path = tmp_path / "gsm.wav"
    soundfile.write(path, TONE, 8000, format="WAV", subtype="GSM610")
    whole = read_audio(path)[0]
    assert np.array_equal(read_audio(path, 1.0, 0.5)[0], whole[8000:12000])


@pytest.mark.parametrize("start", [0.3, 1.0, 1.7])
def test_an_mp3_is_whole_from_its_start(tmp_path, start):
    path = tmp_path / "tone.mp3"
    tone = 0.5 * np.sin(2 * np.pi * 261.6 * np.arange(3 * RATE) / RATE)
    soundfile.write(path, tone, RATE)
    first = round(start * RATE)
    part = read_audio(path, start, 0.2)[0][:, 0]
    assert np.abs(part - tone[first : first + len(part)]).max() < 0.02


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipes_are_refused(tmp_path):
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    with pytest.raises(AudioError, match="pipe or a device"):
        open_sound(path)


def test_what_needs_a_decoder_says_so(tmp_path):
    path = tmp_path / "sound.m4a"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match=r"install ffmpeg, or save it as"):
        open_sound(path)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_decoder_reads_aac(tmp_path):
    soundfile.write(tmp_path / "tone.wav", TONE, RATE)
    path = tmp_path / "tone.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "tone.wav", path], check=True)
    audio = read_audio(path, 0.2, 0.5)[0][:, 0]
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert abs(np.argmax(spectrum) * RATE / len(audio) - 261.6) < 2.0
    assert abs(np.abs(audio).max() - 0.5) < 0.03


def test_a_silent_channel_takes_nothing_from_the_other(tmp_path):
    path = tmp_path / "left.wav"
    soundfile.write(path, np.column_stack([TONE, 0 * TONE]), RATE, subtype="FLOAT")
    target = load_target(path, NOTE)
    assert np.abs(target.audio).max() == pytest.approx(0.5, abs=0.01)
    assert "channel 1 of 2" in target.report[0]


def test_hiss_beside_a_note_is_left_out(tmp_path):
    rng = np.random.default_rng(0)
    note = TONE * np.exp(-3.0 * np.arange(RATE) / RATE)
    path = tmp_path / "hiss.wav"
    hiss = 0.02 * rng.standard_normal(RATE)
    soundfile.write(path, np.column_stack([hiss, note]), RATE, subtype="FLOAT")
    target = load_target(path, NOTE)
    assert np.abs(target.audio[: RATE // 4] - note[: RATE // 4]).max() < 1e-6


def test_stereo_of_one_note_stays_a_mean(tmp_path):
    path = tmp_path / "wide.wav"
    soundfile.write(path, np.column_stack([TONE, 0.2 * TONE]), RATE, subtype="FLOAT")
    assert np.abs(load_target(path, NOTE).audio).max() == pytest.approx(0.3, abs=0.01)


def test_a_spike_is_left_out(tmp_path):
    path = tmp_path / "spike.wav"
    spoiled = np.concatenate([TONE, np.float32([1e29]), TONE[:100]])
    soundfile.write(path, spoiled, RATE, subtype="FLOAT")
    target = load_target(path, NOTE)
    assert "Left out 1 sample" in target.report[0]
    assert np.abs(target.audio).max() <= 0.5
