"""Which note is played for a recording: what the user fixes, and what is heard otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note

if TYPE_CHECKING:
    from deepdiva.audio import Target
    from deepdiva.hearing import Heard
    from deepdiva.pipeline.options import RecordingChoice

LIKELY = 0.2
"""Weight from which another key than the likeliest is worth a try."""

IN_TUNE_CENTS = 5.0
"""What is nearer to the keyboard counts as in tune: about what an ear can tell."""


@dataclass(frozen=True)
class NoteChoice:
    """What the user said about the note; None leaves it to what is heard.

    Attributes:
        pitch: MIDI note number.
        velocity: MIDI velocity; where the file does not say it either, that of `Note`.
        length_seconds: time from key down to key up.
        render_seconds: length of the recording.
        sample_rate: samples per second.

    Raises:
        InvalidValueError: a value outside the range of `Note`.
    """

    pitch: int | None = None
    velocity: int | None = None
    length_seconds: float | None = None
    render_seconds: float | None = None
    sample_rate: int = Note.sample_rate

    def __post_init__(self) -> None:
        Note(**self.fixed)

    @classmethod
    def of(cls, note: Note | NoteChoice | None) -> NoteChoice:
        """The choice that fixes all of a note, or nothing."""
        if isinstance(note, Note):
            return cls(
                note.pitch,
                note.velocity,
                note.length_seconds,
                note.render_seconds,
                note.sample_rate,
            )
        return note or cls()

    @property
    def fixed(self) -> dict[str, Any]:
        """What the user said, by the fields of `Note`."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def fixes_length(self) -> bool:
        """Whether the time that is matched is the user's."""
        return self.length_seconds is not None or self.render_seconds is not None

    def note(self, heard: Note) -> Note:
        """The note to be played, of one that was heard."""
        return replace(heard, **self.fixed)


