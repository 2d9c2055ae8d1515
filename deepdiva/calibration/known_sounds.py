"""Sounds with known parameters, and how far the engine's renders of them are away."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from deepdiva.distance.band_levels import (
    RATE,
    WINDOW,
    band_levels,
    from_onset,
    level_differences,
)
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.trimmers import Trimmers

Array = NDArray[np.float64]

TABLE: Final = "parameters.csv"
USUAL_NOTE: Final = Note(pitch=60, velocity=127, length_seconds=3.0, render_seconds=4.0)
"""The note of the published sounds of Diva with known parameters."""

STILL: Final[Mapping[str, float]] = {
    "cutoff_slop_semitones": 0.0,
    "time_slop": 0.0,
    "drift_1_cents": 0.0,
    "drift_2_cents": 0.0,
}
"""Drift and slop are switched off: what they were in a recording is not known."""


@dataclass(frozen=True)
class KnownSounds:
    """Recordings and the patches that they were made with.

    Attributes:
        names: of the files.
        patches: (sounds, 281) in the units of `DIVA`.
        sounds: each (samples,) at `RATE`, from its onset.
        note: that was played, with oscillators that are reset and detune pots at 0.
    """

    names: tuple[str, ...]
    patches: Array
    sounds: tuple[Array, ...]
    note: Note = USUAL_NOTE

    @classmethod
    def read(cls, folder: Path, note: Note = USUAL_NOTE) -> KnownSounds:
        """Read a folder.

        Args:
            folder: holds recordings and `parameters.csv`, whose column `wav` names them and whose
                other columns hold values of Diva's parameters in units; an empty cell stands for
                the default.
            note: that was played.

        Raises:
            MissingFileError: no table, or a recording that it names is not there.
            InvalidValueError: a table without sounds, or a cell that holds no number.
        """
        table = folder / TABLE
        if not table.is_file():
            raise MissingFileError(
                f"{table} does not exist: the folder must hold recordings, and a table whose "
                "column `wav` names them and whose others give Diva's parameters."
            )
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or "wav" not in rows[0]:
            raise InvalidValueError(f"{table} names no recordings: it needs a column `wav`.")
        patches = np.array([_patch(table, row) for row in rows])
        sounds = tuple(_sound(folder / row["wav"]) for row in rows)
        return cls(tuple(row["wav"] for row in rows), patches, sounds, note)

    def some(self, rows: Sequence[int]) -> KnownSounds:
        """Some of the sounds."""
        return KnownSounds(
            tuple(self.names[k] for k in rows),
            self.patches[list(rows)],
            tuple(self.sounds[k] for k in rows),
            self.note,
        )


def _patch(table: Path, row: Mapping[str, str]) -> Array:
    patch = DIVA.defaults()
    for parameter in DIVA:
        text = row.get(parameter.name) or ""
        if text:
            try:
                patch[parameter.index] = float(text)
            except ValueError:
                raise InvalidValueError(
                    f"{table}, {row['wav']}: {parameter.name} is {text!r}: it must be a number."
                ) from None
    return patch


def _sound(path: Path) -> Array:
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist, and the table names it.")
    audio, rate = soundfile.read(path, always_2d=True)
    mono = audio.mean(axis=1)
    return from_onset(mono if rate == RATE else soxr.resample(mono, rate, RATE))


class Judge:
    """Renders known patches and says how far each is from its recording.

    Args:
        known: the sounds.
        threads: of a render.
    """

    def __init__(self, known: KnownSounds, threads: int = 1) -> None:
        self.known = known
        self._threads = threads
        self._wanted = [band_levels(sound) for sound in known.sounds]

    def differences(self, constants: Mapping[str, float]) -> list[Array]:
        """Level differences in dB, (40, frames) for each sound, one gain taken out.

        Args:
            constants: that differ from the engine's.

        Raises:
            UnknownNameError: no such constant.
        """
        engine = PanelRenderer(
            np.zeros((8, 3)),
            {**STILL, **constants},
            self._threads,
            trimmers=Trimmers(oscillator_reset=True),
        )
        found = []
        renders = engine.render(self.known.patches, self.known.note)
        for wanted, render in zip(self._wanted, renders, strict=True):
            sound = render.astype(np.float64)
            played = from_onset(soxr.resample(sound, self.known.note.sample_rate, RATE))
            got = band_levels(played) if len(played) >= WINDOW else np.zeros((40, 1))
            frames = min(wanted.shape[1], got.shape[1])
            found.append(level_differences(wanted[:, :frames], got[:, :frames]).bands)
        return found


def mean_distance(differences: Sequence[Array]) -> float:
    """Mean over sounds of the mean absolute difference, dB."""
    return float(np.mean([np.abs(one).mean() for one in differences]))
