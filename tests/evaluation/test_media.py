"""Sounds and pictures inside a report say what the samples say."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

from deepdiva.evaluation import media

RATE = 44100


def tone(frequency_hz: float, amplitude: float = 0.5, rate: int = RATE) -> NDArray[np.float32]:
    time = np.arange(rate) / rate
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_mp3_sounds_like_the_samples(rate):
    """The encoder adds no delay, and keeps a tone within a percent."""
    sound = tone(440.0, rate=rate)
    decoded, found = soundfile.read(io.BytesIO(media.mp3(sound, rate)))
    assert found == min(rate, 44100) or found == rate
    expected = tone(440.0, rate=found)
    assert abs(len(decoded) - len(expected)) <= 1
    middle = slice(found // 4, found // 2)
    assert np.abs(decoded[middle] - expected[middle]).max() < 0.01


def test_mp3_is_small():
    noise = np.random.default_rng(0).normal(0, 0.2, 2 * RATE).astype(np.float32)
    assert len(media.mp3(noise, RATE)) < 60_000


@pytest.mark.parametrize("frequency_hz", [55.0, 440.0, 3000.0, 12000.0])
def test_a_tone_is_a_line_at_its_frequency(frequency_hz):
    picture = media.spectrogram_db(tone(frequency_hz), RATE)
    columns, rows = media.SPECTROGRAM_SIZE
    assert picture.shape == (rows, columns)
    brightest = picture[:, 20:-20].mean(axis=1).argmax()
    expected = media.frequency_position(frequency_hz, RATE)
    assert 1 - (brightest + 0.5) / rows == pytest.approx(expected, abs=1.5 / rows)


def test_levels_are_relative_to_a_full_scale_sine():
    loud = media.spectrogram_db(tone(1000.0, 1.0), RATE).max()
    quiet = media.spectrogram_db(tone(1000.0, 0.1), RATE).max()
    assert loud == pytest.approx(0.0, abs=1.5)  # between bins a line loses up to 1.4 dB
    assert loud - quiet == pytest.approx(20.0, abs=0.01)


def test_the_end_of_a_sound_is_no_click():
    """The last columns of a steady tone look like those before."""
    picture = media.spectrogram_db(tone(1000.0), RATE)
    assert np.abs(picture[:, -1] - picture[:, -40]).max() < 12


def test_a_sound_shorter_than_a_frame_has_a_picture():
    assert np.isfinite(media.spectrogram_db(tone(1000.0)[:500], RATE)).all()
    assert np.isfinite(media.spectrogram_db(np.zeros(500, np.float32), RATE)).all()


def test_png_is_brightest_at_the_top_level():
    png = media.spectrogram_png(np.array([[0.0, -80.0, -200.0]]), top_db=0.0)
    shades = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    assert shades[0, 0] > 200
    assert shades[0, 1] == shades[0, 2] < 5


@pytest.mark.parametrize(("peaks", "gain"), [([0.5, 0.9], 1.0), ([0.3, 1.96], 0.5), ([], 1.0)])
def test_one_gain_keeps_all_sounds_below_full_scale(peaks, gain):
    assert media.listening_gain(peaks) == pytest.approx(gain)


def test_data_uri_holds_the_bytes():
    head, _, body = media.data_uri("audio/mpeg", b"\x00\xffbytes").partition(",")
    assert head == "data:audio/mpeg;base64"
    assert base64.b64decode(body) == b"\x00\xffbytes"
