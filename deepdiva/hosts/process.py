"""The caller's end of a worker process, with a watchdog.

Every way in which a plug-in can take its process down ends in the same place: the pipe from the
worker ends. A crash and an `exit` end it by themselves; when nothing has been heard for too long
the watchdog kills the process, and that ends it too.

A pool of joblib (loky) cannot be used so: one dead process costs the results of all others in the
same call, and a process that hangs cannot be told from one that works, nor ended alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from deepdiva.errors import RenderError
from deepdiva.hosts.memory import SharedMemory
from deepdiva.hosts.worker import PULSE, Raised, Result, Task

_LAUNCH = "from deepdiva.hosts.launch import main; main()"
_PATIENCE_SECONDS = 2.0  # for an idle worker to leave by itself
_LOG_BYTES = 2000
_KEPT_BYTES = 64 << 20  # that a worker holds back of the memory that it has freed
_FOREVER = float("inf")


class WorkerDeathError(RenderError):
    """A worker process ended before it had answered.

    Attributes:
        reason: how, as the second half of a sentence.
        log: the end of what the process had printed.
    """

    def __init__(self, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


class WorkerProcess:
    """A new interpreter that carries out tasks, one at a time."""

    def __init__(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="deepdiva-"))
        self._remove_scratch = weakref.finalize(
            self, shutil.rmtree, self.scratch, ignore_errors=True
        )
        self._log = self.scratch / "log"
        self._pulse_memory = SharedMemory(PULSE.size)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, str(self.scratch), self._pulse_memory.address],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(self.scratch),
                # Ctrl-C is the caller's business; and the process can be killed with its children.
                process_group=0,
            )
        self._watchdog = Watchdog(self._kill, lambda: self._pulse[1])

    def ask(self, task: Task, seconds: float) -> Any:
        """Have a task carried out that makes no reports.

        Args:
            task: what is to be done.
            seconds: after which the process is killed.

        Returns:
            What the task returned.

        Raises:
            WorkerDeathError: the process ended or was killed.
            DeepDivaError: whatever the task raised.
        """
        answer = next(self.answers(task, seconds, seconds))
        return cast(Result, answer).value

    def answers(self, task: Task, first_seconds: float, next_seconds: float) -> Iterator[Any]:
        """Have a task carried out; yields its reports, and last a `Result`.

        Args:
            task: what is to be done.
            first_seconds: until the first answer or beat, after which the process is killed.
            next_seconds: between answers or beats.

        Raises:
            WorkerDeathError: the process ended or was killed.
            DeepDivaError: whatever the task raised.
        """
        PULSE.pack_into(self._pulse_memory.mapped, 0, 0, 0.0)
        try:
            self._watchdog.arm(first_seconds, next_seconds)
            self._send(task)
            while True:
                answer = pickle.load(cast("IO[bytes]", self._process.stdout))
                self._watchdog.disarm()
                if isinstance(answer, Raised):
                    raise answer.error
                yield answer
                if isinstance(answer, Result):
                    return
                self._watchdog.arm(next_seconds)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise WorkerDeathError(self._obituary(), self.log()) from error
        finally:
            self._watchdog.disarm()

    def _send(self, task: Task) -> None:
        """Hand a task to the process.

        Raises:
            BrokenPipeError: the process is dead.
        """
        stdin = cast("IO[bytes]", self._process.stdin)
        try:
            pickle.dump(task, stdin)
            stdin.flush()
        except OSError as error:
            if error.errno != errno.EINVAL:  # which Windows says where others say EPIPE
                raise
            raise BrokenPipeError(errno.EPIPE, "the process is dead") from error

    @property
    def beats(self) -> int:
        """How often the last task has called `Bench.beat`."""
        return self._pulse[0]

    @property
    def _pulse(self) -> tuple[int, float]:
        beats, last = PULSE.unpack_from(self._pulse_memory.mapped)
        return beats, last

    def log(self) -> str:
        """The end of what the process has printed."""
        with contextlib.suppress(OSError):
            return self._log.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace")
        return ""

    def close(self) -> None:
        """End the process, which must be idle or dead, and remove its folder."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                cast("IO[bytes]", pipe).close()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE_SECONDS)
        finally:  # a second Ctrl-C may end the wait
            self._kill()
            self._process.wait()
            self._watchdog.stop()
            self._remove_scratch()

    def _kill(self) -> None:
        if self._process.poll() is not None:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def _obituary(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE_SECONDS)
        self._kill()
        if self._watchdog.barked_after is not None:
            return f"hung: no answer within {self._watchdog.barked_after:g} s"
        return end_of_process(self._process.wait())


