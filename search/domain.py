"""What the vectors of a strategy stand for: points alone, or points with how they are rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Domain:
    """Some parameters of a point, and behind them numbers that only the renderer knows.

    A vector holds the moving parameters, then the render-side latents: start phases and the like,
    which shape a sound and stand in no preset (`deepdiva.renderer.Renderer.render_realizations`).

    Attributes:
        point: holds the parameters that do not move, shape (dimensions,).
        moving: positions of those that do, all ordered; may be empty.
        latents: how many numbers the renderer takes beside a patch.
    """

    point: NDArray[np.float64]
    moving: NDArray[np.intp]
    latents: int

    def points(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of vectors, shape (batch, dimensions)."""
        points = np.tile(self.point, (len(vectors), 1))
        points[:, self.moving] = vectors[:, : len(self.moving)]
        return points

    def realizations(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the renderer takes beside the patches, shape (batch, latents), in [0, 1].

        Two turns for the range: no descent has to cross an edge to come full circle.
        """
        return np.mod(2.0 * vectors[:, len(self.moving) :], 1.0)
