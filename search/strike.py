"""How the note of a match was struck: what shapes a sound and stands in no preset.

Where two oscillators beat, their start phases decide how; two renders of one patch may lie as far
apart as a good match does from its target. A renderer that takes phases as input lets them be
fitted to the target, together with the last digits of the patch, and the distance then tells how
near the patch is and not how lucky its phases were. They are never written into a preset.

A fit that does not find the phases bends the patch instead. So what it made of the patch has to be
nearer to the target in the mean over many strikes, too, and from there the patch goes its last
steps, struck anew at every step. In the end phases are fitted to the patch as it is.

A wrong wave may happen to beat like the target. So before anything is fitted, the best of a few
combinations of classes are struck several times, and the one that is nearest in the mean goes on.

How many numbers a strike has may depend on the patch: on how many voices play. What decides it is
held, as classes are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.objective import FRAMES, REPORTED, SETTLED, STEADY
from deepdiva.search.steady import LEAST_STRIKES, POPULATION, STRIKES, Scored, nearest, settle
from deepdiva.search.strategy import reflect
from deepdiva.space import ParameterSpace

STRIKE_SHARE = 0.2
"""Part of a search's budget that the fit of the strike takes, where the renderer takes strikes."""

LEAST_EVALUATIONS = 64
"""With less than this nothing is fitted."""

COMBINATIONS = 4
"""So many combinations of classes are struck several times each, at most."""

CHOICE_SHARE = 0.15
"""Part of the evaluations, at most, in which combinations are struck."""

_FIT_SHARE, _SETTLING_SHARE = 0.55, 0.3
"""Parts of what is then left for the patch with its phases and for the patch in the mean over many
strikes; the rest is for the phases alone."""

_STRUCK_PART = 8
"""Four points are struck several times while the patch settles, in half of those evaluations at
most."""

_DRAWN_SHARE, _MOST_DRAWN = 0.3, 320
"""Part of the evaluations that goes into drawn strikes, and how many at most; descents from the
best follow."""

_FRAMES_SHARE = 0.7
"""Part of the evaluations after which the descent goes on by the reported distance."""

_REACHES = 0.04 / 4.0 ** np.arange(5)
"""First steps that are tried in each coordinate, the longest first."""

_PROBED_SHARE = 0.35
"""Part of the evaluations that this may take; with less, only the shortest are tried."""

