"""Keys on the command line: MIDI numbers, or names as musicians write them."""

from __future__ import annotations

import re

import click

_NAME = re.compile(r"[A-Ga-g](##?|bb?|♯|♭|)-?\d{1,2}")


def key(text: str | int) -> int:
    """The number of a key; a type for `click.option`.

    Args:
        text: a MIDI note number, or a name in scientific pitch notation such as C3, F#2 or Bb-1.
            C4 is the middle C, number 60; software that calls it C3 writes every name an octave
            lower. Numbers beyond MIDI's 0 to 127 pass: `Note` refuses them.

    Raises:
        click.BadParameter: neither a whole number nor a name with its octave.
    """
    try:
        return int(text)
    except ValueError:
        name = str(text).strip()
    if _NAME.fullmatch(name) is None:
        raise click.BadParameter(
            f"{text!r} is no key: give a MIDI number from 0 to 127, or a name with its octave "
            "such as C3, F#2 or Bb1 (C4 is the middle C, 60)."
        )
    import librosa

    return int(librosa.note_to_midi(name))
