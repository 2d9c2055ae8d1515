"""The folder of the results."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from deepdiva.errors import InvalidValueError


@contextlib.contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Make the folder of the results; if nothing is left in it at the end, it goes away again.

    Args:
        folder: made with its parents where they are missing; of an older one nothing is taken.

    Raises:
        InvalidValueError: a file, or a link to nothing, is in its place.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InvalidValueError(
            f"{error.filename} is no folder: name another with --output."
        ) from error
    try:
        yield
    finally:
        # The innermost first, up to the first that holds something.
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()
