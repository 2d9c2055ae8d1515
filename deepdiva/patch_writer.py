"""How a patch becomes a file that a musician loads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


class PresetFile(Protocol):
    """A preset in a text or binary format of its own, which can be read and changed."""

    def values(self) -> NDArray[np.float64]:
        """The patch that it holds, shape (len(table),), in units."""

    def with_values(self, values: NDArray[np.float64]) -> Self:
        """The same preset with another patch."""

    def with_meta(
        self, *, name: str | None = None, author: str | None = None, description: str | None = None
    ) -> Self:
        """The same preset with another name, author or description."""

    def write(self, path: Path, *, force: bool = False) -> None:
        """Write it."""


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
class PresetWriter(PatchWriter):
    """Presets of a known format, around a base preset.

    Attributes:
        base: keeps whatever is no parameter.
        file_suffix: of its files.
        fixed: values in units that are written in the place of a patch's own, by their columns.
    """

    base: PresetFile
    file_suffix: str
    fixed: Mapping[int, float] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        return self.file_suffix

    @property
    def values_suffix(self) -> str:
        return ""

    def write(
        self, patch: NDArray[np.float64], path: Path, *, description: str, force: bool
    ) -> None:
        preset = self.base.with_values(self.written(patch)).with_meta(
            name=path.stem, author="DeepDiva", description=description
        )
        preset.write(path, force=force)

    def written(self, patch: NDArray[np.float64]) -> NDArray[np.float64]:
        """A patch, shape (parameters,), in units, as it is written."""
        written = patch.copy()
        for column, value in self.fixed.items():
            written[column] = value
        return written

    def keep(self, patch: NDArray[np.float64], folder: Path) -> None:
        self.base.with_values(self.written(patch)).write(folder / f"best{self.suffix}", force=True)