class Watchdog:
    """Calls a function when it has not been disarmed in time.

    Args:
        bark: the function.
        heard: gives the time of the last sign of life, in seconds of `time.monotonic`. It is looked
            at when time is up, and may put off the end.

    Attributes:
        barked_after: seconds that were waited when the function was called; None before.
    """

    def __init__(self, bark: Callable[[], None], heard: Callable[[], float] = lambda: 0.0) -> None:
        self.barked_after: float | None = None
        self._bark = bark
        self._heard = heard
        self._armed_at: float | None = None
        self._first_seconds = self._next_seconds = 0.0
        self._wakes = _FOREVER
        self._stopped = False
        self._changed = threading.Condition()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, seconds: float, next_seconds: float | None = None) -> None:
        """Bark in `seconds`, unless told otherwise before.

        Args:
            seconds: until the first sign of life.
            next_seconds: from each sign of life to the next; as `seconds` if None.
        """
        with self._changed:
            self._armed_at = time.monotonic()
            self._first_seconds = seconds
            self._next_seconds = seconds if next_seconds is None else next_seconds
            # Most of the time the watching thread sleeps less long anyway, and is left alone.
            if self._armed_at + min(self._first_seconds, self._next_seconds) < self._wakes:
                self._changed.notify()

    def disarm(self) -> None:
        """Do not bark."""
        with self._changed:
            self._armed_at = None

    def stop(self) -> None:
        """End the watching thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                deadline, seconds = self._deadline()
                if deadline > now:
                    # A sign of life may bring the deadline nearer, but no nearer than this.
                    self._wakes = min(deadline, now + self._next_seconds)
                    if self._armed_at is None:
                        self._wakes = _FOREVER
                    self._changed.wait(min(self._wakes - now, threading.TIMEOUT_MAX))
                    continue
                self.barked_after = seconds
                self._armed_at = None
                self._bark()

    def _deadline(self) -> tuple[float, float]:
        """When to bark, and the seconds that will have been waited then."""
        if self._armed_at is None:
            return _FOREVER, 0.0
        heard = self._heard()
        if heard > self._armed_at:
            return heard + self._next_seconds, self._next_seconds
        return self._armed_at + self._first_seconds, self._first_seconds


def end_of_process(code: int) -> str:
    """How a process ended, from `subprocess`' exit code, as the second half of a sentence."""
    if code >= 0:
        return f"ended its process with exit code {code}"
    try:
        return f"crashed with {signal.Signals(-code).name}"
    except ValueError:
        return f"crashed with signal {-code}"


def _environment(scratch: Path) -> dict[str, str]:
    """The caller's, with its import path, one thread for numerics, and a place for data."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    # Plug-ins keep their settings in this folder and complain where it is missing. It is not ours
    # to make in the user's home.
    if "XDG_DATA_HOME" not in environment and not Path("~/.local/share").expanduser().is_dir():
        environment["XDG_DATA_HOME"] = str(scratch)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[variable] = "1"
    # glibc would give the memory of one render back to the system, and ask for that of the next.
    for variable in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        environment.setdefault(variable, str(_KEPT_BYTES))
    return environment
