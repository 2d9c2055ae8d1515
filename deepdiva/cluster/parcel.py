"""What travels to workers and back: pickled objects, and files by what they hold.

A pickle runs code where it is read: workers and scheduler are trusted as much as this machine is.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import pickle
import shutil
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from deepdiva.errors import InvalidValueError, StorageError
from deepdiva.files import atomic_write

MOST_BYTES = 256 * 2**20
"""Of one task or one result. A scheduler holds some of each worker's at a time."""

INSTALLED_SUFFIXES = frozenset({".so", ".dll", ".dylib", ".vst", ".vst3", ".component"})
"""Of plug-ins, which are installed on every machine, at the same path."""

Files = Mapping[str, bytes]
"""Contents of files by their path below some folder, with forward slashes."""


def packed(
    thing: object, *, carries_files: bool = False, most_bytes: int | None = MOST_BYTES
) -> bytes:
    """An object on its way to another process.

    Args:
        thing: anything that can be pickled, functions and classes of scripts as well.
        carries_files: every `Path` in it that names an existing file or folder is replaced by what
            that holds, which the worker finds in a temporary folder of its own. Plug-ins are not,
            nor is `Path()`.
        most_bytes: that may travel; None where it stays on this machine.

    Raises:
        StorageError: it has more than that.
    """
    import cloudpickle

    class Carrying(cloudpickle.Pickler):  # type: ignore[misc]
        def persistent_id(self, one: object) -> tuple[str, bytes | dict[str, bytes]] | None:
            if not carries_files or not isinstance(one, Path) or not one.name:
                return None
            if one.suffix.lower() in INSTALLED_SUFFIXES:
                return None
            if one.is_file():
                return one.name, one.read_bytes()
            return (one.name, read_files(one)) if one.is_dir() else None

    buffer = io.BytesIO()
    Carrying(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(thing)
    return checked(buffer.getvalue(), "A task", most_bytes)


def unpacked(data: bytes | memoryview) -> Any:
    """What `packed` has packed."""

    class Carried(pickle.Unpickler):
        def persistent_load(self, carried: tuple[str, bytes | dict[str, bytes]]) -> Path:
            name, content = carried
            files = content if isinstance(content, dict) else {name: content}
            digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
            place = _unpacking_folder() / digest / (name if isinstance(content, dict) else "")
            if not place.exists():
                place.mkdir(parents=True)
                write_files(place, files)
            return place if isinstance(content, dict) else place / name

    return Carried(io.BytesIO(data)).load()


def checked(data: bytes, what: str, most_bytes: int | None = MOST_BYTES) -> bytes:
    """Refuse what a scheduler does not take.

    Args:
        data: that is to travel.
        what: it is, such as "A task".
        most_bytes: that may travel; None for any number.

    Raises:
        StorageError: it has more than that.
    """
    if most_bytes is not None and len(data) > most_bytes:
        raise StorageError(
            f"{what} has {len(data) / 1e6:,.0f} MB, and at most {most_bytes / 1e6:,.0f} MB travel "
            "over the scheduler: use folders that all machines share (--shared), or less at a time."
        )
    return data


def read_files(folder: Path) -> dict[str, bytes]:
    """The files below a folder; hidden ones are left out.

    Raises:
        StorageError: together they have more than `MOST_BYTES`.
    """
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    total = sum(path.stat().st_size for path in paths)
    if total > MOST_BYTES:
        raise StorageError(
            f"{folder} holds {total / 1e6:,.0f} MB, and at most {MOST_BYTES / 1e6:,.0f} MB travel "
            "over the scheduler: use folders that all machines share (--shared)."
        )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def write_files(folder: Path, files: Files, *, force: bool = True) -> None:
    """Write files below a folder, folders as they are needed.

    Args:
        folder: that exists.
        files: as `read_files` gives them.
        force: overwrite files that exist.

    Raises:
        InvalidValueError: a name that leads out of the folder; nothing was written then.
        FileExistsAlreadyError: a file exists, without `force`.
    """
    for name in files:
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name:
            raise InvalidValueError(f"A worker's file {name!r} leads out of {folder}.")
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(place, content, force)


@lru_cache(maxsize=1)
def _unpacking_folder() -> Path:
    """Where this process keeps what came to it; gone when the process ends."""
    folder = tempfile.mkdtemp(prefix="deepdiva-carried-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
