"""One finding of an examination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["fine", "note", "problem"]

_LISTED: Final = 8


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        topic: what it belongs to, such as `DawDreamer`.
        subject: what was looked at.
        status: `note` is something missing that is not needed for everything.
        finding: what was found.
        remedy: what to do about it; empty where nothing is to be done.
    """

    topic: str
    subject: str
    status: Status
    finding: str
    remedy: str = ""


def some(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
