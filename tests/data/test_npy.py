"""Array files in pieces hold what numpy would save, and appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray

from deepdiva.data.checksum import combine_crc32, crc32, file_crc32
from deepdiva.data.corpora.batch_maker import SAMPLE_DTYPE
from deepdiva.data.corpora.faults import levels
from deepdiva.data.npy import NpyFile
from deepdiva.data.sound_kernel import LAGS, LONGEST
from deepdiva.files import PAGE, page_aligned
from deepdiva.renderer import RenderBatch


@pytest.mark.parametrize("words", [65536, 66_560, 100_001, 3_000_000])
@pytest.mark.parametrize("more", [0, 3])
def test_much_data_has_zlibs_checksum(words: int, more: int) -> None:
    memory = np.random.default_rng(words).integers(0, 256, 4 * words + more + 4, dtype=np.uint8)
    for start in (0, 1):
        data = memory[start : start + 4 * words + more]
        assert crc32(data) == zlib.crc32(data.tobytes())
    zeros = np.zeros(4 * words + more, np.uint8)
    assert crc32(zeros) == zlib.crc32(zeros.tobytes())


@pytest.mark.parametrize("samples", [1, 2, 1160, 2399, 2400, 2401, 88200])
def test_levels_come_with_the_checksum_of_the_sounds(samples: int) -> None:
    audio = np.random.default_rng(samples).normal(size=(5, samples)).astype(np.float32)
    for sounds in (audio[:1], audio):
        found = levels(RenderBatch(sounds))
        assert found.crc32 == zlib.crc32(sounds.tobytes())
        np.testing.assert_array_equal(found.peak, np.abs(sounds).max(axis=1))
        np.testing.assert_allclose(found.rms, np.sqrt((sounds**2).mean(axis=1)), rtol=1e-4)


def test_words_that_are_folded_leave_the_remainder() -> None:
    """The polynomial in the kernel's first lines is a multiple of that of CRC-32."""
    remainder, power = 0, 0x80000000
    exponents = {32 * (LONGEST - lag) for lag in (0, *LAGS)}
    for exponent in range(32 * LONGEST + 1):
        if exponent in exponents:
            remainder ^= power
        power = (power >> 1) ^ (0xEDB88320 if power & 1 else 0)
    assert remainder == 0


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
def test_pieces_in_any_order_make_a_file_that_numpy_reads(
    tmp_path: Path, shape: tuple[int, ...], dtype: DTypeLike
) -> None:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    array = np.frombuffer(np.random.default_rng(0).bytes(size), dtype=dtype).reshape(shape)

    file = NpyFile.plan(tmp_path / "array.npy", shape, dtype, "token")
    file.create()
    pieces = [(4, 7), (0, 1), (1, 4), (1, 4)]
    for first, last in pieces:
        file.write(first, array[first:last])
        assert not file.path.exists()
    file.publish()
    assert [path.name for path in tmp_path.iterdir()] == ["array.npy"]
    content = file.path.read_bytes()
    assert len(content) == file.total_bytes
    read = np.load(file.path)
    assert (read.shape, read.dtype, read.tobytes()) == (shape, np.dtype(dtype), array.tobytes())
    rows = [(1, file.checksum(array[:1])), (6, file.checksum(array[1:]))]
    assert file.combined_checksum(rows) == zlib.crc32(content)
    assert file_crc32(file.path) == zlib.crc32(content)


@pytest.mark.parametrize("dtype", ["<f4", SAMPLE_DTYPE])
def test_a_header_is_numpys_filled_up_to_whole_pages(tmp_path: Path, dtype: DTypeLike) -> None:
    expected = io.BytesIO()
    np.save(expected, np.zeros((3, 2), dtype))
    array_bytes = 6 * np.dtype(dtype).itemsize
    plain = expected.getvalue()[:-array_bytes]
    header = NpyFile.plan(tmp_path / "a.npy", (3, 2), dtype, "x").header
    assert len(header) == PAGE
    assert header[:8] == plain[:8]
    assert header[10:].split() == plain[10:].split()
    assert header.endswith(b" \n")


