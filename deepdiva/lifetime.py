"""No worker outlives its parent, however that dies, and nothing of a run is left behind.

A worker looks whether its parent is alive, twice a second and before it writes a file; on Linux the
system kills it besides, also while its threads hold Python's lock. Temporary files are told to the
resource tracker of joblib, a process that removes them when the last of a run is gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from deepdiva.interruption import leave_to_the_parent

ORPHANED = 70
"""Exit code of a worker whose parent is gone."""

LOOK_SECONDS = 0.5

_PR_SET_PDEATHSIG = 1  # prctl(2)


class _Parent:
    """Of this process, if it is a worker."""

    number: int | None = None


def worker_options() -> dict[str, Any]:
    """Options of `joblib.Parallel` by which workers of `loky` do not outlive this process."""
    return {"initializer": begin_worker, "initargs": (os.getpid(),)}


def begin_worker(parent: int) -> None:
    """First thing in a worker process: leave signals to the parent, and end when it does.

    The parent must start workers from a thread that lives as long as they are needed, such as its
    main thread: Linux takes the end of that thread for its end.

    Args:
        parent: its process; by now it may be gone.
    """
    leave_to_the_parent()
    if _Parent.number is not None:
        return
    _Parent.number = parent
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    leave_if_orphaned()
    threading.Thread(target=_watch, name="lifetime", daemon=True).start()


def leave_if_orphaned() -> None:
    """End this process at once if it is a worker and its parent is gone."""
    if _Parent.number is not None and not is_parent(_Parent.number):
        os._exit(ORPHANED)


def _watch() -> None:
    while True:
        leave_if_orphaned()
        time.sleep(LOOK_SECONDS)


def is_parent(process: int) -> bool:
    """Whether a process is alive and the parent of this one."""
    if sys.platform == "win32":  # where an orphan keeps its parent's number
        synchronize, timed_out = 0x00100000, 0x102
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(synchronize, False, process)
        if not handle:
            return False
        try:
            return bool(kernel.WaitForSingleObject(handle, 0) == timed_out)
        finally:
            kernel.CloseHandle(handle)
    return os.getppid() == process


@contextmanager
def tidied(path: Path, kind: Literal["file", "folder"]) -> Iterator[Path]:
    """Have a temporary file or folder removed even if this process is killed meanwhile.

    Whoever uses it removes it at the end; this is for when it cannot.
    """
    from joblib.externals.loky.backend import resource_tracker

    resource_tracker.register(str(path), kind)
    try:
        yield path
    finally:
        resource_tracker.unregister(str(path), kind)
