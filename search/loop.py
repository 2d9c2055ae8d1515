"""The loop of a search: ask a strategy, render and score what it proposes, tell it, keep the best.

Everything that a search renders to find its match goes through this loop, whether a batch holds
points, points with start phases, or points that are rendered with many seeds.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.search.archive import Archive
from deepdiva.search.budget import Budget
from deepdiva.search.enqueued import EnqueuedPoints
from deepdiva.search.evaluator import Evaluator, Scores
from deepdiva.search.journal import Journal
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.search_history import Generation, History
from deepdiva.search.stages import Part, Stage
from deepdiva.search.strategy import Strategy

End = Literal["budget", "target", "done", "interrupted"]


@dataclass(frozen=True, eq=False)
class Leaders:
    """The best of several combinations of classes.

    Attributes:
        patches: shape (any, len(table)), in units, at the level of the target; by the objective of
            the stage, the nearest first.
        distances: reported distance of each, shape (any,).
    """

    patches: NDArray[np.float64]
    distances: NDArray[np.float64]


def _nobody(count: int) -> Leaders:
    """Leads where nobody is known to."""
    return Leaders(np.empty((0 * count, 0)), np.empty(0))


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a generation.

    Attributes:
        stage: what it does, a word or two.
        evaluations: candidates so far.
        seconds: time so far.
        share: part of the budget that is spent, 0 to 1.
        rate: evaluations per second.
        left_seconds: time that the rest will take.
        distance: reported distance of the best match so far.
        improved: this generation brought a better match.
        patch: the best match so far, shape (len(table),), in units, as a preset holds it.
        recalled: the generation was not rendered, but recalled from the record of the search.
        leaders: called with a number, gives the best of so many combinations of classes at most;
            renders each of them.
    """

    stage: str
    evaluations: int
    seconds: float
    share: float
    rate: float
    left_seconds: float
    distance: float
    improved: bool
    patch: NDArray[np.float64]
    recalled: bool = False
    leaders: Callable[[int], Leaders] = field(default=_nobody, repr=False)


