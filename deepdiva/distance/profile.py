"""The vector behind the distance: how a sound's levels in bands and moments differ from a target's.

A distance says how far, a vector of differences says in which directions: it is what methods for
least squares need. Levels are averages over bands of frequency and stretches of time, so a small
change of a parameter changes them smoothly, and start phases show little in them.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import kernels
from deepdiva.distance.plan import LANES, band_table, fourier_plan, logarithmic_bands
from deepdiva.distance.settings import HIGHEST_BAND_HZ
from deepdiva.errors import InvalidValueError

SIZE, HOP = 4096, 1024
"""STFT frame and hop, in samples: long enough to tell the partials of low notes apart."""

BANDS, LOWEST_HZ = 48, 40.0
"""Logarithmic frequency bands, and the lower edge of the lowest."""

WINDOWS, LEVELS = 16, 48
"""Stretches of time for which bands, and for which the level of the sound are averaged."""

FLOOR = 1e-4
"""Amplitude below which sounds count as silent."""

_LEVEL_WEIGHT = 0.5
"""What the square of a level counts; that of a band counts 1."""

_BLOCK = 64
"""Samples: no stretch for a level is shorter."""

_CROWDING = 1.5
"""Stretches crowd at the beginning, where sounds change fastest: edges are powers of this degree
of equal steps."""


@final
class Profile:
    """Differences of log levels between sounds and one target.

    The vector holds log10 of the amplitude plus floor, candidate less target: of each band in each
    of `WINDOWS` stretches of time, then of the whole sound in each of `LEVELS` stretches (fewer of
    both where the sound is short). It is scaled so that its length is a root mean square: if the
    candidate is 20 dB louder in everything, the length is 1.2 (from bands 1, from levels 0.5, as
    squares).

    Args:
        target: shape (samples,), float32, finite, at least one sample.
        sample_rate: samples per second.
    """

    def __init__(self, target: NDArray[np.float32], sample_rate: int) -> None:
        self._samples = target.size
        self._plan = fourier_plan(SIZE, HOP)
        self._stretch = HOP * -(-target.size // (LANES * HOP))
        highest_hz = min(HIGHEST_BAND_HZ, sample_rate / 2)
        bands = logarithmic_bands(
            SIZE, sample_rate, BANDS, min(LOWEST_HZ, highest_hz / 2), highest_hz
        )
        self._bands = band_table(bands[:, self._plan.bins])
        frames = 1 + max(0, target.size - SIZE) // HOP
        groups = self._stretch // HOP
        counts = np.clip(frames - groups * np.arange(LANES), 0, groups)
        slices = int(np.count_nonzero(counts))
        self._windows = _edges(slices, WINDOWS)
        self._frames = np.add.reduceat(counts[:slices], self._windows[:-1])
        self._slices = slices
        self._blocks = -(-target.size // _BLOCK)
        self._levels = _edges(self._blocks, LEVELS)
        self._target = np.zeros(0, np.float32)
        self._target = self._logarithms(np.ascontiguousarray(target, np.float32))

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self._target.size

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors of candidates.

        Args:
            batch: shape (batch, samples), float32.

        Returns:
            Shape (batch, size); not finite where a sound is not. A row depends on the candidate
            and the target alone.

        Raises:
            InvalidValueError: another shape.
        """
        if batch.ndim != 2 or batch.shape[1] != self._samples:
            raise InvalidValueError(
                f"Candidates have shape {batch.shape}: (batch, {self._samples}), the length of "
                "the target, is wanted."
            )
        found = np.empty((len(batch), self.size), np.float32)
        for row, sound in zip(found, batch, strict=True):
            finite = np.isfinite(sound).all()
            row[:] = self._logarithms(sound) - self._target if finite else np.nan
        return found

    def _logarithms(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log levels of a sound, shape (samples,), scaled; shape (size,)."""
        rows = np.empty((self._stretch + SIZE) * LANES, np.float32)
        kernels.lay_out(np.ascontiguousarray(sound, np.float32), self._stretch, rows)
        total = np.empty((SIZE // 2 + 1) * LANES, np.float32)
        none = np.empty((self._stretch // HOP, 0), np.float32)
        scratch = np.empty(kernels.scan_scratch(SIZE), np.float32)
        zero = np.float32(0.0)
        kernels.scan(
            rows, sound.size, self._stretch, self._plan, zero, False, none, none, total, scratch
        )
        sums = np.empty(BANDS * LANES, np.float32)
        kernels.sum_bands(total, self._bands, sums)
        powers = np.add.reduceat(
            sums.reshape(BANDS, LANES)[:, : self._slices], self._windows[:-1], axis=1
        )
        powers /= self._frames
        squares = np.zeros(self._blocks * _BLOCK, np.float32)
        np.square(sound, out=squares[: sound.size])
        blocks = squares.reshape(-1, _BLOCK).mean(axis=1)
        levels = np.add.reduceat(blocks, self._levels[:-1]) / np.diff(self._levels)
        bands = 0.5 * np.log10(powers.ravel() + FLOOR**2)
        level = 0.5 * np.log10(levels + FLOOR**2)
        return np.concatenate(
            [bands / np.sqrt(bands.size), level * np.sqrt(_LEVEL_WEIGHT / level.size)]
        ).astype(np.float32)


def _edges(count: int, wanted: int) -> NDArray[np.intp]:
    """Where stretches of `count` places begin, and where the last ends, crowded at the start."""
    return np.unique(np.rint(count * np.linspace(0, 1, wanted + 1) ** _CROWDING).astype(np.intp))
