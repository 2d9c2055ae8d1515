"""Where Diva keeps the presets of its user.

The folders are those of u-he's installers: on Windows and Linux a data folder of the synthesizer
with `UserPresets` in it, on macOS the system's place for presets.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deepdiva.errors import MissingFileError

INSTALLED: Final = "DeepDiva"
"""Folder of installed presets inside that of the user's presets."""


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


def install_preset(preset: Path, *, force: bool = False) -> Path:
    """Copy a preset to where Diva's browser finds it: a folder `DeepDiva` of the user's presets.

    Args:
        preset: that is copied, byte for byte.
        force: overwrite one of the same name.

    Returns:
        Where the copy lies.

    Raises:
        MissingFileError: Diva's folder of user presets is not on this machine.
        PresetError: the file is no preset of Diva.
        FileExistsAlreadyError: there is one of this name, without `force`.
    """
    from deepdiva.synths.diva.preset import Preset

    copied = Preset.read(preset)
    folder = find_user_folder()
    if folder is None:
        raise MissingFileError(
            "Diva's folder of user presets is not on this machine: open Diva once, or name the "
            "folder by the variable DEEPDIVA_DIVA_PRESETS."
        )
    own = folder / INSTALLED
    own.mkdir(exist_ok=True)
    copied.write(own / preset.name, force)
    return own / preset.name
