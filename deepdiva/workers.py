"""One function over many items side by side, with joblib.

A *state* (a renderer, a target's spectra) is handed to each worker once; items and results, which
travel every time, stay small. Threads share the state, processes get a copy. Results come in the
order of the items, so nothing depends on how many workers there are or which is faster.
"""

from __future__ import annotations

import os
import pickle
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar

from deepdiva.errors import InvalidValueError, RenderError
from deepdiva.lifetime import tidied, worker_options

State = TypeVar("State")
Item = TypeVar("Item")
Result = TypeVar("Result")

Backend = Literal["threading", "loky"]


def worker_count(jobs: int | None = None) -> int:
    """How many workers to start.

    Args:
        jobs: as the user asked; None for one for each core that this process may use.

    Raises:
        InvalidValueError: less than 1.
    """
    if jobs is None:
        import joblib

        return int(joblib.cpu_count())
    if jobs < 1:
        raise InvalidValueError(f"jobs is {jobs}: there must be at least 1 worker.")
    return jobs


@contextmanager
def single_thread() -> Iterator[None]:
    """Let linear algebra, OpenMP and torch of this process use one thread for a while.

    A sum over more threads is rounded differently: inside, results are the same in the main
    process and in a worker, on any machine. Threads that call are not limited, nor is numba.
    """
    import threadpoolctl

    torch = sys.modules.get("torch")  # which nobody needs to have
    with threadpoolctl.threadpool_limits(1):
        if torch is None:
            yield
            return
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def spans(count: int, workers: int, multiple: int = 1) -> list[slice]:
    """Cut `count` items into consecutive pieces, at most one for each worker.

    Args:
        count: number of items.
        workers: number of workers.
        multiple: pieces are whole multiples of this, but for the last one, where that leaves no
            worker idle that could have had a whole one.

    Returns:
        Slices that cover 0 to `count`, none of them empty.
    """
    step = max(1, -(-count // workers))
    if step >= multiple:
        step = -(-step // multiple) * multiple
    return [slice(begin, min(begin + step, count)) for begin in range(0, count, step)]


class WorkerPool(Generic[State, Item, Result]):
    """Calls `work(state, item)` for many items, on workers that start once.

    A context manager; the workers start with the first call of `map`. With one worker everything
    runs in the calling thread.

    Args:
        work: a function of a module, which processes can import.
        state: first argument of every call; must be picklable for processes.
        backend: `threading` where the work lets go of Python's global lock, `loky` otherwise.
        jobs: number of workers.

    Raises:
        InvalidValueError: less than one worker.
    """

    def __init__(
        self,
        work: Callable[[State, Item], Result],
        state: State,
        backend: Backend,
        jobs: int,
    ) -> None:
        self.jobs = worker_count(jobs)
        self._work = work
        self._state = state
        self._backend = backend
        self._parallel: Any = None
        self._file: Path | None = None
        self._tidied = ExitStack()

    def __enter__(self) -> WorkerPool[State, Item, Result]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def map(self, items: Iterable[Item]) -> list[Result]:
        """Results of all items, in their order; the first error is raised.

        Raises:
            RenderError: a worker process died.
        """
        if self.jobs == 1:
            return [self._work(self._state, item) for item in items]
        from joblib import delayed

        if self._parallel is None:
            self._start()
        if self._file is None:
            calls = [delayed(self._work)(self._state, item) for item in items]
        else:
            calls = [delayed(_call)(self._work, str(self._file), item) for item in items]
        with dead_workers_told():
            return list(self._parallel(calls))

    def _start(self) -> None:
        from joblib import Parallel

        options: dict[str, Any] = {"n_jobs": self.jobs, "backend": self._backend}
        if self._backend == "loky":
            name = f"deepdiva-{os.getpid()}-{secrets.token_hex(8)}.pickle"
            self._file = Path(tempfile.gettempdir()) / name
            with self._file.open("xb") as file:
                pickle.dump(self._state, file, protocol=pickle.HIGHEST_PROTOCOL)
            self._tidied.enter_context(tidied(self._file, "file"))
            options |= worker_options()
        self._parallel = Parallel(**options, batch_size=1, pre_dispatch="all").__enter__()

    def close(self) -> None:
        """Stop the workers. Harmless when they stopped before, or never started."""
        if self._parallel is not None:
            self._parallel.__exit__(None, None, None)
            self._parallel = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None
        self._tidied.close()


@contextmanager
def dead_workers_told() -> Iterator[None]:
    """Say it as an error of ours when joblib loses a worker process.

    Raises:
        RenderError: a worker process died.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        yield
    except TerminatedWorkerError as error:
        raise RenderError(
            f"A worker process died: {error}. A plug-in may have crashed; try fewer --jobs."
        ) from error


@lru_cache(maxsize=1)
def _state(file: str) -> Any:
    """What a worker process keeps between calls."""
    with Path(file).open("rb") as stream:
        return pickle.load(stream)


def _call(work: Callable[[Any, Any], Any], file: str, item: Any) -> Any:
    return work(_state(file), item)
