"""A recording that is looked for in a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.hearing import hear_target, understand
from deepdiva.library.nearest import ALL_KEYS, VELOCITIES
from deepdiva.library.rendered import NOTE
from deepdiva.note import Note


@dataclass(frozen=True, eq=False)
class SoundToFind:
    """What is looked for.

    Attributes:
        path: the file.
        audio: shape (note.samples,), mono.
        note: what was heard; its key is a guess unless `keys` holds one alone.
        keys: at which presets may be played.
        velocities: at which presets may be played.
        remarks: what a person would say of the recording, one sentence each.
    """

    path: Path
    audio: NDArray[np.float32]
    note: Note
    keys: Sequence[int]
    velocities: Sequence[int]
    remarks: tuple[str, ...]


def sound_to_find(
    path: Path | str,
    *,
    start_seconds: float = 0.0,
    length_seconds: float | None = None,
    channel: int | None = None,
    pitch: int | None = None,
) -> SoundToFind:
    """Understand a recording.

    The key that is heard is that of the sound, not of the preset, whose oscillators may be
    transposed: all keys are tried, unless the user or the file says which was played.

    Args:
        path: a sound file.
        start_seconds: where in the file to begin.
        length_seconds: how much to take; None: to the end.
        channel: which channel, from 1 on; None: find out.
        pitch: MIDI note number that the user gives; None: find out.

    Raises:
        MissingFileError: no such file.
        AudioError: it cannot be read, or is silent.
        InvalidValueError: a part or channel that is not there.
    """
    heard = understand(
        path,
        start_seconds=start_seconds,
        length_seconds=length_seconds,
        channel=channel,
        pitch=pitch,
    )
    note = heard.note(replace(NOTE, pitch=48))
    target = hear_target(
        heard,
        note,
        start_seconds=start_seconds,
        length_seconds=length_seconds,
        channel=channel,
        begin_seconds=heard.begin_seconds,
    )
    known = heard.key is not None and (pitch is not None or heard.key_source != "the sound")
    keys = (note.pitch,) if known else ALL_KEYS
    velocities = VELOCITIES if heard.velocity is None else (heard.velocity,)
    remarks = tuple(dict.fromkeys((*heard.remarks, *target.report)))
    return SoundToFind(Path(path), target.audio, note, keys, velocities, remarks)
