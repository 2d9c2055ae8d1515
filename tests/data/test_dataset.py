"""A data set is a function of its options and seed, says all about itself, and hides nothing."""

from __future__ import annotations

import errno
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray

from deepdiva.cli import main
from deepdiva.cluster import Workers
from deepdiva.data.checksum import file_crc32
from deepdiva.data.corpora.dataset import Dataset
from deepdiva.data.corpora.dataset_settings import BaseFile, DatasetSettings
from deepdiva.data.corpora.faults import Fault, QualityPolicy
from deepdiva.data.corpora.generate import LOCK_NAME, generate
from deepdiva.data.corpora.inspection import inspect
from deepdiva.data.npy import NpyFile
from deepdiva.data.sampling import AroundPresets, Uniform, preset_files
from deepdiva.errors import (
    DeepDivaError,
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    RenderError,
    StorageError,
)
from deepdiva.features import MelSpectrogram, Mfcc
from deepdiva.hosts.plugin_renderer import PluginRenderer, PluginSettings
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.renderer import (
    Failure,
    PartialRenderError,
    RenderBatch,
    Renderer,
    RendererInfo,
    Seeds,
)
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(length_seconds=0.04, render_seconds=0.05)
SETTINGS = DatasetSettings(default_space(), sample_size=300, note=NOTE, seed=7)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two batches of 300 sounds, made by one worker."""
    folder = tmp_path_factory.mktemp("made") / "dataset"
    generate(folder, SETTINGS, PanelRenderer(), 2, workers=Workers(jobs=1))
    return folder


@pytest.mark.parametrize("workers", [Workers(jobs=3), Workers("loky", jobs=2)])
def test_bytes_do_not_depend_on_the_workers(made: Path, tmp_path: Path, workers: Workers) -> None:
    told: list[tuple[int, int]] = []
    summary = generate(
        tmp_path / "dataset",
        SETTINGS,
        PanelRenderer(),
        2,
        workers=workers,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert tree(tmp_path / "dataset") == tree(made)
    assert summary.sounds == 600
    assert told[0] == (0, 600)
    assert told[-1] == (600, 600)


def test_a_sound_does_not_depend_on_the_batch_size(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, replace(SETTINGS, sample_size=10), PanelRenderer())
    small, large = Dataset.open(tmp_path), Dataset.open(made)
    np.testing.assert_array_equal(small.patches, large.patches[:10])
    np.testing.assert_array_equal(small.rows("audio")[:], large.rows("audio")[:10])


def test_every_sound_can_be_played_again_from_what_is_stored(made: Path) -> None:
    dataset = Dataset.open(made)
    for number in (0, 255, 256, 299, 300, 599):
        row = dataset.samples[number]
        patches = dataset.space().patches(dataset.patches[number : number + 1])
        audio = PanelRenderer().render(patches, dataset.note, int(row["seed"]))[0]
        np.testing.assert_array_equal(audio, dataset.rows("audio")[number])
        assert row["peak"] == np.abs(audio).max()
        assert row["rms"] == pytest.approx(np.sqrt(np.mean(audio.astype(np.float64) ** 2)), 1e-4)


def test_the_description_says_all(made: Path) -> None:
    values = json.loads((made / "dataset.json").read_text())
    assert values["note"] == NOTE.to_dict()
    assert values["space"] == json.loads(json.dumps(default_space().to_dict()))
    assert values["seed"] == 7
    info = PanelRenderer().info
    assert values["renderer"] == {
        "name": info.name,
        "version": info.version,
        "repeatable": info.repeatable,
    }
    assert values["totals"]["sounds"] == 600
    named = set()
    for record in values["batches"]["made"].values():
        for file in record["files"].values():
            path = made / file["name"]
            named.add(path.name)
            assert path.stat().st_size == file["bytes"]
            assert f"{file_crc32(path):08x}" == file["crc32"]
    assert {path.name for path in made.iterdir()} == named | {"dataset.json", LOCK_NAME}


def test_arrays_are_plain_and_memory_mappable(made: Path) -> None:
    audio = np.load(made / "0_audio.npy", mmap_mode="r")
    assert isinstance(audio, np.memmap)
    assert (audio.shape, audio.dtype) == ((300, NOTE.samples), np.float32)
    patches = np.load(made / "1_patches.npy")
    assert (patches.shape, patches.dtype) == ((300, 11), np.float32)
    assert patches.min() >= 0.0
    assert patches.max() <= 1.0


def test_no_sound_is_doubled(made: Path) -> None:
    dataset = Dataset.open(made)
    assert len(np.unique(dataset.patches, axis=0)) == 600
    assert len(np.unique(dataset.samples["seed"])) == 600


def test_patches_are_uniform() -> None:
    space = default_space()
    draws = [Uniform().points(space, np.random.default_rng(seed), 256) for seed in range(40)]
    points = np.concatenate(draws)
    for column in space.continuous:
        largest_gap = np.abs(np.sort(points[:, column]) - np.linspace(0, 1, len(points))).max()
        assert largest_gap < 1.63 / np.sqrt(len(points))  # Kolmogorov, 1 % level
    for dimension in space.classes:
        _, counts = np.unique(points[:, dimension.position], return_counts=True)
        assert len(counts) == len(dimension.positions)
        expected = len(points) / len(counts)
        assert np.abs(counts - expected).max() < 4 * np.sqrt(expected)


def test_jitter_stays_around_the_presets(diva_presets: list[Path]) -> None:
    space = default_space()
    near = AroundPresets.read(diva_presets, space, jitter=0.02)
    points = near.points(space, np.random.default_rng(0), 2000)
    centres = np.array(near.points_of_presets)
    assert points.min() >= 0.0
    assert points.max() <= 1.0
    columns = space.continuous
    distances = np.abs(points[:, None, columns] - centres[None, :, columns]).max(axis=2)
    assert np.quantile(distances.min(axis=1), 0.99) < 0.02 * 4
    exact = AroundPresets.read(diva_presets[:1], space, jitter=0.0)
    np.testing.assert_array_equal(
        exact.points(space, np.random.default_rng(1), 3), np.tile(centres[0], (3, 1))
    )


def test_a_different_preset_makes_different_settings(
    tmp_path: Path, diva_presets: list[Path]
) -> None:
    space = default_space()
    settings = replace(
        SETTINGS, sample_size=5, sampling=AroundPresets.read(diva_presets[:3], space)
    )
    generate(tmp_path, settings, PanelRenderer())
    other = replace(settings, sampling=AroundPresets.read(diva_presets[1:4], space))
    with pytest.raises(FileExistsAlreadyError, match="sampling"):
        generate(tmp_path, other, PanelRenderer())


def test_clipping_sounds_are_redrawn_and_counted(tmp_path: Path) -> None:
    loud = default_space()
    base = loud.base.copy()
    base[loud.table.index("main.CcOp")] = 200.0
    settings = replace(SETTINGS, space=default_space(base))
    generate(tmp_path / "kept", settings, PanelRenderer())
    quiet = replace(settings, quality=QualityPolicy(clipping="redraw"))
    generate(tmp_path / "redrawn", quiet, PanelRenderer())
    kept, redrawn = Dataset.open(tmp_path / "kept"), Dataset.open(tmp_path / "redrawn")

    clipping = np.abs(kept.rows("audio")[:]).max(axis=1) > 1.0
    np.testing.assert_array_equal((kept.samples["faults"] & Fault.CLIPPING) > 0, clipping)
    assert 0 < clipping.sum() < 300
    record = kept.description.records[0]
    assert record.kept["clipping"] == clipping.sum()
    assert record.redrawn["clipping"] == 0

    assert np.abs(redrawn.rows("audio")[:]).max() <= 1.0
    np.testing.assert_array_equal(redrawn.samples["redraws"] > 0, clipping)
    record = redrawn.description.records[0]
    assert record.kept["clipping"] == 0
    assert record.redrawn["clipping"] == redrawn.samples["redraws"].sum()
    untouched = ~clipping
    np.testing.assert_array_equal(
        redrawn.rows("audio")[:][untouched], kept.rows("audio")[:][untouched]
    )


class Unreliable(Renderer):
    """The embedded engine, but low cutoffs crash it and high ones give NaN."""

    def __init__(self) -> None:
        self.engine = PanelRenderer()

    @property
    def info(self) -> RendererInfo:
        return self.engine.info

    @property
    def table(self) -> ParameterTable:
        return DIVA

    @property
    def supported(self) -> frozenset[str]:
        return self.engine.supported

    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        audio = self.engine.render(patches, note, seeds)
        cutoff = patches[:, DIVA.index("VCF1.Freq")]
        audio[cutoff > 130] = np.nan
        crashed = np.flatnonzero(cutoff < 50)
        audio[crashed] = 0.0
        if len(crashed):
            failures = tuple(Failure(int(row), "crashed") for row in crashed)
            raise PartialRenderError(RenderBatch(audio, failures))
        return audio


def test_failures_are_redrawn_or_kept_and_always_counted(made: Path, tmp_path: Path) -> None:
    generate(tmp_path / "redrawn", SETTINGS, Unreliable(), 2)
    redrawn = Dataset.open(tmp_path / "redrawn")
    cutoff = redrawn.space().patches(redrawn.patches)[:, DIVA.index("VCF1.Freq")]
    assert cutoff.min() >= 50
    assert cutoff.max() <= 130
    assert not (redrawn.samples["faults"] & (Fault.FAILED | Fault.NON_FINITE)).any()
    counts = [record.redrawn for record in redrawn.description.records.values()]
    refused = sum(count["failed"] + count["non_finite"] for count in counts)
    assert refused == redrawn.samples["redraws"].sum() > 100

    policy = QualityPolicy(non_finite="keep", failed="keep")
    generate(tmp_path / "kept", replace(SETTINGS, quality=policy), Unreliable(), 2)
    kept = Dataset.open(tmp_path / "kept")
    np.testing.assert_array_equal(kept.patches, Dataset.open(made).patches)
    cutoff = kept.space().patches(kept.patches)[:, DIVA.index("VCF1.Freq")]
    faults = kept.samples["faults"]
    np.testing.assert_array_equal((faults & Fault.FAILED) > 0, cutoff < 50)
    np.testing.assert_array_equal((faults & Fault.NON_FINITE) > 0, cutoff > 130)
    assert inspect(kept).kept["failed"] == np.count_nonzero(cutoff < 50)
    assert np.isnan(kept.rows("audio")[cutoff > 130]).all()


def test_a_space_without_sound_is_an_error_and_no_loop(tmp_path: Path) -> None:
    space = default_space()
    base = space.base.copy()
    base[space.table.index("main.CcOp")] = 0.0
    silent = replace(SETTINGS, sample_size=4, space=default_space(base))
    generate(tmp_path / "kept", silent, PanelRenderer())
    assert Dataset.open(tmp_path / "kept").description.records[0].kept["silent"] == 4
    refused = replace(silent, quality=QualityPolicy(silent="redraw", redraws=3))
    with pytest.raises(RenderError, match=r"Sound 0 of batch 0 was drawn 4 times.*--silent keep"):
        generate(tmp_path / "refused", refused, PanelRenderer())
    assert not list((tmp_path / "refused").glob("*.npy"))


def test_float16_holds_the_same_sounds(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, replace(SETTINGS, store="float16"), PanelRenderer(), 2)
    half, full = Dataset.open(tmp_path), Dataset.open(made)
    assert half.rows("audio").dtype == np.float16
    np.testing.assert_array_equal(half.rows("audio")[:], full.rows("audio")[:].astype(np.float16))


@pytest.mark.parametrize("jobs", [1, 2])
def test_features_can_stand_in_place_of_audio(made: Path, tmp_path: Path, jobs: int) -> None:
    settings = replace(SETTINGS, store="features")
    workers = Workers(jobs=jobs)
    generate(tmp_path, settings, PanelRenderer(), 2, workers=workers)
    features, audio = Dataset.open(tmp_path), Dataset.open(made).rows("audio")[:]
    with pytest.raises(MissingFileError, match="keeps no audio, only"):
        features.rows("audio")
    np.testing.assert_allclose(
        features.rows("melspectrogram")[:], MelSpectrogram(settings.mel)(audio).numpy(), atol=1e-5
    )
    np.testing.assert_allclose(
        features.rows("mfcc_unscaled")[:], Mfcc(settings.mfcc)(audio).numpy(), atol=1e-3
    )


@pytest.mark.parametrize("store", ["float32", "features"])
def test_a_low_sample_rate_lowers_the_highest_frequency(tmp_path: Path, store: str) -> None:
    options = ["dataset", "--sample-size", "3", "--data-path", str(tmp_path), "--store", store]
    options += ["--sample-rate", "22050", "--render-length", "0.05"]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    dataset = Dataset.open(tmp_path / "dataset")
    assert (len(dataset), dataset.note.sample_rate) == (3, 22050)
    features = dataset.description.settings["features"]
    if store == "float32":
        assert features is None
    else:
        assert features["mel"]["fmax"] == features["mfcc"]["mel"]["fmax"] == 11025


def test_sounds_can_also_be_wav_files(made: Path, tmp_path: Path) -> None:
    import soundfile

    settings = replace(SETTINGS, sample_size=3, save_audio=True, file_prefix="eval_")
    generate(tmp_path, settings, PanelRenderer())
    for number in range(3):
        sound, rate = soundfile.read(
            tmp_path / "audio" / f"eval_0_audio_{number}.wav", dtype="float32"
        )
        assert rate == 44100
        np.testing.assert_array_equal(sound, Dataset.open(made).rows("audio")[number])


def test_a_data_set_can_grow_and_heals(made: Path, tmp_path: Path) -> None:
    renderer = PanelRenderer()
    assert generate(tmp_path, SETTINGS, renderer, 1).sounds == 300
    assert generate(tmp_path, SETTINGS, renderer, 2).sounds == 300
    assert tree(tmp_path) == tree(made)
    assert generate(tmp_path, SETTINGS, renderer, 2).sounds == 0
    assert generate(tmp_path, SETTINGS, renderer, 1).sounds == 0

    (tmp_path / "0_audio.npy").unlink()
    with pytest.raises(MissingFileError, match=r"0_audio\.npy is missing or cut short"):
        Dataset.open(tmp_path)
    assert generate(tmp_path, SETTINGS, renderer, 2).sounds == 300
    assert tree(tmp_path) == tree(made)


def test_a_batch_that_has_names_but_no_entry_is_made_again(made: Path, tmp_path: Path) -> None:
    """The state between the names of a batch's files and its entry in the description."""
    generate(tmp_path, SETTINGS, PanelRenderer(), 2)
    path = tmp_path / "dataset.json"
    values = json.loads(path.read_text())
    del values["batches"]["made"]["1"]
    path.write_text(json.dumps(values))
    (tmp_path / ".1_audio.npy.0123.part").write_bytes(b"half a file")
    features = tmp_path / ".melspectrogram.npy.4567.part"
    features.write_bytes(b"what deepdiva features is writing")
    assert generate(tmp_path, SETTINGS, PanelRenderer(), 2).sounds == 300
    features.unlink()
    assert tree(tmp_path) == tree(made)


