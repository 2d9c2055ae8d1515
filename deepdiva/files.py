"""Writing files: whole or not at all, and never over another by accident."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import re
import secrets
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deepdiva.errors import (
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    StorageError,
)
from deepdiva.lifetime import leave_if_orphaned

RUN_SUFFIX = ".run"
"""Of the folder beside a match that holds the record of its search."""

_PART = re.compile(r"\.[0-9a-f]{16}\.part$")

PAGE = 4096
"""Bytes of a memory page, and of what most file systems hold together."""


def check_target(path: Path | str, force: bool = False) -> Path:
    """Refuse a file that could not be written, before the work that leads to it begins.

    Args:
        path: file to be written.
        force: an existing file may be overwritten.

    Returns:
        The path with links followed, so that writing replaces what a link points at.

    Raises:
        MissingFileError: its folder does not exist.
        InvalidValueError: it is a folder itself, or a link to itself.
        FileExistsAlreadyError: it exists, without `force`.
    """
    try:
        target = Path(path).resolve()
    except RuntimeError as error:  # of Python before 3.13
        raise InvalidValueError(f"{path} is a link that leads to itself: remove it.") from error
    if Path(path).is_symlink() and not target.exists():
        raise InvalidValueError(
            f"{path} is a link to {target}, which does not exist: remove the link, or name a file."
        )
    if target.is_dir():
        raise InvalidValueError(f"{path} is a folder: name a file in it.")
    if not target.parent.is_dir():
        raise MissingFileError(f"{path} cannot be written: the folder {target.parent} is missing.")
    if target.exists() and not force:
        raise FileExistsAlreadyError(
            f"{path} exists already: choose another name, or overwrite it with --force."
        )
    return target


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_key(name: Path | str) -> str:
    """What file names are compared by: equal where some disk takes them for the same.

    That of a Mac, or of Windows, minds neither upper case nor how an accent is spelled.
    """
    return unicodedata.normalize("NFC", os.fspath(name)).casefold()


def disk_key(path: Path) -> str:
    """What paths are compared by on this machine's usual disk."""
    return name_key(path) if sys.platform in ("darwin", "win32") else os.fspath(path)


def files_below(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """The files of some kinds in a folder and in those inside it, sorted.

    Left out are hidden files and folders, and the records of searches: the preset in `bass.run` is
    the one that stands beside it as `bass.h2p`.

    Args:
        folder: may itself be hidden, or a record.
        suffixes: in lower case with the dot.
    """
    wanted = frozenset(suffixes)
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in wanted
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and not any(part.endswith(RUN_SUFFIX) for part in file.relative_to(folder).parts[:-1])
        and file.is_file()
    )


@contextlib.contextmanager
def alone_in(folder: Path, lock_name: str, way_out: str) -> Iterator[None]:
    """Keep other processes out of a folder, as long as this lasts.

    The system holds the lock, so a killed process leaves none behind. The file stays there, empty.

    Args:
        folder: that exists.
        lock_name: of the file in the folder that is locked.
        way_out: of somebody who is kept out; what is at work, a colon, and what can be done.

    Raises:
        StorageError: another process is at work in the folder.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / lock_name)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StorageError(f"{folder} is in use by another {way_out}") from error
    try:
        yield
    finally:
        lock.release()


def atomic_write(path: Path | str, data: bytes, force: bool = False) -> None:
    """Write a file so that at every moment it is absent, as before, or complete.

    The bytes go to a hidden file beside the target, onto the disk, and only then take its name. A
    file that is overwritten keeps its permissions.

    Args:
        path: file to be written.
        data: all its bytes.
        force: overwrite an existing file.

    Raises:
        MissingFileError: its folder does not exist.
        InvalidValueError: it is a folder itself.
        FileExistsAlreadyError: it exists, without `force`; also if it came to exist meanwhile.
        OSError: the system refuses: no permission, no space.
    """
    leave_if_orphaned()
    target = check_target(path, force)
    # Long names are cut: most file systems hold 255 bytes.
    temporary = target.with_name(f".{target.name[:50]}.{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        move(temporary, target, force)
    finally:
        temporary.unlink(missing_ok=True)


def move(file: Path, target: Path, force: bool = False) -> None:
    """Give a whole file its name; takes and raises what `atomic_write` does.

    Args:
        file: on the same file system as the target; gone from here afterwards.
        target: its name.
        force: overwrite an existing file, whose permissions stay.
    """
    leave_if_orphaned()
    if force:
        if target.exists():
            shutil.copymode(target, file)
        try:
            file.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # a link that leads to another file system
                raise
            atomic_write(target, file.read_bytes(), force=True)
            file.unlink()
        return
    _name_anew(file, target)
    file.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Whether a file is one that `atomic_write` has left when it was killed."""
    return path.name.startswith(".") and bool(_PART.search(path.name))


def sweep(folder: Path, names: Iterable[str] | None = None) -> None:
    """Remove the hidden files that `atomic_write` has left there when it was killed.

    Args:
        folder: in which nobody else writes meanwhile the files that are meant.
        names: of the files that were being written; None for all.
    """
    begins = None if names is None else tuple(f".{name[:50]}." for name in names)
    for part in folder.glob(".*.part"):
        if is_leftover(part) and (begins is None or part.name.startswith(begins)):
            part.unlink(missing_ok=True)


def _name_anew(temporary: Path, target: Path) -> None:
    """Give a file its name, unless another has it by now."""
    with contextlib.suppress(OSError):
        # Unlike a rename, a link fails where the name exists, with no moment in between.
        target.hardlink_to(temporary)
        return
    check_target(target)
    temporary.replace(target)  # a file system without links


def page_aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array whose memory begins with a page: a large one can go to the disk without a copy.

    Args:
        shape: of the array.
        dtype: of a cell.

    Returns:
        The array, contiguous; its cells hold anything.
    """
    cell = np.dtype(dtype)
    size = cell.itemsize * math.prod(shape)
    memory = np.empty(size + PAGE, np.uint8)
    start = -memory.ctypes.data % PAGE
    return memory[start : start + size].view(cell).reshape(shape)


def collect_files(paths: Sequence[Path], suffixes: Iterable[str]) -> list[Path]:
    """Files named by arguments; a folder stands for the files below it (`files_below`).

    Args:
        paths: files, taken whatever their suffix, and folders.
        suffixes: in lower case with the dot; what is taken from a folder.

    Returns:
        In the order of the arguments, those of a folder sorted; none twice.

    Raises:
        MissingFileError: a path that does not exist.
        InvalidValueError: a folder without any such file.
    """
    wanted = frozenset(suffixes)
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = files_below(path, wanted)
            if not inside:
                raise InvalidValueError(f"{path} holds no {' or '.join(sorted(wanted))} file.")
            files.update(dict.fromkeys(inside))
        elif path.exists():
            files[path] = None
        else:
            raise MissingFileError(f"{path} does not exist.")
    return list(files)
