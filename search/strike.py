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

from deepdiva.distance import SEARCH, SpectralDistance
from deepdiva.note import Note
from deepdiva.renderer import StruckRenderer
from deepdiva.search.cmaes import CmaEs
from deepdiva.space import ParameterSpace

DRAWN_SHARE = 0.3
"""Part of the evaluations that goes into drawn strikes; a descent from the best follows."""

FIRST_STEP = 0.02
STRIKE_STEP = 0.08
POPULATION = 16


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
    renderer: StruckRenderer,
    space: ParameterSpace,
    point: NDArray[np.float64],
    target: NDArray[np.float32],
    note: Note,
    reported: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    evaluations: int,
    seed: int,
) -> Strike:
    """Fit start phases and noise to the target, and the continuous parameters with them.

    Args:
        renderer: that takes strikes.
        space: the free parameters.
        point: the match, shape (dimensions,), in [0, 1]; its classes stay.
        target: shape (note.samples,), float32.
        note: what is played.
        reported: distances to the target, shape (batch,), of sounds; that of the end.
        evaluations: how many candidates to try.
        seed: of all chance.
    """
    rng = np.random.default_rng([seed, 20211])
    size = renderer.strike_size(space.patches(point[None])[0])
    free = space.continuous
    coarse = SpectralDistance(target, note.sample_rate, SEARCH)

    def play(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
        points = np.tile(point, (len(vectors), 1))
        points[:, free] = vectors[:, : len(free)]
        return renderer.render_struck(space.patches(points), note, vectors[:, len(free) :], seed)

    drawn = np.empty((max(POPULATION, round(DRAWN_SHARE * evaluations)), len(free) + size))
    drawn[:, : len(free)] = point[free]
    drawn[:, len(free) :] = rng.random((len(drawn), size))
    distances = np.concatenate(
        [coarse(play(drawn[at : at + 256])) for at in range(0, len(drawn), 256)]
    )
    best = drawn[int(distances.argmin())]
    spent = len(drawn)
    steps = np.r_[np.full(len(free), FIRST_STEP), np.full(size, STRIKE_STEP)]
    judges: tuple[tuple[Callable[..., NDArray[np.float64]], float], ...] = (
        (coarse, 0.7),
        (reported, 1.0),
    )
    for distance, share in judges:
        search = CmaEs(best, steps, rng, population=POPULATION)
        nearest = float(distance(play(best[None]))[0])
        while not search.done and spent + POPULATION <= share * evaluations:
            batch = search.ask()
            scores = distance(play(batch))
            search.tell(batch, scores)
            spent += len(batch)
            if scores.min() < nearest:
                nearest = float(scores.min())
                best = batch[int(scores.argmin())]
    found = point.copy()
    found[free] = best[: len(free)]
    sound = play(best[None])
    return Strike(found, sound[0], float(reported(sound)[0]), spent)
