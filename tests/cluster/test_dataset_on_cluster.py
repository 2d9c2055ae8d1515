"""Batches on a cluster: the same bytes, and a lost worker costs no more than its batch."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import distributed
import pytest

from deepdiva.cluster import Workers
from deepdiva.cluster.crew import RECORD
from deepdiva.data.corpora.dataset_settings import DatasetSettings
from deepdiva.data.corpora.generate import generate
from deepdiva.errors import InvalidValueError, StorageError
from deepdiva.note import Note
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

SETTINGS = DatasetSettings(
    default_space(), sample_size=64, note=Note(length_seconds=0.2, render_seconds=0.25), seed=5
)
BATCHES = 12


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("here")
    generate(folder, SETTINGS, PanelRenderer(), BATCHES)
    return tree(folder)


def test_a_dask_worker_is_killed_on_the_way(tmp_path: Path, expected: dict[str, bytes]) -> None:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        with distributed.Client(cluster) as client:
            processes = client.run(os.getpid)
        assert len(processes) == 2
        victims = list(processes.values())[:1]
        done_at_kill: list[int] = []

        def on_progress(done: int, total: int) -> None:
            if done >= total // 4 and victims:
                os.kill(victims.pop(), signal.SIGKILL)
                done_at_kill.append(done)

        workers = Workers("dask", scheduler=cluster.scheduler_address)
        summary = generate(
            tmp_path,
            SETTINGS,
            PanelRenderer(),
            BATCHES,
            workers=workers,
            on_progress=on_progress,
        )
    assert done_at_kill
    assert done_at_kill[0] < summary.sounds == BATCHES * SETTINGS.sample_size
    (tmp_path / RECORD).unlink()
    assert tree(tmp_path) == expected


def test_a_failure_on_a_worker_is_told(tmp_path: Path) -> None:
    """A folder that the workers do not see, as when the machines share no disk."""
    folder = tmp_path / "dataset"

    def hide(done: int, total: int) -> None:
        if done == 0 and total:
            folder.rename(tmp_path / "elsewhere")

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=50
    ) as cluster:
        workers = Workers("dask", scheduler=cluster.scheduler_address, shared=True)
        with pytest.raises(StorageError, match="all machines of the cluster share"):
            generate(folder, SETTINGS, PanelRenderer(), 1, workers=workers, on_progress=hide)


def test_a_scheduler_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    from dask import config

    with (
        config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(InvalidValueError, match="No Dask scheduler answers"),
    ):
        generate(
            tmp_path,
            SETTINGS,
            PanelRenderer(),
            workers=Workers("dask", scheduler="tcp://127.0.0.1:9"),
        )


@pytest.mark.parametrize("shared", [False, True])
def test_a_cluster_makes_the_same_bytes(
    tmp_path: Path, expected: dict[str, bytes], cluster: Workers, shared: bool
) -> None:
    generate(tmp_path, SETTINGS, PanelRenderer(), BATCHES, workers=replace(cluster, shared=shared))
    (tmp_path / RECORD).unlink()
    assert tree(tmp_path) == expected


def test_files_beside_the_arrays_come_back_too(tmp_path: Path, cluster: Workers) -> None:
    settings = replace(SETTINGS, sample_size=8, store="features", save_audio=True)
    for folder, workers in (("here", Workers(jobs=1)), ("there", cluster)):
        generate(tmp_path / folder, settings, PanelRenderer(), 1, workers=workers)
    (tmp_path / "there" / RECORD).unlink()
    sounds = tree(tmp_path / "here" / "audio")
    assert len(sounds) == 8
    assert tree(tmp_path / "there" / "audio") == sounds
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
