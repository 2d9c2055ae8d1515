"""Levels and checksums of many sounds, compiled by numba.

**Checksums without tables.** CRC-32 is the remainder of the data, read as a polynomial over GF(2),
after division by P. This multiple of P has five terms, all of whole words of 32 bits:

    x^(32 * 2400) + x^(32 * 1240) + x^(32 * 936) + x^(32 * 712) + 1

A word may therefore be taken away at its place and added (exclusive or) 1160, 1464, 1688 and 2400
words further on: the remainder stays. Word by word this folds data of any length into its last
2400 words, of which zlib then takes the checksum (the principle: S. Russell, "Chorba", 2024). There
is nothing in it but loads and exclusive ors of neighbours, which any processor's SIMD does: several
times faster than zlib. The terms are the shortest that a search found with exponents of whole
groups of 8 words, which keeps SIMD words whole, and with all lags above 1024 words, which can then
be folded side by side.

Functions that call each other stand in one file, because numba looks only there for changes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.compiled_code import njit

LAGS: Final = (1160, 1464, 1688, 2400)
"""Words from where a word is taken away to where it is added."""

LONGEST: Final = LAGS[-1]
"""Words that are left at the end."""

_LAG_1, _LAG_2, _LAG_3, _ = LAGS

_CHUNK: Final = 1024
"""Words that are folded side by side; fewer than the shortest lag."""

_RING: Final = 4096
"""Words that are remembered: 16 kB stay in a core's first cache."""


@njit(cache=True, nogil=True, error_model="numpy")
def _beginning() -> NDArray[np.int32]:
    """Folded words before the first: zeros, and what inverts the first word, as CRC-32 wants it."""
    ring = np.zeros(_RING, np.int32)
    ring[_RING - LONGEST] = -1
    return ring


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(words: NDArray[np.int32], ring: NDArray[np.int32], place: int) -> int:
    """Fold up to `_CHUNK` words.

    Args:
        words: shape (count,).
        ring: shape (_RING,), the words before with all that was added to them.
        place: where in it these words come.

    Returns:
        Where the next words come.
    """
    done = 0
    while done < len(words):
        one = (place - _LAG_1) % _RING
        two = (place - _LAG_2) % _RING
        three = (place - _LAG_3) % _RING
        four = (place - LONGEST) % _RING
        count = min(len(words) - done, _RING - max(place, one, two, three, four))
        new = words[done : done + count]
        first, second = ring[one : one + count], ring[two : two + count]
        third, fourth = ring[three : three + count], ring[four : four + count]
        out = ring[place : place + count]
        for i in range(count):
            out[i] = new[i] ^ first[i] ^ second[i] ^ third[i] ^ fourth[i]
        done += count
        place = (place + count) % _RING
    return place


@njit(cache=True, nogil=True, error_model="numpy")
def _rest(ring: NDArray[np.int32], place: int) -> NDArray[np.int32]:
    """The last words before `place`, without what was added to them by each other."""
    last = np.empty(LONGEST, np.int32)
    for i in range(LONGEST):
        last[i] = ring[(place - LONGEST + i) % _RING]
    rest = last.copy()
    for lag in (_LAG_1, _LAG_2, _LAG_3):
        for i in range(lag, LONGEST):
            rest[i] ^= last[i - lag]
    return rest


@njit(cache=True, nogil=True, error_model="numpy")
def folded(words: NDArray[np.int32]) -> NDArray[np.int32]:
    """Data in place of which zlib may take the checksum, beginning with a register of zeros.

    Args:
        words: the data, at least one word.

    Returns:
        Shape (LONGEST,).
    """
    ring = _beginning()
    place = 0
    for start in range(0, len(words), _CHUNK):
        place = _fold(words[start : start + _CHUNK], ring, place)
    rest: NDArray[np.int32] = _rest(ring, place)
    return rest


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "reassoc", "contract"})
def measured(
    audio: NDArray[np.float32], bits: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Largest magnitude and sum of squares of each row, and `folded` of all, in one pass.

    Magnitudes are compared as the whole numbers that their bits spell without the sign: the order
    is the same, infinity and NaN come last, and the compiler can use SIMD.

    Args:
        audio: shape (batch, samples), contiguous, not empty.
        bits: the same memory.

    Returns:
        Bits of the peaks and the energies, shape (batch,), and the folded words, (LONGEST,).
    """
    peak = np.zeros(len(audio), np.int32)
    energy = np.zeros(len(audio), np.float32)
    ring = _beginning()
    place = 0
    for row in range(audio.shape[0]):
        highest = np.int32(0)
        total = np.float32(0.0)
        for start in range(0, audio.shape[1], _CHUNK):
            words = bits[row, start : start + _CHUNK]
            sound = audio[row, start : start + _CHUNK]
            place = _fold(words, ring, place)
            for i in range(len(words)):
                highest = max(highest, words[i] & np.int32(0x7FFFFFFF))
                total += sound[i] * sound[i]
        peak[row] = highest
        energy[row] = total
    return peak, energy, _rest(ring, place)
