"""What makes batches and blocks outside this process."""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import Any

from deepdiva.data.corpora.batch_maker import BatchMaker, BatchRecord, BlockReport, Columns
from deepdiva.errors import StorageError


def packed(maker: BatchMaker) -> bytes:
    """A maker on its way to other processes."""
    return pickle.dumps(maker)


def make_packed_block(maker: bytes, batch: int, block: int, token: str) -> BlockReport:
    """`BatchMaker.make_block` in a worker process."""
    return _unpacked(maker).make_block(batch, block, token)


def make_batch(maker: BatchMaker, batch: int) -> BatchRecord:
    """`BatchMaker.make` in a worker of a cluster that sees the folder."""
    if not maker.folder.is_dir():
        raise StorageError(
            f"{maker.folder} does not exist on a worker: name a folder that all machines of "
            "the cluster share, by the same path, or leave out --shared."
        )
    maker.settle()
    return maker.make(batch)


def make_block(
    maker: BatchMaker, numbers: tuple[int, int]
) -> tuple[BlockReport, list[tuple[int, Columns]]]:
    """`BatchMaker.block_of` in a worker of a cluster, which sees no folder of ours."""
    maker.settle()
    return maker.block_of(*numbers)


@lru_cache(maxsize=2)
def _unpacked(maker: bytes) -> BatchMaker:
    """Once for each process: a plug-in is loaded once, and not for every block."""
    unpacked: Any = pickle.loads(maker)
    if not isinstance(unpacked, BatchMaker):
        raise TypeError(f"Expected a BatchMaker, not {type(unpacked).__name__}.")
    unpacked.settle()
    return unpacked
