"""A search as a row of stages: what each proposes, how it is scored, how much it may spend."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.search.archive import Archive
from deepdiva.search.descent import Descents
from deepdiva.search.differential import MixedDifferentialEvolution
from deepdiva.search.domain import Domain
from deepdiva.search.enqueued import EnqueuedPoints
from deepdiva.search.halving import SuccessiveHalving
from deepdiva.search.moves import neighbours
from deepdiva.search.objective import COARSE, FINE, GUIDE, REPORTED
from deepdiva.search.optimizers import AUTO, NevergradSearch, optimizer_name
from deepdiva.search.panel_search import PanelSearch
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.registry import OPTIMIZERS
from deepdiva.search.start import Start
from deepdiva.search.strategy import Strategy
from deepdiva.space import ParameterSpace
from deepdiva.synths.structure import Structure

SURVEY_POPULATION = 48
BRANCH_POPULATION = 12
JUMP_POPULATION = 48
FIRST_BRANCHES, SECOND_BRANCHES = 8, 4
RACE_STEP, REMATCH_STEP, POLISH_STEP = 0.4, 0.25, 0.1
"""First steps of the branches, as parts of the start's."""

LEAST_PANEL = 32
"""Free parameters from which on a space is searched as a panel."""

CHOICE_SHARE = 0.05
"""Part of the budget, at most, in which the best points of an optimizer of Nevergrad are scored by
the finer distance: a generation."""

Begin = Callable[[Archive, int, np.random.Generator], Strategy]


@dataclass(frozen=True, eq=False)
class Stage:
    """How the candidates of one part of a search are rendered and scored.

    Candidates that are points of the space, rendered with the seed of the search, can be compared
    with each other: they make up its archive and its history.

    Attributes:
        name: what the progress shows.
        objective: which distance it minimises.
        residuals: whether its strategy learns from residuals and not from distances.
        guide: a second objective, whose distances its strategy learns beside those of the first,
            and the residuals behind them where it wants some; empty for none.
        seeds: called for every batch, gives the seeds, shape (any,), with which each candidate is
            rendered; its strategy learns the mean over them. None for the seed of the search.
        domain: what the vectors of its strategy mean; None for points of the space.
    """

    name: str
    objective: str
    residuals: bool = False
    guide: str = ""
    seeds: Callable[[], NDArray[np.int64]] | None = None
    domain: Domain | None = None

    @property
    def comparable(self) -> bool:
        """Whether its candidates can be compared with those of other such stages."""
        return self.seeds is None and self.domain is None


@dataclass(frozen=True)
class Part:
    """One part of a plan.

    Attributes:
        stage: how its candidates are scored.
        until: share of the whole budget, 0 to 1, at which it ends if its strategy is not done
            before; what it leaves goes to the parts after it.
        begin: makes its strategy from what was scored before by the same objective (the best
            points, where the part before had another), the evaluations that it may spend, and
            its own source of randomness.
    """

    stage: Stage
    until: float
    begin: Begin


def plan(
    settings: RefineSettings, start: Start, share: float, *, descends: bool = False
) -> tuple[Part, ...]:
    """The parts of a search.

    Args:
        settings: of the search.
        start: what is known before.
        share: part of the budget that they may spend.
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
            Part(Stage(name, COARSE), (1.0 - kept) * share, _alone(name, settings, start)),
            Part(Stage("choice", FINE), share, _nothing_new),
        )
    parts = [
        Part(Stage("survey", COARSE), 0.4, _survey(start)),
        Part(Stage("race", COARSE), 0.7, _race(start, FIRST_BRANCHES, RACE_STEP)),
        Part(Stage("jumps", COARSE), 0.75, _jumps(start)),
        Part(Stage("rematch", COARSE), 0.85, _race(start, SECOND_BRANCHES, REMATCH_STEP)),
        Part(Stage("polish", FINE), 1.0, _race(start, 1, POLISH_STEP)),
    ]
    if descends and len(start.space.continuous):
        parts = [
            Part(Stage("survey", COARSE), 0.2, _survey(start)),
            Part(Stage("descent", COARSE, residuals=True), 0.9, _descents(start)),
            parts[-1],
        ]
    if not len(start.space.continuous):
        # With classes alone there is nothing for a branch to search.
        survey, _, jumps, *_ = parts
        parts = [replace(survey, until=0.6), replace(jumps, until=1.0)]
    return tuple(replace(part, until=part.until * share) for part in parts)


def panel_plan(
    settings: RefineSettings,
    start: Start,
    share: float,
    structure: Structure,
    note: Note | None,
    told: Collection[str] = (),
) -> tuple[Part, ...]:
    """The one part of a search over a whole panel.

    Args:
        settings: of the search.
        start: what is known before.
        share: part of the budget that it may spend.
        structure: of the synthesizer.
        note: for which patches are drawn; None for no draws.
        told: parameters that the target tells though a single note does not.
    """

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        return PanelSearch(start, structure, note, settings.price, rng, told)

    return (Part(Stage("panel", REPORTED, residuals=True, guide=GUIDE), share, begin),)


def is_panel(space: ParameterSpace, settings: RefineSettings, structure: Structure | None) -> bool:
    """Whether a space is a panel to be searched as a tree of models."""
    wide = len(space.names) >= LEAST_PANEL
    return structure is not None and wide and optimizer_name(settings.optimizer) == AUTO


def _survey(start: Start) -> Begin:
    """All combinations of classes in one population."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        return MixedDifferentialEvolution(start, SURVEY_POPULATION, rng)

    return begin


def _race(start: Start, branches: int, step: float) -> Begin:
    """The best combinations of classes against each other."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:
        points = archive.ranked(branches, per_combination=1)
        steps = step**2 * start.steps
        return SuccessiveHalving(start.space, points, steps, evaluations, BRANCH_POPULATION, rng)

    return begin


def _jumps(start: Start) -> Begin:
    """Other classes and pitches than those of the best point."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        best = archive.ranked(1)[0]
        return EnqueuedPoints(neighbours(best, start)[:evaluations], JUMP_POPULATION)

    return begin


def _nothing_new(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
    """The best points before, which a change of the distance scores again, and no others."""
    return EnqueuedPoints(np.empty((0, archive.space.dimensions)), 1)


def _descents(start: Start) -> Begin:
    """The best points, by least squares."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        def jumps(point: NDArray[np.float64]) -> NDArray[np.float64]:
            return neighbours(point, start)[:JUMP_POPULATION]

        return Descents(start.space, archive.ranked(len(archive)), jumps, evaluations)

    return begin


def _alone(name: str, settings: RefineSettings, start: Start) -> Begin:
    """An optimizer from beginning to end: one of `OPTIMIZERS`, or of Nevergrad."""

    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        if name in OPTIMIZERS:
            return OPTIMIZERS[name].make(start, evaluations, settings.population, rng)
        seed = int(rng.integers(2**31))
        return NevergradSearch(name, start.space, start, evaluations, settings.population, seed)

    return begin
