"""Priors by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from deepdiva.errors import UnknownNameError
from deepdiva.synths.diva.prior.base import Prior
from deepdiva.synths.diva.prior.folder import FolderPrior
from deepdiva.synths.diva.prior.human import HumanPrior
from deepdiva.synths.diva.prior.uniform import UniformPrior

PRIORS: Mapping[str, Callable[[], Prior]] = {
    UniformPrior.name: UniformPrior,
    HumanPrior.name: HumanPrior,
}
"""Those that need no folder."""


def prior_for(name_or_folder: str | Path) -> Prior:
    """The prior of a name, or that of a folder of presets.

    Args:
        name_or_folder: `uniform`, `human`, or the path of a folder; write `./human` for a folder of
            that name.

    Raises:
        UnknownNameError: neither a name nor a folder.
        MissingFileError: the folder holds no preset.
        PresetError: none of its presets can be read.
    """
    if str(name_or_folder) in PRIORS and not isinstance(name_or_folder, Path):
        return PRIORS[str(name_or_folder)]()
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise UnknownNameError(
            f"{str(name_or_folder)!r} is no prior: name {', '.join(PRIORS)} or a folder of .h2p "
            "presets."
        )
    return FolderPrior.read(folder)
