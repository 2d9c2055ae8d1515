"""Tables of tunings: what pitch each of the 128 keys has."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepdiva.errors import InvalidValueError, MissingFileError

KEYS = 128
SUFFIXES = (".scl", ".tun")

_MIDDLE_C = 60
_LOWEST_HZ = 440.0 * 2.0 ** (-69.0 / 12.0)
_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
_ENTRY = re.compile(r"(?P<key>[\w ]+?)\s*=\s*(?P<value>\S.*)")
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Tuning:
    """The pitch of each key.

    Attributes:
        name: of the tuning, for people.
        pitches: (128,), MIDI pitches in semitones; 69 is 440 Hz, and equal temperament 0 to 127.

    Raises:
        InvalidValueError: another number of pitches, or one that is not finite or beyond -1000 to
            1000.
    """

    name: str
    pitches: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.pitches) != KEYS or not all(
            math.isfinite(pitch) and -1000.0 <= pitch <= 1000.0 for pitch in self.pitches
        ):
            raise InvalidValueError(
                f"The tuning {self.name!r} has {len(self.pitches)} pitches from "
                f"{min(self.pitches, default=0.0)} to {max(self.pitches, default=0.0)}: it must "
                f"have {KEYS} from -1000 to 1000 semitones."
            )

    @property
    def is_equal(self) -> bool:
        """Whether it is the equal temperament of twelve semitones, a4 = 440 Hz."""
        return all(abs(pitch - key) < 1e-4 for key, pitch in enumerate(self.pitches))

    @classmethod
    def read(cls, path: Path | str) -> Tuning:
        """Read a Scala scale (`.scl`), which begins on the middle C, or an AnaMark table (`.tun`).

        Raises:
            MissingFileError: there is no such file.
            InvalidValueError: another suffix, or the file is no such table.
        """
        file = Path(path)
        if file.suffix.lower() not in SUFFIXES:
            raise InvalidValueError(f"{path}: a tuning is a {' or '.join(SUFFIXES)} file.")
        if not file.is_file():
            raise MissingFileError(f"{path} does not exist.")
        if file.stat().st_size > _LARGEST:
            raise InvalidValueError(f"{path} has more than a megabyte: it is no tuning.")
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        read = _of_scala if file.suffix.lower() == ".scl" else _of_anamark
        return cls(file.stem, tuple(read(lines, str(path))))


def _of_scala(lines: Sequence[str], source: str) -> list[float]:
    """Scala's format: a name, the number of degrees, and a degree a line, the octave last.

    A degree with a point is in cents, any other a ratio; https://huygens-fokker.org/scala.
    """
    content = [line.strip() for line in lines if not line.lstrip().startswith("!")]
    words = [line.split() for line in content]
    try:
        count = int(words[1][0])
        degrees = [_degree(line[0]) for line in [entry for entry in words[2:] if entry][:count]]
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise InvalidValueError(
            f"{source} is no Scala scale: after a name it holds the number of its degrees, and "
            "each of them as cents (701.955) or as a ratio (3/2)."
        ) from error
    if count < 1 or len(degrees) < count:
        raise InvalidValueError(f"{source} promises {count} degrees and has {len(degrees)}.")
    scale = [0.0, *degrees[:-1]]
    period = degrees[-1]
    return [
        _MIDDLE_C + period * ((key - _MIDDLE_C) // count) + scale[(key - _MIDDLE_C) % count]
        for key in range(KEYS)
    ]


def _degree(text: str) -> float:
    """Semitones above the first degree."""
    if "." in text:
        return float(text) / 100.0
    above, _, below = text.partition("/")
    ratio = float(above) / float(below or 1)
    if ratio <= 0.0:
        raise ValueError(text)
    return 12.0 * math.log2(ratio)


def _of_anamark(lines: Sequence[str], source: str) -> list[float]:
    """AnaMark's format: `note K=cents` above a base frequency, which is that of key 0.

    Its section `[Exact Tuning]` goes before `[Tuning]`, which holds whole cents.
    """
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in lines:
        text = line.partition(";")[0].strip()
        head, entry = _SECTION.fullmatch(text), _ENTRY.fullmatch(text)
        if head:
            current = sections.setdefault(head["name"].strip().lower(), {})
        elif entry:
            current[" ".join(entry["key"].lower().split())] = entry["value"].strip()
    found = sections.get("exact tuning") or sections.get("tuning") or {}
    try:
        base = float(found.get("basefreq", _LOWEST_HZ))
        cents = {
            int(key.split()[1]): float(value)
            for key, value in found.items()
            if key.startswith("note ")
        }
        lowest = 69.0 + 12.0 * math.log2(base / 440.0)
    except (ValueError, IndexError) as error:
        raise InvalidValueError(f"{source} is no AnaMark table: {error}.") from error
    if not cents:
        raise InvalidValueError(
            f"{source} is no AnaMark table: it has no lines 'note 60=6000.0' below [Exact Tuning] "
            "or [Tuning]."
        )
    return [lowest + cents.get(key, 100.0 * key) / 100.0 for key in range(KEYS)]
