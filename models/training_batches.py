"""Where training batches come from.

A batch is a function of its step number and of nothing else, least of all of time or of what was
asked before. Training can therefore stop at any step and go on later with the same data, and
batches can be made ahead by other threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deepdiva.errors import InvalidValueError

Tensors = tuple[Tensor, ...]
Featurize = Callable[[NDArray[np.float32]], Tensors]
"""Stored rows (sounds or features) of a batch -> the network's inputs."""
Encode = Callable[[NDArray[np.float64], np.random.Generator], Tensors]
"""Positions (batch, dimensions) -> the network's targets."""


class Rows(Protocol):
    """Arrays that are read by row numbers, memory-mapped or not."""

    def __len__(self) -> int:
        """How many rows there are."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        """These rows, in memory."""


class Batch(NamedTuple):
    """What one training step sees.

    Attributes:
        inputs: tensors whose first axis is the batch.
        targets: tensors whose first axis is the batch.
    """

    inputs: Tensors
    targets: Tensors


class Source(ABC):
    """An endless row of batches."""

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Batches after which an epoch is over."""

    @abstractmethod
    def batch(self, step: int) -> Batch:
        """The batch of a step; may be called from any thread, in any order.

        Args:
            step: number of the step since the start of training, from 0.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the data are, for the header of the weights."""


class StoredSource(Source):
    """Batches from arrays, usually memory-mapped files; a new order in every epoch.

    Args:
        rows: sounds or features, first axis the samples.
        x: positions in the parameter space, shape (samples, dimensions), in [0, 1].
        featurize: makes inputs of rows.
        encode: makes targets of positions.
        batch_size: rows per batch; the last batch of an epoch may be shorter.
        seed: of the orders.
        shuffle: False keeps the order of the arrays.
        subset: numbers of the rows that are used, ascending; None uses all.
        origin: what to say of the data.

    Raises:
        InvalidValueError: no rows, or another number of positions.
    """

    def __init__(
        self,
        rows: Rows,
        x: Rows,
        featurize: Featurize,
        encode: Encode,
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        subset: NDArray[np.int64] | None = None,
        origin: str = "",
    ) -> None:
        if len(rows) != len(x) or not len(x):
            raise InvalidValueError(
                f"There are {len(rows)} sounds and {len(x)} patches{f' in {origin}' * bool(origin)}"
                ": there must be as many of the one as of the other, and at least one."
            )
        self._rows, self._x = rows, x
        self._featurize, self._encode = featurize, encode
        self._batch_size, self._seed, self._shuffle = batch_size, seed, shuffle
        self._subset = np.arange(len(x)) if subset is None else subset
        self._origin = origin
        self._order = lru_cache(maxsize=2)(self._make_order)

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self._subset) // self._batch_size)

    def _make_order(self, epoch: int) -> NDArray[np.int64]:
        if not self._shuffle:
            return self._subset
        return np.random.default_rng([self._seed, epoch]).permutation(self._subset)

    def batch(self, step: int) -> Batch:
        epoch, place = divmod(step, self.steps_per_epoch)
        start = place * self._batch_size
        chosen = np.sort(self._order(epoch)[start : start + self._batch_size])
        rng = np.random.default_rng([self._seed, epoch, place])
        rows = np.asarray(self._rows[chosen], dtype=np.float32)
        x = np.asarray(self._x[chosen], dtype=np.float64)
        return Batch(self._featurize(rows), self._encode(x, rng))

    def describe(self) -> dict[str, Any]:
        return {"kind": "stored", "origin": self._origin, "sounds": len(self._subset)}


@contextmanager
def prefetch(source: Source, steps: range, workers: int, depth: int) -> Iterator[Iterator[Batch]]:
    """The batches of `steps` in order, made ahead of time by threads.

    The threads help as far as the source lets go of Python's global lock, which the embedded
    engine and PyTorch do.

    Args:
        source: of the batches.
        steps: which of them.
        workers: threads; 0 makes each batch when it is asked for.
        depth: batches that wait at most; each is held in memory.

    Yields:
        An iterator over the batches. An error in a thread is raised where its batch is due.
    """
    if workers == 0:
        yield (source.batch(step) for step in steps)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        waiting: deque[Future[Batch]] = deque()

        def batches() -> Iterator[Batch]:
            todo = iter(steps)
            for step in todo:
                waiting.append(pool.submit(source.batch, step))
                if len(waiting) >= max(1, depth):
                    break
            while waiting:
                yield waiting.popleft().result()
                for step in todo:
                    waiting.append(pool.submit(source.batch, step))
                    break

        try:
            yield batches()
        finally:
            for future in waiting:
                future.cancel()
