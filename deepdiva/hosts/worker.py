"""The process in which a plug-in lives.

It takes pickled tasks from its standard input, carries them out one after the other, and answers on
what was its standard output: any number of reports, then `Result` or `Raised`. Whatever a plug-in
or a host library prints goes to standard error, which the caller collects. When the caller is gone
the input ends, and so does the process; in the midst of a task, too, where the system tells.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import shutil
import signal
import struct
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from deepdiva.errors import DeepDivaError
from deepdiva.hosts.host import Host
from deepdiva.hosts.memory import opened
from deepdiva.hosts.player import Player

PULSE = struct.Struct("qd")  # beats since the task began, and the time of the last
FAILED = 70  # exit code of a forked copy whose action raised

_WATCH_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True)
class PluginSpec:
    """Which plug-in to load, and by which host.

    Attributes:
        host: the class, which the worker process imports by its name.
        plugin: absolute path.
        block_size: samples that the plug-in is asked for at a time.
        state: content of a preset file that is loaded right after the plug-in; empty for none.
    """

    host: type[Host]
    plugin: Path
    block_size: int
    state: bytes = b""


@dataclass(frozen=True)
class Result:
    """The last answer to a task: what it returned."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """The last answer to a task: what it raised."""

    error: BaseException


class Bench:
    """What a task finds in the worker process.

    Attributes:
        scratch: folder of this process alone; the caller removes it.
    """

    def __init__(self, scratch: Path, answers: IO[bytes], pulse: mmap.mmap) -> None:
        self.scratch = scratch
        self._pulse = pulse
        self._answers = answers
        self._loaded: dict[tuple[PluginSpec, int], Host] = {}
        self._players: dict[object, Player] = {}

    def host(self, spec: PluginSpec, sample_rate: int) -> Host:
        """The plug-in, loaded when it is first asked for; one at a time."""
        key = (spec, sample_rate)
        if key not in self._loaded:
            self._loaded.clear()
            self._players.clear()
            host = spec.host(spec.plugin, sample_rate, spec.block_size, self.scratch)
            if spec.state:
                host.load_state(spec.state)
            self._loaded[key] = host
        return self._loaded[key]

    def player(self, key: object, make: Callable[[], Player]) -> Player:
        """A player that outlives the task; another key replaces it."""
        if key not in self._players:
            self._players.clear()
            self._players[key] = make()
        return self._players[key]

    def report(self, message: object) -> None:
        """Tell the caller something before the task is done."""
        pickle.dump(message, self._answers)
        self._answers.flush()

    def beat(self) -> None:
        """A sign of life, which costs the caller nothing: he counts them when he wants to know."""
        beats, _ = PULSE.unpack_from(self._pulse)
        PULSE.pack_into(self._pulse, 0, beats + 1, time.monotonic())

    def apart(self, action: Callable[[], None]) -> int:
        """Carry out an action in a forked copy of this process.

        Returns:
            As `subprocess` counts: 0, an exit code, or minus the signal that ended the copy.
        """
        child = os.fork()
        if child == 0:
            code = FAILED
            try:
                if sys.platform == "linux":
                    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                action()
                code = 0
            except BaseException:  # noqa: BLE001  (nothing may return into the parent's stack)
                traceback.print_exc()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)


class Task(ABC):
    """Something that a worker process is asked to do. Tasks are pickled on their way."""

    @abstractmethod
    def run(self, bench: Bench) -> Any:
        """Do it, in the worker process; the result is pickled on its way back."""


def _end_with_caller(scratch: Path) -> None:
    """End this process when its caller was killed, also while a plug-in plays or hangs.

    That takes a host library that lets go of Python's global lock meanwhile, as DawDreamer does.
    """
    caller = os.getppid()

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(_WATCH_SECONDS)
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(FAILED)

    threading.Thread(target=watch, daemon=True).start()


def serve() -> None:
    """Carry out tasks until the input ends. The arguments are the scratch folder and the pulse."""
    tasks = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    bench = Bench(Path(sys.argv[1]), answers, opened(sys.argv[2], PULSE.size))
    if os.name == "posix":  # elsewhere an orphan keeps its parent's number
        _end_with_caller(bench.scratch)
    while True:
        try:
            task: Task = pickle.load(tasks)
        except EOFError:
            break
        answer: Result | Raised
        try:
            answer = Result(task.run(bench))
        except DeepDivaError as error:
            answer = Raised(error)
        except Exception:  # noqa: BLE001  (a bug's traceback must reach the caller)
            answer = Raised(RuntimeError(f"in a worker process:\n{traceback.format_exc()}"))
        try:
            bench.report(answer)
        except OSError:  # the pipe has lost its other end
            break
    # The caller is gone. Where it was killed, nobody else is left to do this. The log is closed
    # first: Windows deletes no open file.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    shutil.rmtree(bench.scratch, ignore_errors=True)
