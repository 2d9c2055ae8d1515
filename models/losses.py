"""What regression networks are trained on and judged by: one function each, found by name.

All take predictions and truths of shape (batch, outputs) and give a scalar.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from deepdiva.errors import UnknownNameError

Measure = Callable[[Tensor, Tensor], Tensor]


def root_mean_squared_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Root of the mean square over the whole batch. Its slope at 0 is that of the floor 1e-12."""
    return torch.sqrt(F.mse_loss(predicted, truth).clamp_min(1e-12))


def mean_squared_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean square."""
    return F.mse_loss(predicted, truth)


def mean_absolute_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean magnitude of the difference."""
    return F.l1_loss(predicted, truth)


def huber(predicted: Tensor, truth: Tensor) -> Tensor:
    """Square below 0.1 and straight above (Huber 1964)."""
    return F.huber_loss(predicted, truth, delta=0.1)


MEASURES: dict[str, Measure] = {
    "rmse": root_mean_squared_error,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "huber": huber,
}

SHORT = {
    "root_mean_squared_error": "rmse",
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
}


def measure(name: str) -> tuple[str, Measure]:
    """The measure of a name or of its usual abbreviation, and its full name.

    Raises:
        UnknownNameError: no such measure.
    """
    full = SHORT.get(name.lower(), name.lower())
    if full not in MEASURES:
        near = difflib.get_close_matches(full, [*MEASURES, *SHORT], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(
            f"There is no loss or metric {name!r}.{hint} There are: {', '.join(sorted(MEASURES))}."
        )
    return full, MEASURES[full]
