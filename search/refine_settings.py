"""How a search runs: its budget, its optimizer, its seed. The defaults stand here alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.search.registry import DISTANCES

MODES = {"quick": 1000, "standard": 6000, "thorough": 20000}
"""Named budgets, in evaluations. An evaluation is one candidate, rendered and scored."""

RENDERS = {"quick": 100, "standard": 300, "thorough": 1000}
"""Evaluations of the same modes on a plug-in, where the embedded engine was searched before."""

DEFAULT_MODE = "standard"

SIMPLE_PRICE = 0.02
"""Of a module in use where a preset is to be simple."""

MOST_SEED = 2**32 - 1
"""The highest seed: others are counted on from it, in 64 bits."""


@dataclass(frozen=True, kw_only=True)
class RefineSettings:
    """How a search runs.

    With a budget in evaluations the result depends on these settings and the seed alone, whatever
    the number of workers; with a budget in seconds also on the machine.

    Attributes:
        optimizer: `auto`, this project's own search, one of `OPTIMIZERS`, or any optimizer of
            Nevergrad by name.
        evaluations: candidates that are rendered and scored at most; None for no limit.
        seconds: how long the search may run; None for no limit. One of the two limits must stand.
        target_distance: the search ends when the best match is at most this far from the target;
            None to go on.
        patience: evaluations without a better match after which a stage of the search ends; None
            to go on.
        population: candidates in a generation; it decides the result, so it does not follow the
            number of workers.
        seed: of everything that is drawn at random, start phases in the renderer included.
        jobs: workers side by side; None for one for each core. Does not change the result.
        weights: of distances, by their names in `DISTANCES`; the search minimises their weighted
            sum from beginning to end. None for the measured best, which changes on the way.
        price: what a module in use costs in a search over a whole panel, as a part of the distance.
        held: parameters that keep the values of the base patch. Of others a volume may be set, at
            the end, so that the match is as loud as the target.

    Raises:
        InvalidValueError: a value outside its range, or no limit.
        UnknownNameError: a weight of no known distance.
    """

    optimizer: str = "auto"
    evaluations: int | None = MODES[DEFAULT_MODE]
    seconds: float | None = None
    target_distance: float | None = None
    patience: int | None = None
    population: int = 64
    seed: int = 0
    jobs: int | None = None
    weights: Mapping[str, float] | None = None
    price: float = 0.002
    held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.evaluations is None and self.seconds is None:
            raise InvalidValueError("The search has no limit: give evaluations or seconds.")
        for name, least in (
            ("evaluations", 1),
            ("patience", 1),
            ("population", 4),
            ("seed", 0),
            ("jobs", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InvalidValueError(f"{name} is {value}: it must be at least {least}.")
        if self.seed > MOST_SEED:
            raise InvalidValueError(f"seed is {self.seed}: it must be at most {MOST_SEED}.")
        for name in ("seconds", "target_distance"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InvalidValueError(f"{name} is {value}: it must be a number above 0.")
        if not 0 <= self.price <= 1:
            raise InvalidValueError(f"price is {self.price}: it must be from 0 to 1.")
        for name, weight in (self.weights or {}).items():
            if name not in DISTANCES:
                raise UnknownNameError(
                    f"There is no distance {name!r}: choose from {', '.join(DISTANCES)}."
                )
            if not (math.isfinite(weight) and weight > 0):
                raise InvalidValueError(
                    f"The weight of {name} is {weight}: it must be a number above 0."
                )

    def to_dict(self) -> dict[str, Any]:
        """The settings, ready for JSON; `RefineSettings(**values)` is the way back."""
        return asdict(self)


def mode_evaluations(mode: str) -> int:
    """The budget of a mode.

    Raises:
        UnknownNameError: there is no such mode.
    """
    if mode not in MODES:
        raise UnknownNameError(f"There is no mode {mode!r}: choose from {', '.join(MODES)}.")
    return MODES[mode]