class SearchLoop:
    """The loop over parts and generations, and what it knows.

    Args:
        evaluator: renders and scores.
        settings: of the search.
        history: gets every candidate that can be compared with the others.
        journal: where generations are recorded, and recalled from instead of rendered.
        on_progress: called after every generation, in the calling thread.
        combination: see `Archive`.

    Attributes:
        budget: what is spent.
        history: as given.
        best: the best match so far, shape (dimensions,); None before the first.
        failures: candidates that could not be played, counted by reason.
        interrupted: Ctrl-C ended it.
        rendering: seconds in which candidates were rendered and scored, without those recalled.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        settings: RefineSettings,
        history: History,
        journal: Journal | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        combination: Sequence[int] | None = None,
    ) -> None:
        self.budget = Budget(settings)
        self.history = history
        self.best: NDArray[np.float64] | None = None
        self.failures: Counter[str] = Counter()
        self.interrupted = False
        self.rendering = 0.0
        self._full = math.inf
        self._gain: float | None = None
        self._evaluator = evaluator
        self._settings = settings
        self._journal = journal
        self._on_progress = on_progress
        self._combination = combination
        self._archive = Archive(history.space, combination)
        self._objective = ""
        self._recalled = False
        self._began = time.monotonic()

    @property
    def distance(self) -> float:
        """Reported distance of the best match so far; infinite before the first."""
        return self._full

    def leaders(self, count: int) -> NDArray[np.float64]:
        """The best match and the next few, shape (at most count, dimensions)."""
        if self.best is None:
            return np.empty((0, self.history.space.dimensions))
        others = [
            point for point in self._archive.ranked(count) if not np.array_equal(point, self.best)
        ]
        return np.array([self.best, *others[: count - 1]])

    def run(self, parts: tuple[Part, ...]) -> End:
        """Run all parts of a plan; why they ended."""
        seeds = np.random.SeedSequence(self._settings.seed).spawn(len(parts))
        try:
            for part, seed in zip(parts, seeds, strict=True):
                self._change_objective(part)
                left = self.budget.until(part.until)
                # Without a first generation there is nothing for later parts to begin with.
                begun = part is parts[0] or self.best is not None
                if left > 0 and begun and not self._ended():
                    strategy = part.begin(self._archive, left, np.random.default_rng(seed))
                    self.drive(strategy, part.stage, part.until)
                if self._ended():
                    break
        except KeyboardInterrupt:
            if self.best is None:
                raise
            self.interrupted = True
            return "interrupted"
        if self.budget.share >= parts[-1].until:
            return "budget"
        return self._ended() or "done"

    def drive(self, strategy: Strategy, stage: Stage, until: float | None = None) -> None:
        """Ask, score, tell, until the strategy is done.

        Args:
            strategy: proposes vectors.
            stage: how they are scored.
            until: share of the whole budget at which it ends earlier, as it does when the search is
                over or its patience is spent; None leaves the end to the strategy.
        """
        stale = 0
        while not strategy.done and (until is None or self._goes_on(until, stale)):
            batch = strategy.ask()
            # The last batch of all may be cut short; then nobody needs to learn from it.
            scored = batch if until is None else batch[: self._room()]
            scores, told = self._score(scored, stage, strategy.wants_residuals)
            improved = stage.comparable and self._keep(scored, scores, stage)
            stale = 0 if improved else stale + len(scored)
            if len(scored) == len(batch):
                strategy.tell(batch, told)
            self._report(stage.name, improved)

    def _ended(self) -> Literal["budget", "target"] | None:
        """Whether the whole search is over, and why."""
        wanted = self._settings.target_distance
        if wanted is not None and self._full <= wanted:
            return "target"
        return "budget" if self.budget.share >= 1.0 else None

    def _goes_on(self, until: float, stale: int) -> bool:
        """Whether a part goes on, after so many candidates without a better one."""
        patience = self._settings.patience or math.inf
        return not self._ended() and self.budget.share < until and stale < patience

    def _change_objective(self, part: Part) -> None:
        """Score the best points again if a part minimises another distance than the last."""
        if part.stage.objective == self._objective:
            return
        best = self._archive.ranked(self._settings.population)
        self._archive = Archive(self.history.space, self._combination)
        self._objective = part.stage.objective
        if len(best):
            self.drive(EnqueuedPoints(best, self._settings.population), part.stage, part.until)

    def _keep(self, points: NDArray[np.float64], scores: Scores, stage: Stage) -> bool:
        """Store a generation; whether it brought a better match."""
        improved = self._archive.add(points, scores.distances)
        if improved:
            self.best, self._full = self._archive.best_point, scores.full
            self._gain = scores.gain
        scores = scores._replace(residuals=None, guides=None)
        self.history.add(
            Generation(stage.name, stage.objective, points, scores, self.budget.seconds)
        )
        return improved

    def _room(self) -> int | None:
        """Evaluations that are left of the whole budget; None for any number."""
        limit = self._settings.evaluations
        return None if limit is None else limit - self.budget.evaluations

    def _score(
        self, batch: NDArray[np.float64], stage: Stage, wants_residuals: bool
    ) -> tuple[Scores, NDArray[np.float64]]:
        """Render a batch and score it.

        Args:
            batch: vectors of the strategy.
            stage: says how they are scored.
            wants_residuals: whether the strategy learns from residuals, where the stage has them.

        Returns:
            The scores of what was rendered, and what the strategy learns.
        """
        if stage.seeds is None:
            count, rows, seeds = 1, batch, None
        else:
            drawn = stage.seeds()
            count = len(drawn)
            rows, seeds = np.repeat(batch, count, axis=0), np.tile(drawn, len(batch))

        with_residuals = stage.residuals and wants_residuals

        def render() -> Scores:
            points, realizations = rows, None
            if stage.domain is not None:
                points, realizations = stage.domain.points(rows), stage.domain.realizations(rows)
            return self._evaluator.score(
                points,
                stage.objective,
                seeds,
                realizations,
                residuals=with_residuals,
                guide=stage.guide,
            )

        scores = self._recorded(rows, render)
        told = _residuals(scores) if with_residuals else scores.distances
        if stage.guide:
            told = _both(scores)
        # A mean over one seed is what it was, to the bit.
        return scores, told.reshape(len(batch), count, *told.shape[1:]).mean(axis=1)

    def _recorded(self, rows: NDArray[np.float64], render: Callable[[], Scores]) -> Scores:
        """Recall the scores of a batch from the journal, or render it and write them there.

        Args:
            rows: what tells the batch from others, shape (renders, any).
            render: gives its scores.
        """
        recalled = self._journal.recall(rows) if self._journal else None
        self._recalled = recalled is not None
        if recalled is not None:
            scores, self.budget.seconds = recalled
            self._began = time.monotonic() - self.budget.seconds
        else:
            began = time.monotonic()
            scores = render()
            self.rendering += time.monotonic() - began
            self.budget.seconds = time.monotonic() - self._began
            if self._journal:
                self._journal.record(rows, scores, self.budget.seconds)
        self.budget.evaluations += len(rows)
        self.failures.update(scores.failures)
        return scores

    def _report(self, stage: str, improved: bool) -> None:
        if self._on_progress is None or self.best is None:
            return
        [patch] = self._evaluator.patches(self.best[None])
        if self._evaluator.level is not None and self._gain is not None:
            patch = self._evaluator.level.with_volume(patch, self._gain)
        self._on_progress(
            Progress(
                stage=stage,
                evaluations=self.budget.evaluations,
                seconds=self.budget.seconds,
                share=self.budget.share,
                rate=self.budget.rate,
                left_seconds=self.budget.left_seconds,
                distance=self._full,
                improved=improved,
                patch=patch,
                recalled=self._recalled,
                leaders=self._leaders,
            )
        )

    def _leaders(self, count: int) -> Leaders:
        points = self._archive.ranked(count, per_combination=1)
        patches = self._evaluator.with_volume(self._evaluator.patches(points))
        return Leaders(patches, self._evaluator.full(self._evaluator.render(points)))


def _both(scores: Scores) -> NDArray[np.float64]:
    """Distances, those by the second objective, and residuals, if there are some."""
    if scores.guides is None:
        raise InvalidValueError(
            "The record of the search holds no second distances: start again in another folder."
        )
    columns = [scores.distances[:, None], scores.guides[:, None]]
    if scores.residuals is not None:
        columns.append(scores.residuals.astype(np.float64))
    return np.concatenate(columns, axis=1)


def _residuals(scores: Scores) -> NDArray[np.float64]:
    if scores.residuals is None:
        raise InvalidValueError(
            "The record of the search holds no residuals: start again in another folder."
        )
    return scores.residuals.astype(np.float64)
