"""Where Diva keeps the presets of its user.

The folders are those of u-he's installers: on Windows and Linux a data folder of the synthesizer
with `UserPresets` in it, on macOS the system's place for presets.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def user_folders(
    platform: str = sys.platform,
    home: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> tuple[Path, ...]:
    """The folders in which user presets may lie, the likeliest first.

    `DEEPDIVA_DIVA_PRESETS` in the environment names one that comes before all others.

    Args:
        platform: `linux`, `darwin` or `win32`, as `sys.platform`.
        home: of the user; None for this one's.
        environment: variables.
    """
    user = Path.home() if home is None else home
    named = environment.get("DEEPDIVA_DIVA_PRESETS")
    folders = [Path(named)] if named else []
    inside = Path("Diva.data") / "UserPresets" / "Diva"
    if platform == "darwin":
        library = user / "Library"
        folders += [
            library / "Audio/Presets/u-he/Diva",
            library / "Application Support/u-he" / inside,
        ]
    elif platform == "win32":
        one_drive = environment.get("ONEDRIVE")
        documents = [user / "Documents", *([Path(one_drive) / "Documents"] if one_drive else [])]
        folders += [documents_folder / "u-he" / inside for documents_folder in documents]
        folders.append(Path(environment.get("PROGRAMFILES", "C:/Program Files")) / "u-he" / inside)
    else:
        folders.append(user / ".u-he" / inside)
    return tuple(folders)


def find_user_folder() -> Path | None:
    """The folder of this user's presets; None where Diva was never opened."""
    return next((folder for folder in user_folders() if folder.is_dir()), None)
