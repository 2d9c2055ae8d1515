"""How the note of a match was struck: what shapes a sound and stands in no preset.

Where two oscillators beat, their start phases decide how; two renders of one patch may lie as far
apart as a good match does from its target. A renderer that takes phases as input lets them be
fitted to the target, together with the last digits of the patch, and the distance then tells how
near the patch is and not how lucky its phases were. They are never written into a preset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.evaluator import Evaluator, Scores
from deepdiva.search.objective import FRAMES, REPORTED
from deepdiva.space import ParameterSpace

STRIKE_SHARE = 0.2
"""Part of a search's budget that the fit of the strike takes, where the renderer takes strikes."""

LEAST_EVALUATIONS = 64
"""With less than this nothing is fitted."""

_DRAWN_SHARE = 0.3
"""Part of the evaluations that goes into drawn strikes; two descents from the best follow."""

_FRAMES_SHARE = 0.7
"""Part of the evaluations after which the descent goes on by the reported distance."""

_PATCH_STEP = 0.02
_STRIKE_STEP = 0.04
_POPULATION = 16
_DRAWN_BATCH = 64


@dataclass(frozen=True, eq=False)
class Strike:
    """A match with a strike of its own.

    Attributes:
        point: the patch in its space, shape (dimensions,), in [0, 1].
        sound: shape (note.samples,), float32.
        distance: reported distance of `sound` to the target.
        evaluations: candidates that were rendered and scored.
    """

    point: NDArray[np.float64]
    sound: NDArray[np.float32]
    distance: float
    evaluations: int


def fit_strike(
    evaluator: Evaluator,
    space: ParameterSpace,
    point: NDArray[np.float64],
    evaluations: int,
    seed: int,
    scored: Callable[[NDArray[np.float64], Callable[[], Scores]], Scores],
) -> Strike:
    """Fit start phases and noise to the target, and the ordered parameters with them.

    Args:
        evaluator: of the search, with a renderer that takes strikes.
        space: the free parameters.
        point: the match, shape (dimensions,), in [0, 1]; its classes stay.
        evaluations: candidates to try at most, `LEAST_EVALUATIONS` or more.
        seed: of all chance.
        scored: gets each batch, shape (batch, any), and what renders and scores it, and returns
            the scores: by calling that, or from a record of an earlier run.
    """
    rng = np.random.default_rng([seed, 20211])
    ordered = len(space.continuous)
    size = evaluator.strike_size(point)
    steps = np.r_[np.full(ordered, _PATCH_STEP), np.full(size, _STRIKE_STEP)]

    def points(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = np.tile(point, (len(vectors), 1))
        moved[:, space.continuous] = vectors[:, :ordered]
        return moved

    def strikes(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        # Two turns for the range: no descent has to cross an edge to come full circle.
        return np.mod(2.0 * vectors[:, ordered:], 1.0)

    def score(vectors: NDArray[np.float64], objective: str) -> NDArray[np.float64]:
        return scored(
            vectors,
            lambda: evaluator.score_struck(points(vectors), strikes(vectors), objective),
        ).distances

    drawn = np.empty((round(_DRAWN_SHARE * evaluations), ordered + size))
    drawn[:, :ordered] = point[space.continuous]
    drawn[:, ordered:] = rng.uniform(0.25, 0.75, (len(drawn), size))
    batches = np.array_split(drawn, -(-len(drawn) // _DRAWN_BATCH))
    best = drawn[int(np.concatenate([score(batch, FRAMES) for batch in batches]).argmin())]
    spent = len(drawn)
    for objective, share in ((FRAMES, _FRAMES_SHARE), (REPORTED, 1.0)):
        search = CmaEs(best, steps, rng, _POPULATION)
        search.inject(best[None])
        nearest = np.inf
        while not search.done and spent + _POPULATION <= share * evaluations:
            batch = search.ask()
            distances = score(batch, objective)
            search.tell(batch, distances)
            spent += len(batch)
            if distances.min() < nearest:
                nearest, best = float(distances.min()), batch[int(distances.argmin())]
    sound = evaluator.render_struck(points(best[None]), strikes(best[None]))[0]
    return Strike(points(best[None])[0], sound, float(evaluator.full(sound[None])[0]), spent)