def test_batches_can_be_left_to_others(made: Path, tmp_path: Path) -> None:
    assert generate(tmp_path, SETTINGS, PanelRenderer(), 2, first_batch=1).sounds == 300
    assert not (tmp_path / "0_audio.npy").exists()
    assert (tmp_path / "1_audio.npy").read_bytes() == (made / "1_audio.npy").read_bytes()
    with pytest.raises(InvalidValueError, match="2 of 2 batches are completed"):
        generate(tmp_path, SETTINGS, PanelRenderer(), 2, first_batch=2)


def test_a_second_run_in_the_same_folder_is_refused_and_harms_nothing(
    made: Path, tmp_path: Path
) -> None:
    refused: list[str] = []

    def second_run(done: int, _: int) -> None:
        with pytest.raises(StorageError, match="in use by another run") as caught:
            generate(tmp_path, SETTINGS, PanelRenderer(), 2, first_batch=1)
        refused.append(f"{done}: {caught.value}")

    first = Workers(jobs=1)
    generate(tmp_path, SETTINGS, PanelRenderer(), 2, workers=first, on_progress=second_run)
    assert len(refused) == 5  # at the start, and after each of four blocks
    assert tree(tmp_path) == tree(made)
    assert generate(tmp_path, SETTINGS, PanelRenderer(), 2).sounds == 0


