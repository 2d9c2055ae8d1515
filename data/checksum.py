"""CRC-32 as zlib computes it: of much data fast, of files, and of pieces put together."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0xEDB88320  # CRC-32 of zip and PNG (ITU-T V.42), bits reflected

_MANY = 1 << 18
"""Bytes from which on folding is worth its numba."""


def crc32(data: NDArray[np.uint8]) -> int:
    """CRC-32 of bytes; the same as zlib's and several times faster where they are many.

    Args:
        data: shape (bytes,), contiguous.
    """
    if len(data) < _MANY or data.ctypes.data % 4:
        return zlib.crc32(data.data)
    from deepdiva.data.sound_kernel import folded

    whole = len(data) // 4 * 4
    return zlib.crc32(data[whole:].data, crc32_of_folded(folded(data[:whole].view(np.int32))))


def crc32_of_folded(words: NDArray[np.int32]) -> int:
    """CRC-32 of the data that `sound_kernel.folded` has folded into these words."""
    return zlib.crc32(words.data, 0xFFFFFFFF)  # zlib inverts: the register begins with zeros


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
