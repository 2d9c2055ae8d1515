"""The binary block at the end of a u-he preset: its text code, and the chunks inside.

The block reads `$$$$SIZE`, then `?words:bytes!stream=CHECKSUM` broken into lines of 64 characters
that carry no meaning. Letters a..p are hexadecimal digits. A dictionary of exactly ten words of
4 bytes and exactly 26 single bytes comes first; in the stream `q`..`z` stand for the words,
`A`..`Z` for the bytes, two letters a..p for a byte of its own, and a decimal number repeats what
stands before it as many more times. SIZE counts the decoded bytes; CHECKSUM is the sum of the
character codes from `?` to the last `=`, not with it.

Decoded, the block is a row of chunks: 16 bytes of head (the letters `cbMA`, a 32-bit length, a
zero, and 1.0 for an array of float32 or 0.0 for anything else, little-endian), then the data. It
holds folder, file and author names, the tuning table and the detune pots; the sound's other
parameters stand in the text only.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from deepdiva.errors import PresetError

_WORDS = 10
_BYTES = 26
_WORD_SIZE = 4
_LINE = 64
_MAX_SIZE = 1 << 20  # far above any known block (Zebra2: 77,160 bytes)
_HEX = b"abcdefghijklmnop"
_HEAD = struct.Struct("<4sIIf")
_MAGIC = b"cbMA"

_BLOCK = re.compile(
    rb"\$\$\$\$(?P<size>\d{1,9})\n"
    rb"\?(?P<words>[a-p]{8}(?::[a-p]{8}){9}):(?P<bytes>[a-p]{2}(?::[a-p]{2}){25})"
    rb"!(?P<stream>[^=]*)=(?P<checksum>\d{1,12})"
)
_ITEM = re.compile(rb"(?P<pair>[a-p]{2})|(?P<letter>[q-zA-Z])|(?P<repeat>\d+)")


@dataclass(frozen=True)
class Chunk:
    """One piece of a decoded block.

    Attributes:
        data: its bytes, without the head.
        is_floats: they are an array of little-endian float32.
    """

    data: bytes
    is_floats: bool


def decode(text: bytes, where: str) -> bytes:
    """Decode a block.

    Args:
        text: from the first `$` to the checksum; line breaks and blanks after it do not matter.
        where: file and line, for the error.

    Raises:
        PresetError: the block is cut, its size or checksum is wrong, or it is no block.
    """
    head, _, body = text.rstrip(b"\0\r\n ").partition(b"\n")
    code = re.sub(rb"\s", b"", body)
    match = _BLOCK.fullmatch(head.rstrip(b"\r") + b"\n" + code)
    if match is None:
        raise PresetError(
            f"{where}: the binary block is cut off or damaged: it must read $$$$SIZE, "
            "?dictionary!data=CHECKSUM. Take an undamaged copy of the preset."
        )
    checksum = sum(code[: code.rindex(b"=")])
    if checksum != int(match["checksum"]):
        raise PresetError(
            f"{where}: the binary block is cut off or damaged: its checksum is {checksum}, the "
            f"file says {int(match['checksum'])}. Take an undamaged copy of the preset."
        )
    size = int(match["size"])
    words = [_from_hex(word) for word in match["words"].split(b":")]
    singles = [_from_hex(single) for single in match["bytes"].split(b":")]
    data = _expand(match["stream"], words, singles, min(size, _MAX_SIZE))
    if data is None or len(data) != size:
        raise PresetError(
            f"{where}: the binary block is damaged: it does not decode to the {size} bytes that "
            "the file announces. Take an undamaged copy of the preset."
        )
    return data


def _expand(
    stream: bytes, words: Sequence[bytes], singles: Sequence[bytes], limit: int
) -> bytes | None:
    """The bytes of a stream; None where it holds something else or grows past the limit."""
    data = bytearray()
    item = b""
    place = 0
    while place < len(stream):
        match = _ITEM.match(stream, place)
        if match is None or len(data) > limit:
            return None
        times = 1
        if match["repeat"]:
            times = int(match["repeat"][:9])
        elif match["pair"]:
            item = _from_hex(match["pair"])
        else:
            letter = match["letter"][0]
            item = words[letter - ord("q")] if letter >= ord("q") else singles[letter - ord("A")]
        if len(item) * times > limit:
            return None
        data += item * times
        place = match.end()
    return bytes(data)


def encode(data: bytes) -> bytes:
    """Encode a block; `decode` gives the same bytes back.

    The dictionary takes the words and bytes that occur most often.

    Returns:
        From the first `$` to the line break after the checksum.
    """
    aligned = [data[start : start + _WORD_SIZE] for start in range(0, len(data), _WORD_SIZE)]
    # Four equal bytes are no word: they are written as one byte and a number.
    words = _most_frequent(
        [word for word in aligned if len(word) == _WORD_SIZE and len(set(word)) > 1], _WORDS
    )
    rest = b"".join(word for word in aligned if word not in words)
    singles = _most_frequent([bytes([single]) for single in rest], _BYTES)
    stream = b"".join(
        item if (more := sum(1 for _ in run) - 1) == 0 else b"%s%d" % (item, more)
        for item, run in groupby(_items(aligned, words, singles))
    )
    # The format wants all 36 entries; those that no letter needs are zeros.
    entries = (
        *words,
        *[bytes(_WORD_SIZE)] * (_WORDS - len(words)),
        *singles,
        *[bytes(1)] * (_BYTES - len(singles)),
    )
    dictionary = b":".join(_to_hex(entry) for entry in entries)
    code = b"?%s!%s" % (dictionary, stream)
    return b"$$$$%d\n%s" % (len(data), _wrap(b"%s=%d" % (code, sum(code))))


def _most_frequent(entries: Sequence[bytes], count: int) -> list[bytes]:
    return [entry for entry, _ in Counter(entries).most_common(count)]


def _items(
    aligned: Sequence[bytes], words: Sequence[bytes], singles: Sequence[bytes]
) -> Iterator[bytes]:
    """The stream without repetitions: a letter, or two for a byte outside the dictionary."""
    for word in aligned:
        if word in words:
            yield bytes([ord("q") + words.index(word)])
            continue
        for value in word:
            single = bytes([value])
            if single in singles:
                yield bytes([ord("A") + singles.index(single)])
            else:
                yield _to_hex(single)


def _wrap(code: bytes) -> bytes:
    """Break after every 64th character, and once more at the end."""
    return re.sub(rb"(.{%d})" % _LINE, rb"\1\n", code) + b"\n"


def _from_hex(letters: bytes) -> bytes:
    digits = [_HEX.index(letter) for letter in letters]
    return bytes(16 * high + low for high, low in zip(digits[::2], digits[1::2], strict=True))


def _to_hex(data: bytes) -> bytes:
    return bytes(letter for value in data for letter in (_HEX[value >> 4], _HEX[value & 15]))


def split(data: bytes, where: str) -> tuple[Chunk, ...]:
    """The chunks of a decoded block.

    Raises:
        PresetError: the bytes are no row of chunks.
    """
    chunks: list[Chunk] = []
    place = 0
    while place < len(data):
        head = data[place : place + _HEAD.size]
        place += _HEAD.size
        if len(head) < _HEAD.size or not head.startswith(_MAGIC):
            raise PresetError(f"{where}: chunk {len(chunks)} of the binary block has no head.")
        _, length, _, mark = _HEAD.unpack(head)
        if place + length > len(data):
            raise PresetError(
                f"{where}: chunk {len(chunks)} of the binary block is longer than the block."
            )
        chunks.append(Chunk(data[place : place + length], is_floats=mark != 0.0))
        place += length
    return tuple(chunks)


def join(chunks: Sequence[Chunk]) -> bytes:
    """The decoded block of chunks; the way back from `split`."""
    return b"".join(
        _HEAD.pack(_MAGIC, len(chunk.data), 0, float(chunk.is_floats)) + chunk.data
        for chunk in chunks
    )


def text_chunk(text: str, size: int) -> Chunk:
    """A chunk that holds a name: UTF-8, cut at a whole character, ended and filled with zeros."""
    data = text.encode("utf-8", "surrogateescape")[: size - 1]
    whole = data.decode("utf-8", "ignore").encode("utf-8")
    return Chunk(whole.ljust(size, b"\0"), is_floats=False)


def float_chunk(values: Sequence[float], count: int) -> Chunk:
    """A chunk that holds `count` float32: the values, then zeros."""
    padded = [*values, *[0.0] * (count - len(values))]
    return Chunk(struct.pack(f"<{count}f", *padded), is_floats=True)
