"""The strike of a match that comes nearest to the target: fitted, reported, and never written.

A target was struck once, with phases of its own; a preview is struck with others. So even the very
patch of the target lies some way off, and a search cannot tell that distance from one that it
could still gain. Here the phases are fitted to the target, for one patch: what distance is left
then is the patch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.strikes import Strikes

_DRAWS = 64
_POPULATION = 16
_GENERATIONS = 24
_STEP = 0.08

FIT_EVALUATIONS = _DRAWS + _POPULATION * _GENERATIONS
"""Renders that fitting one patch takes."""


@dataclass(frozen=True, eq=False)
class FittedStrike:
    """The strike of a patch that comes nearest to the target.

    Attributes:
        chances: shape (dimensions,), in [0, 1]; see `Strikes.render`.
        sound: shape (note.samples,), float32.
        distance: reported distance of `sound`.
    """

    chances: NDArray[np.float64]
    sound: NDArray[np.float32]
    distance: float


def fit_strike(
    strikes: Strikes, patch: NDArray[np.float64], evaluator: Evaluator, seed: int
) -> FittedStrike:
    """Fit the chances of one patch to the target.

    The best of many draws, then CMA-ES around it, by the reported distance, which is what phases
    show in.

    Args:
        strikes: plays the patch.
        patch: shape (len(table),), in units.
        evaluator: of the search; knows target, note and workers.
        seed: of the fit, and of whatever else is drawn in a strike.
    """
    rng = np.random.default_rng(seed)
    # A full turn lies between 0.25 and 0.75.
    drawn = rng.uniform(0.25, 0.75, (_DRAWS, strikes.dimensions(patch)))
    distances = evaluator.score_strikes(strikes, patch, drawn)
    best, nearest = drawn[distances.argmin()], float(distances.min())
    search = CmaEs(best, _STEP, rng, _POPULATION)
    for _ in range(_GENERATIONS):
        batch = search.ask()
        distances = evaluator.score_strikes(strikes, patch, batch)
        search.tell(batch, distances)
        if distances.min() < nearest:
            best, nearest = batch[distances.argmin()], float(distances.min())
    return FittedStrike(best, evaluator.strike(strikes, patch, best), nearest)
