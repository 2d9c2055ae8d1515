"""Tables of a Fourier transform that runs on 32 frames at once.

The transform is a decimation in time, natural order in, tree order out (Van Loan, Computational
Frameworks for the Fast Fourier Transform, 1992, section 1.9). Seen as algebra it divides the
polynomial with the samples as coefficients by z^n - 1, and splits that into factors
z^(n/4) - r, each again, until the remainders are single values: the transform at the angles of
the roots. Every factor has one constant, so a pass needs one twiddle per block and its inner loop
runs over samples and frames without any table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LANES = 32
"""Frames that are transformed side by side."""


class FourierPlan(NamedTuple):
    """Tables of one STFT size, ready for the kernels.

    Attributes:
        window: shape (size,), float32: Hann, periodic, half the amplitude-normalised one. The
            kernels add a spectrum to its mirror image, which makes up for the half.
        twiddles: shape (blocks, 6), float32: cosine and sine of the angle of every block after
            the first pass, of twice and of three times that angle.
        mirrors: shape (pairs, 3): two blocks of the last pass, at angles of opposite sign, and the
            first of the four rows that their bins fill in the power spectrum.
        bins: shape (size // 2 + 1,): the frequency bin of each row of the power spectrum.
        hop: samples from one frame to the next.
        lanes: 16, the trip count of the inner loops. It stands here, and not in the kernels,
            because the compiler unrolls a loop whose count it knows, and then cannot vectorise it.
    """

    window: NDArray[np.float32]
    twiddles: NDArray[np.float32]
    mirrors: NDArray[np.int64]
    bins: NDArray[np.int64]
    hop: int
    lanes: int


class BandTable(NamedTuple):
    """Which rows of a power spectrum make up each frequency band, and with what weight.

    Attributes:
        first: shape (bands + 1,): where each band's entries begin, and where the last one's end.
        rows: shape (entries,): rows of the power spectrum.
        weights: shape (entries,), float32.
    """

    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: NDArray[np.float32]


def band_table(weights: NDArray[np.float64]) -> BandTable:
    """Compress a matrix of weights, shape (bands, rows), most of which are 0."""
    bands, rows = np.nonzero(weights)
    counts = np.bincount(bands, minlength=len(weights))
    return BandTable(
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        rows=rows.astype(np.int64),
        weights=weights[bands, rows].astype(np.float32),
    )


def logarithmic_bands(
    size: int, sample_rate: int, count: int, lowest_hz: float, highest_hz: float
) -> NDArray[np.float64]:
    """Triangular filters whose centres are equally far apart in octaves.

    Each filter reaches from the centre below it to the centre above, and at least one bin to
    either side, so that none is empty.

    Args:
        size: samples of an STFT frame.
        sample_rate: samples per second.
        count: number of bands.
        lowest_hz: lower edge of the first band.
        highest_hz: upper edge of the last band.

    Returns:
        Shape (count, size // 2 + 1); the largest weight a filter can have is 1.
    """
    bin_hz = sample_rate / size
    frequencies_hz = np.arange(size // 2 + 1) * bin_hz
    edges_hz = np.geomspace(lowest_hz, highest_hz, count + 2)
    centres = edges_hz[1:-1, None]
    below = np.maximum(centres - edges_hz[:-2, None], bin_hz)
    above = np.maximum(edges_hz[2:, None] - centres, bin_hz)
    rising = (frequencies_hz - centres + below) / below
    falling = (centres + above - frequencies_hz) / above
    return np.maximum(np.minimum(rising, falling), 0.0)


def fourier_plan(size: int, hop: int) -> FourierPlan:
    """Compute the tables of one STFT size.

    Args:
        size: samples of a frame, a power of two from 64 to 4,096.
        hop: samples from one frame to the next.
    """
    window = np.sin(np.pi * np.arange(size) / size) ** 2
    angles = np.zeros(1)
    twiddles = []
    block_angles = angles
    for radix in _radices(size):
        # The block is the remainder modulo z^length - exp(i angle): the roots of its parts are
        # exp(i angle / radix) times the roots of one, here 1, -1, i, -i.
        block_angles = angles / radix
        turns = np.array([0.0, np.pi] if radix == 2 else [0.0, np.pi, np.pi / 2, -np.pi / 2])
        angles = (block_angles[:, None] + turns).ravel()
        multiples = block_angles[:, None] * np.array([1.0, 2.0, 3.0])
        twiddles.append(np.stack([np.cos(multiples), np.sin(multiples)], axis=2).reshape(-1, 6))
    bins_of_leaves = np.rint(-angles * size / (2.0 * np.pi)).astype(np.int64) % size
    mirrors, bins = _mirrors(bins_of_leaves.reshape(-1, 4), size)
    return FourierPlan(
        window=(window / window.sum()).astype(np.float32),
        twiddles=np.concatenate(twiddles[1:]).astype(np.float32),
        mirrors=mirrors,
        bins=bins,
        hop=hop,
        lanes=LANES // 2,
    )


def _radices(size: int) -> list[int]:
    """Factors of a power of two, as many fours as possible; a two comes first."""
    exponent = size.bit_length() - 1
    return [2] * (exponent % 2) + [4] * (exponent // 2)


def _mirrors(blocks: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each last block with the one that holds the negative frequencies of its bins.

    Two blocks are their own mirrors: bins 0, size/2, ±size/4 and the odd multiples of size/8.
    Half of the rows that they fill are filled twice; they come last, so that the next block, or
    nobody, overwrites the doubles.

    Args:
        blocks: shape (size / 4, 4), the bins of each block, 0 to size - 1.
        size: samples of a frame.

    Returns:
        `mirrors` and `bins` of a FourierPlan.
    """
    home = np.empty(size, np.int64)
    home[blocks.ravel()] = np.repeat(np.arange(len(blocks)), 4)
    partner = home[-blocks[:, 0] % size]
    pairs = [(block, int(other)) for block, other in enumerate(partner) if block < other]
    own = int(home[size // 8])
    rows: list[int] = []
    mirrors = []
    for block, other in [*pairs, (own, own), (0, 0)]:
        mirrors.append((block, other, len(rows)))
        folded = [min(int(k), size - int(k)) for k in blocks[block]]
        rows.extend(dict.fromkeys(folded))
    return np.array(mirrors, np.int64), np.array(rows, np.int64)
