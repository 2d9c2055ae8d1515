"""Options for what is played where it may be more than one key: chord, wheels, tempo, tuning."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from deepdiva.cli._common import NOTE_OPTIONS, gathered
from deepdiva.cli._key import key
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.performance import AT_REST, Performance


@dataclass(frozen=True)
class Played:
    """The note, and how it is played beside that.

    Attributes:
        note: of the first key.
        performance: the other keys, and all else.
    """

    note: Note
    performance: Performance


_PERFORMANCE = {field.name: getattr(AT_REST, field.name) for field in fields(Performance)}


def _played(pitch: tuple[int, ...], tuning: Path | None, **given: Any) -> Played:
    """The object that a command gets.

    Raises:
        InvalidValueError: a value outside its range, or a key twice.
        MissingFileError: there is no such table of tunings.
    """
    from deepdiva.tuning import Tuning

    first, *chord = pitch or (Note.pitch,)
    if first in chord:
        raise InvalidValueError(f"--note-pitch {first} is given twice: each key is held once.")
    note = Note(pitch=first, **{name: given.pop(name) for name in NOTE_OPTIONS if name in given})
    table = None if tuning is None else Tuning.read(tuning)
    return Played(note, Performance(chord=tuple(chord), tuning=table, **given))


def _wheel(option: str, field: str, what: str, low: float = 0.0) -> Any:
    return click.option(
        option,
        field,
        type=click.FloatRange(low, 1.0),
        default=_PERFORMANCE[field],
        show_default=True,
        help=what,
    )


played_options = gathered(
    "played",
    _played,
    {
        **NOTE_OPTIONS,
        "pitch": click.option(
            "--note-pitch",
            "--midi-note-pitch",
            "pitch",
            type=key,
            multiple=True,
            help="MIDI note, 0 to 127, or its name: 48 is C3, 60 the middle C, C4. Given again, "
            f"the keys sound together.  [default: {Note.pitch}]",
        ),
        "tempo": click.option(
            "--tempo",
            type=float,
            default=_PERFORMANCE["tempo"],
            show_default=True,
            help="Beats per minute.",
        ),
        "wheel": _wheel("--wheel", "wheel", "Modulation wheel, 0 to 1."),
        "pressure": _wheel("--pressure", "pressure", "Pressure on the keys, 0 to 1."),
        "bend": _wheel("--bend", "bend", "Pitch wheel, -1 to 1.", low=-1.0),
        "control_a": _wheel("--control-a", "control_a", "First controller (breath), 0 to 1."),
        "control_b": _wheel("--control-b", "control_b", "Second controller (expression), 0 to 1."),
        "glide_from": click.option(
            "--glide-from",
            type=key,
            metavar="KEY",
            help="Key that is held when the note is struck; pitch glides from it as the preset "
            "says.",
        ),
        "tuning": click.option(
            "--tuning",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Table of tunings, .scl or .tun, for presets with or without one of their own.",
        ),
    },
)
"""Options for what is played; the command gets `played: Played`."""
