"""Classes as scores, so that an optimizer of continuous numbers can choose among them.

Nevergrad's own bookkeeping costs ten times less for one flat array than for a dictionary or for
`Choice` objects. So all free parameters become one flat array in [0, 1]: ordered parameters keep
their coordinate, a class gets one score for each of its choices, and the highest score wins. No
class is ever the rounding of a number that lies between two others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.space import ParameterSpace

_CHOSEN, _OTHERS = 0.75, 0.25


@dataclass(frozen=True)
class ClassScores:
    """The flat array of a parameter space.

    Attributes:
        space: the parameter space.
    """

    space: ParameterSpace

    @property
    def dimensions(self) -> int:
        """Length of the flat array: ordered parameters first, then the scores of each class."""
        classes = sum(len(dimension.positions) for dimension in self.space.classes)
        return len(self.space.continuous) + classes

    def points(self, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the space, shape (batch, space.dimensions), of arrays (batch, dimensions).

        Of equal scores the first wins.
        """
        points = np.empty((len(flat), self.space.dimensions))
        ordered = len(self.space.continuous)
        points[:, self.space.continuous] = flat[:, :ordered]
        begin = ordered
        for dimension in self.space.classes:
            end = begin + len(dimension.positions)
            points[:, dimension.position] = dimension.positions[flat[:, begin:end].argmax(axis=1)]
            begin = end
        return points

    def flat(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Arrays that stand for points; `points` takes them back to the same patches."""
        pieces = [points[:, self.space.continuous]]
        for dimension in self.space.classes:
            chosen = nearest_class(dimension.positions, points[:, dimension.position])
            scores = np.full((len(points), len(dimension.positions)), _OTHERS)
            scores[np.arange(len(points)), chosen] = _CHOSEN
            pieces.append(scores)
        return np.concatenate(pieces, axis=1)


def nearest_class(positions: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which of the ascending class positions each value stands nearest to, the upper half-way."""
    edges = (positions[1:] + positions[:-1]) / 2
    return np.searchsorted(edges, values, side="right")
