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
    """Each recording once: half of a batch is a shard's first recordings, half older second ones.

    Parameters that cannot be heard are noise to a network, which learns it by heart from sounds
    that it meets often; so the second recording of a patch comes long after the first.

    Args:
        folder: in which the shards appear.
        batch_size: recordings of a step, even.
        patches: of a shard, a multiple of half a batch; each is there in two recordings.
        steps_per_epoch: after which an epoch is said to be over.
        seed: of the order.
        delay: shards between the two recordings of a patch.
        check: called while a shard is waited for; raises where it will never come.
    """

    def __init__(
        self,
        folder: Path,
        batch_size: int,
        patches: int,
        steps_per_epoch: int,
        seed: int,
        delay: int = 16,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._folder, self._half, self._patches = folder, batch_size // 2, patches
        self._steps, self._seed, self._delay = steps_per_epoch, seed, delay
        self._check = check
        self._shard = lru_cache(maxsize=delay + 4)(self._read)

    @property
    def steps_per_epoch(self) -> int:
        return self._steps

    def batch(self, step: int) -> Batch:
        newest, part = divmod(step, self._patches // self._half)
        older = newest - self._delay if newest >= self._delay else newest
        vectors, classes = [], []
        for turn, number in enumerate((newest, older)):
            order = np.random.default_rng([self._seed, turn, number]).permutation(self._patches)
            rows = order[part * self._half : (part + 1) * self._half]
            shard = self._shard(number)
            vectors.append(shard.vectors[turn * self._patches + rows])
            classes.append(shard.classes[rows])
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
        return {"kind": "panel", "delay": self._delay, "seed": self._seed}


def shard_path(folder: Path, stream: int, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"{stream}-{number:06d}.npz"
