"""How the note of a match was played: what shapes a sound and stands in no preset.

Where two oscillators beat, their start phases decide how; two renders of one patch may lie as far
apart as a good match does from its target. A renderer that takes phases as input lets them be
fitted to the target, together with the last digits of the patch, and the distance then tells how
near the patch is and not how lucky its phases were. They are never written into a preset.

A fit that does not find the phases bends the patch instead. So what it made of the patch has to be
nearer to the target in the mean over many seeds, too, and from there the patch goes its last steps,
each with a new seed. In the end phases are fitted to the patch as it is.

A wrong wave may happen to beat like the target. So before anything is fitted, the best of a few
combinations of classes are rendered with several seeds, and the one that is nearest in the mean
goes on.

How many phases a patch has may depend on the patch: on how many voices play. What decides it is
held, as classes are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.averaging import POPULATION, NoiseAveragedDescent
from deepdiva.search.domain import Domain
from deepdiva.search.enqueued import EnqueuedPoints
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.objective import FRAMES, REPORTED, SETTLED, STEADY
from deepdiva.search.phases import PhaseDescent, PhaseDraws
from deepdiva.search.stages import Stage
from deepdiva.search.strategy import Strategy
from deepdiva.space import ParameterSpace

REALIZATION_SHARE = 0.2
"""Part of a search's budget that the fit takes, where the renderer takes phases."""

PANEL_REALIZATION_SHARE = 0.06
"""The same of a search over a whole panel, where only the phases are fitted."""

LEAST_EVALUATIONS = 64
"""With less than this nothing is fitted."""

COMBINATIONS = 4
"""So many combinations of classes are rendered with several seeds each, at most."""

CHOICE_SHARE = 0.15
"""Part of the evaluations, at most, in which this is done."""

SEEDS = 32
"""A point is rendered with so many seeds, at most, to know how far it lies from the target."""

LEAST_SEEDS = 4
"""Fewer tell nothing."""

NAME = "realization"
"""What the progress shows."""

_FIT_SHARE, _SETTLING_SHARE = 0.55, 0.3
"""Parts of what is then left for the patch with its phases and for the patch in the mean over many
seeds; the rest is for the phases alone."""

_SEEDS_PART = 8
"""Four points are rendered with several seeds while the patch settles, in half of those
evaluations at most."""

_FRAMES_SHARE = 0.7
"""Part of the evaluations of a fit after which the descent goes on by the reported distance."""

Drive = Callable[[Strategy, Stage], None]
"""Asks a strategy, scores what it proposes as the stage says, and tells it, until it is done."""


@dataclass(frozen=True, eq=False)
class Realization:
    """A match with start phases of its own.

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


def fit_realization(
    drive: Drive,
    evaluator: Evaluator,
    space: ParameterSpace,
    candidates: NDArray[np.float64],
    steps: NDArray[np.float64],
    evaluations: int,
    seed: int,
) -> Realization:
    """Fit start phases and noise to the target, and the ordered parameters with them.

    The parameters then settle in the mean over many seeds, and the phases are fitted once more, to
    that patch. With too few evaluations for that the patch stays as it is.

    Args:
        drive: the loop of the search.
        evaluator: of the search, with a renderer that takes phases.
        space: the free parameters.
        candidates: matches of different classes, the best first, shape (1 to `COMBINATIONS`,
            dimensions), in [0, 1]. One of them is chosen; its classes stay, and how many voices
            play.
        steps: covariance of first steps of a patch that is nearly there, shape (dimensions,
            dimensions), where 1 is a parameter's whole range.
        evaluations: candidates to try at most, `LEAST_EVALUATIONS` or more.
        seed: of all chance.
    """
    fit = _Fit(drive, evaluator, space, seed)
    point = candidates[0]
    count = min(SEEDS, int(CHOICE_SHARE * evaluations / len(candidates)))
    if len(candidates) > 1 and count >= LEAST_SEEDS:
        point = fit.nearest(candidates, STEADY, count)
    left = evaluations - fit.spent
    moving = _moving(evaluator, space, point)
    settling = round(_SETTLING_SHARE * left)
    count = min(SEEDS, settling // _SEEDS_PART)
    # With too few seeds nothing would show whether another patch is nearer in the mean.
    if count < LEAST_SEEDS or not len(moving):
        return fit.realization(*fit.phases(point, moving[:0], left))
    domain, vector = fit.phases(point, moving, round(_FIT_SHARE * left))
    [bent] = domain.points(vector[None])
    point = fit.nearest(np.stack([point, bent]), SETTLED, count)
    generations = (settling - 4 * count) // POPULATION
    settled = fit.settled(point, moving, steps, generations)
    point = fit.nearest(np.stack([point, settled]), SETTLED, count)
    tried = vector[len(moving) :]
    return fit.realization(*fit.phases(point, moving[:0], evaluations - fit.spent, tried))


def fit_phases(
    drive: Drive,
    evaluator: Evaluator,
    space: ParameterSpace,
    point: NDArray[np.float64],
    evaluations: int,
    seed: int,
) -> Realization:
    """Fit start phases and noise to the target, and leave the patch as it is.

    Takes what `fit_realization` does, of one point.
    """
    fit = _Fit(drive, evaluator, space, seed)
    return fit.realization(*fit.phases(point, np.empty(0, np.intp), evaluations))


def _moving(
    evaluator: Evaluator, space: ParameterSpace, point: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Positions of the ordered parameters that do not decide how many phases a patch has."""
    size = evaluator.realization_size(point)

    def decides(position: int) -> bool:
        parameter = space.parameters[position]
        others = np.tile(point, (len(parameter.choices) or 2, 1))
        others[:, position] = parameter.choice_positions if parameter.choices else (0.0, 1.0)
        return any(evaluator.realization_size(other) != size for other in others)

    ordered = space.continuous
    return ordered[[not decides(position) for position in ordered]]