def test_a_batch_that_cannot_begin_ends_the_run_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches begin in joblib's threads: an error that is lost there lets the run wait forever."""
    create = NpyFile.create

    def full(file: NpyFile) -> None:
        if file.path.name == "7_samples.npy":
            raise OSError(errno.ENOSPC, "No space left on device")
        create(file)

    small = replace(SETTINGS, sample_size=10)
    with monkeypatch.context() as patched:
        patched.setattr(NpyFile, "create", full)
        with pytest.raises(StorageError, match=r"No space left on device.*batches are kept"):
            generate(tmp_path, small, PanelRenderer(), 9, workers=Workers(jobs=1))
    assert set(Dataset.open(tmp_path).description.records) == set(range(7))
    assert not list(tmp_path.glob(".*.part"))
    assert generate(tmp_path, small, PanelRenderer(), 9).sounds == 20


@pytest.mark.usefixtures("standins")
def test_a_worker_process_that_dies_is_a_clear_error(made: Path, tmp_path: Path) -> None:
    from dying_engine import DyingEngine

    # loky keeps processes for the next caller; those of another test do not know this engine.
    get_reusable_executor().shutdown(wait=True)
    with pytest.raises(RenderError, match="A worker process died"):
        generate(tmp_path, SETTINGS, DyingEngine(), 2, workers=Workers("loky", jobs=2))
    assert {path.name for path in tmp_path.iterdir()} == {"dataset.json", LOCK_NAME}
    generate(tmp_path, SETTINGS, PanelRenderer(), 2)
    assert tree(tmp_path) == tree(made)


