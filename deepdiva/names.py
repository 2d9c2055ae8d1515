"""Names and texts from outside, before they become paths or reach a terminal, a table or a page."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from pathlib import Path

from deepdiva.errors import InvalidValueError

LONGEST_NAME = 200
"""Bytes of a file name that leave room for the suffixes behind it: most disks hold 255."""

_FORBIDDEN = re.compile(r'[\\/:*?"<>|]')
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))}
)
"""Of Windows, whatever the suffix."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Controls, separators of lines, and marks that turn the direction of writing."""

_FORMULA = ("=", "+", "-", "@")


def printable(text: str) -> str:
    """Text without what could upset a terminal or deceive a reader.

    Control characters (escape sequences begin with one), marks that reverse the direction of
    writing, separators of lines and broken letters become U+FFFD; line feeds stay.
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}"
        for letter in text.replace("\r\n", "\n")
    )


def one_line(text: str, longest: int = 300) -> str:
    """The same on one line, cut where it is longer than `longest` letters."""
    line = printable(" ".join(text.split("\n")))
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def html_text(text: str) -> str:
    """Text of an HTML page or attribute."""
    return escape(printable(text))


def csv_cell(value: object) -> object:
    """A cell of a table: text that a spreadsheet would take for a formula begins with a quote."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    risky = text.startswith(_FORMULA) or value.startswith(_FORMULA)
    return f"'{text}" if risky else text


def check_visible(what: str, name: str) -> str:
    """Refuse a name with a character that nobody sees: a control, a mark of direction.

    Returns:
        The name.

    Raises:
        InvalidValueError: it holds one.
    """
    odd = _UNSEEN.search(name)
    if odd is not None:
        raise InvalidValueError(
            f"{one_line(repr(name), 80)} cannot name a {what}: it holds a character that nobody "
            f"sees (U+{ord(odd.group()):04X}). Rename it."
        )
    return name


def check_name(what: str, name: str) -> str:
    """Refuse a name that cannot be one file's name on every system.

    Args:
        what: is named, for the message.
        name: without a suffix, or with one.

    Returns:
        The name.

    Raises:
        InvalidValueError: it is empty, too long, reserved, ends in a dot or blank, or holds a
            separator, a character that some disk refuses or one that nobody sees.
    """
    shown = one_line(repr(check_visible(what, name)), 80)
    if not name or _FORBIDDEN.search(name) or name[-1] in ". ":
        raise InvalidValueError(
            f"{shown} cannot name a {what}: it becomes a file name, so leave out "
            r'\ / : * ? " < > |, and a dot or blank at its end.'
        )
    if name.split(".")[0].strip().casefold() in _RESERVED:
        raise InvalidValueError(f"{shown} cannot name a {what}: Windows reserves it. Rename it.")
    if len(unicodedata.normalize("NFC", name).encode()) > LONGEST_NAME:
        raise InvalidValueError(
            f"{shown} cannot name a {what}: it has {len(name.encode())} bytes, and {LONGEST_NAME} "
            "are allowed. Shorten it."
        )
    return name


def check_prefix(prefix: str) -> str:
    """Refuse what files' names cannot begin with: `train_` can, `../` cannot.

    Raises:
        InvalidValueError: see `check_name`.
    """
    check_name("file prefix", f"{prefix}x")
    return prefix


def inside(folder: Path, name: str) -> Path:
    """The file of a name in a folder, or below it.

    Args:
        folder: that was given to the command.
        name: as a description in the folder says it; `/` between folders.

    Raises:
        InvalidValueError: it is absolute, goes up, or is a link that leads out of the folder.
    """
    parts = name.split("/")
    for part in parts:
        check_name("file", part)
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InvalidValueError(
            f"{path} is a link that leads out of {folder}: put the file itself there."
        )
    return path
