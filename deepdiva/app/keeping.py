"""A patch as a preset that a musician keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.user_folder import find_user_folder

FOLDER = "DeepDiva"
"""In the folder of user presets."""

MOST_LETTERS = {
    "name": 60, "author": 60, "description": 2000, "categories": 300, "features": 300,
    "character": 300,
}  # fmt: skip

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


@dataclass(frozen=True)
class Words:
    """What a user says of a preset.

    Attributes:
        name: which becomes that of the file.
        author: who made it.
        description: a sentence or two.
        categories: such as `Bass:Electronic`, separated by commas.
        features: words, separated by commas.
        character: words, separated by commas.
    """

    name: str
    author: str = "DeepDiva"
    description: str = ""
    categories: str = ""
    features: str = ""
    character: str = ""

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Words:
        """From JSON.

        Raises:
            InvalidValueError: no name, or something that is no text or too long.
        """
        texts: dict[str, str] = {}
        for name, most in MOST_LETTERS.items():
            text = wanted.get(name, "")
            if not isinstance(text, str) or len(text) > most:
                raise InvalidValueError(f"{name} must be a text of at most {most} letters.")
            texts[name] = text.strip()
        if not texts["name"]:
            raise InvalidValueError("The preset needs a name.")
        return cls(**texts)

    @property
    def file_name(self) -> str:
        """The name of the file; what no disk takes is left out."""
        stem = _UNSAFE.sub("_", self.name).strip(". ") or "preset"
        return f"{stem}.h2p"


def preset_of(patch: NDArray[np.float64], words: Words) -> Preset:
    """The preset file of a patch.

    Args:
        patch: shape (281,), in units.
        words: about it.

    Raises:
        PresetError: words that no preset can hold.
    """
    return (
        Preset.template()
        .with_values(_spelled(patch))
        .with_meta(
            name=words.name,
            author=words.author,
            description=words.description,
            categories=words.categories,
            features=words.features,
            character=words.character,
        )
    )


def keep_preset(patch: NDArray[np.float64], words: Words, *, force: bool = False) -> Path:
    """Save a preset where Diva's browser finds it.

    Args:
        patch: shape (281,), in units.
        words: about it.
        force: overwrite a preset of the same name.

    Returns:
        Where it lies.

    Raises:
        MissingFileError: Diva's folder of user presets is not on this machine.
        FileExistsAlreadyError: there is one of this name, without `force`.
        PresetError: words that no preset can hold.
    """
    folder = find_user_folder()
    if folder is None:
        raise MissingFileError(
            "Diva's folder of user presets is not on this machine: download the preset, or name "
            "the folder by the variable DEEPDIVA_DIVA_PRESETS."
        )
    own = folder / FOLDER
    own.mkdir(exist_ok=True)
    path = own / words.file_name
    preset_of(patch, words).write(path, force=force)
    return path


def _spelled(patch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Choices exactly, as a preset holds them."""
    from deepdiva.synths.diva import DIVA

    values = patch.copy()
    for parameter in DIVA:
        if parameter.choices:
            near = np.abs(parameter.choice_values - values[parameter.index]).argmin()
            values[parameter.index] = parameter.choice_values[near]
    return values
