"""Training batches from shards that other processes make meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepdiva.models.panel.sounds import Shard
from deepdiva.models.training_batches import Batch, Source

_WAIT_SECONDS = 0.2


class ShardSource(Source):
    """A third of a batch is new, in the order of the shards; the others were heard a while ago.

    Args:
        folder: in which the shards appear.
        batch_size: recordings of a step.
        shard_size: recordings of a shard, a multiple of the new ones of a batch.
        heard: recordings of each patch.
        steps_per_epoch: after which an epoch is said to be over.
        seed: of the order.
        window: shards from which the older ones are taken.
        check: called while a shard is waited for; raises where it will never come.
    """

    def __init__(
        self,
        folder: Path,
        batch_size: int,
        shard_size: int,
        heard: int,
        steps_per_epoch: int,
        seed: int,
        window: int = 96,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._folder, self._new, self._old = folder, batch_size // 3, batch_size - batch_size // 3
        self._shard_size = shard_size
        self._heard, self._steps, self._seed, self._window = heard, steps_per_epoch, seed, window
        self._check = check
        self._shard = lru_cache(maxsize=window + 2)(self._read)

    @property
    def steps_per_epoch(self) -> int:
        return self._steps

    def batch(self, step: int) -> Batch:
        per_shard = self._shard_size // self._new
        newest, part = divmod(step, per_shard)
        order = np.random.default_rng([self._seed, 0, newest]).permutation(self._shard_size)
        rows = order[part * self._new : (part + 1) * self._new]
        rng = np.random.default_rng([self._seed, 1, step])
        pieces = [(newest, rows)]
        for size in (self._old // 2, self._old - self._old // 2):
            older = int(rng.integers(max(0, newest - self._window), max(1, newest)))
            pieces.append((older, rng.integers(0, self._shard_size, size)))
        vectors, classes = [], []
        for number, chosen in pieces:
            shard = self._shard(number)
            vectors.append(shard.vectors[chosen])
            classes.append(shard.classes[chosen % (self._shard_size // self._heard)])
        inputs = torch.from_numpy(np.concatenate(vectors).astype(np.float32))
        return Batch((inputs,), (torch.from_numpy(np.concatenate(classes)),))

    def _read(self, number: int) -> Shard:
        path = shard_path(self._folder, 0, number)
        while not path.is_file():
            if self._check is not None:
                self._check()
            time.sleep(_WAIT_SECONDS)
        return Shard.read(path)

    def describe(self) -> dict[str, Any]:
        return {"kind": "panel", "window": self._window, "seed": self._seed}


def shard_path(folder: Path, stream: int, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"{stream}-{number:06d}.npz"
