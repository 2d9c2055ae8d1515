"""Array files in pieces are numpy's, byte for byte, and appear whole or not at all."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from deepdiva.data.batch import SAMPLE_DTYPE
from deepdiva.data.npy import NpyFile, combine_crc32, file_crc32


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_checksums_combine_as_zlib_computes_them(first: bytes, second: bytes) -> None:
    combined = combine_crc32(zlib.crc32(first), zlib.crc32(second), len(second))
    assert combined == zlib.crc32(first + second)


def test_checksums_combine_over_gigabytes() -> None:
    """A run of zeros is cheap to check: its own checksum in pieces."""
    million = bytes(1_000_000)
    total = zlib.crc32(b"start")
    for _ in range(3):
        total = zlib.crc32(million, total)
    once = combine_crc32(0, zlib.crc32(million), len(million))
    twice = combine_crc32(once, zlib.crc32(million), len(million))
    thrice = combine_crc32(twice, zlib.crc32(million), len(million))
    assert combine_crc32(zlib.crc32(b"start"), thrice, 3 * len(million)) == total


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((7, 5), "<f4"), ((7, 3, 2, 1), "<f2"), ((7,), SAMPLE_DTYPE), ((7, 11), np.float64)],
)
def test_pieces_in_any_order_make_the_file_that_numpy_saves(
    tmp_path: Path, shape: tuple[int, ...], dtype: DTypeLike
) -> None:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array = np.frombuffer(np.random.default_rng(0).bytes(size), dtype=dtype).reshape(shape)
    expected = io.BytesIO()
    np.save(expected, array)

    file = NpyFile.plan(tmp_path / "array.npy", shape, dtype, "token")
    pieces = [(4, 7), (0, 1), (1, 4), (1, 4)]
    for first, last in pieces:
        file.write(first, array[first:last])
        assert not file.path.exists()
    file.publish()
    assert [path.name for path in tmp_path.iterdir()] == ["array.npy"]
    assert file.path.read_bytes() == expected.getvalue()
    assert file.total_bytes == len(expected.getvalue())
    rows = [(1, file.checksum(array[:1])), (6, file.checksum(array[1:]))]
    assert file.combined_checksum(rows) == zlib.crc32(expected.getvalue())
    assert file_crc32(file.path) == zlib.crc32(expected.getvalue())


def test_rows_are_converted_to_the_type_of_the_file(tmp_path: Path) -> None:
    file = NpyFile.plan(tmp_path / "a.npy", (2, 3), "<f2", "x")
    rows = np.arange(12, dtype=np.float64).reshape(2, 6)[:, ::2]
    file.write(0, rows)
    file.publish()
    np.testing.assert_array_equal(np.load(file.path), rows.astype(np.float16))
