"""Features are librosa's, whatever the batch; the scaler is the same after a trip to disk."""

from __future__ import annotations

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deepdiva.audio import read_audio
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.features import (
    MelSettings,
    MelSpectrogram,
    Mfcc,
    MfccSettings,
    Scaler,
    in_chunks,
    mel_filters,
)

Sounds = NDArray[np.float32]

SETTINGS = [
    MelSettings(),
    MelSettings(hop_length=1024),
    MelSettings(
        sample_rate=22050, n_fft=1024, win_length=600, hop_length=160, n_mels=40, fmax=11e3
    ),
    MelSettings(sample_rate=48000, n_fft=4095, win_length=4001, hop_length=1000, fmin=0.0),
]

# float32 cannot hold a spectrum line 80 dB below its frame better than to about 1e-3 dB; scaled to
# [0, 1] over 80 dB that is 2e-5. librosa transforms in float64 and stores float32.
MEL_TOLERANCE = 3e-5
MFCC_TOLERANCE = 3e-3  # of values up to 1000, sums over 128 bands


def librosa_mel(sound: Sounds, settings: MelSettings) -> Sounds:
    power = librosa.feature.melspectrogram(
        y=sound,
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        win_length=settings.win_length,
        hop_length=settings.hop_length,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )
    level = librosa.power_to_db(power, ref=np.max)
    scaled = (level - level.min()) / (level.max() - level.min())
    return np.asarray(scaled[::-1, :, None])


def librosa_mfcc(sound: Sounds, settings: MfccSettings) -> Sounds:
    mel = settings.mel
    mfcc = librosa.feature.mfcc(
        y=sound,
        sr=mel.sample_rate,
        n_mfcc=settings.n_mfcc,
        n_fft=mel.n_fft,
        win_length=mel.win_length,
        hop_length=mel.hop_length,
        n_mels=mel.n_mels,
        fmin=mel.fmin,
        fmax=mel.fmax,
    )
    return np.asarray(mfcc.T if settings.time_major else mfcc)


@pytest.fixture(scope="module")
def sounds() -> Sounds:
    """Noise, a sine, a click and a decaying chord: 0.7 s each, levels from 1e-3 to 2."""
    rng = np.random.default_rng(0)
    time = np.arange(30870) / 44100
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (110.0, 277.2, 659.3))
    batch = np.stack(
        [
            rng.standard_normal(len(time)),
            np.sin(2 * np.pi * 440.0 * time),
            np.where(np.arange(len(time)) == 5000, 1.0, 0.0),
            chord * np.exp(-8.0 * time),
            1e-3 * rng.uniform(-1.0, 1.0, len(time)),
        ]
    )
    return batch.astype(np.float32)


@pytest.mark.parametrize("settings", SETTINGS)
def test_filters_are_librosas(settings: MelSettings) -> None:
    theirs = librosa.filters.mel(
        sr=settings.sample_rate,
        n_fft=settings.n_fft,
        n_mels=settings.n_mels,
        fmin=settings.fmin,
        fmax=settings.fmax,
    )
    np.testing.assert_allclose(mel_filters(settings), theirs, rtol=2e-6, atol=1e-10)


@pytest.mark.parametrize("settings", SETTINGS)
def test_mel_spectrogram_is_librosas(settings: MelSettings, sounds: Sounds) -> None:
    ours = MelSpectrogram(settings)(sounds).numpy()
    assert ours.shape == (len(sounds), *settings.shape(sounds.shape[1]))
    theirs = np.stack([librosa_mel(sound, settings) for sound in sounds])
    np.testing.assert_allclose(ours, theirs, atol=MEL_TOLERANCE)


@pytest.mark.parametrize("mel", SETTINGS)
@pytest.mark.parametrize("time_major", [True, False])
def test_mfccs_are_librosas(mel: MelSettings, time_major: bool, sounds: Sounds) -> None:
    settings = MfccSettings(mel, n_mfcc=20, time_major=time_major)
    ours = Mfcc(settings)(sounds).numpy()
    assert ours.shape == (len(sounds), *settings.shape(sounds.shape[1]))
    theirs = np.stack([librosa_mfcc(sound, settings) for sound in sounds])
    np.testing.assert_allclose(ours, theirs, atol=MFCC_TOLERANCE)


def test_features_of_the_real_recordings_are_librosas(shared: Path) -> None:
    paths = sorted((shared / "diva25").glob("*.wav"))
    assert len(paths) == 25
    batch = np.stack([read_audio(path)[0].mean(axis=1)[:88200] for path in paths])
    mel, mfcc = MelSpectrogram(), Mfcc()
    ours_mel, ours_mfcc = mel(batch).numpy(), mfcc(batch).numpy()
    assert ours_mel.shape == (25, 128, 173, 1)
    assert ours_mfcc.shape == (25, 87, 13)
    for row, sound in enumerate(batch):
        np.testing.assert_allclose(
            ours_mel[row], librosa_mel(sound, mel.settings), atol=MEL_TOLERANCE
        )
        np.testing.assert_allclose(
            ours_mfcc[row], librosa_mfcc(sound, mfcc.settings), atol=MFCC_TOLERANCE
        )


