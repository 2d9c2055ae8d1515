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
    """Half of a batch is new, half was heard long ago; a patch's two recordings lie far apart.

    Parameters that cannot be heard are noise to a network, which learns it by heart from sounds
    that it meets often; so sounds come again late and few times.

    Args:
        folder: in which the shards appear.
        batch_size: recordings of a step, a multiple of 4.
        patches: of a shard, a multiple of a quarter of a batch; each is there in two recordings.
        steps_per_epoch: after which an epoch is said to be over.
        seed: of the order.
        delay: shards between the two recordings of a patch.
        first: shards that are there before the first step.
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
        first: int = 40,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._folder, self._quarter, self._patches = folder, batch_size // 4, patches
        self._steps, self._seed = steps_per_epoch, seed
        self._delay, self._first, self._check = delay, first, check
        self._shard = lru_cache(maxsize=delay + 6)(self._read)

    @property
    def steps_per_epoch(self) -> int:
        return self._steps

    @property
    def steps_per_shard(self) -> int:
        """Steps after which the next shard is needed."""
        return self._patches // self._quarter

    def shards(self, steps: int) -> int:
        """How many shards a number of steps needs."""
        return self._first + -(-steps // self.steps_per_shard)

    def batch(self, step: int) -> Batch:
        number, part = divmod(step, self.steps_per_shard)
        newest = number + self._first
        rng = np.random.default_rng([self._seed, 2, newest])
        again = int(rng.integers(0, max(1, newest - self._delay)))
        takes = (
            (0, newest),
            (1, max(0, newest - self._delay)),
            (0, again),
            (1, again),
        )
        vectors, classes = [], []
        for place, (turn, taken) in enumerate(takes):
            order = np.random.default_rng([self._seed, place, newest, taken])
            rows = order.permutation(self._patches)
            rows = rows[part * self._quarter : (part + 1) * self._quarter]
            shard = self._shard(taken)
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


def whole_batches(shards: list[Shard], size: int) -> list[Batch]:
    """All recordings of shards, in batches of a size."""
    found = []
    for shard in shards:
        heard = len(shard.vectors) // len(shard.classes)
        classes = np.concatenate([shard.classes] * heard)
        for start in range(0, len(classes), size):
            vectors = shard.vectors[start : start + size].astype(np.float32)
            some = torch.from_numpy(classes[start : start + size])
            found.append(Batch((torch.from_numpy(vectors),), (some,)))
    return found
