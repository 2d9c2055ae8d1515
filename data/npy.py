"""`.npy` files that are written in pieces by several workers, and appear whole or not at all.

The pieces go to a hidden file beside the target. When all are there it is put onto the disk and
takes its name. Plain writing rather than a memory map: a full disk is then an error and no crash.
A checksum is computed of each piece while it is in the processor's cache, and that of the file is
put together from them.
"""

from __future__ import annotations

import io
import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_POLYNOMIAL = 0xEDB88320  # CRC-32 of zip and PNG (ITU-T V.42), bits reflected


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
        """The bytes before the first cell."""
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer, {"descr": self.descr, "fortran_order": False, "shape": self.shape}
        )
        return buffer.getvalue()

    @property
    def row_bytes(self) -> int:
        """Bytes of one entry of the first axis."""
        return self.dtype.itemsize * math.prod(self.shape[1:])

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + self.shape[0] * self.row_bytes

    def write(self, first: int, rows: NDArray[Any]) -> None:
        """Write consecutive rows; any order, any thread or process, twice does no harm.

        Args:
            first: place of the first of them.
            rows: shape (count, *shape[1:]).

        Raises:
            OSError: the system refuses: no permission, no space.
        """
        binary = getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.part, os.O_WRONLY | os.O_CREAT | binary, 0o666)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            file.seek(len(self.header) + first * self.row_bytes)
            _write_all(file, self._bytes(rows))

    def checksum(self, rows: NDArray[Any]) -> int:
        """CRC-32 of rows as they are written."""
        return zlib.crc32(self._bytes(rows))

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
        descriptor = os.open(self.part, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            _write_all(file, memoryview(self.header))
            os.fsync(file.fileno())
        self.part.replace(self.path)

    def _bytes(self, rows: NDArray[Any]) -> memoryview:
        """Rows as they are written; copied only if they are not laid out so."""
        return np.ascontiguousarray(rows, dtype=self.dtype).reshape(-1).view(np.uint8).data


def combine_crc32(first: int, second: int, length: int) -> int:
    """CRC-32 of two pieces of data one after the other, from those of the pieces.

    A register of 32 bits that is fed `length` zero bytes is multiplied, over GF(2), by a power of
    one fixed matrix (M. Adler's `crc32_combine`, zlib).

    Args:
        first: CRC-32 of the first piece.
        second: CRC-32 of the second piece.
        length: bytes of the second piece.
    """
    for column_of_ones in _zero_bytes(length):
        first = _times(column_of_ones, first)
    return first ^ second


def file_crc32(path: Path) -> int:
    """CRC-32 of a file, read in pieces."""
    total = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            total = zlib.crc32(piece, total)
    return total


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


def _times(matrix: tuple[int, ...], vector: int) -> int:
    """A matrix over GF(2), one number for each column, times a vector."""
    product = 0
    for column in matrix:
        if vector & 1:
            product ^= column
        vector >>= 1
    return product


@lru_cache(maxsize=64)
def _zero_bytes(length: int) -> tuple[tuple[int, ...], ...]:
    """Matrices whose product feeds `length` zero bytes to the register: powers of two."""
    # One zero bit: shift right, and add the polynomial where a one falls out.
    matrix = (_POLYNOMIAL, *(1 << bit for bit in range(31)))
    for _ in range(3):
        matrix = tuple(_times(matrix, column) for column in matrix)
    needed = []
    while length:
        if length & 1:
            needed.append(matrix)
        matrix = tuple(_times(matrix, column) for column in matrix)
        length >>= 1
    return tuple(needed)
