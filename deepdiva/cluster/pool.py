"""Where tasks run on this machine, and what every place for them offers."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from deepdiva.cluster.parcel import packed, unpacked
from deepdiva.cluster.remote import (
    Answer,
    Fetch,
    Header,
    Identity,
    Stopped,
    answered,
    exists,
    identity,
    perform,
    read_bytes,
    this_process,
)
from deepdiva.lifetime import begin_worker, tidied

DIED = "A worker process died: a plug-in may have crashed, or memory is short; try fewer --jobs."


@dataclass(frozen=True)
class Lost:
    """What becomes of a task whose worker dies.

    Attributes:
        reason: one sentence.
        counted: the scheduler has tried other workers by itself, and may have blamed a task that
            only waited beside the one that killed them.
    """

    reason: str
    counted: bool = False


class Pool(ABC):
    """Where tasks run. It is opened with the function and the state that all of them share."""

    breaks_together = False
    """Whether a worker that dies takes the tasks of all others with it."""

    tries_errors_again = False
    """Whether a task that raised an error may do better elsewhere."""

    @property
    @abstractmethod
    def window(self) -> int:
        """How many tasks had better be under way: enough that no worker waits."""

    @abstractmethod
    def submit(self, item: Any, avoid: frozenset[str]) -> Hashable:
        """Send a task on its way.

        Args:
            item: of the task.
            avoid: workers that have failed at it.

        Raises:
            StorageError: it is too large to travel.
        """

    @abstractmethod
    def finished(
        self, handles: Sequence[Any], seconds: float
    ) -> list[tuple[Hashable, Answer | Lost]]:
        """Tasks that have come to an end, waiting a while for the first.

        Args:
            handles: of all tasks that are under way.
            seconds: to wait at most.

        Raises:
            ClusterError: the cluster is gone.
        """

    @abstractmethod
    def cancel(self, handles: Sequence[Any]) -> None:
        """Take tasks back; those that run are given up."""

    @abstractmethod
    def stop(self) -> None:
        """Let tasks that run know that they had better come to an end."""

    @abstractmethod
    def close(self, *, hurry: bool) -> None:
        """Give back what the pool holds.

        Args:
            hurry: tasks may still be running, and are not waited for.
        """

    def identities(self) -> dict[str, Identity | str]:
        """What each worker is, or why it cannot say so, by its name; nothing on this machine."""
        return {}


def header_of(
    work: Callable[[Any, Any], Any],
    fetch: Fetch,
    stopped: Stopped,
    key: str,
    *,
    settles: bool = False,
) -> Header:
    """What the tasks of a pool share.

    Args:
        work: function of a module.
        fetch: gives the packed state.
        stopped: says whether tasks are to stop.
        key: of the pool.
        settles: workers have to be told to compute on one thread each.
    """
    return Header(key, work, identity().software, this_process() if settles else "", fetch, stopped)


class Threads(Pool):
    """Threads of this process, which share the state; one of them is the caller's own."""

    def __init__(self, work: Callable[[Any, Any], Any], state: Any, jobs: int) -> None:
        self._state = state
        self._stopped = False
        key = secrets.token_hex(8)
        self._header = header_of(work, bytes, lambda: self._stopped, key)
        self._jobs = jobs
        self._threads = ThreadPoolExecutor(jobs, "deepdiva") if jobs > 1 else None

    @property
    def window(self) -> int:
        return self._jobs

    def submit(self, item: Any, avoid: frozenset[str]) -> Hashable:  # noqa: ARG002
        call = partial(answered, self._header.work, lambda: self._state, lambda: item, self._header)
        return _Alone(call) if self._threads is None else self._threads.submit(call)

    def finished(
        self, handles: Sequence[Any], seconds: float
    ) -> list[tuple[Hashable, Answer | Lost]]:
        if self._threads is None:
            return [(one, one.call()) for one in handles[:1]]
        done, _ = wait(handles, seconds, FIRST_COMPLETED)
        return [(future, future.result()) for future in done]

    def cancel(self, handles: Sequence[Any]) -> None:
        for future in handles:
            if isinstance(future, Future):
                future.cancel()

    def stop(self) -> None:
        self._stopped = True

    def close(self, *, hurry: bool) -> None:  # noqa: ARG002  (a thread cannot be ended)
        self._stopped = True
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)


@dataclass(frozen=True, eq=False)
class _Alone:
    """A task that runs when it is waited for."""

    call: Callable[[], Answer]


class Processes(Pool):
    """Processes of this machine, which end when this one does."""

    breaks_together = True

    def __init__(
        self,
        work: Callable[[Any, Any], Any],
        state: Any,
        jobs: int,
    ) -> None:
        self._jobs = jobs
        self._tidied = ExitStack()
        key = secrets.token_hex(8)
        name = f"deepdiva-{os.getpid()}-{key}"
        self._state = Path(tempfile.gettempdir()) / f"{name}.pickle"
        self._stop = self._state.with_suffix(".stop")
        for path in (self._state, self._stop):
            self._tidied.enter_context(tidied(path, "file"))
            self._tidied.callback(path.unlink, missing_ok=True)
        with self._state.open("xb") as file:
            file.write(packed(state, most_bytes=None))
        fetch, stopped = partial(read_bytes, str(self._state)), partial(exists, str(self._stop))
        self._header = packed(header_of(work, fetch, stopped, key))

    @property
    def window(self) -> int:
        return self._jobs + 1

    @cached_property
    def _executor(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        inner = ("OMP", "MKL", "OPENBLAS", "BLIS", "VECLIB", "NUMBA", "NUMEXPR")
        return ProcessPoolExecutor(
            self._jobs,
            initializer=begin_worker,
            initargs=(os.getpid(),),
            env={f"{name}_NUM_THREADS": "1" for name in inner},
        )

    def submit(self, item: Any, avoid: frozenset[str]) -> Hashable:  # noqa: ARG002
        future: Hashable = self._executor.submit(
            _perform, self._header, packed(item, most_bytes=None)
        )
        return future

    def finished(
        self, handles: Sequence[Any], seconds: float
    ) -> list[tuple[Hashable, Answer | Lost]]:
        from concurrent.futures import CancelledError
        from concurrent.futures.process import BrokenProcessPool

        from joblib.externals.loky.process_executor import ShutdownExecutorError

        broken = (BrokenProcessPool, CancelledError, ShutdownExecutorError)

        done, _ = wait(handles, seconds, FIRST_COMPLETED)
        found: list[tuple[Hashable, Answer | Lost]] = []
        for future in done:
            try:
                found.append((future, unpacked(future.result())))
            except broken:
                found.append((future, Lost(DIED)))
        if any(isinstance(answer, Lost) for _, answer in found):
            self._end()
        return found

    def cancel(self, handles: Sequence[Any]) -> None:
        """Nothing yet: who cancels closes in a hurry, which ends the processes and what waits.

        A future that is cancelled before makes the thread of loky's executor fail.
        """

    def stop(self) -> None:
        self._stop.touch()

    def _end(self) -> None:
        if "_executor" in self.__dict__:
            executor = self.__dict__.pop("_executor")
            executor.shutdown(wait=True, kill_workers=True)

    def close(self, *, hurry: bool) -> None:
        with contextlib.suppress(OSError):
            self.stop()
        if not hurry and "_executor" in self.__dict__:
            self.__dict__.pop("_executor").shutdown(wait=True)
        self._end()
        self._tidied.close()


def _perform(header: bytes, item: bytes) -> bytes:
    return perform(unpacked(header), item, most_bytes=None)
