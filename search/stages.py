"""A search as a row of stages: what each proposes, how it is scored, how much it may spend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.archive import Archive
from deepdiva.search.descent import Descents
from deepdiva.search.differential import MixedDifferentialEvolution
from deepdiva.search.given import Given
from deepdiva.search.moves import neighbours
from deepdiva.search.objective import COARSE, FINE
from deepdiva.search.optimizers import AUTO, NevergradSearch, optimizer_name
from deepdiva.search.race import Race
from deepdiva.search.settings import RefineSettings
from deepdiva.search.start import Start
from deepdiva.search.strategy import Strategy

SURVEY_POPULATION = 48
ARM_POPULATION = 12
JUMP_POPULATION = 48
RACE_ARMS, REMATCH_ARMS = 8, 4
RACE_STEP, REMATCH_STEP, POLISH_STEP = 0.4, 0.25, 0.1
"""First steps of the arms, as parts of the start's."""

CHOICE_SHARE = 0.05
"""Part of the budget, at most, in which the best points of an optimizer of Nevergrad are scored by
the finer distance: a generation."""

Begin = Callable[[Archive, int, np.random.Generator], Strategy]


@dataclass(frozen=True)
class Stage:
    """One part of a search.

    Attributes:
        name: what the progress shows.
        until: share of the whole budget, 0 to 1, at which it ends if its strategy is not done
            before; what it leaves goes to the stages after it.
        objective: which distance it minimises.
        begin: makes its strategy from what was scored before by the same objective (the best
            points, where the stage before had another), the evaluations that it may spend, and
            its own source of randomness.
        residuals: whether that strategy learns from residuals and not from distances.
    """

    name: str
    until: float
    objective: str
    begin: Begin
    residuals: bool = False


def plan(
    settings: RefineSettings, start: Start, share: float, *, descends: bool = False
) -> tuple[Stage, ...]:
    """The stages of a search.

    Args:
        settings: of the search.
        start: what is known before.
        share: part of the budget that the stages may spend.
        descends: search by least squares, which needs a renderer that plays a patch twice alike.

    Raises:
        UnknownNameError: an optimizer that Nevergrad does not have.
    """
    name = optimizer_name(settings.optimizer)
    if name != AUTO:
        kept = CHOICE_SHARE
        if settings.evaluations is not None:
            kept = min(kept, settings.population / settings.evaluations)
        return (
            Stage(name, (1.0 - kept) * share, COARSE, _nevergrad(name, settings, start)),
            Stage("choice", share, FINE, _nothing_new),
        )
    stages = [
        Stage("survey", 0.4, COARSE, _survey(start)),
        Stage("race", 0.7, COARSE, _race(start, RACE_ARMS, RACE_STEP)),
        Stage("jumps", 0.75, COARSE, _jumps(start)),
        Stage("rematch", 0.85, COARSE, _race(start, REMATCH_ARMS, REMATCH_STEP)),
        Stage("polish", 1.0, FINE, _race(start, 1, POLISH_STEP)),
    ]
    if descends and len(start.space.continuous):
        stages = [
            Stage("survey", 0.2, COARSE, _survey(start)),
            Stage("descent", 0.9, COARSE, _descents(start), residuals=True),
            stages[-1],
        ]
    if not len(start.space.continuous):
        # With classes alone there is nothing for an arm to search.
        survey, _, jumps, *_ = stages
        stages = [replace(survey, until=0.6), replace(jumps, until=1.0)]
    return tuple(replace(stage, until=stage.until * share) for stage in stages)


def _survey(start: Start) -> Begin:
    """All combinations of classes in one population."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        return MixedDifferentialEvolution(start, SURVEY_POPULATION, rng)

    return begin


def _race(start: Start, arms: int, step: float) -> Begin:
    """The best combinations of classes against each other."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:
        points = archive.ranked(arms, per_combination=1)
        steps = step**2 * start.steps
        return Race(start.space, points, steps, evaluations, ARM_POPULATION, rng)

    return begin


def _jumps(start: Start) -> Begin:
    """Other classes and pitches than those of the best point."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        best = archive.ranked(1)[0]
        return Given(neighbours(best, start)[:evaluations], JUMP_POPULATION)

    return begin


def _nothing_new(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
    """The best points before, which a change of the distance scores again, and no others."""
    return Given(np.empty((0, archive.space.dimensions)), 1)


def _descents(start: Start) -> Begin:
    """The best points, by least squares."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        def jumps(point: NDArray[np.float64]) -> NDArray[np.float64]:
            return neighbours(point, start)[:JUMP_POPULATION]

        return Descents(start.space, archive.ranked(len(archive)), jumps, evaluations)

    return begin


def _nevergrad(name: str, settings: RefineSettings, start: Start) -> Begin:
    """One of Nevergrad's optimizers."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        seed = int(rng.integers(2**31))
        return NevergradSearch(name, start.space, start, evaluations, settings.population, seed)

    return begin
