"""The spectral metrics equal plain computations from their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

from deepdiva.evaluation import metrics

RATE = 44100


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two coloured noises of half a second at different levels."""
    rng = np.random.default_rng(0)
    sounds = [np.convolve(rng.standard_normal(RATE // 2), np.ones(k) / k, "same") for k in (4, 9)]
    return tuple((0.2 * sound).astype(np.float32) for sound in sounds)


def plain_stft(sound: NDArray[np.float32], size: int, hop: int) -> NDArray[np.float64]:
    """Centred, zero padded, periodic Hann; shape (bins, frames)."""
    padded = np.pad(sound.astype(np.float64), size // 2)
    starts = range(0, padded.size - size + 1, hop)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return np.abs(np.array([np.fft.rfft(padded[s : s + size] * window) for s in starts])).T


def test_log_spectral_distance(pair):
    target, match = (np.log10(np.maximum(plain_stft(s, 1024, 256), 1e-4)) for s in pair)
    expected = np.mean(np.abs(target - match))
    assert metrics.log_spectral_distance(*pair, RATE) == pytest.approx(expected, rel=1e-5)


def test_ten_times_the_amplitude_is_one_unit_of_log_spectral_distance(pair):
    """20 dB, wherever both stay above the floor."""
    louder = pair[0] * np.float32(10)
    assert metrics.log_spectral_distance(pair[0], louder, RATE) == pytest.approx(1.0, abs=1e-3)


def test_spectral_convergence(pair):
    target, match = (plain_stft(s, 1024, 256) for s in pair)
    expected = np.sqrt(np.sum((target - match) ** 2) / np.sum(target**2))
    assert metrics.spectral_convergence(*pair, RATE) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gain", [0.0, 0.5, 2.0])
def test_spectral_convergence_of_a_gain_is_its_distance_from_one(pair, gain):
    match = pair[0] * np.float32(gain)
    value = metrics.spectral_convergence(pair[0], match, RATE)
    assert value == pytest.approx(abs(1 - gain), rel=1e-5)


def test_mfcc_distance(pair):
    """MFCC by hand: power spectrogram, librosa's mel filters, decibels cut at 80 dB, DCT-II."""
    import librosa

    filters = librosa.filters.mel(sr=RATE, n_fft=2048, n_mels=128)
    features = []
    for sound in pair:
        decibels = 10 * np.log10(np.maximum(filters @ plain_stft(sound, 2048, 512) ** 2, 1e-10))
        decibels = np.maximum(decibels, decibels.max() - 80)
        features.append(scipy.fft.dct(decibels, axis=0, norm="ortho")[:20])
    expected = np.mean(np.abs(features[0] - features[1]))
    assert metrics.mfcc_distance(*pair, RATE) == pytest.approx(expected, rel=1e-4)


def test_auraloss_with_its_defaults(pair):
    """Three resolutions of spectral convergence plus natural-log difference, by plain torch."""
    import torch

    expected = 0.0
    for size, hop, length in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240)):
        target, match = (
            torch.stft(
                torch.from_numpy(sound).double(),
                size,
                hop,
                length,
                torch.hann_window(length, dtype=torch.float64),
                return_complex=True,
            ).abs()
            for sound in pair
        )
        target, match = target.clamp_min(1e-4), match.clamp_min(1e-4)
        expected += float(
            torch.linalg.norm(target - match) / torch.linalg.norm(target)
            + (target.log() - match.log()).abs().mean()
        )
    assert metrics.auraloss_mrstft(*pair, RATE) == pytest.approx(expected / 3, rel=1e-3)


def test_primary_is_the_reported_form_of_the_projects_distance(pair):
    from deepdiva.distance import FULL, SpectralDistance

    target, match = pair
    expected = SpectralDistance(target, RATE, FULL)(match[np.newaxis])[0]
    assert metrics.spectral_distance(target, match, RATE) == expected


def test_averaged_distance_of_a_gain_is_its_level():
    """A tenth of the amplitude is 20 dB in every bin, every band and the level: a distance of 1."""
    noise = np.random.default_rng(0).normal(0, 0.3, RATE).astype(np.float32)
    value = metrics.averaged_distance(noise, noise * np.float32(0.1), RATE)
    assert value == pytest.approx(1.0, abs=0.02)


def test_averaged_distance_forgives_a_new_draw_of_noise():
    rng = np.random.default_rng(1)
    first, again = (rng.normal(0, 0.3, RATE).astype(np.float32) for _ in range(2))
    assert metrics.averaged_distance(first, again, RATE) < 0.2
    assert metrics.spectral_distance(first, again, RATE) > 0.5
