"""A search as a row of stages: what each proposes, how it is scored, how much it may spend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepdiva.search.archive import Archive
from deepdiva.search.objective import FINE
from deepdiva.search.optimizers import AUTO, NevergradSearch, optimizer_name
from deepdiva.search.settings import RefineSettings
from deepdiva.search.start import Start
from deepdiva.search.strategy import Strategy

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
    """

    name: str
    until: float
    objective: str
    begin: Begin


def plan(settings: RefineSettings, start: Start) -> tuple[Stage, ...]:
    """The stages of a search.

    Raises:
        UnknownNameError: an optimizer that Nevergrad does not have.
    """
    name = optimizer_name(settings.optimizer)
    if name == AUTO:
        name = "TwoPointsDE"
    return (Stage(name, 1.0, FINE, _nevergrad(name, settings, start)),)


def _nevergrad(name: str, settings: RefineSettings, start: Start) -> Begin:
    def begin(archive: Archive, evaluations: int, rng: np.random.Generator) -> Strategy:  # noqa: ARG001
        seed = int(rng.integers(2**31))
        return NevergradSearch(name, start.space, start, evaluations, settings.population, seed)

    return begin
