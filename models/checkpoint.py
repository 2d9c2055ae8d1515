"""The state of an unfinished training, written whole or not at all."""

from __future__ import annotations

import io
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.files import atomic_write
from deepdiva.names import one_line
from deepdiva.state_files import KINDS, Unfit, table

NAME = "checkpoint.pt"
_FORMAT = 1


@dataclass
class Checkpoint:
    """Everything that a training must know to go on as if it had never stopped.

    Random numbers are not among it: they are drawn anew from the seed and the step.

    Attributes:
        settings: of the training, to refuse others.
        epoch: epochs that are done.
        network: weights after them.
        optimizer: state of the optimizer after them.
        best_loss: smallest test loss so far.
        best_epoch: the epoch that had it, from 1; 0 before the first.
        best_network: weights that had it.
        history: a row of the loss table for each epoch.
    """

    settings: dict[str, Any]
    epoch: int
    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    best_loss: float
    best_epoch: int
    best_network: dict[str, Tensor]
    history: list[dict[str, float]]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the folder's checkpoint."""
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, **vars(checkpoint)}, buffer)
    atomic_write(folder / NAME, buffer.getvalue(), force=True)


def read_checkpoint(folder: Path) -> Checkpoint:
    """The folder's checkpoint. No code is run from it.

    Raises:
        MissingFileError: the folder has none.
        InvalidValueError: another format.
    """
    path = folder / NAME
    if not path.is_file():
        raise MissingFileError(
            f"{folder} holds no {NAME}: nothing can be resumed there. Name the folder of a "
            "training that has finished an epoch, or start anew without --resume."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        known = content.pop("format") == _FORMAT
    except (
        *(RuntimeError, pickle.UnpicklingError, EOFError, LookupError, AttributeError),
        *(TypeError, ValueError, OverflowError, MemoryError, OSError, zipfile.BadZipFile),
    ) as error:
        raise InvalidValueError(
            f"{path} cannot be read as a checkpoint ({one_line(str(error))}): start anew."
        ) from error
    if not known:
        raise InvalidValueError(
            f"{path} was written by another version of deepdiva: resume with that version, or "
            "start anew."
        )
    kind = KINDS["checkpoint"]
    try:
        kind.schema(content, "")
        for name in ("network", "best_network"):
            _check_weights(content[name], name)
    except Unfit as error:
        raise kind.damaged(path, str(error)) from error
    return Checkpoint(**content)


def _check_weights(weights: Any, place: str) -> None:
    """Refuse weights that are none, or hold a number that is not finite."""
    table()(weights, place)
    for name, tensor in weights.items():
        if not isinstance(tensor, Tensor):
            raise Unfit(f"{place}.{name}", "is no tensor")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise Unfit(f"{place}.{name}", "holds a number that is not finite")
