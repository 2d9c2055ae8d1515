"""The test set `panel200`: 200 known patches over the whole panel, like those of human presets.

They were drawn from the prior of human presets by `scripts/list_panel200.py`; patches that hardly
sound were passed over. `testsets/panel200.csv` lists their values and never changes; what the
engine makes of them changes with its version. A quarter each is played on one of four keys, each
with a velocity of its own; nothing is free that no patch of the set moves,
or that acts in no patch, such as the colour of a light.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from deepdiva.data.testsets.make_testset import PlannedSound, make_test_set
from deepdiva.data.testsets.named_testset import NamedTestSet
from deepdiva.data.testsets.testset import TestSet
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA

NAME = "panel200"
COUNT = 200
SEED = 200
PLAYED = ((36, 127), (48, 100), (60, 60), (72, 100))
"""Keys and their velocities, in turn."""

NOTE = Note(pitch=48, velocity=100, length_seconds=2.0, render_seconds=2.5)

_LEADING = ("name", "pitch", "velocity", "seed")


def note_of(number: int) -> Note:
    """The note of a sound by its number in the list."""
    pitch, velocity = PLAYED[number % len(PLAYED)]
    return Note(pitch, velocity, NOTE.length_seconds, NOTE.render_seconds, NOTE.sample_rate)


def to_csv(sounds: Sequence[PlannedSound]) -> str:
    """The list: name, note, seed, and the parameters that any patch moves, in units."""
    patches = np.array([sound.patch for sound in sounds])
    defaults = DIVA.defaults()
    columns = np.flatnonzero((patches != defaults).any(axis=0))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_LEADING, *(DIVA[int(column)].name for column in columns)])
    for number, sound in enumerate(sounds):
        note = sound.note or note_of(number)
        values = [f"{value:.2f}".rstrip("0").rstrip(".") for value in sound.patch[columns]]
        writer.writerow([sound.name, note.pitch, note.velocity, sound.seed, *values])
    return text.getvalue()


def listed() -> tuple[ParameterSpace, list[PlannedSound]]:
    """What is free, and the patches, as the repository lists them."""
    from deepdiva.synths.diva.acting import known

    sounds = []
    with files("deepdiva.data").joinpath(f"testsets/{NAME}.csv").open(encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names = [name for name in reader.fieldnames or () if name not in _LEADING]
        columns = [DIVA.index(name) for name in names]
        for row in reader:
            patch = DIVA.defaults()
            patch[columns] = [float(row[name]) for name in names]
            DIVA.check(patch, grid=True)
            note = Note(
                int(row["pitch"]),
                int(row["velocity"]),
                NOTE.length_seconds,
                NOTE.render_seconds,
                NOTE.sample_rate,
            )
            sounds.append(PlannedSound(row["name"], patch, int(row["seed"]), note=note))
    acting = known()
    free = tuple(name for name in names if name in acting)
    return ParameterSpace(DIVA, DIVA.defaults(), free), sounds


class Panel200(NamedTestSet):
    """See the module."""

    name = NAME
    about = "200 known patches over the whole panel, on four keys, played by the embedded engine"
    count = COUNT

    def is_current(self, there: TestSet) -> bool:
        from deepdiva.synths.diva.panel_renderer import PanelRenderer

        return dict(there.renderer) == PanelRenderer().info.to_dict()

    def fetch(self, folder: Path, source: Path | None = None) -> TestSet:
        if source is not None:
            raise InvalidValueError(
                f"{NAME} is rendered and not copied: leave out the folder {source}."
            )
        from deepdiva.synths.diva.panel_renderer import PanelRenderer

        around, sounds = listed()
        return make_test_set(
            folder,
            NAME,
            f"{COUNT} patches drawn from the prior of human presets with seed {SEED}, listed "
            "in the deepdiva repository",
            sounds,
            around,
            NOTE,
            [PanelRenderer()],
            force=True,
        )
