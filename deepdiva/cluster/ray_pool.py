"""Tasks on the workers of a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
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
from deepdiva.cluster.ray_watch import RayWatch
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
        self._watch: RayWatch | None = None
        try:
            with self._told():
                self._watch = RayWatch()
                self._header = ray.put(packed(header))
                self._state = ray.put(np.frombuffer(brought, np.uint8))
        except BaseException:
            self.close(hurry=False)
            raise
        self._call = ray.remote(max_retries=0, num_cpus=1)(_perform)

    @property
    def window(self) -> int:
        if self._most is not None:
            return self._most
        return 2 * (0 if self._watch is None else self._watch.cores) + 2

    def submit(self, item: Any, avoid: frozenset[str]) -> Hashable:
        call = self._call.options(scheduling_strategy="SPREAD") if avoid else self._call
        data = packed(item)
        with self._told():
            reference: Hashable = call.remote(self._header, self._state, data)
        return reference

    def finished(
        self, handles: Sequence[Any], seconds: float
    ) -> list[tuple[Hashable, Answer | Lost]]:
        with self._told():
            ready, _ = ray.wait(list(handles), num_returns=1, timeout=seconds)
            if ready:
                ready, _ = ray.wait(list(handles), num_returns=len(handles), timeout=0)
        found: list[tuple[Hashable, Answer | Lost]] = []
        for reference in ready:
            try:
                found.append((reference, unpacked(ray.get(reference))))
            except ray.exceptions.RayError as error:
                if self._is_gone(error):
                    raise self._lost() from error
                found.append((reference, Lost(f"{_first_line(error)}.")))
        return found

    def cancel(self, handles: Sequence[Any]) -> None:
        if self._is_gone():
            return
        for reference in handles:
            with contextlib.suppress(Exception):
                ray.cancel(reference, force=True)

    def stop(self) -> None:
        if not self._is_gone():
            with contextlib.suppress(ConnectionError, ray.exceptions.RayError):
                internal_kv._internal_kv_put(_stop_key(self._key), b"1")  # noqa: SLF001

    def close(self, *, hurry: bool) -> None:
        if hurry:
            self.stop()
        if self._watch is not None:
            self._watch.close()
        if self._own:
            ray.shutdown()

    def _is_gone(self, error: BaseException | None = None) -> bool:
        """Whether the cluster does not answer any more; what fails of one task says nothing."""
        lost = (ConnectionError, ray.exceptions.LocalRayletDiedError)
        return isinstance(error, lost) or (self._watch is not None and not self._watch.answers())

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say it as an error of ours when the cluster does not answer any more."""
        if self._watch is not None and self._watch.is_gone:
            raise self._lost()
        try:
            yield
        except (ConnectionError, ray.exceptions.RayError) as error:
            if self._is_gone(error):
                raise self._lost() from error
            raise ClusterError(f"The Ray cluster takes no tasks ({_first_line(error)})") from error

    def _lost(self) -> ClusterError:
        where = f" at {self.address}" if self.address else ""
        return ClusterError(f"The Ray cluster{where} does not answer any more")

    def identities(self) -> dict[str, Identity | str]:
        probe = ray.remote(max_retries=1, num_cpus=0)(_identity)
        with self._told():
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
                if self._is_gone(error):
                    raise self._lost() from error
                found[name] = str(error).strip().rpartition("\n")[2]
        return found


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


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
