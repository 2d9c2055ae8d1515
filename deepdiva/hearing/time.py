"""When a note begins, when its key is released, when it has faded, and whether it was cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL_SECONDS = 0.01
"""Distance of the levels over time."""

ACTIVE_DB = -45.0
"""Below the loudest block a recording is at rest, or 10 dB above its own noise."""

CUT_DB = -40.0
"""A recording that ends above this has not faded: it was cut."""

_FLOOR_DB = 10.0
_REST_DB = 4.0
_REST_BLOCKS = 10
_STEADY_DB = 1.0
_GAP_SECONDS = 0.06
_CLICK_SECONDS = 0.05
_ENERGY = 0.1
_SCALES = ((30, 12, 30.0, 8.0), (60, 50, 8.0, 8.0))
"""Blocks before and after, how much steeper the level must fall, dB/s, and how far, dB."""


@dataclass(frozen=True)
class Span:
    """A stretch of sound between two rests, in blocks.

    Attributes:
        begin: first block.
        end: block behind the last one.
        energy: sum of its blocks' powers.
    """

    begin: int
    end: int
    energy: float


def spans(levels_db: NDArray[np.float64]) -> tuple[Span, ...]:
    """Stretches of sound, apart by rests of 60 ms or more.

    Args:
        levels_db: of blocks of 10 ms, shape (blocks,).
    """
    top = float(levels_db.max())
    floor = float(np.percentile(levels_db, 3.0))
    threshold = top + ACTIVE_DB
    if floor < top - 20.0 and _is_rest(levels_db, floor):
        threshold = max(threshold, floor + _FLOOR_DB)
    active = np.flatnonzero(levels_db > threshold)
    gap = round(_GAP_SECONDS / LEVEL_SECONDS)
    parts = np.split(active, np.flatnonzero(np.diff(active) > gap) + 1)
    power = 10.0 ** (levels_db / 10.0)
    return tuple(
        Span(int(part[0]), int(part[-1]) + 1, float(power[part[0] : part[-1] + 1].sum()))
        for part in parts
        if len(part)
    )


def _is_rest(levels_db: NDArray[np.float64], floor: float) -> bool:
    """Whether a recording begins or ends by 0.1 s of its lowest level, as one with noise does.

    A tail that still falls is no rest.
    """
    half = _REST_BLOCKS // 2
    for edge in (levels_db[:_REST_BLOCKS], levels_db[-_REST_BLOCKS - 1 : -1]):
        falls = abs(float(edge[:half].mean() - edge[half:].mean()))
        if (np.abs(edge - floor) < _REST_DB).all() and falls < _STEADY_DB:
            return True
    return False


def main_span(found: tuple[Span, ...]) -> int:
    """Index of the note: the first stretch that is neither a click nor by far the weaker one."""
    most = max(span.energy for span in found)
    longest = max(span.end - span.begin for span in found)
    click = round(_CLICK_SECONDS / LEVEL_SECONDS)
    for index, span in enumerate(found):
        short = span.end - span.begin <= click < longest
        if span.energy >= _ENERGY * most and not short:
            return index
    return int(np.argmax([span.energy for span in found]))


def find_release(levels_db: NDArray[np.float64]) -> int | None:
    """Block at which the key was released: where the level begins to fall much faster, for good.

    Lines are fitted to the levels before and after each block, at two scales, and the first change
    of slope is taken that is at least 0.6 of the largest one.

    Args:
        levels_db: of blocks of 10 ms from the onset on, shape (blocks,), with what
            follows the note's end.

    Returns:
        None where no release is heard.
    """
    top = float(levels_db.max())
    power = np.convolve(np.pad(10.0 ** (levels_db / 10.0), 2, "edge"), np.ones(5) / 5, "valid")
    levels = np.maximum(10.0 * np.log10(power + 1e-30), top - 60.0)
    highest_later = np.maximum.accumulate(levels[::-1])[::-1]
    for before, after, steeper, fall in _SCALES:
        first = int(np.argmax(levels > top - 6.0)) + 8
        changes = np.zeros(len(levels))
        for block in range(first + 8, len(levels) - after):
            if levels[block] < top - 40.0:
                break
            if levels[block] - highest_later[block + after] < fall:
                continue
            left = _slope(levels[max(first, block - before) : block + 1])
            right = _slope(levels[block : block + after])
            changes[block] = (left - right) / LEVEL_SECONDS
        if changes.max(initial=0.0) > steeper:
            able = changes >= 0.6 * changes.max()
            begin = int(np.argmax(able))
            end = begin + int(np.argmin(np.append(able[begin:], False)))
            return begin + int(np.argmax(changes[begin:end]))
    return None


def _slope(levels: NDArray[np.float64]) -> float:
    """Slope of the line through levels, dB a block."""
    return float(np.polyfit(np.arange(len(levels)), levels, 1)[0])