def test_damage_is_found(tmp_path: Path) -> None:
    generate(tmp_path, replace(SETTINGS, sample_size=20), PanelRenderer())
    dataset = Dataset.open(tmp_path)
    assert dataset.damaged() == []
    path = tmp_path / "0_audio.npy"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert dataset.damaged() == [path]


def test_rows_are_one_array(made: Path) -> None:
    rows = Dataset.open(made).rows("patches")
    whole = Dataset.open(made).patches
    assert (len(rows), rows.shape) == (600, (600, 11))
    for index in (3, -1, slice(290, 310), slice(None, None, 77), np.array([599, 0, 300, 0])):
        np.testing.assert_array_equal(rows[index], whole[index])
    low = whole[:, 0] < 0.1
    np.testing.assert_array_equal(rows[low], whole[low])
    np.testing.assert_array_equal(np.concatenate(list(rows.chunks(128))), whole)
    for wrong in (600, -601, [0, 700]):
        with pytest.raises(IndexError, match="600 rows"):
            rows[wrong]


# Errors come before the work, and nothing is overwritten.


def test_other_settings_are_refused_and_named(made: Path) -> None:
    before = tree(made)
    for changed, message in (
        (replace(SETTINGS, seed=8), "seed is 7 there and 8 here"),
        (replace(SETTINGS, note=replace(NOTE, pitch=60)), "note.pitch is 48 there and 60 here"),
        (replace(SETTINGS, sample_size=301), "sample_size is 300"),
        (replace(SETTINGS, base_preset=BaseFile("my.h2p", "0123")), "base_preset"),
        (replace(SETTINGS, store="float16"), "store"),
    ):
        with pytest.raises(FileExistsAlreadyError, match=message):
            generate(made, changed, PanelRenderer(), 2)
    with pytest.raises(FileExistsAlreadyError, match=r"renderer\.version"):
        generate(made, SETTINGS, PanelRenderer(constants={"decay_power": 4.0}), 2)
    assert tree(made) == before


