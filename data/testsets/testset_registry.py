"""Test sets by name: found in the user's cache, or brought there."""

from __future__ import annotations

import os
from pathlib import Path

from deepdiva.data.testsets.diva50 import Diva50
from deepdiva.data.testsets.embedded50 import Embedded50
from deepdiva.data.testsets.flow64 import Flow64
from deepdiva.data.testsets.named_testset import NamedTestSet
from deepdiva.data.testsets.panel200 import Panel200
from deepdiva.data.testsets.testset import FILE_NAME, TestSet
from deepdiva.errors import UnknownNameError

NAMED: dict[str, NamedTestSet] = {
    known.name: known for known in (Diva50(), Embedded50(), Flow64(), Panel200())
}


def cache_folder() -> Path:
    """Where fetched and rendered test sets are kept; the variable `DEEPDIVA_CACHE` moves it."""
    moved = os.environ.get("DEEPDIVA_CACHE")
    if moved:
        return Path(moved) / "testsets"
    import pooch

    return Path(pooch.os_cache("deepdiva")) / "testsets"


def named_test_set(name: str) -> NamedTestSet:
    """A test set by name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in NAMED:
        raise UnknownNameError(
            f"There is no test set {name!r}: the known ones are {', '.join(NAMED)}; another is "
            "given by its folder."
        )
    return NAMED[name]


def cached(name: str) -> TestSet | None:
    """The copy of a known test set in the cache; None if there is none, or an outdated one."""
    folder = cache_folder() / name
    if not (folder / FILE_NAME).is_file():
        return None
    there = TestSet.open(folder)
    return there if named_test_set(name).is_current(there) else None


def load(name: str | Path) -> TestSet:
    """A test set, fetched or rendered if need be.

    Args:
        name: of a known set, or the folder of any; a folder that happens to be called like a known
            set and is none, such as that of a run, stands in nobody's way. Of a known set the
            cached copy is taken, even if sounds are missing from it (`TestSet.missing`).

    Raises:
        UnknownNameError: neither a known name nor a folder.
        MissingFileError: a folder that is no test set.
        StorageError: it cannot be fetched.
    """
    folder = Path(name)
    if (folder / FILE_NAME).is_file() or (folder.is_dir() and str(name) not in NAMED):
        return TestSet.open(folder)
    known = named_test_set(str(name))
    return cached(known.name) or known.fetch(cache_folder() / known.name)
