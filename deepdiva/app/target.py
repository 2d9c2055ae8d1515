"""Which part of which recording is matched, and the note for it, as the pipeline hears them.

`matching` calls the pipeline with the same choice, so that what the page shows and plays is what
the search compares with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.pipeline.options import RecordingChoice

if TYPE_CHECKING:
    from deepdiva.pipeline.note_choice import Listened

LONGEST_MATCHED_SECONDS = 8.0
"""Of a longer note so much is matched unless the user says otherwise: a search takes as long as
what it renders."""


@dataclass(frozen=True)
class TargetChoice:
    """A part of a recording, and what the user says of its note.

    Attributes:
        path: of the file.
        note: what the user says; the rest is heard.
        start_seconds: where the part begins; None: where the sound does.
        length_seconds: of the part; None: to the end.
        transposed: semitones by which the patch that a search starts from transposes the key.
    """

    path: Path
    note: NoteChoice = NoteChoice()  # noqa: RUF009
    start_seconds: float | None = None
    length_seconds: float | None = None
    transposed: float = 0.0

    @property
    def recording(self) -> RecordingChoice:
        """The part, for the pipeline."""
        return RecordingChoice(self.start_seconds, self.length_seconds)

    def listened(self) -> Listened:
        """The target and the note for it.

        Raises:
            DeepDivaError: as `deepdiva.pipeline.note_choice.listen`.
        """
        from deepdiva.pipeline.note_choice import listen

        return listen(self.path, self.note, self.recording, transposed=self.transposed)

    def bounded(self, heard: Mapping[str, Any]) -> TargetChoice:
        """The same, or with its length fixed where the note that was heard is too long.

        Args:
            heard: the note, as `Note.to_dict`.
        """
        if self.note.fixes_length or heard["render_seconds"] <= LONGEST_MATCHED_SECONDS:
            return self
        return replace(self, note=replace(self.note, render_seconds=LONGEST_MATCHED_SECONDS))
