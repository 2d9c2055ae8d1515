"""The test set `flow64`: recordings of the real Diva whose parameters are all known.

They are those of the Flow Synthesizer's page (Esling et al., "Flow Synthesizer: universal audio
synthesizer control with normalizing flows", DAFx 2019). The page names no numbers: 32 parameters
were read off its figures, the others are those of its default patch. `testsets/flow64.csv` lists
the recordings for which that was done, in units, and `testsets/flow64_base.csv` what differs from
the built-in preset in all of them; `place` is the path below the folder of the page's sounds. A
row more is a sound more. Oscillators begin anew with each
note and no pot detunes them, so start phases repeat; their values are not known.

The recordings begin late, most by a multiple of 120 samples: `start` says where.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.data.testsets.fetching import bring, check_file
from deepdiva.data.testsets.named_testset import NamedTestSet
from deepdiva.data.testsets.testset import FILE_NAME, ListedSound, TestSet
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.trimmers import with_reset_oscillators

NAME = "flow64"
WHAT = "the recording of the Flow Synthesizer's page"
COUNT = 40
COMMIT = "47abcca"
URL = f"https://github.com/acids-ircam/flow_synthesizer/raw/{COMMIT}/docs/audio/"
ORIGIN = (
    "recordings of u-he Diva from github.com/acids-ircam/flow_synthesizer at 47abcca, docs/audio; "
    "MIT licence"
)
NOTE = Note(pitch=60, velocity=127, length_seconds=3.0, render_seconds=3.9, sample_rate=22050)
"""The key is held for 3 s of 4 s; the last 0.1 s are left out, since the recordings begin late."""

_BASE = "base.h2p"
_LEADING = ("file", "place", "sha256", "start")


@lru_cache(maxsize=1)
def rows() -> tuple[dict[str, str], ...]:
    """The lines of the list."""
    return tuple(_lines(NAME))


@lru_cache(maxsize=1)
def checksums() -> dict[str, str]:
    """SHA-256 of each recording, by file name."""
    return {row["file"]: row["sha256"] for row in rows()}


def space() -> ParameterSpace:
    """The parameters that were read off, around the page's default patch."""
    base = DIVA.defaults()
    for row in _lines(f"{NAME}_base"):
        base[DIVA.index(row["parameter"])] = float(row["value"])
    free = tuple(name for name in rows()[0] if name not in _LEADING)
    return ParameterSpace(DIVA, base, free)


def patches(around: ParameterSpace) -> dict[str, NDArray[np.float64]]:
    """The patch of each recording, in units, by file name."""
    made = {}
    for row in rows():
        patch = around.base.copy()
        patch[around.columns] = [float(row[name]) for name in around.free]
        made[row["file"]] = patch
    return made


class Flow64(NamedTestSet):
    """See the module.

    Args:
        url: of the folder that the files are fetched from.
    """

    name = NAME
    about = "recordings of the real Diva with known parameters, 32 of them free (fetched, 7 MB)"
    count = COUNT

    def __init__(self, url: str = URL) -> None:
        self.url = url

    def is_current(self, there: TestSet) -> bool:
        held = {sound.file: sound.sha256 for sound in there.sounds}
        return held.items() <= checksums().items() and there.note == NOTE

    def fetch(self, folder: Path, source: Path | None = None) -> TestSet:
        places = {row["file"]: row["place"] for row in rows()}
        bring(folder, source, self.url, checksums(), WHAT, places)
        around = space()
        base = with_reset_oscillators(Preset.template()).with_values(around.base)
        base.write(folder / _BASE, force=True)
        known = patches(around)
        sounds = []
        for row in rows():
            path = folder / row["file"]
            if not path.is_file():
                continue
            check_file(path, checksums(), WHAT)
            preset = f"{path.stem}.h2p"
            base.with_values(known[path.name]).write(folder / preset, force=True)
            sounds.append(
                ListedSound(
                    path.stem,
                    path.name,
                    row["sha256"],
                    known[path.name],
                    preset=preset,
                    start=int(row["start"]),
                )
            )
        there = {sound.file for sound in sounds}
        made = TestSet(
            name=NAME,
            folder=folder,
            origin=ORIGIN,
            note=NOTE,
            space=around,
            renderer={},
            sounds=tuple(sounds),
            missing=tuple(Path(file).stem for file in checksums() if file not in there),
            base=_BASE,
        )
        made.write(force=(folder / FILE_NAME).exists())
        return made


def _lines(name: str) -> list[dict[str, str]]:
    table = files("deepdiva.data").joinpath(f"testsets/{name}.csv")
    with table.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
