"""One pass over a recording: levels of short blocks, from which part and channel are chosen.

However long a file is, what is kept of it is a few numbers for every 10 ms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.sound_file import SoundFile

BLOCK_SECONDS = 0.01
"""Length of a block."""

SPIKE = 1e6
"""A sample above it, 120 dB over full scale, is a fault of the file and no sound."""

SILENT_DB = -60.0
"""A channel is silent where it lies so far below the loudest one."""

_CANCELLED = 0.1
_APART = 0.2
_NOISE_DB = -10.0
_STEADY_DB = 3.0
_CHANGE_DB = 12.0


@dataclass(frozen=True)
class Scan:
    """Levels over time.

    Attributes:
        sample_rate: per second.
        channels: number of channels.
        frames: number of frames.
        block: frames of a block; the last one may be shorter.
        low: lowest sample, shape (blocks, channels + 1); the last column is the channels' mean.
        high: highest sample, the same shape.
        total: sum of the samples, the same shape.
        square: sum of their squares, the same shape.
        products: sums of products of the channels, shape (channels, channels).
        clipped: frames at the highest level of all, beside another one, of each channel.
        spikes: how many samples were left out as above `SPIKE`.
        broken: frame of the first sample that is not finite; None if all are.
    """

    sample_rate: int
    channels: int
    frames: int
    block: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    total: NDArray[np.float64]
    square: NDArray[np.float64]
    products: NDArray[np.float64]
    clipped: NDArray[np.int64]
    spikes: int
    broken: int | None

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        """Frames of each block, shape (blocks, 1)."""
        counts = np.full((len(self.low), 1), float(self.block))
        counts[-1] = self.frames - (len(self.low) - 1) * self.block
        return counts

    @property
    def span(self) -> float:
        """From lowest to highest sample of the channel in which that is the most."""
        return float((self.high.max(axis=0) - self.low.min(axis=0))[: self.channels].max())

    @cached_property
    def deviations(self) -> NDArray[np.float64]:
        """Standard deviation of each channel, and of their mean, shape (channels + 1,)."""
        means = self.total.sum(axis=0) / self.frames
        power = self.square.sum(axis=0) / self.frames - means**2
        return np.asarray(np.sqrt(np.maximum(power, 0.0)))

    def peaks(self, column: int, offset: float = 0.0) -> NDArray[np.float64]:
        """Highest magnitude of each block around an offset, shape (blocks,)."""
        return np.maximum(self.high[:, column] - offset, offset - self.low[:, column])

    def powers(self, column: int, offset: float = 0.0) -> NDArray[np.float64]:
        """Mean square of each block around an offset, shape (blocks,)."""
        counts = self.counts[:, 0]
        raised = self.square[:, column] - 2.0 * offset * self.total[:, column]
        return np.maximum(raised / counts + offset**2, 0.0)

    def levels_db(self, column: int, offset: float = 0.0) -> NDArray[np.float64]:
        """Level of each block in dBFS, a square of full scale 0 dB, shape (blocks,)."""
        return np.asarray(10.0 * np.log10(self.powers(column, offset) + 1e-30))

    def choose_channel(self, channel: int | None, report: list[str]) -> int | None:
        """The column to take: the channel that holds the note, or the mean.

        Args:
            channel: what the user asks for, from 1 on; None: find out.
            report: gets a sentence where something was chosen.

        Returns:
            Index of a channel, or None for the mean of all.

        Raises:
            InvalidValueError: a channel that the file does not have.
        """
        if channel is not None:
            if not 1 <= channel <= self.channels:
                raise InvalidValueError(
                    f"--channel is {channel}: the recording has channels 1 to {self.channels}."
                )
            if self.channels > 1:
                report.append(f"Took channel {channel} of {self.channels}.")
            return channel - 1
        if self.channels == 1:
            return 0
        deviation = self.deviations[:-1]
        loudest = int(np.argmax(deviation))
        ways = self._of_no_use(loudest)
        if len(ways) == self.channels - 1:
            report.append(
                f"Took channel {loudest + 1} of {self.channels}, which holds the note: the "
                f"other{'s are' if len(ways) > 1 else ' is'} {' and '.join(dict.fromkeys(ways))} "
                "(--channel takes another)."
            )
            return loudest
        if self.deviations[-1] < _CANCELLED * deviation[loudest]:
            report.append(
                f"The {self.channels} channels cancel each other out: took channel {loudest + 1}, "
                "the loudest."
            )
            return loudest
        report.append(f"Took the mean of {self.channels} channels.")
        return None

    def _of_no_use(self, loudest: int) -> list[str]:
        """What is wrong with channels that do not hold the note of the loudest one."""
        deviation = self.deviations[:-1]
        means = self.total.sum(axis=0)[:-1] / self.frames
        covariance = self.products / self.frames - np.outer(means, means)
        wrong = []
        for other in range(self.channels):
            if other == loudest:
                continue
            level = 20.0 * math.log10(max(deviation[other], 1e-12) / max(deviation[loudest], 1e-12))
            together = covariance[loudest, other] / max(
                deviation[loudest] * deviation[other], 1e-24
            )
            if level < SILENT_DB:
                wrong.append("silent")
            elif (
                level < _NOISE_DB
                and abs(together) < _APART
                and self._range_db(other) < _STEADY_DB
                and self._range_db(loudest) > _CHANGE_DB
            ):
                wrong.append("hiss or hum")
        return wrong

    def _range_db(self, column: int) -> float:
        """Between the quiet and the loud blocks, without the last, which may be short."""
        levels = self.levels_db(column)[:-1] if len(self.low) > 2 else self.levels_db(column)
        low, high = np.percentile(levels, [5.0, 95.0])
        return float(high - low)


def scan_sound(file: SoundFile, first: int = 0, frames: int | None = None) -> Scan:
    """Measure a file's levels over time, in one pass.

    Args:
        file: what to read.
        first: frame to begin with.
        frames: how many; None: to the end.

    Raises:
        AudioError: it cannot be read.
    """
    block = max(1, round(BLOCK_SECONDS * file.sample_rate))
    columns = file.channels + 1
    parts: list[tuple[NDArray[np.float64], ...]] = []
    products = np.zeros((file.channels, file.channels))
    done = spikes = 0
    broken: int | None = None
    top = np.zeros(file.channels)
    at_top = np.zeros(file.channels, np.int64)
    wanted = 1 << 62 if frames is None else frames
    for samples in _whole_blocks(file.blocks(first, wanted), block):
        finite = np.isfinite(samples)
        if broken is None and not finite.all():
            broken = done + int(np.argmin(finite.all(axis=1)))
        values = samples.astype(np.float64)
        spikes += without_spikes(values)
        at_top, top = _at_top(values, at_top, top)
        products += values.T @ values
        values = np.column_stack([values, values.mean(axis=1)])
        count = -(-len(values) // block)
        starts = np.arange(count) * block
        parts.append(
            (
                np.minimum.reduceat(values, starts),
                np.maximum.reduceat(values, starts),
                np.add.reduceat(values, starts),
                np.add.reduceat(np.square(values), starts),
            )
        )
        done += len(values)
    empty = np.zeros((0, columns))
    low, high, total, square = (
        np.concatenate([part[i] for part in parts]) if parts else empty for i in range(4)
    )
    return Scan(
        *(file.sample_rate, file.channels, done, block, low, high, total, square, products),
        *(at_top, spikes, broken),
    )


def without_spikes(samples: NDArray[np.floating]) -> int:
    """Put silence in the place of samples above `SPIKE` or not finite; how many there were."""
    wild = ~(np.abs(samples) <= SPIKE)
    samples[wild] = 0.0
    return int(wild.sum())


def read_column(
    file: SoundFile, first: int, frames: int, column: int | None
) -> NDArray[np.float32]:
    """Read one channel, or the mean of all, shape (samples,)."""
    parts = []
    for block in file.blocks(first, frames):
        values = block.astype(np.float64)
        without_spikes(values)
        mono = values.mean(axis=1) if column is None else values[:, column]
        parts.append(mono.astype(np.float32))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _whole_blocks(
    blocks: Iterator[NDArray[np.float32]], block: int
) -> Iterator[NDArray[np.float32]]:
    """The same samples in arrays of a multiple of `block` frames, but for the last."""
    rest: NDArray[np.float32] | None = None
    for samples in blocks:
        joined = samples if rest is None else np.concatenate([rest, samples])
        whole = len(joined) - len(joined) % block
        rest = joined[whole:]
        if whole:
            yield joined[:whole]
    if rest is not None and len(rest):
        yield rest


def _at_top(
    values: NDArray[np.float64], count: NDArray[np.int64], top: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Frames at each channel's highest magnitude that lie beside another one of them."""
    magnitudes = np.abs(values)
    highest = magnitudes.max(axis=0)
    flat = magnitudes >= highest * (1.0 - 1e-4)
    beside = (flat[1:] & flat[:-1] & (values[1:] * values[:-1] > 0.0)).sum(axis=0)
    new = highest > top * (1.0 + 1e-4)
    same = ~new & (highest >= top * (1.0 - 1e-4))
    return (
        np.where(new, beside, count + np.where(same, beside, 0)).astype(np.int64),
        np.maximum(top, highest),
    )
