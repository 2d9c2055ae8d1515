"""Where a network runs: whether the device is there, and what it can hold."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from deepdiva.errors import InvalidValueError

WITHOUT_FLOAT64 = ("mps",)
"""Kinds of device that hold no float64; to move one there is a TypeError."""


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        InvalidValueError: it is not there.
    """
    there: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    kind = device.partition(":")[0]
    if kind in there and not there[kind]():
        raise InvalidValueError(
            f"device {device}: this machine, or this build of PyTorch, has none. Use cpu."
        )


def to_device(tensor: Tensor, device: str | torch.device) -> Tensor:
    """A tensor on a device; float64 becomes float32 where the device has none."""
    if tensor.dtype == torch.float64 and torch.device(device).type in WITHOUT_FLOAT64:
        tensor = tensor.float()
    return tensor.to(device)


def exact(tensor: Tensor) -> Tensor:
    """A tensor in float64: where it lies, or on the CPU if its device has none."""
    if tensor.device.type in WITHOUT_FLOAT64:
        tensor = tensor.cpu()
    return tensor.double()
