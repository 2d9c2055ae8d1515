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
from deepdiva.data.testsets.named_testset import NamedTestSet
from deepdiva.data.testsets.testset import FILE_NAME, ListedSound, TestSet
from deepdiva.errors import InvalidValueError, MissingFileError, StorageError
from deepdiva.files import atomic_write, file_sha256
from deepdiva.note import Note

NAME = "diva50"
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
        if source is None:
            self._download(folder)
        else:
            _copy(source, folder)
        sounds = [
            ListedSound(Path(file).stem, file, sha256)
            for file, sha256 in checksums().items()
            if (folder / file).is_file()
        ]
        for sound in sounds:
            _check(folder / sound.file)
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

    def _download(self, folder: Path) -> None:
        """Fetch what is not there yet; pooch compares the checksums."""
        import pooch
        import requests

        hashes = {file: f"sha256:{sha256}" for file, sha256 in checksums().items()}
        fetcher = pooch.create(path=folder, base_url=self.url, registry=hashes, retry_if_failed=2)
        pooch.get_logger().setLevel("WARNING")
        for file in hashes:
            try:
                fetcher.fetch(file)
            except ValueError as error:
                raise InvalidValueError(
                    f"{self.url}{file} is not the recording of 2021: its SHA-256 is another. "
                    "Try again, or name a folder that holds the recordings: --from DIR."
                ) from error
            except (requests.RequestException, OSError) as error:
                raise StorageError(
                    f"{self.url}{file} cannot be fetched into {folder} "
                    f"({type(error).__name__}): try again with a network, or name a folder that "
                    "holds the recordings: --from DIR."
                ) from error


def _copy(source: Path, folder: Path) -> None:
    """Copy the recordings that a folder holds; all are checked before the first is written."""
    if not source.is_dir():
        raise MissingFileError(f"{source} is no folder: name one that holds the recordings.")
    held = [source / file for file in checksums() if (source / file).is_file()]
    if not held:
        first, last = next(iter(checksums())), list(checksums())[-1]
        raise MissingFileError(
            f"{source} holds none of the recordings: they are named {first} to {last}."
        )
    for path in held:
        _check(path)
    folder.mkdir(parents=True, exist_ok=True)
    for path in held:
        if path.resolve() != (folder / path.name).resolve():
            atomic_write(folder / path.name, path.read_bytes(), force=True)


def _check(path: Path) -> None:
    found = file_sha256(path)
    if found != checksums()[path.name]:
        raise InvalidValueError(
            f"{path} is not the recording of 2021: its SHA-256 is {found[:12]}... and should be "
            f"{checksums()[path.name][:12]}... Remove it, and get the set again."
        )
