"""What holds over many strikes: of several points the nearest, and the last steps of a descent.

A search hears every candidate struck in one way, and what happens to beat like the target looks
right. In the mean over strikes that neither the search nor the target had, luck counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.evaluator import Evaluator, Scores
from deepdiva.search.objective import SETTLED

STRIKES = 32
"""A point is struck so many times, at most, to know how far it lies from the target."""

LEAST_STRIKES = 4
"""Fewer tell nothing."""

POPULATION = 16
"""Candidates in a generation."""

Scored = Callable[[NDArray[np.float64], Callable[[], Scores]], Scores]


def nearest(
    evaluator: Evaluator,
    points: NDArray[np.float64],
    objective: str,
    strikes: int,
    seed: int,
    scored: Scored,
) -> NDArray[np.float64]:
    """The point, shape (dimensions,), nearest in the mean over so many strikes.

    Args:
        evaluator: of the search.
        points: shape (count, dimensions), in [0, 1].
        objective: by which it is near.
        strikes: of each point, 1 or more; all points are struck alike.
        seed: of the search, which is none of the strikes'.
        scored: gets the batch and what renders and scores it, and returns the scores.
    """
    struck = np.repeat(points, strikes, axis=0)
    seeds = np.tile(seed + 1 + np.arange(strikes), len(points))
    scores = scored(struck, lambda: evaluator.score(struck, objective, seeds))
    row = int(scores.distances.reshape(-1, strikes).mean(axis=1).argmin())
    best: NDArray[np.float64] = points[row]
    return best


def settle(
    evaluator: Evaluator,
    moving: NDArray[np.intp],
    point: NDArray[np.float64],
    steps: NDArray[np.float64],
    generations: int,
    rng: np.random.Generator,
    scored: Scored,
) -> NDArray[np.float64]:
    """Where a descent ends, shape (dimensions,), that is struck anew in every generation.

    Args:
        evaluator: of the search.
        moving: positions of the parameters that move, one or more, all ordered.
        point: where it begins, shape (dimensions,), in [0, 1]; the others stay.
        steps: covariance of first steps, shape (dimensions, dimensions), where 1 is a parameter's
            whole range.
        generations: of `POPULATION` candidates.
        rng: source of all randomness.
        scored: gets each batch and what renders and scores it, and returns the scores.
    """
    search = CmaEs(point[moving], steps[np.ix_(moving, moving)], rng, POPULATION)
    settled = point.copy()
    for _ in range(generations):
        batch = np.tile(point, (POPULATION, 1))
        batch[:, moving] = search.ask()
        seeds = np.full(POPULATION, rng.integers(2**31))

        def render(batch: NDArray[np.float64] = batch, seeds: NDArray[np.int64] = seeds) -> Scores:
            return evaluator.score(batch, SETTLED, seeds)

        search.tell(batch[:, moving], scored(batch, render).distances)
    # The best candidate had a lucky strike; the mean of the distribution had them all.
    settled[moving] = search.mean
    return settled
