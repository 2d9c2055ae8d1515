"""Loudness error: the standard's calibration tone, a gain, silence, short sounds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.evaluation.loudness import SILENCE_LUFS, loudness_error_lu, loudness_lufs


def tone(amplitude: float, sample_rate: int, seconds: float = 2.0) -> NDArray[np.float32]:
    """A sine of 997 Hz."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (amplitude * np.sin(2 * np.pi * 997 * time)).astype(np.float32)


def test_calibration_tone_of_the_standard():
    """BS.1770: a full-scale sine of 997 Hz in one front channel reads -3.01 LKFS (+-0.1)."""
    assert loudness_lufs(tone(1.0, 48000), 48000) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize("decibels", [-12.0, -1.0, 6.0])
def test_a_gain_is_the_error(decibels):
    target = tone(0.1, 44100)
    match = target * np.float32(10 ** (decibels / 20))
    assert loudness_error_lu(target, match, 44100) == pytest.approx(abs(decibels), abs=1e-3)


def test_silence_has_the_loudness_of_the_absolute_gate():
    silence = np.zeros(88200, np.float32)
    assert loudness_lufs(silence, 44100) == SILENCE_LUFS
    assert loudness_lufs(tone(1e-5, 44100), 44100) == SILENCE_LUFS


def test_a_sound_shorter_than_a_block_is_padded():
    """0.2 s of tone in a block of 0.4 s: half the power."""
    whole, half = (loudness_lufs(tone(0.5, 44100, s), 44100) for s in (0.4, 0.2))
    assert whole - half == pytest.approx(10 * np.log10(2), abs=0.2)
