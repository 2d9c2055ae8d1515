"""Where one thread of the caller works with one worker process."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deepdiva.hosts.process import WorkerProcess


@dataclass
class Slot:
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


class WorkerPool:
    """A number of slots; whoever wants to work takes a free one, or waits."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        # The slot that was left last is taken first: its process has started.
        self._free: queue.LifoQueue[Slot] = queue.LifoQueue()
        for _ in range(slots):
            self._free.put(Slot())

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """A slot in which nobody else works."""
        slot = self._free.get()
        try:
            yield slot
        except BaseException:
            # Whatever the process was doing, nobody listens to it any more.
            slot.clear()
            raise
        finally:
            self._free.put(slot)

    def close(self) -> None:
        """End all processes, when the work in each slot is done."""
        slots = [self._free.get() for _ in range(self._slots)]
        for slot in slots:
            slot.clear()
            self._free.put(slot)
