"""Where a user's own settings lie."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def settings_folder(
    platform: str = sys.platform,
    home: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Path:
    """The folder of this user's settings; it may not exist yet.

    `DEEPDIVA_SETTINGS` in the environment names another.

    Args:
        platform: `linux`, `darwin` or `win32`, as `sys.platform`.
        home: of the user; None for this one's.
        environment: variables.
    """
    named = environment.get("DEEPDIVA_SETTINGS")
    if named:
        return Path(named)
    user = Path.home() if home is None else home
    if platform == "darwin":
        return user / "Library" / "Application Support" / "deepdiva"
    if platform == "win32":
        return Path(environment.get("APPDATA", user / "AppData" / "Roaming")) / "deepdiva"
    return Path(environment.get("XDG_CONFIG_HOME") or user / ".config") / "deepdiva"
