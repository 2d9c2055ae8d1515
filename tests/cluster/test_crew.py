"""One function over many items: the same whoever works, and what becomes of failures and deaths."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import distributed
import pytest

from deepdiva.cluster import Workers, parcel
from deepdiva.cluster.crew import RECORD, Crew, Outcome
from deepdiva.cluster.parcel import packed, read_files, unpacked, write_files
from deepdiva.cluster.remote import Answer, Identity, identity
from deepdiva.errors import ClusterError, InvalidValueError, RenderError, StorageError
from tests.standins import cluster_tasks as tasks


def seen(workers: Workers) -> Workers:
    """The same workers, which see this machine's folders."""
    return replace(workers, shared=workers.is_cluster)


def test_everybody_gives_the_same(workers: Workers) -> None:
    with Crew(tasks.scaled, 7, workers) as crew:
        assert crew.remarks == ()
        found = {outcome.number: outcome.result for outcome in crew.each(range(30))}
        assert found == {number: 7 * number for number in range(30)}
        in_order = [outcome.result for outcome in crew.each(range(30), ordered=True)]
        assert in_order == [7 * number for number in range(30)]


@pytest.mark.parametrize("workers", ["loky", "dask", "ray"], indirect=True)
def test_a_task_that_kills_its_worker_costs_itself_only(workers: Workers, tmp_path: Path) -> None:
    """Item 3 always does, item 5 once."""
    with Crew(tasks.deadly, tmp_path, seen(workers)) as crew:
        found = {outcome.number: outcome for outcome in crew.each(range(7))}
    assert {n: outcome.result for n, outcome in found.items() if n != 3} == {
        n: n for n in (0, 1, 2, 4, 5, 6)
    }
    with pytest.raises(RenderError, match="died"):
        assert found[3].result
    # Dask counts a death against all that waited on the worker: what it has given up after at most
    # three is tried once more, alone.
    deaths = len((tmp_path / "died-3").read_text())
    assert deaths == 3 or (workers.backend == "dask" and 3 < deaths <= 6)
    assert (tmp_path / "died-5").read_text() == "x"


def test_an_answer_lost_with_its_worker_is_given_again(tmp_path: Path) -> None:
    """The worker dies after its task, before anybody has asked for the answer."""
    from deepdiva.cluster.dask_pool import DaskPool

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        workers = Workers("dask", scheduler=cluster.scheduler_address, shared=True)
        pool = DaskPool(tasks.whose, tmp_path, workers)
        handle = pool.submit(4, frozenset())
        while handle.status != "finished":  # type: ignore[attr-defined]
            time.sleep(0.005)
        os.kill(int((tmp_path / "by-4").read_text()), signal.SIGKILL)
        while handle.status == "finished":  # type: ignore[attr-defined]
            time.sleep(0.005)
        found = []
        while not found:
            found = pool.finished([handle], 0.1)
        pool.close(hurry=False)
    ((told, answer),) = found
    assert told is handle
    assert isinstance(answer, Answer)
    assert answer.result == 4


def test_errors_keep_their_kind_and_only_a_cluster_tries_again(
    workers: Workers, tmp_path: Path
) -> None:
    with Crew(tasks.faulty, tmp_path, seen(workers)) as crew:
        found = {outcome.number: outcome for outcome in crew.each(range(5))}
    with pytest.raises(InvalidValueError, match="1 is no item"):
        assert found[1].result
    with pytest.raises(TypeError, match="not so"):
        assert found[2].result
    assert found[4].result == 4
    assert bool(found[3].failure) != workers.is_cluster


def test_a_crew_is_stopped(workers: Workers, tmp_path: Path) -> None:
    def when_begun() -> None:
        while len(list(tmp_path.glob("begun-*"))) < 2:
            time.sleep(0.02)
        crew.stop()

    with Crew(tasks.patient, tmp_path, seen(workers)) as crew:
        threading.Thread(target=when_begun).start()
        found = [outcome.result for outcome in crew.each(range(1000))]
    assert set(found) == {"stopped"}
    assert 2 <= len(found) < 20


def test_items_are_asked_for_as_they_are_needed(workers: Workers) -> None:
    asked = []

    def items() -> Iterator[int]:
        for number in range(10_000):
            asked.append(number)
            yield number

    with Crew(tasks.scaled, 1, workers) as crew, closing(crew.each(items(), ordered=True)) as each:
        for _ in range(10):
            next(each)
    assert len(asked) < 60


def test_files_of_the_state_travel(cluster: Workers, tmp_path: Path) -> None:
    file = tmp_path / "weights.txt"
    file.write_text("heavy")
    with Crew(tasks.content, file, cluster) as crew:
        assert [o.result for o in crew.each([1], ordered=True)] == ["1 weights.txt heavy"]


