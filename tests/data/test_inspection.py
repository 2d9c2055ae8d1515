"""What inspection says of a data set is what a count over its arrays says."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from deepdiva.cli import main
from deepdiva.cli.dataset_inspect import spread
from deepdiva.data.corpora.contact_sheet import contact_sheet, level_in_words
from deepdiva.data.corpora.dataset import Dataset
from deepdiva.data.corpora.dataset_settings import DatasetSettings
from deepdiva.data.corpora.faults import QualityPolicy
from deepdiva.data.corpora.generate import generate
from deepdiva.data.corpora.inspection import HISTOGRAM_BINS, LEVELS_DB, ParameterHistogram, inspect
from deepdiva.note import Note
from deepdiva.renderer import Seeds
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(length_seconds=0.08, render_seconds=0.1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """40 sounds in two batches."""
    folder = tmp_path_factory.mktemp("inspected") / "dataset"
    settings = DatasetSettings(default_space(), sample_size=20, note=NOTE)
    generate(folder, settings, PanelRenderer(), 2)
    return Dataset.open(folder)


def test_counts_are_those_of_the_arrays(dataset: Dataset) -> None:
    found = inspect(dataset)
    peaks = np.abs(dataset.rows("audio")[:]).max(axis=1)
    assert (found.sounds, found.batches, found.planned) == (40, 2, 2)
    assert found.kept["silent"] == np.count_nonzero(peaks < 1e-4)
    assert found.kept["clipping"] == np.count_nonzero(peaks > 1.0)
    with np.errstate(divide="ignore"):
        peaks_db = 20 * np.log10(peaks.astype(np.float64))
    edges = np.concatenate([[-np.inf], LEVELS_DB, [np.inf]])
    np.testing.assert_array_equal(found.level_counts, np.histogram(peaks_db, edges)[0])
    audible = peaks_db[peaks_db >= -80]
    assert found.peak_db[0] == pytest.approx(audible.min(), abs=1e-4)
    assert found.peak_db[2] == pytest.approx(np.median(audible), abs=1e-4)
    assert found.peak_db[4] == pytest.approx(audible.max(), abs=1e-4)


def test_histograms_hold_every_sound_once(dataset: Dataset) -> None:
    found = {histogram.name: histogram for histogram in inspect(dataset).parameters}
    assert tuple(found) == dataset.free
    for histogram in found.values():
        assert sum(histogram.counts) == 40
        assert len(histogram.labels) == len(histogram.counts)
    assert len(found["VCF1.Freq"].counts) == HISTOGRAM_BINS
    patches = dataset.space().patches(dataset.patches)
    waves = patches[:, dataset.space().table.index("OSC.Wave1")]
    expected = [np.count_nonzero(waves == wave) for wave in (1, 2, 3, 4)]
    np.testing.assert_array_equal(found["OSC.Wave1"].counts, expected)


def test_a_histogram_is_a_line_of_bars_or_of_counts() -> None:
    few = ParameterHistogram("a", ("saw", "pulse"), (3, 0))
    assert spread(few) == "saw 3, pulse 0"
    many = ParameterHistogram("b", tuple("abcdefgh"), (0, 1, 2, 3, 4, 5, 6, 8))
    assert spread(many) == " ▁▂▃▄▅▆█"


@pytest.mark.parametrize("count", [1, 7, 100])
def test_the_contact_sheet_is_a_picture(dataset: Dataset, count: int) -> None:
    picture = Image.open(io.BytesIO(contact_sheet(dataset, count)))
    pixels = np.asarray(picture.convert("RGB"))
    rows = -(-min(count, 40) // 6)
    assert pixels.shape[0] == pytest.approx(100 * (1.75 * rows + 0.5), abs=2)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100  # a colour map, not an empty page


def test_a_data_set_of_features_has_a_contact_sheet_too(tmp_path: Path) -> None:
    settings = DatasetSettings(default_space(), sample_size=2, note=NOTE, store="features")
    generate(tmp_path, settings, PanelRenderer())
    assert contact_sheet(Dataset.open(tmp_path)).startswith(b"\x89PNG")


class Exploding(PanelRenderer):
    """The embedded engine with a filter that is not stable, in three of the ways these end."""

    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        audio = super().render(patches, note, seeds)
        growth = 10.0 ** np.linspace(0.0, 60.0, note.samples)
        with np.errstate(over="ignore", invalid="ignore"):
            audio[0] = growth.astype(np.float32)
            audio[1] = -audio[0]
            audio[2] = audio[0] - audio[0]
        return audio


def test_sounds_that_are_not_finite_are_shown_as_such(tmp_path: Path) -> None:
    settings = DatasetSettings(
        default_space(), sample_size=4, note=NOTE, quality=QualityPolicy(non_finite="keep")
    )
    generate(tmp_path, settings, Exploding())
    samples = Dataset.open(tmp_path).samples
    np.testing.assert_array_equal(np.isfinite(samples["peak"]), [False, False, False, True])
    shown = CliRunner().invoke(main, ["dataset", "inspect", str(tmp_path)], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "3 non-finite" in shown.stdout
    assert (tmp_path / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")


def test_levels_are_words_where_they_are_no_numbers() -> None:
    peaks = [1.0, 0.1, 0.0, np.inf, np.nan]
    expected = ["0 dB", "-20 dB", "silent", "not finite", "not finite"]
    assert [level_in_words(peak) for peak in peaks] == expected


def test_the_command_line_shows_all_and_writes_the_picture(dataset: Dataset) -> None:
    runner = CliRunner()
    shown = runner.invoke(main, ["dataset", "inspect", str(dataset.folder)], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "40 sounds in 2 of 2 batches" in shown.stdout
    for name in dataset.free:
        assert name in shown.stdout
    assert (dataset.folder / "contact_sheet.png").is_file()

    again = runner.invoke(main, ["dataset", "inspect", str(dataset.folder)])
    assert again.exit_code == 2
    assert "--force" in again.stderr
    options = ["dataset", "inspect", str(dataset.folder), "--no-picture", "--checksums", "--json"]
    result = json.loads(runner.invoke(main, options, catch_exceptions=False).stdout)
    assert (result["sounds"], result["damaged"], result["picture"]) == (40, [], None)


def test_damage_is_named(tmp_path: Path) -> None:
    settings = DatasetSettings(default_space(), sample_size=2, note=NOTE)
    generate(tmp_path, settings, PanelRenderer())
    path = tmp_path / "0_patches.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    result = CliRunner().invoke(
        main, ["dataset", "inspect", str(tmp_path), "--no-picture", "--checksums"]
    )
    assert result.exit_code == 2
    assert "0_patches.npy: the checksum is another" in result.stderr