def test_a_low_sine_lights_the_bottom_row() -> None:
    low = np.sin(2 * np.pi * 60.0 * np.arange(44100) / 44100).astype(np.float32)[None]
    picture = MelSpectrogram()(low)[0, :, 40, 0]
    assert int(picture.argmax()) >= 126
    assert float(picture.max()) > 0.95


def test_batch_size_does_not_matter(sounds: Sounds) -> None:
    for feature in (MelSpectrogram(), Mfcc()):
        together = feature(sounds)
        alone = torch.cat([feature(sound[None]) for sound in sounds])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_silence_is_defined() -> None:
    silence = np.zeros((2, 8820), np.float32)
    assert MelSpectrogram()(silence).count_nonzero() == 0
    mfcc = Mfcc()(silence).numpy()
    np.testing.assert_allclose(mfcc[..., 0], -100.0 * np.sqrt(128), rtol=1e-5)
    np.testing.assert_allclose(mfcc[..., 1:], 0.0, atol=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_fft": 8}, "n_fft is 8"),
        ({"win_length": 4096}, "win_length is 4096.*2048"),
        ({"hop_length": 0}, "hop_length is 0"),
        ({"sample_rate": 22050}, "fmax is 15000.*11025 Hz"),
        ({"fmin": 500.0, "fmax": 400.0}, "must rise"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        MelSettings(**values)  # type: ignore[arg-type]


def test_wrong_sounds_are_named() -> None:
    with pytest.raises(InvalidValueError, match=r"shape \(5,\)"):
        MelSpectrogram()(np.zeros(5, np.float32))
    with pytest.raises(InvalidValueError, match="not finite"):
        Mfcc()(np.full((1, 4000), np.nan, np.float32))
    with pytest.raises(InvalidValueError, match="n_mfcc is 200"):
        MfccSettings(n_mfcc=200)


AXES = [(0,), (0, 1), (0, 1, 2)]


@pytest.mark.parametrize("axes", AXES)
def test_scaler_fits_in_batches_what_numpy_fits_at_once(
    axes: tuple[int, ...], sounds: Sounds
) -> None:
    settings = MfccSettings()
    mfcc = Mfcc(settings)(sounds).numpy()
    scaler = Scaler.fit(in_chunks(mfcc, 2), settings, sounds.shape[1], axes)
    scaled = scaler.scale(mfcc)
    low, high = mfcc.min(axis=axes, keepdims=True), mfcc.max(axis=axes, keepdims=True)
    np.testing.assert_allclose(scaled, (mfcc - low) / (high - low), rtol=1e-6)
    np.testing.assert_array_equal(scaled.min(axis=axes), 0.0)
    np.testing.assert_array_equal(scaled.max(axis=axes), 1.0)


def test_scaler_survives_the_disk_exactly(tmp_path: Path, sounds: Sounds) -> None:
    settings = MfccSettings(n_mfcc=7, time_major=False)
    mfcc = Mfcc(settings)(sounds).numpy()
    scaler = Scaler.fit([mfcc], settings, sounds.shape[1])
    path = tmp_path / "scaler.json"
    path.write_text(scaler.to_json(), encoding="utf-8")
    again = Scaler.read(path)
    np.testing.assert_array_equal(again.scale(mfcc), scaler.scale(mfcc))
    assert again.digest == scaler.digest
    again.check(settings, sounds.shape[1])
    with pytest.raises(InvalidValueError, match="n_mfcc is 13 and was 7"):
        again.check(MfccSettings(time_major=False), sounds.shape[1])


def test_scalers_that_scale_otherwise_have_other_digests(sounds: Sounds) -> None:
    settings = MfccSettings()
    mfcc = Mfcc(settings)(sounds).numpy()
    fitted = [(mfcc, axes) for axes in AXES] + [(mfcc[1:], (0,)), (2.0 * mfcc, (0,))]
    digests = {Scaler.fit([m], settings, sounds.shape[1], axes).digest for m, axes in fitted}
    assert len(digests) == len(fitted)


def test_a_cell_that_never_varies_is_scaled_to_zero() -> None:
    mfcc = np.ones((3, 2, 4), np.float32)
    scaler = Scaler.fit([mfcc], MfccSettings(n_mfcc=4), 1024)
    np.testing.assert_array_equal(scaler.scale(mfcc), 0.0)


def test_wrong_scaler_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="training set first"):
        Scaler.read(tmp_path / "none.json")
    for text in ("{}", "[1, 2]", "not json", json.dumps({"format": "other"})):
        path = tmp_path / "scaler.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidValueError, match="does not describe a scaler"):
            Scaler.read(path)
    with pytest.raises(InvalidValueError, match="must hold 0"):
        Scaler.fit([np.zeros((1, 1, 1), np.float32)], MfccSettings(), 1, axes=(1,))
    with pytest.raises(InvalidValueError, match="no sounds"):
        Scaler.fit([], MfccSettings(), 1)