def test_foreign_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "0_audio.npy").write_bytes(b"mine")
    with pytest.raises(FileExistsAlreadyError, match=r"0_audio\.npy exists already"):
        generate(tmp_path, SETTINGS, PanelRenderer())
    assert tree(tmp_path) == {"0_audio.npy": b"mine"}


def test_too_small_a_disk_is_noticed_first(tmp_path: Path) -> None:
    huge = replace(SETTINGS, sample_size=10_000_000, note=Note(render_seconds=600.0))
    with pytest.raises(StorageError, match=r"room for .* GB .* takes 105840\d+\.\d GB more"):
        generate(tmp_path, huge, PanelRenderer(), 100)


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let the system refuse to write beyond `size` bytes in a file, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_fills_up_costs_no_complete_batch(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, SETTINGS, PanelRenderer(), 1)
    with (
        files_at_most(1_000_000),
        pytest.raises(StorageError, match="complete batches are kept"),
    ):
        generate(tmp_path, SETTINGS, PanelRenderer(), 2, workers=Workers(jobs=1))
    assert len(Dataset.open(tmp_path)) == 300
    generate(tmp_path, SETTINGS, PanelRenderer(), 2)
    assert tree(tmp_path) == tree(made)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        generate(tmp_path / "file" / "dataset", SETTINGS, PanelRenderer())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not describe a data set"),
        ('{"format": "other"}', "does not describe a data set"),
        ('{"format": "deepdiva-dataset", "format_version": 9}', "deepdiva-dataset 9"),
    ],
)
def test_a_damaged_description_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InvalidValueError, match=message):
        Dataset.open(tmp_path)
    with pytest.raises(InvalidValueError, match=message):
        generate(tmp_path, SETTINGS, PanelRenderer())


