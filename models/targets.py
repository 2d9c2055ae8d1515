"""Patches as a network answers them: classes, and continuous values between 0 and 1.

A continuous parameter is known to the synthesizer only on a grid (0.01 of its unit in a preset
file, whole steps for a stepped one). A density over such values would grow without bound at the
grid points, so they are spread evenly over their grid cells first (uniform dequantisation: Theis
et al. 2016, arXiv:1511.01844), the cells of the two ends included: a uniform choice among the
grid's values becomes the uniform density on the unit interval, edges and all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import Parameter
from deepdiva.space import ParameterSpace

FILE_GRID = 0.01
"""Distance of neighbouring values of a float parameter in a preset file."""


def grid_points(parameter: Parameter) -> int:
    """Values that the parameter can take in a preset file."""
    if parameter.choices:
        return len(parameter.choices)
    step = 1.0 if parameter.kind == "int" else FILE_GRID
    return round((parameter.maximum - parameter.minimum) / step) + 1


class TargetCode:
    """Splits positions of a space into class numbers and dequantised values, and joins them again.

    Args:
        space: whose free parameters are coded.

    Attributes:
        class_names: parameter names of the class dimensions.
        class_counts: classes of each of them.
        continuous_names: parameter names of the continuous dimensions.
    """

    def __init__(self, space: ParameterSpace) -> None:
        self.dimensions = space.dimensions
        self._continuous = np.asarray(space.continuous, dtype=np.intp)
        self._classes = space.classes
        self._class_columns = np.asarray([c.position for c in space.classes], dtype=np.intp)
        self._points = np.asarray(
            [grid_points(space.parameters[i]) for i in self._continuous], dtype=np.float64
        )
        self._stepped = np.asarray(
            [bool(space.parameters[i].choices) for i in self._continuous], dtype=bool
        )
        self.class_names = tuple(c.parameter.name for c in space.classes)
        self.class_counts = tuple(len(c.positions) for c in space.classes)
        self.continuous_names = tuple(space.parameters[i].name for i in self._continuous)

    def split(
        self, x: NDArray[np.float64], rng: np.random.Generator | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Positions -> class numbers and dequantised values.

        Args:
            x: shape (batch, dimensions), in [0, 1].
            rng: spreads the values over their grid cells; without it each stands in the middle of
                its cell.

        Returns:
            Class numbers, shape (batch, classes), and values, shape (batch, continuous), in (0, 1).
        """
        numbers = np.empty((len(x), len(self._classes)), dtype=np.int64)
        for column, dimension in enumerate(self._classes):
            distance = np.abs(x[:, dimension.position, None] - dimension.positions)
            numbers[:, column] = distance.argmin(axis=1)
        cells = x[:, self._continuous] * (self._points - 1)
        cells = np.where(self._stepped, np.rint(cells), cells)  # what is played
        offset = np.full(cells.shape, 0.5) if rng is None else rng.random(cells.shape)
        values = (cells + offset) / self._points
        return numbers, np.clip(values, 1e-9, 1.0 - 1e-9)

    def join(self, numbers: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Class numbers and values -> positions, shape (batch, dimensions), in [0, 1].

        Stepped parameters land on their steps; other values stay between the grid's points.
        """
        x = np.empty((len(numbers), self.dimensions))
        for column, dimension in enumerate(self._classes):
            x[:, dimension.position] = dimension.positions[numbers[:, column]]
        cells = values * self._points - 0.5
        cells = np.where(self._stepped, np.rint(cells), cells)
        x[:, self._continuous] = np.clip(cells / np.maximum(self._points - 1, 1), 0.0, 1.0)
        return x
