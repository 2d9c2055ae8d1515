"""Test sets by name: found in the user's cache, or brought there."""

from __future__ import annotations

import os
from pathlib import Path

from deepdiva.data.diva50 import Diva50
from deepdiva.data.embedded50 import Embedded50
from deepdiva.data.known_set import KnownSet
from deepdiva.data.sound_set import FILE_NAME, SoundSet
from deepdiva.errors import UnknownNameError

KNOWN: dict[str, KnownSet] = {known.name: known for known in (Diva50(), Embedded50())}


def cache_folder() -> Path:
    """Where fetched and rendered test sets are kept; the variable `DEEPDIVA_CACHE` moves it."""
    moved = os.environ.get("DEEPDIVA_CACHE")
    if moved:
        return Path(moved) / "testsets"
    import pooch

    return Path(pooch.os_cache("deepdiva")) / "testsets"


def known_set(name: str) -> KnownSet:
    """A test set by name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in KNOWN:
        raise UnknownNameError(
            f"There is no test set {name!r}: the known ones are {', '.join(KNOWN)}; another is "
            "given by its folder."
        )
    return KNOWN[name]


def cached(name: str) -> SoundSet | None:
    """The copy of a known test set in the cache; None if there is none, or an outdated one."""
    folder = cache_folder() / name
    if not (folder / FILE_NAME).is_file():
        return None
    there = SoundSet.open(folder)
    return there if known_set(name).is_current(there) else None


def load(name: str | Path) -> SoundSet:
    """A test set, fetched or rendered if need be.

    Args:
        name: of a known set, or the folder of any; a folder that happens to be called like a known
            set and is none, such as that of a run, stands in nobody's way. Of a known set the
            cached copy is taken, even if sounds are missing from it (`SoundSet.missing`).

    Raises:
        UnknownNameError: neither a known name nor a folder.
        MissingFileError: a folder that is no test set.
        StorageError: it cannot be fetched.
    """
    folder = Path(name)
    if (folder / FILE_NAME).is_file() or (folder.is_dir() and str(name) not in KNOWN):
        return SoundSet.open(folder)
    known = known_set(str(name))
    return cached(known.name) or known.fetch(cache_folder() / known.name)
