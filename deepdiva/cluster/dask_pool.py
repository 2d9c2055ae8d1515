"""Tasks on the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import time
import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, WorkerPlugin, get_worker

from deepdiva.cluster import remote
from deepdiva.cluster.parcel import packed, unpacked
from deepdiva.cluster.pool import Lost, Pool, header_of
from deepdiva.cluster.remote import Answer, Identity, identity, is_halted, kept_state, perform
from deepdiva.cluster.workers import Workers
from deepdiva.errors import ClusterError, InvalidValueError
from deepdiva.workers import worker_count

_COUNT_SECONDS = 2.0
"""How often workers are counted: they come and go."""

_CLOSE_SECONDS = 5.0


class _State(WorkerPlugin):
    """Brings the state of a crew to each worker, also to those that come later."""

    def __init__(self, key: str, state: bytes) -> None:
        self.name = f"deepdiva-{key}"
        self._key = key
        self._state = state

    def setup(self, worker: Any) -> None:  # noqa: ARG002
        remote.states[self._key] = self._state

    def teardown(self, worker: Any) -> None:  # noqa: ARG002
        remote.states.pop(self._key, None)
        remote.halted.discard(self._key)


class DaskPool(Pool):
    """Workers of a Dask cluster; one of this machine where there is no scheduler.

    Args:
        work: function of a module.
        state: first argument of every call.
        workers: where the cluster is.

    Raises:
        InvalidValueError: the scheduler does not answer.
        StorageError: the state is too large to travel.
    """

    breaks_together = True
    tries_errors_again = True

    def __init__(self, work: Callable[[Any, Any], Any], state: Any, workers: Workers) -> None:
        # It tells of every worker that is lost, and so do we where it matters.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        self._key = secrets.token_hex(8)
        brought = packed(state, carries_files=not workers.shared)
        self._cluster: Any = None
        address = workers.scheduler or dask.config.get("scheduler-address", None)
        self._most = workers.jobs if address else None
        if address is None:
            with dask.config.set({"distributed.scheduler.allowed-failures": 2}):
                self._cluster = LocalCluster(
                    n_workers=worker_count(workers.jobs),
                    threads_per_worker=1,
                    dashboard_address=":0",
                    silence_logs=logging.CRITICAL,
                )
            address = self._cluster.scheduler_address
        self.address = address
        try:
            self._client = Client(address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InvalidValueError(f"No Dask scheduler answers at {address}: {error}.") from error
        self._done: queue.SimpleQueue[Future[bytes]] = queue.SimpleQueue()
        self._lost_results: set[Future[bytes]] = set()
        self._counted = 0.0
        self._threads = 0
        self._gone = False
        header = header_of(
            work,
            partial(kept_state, self._key),
            partial(is_halted, self._key),
            self._key,
            settles=True,
        )
        self._header = packed(header)
        self._plugin = _State(self._key, brought)
        try:
            with self._told():
                self._client.register_plugin(self._plugin)
        except BaseException:
            self.close(hurry=False)
            raise

    @property
    def window(self) -> int:
        if self._most is not None:
            return self._most
        now = time.monotonic()
        if now - self._counted > _COUNT_SECONDS:
            with self._told():
                self._threads = sum(self._client.nthreads().values())
            self._counted = now
        return 2 * self._threads + 2

    def submit(self, item: Any, avoid: frozenset[str]) -> Hashable:
        data = packed(item)
        others = None
        if avoid:
            with self._told():
                others = [name for name in self._client.nthreads() if name not in avoid] or None
        with self._told(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            future = self._client.submit(
                _perform,
                self._header,
                data,
                key=f"deepdiva-{secrets.token_hex(8)}",
                workers=others,
                allow_other_workers=bool(others),
                pure=False,
            )
        future.add_done_callback(self._done.put)
        return future

    def finished(
        self, handles: Sequence[Any], seconds: float
    ) -> list[tuple[Hashable, Answer | Lost]]:
        done: list[Future[bytes]] = []
        with contextlib.suppress(queue.Empty):
            done.append(self._done.get(timeout=seconds))
            while True:
                done.append(self._done.get_nowait())
        wanted = set(handles)
        done = [future for future in {*done, *self._lost_results} if future in wanted]
        if self._client.status not in ("running", "newly-created") or any(
            future.status == "cancelled" for future in done
        ):
            self._gone = True
            raise self._lost()
        with self._told():
            # A worker may die between its answer and this call: what can't be had is left out.
            good = {future.key: future for future in done if future.status == "finished"}
            results = self._client.gather(good, errors="skip") if good else {}
            failures = {future: future.exception() for future in done if future.status == "error"}
        answers: dict[Future[bytes], Answer | Lost] = {
            good[key]: unpacked(result) for key, result in results.items() if result is not None
        }
        answers.update((future, _failure(error)) for future, error in failures.items())
        # The scheduler lets another worker do again what was lost with a worker's memory, and tells
        # it by the status only.
        self._lost_results = {future for future in done if future not in answers}
        return list(answers.items())

    def cancel(self, handles: Sequence[Any]) -> None:
        if not self._gone:
            with contextlib.suppress(Exception):
                self._client.cancel(list(handles), force=True)

    def stop(self) -> None:
        if not self._gone:
            with contextlib.suppress(Exception):
                self._client.run(remote.halt, self._key, on_error="ignore")

    def close(self, *, hurry: bool) -> None:
        if hurry:
            self.stop()
        with contextlib.suppress(Exception):
            if not self._gone:
                self._client.unregister_worker_plugin(self._plugin.name)
        with contextlib.suppress(Exception):
            self._client.close(timeout=_CLOSE_SECONDS)
        if self._cluster is not None:
            self._cluster.close(timeout=_CLOSE_SECONDS)

    def identities(self) -> dict[str, Identity | str]:
        with self._told():
            found = self._client.run(identity, on_error="return")
        return {
            name: one if isinstance(one, Identity) else f"{type(one).__name__}: {one}"
            for name, one in found.items()
        }

    @contextlib.contextmanager
    def _told(self) -> Any:
        """Say it as an error of ours when the scheduler does not answer any more."""
        from asyncio import CancelledError as TaskCancelledError
        from concurrent.futures import CancelledError

        try:
            yield
        except (OSError, TimeoutError, CancelledError, TaskCancelledError) as error:
            self._gone = True
            raise self._lost() from error

    def _lost(self) -> ClusterError:
        return ClusterError(f"The Dask scheduler at {self.address} does not answer any more")


def _failure(error: BaseException | None) -> Answer | Lost:
    """A task that the scheduler has given up; it has tried other workers by itself."""
    if isinstance(error, KilledWorker):
        return Lost(
            "The workers that tried it died: out of memory, or a plug-in has crashed.", True
        )
    return Answer(failure=f"{type(error).__name__}: {error}", again=True)


def _perform(header: bytes, item: bytes) -> bytes:
    return perform(unpacked(header), item, get_worker().address)