class _Fit:
    """The stages of a fit.

    Attributes:
        spent: evaluations so far.
    """

    def __init__(
        self, drive: Drive, evaluator: Evaluator, space: ParameterSpace, seed: int
    ) -> None:
        self.spent = 0
        self._drive = drive
        self._evaluator = evaluator
        self._space = space
        self._seed = seed
        self._rng = np.random.default_rng([seed, 20211])

    def nearest(
        self, points: NDArray[np.float64], objective: str, count: int
    ) -> NDArray[np.float64]:
        """The point, shape (dimensions,), nearest in the mean over so many seeds.

        None of them is the search's.
        """
        seeds = self._seed + 1 + np.arange(count)
        choice = EnqueuedPoints(points, len(points))
        self._drive(choice, Stage(NAME, objective, seeds=lambda: seeds))
        self.spent += len(points) * count
        return choice.best

    def settled(
        self,
        point: NDArray[np.float64],
        moving: NDArray[np.intp],
        steps: NDArray[np.float64],
        generations: int,
    ) -> NDArray[np.float64]:
        """Where a descent from a point ends, shape (dimensions,), with ever new seeds."""
        descent = NoiseAveragedDescent(point, moving, steps, generations, self._rng)

        def anew() -> NDArray[np.int64]:
            return np.array([self._rng.integers(2**31)])

        self._drive(descent, Stage(NAME, SETTLED, seeds=anew))
        self.spent += generations * POPULATION
        return descent.point

    def phases(
        self,
        point: NDArray[np.float64],
        moving: NDArray[np.intp],
        evaluations: int,
        tried: NDArray[np.float64] | None = None,
    ) -> tuple[Domain, NDArray[np.float64]]:
        """The best phases of a point, and what became of its moving parameters with them.

        Returns:
            The vector, and the domain that says what it means.
        """
        domain = Domain(point, moving, self._evaluator.realization_size(point))
        by_frames = Stage(NAME, FRAMES, domain=domain)
        as_reported = Stage(NAME, REPORTED, domain=domain)
        draws = PhaseDraws(point[moving], domain.latents, evaluations, self._rng, tried)
        self._drive(draws, by_frames)
        spent = draws.spent
        descent = PhaseDescent(
            draws.best, draws.deviations, _FRAMES_SHARE * evaluations - spent, self._rng
        )
        self._drive(descent, by_frames)
        spent += descent.spent
        finer = PhaseDescent(descent.best, draws.deviations, evaluations - spent, self._rng)
        self._drive(finer, as_reported)
        self.spent += spent + finer.spent
        return domain, finer.best

    def realization(self, domain: Domain, vector: NDArray[np.float64]) -> Realization:
        """A vector as a match."""
        points, phases = domain.points(vector[None]), domain.realizations(vector[None])
        [sound] = self._evaluator.render(points, phases)
        distance = float(self._evaluator.full(sound[None])[0])
        return Realization(points[0], sound, distance, self.spent)