def test_the_record_says_who_worked(cluster: Workers, tmp_path: Path) -> None:
    with Crew(tasks.scaled, 1, cluster) as crew:
        crew.record(tmp_path)
    record = json.loads((tmp_path / RECORD).read_bytes())
    assert record["backend"] == cluster.backend
    assert record["machines"][0]["processor"] == identity().processor
    assert record["one_kind_of_processor"]


def test_what_is_too_large_is_refused(
    cluster: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Crew(tasks.large, 2**20, cluster) as crew:
        [outcome] = crew.each([parcel.MOST_BYTES // 2**20 + 1])
        with pytest.raises(StorageError, match=r"A result has 26\d MB.*--shared"):
            assert outcome.result
    (tmp_path / "big").write_bytes(bytes(100))
    monkeypatch.setattr(parcel, "MOST_BYTES", 10)
    with pytest.raises(StorageError, match=r"--shared"):
        read_files(tmp_path)


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "..\\out", ""])
def test_files_of_a_worker_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValueError, match="leads out"):
        write_files(tmp_path, {name: b"x"})
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "below").mkdir()
    (tmp_path / "in" / "below" / "file.txt").write_bytes(b"content")
    (tmp_path / "in" / ".lock").touch()
    sent = {"folder": tmp_path / "in", "plug-in": Path(sys.executable).with_suffix(".so")}
    got = unpacked(packed(sent, carries_files=True))
    assert got["folder"] != sent["folder"]
    assert read_files(got["folder"]) == {"below/file.txt": b"content"}
    assert got["plug-in"] == sent["plug-in"]


OLD = """
import sys
import deepdiva
deepdiva.__version__ = "0.0.1"
from distributed.cli.dask_worker import main
main([sys.argv[1], "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", "old"])
"""


def test_a_worker_of_another_version_is_named(tmp_path: Path) -> None:
    """On a cluster of its own, which it would spoil for others."""
    import distributed

    with distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp://", dashboard_address=":0", silence_logs=50
    ) as cluster:
        old = subprocess.Popen(
            [sys.executable, "-c", OLD, cluster.scheduler_address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            with distributed.Client(cluster) as client:
                client.wait_for_workers(1, timeout=300)
            workers = Workers("dask", scheduler=cluster.scheduler_address)
            with pytest.raises(ClusterError, match=r"Worker tcp.*deepdiva 0\.0\.1 there and"):
                Crew(tasks.scaled, 1, workers)
        finally:
            old.kill()
            old.wait()


def test_another_processor_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from deepdiva.cluster import crew

    here = identity()
    there = replace(here, machine="node7", processor="cortex-a72")
    monkeypatch.setattr(crew, "_opened", lambda *_: Known({"one": here, "two": there}))
    remarks = Crew(tasks.scaled, 1, Workers("dask")).remarks
    assert len(remarks) == 1
    assert "node7 (cortex-a72)" in remarks[0]


class Known:
    """Says what its workers are, and does nothing."""

    def __init__(self, identities: dict[str, Identity | str]) -> None:
        self.identities = lambda: identities

    def close(self, *, hurry: bool) -> None:
        """There is nothing to close."""


SCHEDULER = """
import sys
from distributed.cli.dask_scheduler import main
main(["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", sys.argv[1]])
"""
WORKER = """
import sys
from distributed.cli.dask_worker import main
main(["--scheduler-file", sys.argv[1], "--nthreads", "1", "--no-nanny", "--no-dashboard"])
"""


@pytest.mark.skipif(os.name == "nt", reason="a process is killed")
def test_a_scheduler_that_is_killed_is_one_sentence(tmp_path: Path) -> None:
    from dask import config

    file = tmp_path / "scheduler.json"
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    both = [
        subprocess.Popen([sys.executable, "-c", code, file], env=environment, **options)
        for code in (SCHEDULER, WORKER)
    ]
    try:
        while not file.exists():
            assert both[0].poll() is None
            time.sleep(0.05)
        address = json.loads(file.read_bytes())["address"]
        done = []

        def kill_after_five(outcome: Outcome[int]) -> None:
            done.append(outcome.result)
            if len(done) == 5:
                os.kill(both[0].pid, signal.SIGKILL)

        with (
            config.set({"distributed.comm.timeouts.connect": "1s"}),
            Crew(tasks.slow, 0.05, Workers("dask", scheduler=address)) as crew,
            pytest.raises(ClusterError, match=r"does not answer any more.*goes on"),
        ):
            deque(map(kill_after_five, crew.each(range(10_000))), maxlen=0)
        assert 5 <= len(done) < 100
    finally:
        for one in both:
            one.kill()
            one.wait()
