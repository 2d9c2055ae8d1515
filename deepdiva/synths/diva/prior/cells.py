"""The distribution of one parameter: single values, and intervals between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import Parameter
from deepdiva.synths.diva.prior.base import STEP

UNSEEN = 1e-4
"""Share of draws that are uniform over the whole range, so that no value has no probability."""


@dataclass(frozen=True, eq=False)
class Cells:
    """A mixture of single values and of uniform pieces; the quantile function is piecewise linear.

    Attributes:
        parameter: whose values they are.
        low: lower ends, shape (cells,), in the unit.
        high: upper ends; equal to `low` for a single value.
        share: of the draws, above 0, sum 1.
    """

    parameter: Parameter
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    share: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        parameter: Parameter,
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        share: NDArray[np.float64],
    ) -> Cells:
        """Shares of any sum, mixed with the uniform distribution of weight `UNSEEN`."""
        if parameter.choices:
            extra = np.full(len(parameter.choices), UNSEEN / len(parameter.choices))
            low = np.concatenate([low, parameter.choice_values])
            high = np.concatenate([high, parameter.choice_values])
        else:
            extra = np.array([UNSEEN])
            low = np.append(low, parameter.minimum - STEP / 2)
            high = np.append(high, parameter.maximum + STEP / 2)
        kept = (1.0 - UNSEEN) * share / share.sum()
        return cls(parameter, low, high, np.concatenate([kept, extra]))

    @classmethod
    def read(cls, parameter: Parameter, text: str) -> Cells:
        """From a line of the table: `VALUE=SHARE` and `LOW..HIGH=SHARE`, blank separated."""
        low, high, share = [], [], []
        for word in text.split():
            where, number = word.split("=")
            first, dots, last = where.partition("..")
            low.append(float(first))
            high.append(float(last) if dots else float(first))
            share.append(float(number))
        return cls.of(parameter, np.array(low), np.array(high), np.array(share))

    def without(self, value: float) -> Cells:
        """The same distribution given that the spelled value is another."""
        single = self.low == self.high
        kept = single & (self.low != value)
        parts = [(self.low[kept], self.high[kept], self.share[kept])]
        low, high = self.low[~single], self.high[~single]
        width = self.share[~single] / (high - low)
        for floor, ceiling in ((-np.inf, value - STEP / 2), (value + STEP / 2, np.inf)):
            lower, upper = np.maximum(low, floor), np.minimum(high, ceiling)
            left = upper - lower > STEP / 1000
            parts.append((lower[left], upper[left], ((upper - lower) * width)[left]))
        lows, highs, shares = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Cells(self.parameter, lows, highs, shares / shares.sum())

    @cached_property
    def _ends(self) -> NDArray[np.float64]:
        return np.cumsum(self.share)

    def values(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values for uniform numbers in [0, 1), any shape; as a preset file spells them."""
        ends = self._ends
        cell = np.minimum(np.searchsorted(ends, uniform, "right"), len(ends) - 1)
        within = (uniform - (ends[cell] - self.share[cell])) / self.share[cell]
        values = self.low[cell] + (self.high - self.low)[cell] * within
        if self.parameter.choices:
            return np.asarray(values)
        rounded = np.round(values, 2) + 0.0  # never a negative zero
        return np.clip(rounded, self.parameter.minimum, self.parameter.maximum)

    def probability(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of spelled values, shape (batch,): that of `values` rounding to them."""
        distinct, back = np.unique(values, return_inverse=True)
        column = distinct[:, None]
        single = self.low == self.high
        found = (np.abs(column - self.low[single]) < STEP / 4) @ self.share[single]
        low, high = self.low[~single], self.high[~single]
        overlap = np.minimum(column + STEP / 2, high) - np.maximum(column - STEP / 2, low)
        found = found + np.maximum(overlap, 0.0) @ (self.share[~single] / (high - low))
        return np.asarray(found)[back]

    def between(self, low: float, high: float) -> float:
        """Probability of low <= value < high, before values are spelled."""
        single = self.low == self.high
        total = float(self.share[single & (self.low >= low) & (self.low < high)].sum())
        first, last = self.low[~single], self.high[~single]
        overlap = np.maximum(np.minimum(last, high) - np.maximum(first, low), 0.0)
        return total + float(overlap @ (self.share[~single] / (last - first)))