_GROWTH = 0.1
"""The longest by which the distance grows by no more than this part is taken."""

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
    contenders: NDArray[np.float64],
    steps: NDArray[np.float64],
    evaluations: int,
    seed: int,
    scored: Scored,
) -> Strike:
    """Fit start phases and noise to the target, and the ordered parameters with them.

    The parameters then settle in the mean over many strikes, and the phases are fitted once more,
    to that patch. With too few evaluations for that the patch stays as it is.

    Args:
        evaluator: of the search, with a renderer that takes strikes.
        space: the free parameters.
        contenders: matches of different classes, the best first, shape (1 to `COMBINATIONS`,
            dimensions), in [0, 1]. One of them is chosen; its classes stay, and how many voices
            play.
        steps: covariance of first steps of a patch that is nearly there, shape (dimensions,
            dimensions), where 1 is a parameter's whole range.
        evaluations: candidates to try at most, `LEAST_EVALUATIONS` or more.
        seed: of all chance.
        scored: gets each batch, shape (batch, any), and what renders and scores it, and returns
            the scores: by calling that, or from a record of an earlier run.
    """
    point, spent = contenders[0], 0
    strikes = min(STRIKES, int(CHOICE_SHARE * evaluations / len(contenders)))
    if len(contenders) > 1 and strikes >= LEAST_STRIKES:
        point = nearest(evaluator, contenders, STEADY, strikes, seed, scored)
        spent = len(contenders) * strikes
    left = evaluations - spent
    rng = np.random.default_rng([seed, 20211])
    moving = _moving(evaluator, space, point)
    settling = round(_SETTLING_SHARE * left)
    strikes = min(STRIKES, settling // _STRUCK_PART)
    if strikes < LEAST_STRIKES:
        moving = moving[:0]  # nothing would show whether another patch is nearer in the mean
    fit = _Fit(evaluator, moving, point, rng, scored)
    if not len(moving):
        fit.run(left)
        return fit.strike(spent + fit.spent)
    fit.run(round(_FIT_SHARE * left))
    point = nearest(evaluator, np.stack([point, fit.point]), SETTLED, strikes, seed, scored)
    generations = (settling - 4 * strikes) // POPULATION
    settled = settle(evaluator, moving, point, steps, generations, rng, scored)
    point = nearest(evaluator, np.stack([point, settled]), SETTLED, strikes, seed, scored)
    spent += fit.spent + 4 * strikes + generations * POPULATION
    held = _Fit(evaluator, moving[:0], point, rng, scored, fit.phases)
    held.run(evaluations - spent)
    return held.strike(spent + held.spent)


def _moving(
    evaluator: Evaluator, space: ParameterSpace, point: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Positions of the ordered parameters that do not decide how many numbers a strike has."""
    size = evaluator.strike_size(point)

    def decides(position: int) -> bool:
        parameter = space.parameters[position]
        others = np.tile(point, (len(parameter.choices) or 2, 1))
        others[:, position] = parameter.choice_positions if parameter.choices else (0.0, 1.0)
        return any(evaluator.strike_size(other) != size for other in others)

    ordered = space.continuous
    return ordered[[not decides(position) for position in ordered]]


class _Fit:
    """A descent over vectors that hold ordered parameters and a strike.

    Args:
        evaluator: of the search.
        moving: positions of the parameters that may move, all ordered; none for the strike alone.
        point: where it begins, shape (dimensions,).
        rng: source of all randomness.
        scored: as for `fit_strike`.
        phases: a strike that is tried, too, as the attribute gives it.

    Attributes:
        distance: of the best vector, by the objective of the last descent.
        spent: evaluations so far.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        moving: NDArray[np.intp],
        point: NDArray[np.float64],
        rng: np.random.Generator,
        scored: Scored,
        phases: NDArray[np.float64] | None = None,
    ) -> None:
        self.distance = np.inf
        self.spent = 0
        self._evaluator = evaluator
        self._moving = moving
        self._tried = phases
        self._point = point
        self._rng = rng
        self._scored = scored
        self._size = evaluator.strike_size(point)
        self._best = np.empty(0)
        self._deviations = np.empty(0)
        self._search: CmaEs | None = None
        self._objective = ""

    def run(self, evaluations: int) -> None:
        """Draw strikes, see how far steps may reach, go down, with so many evaluations at most."""
        self._draw(min(_MOST_DRAWN, round(_DRAWN_SHARE * evaluations)))
        self._probe(round(_PROBED_SHARE * evaluations))
        self._descend(FRAMES, _FRAMES_SHARE * evaluations)
        self._descend(REPORTED, evaluations)

    @property
    def point(self) -> NDArray[np.float64]:
        """The patch of the best vector, shape (dimensions,)."""
        points, _ = self._parts(self._best[None])
        point: NDArray[np.float64] = points[0]
        return point

    @property
    def phases(self) -> NDArray[np.float64]:
        """The strike of the best vector, shape (strike size,), as a part of the vector."""
        return self._best[len(self._moving) :]

    def _draw(self, count: int) -> None:
        """Take the best of so many strikes."""
        ordered = len(self._moving)
        drawn = np.empty((count, ordered + self._size))
        drawn[:, :ordered] = self._point[self._moving]
        drawn[:, ordered:] = self._rng.uniform(0.25, 0.75, (count, self._size))
        if self._tried is not None:
            drawn[0, ordered:] = self._tried
        batches = np.array_split(drawn, -(-count // _DRAWN_BATCH))
        distances = np.concatenate([self._score(batch, FRAMES) for batch in batches])
        self._best, self.distance = drawn[distances.argmin()], float(distances.min())

    def _probe(self, most: int) -> None:
        """See how far first steps may reach, with so many evaluations at most.

        A hundredth of a semitone puts two oscillators out of step, a twentieth of the decay is not
        heard, and a number that picks a piece of noise has no valley at all.
        """
        size = self._best.size
        self._deviations = np.full(size, _REACHES[-1])
        reaches = _REACHES[max(0, len(_REACHES) - most // size) :]
        if not len(reaches):
            return
        steps = np.concatenate([np.diag(np.full(size, reach)) for reach in reaches])
        there = self._score(reflect(self._best + steps), FRAMES).reshape(len(reaches), size)
        near = there <= (1.0 + _GROWTH) * self.distance
        self._deviations[near.any(axis=0)] = reaches[near.argmax(axis=0)][near.any(axis=0)]

    def _descend(self, objective: str, until: float) -> None:
        """Go down from the best vector until so many evaluations are spent."""
        if self._search is None or objective != self._objective:
            self._search = CmaEs(self._best, self._deviations, self._rng, POPULATION)
            self._search.inject(self._best[None])
            self._objective, self.distance = objective, np.inf
        while not self._search.done and self.spent + POPULATION <= until:
            batch = self._search.ask()
            distances = self._score(batch, objective)
            self._search.tell(batch, distances)
            if distances.min() < self.distance:
                self._best, self.distance = batch[distances.argmin()], float(distances.min())

    def strike(self, evaluations: int) -> Strike:
        """The best vector as a match."""
        points, strikes = self._parts(self._best[None])
        sound = self._evaluator.render_struck(points, strikes)[0]
        distance = float(self._evaluator.full(sound[None])[0])
        return Strike(points[0], sound, distance, evaluations)

    def _parts(
        self, vectors: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points and strikes that vectors stand for."""
        ordered = len(self._moving)
        points = np.tile(self._point, (len(vectors), 1))
        points[:, self._moving] = vectors[:, :ordered]
        # Two turns for the range: no descent has to cross an edge to come full circle.
        return points, np.mod(2.0 * vectors[:, ordered:], 1.0)

    def _score(self, vectors: NDArray[np.float64], objective: str) -> NDArray[np.float64]:
        points, strikes = self._parts(vectors)
        self.spent += len(vectors)
        return self._scored(
            vectors, lambda: self._evaluator.score_struck(points, strikes, objective)
        ).distances
