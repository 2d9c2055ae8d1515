"""A patch of any plug-in on disk: the plug-in's own preset file, and a JSON of the values.

The first is what the musician loads. The second says which parameter stands where, for people and
scripts, and can be read back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import PresetError
from deepdiva.files import atomic_write, check_target
from deepdiva.parameters import ParameterTable
from deepdiva.patch_writer import PatchWriter
from deepdiva.state_files import KINDS

if TYPE_CHECKING:
    from deepdiva.hosts.plugin_renderer import PluginRenderer


@dataclass(frozen=True)
class PluginWriter(PatchWriter):
    """Presets that a plug-in makes itself, and the values as JSON."""

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


def preset_suffix(renderer: PluginRenderer) -> str:
    """Of a plug-in whose presets are its own: `.vstpreset` for VST 3, `.fxp` for VST 2."""
    return ".vstpreset" if renderer.description.format == "vst3" else ".fxp"


def write_patch(
    renderer: PluginRenderer, patch: NDArray[np.float64], path: Path, force: bool = False
) -> tuple[Path, Path]:
    """Write a patch as the plug-in's preset file and as JSON beside it.

    Args:
        renderer: of a plug-in that makes its files itself.
        patch: shape (len(renderer.table),), in units.
        path: of the preset file; the JSON has the same name with `.json`.
        force: overwrite existing files.

    Returns:
        Paths of the preset file and of the JSON.

    Raises:
        FileExistsAlreadyError: one of them exists, without `force`; then neither is written.
        PresetError: the plug-in does not take back what it saved.
        RenderError: the host cannot save states.
    """
    values = path.with_suffix(".json")
    for target in (path, values):
        check_target(target, force)
    saved = renderer.save(patch, path.stem)
    atomic_write(path, saved.data, force)
    atomic_write(values, patch_json(renderer, patch), force)
    return path, values


def patch_json(renderer: PluginRenderer, patch: NDArray[np.float64]) -> bytes:
    """The values of a patch with all that is needed to understand them."""
    plugin = renderer.description
    document = {
        **KINDS["patch"].format,
        "plugin": {
            "name": plugin.name,
            "version": plugin.version,
            "format": plugin.format,
            "unique_id": plugin.unique_id,
            "host": plugin.host,
        },
        "parameters": {
            parameter.name: {
                "value": float(value),
                "normalised": float(parameter.to_normalised(value)),
                "label": parameter.label(float(value)),
            }
            for parameter, value in zip(renderer.table, patch, strict=True)
        },
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def read_patch(path: Path, table: ParameterTable) -> NDArray[np.float64]:
    """Read the JSON of a patch.

    Args:
        path: of the file.
        table: of the plug-in that is to play it.

    Returns:
        Shape (len(table),), in units.

    Raises:
        MissingFileError: there is no such file.
        PresetError: the patch of a plug-in with other parameters.
        InvalidValueError: another kind of file, a damaged one, or a value outside its range.
    """
    values = KINDS["patch"].read(
        path,
        lambda document: {
            name: float(entry["value"]) for name, entry in document["parameters"].items()
        },
    )
    different = sorted(set(values) ^ set(table.names))
    if different:
        raise PresetError(
            f"{path} was made for another plug-in than {table.name}: only one of them has "
            f"{', '.join(different[:8])}{' ...' if len(different) > 8 else ''}."
        )
    patch = np.array([values[name] for name in table.names])
    table.check(patch)
    return patch
