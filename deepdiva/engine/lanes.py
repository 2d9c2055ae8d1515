"""From lanes one after the other to lanes side by side, and back.

Oscillators write a block lane by lane; the filters want the same sample of all lanes next to each
other. To transpose, one riffles: merging the four quarters of an array like a deck of cards moves
the two highest bits of every index to its end, so after log4(lanes) riffles the lane has moved from
the front of the index to its end. A riffle is a loop that compilers turn into SIMD, where a plain
transposition moves one number at a time.
"""

from __future__ import annotations

from deepdiva.compiled_code import njit
from deepdiva.engine.backends.compiled import FAST


@njit(**FAST)
def _riffle2(deck, half, riffled):  # type: ignore[no-untyped-def]
    for i in range(half):
        riffled[2 * i] = deck[i]
        riffled[2 * i + 1] = deck[half + i]


@njit(**FAST)
def _riffle4(deck, quarter, riffled):  # type: ignore[no-untyped-def]
    for i in range(quarter):
        riffled[4 * i] = deck[i]
        riffled[4 * i + 1] = deck[quarter + i]
        riffled[4 * i + 2] = deck[2 * quarter + i]
        riffled[4 * i + 3] = deck[3 * quarter + i]


@njit(**FAST)
def _deal2(deck, half, dealt):  # type: ignore[no-untyped-def]
    for i in range(half):
        dealt[i] = deck[2 * i]
        dealt[half + i] = deck[2 * i + 1]


@njit(**FAST)
def _deal4(deck, quarter, dealt):  # type: ignore[no-untyped-def]
    for i in range(quarter):
        dealt[i] = deck[4 * i]
        dealt[quarter + i] = deck[4 * i + 1]
        dealt[2 * quarter + i] = deck[4 * i + 2]
        dealt[3 * quarter + i] = deck[4 * i + 3]


@njit(cache=True, **FAST)
def interleave(deck, spare, rows, lanes):  # type: ignore[no-untyped-def]
    """Lanes of numbers become rows of `lanes` numbers.

    Args:
        deck: (lanes * samples,) float32.
        spare: as long, overwritten.
        rows: as long, overwritten with the result.
        lanes: 16 or 32.
    """
    quarter = deck.shape[0] // 4
    if lanes == 16:
        _riffle4(deck, quarter, spare)
        _riffle4(spare, quarter, rows)
    else:
        _riffle4(deck, quarter, rows)
        _riffle4(rows, quarter, spare)
        _riffle2(spare, 2 * quarter, rows)


@njit(cache=True, **FAST)
def separate(rows, spare, deck, lanes):  # type: ignore[no-untyped-def]
    """The way back from `interleave`; all three are overwritten."""
    quarter = deck.shape[0] // 4
    if lanes == 16:
        _deal4(rows, quarter, spare)
        _deal4(spare, quarter, deck)
    else:
        _deal2(rows, 2 * quarter, spare)
        _deal4(spare, quarter, rows)
        _deal4(rows, quarter, deck)
