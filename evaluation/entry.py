"""What another tool says of its answers, in the `entry.json` of their folder.

All of it is optional, and so is the file:

    {"format": "deepdiva-entry", "format_version": 1, "tool": "Name", "version": "1.2",
     "authors": "who", "url": "https://...", "renders": 500, "remarks": "one sentence"}

`renders` is how many candidates were rendered for one answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepdiva.state_files import KINDS

FILE_NAME = "entry.json"
FORMAT = "deepdiva-entry"
FORMAT_VERSION = 1


def described(folder: Path) -> dict[str, Any]:
    """What a folder's `entry.json` says; nothing where it has none.

    Raises:
        InvalidValueError: it is damaged, or of another format.
    """
    path = folder / FILE_NAME
    return KINDS["entry"].read(path, dict) if path.exists() else {}
