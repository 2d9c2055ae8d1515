"""Weights files: safetensors whose header says what the numbers are for.

A weights file is useless, or worse, without the space, the note and the engine that it was made
for, so these travel in the file's own header, as JSON under the key `deepdiva`. No code is ever
run from a weights file.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.files import atomic_write
from deepdiva.names import one_line
from deepdiva.note import Note
from deepdiva.renderer import RendererInfo
from deepdiva.space import ParameterSpace
from deepdiva.state_files import KINDS, Unfit
from deepdiva.synths.diva import DIVA

FORMAT = 1
KEY = "deepdiva"
MOST_HEADER_BYTES = 16 << 20
Arrays = dict[str, NDArray[Any]]

_FOLDER = Path(__file__).resolve().parent / "weights"
PANEL_WEIGHTS = _FOLDER / "panel.safetensors"
"""The trained network of the whole panel, inside the package."""

MS_REV1_WEIGHTS = _FOLDER / "posterior_ms_rev1.safetensors"
"""The trained network of the 11 parameters around MS-REV1, inside the package."""

DEFAULT_WEIGHTS = MS_REV1_WEIGHTS
"""What answers where nothing is asked."""


def weights_for(free: Collection[str]) -> Path:
    """Of the networks that come with the package, that which answers what is free.

    Args:
        free: names of the free parameters. A release or what follows the key may be free beside the
            11 that the smaller network knows.

    Returns:
        `PANEL_WEIGHTS` if more is free and the file is there, otherwise `MS_REV1_WEIGHTS`.

    Raises:
        MissingFileError: no such file.
        InvalidValueError: a damaged file.
    """
    known = read_header(MS_REV1_WEIGHTS).parameter_space().names
    whole = len(set(free) - set(known)) > len(known)
    return PANEL_WEIGHTS if whole and PANEL_WEIGHTS.is_file() else MS_REV1_WEIGHTS


@dataclass(frozen=True)
class WeightsHeader:
    """What a weights file says of itself.

    Attributes:
        model: `cnn`, `lstm` or `posterior`.
        space: the parameter space, as `ParameterSpace.to_dict` gives it.
        note: the note, as `Note.to_dict` gives it.
        features: how a sound becomes the network's input.
        network: sizes of the network.
        engine: name and version of the renderer that made the training sounds.
        training: settings, number of sounds, source of the data.
        metrics: test losses and metrics of these weights.
        version: of this package, when the weights were made.
        git_commit: of this package's checkout, or None.
        format: of this header.
    """

    model: str
    space: dict[str, Any]
    note: dict[str, Any]
    features: dict[str, Any]
    network: dict[str, Any]
    engine: dict[str, str]
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    version: str = ""
    git_commit: str | None = None
    format: int = FORMAT

    def check_engine(self, info: RendererInfo, source: Path | str) -> None:
        """Refuse to work with another renderer than the one the network has learned.

        Raises:
            InvalidValueError: another renderer or another version of it.
        """
        made_for = (self.engine["name"], self.engine["version"].partition("+")[0])
        if made_for != (info.name, info.laws):
            raise InvalidValueError(
                f"{source} was trained on the sounds of {' '.join(made_for)}, and this is "
                f"{info.name} {info.version}: its answers would not fit. Train again "
                "(`deepdiva train`), or take the weights that came with this version."
            )

    def check_space(self, space: ParameterSpace, source: Path | str) -> None:
        """Refuse another set of free parameters.

        Raises:
            InvalidValueError: other free parameters, or another order of them.
        """
        made_for = self.parameter_space().names
        if made_for != space.names:
            raise InvalidValueError(
                f"{source} answers {len(made_for)} parameters ({', '.join(made_for)}), and "
                f"{len(space.names)} are wanted ({', '.join(space.names)}): train a network for "
                "these (`deepdiva train`)."
            )

    def parameter_space(self) -> ParameterSpace:
        """The space that the network answers in."""
        return ParameterSpace.from_dict(self.space, DIVA)

    def played_note(self) -> Note:
        """The note that the network knows."""
        return Note(**self.note)


def git_commit() -> str | None:
    """Commit of the checkout that this package runs from, `+` behind it if files were changed.

    None where there is no git or no checkout.
    """
    here = Path(__file__).resolve().parent
    try:
        commit, changed = (
            subprocess.run(
                ["git", "-C", str(here), *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for arguments in (
                ("rev-parse", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def write_weights(
    path: Path, header: WeightsHeader, arrays: Mapping[str, NDArray[Any]], force: bool = False
) -> None:
    """Write a weights file, whole or not at all.

    Args:
        path: of the file.
        header: what it says of itself.
        arrays: the weights by name.
        force: overwrite a file that exists.

    Raises:
        FileExistsAlreadyError: the file exists and `force` is not set.
    """
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content = save(plain, metadata={KEY: json.dumps(asdict(header), sort_keys=True)})
    atomic_write(path, content, force=force)


def read_header(path: Path) -> WeightsHeader:
    """Only the header of a weights file.

    Raises:
        MissingFileError: no such file.
        InvalidValueError: no safetensors file, not one of this program, or one of a later format.
    """
    return _read(path, tensors=False)[0]


def read_weights(path: Path) -> tuple[WeightsHeader, Arrays]:
    """Header and arrays of a weights file.

    Raises:
        MissingFileError: no such file.
        InvalidValueError: no safetensors file, not one of this program, or one of a later format.
    """
    return _read(path, tensors=True)


def _read(path: Path, tensors: bool) -> tuple[WeightsHeader, Arrays]:
    if not path.is_file():
        raise MissingFileError(
            f"There are no weights at {path}: name a weights file, or train a network "
            "(`deepdiva train --online --model posterior`)."
        )
    try:
        _check_length(path)
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            names = list(file.keys()) if tensors else []
            content = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, Unfit, ValueError, TypeError, RuntimeError) as error:
        raise InvalidValueError(
            f"{path} is no safetensors file ({one_line(str(error))}): name a file that "
            "`deepdiva train` wrote."
        ) from error
    if KEY not in metadata:
        raise InvalidValueError(
            f"{path} does not say which parameters its weights are for: name a file that "
            "`deepdiva train` wrote."
        )
    header = KINDS["weights"].parse(metadata[KEY].encode(), path, _header)
    for name, array in content.items():
        if np.issubdtype(array.dtype, np.floating) and not bool(np.isfinite(array).all()):
            raise KINDS["weights"].damaged(path, f"{name} holds a number that is not finite")
    return header, content


def _header(fields: dict[str, Any]) -> WeightsHeader:
    if fields["format"] != FORMAT:
        raise InvalidValueError(
            f"it has a header of format {fields['format']!r}, and this version of deepdiva reads "
            f"{FORMAT}: use the version that wrote it, {fields.get('version')!r}"
        )
    return WeightsHeader(**fields)


def _check_length(path: Path) -> None:
    """Refuse a header that is longer than the file, or than any of this program.

    Raises:
        Unfit: it is.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, MOST_HEADER_BYTES):
        raise Unfit("its header", f"of {length} bytes does not fit a file of {size}")
