"""What is heard in a recording before it is matched, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepdiva.audio import Target
    from deepdiva.note import Note

OUT_OF_TUNE = 0.6
"""Semitones from the key and all its octaves beyond which a recording seems to be of another."""

_OCTAVE = 12


def heard_note(target: Target, note: Note, transposed: float = 0.0) -> Note:
    """The note with the key whose pitch a recording holds; the same note if it holds none.

    Args:
        target: the recording.
        note: what is played otherwise.
        transposed: semitones by which the base patch transposes the key.
    """
    from deepdiva.evaluation.pitch import key_of

    key = key_of(target.audio, note.sample_rate)
    return note if key is None else replace(note, pitch=_nearest(key - transposed))


def remarks(target: Target, note: Note, transposed: float = 0.0) -> list[str]:
    """What was done to a recording, and whether it seems to be of another key, as sentences.

    Of a note whose key was heard in the recording there is nothing to ask: its report is enough.

    Args:
        target: the recording.
        note: what is played.
        transposed: semitones by which the base patch transposes the key.
    """
    from deepdiva.evaluation.pitch import key_of

    sentences = list(target.report)
    key = key_of(target.audio, note.sample_rate)
    if key is None:
        return sentences
    hertz = 440.0 * 2.0 ** ((key - 69.0) / _OCTAVE)
    key -= transposed
    away = (key - note.pitch + _OCTAVE / 2) % _OCTAVE - _OCTAVE / 2
    if abs(away) > OUT_OF_TUNE:
        played = _nearest(key)
        moved = f", as the base preset transposes it by {transposed:g} semitones"
        sentences.append(
            f"Its pitch is that of key {played} ({hertz:.1f} Hz){moved if transposed else ''}, and "
            f"not of key {note.pitch} or an octave of it: if {played} was played, say "
            f"--note-pitch {played}."
        )
    return sentences


def _nearest(key: float) -> int:
    return min(127, max(0, round(key)))
