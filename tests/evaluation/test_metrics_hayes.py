"""The metrics of Hayes et al. give the figures that their authors' test files hold."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from deepdiva.evaluation.hayes import hayes_mss, hayes_rms, hayes_sot, hayes_wmfcc

RATE = 44100
PUBLISHED = {
    hayes_mss: 32.862377,
    hayes_wmfcc: 24.85388357162476,
    hayes_sot: 0.30690742,
    hayes_rms: 0.99999744,
}
"""tinaudio/synth-setter at 9bc6131, tests/evaluation, pair 1; their tolerance is 1 %."""


def through_a_file(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """What 16-bit PCM, in which the published pair was stored, leaves of the samples."""
    file = io.BytesIO()
    soundfile.write(file, audio.T, RATE, format="WAV", subtype="PCM_16")
    file.seek(0)
    samples: NDArray[np.float32] = soundfile.read(file, dtype="float32")[0].T
    return samples


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A stereo sine, and the same under noise 17 dB below it."""
    seconds = np.arange(RATE, dtype=np.float32) / RATE
    sine = (0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    target = np.stack([sine, sine])
    noise = np.random.default_rng(2).standard_normal((2, RATE))
    match = (target + 0.05 * noise).astype(np.float32)
    return through_a_file(target), through_a_file(match)


@pytest.mark.parametrize("metric", PUBLISHED, ids=lambda metric: metric.__name__)
def test_published_figure(metric, pair):
    assert metric(*pair, RATE) == pytest.approx(PUBLISHED[metric], rel=1e-5)


@pytest.mark.parametrize("metric", PUBLISHED, ids=lambda metric: metric.__name__)
def test_identical_pair(metric, pair):
    perfect = 0.9999999 if metric is hayes_rms else 0.0
    assert metric(pair[0], pair[0], RATE) == pytest.approx(perfect, abs=1e-6)


def test_warping_equals_the_scripts_distance_callback(pair):
    """The cost matrix is handed over whole; the script hands over a function of two frames."""
    import librosa
    from dtw import dtw

    short = tuple(sound[0, : RATE // 4] for sound in pair)
    frames = [
        librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=20, n_fft=2205, hop_length=441, n_mels=128).T
        for y in short
    ]
    expected = dtw(
        *frames, dist_method=lambda a, b: np.mean(np.abs(a - b)), distance_only=True
    ).normalizedDistance
    assert hayes_wmfcc(*short, RATE) == pytest.approx(expected, rel=1e-6)


def test_sot_of_two_tones_is_their_distance_on_the_frequency_axis():
    """Two lines 5,000 Hz apart: all mass moves by 5,000 / 22,050 of the axis."""
    seconds = np.arange(RATE) / RATE
    low, high = (
        (0.5 * np.sin(2 * np.pi * hz * seconds)).astype(np.float32) for hz in (4000.0, 9000.0)
    )
    assert hayes_sot(low, high, RATE) == pytest.approx(5000 / 22050, rel=0.02)


def test_mss_counts_noise_that_the_envelope_metric_does_not_hear(pair):
    """Why no report may show one metric alone."""
    assert hayes_mss(*pair, RATE) > 30
    assert hayes_rms(*pair, RATE) > 0.9999
