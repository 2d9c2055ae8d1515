"""Grades of sounds whose likeness is known."""

from dataclasses import replace

import numpy as np
import pytest

from deepdiva.grade import GRADES, Grade, Measures, compared, grade_name, worse

RATE = 44100
NEAR = Measures(0.2, 1.0, 1.2, 0.1, 2.0, 0.5, 0.5, 2.0, 0.0)


def saw(key, tilt=1.0, seconds=1.0):
    times = np.arange(round(seconds * RATE)) / RATE
    hertz = 440.0 * 2.0 ** ((key - 69) / 12)
    tones = [np.sin(2 * np.pi * hertz * n * times) / n**tilt for n in range(1, 40)]
    return (0.1 * np.sum(tones, axis=0)).astype(np.float32)


def test_equal_sounds_differ_in_nothing_and_level_counts_apart():
    found = compared(saw(48), 0.5 * saw(48), RATE)
    assert found["spectrum_db"] == pytest.approx(0.0, abs=1e-3)
    assert found["level_db"] == pytest.approx(0.0, abs=1e-3)
    assert found["below_db"] == pytest.approx(6.02, abs=0.01)


def test_another_key_another_colour_and_another_envelope_show():
    target = saw(48)
    fade = np.linspace(1.0, 0.0, target.size, dtype=np.float32) ** 2
    assert compared(target, saw(55), RATE)["spectrum_db"] > 7.3
    darker = compared(target, saw(48, 1.4), RATE)
    assert 3.0 < darker["colour_db"] < 9.0
    assert darker["level_db"] < 0.5
    assert compared(target, target * fade, RATE)["level_db"] > 4.0


def test_silence_fails_whatever_else_is_said():
    silent = replace(NEAR, below_db=compared(saw(48), np.zeros(RATE, np.float32), RATE)["below_db"])
    assert grade_name(silent) == "failed"
    assert Grade("failed", "", "", silent).is_silent
    assert Grade("failed", "", "", silent).to_dict()["measures"]["below_db"] is None


def test_grades_follow_the_spectrum_the_distance_and_chance():
    spectra = (2.0, 6.0, 9.0, 14.0)
    assert [grade_name(replace(NEAR, spectrum_db=db)) for db in spectra] == list(GRADES)
    assert grade_name(replace(NEAR, spectrum_db=6.0, spectrum_floor_db=5.0)) == "good"
    assert grade_name(replace(NEAR, distance=0.95)) == "failed"
    assert grade_name(replace(NEAR, distance=0.8)) == "poor"
    assert grade_name(replace(NEAR, distance=0.8, floor=0.7)) == "good"
    assert grade_name(replace(NEAR, distance=0.5, base=0.3)) == "failed"
    assert grade_name(replace(NEAR, distance=0.5, base=None)) == "good"


def test_a_grade_is_worse_than_another():
    assert worse("failed", "poor")
    assert not worse("fair", "fair")
    assert not worse("good", "poor")


def test_the_sentence_gives_reason_and_way_out():
    assert Grade("good", "", "", NEAR).sentence == "Good."
    fair = Grade("fair", "its colour is 6 dB off", "--free all searches more", NEAR)
    assert fair.sentence == "Fair: its colour is 6 dB off (--free all searches more)."
