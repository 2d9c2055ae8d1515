"""A child process that is talked to over a pipe, and that never outlives its parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

Main = Callable[[Connection], None]
"""What the child runs: a function of a module, which receives, works, and sends."""


class Child:
    """One child process and the thread that hears it.

    The child starts with the first message. One that died starts again with the next.

    Args:
        main: what it runs.
        on_message: called in a thread of this process with whatever the child sends.
        on_death: called in that thread when the child has gone without being asked to.
    """

    def __init__(
        self, main: Main, on_message: Callable[[Any], None], on_death: Callable[[], None]
    ) -> None:
        self._main = main
        self._on_message = on_message
        self._on_death = on_death
        self._lock = threading.Lock()
        self._pipe: Connection | None = None
        self._process: Any = None

    @property
    def pid(self) -> int | None:
        """Of the process; None before it starts."""
        return None if self._process is None else self._process.pid

    def send(self, message: object) -> None:
        """Send something that can be pickled, to be received in order.

        Raises:
            OSError: the child died at this moment; `on_death` is called.
        """
        with self._lock:
            if self._pipe is None:
                self._pipe = self._start()
            self._pipe.send(message)

    def close(self) -> None:
        """End the child. Harmless when it has gone, or never started."""
        with self._lock:
            pipe, self._pipe = self._pipe, None
        if pipe is not None:
            pipe.close()
            self._process.kill()
            self._process.join()

    def _start(self) -> Connection:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(self._main, theirs), daemon=True)
        self._process.start()
        theirs.close()
        threading.Thread(target=self._hear, args=(ours,), daemon=True).start()
        return ours

    def _hear(self, pipe: Connection) -> None:
        while True:
            try:
                message = pipe.recv()
            except (EOFError, OSError, TypeError):  # TypeError: closed by `close` meanwhile
                break
            self._on_message(message)
        with self._lock:
            unasked = self._pipe is pipe
            if unasked:
                self._pipe = None
        if unasked:
            self._on_death()


def _run(main: Main, pipe: Connection) -> None:
    # Ctrl-C reaches every process of a terminal: the parent says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        main(pipe)
    os._exit(0)  # no thread of a library keeps the process of a parent that has gone


def has_message(pipe: Connection) -> bool:
    """Whether something can be received at once. Ends the process if the parent has gone."""
    try:
        return pipe.poll()
    except (EOFError, OSError):
        os._exit(1)
