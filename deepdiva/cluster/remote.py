"""What runs in a worker: one call, whatever the backend.

State arrives once for each worker and is unpacked once for each of its threads. Nothing but bytes
comes back, so that no backend ever has to understand an error of ours.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from deepdiva.cluster.parcel import MOST_BYTES, checked, packed, unpacked
from deepdiva.errors import DeepDivaError, StorageError

LOOK_SECONDS = 0.2
"""How often a task may ask whether it is to stop."""

Stopped = Callable[[], bool]
Fetch = Callable[[], "bytes | memoryview"]


@dataclass(frozen=True)
class Identity:
    """What a worker is.

    Attributes:
        machine: its name.
        deepdiva: version of the package.
        python: version, two numbers.
        numpy: version.
        numba: version.
        torch: version; empty where it is not installed.
        processor: as the compiler names it.
        instructions: digest of what the processor can, 8 hexadecimal digits.
    """

    machine: str
    deepdiva: str
    python: str
    numpy: str
    numba: str
    torch: str
    processor: str
    instructions: str

    @property
    def software(self) -> dict[str, str]:
        """What must be the same everywhere: versions by name."""
        about = asdict(self)
        return {name: about[name] for name in ("deepdiva", "python", "numpy", "numba", "torch")}

    @property
    def hardware(self) -> tuple[str, str]:
        """On what compiled code depends."""
        return self.processor, self.instructions


@lru_cache(maxsize=1)
def identity() -> Identity:
    """What this process is."""
    import hashlib
    from importlib.metadata import PackageNotFoundError, version

    from llvmlite import binding

    from deepdiva import __version__

    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    can = sorted(name for name, has in binding.get_host_cpu_features().items() if has)
    return Identity(
        machine=socket.gethostname(),
        deepdiva=__version__,
        python=".".join(platform.python_version_tuple()[:2]),
        numpy=version("numpy"),
        numba=version("numba"),
        torch=torch,
        processor=binding.get_host_cpu_name(),
        instructions=hashlib.sha256(" ".join(can).encode()).hexdigest()[:8],
    )


@dataclass(frozen=True)
class Answer:
    """What a worker says of a task.

    Attributes:
        result: where it is done.
        failure: why it is not, one sentence; empty where it is.
        error: that was raised, where it can travel.
        again: whether another worker may fare better.
        worker: who says it.
    """

    result: Any = None
    failure: str = ""
    error: Exception | None = None
    again: bool = False
    worker: str = ""


@dataclass(frozen=True)
class Header:
    """What all tasks of a crew share.

    Attributes:
        key: of the crew; no other has it.
        work: function of a module, `work(state, item)`.
        software: versions of whoever sends the tasks.
        caller: that process, see `this_process`; empty where the workers were started to compute
            on one thread each.
        fetch: gives the packed state.
        stopped: says whether tasks are to stop.
    """

    key: str
    work: Callable[[Any, Any], Any]
    software: dict[str, str]
    caller: str
    fetch: Fetch
    stopped: Stopped


class _Local(threading.local):
    """Of one thread: the state of the last crew, and whether its tasks are to stop."""

    key: str = ""
    state: Any = None
    stopped: Stopped | None = None
    asked: float = 0.0
    answer: bool = False


_local = _Local()


def stopping() -> bool:
    """Whether the task that runs in this thread had better come to its end: called often, cheap."""
    now = time.monotonic()
    if _local.stopped is not None and not _local.answer and now - _local.asked > LOOK_SECONDS:
        _local.asked = now
        _local.answer = _local.stopped()
    return _local.answer


def perform(
    header: Header, item: bytes, worker: str = "", *, most_bytes: int | None = MOST_BYTES
) -> bytes:
    """One task in a worker: unpack it, do it, and pack what came of it.

    Args:
        header: of the crew.
        item: packed.
        worker: what this worker is called.
        most_bytes: that a result may have; None for any number.

    Returns:
        A packed `Answer`.
    """
    answer = _performed(header, item, worker)
    if answer.error is not None:
        return _packed_error(answer, answer.error)
    try:
        return checked(packed(answer, most_bytes=None), "A result", most_bytes)
    except StorageError as error:
        return packed(Answer(failure=str(error), error=error, worker=worker))


def _packed_error(answer: Answer, error: Exception) -> bytes:
    """An answer with its error, or without where that does not survive the way."""
    if not isinstance(error, DeepDivaError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        data = packed(answer)
        unpacked(data)
    except Exception:  # noqa: BLE001  (whatever an unknown class does in its pickling)
        return packed(replace(answer, error=None))
    return data


def _performed(header: Header, item: bytes, worker: str) -> Answer:
    if header.caller not in ("", this_process()):
        settle()
    own = identity().software
    if own != header.software:
        failure = f"Worker {worker} on {identity().machine}: {differing(header.software, own)}"
        return Answer(failure=failure, again=True, worker=worker)
    return answered(header.work, lambda: _state(header), lambda: unpacked(item), header, worker)


def answered(
    work: Callable[[Any, Any], Any],
    state: Callable[[], Any],
    item: Callable[[], Any],
    header: Header,
    worker: str = "",
) -> Answer:
    """Do one task; whatever is raised becomes the answer.

    What is the user's to mend fails everywhere. The rest, and a disk that is full, may be the
    worker's fault.
    """
    _local.stopped, _local.answer, _local.asked = header.stopped, False, 0.0
    try:
        return Answer(work(state(), item()), worker=worker)
    except DeepDivaError as error:
        return Answer(
            failure=str(error), error=error, again=isinstance(error, StorageError), worker=worker
        )
    except Exception as error:  # noqa: BLE001  (it is told, and never lost)
        failure = f"{type(error).__name__}: {error}"
        return Answer(failure=failure, error=error, again=True, worker=worker)
    finally:
        _local.stopped = None


def differing(here: dict[str, str], there: dict[str, str]) -> str:
    """One sentence of what a worker has otherwise than whoever sends it tasks."""
    parts = [
        f"{name} {there[name]} there and {here[name]} here"
        for name in here
        if here[name] != there.get(name)
    ]
    return f"{', '.join(parts)}. Install the same versions on all machines."


def _state(header: Header) -> Any:
    """Of the crew; unpacked once for each thread."""
    if _local.key != header.key:
        _local.state = None  # let go of before the next takes memory
        _local.state = unpacked(header.fetch())
        _local.key = header.key
    return _local.state


@lru_cache(maxsize=1)
def settle() -> object:
    """Make this process one that computes the same as any other: on one thread for each task."""
    import threadpoolctl

    os.environ["OMP_NUM_THREADS"] = "1"  # of torch, where it is not loaded yet
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return threadpoolctl.threadpool_limits(1)


def this_process() -> str:
    """What no other process of a cluster is called."""
    return f"{socket.gethostname()}:{os.getpid()}"


# Where Dask's plug-in leaves what it brings.
states: dict[str, bytes] = {}
halted: set[str] = set()


def kept_state(key: str) -> bytes:
    """The packed state that Dask's plug-in has brought."""
    return states[key]


def halt(key: str) -> None:
    """Tell this worker that a crew's caller wants its tasks to stop."""
    halted.add(key)


def is_halted(key: str) -> bool:
    """Whether a crew's caller has told this worker to stop."""
    return key in halted


def read_bytes(path: str) -> bytes:
    """What a file holds."""
    return Path(path).read_bytes()


def exists(path: str) -> bool:
    """Whether a file exists."""
    return os.path.exists(path)  # noqa: PTH110  (asked often)