ROW = 88200
"""Samples of a sound of 2 s; a sound is no whole number of sectors."""


def written(folder: Path, audio: NDArray[np.float32]) -> bytes:
    """A file of sounds, in three pieces of which the middle one begins anywhere on a page."""
    file = NpyFile.plan(folder / "a.npy", audio.shape, "<f4", "x")
    file.create()
    for first, last in ((16, 27), (0, 16), (27, len(audio))):
        file.write(first, audio[first:last])
    file.publish()
    return file.path.read_bytes()[len(file.header) :]


@pytest.fixture
def sounds() -> NDArray[np.float32]:
    audio = page_aligned((40, ROW), np.float32)
    audio[...] = np.random.default_rng(0).uniform(-1.0, 1.0, audio.shape)
    return audio


def test_large_pieces_are_the_same_with_and_without_the_systems_cache(
    tmp_path: Path, sounds: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert written(tmp_path, sounds) == sounds.tobytes()
    shifted = page_aligned((sounds.size + 1,), np.float32)[1:].reshape(sounds.shape)
    shifted[...] = sounds
    assert written(tmp_path, shifted) == sounds.tobytes()
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    assert written(tmp_path, sounds) == sounds.tobytes()


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system writes through its cache")
@pytest.mark.parametrize("place", ["at once", "while writing"])
def test_a_file_system_that_cannot_write_directly_writes_as_usual(
    tmp_path: Path, sounds: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It says so when the file is opened, or when a piece is written, or after a part of it."""
    plain_open, refused = NpyFile._opened, []

    class Half(io.FileIO):
        def write(self, data: object) -> int:  # type: ignore[override]
            if self.tell() % PAGE == 0 and not refused:
                refused.append("half")
                return super().write(memoryview(data)[: 3 * PAGE])  # type: ignore[arg-type]
            refused.append("rest")
            raise OSError(errno.EINVAL, "Invalid argument")

    def opened(file: NpyFile, flags: int) -> io.FileIO:
        if not flags & os.O_DIRECT:
            return plain_open(file, flags)
        if place == "at once":
            refused.append("open")
            raise OSError(errno.EINVAL, "Invalid argument")
        with plain_open(file, flags & ~os.O_DIRECT) as made:
            return Half(made.name if isinstance(made.name, str) else str(file.part), "r+")

    monkeypatch.setattr(NpyFile, "_opened", opened)
    assert written(tmp_path, sounds) == sounds.tobytes()
    assert refused


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system writes through its cache")
def test_an_error_of_the_disk_is_no_reason_to_write_as_usual(
    tmp_path: Path, sounds: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_open = NpyFile._opened

    def opened(file: NpyFile, flags: int) -> io.FileIO:
        if not flags & os.O_DIRECT:
            return plain_open(file, flags)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(NpyFile, "_opened", opened)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path, sounds)


@pytest.mark.parametrize("row_bytes", [4, 4 * ROW])
def test_a_hidden_file_that_vanishes_is_an_error_and_no_gap(tmp_path: Path, row_bytes: int) -> None:
    """Small pieces go through the system's cache, large ones past it."""
    audio = page_aligned((40, row_bytes // 4), np.float32)
    audio[...] = 1.0
    file = NpyFile.plan(tmp_path / "a.npy", audio.shape, "<f4", "x")
    file.create()
    file.write(0, audio[:20])
    file.part.unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.npy\.x\.part"):
        file.write(20, audio[20:])
    with pytest.raises(FileNotFoundError, match=r"a\.npy\.x\.part"):
        file.publish()
    assert list(tmp_path.iterdir()) == []


def test_rows_are_converted_to_the_type_of_the_file(tmp_path: Path) -> None:
    file = NpyFile.plan(tmp_path / "a.npy", (2, 3), "<f2", "x")
    file.create()
    rows = np.arange(12, dtype=np.float64).reshape(2, 6)[:, ::2]
    file.write(0, rows)
    file.publish()
    np.testing.assert_array_equal(np.load(file.path), rows.astype(np.float16))
