"""Memory that the caller shares with its worker processes.

Workers write audio straight into the array that the caller hands on: it takes no way through
pipes, and nobody copies it. Such memory is used again once the array is gone, because memory that
was never touched is dear: the system must find and clear every page of it.
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
import shutil
import sys
import tempfile
import weakref
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 64 << 20  # of memory that is kept for use again
_NUMBERS = itertools.count()


class SharedMemory:
    """A stretch of memory that other processes can open by an address; all 0 at first.

    It goes when this object and all that was made of it are gone. On Linux and Windows it is no
    file on a disk, and leaves nothing behind, however the process ends.

    Attributes:
        address: by which other processes open it, as long as this object lives.
        name: which no other memory of this process had or will have.
        mapped: its bytes.

    Args:
        size: bytes, at least 1.
    """

    def __init__(self, size: int) -> None:
        self.name = f"{os.getpid()}-{next(_NUMBERS)}"
        if sys.platform == "win32":
            # Windows deletes no file that anybody has mapped. Memory with a tag needs none: the
            # first process that opens it makes it, and it goes with the last that has it open.
            self.address = f"deepdiva-{uuid4().hex}"
        else:
            self.address = self._made_file(size)
        self.mapped = opened(self.address, size)

    def _made_file(self, size: int) -> str:
        """Path of a file of that size, which goes when this object is gone."""
        if sys.platform == "linux" and Path("/proc/self/fd").is_dir():
            descriptor = os.memfd_create("deepdiva")
            weakref.finalize(self, os.close, descriptor)
            path = Path(f"/proc/{os.getpid()}/fd/{descriptor}")
        else:
            folder = Path(tempfile.mkdtemp(prefix="deepdiva-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            path = folder / "memory"
            path.touch()
        os.truncate(path, size)
        return str(path)


def opened(address: str, size: int) -> mmap.mmap:
    """The bytes of a `SharedMemory`, which may be another process's.

    Args:
        address: of the memory.
        size: of the memory, bytes.
    """
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=address)
    with Path(address).open("r+b") as file:
        return mmap.mmap(file.fileno(), size)


@dataclass(frozen=True)
class AudioBuffer:
    """Where a worker process finds the array that it writes audio into.

    Attributes:
        address: of the shared memory.
        size: of the shared memory, bytes.
        name: of the shared memory.
        rows: of the array.
        samples: of each row.
        lasting: the memory will be used again, and had better stay open: opening it costs more than
            filling it.
    """

    address: str
    size: int
    name: str
    rows: int
    samples: int
    lasting: bool

    def open(self) -> NDArray[np.float32]:
        """The array, shape (rows, samples), for reading and writing."""
        memory = (
            _kept_open(self.address, self.size, self.name)
            if self.lasting
            else opened(self.address, self.size)
        )
        return _array(memory, self.rows, self.samples)


@lru_cache(maxsize=4)
def _kept_open(address: str, size: int, name: str) -> mmap.mmap:
    del name  # tells memory from an older one at the same address
    return opened(address, size)


def _array(memory: Any, rows: int, samples: int) -> NDArray[np.float32]:
    return np.frombuffer(memory, np.float32, rows * samples).reshape(rows, samples)


@dataclass(frozen=True, eq=False)
class Loan:
    """An array in shared memory.

    Attributes:
        audio: shape (rows, samples), with whatever the memory was used for before.
        buffer: where worker processes find it, as long as the loan lasts.
        memory: in which it lies.
        to_be_copied: the array must be gone when the loan ends.
    """

    audio: NDArray[np.float32]
    buffer: AudioBuffer
    memory: SharedMemory
    to_be_copied: bool = False

    def for_keeps(self) -> NDArray[np.float32]:
        """The array, or a copy of it, for somebody who may keep it as long as he likes."""
        return self.audio.copy() if self.to_be_copied else self.audio


class AudioStore:
    """Lends arrays in shared memory. One is back when nothing refers to it any more.

    Args:
        places: arrays that may be lent at once. Whoever keeps more gets copies, because shared
            memory costs a file descriptor.
    """

    def __init__(self, places: int) -> None:
        # Each place holds memory that is free, or none yet. Memory may come back in any thread and
        # at any time; both ends of a deque can stand that without a lock.
        self._places: deque[SharedMemory | None] = deque([None] * places)

    def lend(self, rows: int, samples: int) -> Loan:
        """An array of that shape."""
        size = max(1, 4 * rows * samples)
        if size > _MOST_BYTES:
            return _loan(SharedMemory(size), rows, samples)
        try:
            memory = self._places.pop()
        except IndexError:
            return _loan(SharedMemory(size), rows, samples, to_be_copied=True)
        if memory is None or len(memory.mapped) < size:
            memory = SharedMemory(size)
        return _loan(memory, rows, samples, self._places)

    def clear(self) -> None:
        """Let go of all memory that is not lent."""
        for _ in range(len(self._places)):
            self._places.pop()
            self._places.appendleft(None)


def _loan(
    memory: SharedMemory,
    rows: int,
    samples: int,
    places: deque[SharedMemory | None] | None = None,
    *,
    to_be_copied: bool = False,
) -> Loan:
    """An array in this memory, which goes back to these places when the array is gone."""
    # NumPy keeps this object for the array and all its views, and nothing but it.
    size = len(memory.mapped)
    view = (ctypes.c_char * size).from_buffer(memory.mapped)
    if places is not None:
        weakref.finalize(view, places.append, memory).atexit = False
    lasting = places is not None
    buffer = AudioBuffer(memory.address, size, memory.name, rows, samples, lasting)
    return Loan(_array(view, rows, samples), buffer, memory, to_be_copied)
