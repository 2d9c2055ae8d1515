"""Constants of the engine that were fitted to the user's own Diva, and which ones are in use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from deepdiva.errors import InvalidValueError
from deepdiva.files import atomic_write
from deepdiva.state_files import KINDS
from deepdiva.user_settings import settings_folder

BUILTIN: Final = "builtin"
"""What `--constants` calls the engine's own."""

FILE_NAME: Final = "constants.json"


@dataclass(frozen=True)
class OwnConstants:
    """What a calibration found.

    Attributes:
        values: constants that differ from the engine's, by name.
        plugin: name, version, format, host, quality and checksum of what they were fitted to.
        engine: version of the engine.
        plan: SHA-256 of the probes.
        sounds: SHA-256 of what the plug-in played.
        modules: what was found of each module, by its name.
        checks: distances of whole presets before and after, dB; empty where none was played.
    """

    values: Mapping[str, float]
    plugin: Mapping[str, str]
    engine: str
    plan: str
    sounds: str
    modules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Of which plug-in they are, in words."""
        return " ".join(f"{self.plugin.get('name', '')} {self.plugin.get('version', '')}".split())

    def write(self, path: Path, force: bool = False) -> None:
        """Write the file, whole or not at all; raises as `atomic_write` does."""
        state = {
            **KINDS["constants"].format,
            "engine": self.engine,
            "plugin": dict(self.plugin),
            "plan_sha256": self.plan,
            "sounds_sha256": self.sounds,
            "constants": dict(self.values),
            "modules": {name: dict(entry) for name, entry in self.modules.items()},
            "checks": dict(self.checks),
        }
        atomic_write(path, (json.dumps(state, indent=2) + "\n").encode(), force)

    @classmethod
    def read(cls, path: Path) -> OwnConstants:
        """Read a file.

        Raises:
            MissingFileError: there is none.
            InvalidValueError: it is damaged, holds a constant that the engine does not have, or
                was fitted with another version of it.
        """
        return KINDS["constants"].read(path, lambda state: _built(state, path))


def _built(state: Mapping[str, Any], path: Path) -> OwnConstants:
    from deepdiva.synths.diva import panel
    from deepdiva.synths.diva.panel_renderer import ENGINE_VERSION

    if state["engine"] != ENGINE_VERSION:
        raise InvalidValueError(
            f"{path} was fitted with version {state['engine']} of the engine, and this is "
            f"{ENGINE_VERSION}: calibrate again (`deepdiva calibrate --from` needs no plug-in), or "
            "say --constants builtin."
        )
    unknown = sorted(state["constants"].keys() - panel.constants().keys())
    if unknown:
        raise InvalidValueError(f"{path} holds {', '.join(unknown)}, which the engine lacks.")
    return OwnConstants(
        values=state["constants"],
        plugin=state["plugin"],
        engine=state["engine"],
        plan=state["plan_sha256"],
        sounds=state["sounds_sha256"],
        modules=state["modules"],
        checks=state["checks"],
    )


def user_file() -> Path:
    """The file of this user's constants, be it there or not."""
    return settings_folder() / FILE_NAME


def constants_file(choice: str | Path | None) -> Path | None:
    """The file that a choice stands for; None for the engine's own constants.

    Args:
        choice: a file, or `builtin`; None for the user's file where there is one.
    """
    if choice is None:
        return user_file() if user_file().is_file() else None
    return None if str(choice) == BUILTIN else Path(choice)


def chosen_constants(choice: str | Path | None) -> OwnConstants | None:
    """The constants that a choice stands for; None for the engine's own.

    Raises:
        MissingFileError: no such file.
        InvalidValueError: it is damaged, or does not fit this engine.
    """
    path = constants_file(choice)
    if path is None:
        return None
    try:
        modified = path.stat().st_mtime_ns
    except OSError:
        modified = 0
    return _read(path, modified)


@lru_cache(maxsize=8)
def _read(path: Path, modified: int) -> OwnConstants:
    del modified
    return OwnConstants.read(path)
