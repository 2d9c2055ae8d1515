"""One function over many items, wherever the work is done; nothing is lost with a worker.

A task depends on nothing but the state and its item, so that it can be done twice and anywhere.
Tasks are sent as workers become free: neither the caller nor the scheduler holds more than a few
for each worker, however many there are.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from deepdiva.cluster.pool import Lost, Pool, Processes, Threads
from deepdiva.cluster.remote import Answer, Identity, differing, identity
from deepdiva.cluster.workers import Backend, Workers
from deepdiva.errors import ClusterError, MissingFeatureError, RenderError
from deepdiva.files import atomic_write
from deepdiva.workers import worker_count

State = TypeVar("State")
Item = TypeVar("Item")
Result = TypeVar("Result")

RETRIES = 2
"""How often a task is tried again."""

RECORD = "workers.json"
"""Which workers made the results of a folder."""

_LOOK_SECONDS = 0.5
_AHEAD = 4


@dataclass(frozen=True, eq=False)
class Outcome(Generic[Result]):
    """What became of an item.

    Attributes:
        number: of the item, from 0.
        failure: why there is no result, one sentence; empty where there is one.
        error: that was raised, where there was one.
    """

    number: int
    _result: Result | None
    failure: str = ""
    error: Exception | None = None

    @property
    def result(self) -> Result:
        """Of the item.

        Raises:
            Exception: there is none; what the work has raised.
            RenderError: there is none, since its workers died.
        """
        if self.error is not None:
            raise self.error
        if self.failure:
            raise RenderError(self.failure)
        return self._result  # type: ignore[return-value]


@dataclass
class _Task(Generic[Item]):
    """An item on its way.

    Attributes:
        number: of the item.
        item: itself.
        tries: that have failed.
        avoid: workers that have failed at it.
    """

    number: int
    item: Item
    tries: int = 0
    avoid: frozenset[str] = frozenset()


class Crew(Generic[State, Item, Result]):
    """Calls `work(state, item)` for many items. A context manager.

    Args:
        work: a function of a module, which processes can import.
        state: first argument of every call; travels once to each worker.
        workers: who does the work.
        usual: backend where the user names none.
        most: workers that are of use on this machine.

    Raises:
        ClusterError: a worker has other versions than this machine.
        InvalidValueError: the scheduler does not answer.
        MissingFeatureError: the extra is not installed.
        StorageError: the state is too large to travel.
    """

    def __init__(
        self,
        work: Callable[[State, Item], Result],
        state: State,
        workers: Workers,
        *,
        usual: Backend = "loky",
        most: int | None = None,
    ) -> None:
        self.workers = workers
        self.remarks: tuple[str, ...] = ()
        self._identities: dict[str, Identity | str] = {}
        self._stopped = False
        self._hurry = False
        self._pool = _opened(work, state, workers, usual, most)
        try:
            self._identities = self._pool.identities()
            _check_software(self._identities)
        except BaseException:
            self._pool.close(hurry=True)
            raise
        self.remarks = tuple(_remarks(self._identities, workers))

    def __enter__(self) -> Crew[State, Item, Result]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close(hurry=self._hurry or error is not None)

    def stop(self) -> None:
        """Send no more tasks, and let those that run come to an end: see `remote.stopping`."""
        self._stopped = True
        self._pool.stop()

    def each(
        self, items: Iterable[Item], *, ordered: bool = False
    ) -> Generator[Outcome[Result], None, None]:
        """What becomes of each item, as soon as it is known.

        Closed before its end it takes back what is queued, and gives up what runs.

        Args:
            items: are asked for as they are needed.
            ordered: in the order of the items.

        Raises:
            ClusterError: the cluster is gone; what was given before stands.
        """
        if not ordered:
            yield from self._each(items, lambda: True)
            return
        early: dict[int, Outcome[Result]] = {}
        due = 0
        for outcome in self._each(items, lambda: len(early) < _AHEAD * self._pool.window):
            early[outcome.number] = outcome
            while due in early:
                yield early.pop(due)
                due += 1

    def record(self, folder: Path) -> None:
        """Say in a folder which machines of a cluster made its results; nothing on this machine."""
        if not self._identities:
            return
        kinds = list(dict.fromkeys(self._known()))
        about = {
            "format": "deepdiva-workers",
            "format_version": 1,
            "backend": self.workers.backend,
            "workers": len(self._identities),
            "machines": [asdict(one) for one in kinds],
            "one_kind_of_processor": len({one.hardware for one in kinds}) == 1,
        }
        atomic_write(folder / RECORD, json.dumps(about, indent=1).encode(), force=True)

    def _known(self) -> list[Identity]:
        return [one for one in self._identities.values() if isinstance(one, Identity)]

    def _each(self, items: Iterable[Item], room: Callable[[], bool]) -> Iterator[Outcome[Result]]:
        way = _Way(_Task(number, item) for number, item in enumerate(items))
        running: dict[Hashable, _Task[Item]] = {}
        done = 0
        try:
            while True:
                while not self._stopped and len(running) < self._pool.window:
                    task = way.next(idle=not running, room=room())
                    if task is None:
                        break
                    running[self._pool.submit(task.item, task.avoid)] = task
                if not running:
                    return
                for handle, answer in self._pool.finished(list(running), _LOOK_SECONDS):
                    task = running.pop(handle)
                    if not self._stopped and self._tried_again(task, answer, way):
                        continue
                    done += 1
                    yield _outcome(task, answer)
        except ClusterError as error:
            raise ClusterError(
                f"{error}: what is done by now ({done} tasks) is kept; the same command goes on "
                "with it once there is a cluster, or without one (--resume for refine)."
            ) from error
        finally:
            if running:
                self._hurry = True
                self._pool.cancel(list(running))

    def _tried_again(self, task: _Task[Item], answer: Answer | Lost, way: _Way[Item]) -> bool:
        """Whether a task that has failed goes on its way again."""
        if isinstance(answer, Lost):
            worth = True
        else:
            worth = bool(answer.failure) and answer.again and self._pool.tries_errors_again
            task.avoid |= {answer.worker}
        counted = isinstance(answer, Lost) and answer.counted
        task.tries += RETRIES if counted else 1
        if not worth or task.tries > RETRIES:
            return False
        if isinstance(answer, Lost) and self._pool.breaks_together:
            way.alone.append(task)
        else:
            way.again.append(task)
        return True


class _Way(Generic[Item]):
    """Tasks that are still to be sent.

    Attributes:
        again: have failed, and nobody else with them.
        alone: were under way when a process died; one of them may have killed it, so each goes
            alone until it is known which.
    """

    def __init__(self, tasks: Iterator[_Task[Item]]) -> None:
        self._tasks = tasks
        self.again: deque[_Task[Item]] = deque()
        self.alone: deque[_Task[Item]] = deque()

    def next(self, *, idle: bool, room: bool) -> _Task[Item] | None:
        """The next task; None where there is none, or where it has to wait.

        Args:
            idle: nothing is under way.
            room: there is room for results that wait for those before them.
        """
        if self.alone:
            return self.alone.popleft() if idle else None
        if self.again:
            return self.again.popleft()
        return next(self._tasks, None) if room else None


def _outcome(task: _Task[Any], answer: Answer | Lost) -> Outcome[Any]:
    if isinstance(answer, Lost):
        told = "" if answer.counted else f" It was tried {task.tries} times."
        return Outcome(task.number, None, f"{answer.reason}{told}")
    return Outcome(task.number, answer.result, answer.failure, answer.error)


def _opened(
    work: Callable[[Any, Any], Any],
    state: Any,
    workers: Workers,
    usual: Backend,
    most: int | None,
) -> Pool:
    backend = workers.backend or usual
    if backend in ("threading", "loky"):
        jobs = worker_count(workers.jobs)
        jobs = jobs if most is None else max(1, min(jobs, most))
        if backend == "threading" or jobs == 1:
            return Threads(work, state, jobs)
        return Processes(work, state, jobs)
    name = "Dask" if backend == "dask" else "Ray"
    kind: type[Pool]
    try:
        if backend == "dask":
            from deepdiva.cluster.dask_pool import DaskPool

            kind = DaskPool
        else:
            from deepdiva.cluster.ray_pool import RayPool

            kind = RayPool
    except ImportError as error:
        raise MissingFeatureError(
            f"{name} is not installed: install the extra with pip install 'deepdiva[{backend}]'."
        ) from error
    return kind(work, state, workers)


def _check_software(identities: dict[str, Identity | str]) -> None:
    """Refuse workers that would compute something else.

    Raises:
        ClusterError: one would; the message names it.
    """
    here = identity().software
    for name, there in identities.items():
        if not isinstance(there, Identity):
            raise ClusterError(
                f"Worker {name} has no DeepDiva that starts ({there}): install the same version "
                "on all machines."
            )
        if there.software != here:
            raise ClusterError(
                f"Worker {name} on {there.machine} has {differing(here, there.software)}"
            )


def _remarks(identities: dict[str, Identity | str], workers: Workers) -> Iterator[str]:
    known = [one for one in identities.values() if isinstance(one, Identity)]
    if not known and workers.is_cluster:
        yield "The cluster has no worker by now: the work begins when there is one."
    here = identity().hardware if known else None
    others = sorted({f"{one.machine} ({one.processor})" for one in known if one.hardware != here})
    if others:
        yield (
            f"Other processors than this machine's ({identity().processor}) take part: "
            f"{', '.join(others)}. Their sounds may differ in the last bits."
        )
