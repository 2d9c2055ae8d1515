"""`.npy` files that are written in pieces by several workers, and appear whole or not at all.

The pieces go to a hidden file beside the target. When all are there it is put onto the disk and
takes its name. Plain writing rather than a memory map: a full disk is then an error and no crash.
The checksum of the file is put together from those of the pieces.

Large pieces go straight from memory to the disk where the system can do that (O_DIRECT of Linux):
copying them into the system's cache, and from there to the disk later on, would take the cores and
their caches from whoever plays the next sounds. It wants memory, file and length in whole sectors,
therefore the header is filled up with spaces to a memory page, as the format allows, and what is
left at the ends of a piece is written as usual.
"""

from __future__ import annotations

import errno
import io
import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepdiva.data.checksum import combine_crc32, crc32
from deepdiva.files import PAGE

_SECTOR = 512
"""Bytes; where memory must begin that goes straight to the disk. Few disks want more than this."""

_DIRECT_BYTES = 1 << 20
"""Less than this is written as usual."""

_NOT_DIRECT = {errno.EINVAL, errno.EOPNOTSUPP}
"""What a file system says that cannot do it, or wants larger sectors."""


@dataclass(frozen=True)
class NpyFile:
    """An array file that is still being written.

    Attributes:
        path: where it will appear.
        part: the hidden file that holds its pieces until then.
        shape: of the whole array; pieces are runs of its first axis.
        descr: type of a cell, as the header of the file spells it.
    """

    path: Path
    part: Path
    shape: tuple[int, ...]
    descr: Any

    @classmethod
    def plan(cls, path: Path, shape: tuple[int, ...], dtype: DTypeLike, token: str) -> NpyFile:
        """Describe a file; nothing is written yet.

        Args:
            path: where it will appear.
            shape: of the whole array.
            dtype: of a cell.
            token: what sets the hidden files of one run apart from those of another.
        """
        part = path.with_name(f".{path.name}.{token}.part")
        return cls(path, part, shape, np.lib.format.dtype_to_descr(np.dtype(dtype)))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a cell."""
        return np.lib.format.descr_to_dtype(self.descr)

    @cached_property
    def header(self) -> bytes:
        """The bytes before the first cell: whole pages."""
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer, {"descr": self.descr, "fortran_order": False, "shape": self.shape}
        )
        magic = np.lib.format.magic(1, 0)
        start = len(magic) + 2  # the length of the text stands between
        text = buffer.getvalue()[start:].rstrip()
        length = -(-(start + len(text) + 1) // PAGE) * PAGE - start
        return magic + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"

    @property
    def row_bytes(self) -> int:
        """Bytes of one entry of the first axis."""
        return self.dtype.itemsize * math.prod(self.shape[1:])

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + self.shape[0] * self.row_bytes

    def create(self) -> None:
        """Make the hidden file, before its first piece is written.

        Raises:
            OSError: the system refuses: no permission, no space, or it is there already.
        """
        self._opened(os.O_CREAT | os.O_EXCL).close()

    def write(self, first: int, rows: NDArray[Any]) -> None:
        """Write consecutive rows; any order, any thread or process, twice does no harm.

        The file must be there: made anew, it would hold zeros where former pieces were.

        Args:
            first: place of the first of them.
            rows: shape (count, *shape[1:]).

        Raises:
            OSError: the system refuses: no permission, no space, or the hidden file is not there.
        """
        data = self._bytes(rows)
        place = len(self.header) + first * self.row_bytes
        start, stop = self._write_direct(place, data)
        with self._opened(0) as file:
            for begin, piece in ((0, data[:start]), (stop, data[stop:])):
                file.seek(place + begin)
                _write_all(file, piece.data)

    def _write_direct(self, place: int, data: NDArray[np.uint8]) -> tuple[int, int]:
        """Write the whole pages of a piece straight to the disk, if they are many.

        Args:
            place: of the piece in the file.
            data: shape (bytes,).

        Returns:
            First and last of the bytes that need no other writing.
        """
        start = -place % PAGE
        stop = len(data) - (place + len(data)) % PAGE
        flag = getattr(os, "O_DIRECT", 0)
        if not flag or stop - start < _DIRECT_BYTES or (data.ctypes.data + start) % _SECTOR:
            return 0, 0
        done = start
        try:
            with self._opened(flag) as file:
                file.seek(place + start)
                while done < stop:
                    done += file.write(data[done:stop].data)
        except OSError as error:
            if error.errno not in _NOT_DIRECT:
                raise
        return start, done

    def _opened(self, flags: int) -> io.FileIO:
        """The hidden file, for writing without a buffer."""
        flags |= os.O_WRONLY | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.part, flags, 0o666), "wb", buffering=0)

    def checksum(self, rows: NDArray[Any]) -> int:
        """CRC-32 of rows as they are written."""
        return crc32(self._bytes(rows))

    def combined_checksum(self, pieces: Sequence[tuple[int, int]]) -> int:
        """CRC-32 of the whole file.

        Args:
            pieces: number of rows and checksum of each piece, in the order of the file.
        """
        total = zlib.crc32(self.header)
        for count, checksum in pieces:
            total = combine_crc32(total, checksum, count * self.row_bytes)
        return total

    def publish(self) -> None:
        """Put the file onto the disk and give it its name.

        Raises:
            OSError: the system refuses: no space, or somebody removed the hidden file.
        """
        with self._opened(0) as file:
            _write_all(file, memoryview(self.header))
            os.fsync(file.fileno())
        self.part.replace(self.path)

    def _bytes(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Rows as they are written; copied only if they are not laid out so."""
        return np.ascontiguousarray(rows, dtype=self.dtype).reshape(-1).view(np.uint8)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder onto the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(file: io.FileIO, rest: memoryview) -> None:
    """Write every byte: one call of the system takes at most 2 GiB and may take less."""
    while rest:
        rest = rest[file.write(rest) :]
