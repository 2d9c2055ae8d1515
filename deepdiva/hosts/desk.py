"""Where one thread of the caller works with one worker process."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deepdiva.hosts.process import WorkerProcess


@dataclass
class Desk:
    """One worker process, when there is one.

    Attributes:
        process: None before the first task and after a death.
        rendered: patches since the process started.
    """

    process: WorkerProcess | None = None
    rendered: int = 0

    def started(self) -> WorkerProcess:
        """The process, started if there is none."""
        if self.process is None:
            self.process = WorkerProcess()
        return self.process

    def clear(self) -> None:
        """End the process."""
        process, self.process, self.rendered = self.process, None, 0
        if process is not None:
            process.close()


class Office:
    """A number of desks; whoever wants to work takes a free one, or waits."""

    def __init__(self, desks: int) -> None:
        self._desks = desks
        # The desk that was left last is taken first: its process has started.
        self._free: queue.LifoQueue[Desk] = queue.LifoQueue()
        for _ in range(desks):
            self._free.put(Desk())

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """A desk at which nobody else works."""
        desk = self._free.get()
        try:
            yield desk
        except BaseException:
            # Whatever the process was doing, nobody listens to it any more.
            desk.clear()
            raise
        finally:
            self._free.put(desk)

    def close(self) -> None:
        """End all processes, when the work at each desk is done."""
        desks = [self._free.get() for _ in range(self._desks)]
        for desk in desks:
            desk.clear()
            self._free.put(desk)
