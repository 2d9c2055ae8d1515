"""Tasks on the workers of a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.experimental import internal_kv
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from deepdiva.cluster.parcel import packed, unpacked
from deepdiva.cluster.pool import Lost, Pool, header_of
from deepdiva.cluster.remote import Answer, Identity, identity, perform
from deepdiva.cluster.workers import Workers
from deepdiva.errors import ClusterError, InvalidValueError
from deepdiva.workers import worker_count

_IDENTITY_SECONDS = 60.0


class RayPool(Pool):
    """Workers of a Ray cluster; one of this machine where there is no address.

    Args:
        work: function of a module.
        state: first argument of every call.
        workers: where the cluster is.

    Raises:
        InvalidValueError: no cluster answers.
        StorageError: the state is too large to travel.
    """

    tries_errors_again = True

    def __init__(self, work: Callable[[Any, Any], Any], state: Any, workers: Workers) -> None:
        self._key = secrets.token_hex(8)
        brought = packed(state, carries_files=not workers.shared)
        self.address = workers.scheduler or os.environ.get("RAY_ADDRESS")
        self._most = workers.jobs if self.address else None
        self._own = not ray.is_initialized()
        if self._own:
            here: dict[str, Any] = {
                "num_cpus": worker_count(workers.jobs),
                "include_dashboard": False,
            }
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            before = signal.getsignal(signal.SIGTERM)
            try:
                ray.init(
                    address=workers.scheduler,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **({} if self.address else here),
                )
                if threading.current_thread() is threading.main_thread() and before is not None:
                    signal.signal(signal.SIGTERM, before)  # Ray puts one of its own in its place
            except (ConnectionError, ValueError) as error:
                raise InvalidValueError(
                    f"No Ray cluster answers at {workers.scheduler}: {error}."
                ) from error
        header = header_of(work, bytes, partial(_is_stopped, self._key), self._key, settles=True)
        self._header = ray.put(packed(header))
        self._state = ray.put(np.frombuffer(brought, np.uint8))
        self._call = ray.remote(max_retries=0, num_cpus=1)(_perform)

    @property
    def window(self) -> int:
        if self._most is not None:
            return self._most
        return 2 * int(ray.cluster_resources().get("CPU", 0)) + 2

    def submit(self, item: Any, avoid: frozenset[str]) -> Hashable:
        call = self._call.options(scheduling_strategy="SPREAD") if avoid else self._call
        reference: Hashable = call.remote(self._header, self._state, packed(item))
        return reference

    def finished(
        self, handles: Sequence[Any], seconds: float
    ) -> list[tuple[Hashable, Answer | Lost]]:
        ready, _ = ray.wait(list(handles), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = ray.wait(list(handles), num_returns=len(handles), timeout=0)
        found: list[tuple[Hashable, Answer | Lost]] = []
        for reference in ready:
            try:
                found.append((reference, unpacked(ray.get(reference))))
            except ray.exceptions.RaySystemError as error:
                raise ClusterError(f"The Ray cluster does not answer any more ({error})") from error
            except ray.exceptions.RayError as error:
                told = str(error).strip().partition("\n")[0].rstrip(".")
                found.append((reference, Lost(f"{told}.")))
        return found

    def cancel(self, handles: Sequence[Any]) -> None:
        for reference in handles:
            with contextlib.suppress(Exception):
                ray.cancel(reference, force=True)

    def stop(self) -> None:
        internal_kv._internal_kv_put(_stop_key(self._key), b"1")  # noqa: SLF001

    def close(self, *, hurry: bool) -> None:
        if hurry:
            self.stop()
        if self._own:
            ray.shutdown()

    def identities(self) -> dict[str, Identity | str]:
        probe = ray.remote(max_retries=1, num_cpus=0)(_identity)
        asked = {
            f"{node['NodeManagerAddress']} {node['NodeID'][:8]}": probe.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote()
            for node in ray.nodes()
            if node["Alive"]
        }
        found: dict[str, Identity | str] = {}
        for name, reference in asked.items():
            try:
                found[name] = ray.get(reference, timeout=_IDENTITY_SECONDS)
            except ray.exceptions.RayError as error:
                found[name] = str(error).strip().rpartition("\n")[2]
        return found


def _identity() -> Identity:
    return identity()


def _perform(header: bytes, state: NDArray[np.uint8], item: bytes) -> bytes:
    worker = ray.get_runtime_context().get_worker_id()
    brought = replace(unpacked(header), fetch=lambda: state.data)
    return perform(brought, item, worker)


def _stop_key(key: str) -> bytes:
    return f"deepdiva-stop-{key}".encode()


def _is_stopped(key: str) -> bool:
    return bool(internal_kv._internal_kv_exists(_stop_key(key)))  # noqa: SLF001
