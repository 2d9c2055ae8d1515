"""How the patch that a search found is written: Diva's presets, and those of other plug-ins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.files import atomic_write
from deepdiva.hosts.patch_files import patch_json, preset_suffix, write_patch
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.synths.diva.preset import Preset


class PatchWriter(ABC):
    """Writes patches of one synthesizer."""

    @property
    @abstractmethod
    def suffix(self) -> str:
        """Of the preset file: `.h2p`, `.fxp` or `.vstpreset`."""

    @property
    @abstractmethod
    def values_suffix(self) -> str:
        """Of the file of values beside the preset; empty where the preset is text itself."""

    @abstractmethod
    def write(
        self, patch: NDArray[np.float64], path: Path, *, description: str, force: bool
    ) -> None:
        """Write a patch under its final name.

        Args:
            patch: shape (parameters,), in units.
            path: of the preset file.
            description: a sentence for whoever opens it, where the format holds one.
            force: overwrite existing files.

        Raises:
            FileExistsAlreadyError: a file exists, without `force`.
            PresetError: the synthesizer cannot keep the patch.
        """

    @abstractmethod
    def keep(self, patch: NDArray[np.float64], folder: Path) -> None:
        """Write the best patch so far, `best.*`, quickly; the one before is overwritten."""


@dataclass(frozen=True)
class DivaWriter(PatchWriter):
    """Presets of Diva around a base preset."""

    base: Preset

    @property
    def suffix(self) -> str:
        return ".h2p"

    @property
    def values_suffix(self) -> str:
        return ""

    def write(
        self, patch: NDArray[np.float64], path: Path, *, description: str, force: bool
    ) -> None:
        preset = self.base.with_values(patch).with_meta(
            name=path.stem, author="DeepDiva", description=description
        )
        preset.write(path, force=force)

    def keep(self, patch: NDArray[np.float64], folder: Path) -> None:
        self.base.with_values(patch).write(folder / "best.h2p", force=True)


@dataclass(frozen=True)
class PluginWriter(PatchWriter):
    """Presets of another plug-in, which makes them itself, and the values as JSON."""

    renderer: PluginRenderer

    @property
    def suffix(self) -> str:
        return preset_suffix(self.renderer)

    @property
    def values_suffix(self) -> str:
        return ".json"

    def write(
        self, patch: NDArray[np.float64], path: Path, *, description: str, force: bool
    ) -> None:
        del description
        write_patch(self.renderer, patch, path, force)

    def keep(self, patch: NDArray[np.float64], folder: Path) -> None:
        atomic_write(folder / "best.json", patch_json(self.renderer, patch), force=True)
