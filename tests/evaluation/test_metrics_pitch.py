"""Pitch error: right to the cent on known tones, silent about sounds without a pitch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.evaluation.pitch import CAP_CENTS, fundamental, has_pitch, pitch_error_cents

RATE = 44100


def tone(frequency_hz: float, seconds: float = 0.6, partials: int = 12) -> NDArray[np.float32]:
    """A steady harmonic tone below the Nyquist frequency."""
    time = np.arange(round(seconds * RATE)) / RATE
    orders = [k for k in range(1, partials + 1) if k * frequency_hz < 0.45 * RATE]
    return (0.2 * sum(np.sin(2 * np.pi * frequency_hz * k * time) / k for k in orders)).astype(
        np.float32
    )


@pytest.mark.parametrize("frequency_hz", [23.8, 32.7, 65.4, 130.81, 261.6, 523.25, 1046.5, 2093.0])
def test_known_tones_within_four_cents(frequency_hz):
    pitches = fundamental(tone(frequency_hz), RATE)
    assert np.isfinite(pitches).all()
    assert np.abs(1200 * np.log2(pitches / frequency_hz)).max() < 4


def test_agrees_with_librosas_yin():
    import librosa

    sweep = np.arange(RATE) / RATE
    glide = np.sin(2 * np.pi * (110 * sweep + 55 * sweep**2)).astype(np.float32)
    ours = fundamental(glide, RATE)
    theirs = librosa.yin(glide, fmin=40, fmax=2000, sr=RATE, frame_length=8192, hop_length=1102)
    assert np.median(ours) == pytest.approx(np.median(theirs), rel=0.03)


@pytest.mark.parametrize(("semitones", "cents"), [(0.07, 7), (1, 100), (-5, 500), (12, 1200)])
def test_error_of_a_transposed_tone(semitones, cents):
    error = pitch_error_cents(tone(130.81), tone(130.81 * 2 ** (semitones / 12)), RATE)
    assert error == pytest.approx(cents, abs=2)


def test_only_frames_in_which_both_have_a_pitch_count():
    """Half of the match is noise; its pitched half is right."""
    noise = np.random.default_rng(0).normal(0, 0.2, RATE // 2).astype(np.float32)
    match = np.concatenate([tone(220.0, 0.5), noise])
    assert pitch_error_cents(tone(220.0, 1.0), match, RATE) < 2


def test_noise_has_no_pitch_and_the_metric_is_undefined_for_it():
    noise = np.random.default_rng(1).normal(0, 0.2, RATE).astype(np.float32)
    assert not has_pitch(fundamental(noise, RATE))
    assert pitch_error_cents(noise, tone(220.0, 1.0), RATE) is None


def test_a_match_without_pitch_is_two_octaves_off():
    noise = np.random.default_rng(1).normal(0, 0.2, RATE).astype(np.float32)
    assert pitch_error_cents(tone(220.0, 1.0), noise, RATE) == CAP_CENTS
    assert pitch_error_cents(tone(220.0, 1.0), np.zeros(RATE, np.float32), RATE) == CAP_CENTS


def test_no_error_exceeds_two_octaves():
    assert pitch_error_cents(tone(32.7), tone(1046.5), RATE) == CAP_CENTS


def test_a_sound_of_a_tenth_of_a_second_is_long_enough():
    assert fundamental(tone(440.0, 0.1), RATE)[0] == pytest.approx(440.0, rel=0.002)


def harmonics(frequency_hz: float, levels: NDArray[np.float64]) -> NDArray[np.float32]:
    """Half a second of partials at the given levels, as far as they lie below 21 kHz."""
    time = np.arange(RATE // 2) / RATE
    orders = [k for k in range(1, len(levels) + 1) if k * frequency_hz < 21000]
    waves = sum(levels[k - 1] * np.sin(2 * np.pi * frequency_hz * k * time) for k in orders)
    return (0.05 * waves).astype(np.float32)


@pytest.mark.parametrize("decibels", [9.0, 15.0])
def test_a_resonance_is_no_pitch(decibels):
    """The tenth harmonic of a saw stands out above its fundamental."""
    levels = 1.0 / np.arange(1, 200)
    levels[9] = 10 ** (decibels / 20)
    pitches = fundamental(harmonics(110.0, levels), RATE)
    assert np.abs(1200 * np.log2(pitches / 110.0)).max() < 4


@pytest.mark.parametrize("frequency_hz", [3500.0, 3520.0, 1900.0])
@pytest.mark.parametrize("width", [0.05, 0.1])
def test_narrow_pulses_of_some_kilohertz(frequency_hz, width):
    """Their period lies between samples, and no whole number of them is a period."""
    orders = np.arange(1, 80)
    pitches = fundamental(harmonics(frequency_hz, np.sin(np.pi * orders * width) / orders), RATE)
    assert np.abs(1200 * np.log2(pitches / frequency_hz)).max() < 4


def test_the_lower_of_two_octaves_is_the_pitch():
    """A sub-oscillator at half the level: what repeats is its period."""
    levels = 1.0 / np.arange(1, 100)
    sound = harmonics(220.0, levels) + 0.5 * harmonics(110.0, levels)
    assert np.median(fundamental(sound, RATE)) == pytest.approx(110.0, rel=0.002)
