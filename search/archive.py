"""Everything that was scored by one objective."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepdiva.space import ParameterSpace


class Archive:
    """Points and their distances, in the order in which they were scored.

    Args:
        space: what the points mean.
        combination: positions of the classes that tell combinations apart; all classes if None.
    """

    def __init__(self, space: ParameterSpace, combination: Sequence[int] | None = None) -> None:
        self.space = space
        if combination is None:
            combination = [dimension.position for dimension in space.classes]
        self.combination = list(combination)
        self.best_distance = math.inf
        self.best_point: NDArray[np.float64] | None = None
        self._points: list[NDArray[np.float64]] = []
        self._distances: list[NDArray[np.float64]] = []

    def __len__(self) -> int:
        return sum(len(distances) for distances in self._distances)

    def add(self, points: NDArray[np.float64], distances: NDArray[np.float64]) -> bool:
        """Store a batch; true if it holds a better point than any before.

        Args:
            points: shape (batch, space.dimensions).
            distances: shape (batch,).
        """
        self._points.append(points)
        self._distances.append(distances)
        best = int(distances.argmin())
        if distances[best] >= self.best_distance:
            return False
        self.best_distance = float(distances[best])
        self.best_point = points[best].copy()
        return True

    @property
    def points(self) -> NDArray[np.float64]:
        """All points, shape (len, space.dimensions)."""
        return np.concatenate([np.empty((0, self.space.dimensions)), *self._points])

    @property
    def distances(self) -> NDArray[np.float64]:
        """All distances, shape (len,)."""
        return np.concatenate([np.empty(0), *self._distances])

    def ranked(self, count: int, per_combination: int = 0) -> NDArray[np.float64]:
        """The best points, nearest first, none twice.

        Args:
            count: how many at most, 1 or more.
            per_combination: at most so many of each combination of classes; 0 for any number.

        Returns:
            Shape (at most count, space.dimensions).
        """
        points = self.points
        columns = self.combination
        chosen: list[NDArray[np.float64]] = []
        seen: set[bytes] = set()
        taken: dict[bytes, int] = {}
        for index in np.argsort(self.distances, kind="stable"):
            point = points[index]
            combination = point[columns].tobytes()
            if point.tobytes() in seen:
                continue
            if per_combination and taken.get(combination, 0) >= per_combination:
                continue
            seen.add(point.tobytes())
            taken[combination] = taken.get(combination, 0) + 1
            chosen.append(point)
            if len(chosen) == count:
                break
        return np.array(chosen).reshape(-1, self.space.dimensions)
