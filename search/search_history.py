"""Every candidate of a search, as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.archive import Archive
from deepdiva.search.evaluator import Scores
from deepdiva.space import ParameterSpace


@dataclass(frozen=True, eq=False)
class Generation:
    """A batch that was scored.

    Attributes:
        stage: name of the stage.
        objective: name of the distance that the stage minimises.
        points: shape (batch, dimensions), in [0, 1].
        scores: of these points.
        seconds: since the search began, when it was scored.
    """

    stage: str
    objective: str
    points: NDArray[np.float64]
    scores: Scores
    seconds: float


class History:
    """The generations of one search, in order.

    Args:
        space: what the points mean.
    """

    def __init__(self, space: ParameterSpace) -> None:
        self.space = space
        self.generations: list[Generation] = []

    def add(self, generation: Generation) -> None:
        """Append a generation."""
        self.generations.append(generation)

    @property
    def evaluations(self) -> int:
        """Candidates in all generations."""
        return sum(len(generation.points) for generation in self.generations)

    def progress(self) -> list[Generation]:
        """For each generation, the one that held the best candidate so far.

        By the objective of that time: where it changes, the count begins anew.
        """
        leaders: list[Generation] = []
        for generation in self.generations:
            last = leaders[-1] if leaders else None
            if (
                last is None
                or last.objective != generation.objective
                or generation.scores.distances.min() < last.scores.distances.min()
            ):
                leaders.append(generation)
            else:
                leaders.append(last)
        return leaders

    def wide(self) -> Archive:
        """The candidates that the first objective scored: those of the wide search."""
        archive = Archive(self.space)
        for generation in self.generations:
            if generation.objective == self.generations[0].objective:
                archive.add(generation.points, generation.scores.distances)
        return archive

    def csv(self) -> str:
        """The table as text, one row for each candidate, parameters in units.

        Columns: evaluation (counting from 1), generation (from 1), stage, objective, seconds,
        distance by that objective, then the free parameters by name.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        first = ("evaluation", "generation", "stage", "objective", "seconds", "distance")
        writer.writerow([*first, *self.space.names])
        evaluation = 0
        for number, generation in enumerate(self.generations, start=1):
            values = self.space.patches(generation.points)[:, self.space.columns]
            for row, distance in zip(values, generation.scores.distances, strict=True):
                evaluation += 1
                writer.writerow(
                    [
                        evaluation,
                        number,
                        generation.stage,
                        generation.objective,
                        f"{generation.seconds:.3f}",
                        f"{distance:.6g}",
                        *(f"{value:.8g}" for value in row),
                    ]
                )
        return text.getvalue()
