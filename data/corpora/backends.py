"""Who makes the batches: threads, processes, or a Dask or Ray cluster through joblib."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import joblib

from deepdiva.data.corpora.batch_maker import BatchMaker, BatchRecord, BlockReport
from deepdiva.errors import InvalidValueError, MissingFeatureError, StorageError

Backend = Literal["threading", "loky", "dask", "ray"]
LOCAL: tuple[Backend, ...] = ("threading", "loky")
BACKENDS: tuple[Backend, ...] = (*LOCAL, "dask", "ray")


@dataclass(frozen=True)
class Workers:
    """Where the work is done.

    Attributes:
        backend: `threading` or `loky` on this machine, `dask` or `ray` on a cluster; None takes
            what suits the renderer on this machine.
        jobs: workers side by side; None for one on each core of this machine, or for all that the
            cluster has.
        scheduler: address of the cluster; None lets Dask or Ray look for one, or start its own.

    Raises:
        InvalidValueError: an unknown backend, fewer than one job, or a scheduler without a cluster.
    """

    backend: Backend | None = None
    jobs: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.backend is not None and self.backend not in BACKENDS:
            raise InvalidValueError(
                f"backend is {self.backend!r}: it must be one of {', '.join(BACKENDS)}."
            )
        if self.jobs is not None and self.jobs < 1:
            raise InvalidValueError(f"jobs is {self.jobs!r}: it must be at least 1.")
        if self.scheduler is not None and not self.is_cluster:
            raise InvalidValueError(
                f"The scheduler {self.scheduler} is given, and the backend is "
                f"{self.backend or 'on this machine'}: add --backend dask or --backend ray."
            )

    @property
    def is_cluster(self) -> bool:
        """Whether the work leaves this machine, batch by batch."""
        return self.backend is not None and self.backend not in LOCAL


@contextmanager
def connected(workers: Workers) -> Iterator[None]:
    """Send joblib's parallel work to the cluster, as long as this lasts.

    Raises:
        MissingFeatureError: the extra is not installed.
        InvalidValueError: the scheduler does not answer.
    """
    if workers.backend == "dask":
        with _dask(workers.scheduler):
            yield
    elif workers.backend == "ray":
        with _ray(workers.scheduler):
            yield
    else:
        raise InvalidValueError(f"{workers.backend} is no cluster: use it without a connection.")


@contextmanager
def _dask(scheduler: str | None) -> Iterator[None]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingFeatureError(
            "Dask is not installed: install the extra with pip install 'deepdiva[dask]'."
        ) from error
    try:
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise InvalidValueError(f"No Dask scheduler answers at {scheduler}: {error}.") from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield


@contextmanager
def _ray(scheduler: str | None) -> Iterator[None]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise MissingFeatureError(
            "Ray is not installed: install the extra with pip install 'deepdiva[ray]'."
        ) from error
    try:
        ray.init(address=scheduler, ignore_reinit_error=True, log_to_driver=False)
    except ConnectionError as error:
        raise InvalidValueError(f"No Ray cluster answers at {scheduler}: {error}.") from error
    try:
        register_ray()
        with joblib.parallel_config(backend="ray"):
            yield
    finally:
        ray.shutdown()


def in_any_order(tasks: Sequence[Any], jobs: int) -> Generator[Any, None, None]:
    """Results of joblib's tasks as they come.

    A backend that gives results only all together (Ray's) gets the tasks in waves, so that what is
    done is known while the rest is being made.

    Args:
        tasks: made by `joblib.delayed`.
        jobs: workers side by side; -1 for all.
    """
    options: dict[str, Any] = {"n_jobs": jobs, "batch_size": 1, "pre_dispatch": "all"}
    backend, _ = joblib.parallel.get_active_backend()
    if backend.supports_return_generator:
        yield from joblib.Parallel(**options, return_as="generator_unordered")(tasks)
        return
    wave = 2 * joblib.effective_n_jobs(jobs)
    for start in range(0, len(tasks), wave):
        yield from joblib.Parallel(**options)(tasks[start : start + wave])


def packed(maker: BatchMaker) -> bytes:
    """A maker on its way to other processes."""
    return pickle.dumps(maker)


def make_packed_block(maker: bytes, batch: int, block: int, token: str) -> BlockReport:
    """`BatchMaker.make_block` in a worker process."""
    return _unpacked(maker).make_block(batch, block, token)


def make_packed_batch(maker: bytes, batch: int) -> tuple[int, BatchRecord]:
    """`BatchMaker.make` in a worker process, and the number of the batch."""
    unpacked = _unpacked(maker)
    if not unpacked.folder.is_dir():
        raise StorageError(
            f"{unpacked.folder} does not exist on a worker: name a folder that all machines of "
            "the cluster share, by the same path."
        )
    return batch, unpacked.make(batch)


@lru_cache(maxsize=2)
def _unpacked(maker: bytes) -> BatchMaker:
    """Once for each process: a plug-in is loaded once, and not for every block."""
    unpacked: Any = pickle.loads(maker)
    if not isinstance(unpacked, BatchMaker):
        raise TypeError(f"Expected a BatchMaker, not {type(unpacked).__name__}.")
    unpacked.settle()
    return unpacked