@dataclass(frozen=True)
class Chosen:
    """The note for one recording, and what its target is made of.

    Attributes:
        note: to be played.
        begin_seconds: where the target begins, from the beginning of the part.
        steady: seconds from there on between which nothing changes, and which are left out.
        cents: how far the sound is above the keyboard; 0 where that cannot be heard.
        other_keys: keys that it may be of as well.
        is_released: whether the key's release is heard.
    """

    note: Note
    begin_seconds: float = 0.0
    steady: tuple[float, float] | None = None
    cents: float = 0.0
    other_keys: tuple[int, ...] = ()
    is_released: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What stands in the record of a search beside the note, ready for JSON."""
        return {
            "begin_seconds": self.begin_seconds,
            "steady": None if self.steady is None else list(self.steady),
            "cents": self.cents,
            "other_keys": list(self.other_keys),
            "is_released": self.is_released,
        }

    @classmethod
    def from_dict(cls, note: Any, heard: Any, source: Path) -> Chosen:
        """Read back what a search has recorded.

        Args:
            note: of `Note.to_dict`.
            heard: of `to_dict`.
            source: file that holds both, for errors.

        Raises:
            InvalidValueError: fields that are missing, unknown or of another kind.
        """
        wanted = {entry.name for entry in fields(cls)} - {"note"}
        if not isinstance(note, Mapping) or set(note) != {entry.name for entry in fields(Note)}:
            raise _damaged(source, "note", note)
        if not isinstance(heard, Mapping) or set(heard) != wanted:
            raise _damaged(source, "heard", heard)
        begin, steady, cents = heard["begin_seconds"], heard["steady"], heard["cents"]
        keys = heard["other_keys"]
        if not (_is_number(begin) and begin >= 0.0):
            raise _damaged(source, "begin_seconds", begin)
        if not (_is_number(cents) and abs(cents) <= 100.0):
            raise _damaged(source, "cents", cents)
        if steady is not None and not (
            isinstance(steady, list) and len(steady) == 2 and all(map(_is_number, steady))
        ):
            raise _damaged(source, "steady", steady)
        if not isinstance(keys, list) or not all(type(k) is int and 0 <= k <= 127 for k in keys):
            raise _damaged(source, "other_keys", keys)
        if not isinstance(heard["is_released"], bool):
            raise _damaged(source, "is_released", heard["is_released"])
        try:
            played = Note(**note)
        except (InvalidValueError, TypeError) as error:
            raise _damaged(source, "note", note) from error
        return cls(
            played,
            float(begin),
            None if steady is None else (float(steady[0]), float(steady[1])),
            float(cents),
            tuple(keys),
            heard["is_released"],
        )


@dataclass(frozen=True)
class Listened:
    """A recording that is ready to be matched.

    Attributes:
        target: the sound.
        chosen: the note for it.
        remarks: what a person would say of it, and what was done to it, one sentence each.
        kind: as `Heard.kind` says it.
        key_source: where the key was taken from; empty where it has none.
    """

    target: Target
    chosen: Chosen
    remarks: tuple[str, ...]
    kind: str
    key_source: str


def listen(
    path: Path,
    choice: NoteChoice,
    recording: RecordingChoice,
    *,
    transposed: float = 0.0,
    recorded: Chosen | None = None,
    usual: Note | None = None,
) -> Listened:
    """Understand a recording, choose the note for it, and cut its target.

    Args:
        path: a sound file.
        choice: what the user fixes.
        recording: which part of the file counts.
        transposed: semitones by which the base patch transposes the key.
        recorded: what an earlier search has chosen; only what the user fixes may differ.
        usual: what is taken where nothing is said and nothing heard; the defaults if None.

    Raises:
        DeepDivaError: as `deepdiva.hearing.understand`.
    """
    from deepdiva.hearing import hear_target, understand

    start = recording.part_start or 0.0
    heard = understand(
        path,
        start_seconds=start,
        length_seconds=recording.part_length,
        channel=recording.channel,
        pitch=choice.pitch,
        transposed=transposed,
    )
    if recorded is not None:
        chosen = replace(recorded, note=choice.note(recorded.note))
    else:
        begins = recording.part_start is not None
        chosen = _chosen(heard, choice, usual or Note(), begins=begins)
    target = hear_target(
        heard,
        chosen.note,
        start_seconds=start,
        length_seconds=recording.part_length,
        channel=recording.channel,
        begin_seconds=chosen.begin_seconds,
        steady=chosen.steady,
        # A length that was heard fits by itself.
        says_fit=choice.fixes_length,
    )
    said = dict.fromkeys((*heard.remarks, *target.report))
    return Listened(target, chosen, tuple(said), heard.kind, heard.key_source)


def _chosen(heard: Heard, choice: NoteChoice, usual: Note, *, begins: bool) -> Chosen:
    """What is chosen for a recording that is heard for the first time.

    Args:
        heard: what was understood of it.
        choice: what the user fixes.
        usual: what is taken where nothing is said and nothing heard.
        begins: whether the user says where it begins.
    """
    begin = 0.0 if begins else heard.begin_seconds
    played = heard.note(usual)
    if begins:
        lead = heard.begin_seconds
        played = replace(
            played,
            length_seconds=round(played.length_seconds + lead, 3),
            render_seconds=round(played.render_seconds + lead, 3),
        )
    steady = None
    if heard.steady is not None and not choice.fixes_length:
        steady = heard.steady[0] - begin, heard.steady[1] - begin
        left_out = steady[1] - steady[0]
        played = replace(
            played,
            length_seconds=round(played.length_seconds - left_out, 3),
            render_seconds=round(played.render_seconds - left_out, 3),
        )
    if choice.render_seconds is not None and heard.release_seconds is None:
        # A key whose release is not heard is held to the end, wherever that is.
        played = replace(played, length_seconds=choice.render_seconds)
    note = choice.note(played)
    others = [
        candidate.key
        for candidate in heard.candidates
        if candidate.weight > LIKELY and candidate.key != note.pitch
    ]
    by_sound = heard.key_source == "the sound"
    cents = heard.cents or 0.0
    return Chosen(
        note,
        round(begin, 6),
        None if steady is None else (round(steady[0], 6), round(steady[1], 6)),
        round(cents, 2) if abs(cents) >= IN_TUNE_CENTS else 0.0,
        tuple(dict.fromkeys(others)) if by_sound else (),
        heard.release_seconds is not None and note.length_seconds < note.render_seconds,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _damaged(source: Path, name: str, value: object) -> InvalidValueError:
    return InvalidValueError(
        f"{source} holds {value!r} as {name}, which no search writes: it is damaged, or of another "
        "version. Start anew with --force, or choose another folder."
    )