def test_a_folder_without_a_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="is no data set"):
        Dataset.open(tmp_path)
    with pytest.raises(MissingFileError, match=r"holds no \.h2p preset"):
        preset_files(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(SETTINGS, sample_size=0), "sample_size is 0"),
        (lambda: replace(SETTINGS, seed=-1), "seed is -1"),
        (lambda: replace(SETTINGS, file_prefix="../x"), "file_prefix is '../x'"),
        (lambda: replace(SETTINGS, store="wav"), "store is 'wav'"),  # type: ignore[arg-type]
        (
            lambda: replace(SETTINGS, store="features", quality=QualityPolicy(non_finite="keep")),
            "have no features",
        ),
        (lambda: QualityPolicy(silent="drop"), "silent is 'drop'"),  # type: ignore[arg-type]
        (lambda: QualityPolicy(redraws=0), "redraws is 0"),
        (lambda: AroundPresets((), ()), "no preset"),
        (lambda: AroundPresets(("a",), ((0.5,),), jitter=2.0), "jitter is 2.0"),
        (lambda: Workers("spark"), "backend is 'spark'"),  # type: ignore[arg-type]
        (lambda: Workers(jobs=0), "jobs is 0"),
        (lambda: Workers(scheduler="tcp://a:1"), "add --backend dask"),
    ],
)
def test_wrong_settings_are_named(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(DeepDivaError, match=message):
        make()


def test_the_command_line_makes_grows_and_reports(tmp_path: Path) -> None:
    options = ["dataset", "--sample-size", "20", "--data-path", str(tmp_path), "--json"]
    options += ["--render-length-seconds", "0.05", "--note-length-seconds", "0.04"]
    options += ["--random-parameters", "86 131 148 149", "--file-prefix", "train_", "--seed", "3"]
    runner = CliRunner()
    first = runner.invoke(main, options, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["made_now"] == 20
    second = runner.invoke(main, [*options, "--nr-data-batches", "2"], catch_exceptions=False)
    result = json.loads(second.stdout)
    assert (result["made_now"], result["sounds"], result["batches"]) == (20, 40, 2)
    dataset = Dataset.open(tmp_path / "dataset")
    assert dataset.free == ("OSC.Tune1", "OSC.Wave1", "VCF1.Freq", "VCF1.Res")
    assert (tmp_path / "dataset" / "train_1_audio.npy").exists()

    other = runner.invoke(main, [*options, "--seed", "4"])
    assert other.exit_code == 2
    assert "seed is 3 there and 4 here" in other.stderr
    missing = runner.invoke(main, ["dataset"])
    assert missing.exit_code == 2
    assert "--sample-size" in missing.stderr


def test_the_base_preset_travels_with_its_detune(tmp_path: Path, diva_presets: list[Path]) -> None:
    options = ["dataset", "--sample-size", "3", "--data-path", str(tmp_path)]
    options += ["--render-length", "0.05", "--base-preset", str(diva_presets[5])]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    preset = Preset.read(diva_presets[5])
    dataset = Dataset.open(tmp_path / "dataset")
    assert dataset.description.settings["base_preset"]["name"] == diva_presets[5].name
    patches = default_space(preset.values()).patches(dataset.patches)
    expected = PanelRenderer.of_preset(preset).render(
        patches, dataset.note, dataset.samples["seed"].astype(np.int64)
    )
    np.testing.assert_array_equal(dataset.rows("audio")[:], expected)


def test_presets_of_diva_are_refused_for_another_synthesizer(
    tmp_path: Path, amsynth: Path, diva_presets: list[Path]
) -> None:
    options = ["dataset", "--sample-size", "3", "--plugin", str(amsynth), "--from-presets"]
    options += [str(diva_presets[0].parent), "--data-path", str(tmp_path), "--jobs", "1"]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert result.exit_code == 2
    assert "presets are of Diva, and the synthesizer is" in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_plug_in_makes_a_data_set_too(tmp_path: Path, nekobi: Path) -> None:
    options = ["dataset", "--sample-size", "5", "--nr-data-batches", "2", "--plugin", str(nekobi)]
    options += ["--plugin-mode", "fresh", "--data-path", str(tmp_path), "--render-length", "0.2"]
    options += ["--note-length", "0.2", "--jobs", "2"]
    runner = CliRunner()
    made = runner.invoke(main, options, catch_exceptions=False)
    assert made.exit_code == 0, made.output
    dataset = Dataset.open(tmp_path / "dataset")
    about = dataset.description.renderer
    assert (about["name"], about["repeatable"]) == ("dawdreamer", True)
    assert len(dataset.free) == 8
    assert inspect(dataset).kept == {"silent": 0, "clipping": 0, "non_finite": 0, "failed": 0}
    with pytest.raises(InvalidValueError, match="use it with the synthesizer"):
        dataset.space()
    renderer = PluginRenderer(PluginSettings(nekobi, mode="fresh"))
    try:
        patches = dataset.space(renderer.table).patches(dataset.patches[[3, 7]])
        audio = renderer.render(patches, dataset.note)
    finally:
        renderer.close()
    np.testing.assert_array_equal(audio, dataset.rows("audio")[[3, 7]])
    again = runner.invoke(main, [*options, "--folder-name", "again", "--jobs", "1"])
    assert again.exit_code == 0, again.output
    assert tree(tmp_path / "again") == tree(tmp_path / "dataset")
