"""Plays the effects of one patch, one after the other, on both channels."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine.dsp.blocks import BLOCK
from deepdiva.engine.module import Module
from deepdiva.engine.stages import effect

Setting: TypeAlias = tuple[Module, tuple[float, ...]]
"""An effect and its inputs."""


_KEPT: Final = 16 * 2**20
"""Cells of a bus that a thread keeps for its next one: fresh memory costs as much as an effect."""

_thread = threading.local()


def bus(patches: int, samples: int) -> NDArray[np.float32]:
    """(2, patches, padded samples) float32 for this thread until it asks again.

    What it holds is undefined, but for the padding, which is silent.
    """
    length = padded(samples)
    cells = 2 * patches * length
    kept: NDArray[np.float32] | None = getattr(_thread, "bus", None)
    if kept is None or len(kept) < cells:
        kept = np.empty(cells, np.float32)
        _thread.bus = kept if cells <= _KEPT else None
    both = kept[:cells].reshape(2, patches, length)
    both[:, :, samples:] = 0.0
    return both


def padded(samples: int) -> int:
    """The length that an array of so many samples must have for `play_effects`."""
    return -(-samples // BLOCK) * BLOCK


def play_effects(
    settings: Sequence[Setting],
    constants: Mapping[str, NDArray[np.float64]],
    rate: float,
    left: NDArray[np.float32],
    right: NDArray[np.float32],
) -> None:
    """Play effects from silence.

    Args:
        settings: effects and their inputs, in the order of the signal.
        constants: values of the modules' constants by full name.
        rate: samples per second.
        left: (padded samples,) float32, changed in place.
        right: likewise.
    """
    for module, inputs in settings:
        p = tuple(
            float(v) for v in module.controls(inputs, tuple(constants[module.full_name]), rate)
        )
        assert module.memory is not None
        memory = np.zeros(module.memory(p), np.float32)
        effect(module)(left, right, p, memory, np.zeros(len(module.states)))
