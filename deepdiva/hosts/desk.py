"""Where one thread of the caller works with one worker process."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.hosts.process import WorkerProcess
from deepdiva.hosts.tasks import AudioBuffer

_MOST_ROWS = 16  # patches in one task
_MOST_BYTES = 64 << 20  # audio in one task


@dataclass
class Desk:
    """One worker process, when there is one, and the file through which audio comes back.

    Attributes:
        process: None before the first task and after a death.
        shared: the file and its content, mapped; None where there is no process.
        rendered: patches since the process started.
    """

    process: WorkerProcess | None = None
    shared: tuple[AudioBuffer, NDArray[np.float32]] | None = None
    rendered: int = 0

    def started(self) -> WorkerProcess:
        """The process, started if there is none."""
        if self.process is None:
            self.process = WorkerProcess()
        return self.process

    def buffer_for(self, samples: int) -> tuple[AudioBuffer, NDArray[np.float32]]:
        """A buffer for as many patches of this length as one task may hold, and its content."""
        if self.shared is None or self.shared[0].samples != samples:
            rows = rows_in_task(samples)
            path = self.started().scratch / f"audio-{samples}.f32"
            with path.open("wb") as file:
                file.truncate(4 * rows * samples)
            buffer = AudioBuffer(path, rows, samples)
            self.shared = buffer, buffer.open()
        return self.shared

    def clear(self) -> None:
        """End the process."""
        process, self.process, self.shared, self.rendered = self.process, None, None, 0
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


def rows_in_task(samples: int) -> int:
    """How many patches of a length one task may hold."""
    return max(1, min(_MOST_ROWS, _MOST_BYTES // (4 * samples)))
