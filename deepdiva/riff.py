"""Chunks of a RIFF file, read as leniently as players do.

Recorders that crash leave sizes of 0, editors forget the pad byte after an odd chunk, some write
chunks shorter than the standard says. What matters, `fmt ` and `data`, is found all the same.
Layout: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991;
`smpl` and `inst`: Microsoft, "New Multimedia Data Types and Data Techniques", 1994.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KNOWN = frozenset(
    (
        *(b"fmt ", b"data", b"fact", b"LIST", b"PEAK", b"smpl", b"inst", b"cue ", b"bext", b"JUNK"),
        *(b"junk", b"id3 ", b"ID3 ", b"iXML", b"acid", b"cart", b"PAD ", b"FLLR", b"ds64", b"levl"),
        *(b"plst", b"axml", b"chna", b"umid", b"minf", b"elm1", b"regn", b"strc", b"afsp", b"DISP"),
    )
)
_UNKNOWN_SIZE = 0xFFFFFFFF
_MOST_CHUNKS = 1000
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Chunk:
    """A chunk of a RIFF file.

    Attributes:
        name: its four letters.
        start: byte at which its content begins.
        size: bytes of its content that the file really holds.
        stated: bytes that its header promises.
    """

    name: bytes
    start: int
    size: int
    stated: int


def read_chunks(path: Path | str) -> tuple[Chunk, ...]:
    """The chunks of a RIFF or RF64 WAVE file; none if it is another kind of file.

    `data` of a size of 0 or beyond the file's end reaches to the end of the file.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return ()
        chunks: list[Chunk] = []
        at = 12
        while at + 8 <= end and len(chunks) < _MOST_CHUNKS:
            file.seek(at)
            name, stated = struct.unpack("<4sI", file.read(8))
            size = min(stated, end - at - 8)
            if name == b"data" and (size == 0 or stated == _UNKNOWN_SIZE):
                size = _data_size(file, at + 8, end, chunks, stated)
            chunks.append(Chunk(name, at + 8, size, stated))
            at = _next(file, at + 8 + size, end)
        return tuple(chunks)


def chunk_bytes(path: Path | str, name: bytes) -> bytes | None:
    """Content of the first chunk of this name, at most 1 MiB; None without one.

    Raises:
        OSError: the file cannot be read.
    """
    for chunk in read_chunks(path):
        if chunk.name == name:
            with Path(path).open("rb") as file:
                file.seek(chunk.start)
                return file.read(min(chunk.size, _MOST_BYTES))
    return None


def mended(path: Path | str) -> Mended | None:
    """A WAVE file as if it were written anew with nothing but `fmt `, `fact` and `data`.

    Returns:
        A file to read from, for the caller to close; None where there is no format or no sound in
        it, or more than a RIFF file can hold.
    """
    found = {chunk.name: chunk for chunk in reversed(read_chunks(path))}
    form, data = found.get(b"fmt "), found.get(b"data")
    if form is None or data is None or not 14 <= form.size <= _MOST_BYTES:
        return None
    if not 0 < data.size < _UNKNOWN_SIZE - _MOST_BYTES:
        return None
    file = Path(path).open("rb")  # noqa: SIM115  closed by Mended
    kept = b""
    for name in (b"fmt ", b"fact"):
        chunk = found.get(name)
        if chunk is not None and (name == b"fmt " or chunk.size == 4):
            file.seek(chunk.start)
            content = file.read(chunk.size)
            kept += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    size = 4 + len(kept) + 8 + data.size
    head = b"RIFF" + struct.pack("<I", size) + b"WAVE" + kept
    head += b"data" + struct.pack("<I", data.size)
    return Mended(file, head, data)


class Mended(io.RawIOBase):
    """A header of our own, and behind it a stretch of a file."""

    def __init__(self, file: Any, head: bytes, data: Chunk) -> None:
        super().__init__()
        self._file, self._head, self._data = file, head, data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        length = len(self._head) + self._data.size
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        behind = self._at - len(self._head)
        if behind < 0:
            part = self._head[self._at : self._at + len(view)]
        else:
            self._file.seek(self._data.start + behind)
            part = self._file.read(max(0, min(len(view), self._data.size - behind)))
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()


def _data_size(file: Any, start: int, end: int, before: list[Chunk], stated: int) -> int:
    """Bytes of a `data` chunk whose header does not say."""
    for chunk in before:
        if chunk.name == b"ds64" and chunk.size >= 16 and stated == _UNKNOWN_SIZE:
            file.seek(chunk.start + 8)
            size = int(struct.unpack("<Q", file.read(8))[0])
            return min(size, end - start)
    file.seek(start)
    if stated == 0 and file.read(4) in _KNOWN:
        return 0  # truly empty: another chunk follows
    return end - start


def _next(file: Any, at: int, end: int) -> int:
    """Where the next chunk begins: chunks of odd size are padded, but not by every program."""
    if at % 2 == 0:
        return at
    for place in (at + 1, at):
        if place + 8 <= end:
            file.seek(place)
            if file.read(4) in _KNOWN:
                return place
    return at + 1
