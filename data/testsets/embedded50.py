"""The test set `embedded50`: 50 patches that are known, played by the embedded engine.

The patches are listed in `testsets/embedded50.csv`, drawn once uniformly over the 11 parameters of
the 2021 project by `scripts/list_embedded50.py`, and never change; what the engine makes of them
changes with its version. Base patch and note are those of `diva50`, so that the two sets differ in
nothing but who plays.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from deepdiva.data.testsets.make_testset import PlannedSound, drawn_sounds, make_test_set
from deepdiva.data.testsets.named_testset import NamedTestSet
from deepdiva.data.testsets.testset import TestSet
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import VOICE_STACK, default_space

NAME = "embedded50"
COUNT = 50
SEED = 50


def space() -> ParameterSpace:
    """The 11 parameters of the 2021 project, around MS-REV1 with a stack of two voices."""
    around = default_space()
    base = around.base.copy()
    base[around.table.index(VOICE_STACK)] = 2.0
    return default_space(base)


def draw() -> list[PlannedSound]:
    """The patches, drawn again; `listed` reads them."""
    return drawn_sounds(space(), COUNT, SEED, f"{NAME}_")


def to_csv(sounds: Sequence[PlannedSound]) -> str:
    """The list of the patches: name, seed, and the free parameters in units."""
    around = space()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "seed", *around.free])
    for sound in sounds:
        values = [f"{sound.patch[column]:.2f}" for column in around.columns]
        writer.writerow([sound.name, sound.seed, *values])
    return text.getvalue()


def listed() -> list[PlannedSound]:
    """The patches, as the repository lists them."""
    around = space()
    sounds = []
    with files("deepdiva.data").joinpath(f"testsets/{NAME}.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            patch = around.base.copy()
            patch[around.columns] = [float(row[name]) for name in around.free]
            around.table.check(patch, grid=True)
            sounds.append(PlannedSound(row["name"], patch, int(row["seed"])))
    return sounds


class Embedded50(NamedTestSet):
    """See the module."""

    name = NAME
    about = "50 known patches of 11 parameters, played by the embedded engine on demand"
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

        return make_test_set(
            folder,
            NAME,
            f"{COUNT} patches drawn uniformly with seed {SEED}, listed in the deepdiva repository",
            listed(),
            space(),
            Note(),
            [PanelRenderer()],
            force=True,
        )
