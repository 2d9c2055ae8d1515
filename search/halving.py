"""Branches, one for each combination of classes, and a race in which the better half goes on.

Each branch searches the ordered parameters with a CMA-ES of its own. Budgets follow successive
halving (K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016, algorithm 1): every round costs about the same, and after it half of
the branches is left. Branches differ in their classes but hear the same target, so at the start of
a round every branch is also given the ordered parameters of the leader.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.strategy import Strategy
from deepdiva.space import ParameterSpace


@dataclass(eq=False)
class _Branch:
    """One combination of classes.

    Attributes:
        point: its best point, shape (dimensions,).
        distance: of that point; infinite before the first generation.
        search: over the ordered parameters.
    """

    point: NDArray[np.float64]
    distance: float
    search: CmaEs


class SuccessiveHalving(Strategy):
    """Successive halving over branches; the last one left runs until it converges.

    Args:
        space: the parameter space.
        points: where each branch starts, shape (branches, space.dimensions), the best first.
        steps: covariance of first steps, shape (space.dimensions, space.dimensions).
        evaluations: what the whole race may cost.
        population: points of each branch in a generation.
        rng: source of all randomness.
    """

    def __init__(
        self,
        space: ParameterSpace,
        points: NDArray[np.float64],
        steps: NDArray[np.float64],
        evaluations: int,
        population: int,
        rng: np.random.Generator,
    ) -> None:
        self._ordered = space.continuous
        self._population = population
        # An branch that cannot have a few generations of its own is no branch.
        chosen = points[: max(1, evaluations // (4 * population))]
        own_steps = steps[np.ix_(self._ordered, self._ordered)]
        rounds = 1 + math.ceil(math.log2(len(chosen)))
        self._branches = [
            _Branch(
                point.copy(),
                math.inf,
                CmaEs(point[self._ordered], own_steps, source, population),
            )
            for point, source in zip(chosen, rng.spawn(len(chosen)), strict=True)
        ]
        self._round_cost = evaluations / rounds
        self._left = self._round_cost
        self._share()

    def ask(self) -> NDArray[np.float64]:
        batch = np.repeat([branch.point for branch in self._branches], self._population, axis=0)
        batch[:, self._ordered] = np.concatenate([branch.search.ask() for branch in self._branches])
        return batch

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        for number, branch in enumerate(self._branches):
            own = slice(number * self._population, (number + 1) * self._population)
            points, scores = batch[own], distances[own]
            branch.search.tell(points[:, self._ordered], scores)
            best = int(scores.argmin())
            if scores[best] < branch.distance:
                branch.point, branch.distance = points[best].copy(), float(scores[best])
        self._left -= len(batch)
        if self._left <= 0 and len(self._branches) > 1:
            self._branches.sort(key=lambda branch: branch.distance)
            del self._branches[math.ceil(len(self._branches) / 2) :]
            self._left = self._round_cost
            self._share()

    def _share(self) -> None:
        """Start every branch's generation with its own best point and the leader's parameters."""
        leader = self._branches[0].point[self._ordered]
        for branch in self._branches:
            branch.search.inject(np.stack([branch.point[self._ordered], leader]))

    @property
    def done(self) -> bool:
        return len(self._branches) == 1 and self._branches[0].search.done
