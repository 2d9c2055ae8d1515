"""Which part of which recording is matched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepdiva.audio import Target
    from deepdiva.note import Note


@dataclass(frozen=True)
class TargetChoice:
    """A part of a recording.

    Attributes:
        path: of the file.
        start_seconds: where the part begins; None: where the sound does.
        length_seconds: of the part; None: what the note needs.
    """

    path: Path
    start_seconds: float | None = None
    length_seconds: float | None = None


def read_target(choice: TargetChoice, note: Note) -> Target:
    """The recording as it is matched; raises what `deepdiva.audio.load_target` does."""
    from deepdiva.audio import load_target

    return load_target(
        choice.path,
        note,
        start_seconds=choice.start_seconds,
        length_seconds=choice.length_seconds,
    )
