"""What a file says of its note by its name, or by its `smpl` and `inst` chunks."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from deepdiva.riff import chunk_bytes

_NAME = re.compile(r"(?<![A-Za-z0-9])([A-Ga-g])(##?|bb?|♯|♭|s(?=-?\d))?(-?\d)(?![0-9A-Za-z])")
_KEY = re.compile(r"(?<![A-Za-z0-9])(\d{2,3})(?![0-9A-Za-z])")
_MARKED = re.compile(
    r"(?<![A-Za-z0-9])(?:k|key|note|midi)[ _-]?(\d{1,3})(?![0-9A-Za-z])", re.IGNORECASE
)
_VELOCITY = re.compile(
    r"(?<![A-Za-z0-9])(?:v|vel|velocity)[ _-]?(\d{1,3})(?![0-9A-Za-z])", re.IGNORECASE
)
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


@dataclass(frozen=True)
class Stated:
    """What a file says of its note.

    Attributes:
        keys: MIDI note numbers that it may mean, the likeliest first; a name such as C2 means 36,
            or 48 in software that calls the middle C C3. Empty if it says none.
        velocity: 1 to 127; None if it says none.
        source: where it says so, "its name" or "its smpl chunk".
        text: how it says it.
        is_guess: whether it is a bare number, which is believed only if the sound agrees.
    """

    keys: tuple[int, ...] = ()
    velocity: int | None = None
    source: str = ""
    text: str = ""
    is_guess: bool = False


def stated_by(path: Path | str) -> Stated:
    """What a sound file says of its note; a chunk goes before the name.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    by_name = stated_by_name(path.stem)
    for name in (b"smpl", b"inst"):
        key = _key_of_chunk(name, chunk_bytes(path, name))
        if key is not None:
            kind = name.decode()
            return Stated((key,), by_name.velocity, f"its {kind} chunk", str(key))
    return by_name


def stated_by_name(name: str) -> Stated:
    """What a file name without its ending says: `Bass_C2`, `pad-F#3`, `60_vel100`, `lead_k48`."""
    velocity = None
    found = _VELOCITY.search(name)
    if found is not None and 1 <= int(found[1]) <= 127:
        velocity = int(found[1])
        name = name[: found.start()] + " " + name[found.end() :]
    named = list(_NAME.finditer(name))
    marked = _MARKED.search(name)
    if marked is not None and int(marked[1]) <= 127:
        return Stated((int(marked[1]),), velocity, "its name", marked[0])
    if named:
        letter, sign, octave = named[-1].groups()
        key = _STEPS[letter.lower()] + 12 * (int(octave) + 1)
        key += {"#": 1, "##": 2, "♯": 1, "s": 1, "b": -1, "bb": -2, "♭": -1}.get(sign or "", 0)
        if len({found[0] for found in named}) > 1:
            return Stated((), velocity, "its name" if velocity else "", "")
        keys = tuple(k for k in (key, key + 12) if 0 <= k <= 127)
        return Stated(keys, velocity, "its name", named[-1][0])
    numbers = [found for found in _KEY.finditer(name) if 21 <= int(found[1]) <= 108]
    if len(numbers) == 1:
        text = numbers[0][0].strip("_- ")
        return Stated((int(numbers[0][1]),), velocity, "its name", text, is_guess=True)
    return Stated((), velocity, "its name" if velocity else "", "")


def _key_of_chunk(name: bytes, content: bytes | None) -> int | None:
    """Root key of a chunk; None where it holds none. Many programs write 0 for none."""
    if content is None:
        return None
    if name == b"smpl" and len(content) >= 36:
        key = int(struct.unpack_from("<I", content, 12)[0])
    elif name == b"inst" and len(content) >= 7:
        key = content[0]
    else:
        return None
    return key if 0 < key <= 127 else None
