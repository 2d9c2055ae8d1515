"""The test set `diva50`: the 2021 project's 50 recordings of the real Diva.

They were made with unknown values of 11 parameters around MS-REV1. Their files are 2.0085 s long,
of which the note is 2 s. All of them sound with a stack of two voices, though the preset says one,
and in the first 60 ms or so pitch, cutoff and level still glide in from other values. So the set
declares a stack of two voices; whoever fits its sounds may look at them from 0.1 s on.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from deepdiva.data.testsets import embedded50
from deepdiva.data.testsets.fetching import bring, check_file
from deepdiva.data.testsets.named_testset import NamedTestSet
from deepdiva.data.testsets.testset import FILE_NAME, ListedSound, TestSet
from deepdiva.note import Note

NAME = "diva50"
WHAT = "the recording of 2021"
COMMIT = "9d07886"
URL = f"https://github.com/maudgrol/deepdiva/raw/{COMMIT}/data/dataset_11params/audio/"
ORIGIN = (
    f"recordings of u-he Diva from github.com/maudgrol/deepdiva at {COMMIT}, "
    "data/dataset_11params/audio; MIT licence, Copyright (c) 2021"
)


@lru_cache(maxsize=1)
def checksums() -> dict[str, str]:
    """SHA-256 of each of the 50 files, by file name."""
    table = files("deepdiva.data").joinpath(f"testsets/{NAME}.csv")
    with table.open(encoding="utf-8") as file:
        return {row["file"]: row["sha256"] for row in csv.DictReader(file)}


class Diva50(NamedTestSet):
    """See the module.

    Args:
        url: of the folder that the files are fetched from.
    """

    name = NAME
    about = "50 recordings of the real Diva, 11 parameters of unknown values (fetched, 18 MB)"
    count = 50

    def __init__(self, url: str = URL) -> None:
        self.url = url

    def is_current(self, there: TestSet) -> bool:
        return {sound.file: sound.sha256 for sound in there.sounds}.items() <= checksums().items()

    def fetch(self, folder: Path, source: Path | None = None) -> TestSet:
        bring(folder, source, self.url, checksums(), WHAT)
        sounds = [
            ListedSound(Path(file).stem, file, sha256)
            for file, sha256 in checksums().items()
            if (folder / file).is_file()
        ]
        for sound in sounds:
            check_file(folder / sound.file, checksums(), WHAT)
        there = {sound.file for sound in sounds}
        made = TestSet(
            name=NAME,
            folder=folder,
            origin=ORIGIN,
            note=Note(),
            space=embedded50.space(),
            renderer={},
            sounds=tuple(sounds),
            missing=tuple(Path(file).stem for file in checksums() if file not in there),
        )
        made.write(force=(folder / FILE_NAME).exists())
        return made
