"""Files that are fetched from the net or copied from a folder, each with its checksum."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deepdiva.errors import InvalidValueError, MissingFileError, StorageError
from deepdiva.files import atomic_write, file_sha256


def bring(
    folder: Path,
    source: Path | None,
    url: str,
    checksums: Mapping[str, str],
    what: str,
    places: Mapping[str, str] | None = None,
) -> None:
    """Bring files into a folder; what is there already and right stays.

    Args:
        folder: made if it does not exist.
        source: folder that holds them, or some of them; None to fetch all.
        url: of the folder that they are fetched from.
        checksums: file name to SHA-256.
        what: each file is, as in "is not the recording of 2021".
        places: file name to its path below the URL, where that is another; a source may be laid
            out so, too.

    Raises:
        MissingFileError: the source holds none of them.
        InvalidValueError: a file of another checksum.
        StorageError: they cannot be fetched.
    """
    if source is None:
        _download(folder, url, checksums, what, places or {})
    else:
        _copy(source, folder, checksums, what, places or {})


def check_file(
    path: Path, checksums: Mapping[str, str], what: str, name: str | None = None
) -> None:
    """Refuse a file whose checksum is not the one of its name.

    Args:
        path: of the file.
        checksums: file name to SHA-256.
        what: it is.
        name: that it has in the set, where its own is another.

    Raises:
        InvalidValueError: it is another.
    """
    found = file_sha256(path)
    wanted = checksums[name or path.name]
    if found != wanted:
        raise InvalidValueError(
            f"{path} is not {what}: its SHA-256 is {found[:12]}... and should be "
            f"{wanted[:12]}... Remove it, and get the set again."
        )


def _download(
    folder: Path, url: str, checksums: Mapping[str, str], what: str, places: Mapping[str, str]
) -> None:
    """Fetch what is not there yet; pooch compares the checksums."""
    import pooch
    import requests

    hashes = {file: f"sha256:{sha256}" for file, sha256 in checksums.items()}
    addresses = {file: url + places.get(file, file) for file in hashes}
    fetcher = pooch.create(
        path=folder, base_url=url, registry=hashes, urls=addresses, retry_if_failed=2
    )
    pooch.get_logger().setLevel("WARNING")
    for file in hashes:
        try:
            fetcher.fetch(file)
        except ValueError as error:
            raise InvalidValueError(
                f"{addresses[file]} is not {what}: its SHA-256 is another. "
                "Try again, or name a folder that holds the recordings: --from DIR."
            ) from error
        except (requests.RequestException, OSError) as error:
            raise StorageError(
                f"{addresses[file]} cannot be fetched into {folder} "
                f"({type(error).__name__}): try again with a network, or name a folder that "
                "holds the recordings: --from DIR."
            ) from error


def _copy(
    source: Path,
    folder: Path,
    checksums: Mapping[str, str],
    what: str,
    places: Mapping[str, str],
) -> None:
    """Copy the files that a folder holds; all are checked before the first is written."""
    if not source.is_dir():
        raise MissingFileError(f"{source} is no folder: name one that holds the recordings.")
    held = {}
    for file in checksums:
        for path in (source / file, source / places.get(file, file)):
            if path.is_file():
                held[file] = path
    if not held:
        first, last = next(iter(checksums)), list(checksums)[-1]
        raise MissingFileError(
            f"{source} holds none of the recordings: they are named {first} to {last}."
        )
    for file, path in held.items():
        check_file(path, checksums, what, file)
    folder.mkdir(parents=True, exist_ok=True)
    for file, path in held.items():
        if path.resolve() != (folder / file).resolve():
            atomic_write(folder / file, path.read_bytes(), force=True)
