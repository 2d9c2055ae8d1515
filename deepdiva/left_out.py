"""Sounds that a command leaves out, so that one stops no other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LeftOut:
    """A sound that was not matched.

    Attributes:
        sound: its file.
        reason: a sentence.
    """

    sound: Path
    reason: str
