"""Work for the tests of crews: functions that workers can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from deepdiva.cluster.remote import stopping
from deepdiva.errors import InvalidValueError


def scaled(state: int, item: int) -> int:
    return state * item


def content(state: Path, item: int) -> str:
    return f"{item} {state.name} {state.read_text()}"


def large(state: int, item: int) -> bytes:
    return bytes(state * item)


def deadly(state: Path, item: int) -> int:
    """Item 3 kills its worker whenever it is tried, item 5 once."""
    died = state / f"died-{item}"
    if item == 3 or (item == 5 and not died.exists()):
        with died.open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def whose(state: Path, item: int) -> int:
    """Says in a file which process has done it."""
    (state / f"by-{item}").write_text(str(os.getpid()))
    return item


def faulty(state: Path, item: int) -> int:
    """Item 1 is the user's fault, item 2 the program's, item 3 fails once."""
    if item == 1:
        raise InvalidValueError("1 is no item")
    if item == 2:
        raise TypeError("not so")
    if item == 3 and not (state / "once").exists():
        (state / "once").touch()
        raise OSError("the disk of this worker is full")
    return item


def patient(state: Path, item: int) -> str:
    (state / f"begun-{item}").touch()
    for _ in range(600):
        if stopping():
            return "stopped"
        time.sleep(0.05)
    return "done"


def slow(state: float, item: int) -> int:
    time.sleep(state)
    return item
