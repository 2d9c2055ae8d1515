"""A Dask and a Ray cluster of two worker processes, for all tests here."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import dask
import distributed
import pytest
import ray

from deepdiva.cluster import Workers


@pytest.fixture(scope="session")
def dask_address() -> Iterator[str]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 2}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="session")
def ray_address() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    with warnings.catch_warnings():
        # Ray does not wait for its processes, which end a moment later.
        warnings.simplefilter("ignore", ResourceWarning)
        ray.shutdown()
        gc.collect()


@pytest.fixture(params=["dask", "ray"])
def cluster(request: pytest.FixtureRequest) -> Workers:
    """Workers that share no folder with this process, as far as they know."""
    address = request.getfixturevalue(f"{request.param}_address")
    return Workers(request.param, scheduler=address)


@pytest.fixture(params=["threading", "loky", "dask", "ray"])
def workers(request: pytest.FixtureRequest) -> Workers:
    """Two workers of every kind."""
    if request.param in ("threading", "loky"):
        return Workers(request.param, jobs=2)
    address = request.getfixturevalue(f"{request.param}_address")
    return Workers(request.param, scheduler=address)
