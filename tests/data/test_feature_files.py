"""Feature files hold what the features of each sound are, and say how they were made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from deepdiva.cli import main
from deepdiva.data.checksum import file_crc32
from deepdiva.data.corpora.dataset import Dataset
from deepdiva.data.corpora.dataset_settings import DatasetSettings, Store
from deepdiva.data.corpora.generate import generate
from deepdiva.features import MelSettings, MelSpectrogram, Mfcc, MfccSettings, Scaler
from deepdiva.note import Note
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer


def dataset(folder: Path, seed: int, store: Store = "float32", prefix: str = "train_") -> Dataset:
    settings = DatasetSettings(
        default_space(),
        sample_size=12,
        note=Note(length_seconds=0.2, render_seconds=0.25),
        seed=seed,
        file_prefix=prefix,
        store=store,
    )
    generate(folder, settings, PanelRenderer(), 2)
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("train"), seed=1)


def features(folder: Path, options: Sequence[str]) -> Result:
    return CliRunner().invoke(
        main, ["features", "--data-path", str(folder), *options], catch_exceptions=False
    )


def test_spectrograms_of_all_batches(train: Dataset) -> None:
    done = features(train.folder, ["--feature", "spectrogram"])
    assert done.exit_code == 0, done.stderr
    stored = np.load(train.folder / "train_melspectrogram.npy", mmap_mode="r")
    np.testing.assert_allclose(stored, MelSpectrogram()(train.rows("audio")[:]).numpy(), atol=1e-6)
    about = json.loads((train.folder / "train_melspectrogram.json").read_text())
    assert about["shape"] == list(stored.shape)
    assert {name: about[name] for name in MelSettings().to_dict()} == MelSettings().to_dict()
    assert about["crc32"] == f"{file_crc32(train.folder / 'train_melspectrogram.npy'):08x}"
    assert min(about["source"]["dataset_crc32"]) == "train_0_audio.npy"


def test_the_scaler_of_the_training_set_scales_the_test_set(train: Dataset, tmp_path: Path) -> None:
    done = features(train.folder, ["--feature", "mfcc", "--scaler-file", "scaler.json"])
    assert done.exit_code == 0, done.stderr
    scaled = np.load(train.folder / "train_mfcc.npy")
    unscaled = Mfcc()(train.rows("audio")[:]).numpy()
    span = unscaled.max(axis=0) - unscaled.min(axis=0)
    np.testing.assert_allclose(scaled, (unscaled - unscaled.min(axis=0)) / span, atol=1e-4)
    assert scaled.min() == 0.0
    assert scaled.max() == 1.0

    test = dataset(tmp_path / "test", seed=2, prefix="test_")
    scaler_file = str(train.folder / "scaler.json")
    options = ["--feature", "mfcc", "--saved-scaler", "--scaler-file", scaler_file]
    assert features(test.folder, options).exit_code == 0
    expected = Scaler.read(scaler_file).scale(Mfcc()(test.rows("audio")[:]).numpy())
    np.testing.assert_allclose(np.load(test.folder / "test_mfcc.npy"), expected, atol=1e-5)
    assert not (test.folder / "test_mfcc_scaling.json").exists()

    refused = features(test.folder, [*options, "--n-mfcc", "20", "--force"])
    assert refused.exit_code == 2
    assert "n_mfcc is 20 and was 13" in refused.stderr


def test_every_option_of_the_2021_project_works(train: Dataset) -> None:
    options = ["--feature", "MFCC", "--data-file", "train_1_audio.npy", "--file-prefix", "x_"]
    options += ["--no-saved-scaler", "--scale-axis", "0 1 0", "--n-fft", "1024", "--win-length"]
    options += ["800", "--hop-length", "256", "--n-mels", "40", "--n-mfcc", "10", "--sample-rate"]
    options += ["44100", "--fmin", "100", "--fmax", "9000", "--no-time-major"]
    done = features(train.folder, options)
    assert done.exit_code == 0, done.stderr
    mel = MelSettings(44100, 1024, 800, 256, 40, 100.0, 9000.0)
    mfcc = Mfcc(MfccSettings(mel, 10, time_major=False))(train.rows("audio")[12:]).numpy()
    low, high = mfcc.min(axis=(0, 1)), mfcc.max(axis=(0, 1))
    np.testing.assert_allclose(
        np.load(train.folder / "x_mfcc.npy"), (mfcc - low) / (high - low), atol=1e-5
    )
    assert Scaler.read(train.folder / "x_mfcc_scaling.json").axes == (0, 1)


def test_any_array_of_sounds_will_do(tmp_path: Path) -> None:
    sounds = np.random.default_rng(0).standard_normal((3, 9000)).astype(np.float64)
    np.save(tmp_path / "sounds.npy", sounds)
    done = features(tmp_path, ["--feature", "spectrogram", "--data-file", "sounds.npy"])
    assert done.exit_code == 0, done.stderr
    expected = MelSpectrogram()(sounds.astype(np.float32)).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "melspectrogram.npy"), expected, atol=1e-6)


def test_the_highest_frequency_follows_the_sample_rate(tmp_path: Path) -> None:
    sounds = np.random.default_rng(0).standard_normal((2, 9000)).astype(np.float32)
    np.save(tmp_path / "sounds.npy", sounds)
    options = ["--feature", "spectrogram", "--data-file", "sounds.npy", "--sample-rate", "22050"]
    done = features(tmp_path, options)
    assert done.exit_code == 0, done.stderr
    expected = MelSpectrogram(MelSettings(22050, fmax=11025.0))(sounds).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "melspectrogram.npy"), expected, atol=1e-6)

    for option, value in (("fmax", "15000"), ("hop-length", "0"), ("sample-rate", "0")):
        refused = features(tmp_path, [*options, f"--{option}", value, "--force"])
        assert refused.exit_code == 2
        assert f"{option.replace('-', '_')} is {value}" in refused.stderr


def test_kept_features_serve_where_no_audio_is(train: Dataset, tmp_path: Path) -> None:
    kept = dataset(tmp_path, seed=1, store="features")
    for feature, file, tolerance in (
        ("spectrogram", "train_melspectrogram.npy", 1e-5),
        ("mfcc", "train_mfcc.npy", 1e-4),
    ):
        assert features(kept.folder, ["--feature", feature]).exit_code == 0
        assert features(train.folder, ["--feature", feature, "--force"]).exit_code == 0
        np.testing.assert_allclose(
            np.load(kept.folder / file), np.load(train.folder / file), atol=tolerance
        )
    other = features(kept.folder, ["--feature", "spectrogram", "--n-mels", "64", "--force"])
    assert other.exit_code == 2
    assert "--store float32" in other.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--feature", "spectrogram", "--fmax", "22051"], "fmax is 22051"),
        (["--feature", "spectrogram", "--sample-rate", "22050"], "44100 samples per second"),
        (["--feature", "spectrogram", "--sample-rate", "48000"], "44100 samples per second"),
        (["--feature", "spectrogram", "--data-file", "none.npy"], "none.npy does not exist"),
        (["--feature", "spectrogram", "--data-file", "train_0_samples.npy"], "sounds are floats"),
        (["--feature", "spectrogram", "--data-file", "dataset.json"], r"is no .npy file"),
        (["--feature", "mfcc", "--saved-scaler"], "--saved-scaler needs --scaler-file"),
        (["--feature", "mfcc", "--saved-scaler", "--scaler-file", "no.json"], "does not exist"),
        (["--feature", "mfcc", "--scale-axis", "1"], "they must hold 0"),
        (["--feature", "mfcc", "--scale-axis", "zero"], "write whole numbers"),
    ],
)
def test_wrong_requests_are_named(train: Dataset, options: list[str], message: str) -> None:
    before = sorted(path.name for path in train.folder.iterdir())
    done = features(train.folder, [*options, "--file-prefix", "wrong_"])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert sorted(path.name for path in train.folder.iterdir()) == before


def test_nothing_is_overwritten_by_accident(train: Dataset) -> None:
    path = train.folder / "mine_melspectrogram.npy"
    path.write_bytes(b"mine")
    done = features(train.folder, ["--feature", "spectrogram", "--file-prefix", "mine_"])
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert path.read_bytes() == b"mine"


def test_a_folder_that_is_no_data_set_needs_a_file(tmp_path: Path) -> None:
    done = features(tmp_path, ["--feature", "spectrogram"])
    assert done.exit_code == 2
    assert "--data-file" in done.stderr
