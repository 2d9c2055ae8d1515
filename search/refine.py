"""The search: render and score what a strategy proposes, keep the best, stop in time."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import AudioError, InvalidValueError, RenderError
from deepdiva.hosts.noise_floor import NoiseFloor
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.search.archive import Archive
from deepdiva.search.budget import Budget
from deepdiva.search.evaluator import Evaluator, Scores
from deepdiva.search.exact import CONTENDERS, exact_match
from deepdiva.search.explain import Explanation, explain
from deepdiva.search.given import Given
from deepdiva.search.history import Generation, History
from deepdiva.search.journal import Journal
from deepdiva.search.optimizers import AUTO
from deepdiva.search.pitch import with_pitches
from deepdiva.search.settings import RefineSettings
from deepdiva.search.stages import POLISH_STEP, Stage, plan
from deepdiva.search.start import Start
from deepdiva.search.strategy import Strategy
from deepdiva.search.strike import (
    COMBINATIONS,
    LEAST_EVALUATIONS,
    STRIKE_SHARE,
    Strike,
    fit_strike,
)
from deepdiva.space import ParameterSpace

End = Literal["budget", "target", "done", "interrupted"]


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


@dataclass(frozen=True, eq=False)
class RefineResult:
    """What a search found.

    Attributes:
        patch: the best match, shape (len(table),), in units, as a preset holds it.
        point: the same in the space, shape (dimensions,), in [0, 1].
        sound: what it sounds like, shape (note.samples,), float32.
        distance: reported distance of `sound` to the target.
        silence: reported distance of silence to the target, for scale.
        strike: the match with start phases fitted to the target; None for a renderer that takes
            none, and where the search ended before.
        noise: distances between repeated renders of `patch` as the search made them; None for a
            renderer that repeats itself. No difference below it is progress.
        explanation: what the match rests on; None if it was not asked for.
        failures: candidates that could not be played, counted by reason.
        evaluations: candidates that were rendered and scored.
        seconds: how long the search ran, without compiling.
        end: why it ended: `budget` spent, `target` distance reached, all stages `done`, or
            `interrupted`.
        history: every candidate.
    """

    patch: NDArray[np.float64]
    point: NDArray[np.float64]
    sound: NDArray[np.float32]
    distance: float
    silence: float
    strike: Strike | None
    noise: NoiseFloor | None
    explanation: Explanation | None
    failures: Mapping[str, int]
    evaluations: int
    seconds: float
    end: End
    history: History

    @property
    def preview(self) -> NDArray[np.float32]:
        """The match as it is best compared with the target: struck like it, where that is known."""
        return self.sound if self.strike is None else self.strike.sound

    @property
    def preview_distance(self) -> float:
        """Reported distance of `preview` to the target."""
        return self.distance if self.strike is None else self.strike.distance


def refine(
    target: NDArray[np.float32],
    renderer: Renderer,
    space: ParameterSpace,
    note: Note,
    settings: RefineSettings | None = None,
    *,
    start: Start | None = None,
    journal: Journal | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    explained: bool = False,
) -> RefineResult:
    """Search for the patch that sounds most like a target.

    Ctrl-C (KeyboardInterrupt) ends the search as a spent budget does, once there is a match.

    Args:
        target: shape (note.samples,), float32, at the note's sample rate.
        renderer: what plays the candidates.
        space: the free parameters.
        note: what is played.
        settings: budget, optimizer, seed, workers; the defaults if None.
        start: what is known before; nothing if None.
        journal: where generations are recorded, and recalled from instead of rendered.
        on_progress: called after every generation, in the calling thread.
        explained: also find out what the match rests on, unless the search is interrupted; takes
            some hundred renders beyond the budget.

    Raises:
        AudioError: a silent target.
        InvalidValueError: a target, start or renderer that does not fit.
        UnknownNameError: an optimizer that does not exist.
        RenderError: the synthesizer failed.
    """
    settings = settings or RefineSettings()
    start = start or Start.uniform(space)
    _check(target, renderer, space, note, start)
    if settings.optimizer.casefold() == AUTO:
        start = with_pitches(start, target, note.sample_rate, note)
    fits_strike = renderer.info.takes_realizations and (
        settings.evaluations is None
        # The stages before may need a generation more than their share.
        or settings.evaluations * STRIKE_SHARE >= LEAST_EVALUATIONS + settings.population
    )
    stages = plan(
        settings,
        start,
        1.0 - STRIKE_SHARE if fits_strike else 1.0,
        descends=not renderer.info.takes_realizations,
    )
    with Evaluator(
        target, renderer, space, note, settings.seed, settings.jobs, settings.weights
    ) as evaluator:
        # Compiles the kernels before the clock starts.
        evaluator.score(space.normalised(space.base[None]), stages[0].objective)
        silence = float(evaluator.full(np.zeros((1, note.samples), np.float32))[0])
        search = _Search(evaluator, settings, History(space), journal, on_progress)
        end = search.run(stages)
        points = search.leaders(CONTENDERS)
        if not len(points):
            raise InvalidValueError("The budget ended before the first candidate was scored.")
        strike = None
        if fits_strike and end in ("budget", "done"):
            strike = search.strike(points[0], POLISH_STEP**2 * start.steps)
        if strike is not None:
            points[0] = strike.point
        patches = evaluator.patches(points)
        match = exact_match(renderer, patches, note, settings.seed, evaluator.full)
        point = points[match.row]
        explanation = search.explanation(point) if explained and not search.interrupted else None
        return RefineResult(
            patch=patches[match.row],
            point=point,
            sound=match.sound,
            distance=match.distance,
            noise=match.noise,
            explanation=explanation,
            failures=search.failures,
            silence=silence,
            strike=strike,
            evaluations=search.budget.evaluations,
            seconds=search.budget.seconds,
            end="interrupted" if search.interrupted else end,
            history=search.history,
        )


def _check(
    target: NDArray[np.float32],
    renderer: Renderer,
    space: ParameterSpace,
    note: Note,
    start: Start,
) -> None:
    if target.shape != (note.samples,):
        raise InvalidValueError(
            f"The target has shape {target.shape}: the note asks for ({note.samples},), mono."
        )
    if not np.isfinite(target).all():
        raise AudioError("The target holds samples that are not finite: mend the recording.")
    if not target.any():
        raise AudioError("The target is silent: there is nothing to match.")
    if renderer.table != space.table:
        raise InvalidValueError(
            f"The renderer plays {renderer.table.name}, the parameters are those of "
            f"{space.table.name}."
        )
    if start.space is not space and start.space.to_dict() != space.to_dict():
        raise InvalidValueError("The start belongs to another parameter space.")


class _Search:
    """The loop over stages and generations, and what it knows.

    Attributes:
        budget: what is spent.
        history: every candidate.
        best: the best match so far, shape (dimensions,); None before the first.
        failures: candidates that could not be played, counted by reason.
        interrupted: Ctrl-C ended it, or what comes after it.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        settings: RefineSettings,
        history: History,
        journal: Journal | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.budget = Budget(settings)
        self.history = history
        self.best: NDArray[np.float64] | None = None
        self.failures: Counter[str] = Counter()
        self.interrupted = False
        self._full = math.inf
        self._evaluator = evaluator
        self._settings = settings
        self._journal = journal
        self._on_progress = on_progress
        self._archive = Archive(history.space)
        self._objective = ""
        self._recalled = False
        self._began = time.monotonic()

    def leaders(self, count: int) -> NDArray[np.float64]:
        """The best match and the next few, shape (at most count, dimensions)."""
        if self.best is None:
            return np.empty((0, self.history.space.dimensions))
        others = [
            point for point in self._archive.ranked(count) if not np.array_equal(point, self.best)
        ]
        return np.array([self.best, *others[: count - 1]])

    def run(self, stages: tuple[Stage, ...]) -> End:
        """Run all stages; why they ended."""
        seeds = np.random.SeedSequence(self._settings.seed).spawn(len(stages))
        try:
            for stage, seed in zip(stages, seeds, strict=True):
                self._change_objective(stage)
                left = self.budget.until(stage.until)
                # Without a first generation there is nothing for later stages to begin with.
                begun = stage is stages[0] or self.best is not None
                if left > 0 and begun and not self._ended():
                    strategy = stage.begin(self._archive, left, np.random.default_rng(seed))
                    self._drive(strategy, stage)
                if self._ended():
                    break
        except KeyboardInterrupt:
            if self.best is None:
                raise
            self.interrupted = True
            return "interrupted"
        if self.budget.share >= stages[-1].until:
            return "budget"
        return self._ended() or "done"

    def strike(self, point: NDArray[np.float64], steps: NDArray[np.float64]) -> Strike | None:
        """Spend the rest of the budget on how the match was struck; None if that is too little.

        Args:
            point: the best match, shape (dimensions,).
            steps: covariance of its last steps, shape (dimensions, dimensions).
        """
        share = STRIKE_SHARE / (1.0 - STRIKE_SHARE)
        left = min(self.budget.until(1.0), round(share * self.budget.evaluations))
        if left < LEAST_EVALUATIONS:
            return None

        def scored(vectors: NDArray[np.float64], render: Callable[[], Scores]) -> Scores:
            scores = self._recorded(vectors, render)
            self._report("strike", improved=False)
            return scores

        try:
            return fit_strike(
                self._evaluator,
                self.history.space,
                self._combinations(point),
                steps,
                left,
                self._settings.seed,
                scored,
            )
        except KeyboardInterrupt:
            self.interrupted = True
            return None  # the match is there; only its strike stays unknown

    def _combinations(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """A point, then the best of other combinations of classes, the nearest first."""
        classes = [dimension.position for dimension in self.history.space.classes]
        others = self.history.wide().ranked(COMBINATIONS, per_combination=1)
        others = others[np.any(others[:, classes] != point[classes], axis=1)]
        return np.concatenate([point[None], others])[:COMBINATIONS]

    def explanation(self, point: NDArray[np.float64]) -> Explanation | None:
        """What a match rests on; None if the user does not wait for it, or a plug-in fails."""
        archive = self.history.wide()
        try:
            return explain(point, archive, self._evaluator, self._settings.seed)
        except KeyboardInterrupt:
            self.interrupted = True
            return None
        except RenderError:  # the match is there, and worth more than what could be said of it
            return None

    def _ended(self) -> Literal["budget", "target"] | None:
        """Whether the whole search is over, and why."""
        wanted = self._settings.target_distance
        if wanted is not None and self._full <= wanted:
            return "target"
        return "budget" if self.budget.share >= 1.0 else None

    def _change_objective(self, stage: Stage) -> None:
        """Score the best points again if a stage minimises another distance than the last."""
        if stage.objective == self._objective:
            return
        best = self._archive.ranked(self._settings.population)
        self._archive = Archive(self.history.space)
        self._objective = stage.objective
        if len(best):
            self._drive(Given(best, self._settings.population), stage)

    def _drive(self, strategy: Strategy, stage: Stage) -> None:
        """Ask, score, tell, until the strategy is done or its share is spent."""
        stale = 0
        patience = self._settings.patience or math.inf
        while (
            not strategy.done
            and not self._ended()
            and self.budget.share < stage.until
            and stale < patience
        ):
            batch = strategy.ask()
            # The last batch of all may be cut short; then nobody needs to learn from it.
            scored = batch[: self._room()]
            scores = self._score(scored, residuals=stage.residuals)
            improved = self._archive.add(scored, scores.distances)
            if improved:
                self.best, self._full = self._archive.best_point, scores.full
            stale = 0 if improved else stale + len(scored)
            self.history.add(
                Generation(
                    stage.name,
                    stage.objective,
                    scored,
                    scores._replace(residuals=None),
                    self.budget.seconds,
                )
            )
            if len(scored) == len(batch):
                strategy.tell(batch, _told(scores, stage))
            self._report(stage.name, improved)

    def _room(self) -> int | None:
        """Evaluations that are left of the whole budget; None for any number."""
        limit = self._settings.evaluations
        return None if limit is None else limit - self.budget.evaluations

    def _score(self, points: NDArray[np.float64], *, residuals: bool) -> Scores:
        """Render a generation and score it."""
        return self._recorded(
            points,
            lambda: self._evaluator.score(points, self._objective, residuals=residuals),
        )

    def _recorded(self, points: NDArray[np.float64], render: Callable[[], Scores]) -> Scores:
        """Recall the scores of a batch from the journal, or render it and write them there.

        Args:
            points: what tells the batch from others, shape (batch, any).
            render: gives its scores.
        """
        recalled = self._journal.recall(points) if self._journal else None
        self._recalled = recalled is not None
        if recalled is not None:
            scores, self.budget.seconds = recalled
            self._began = time.monotonic() - self.budget.seconds
        else:
            scores = render()
            self.budget.seconds = time.monotonic() - self._began
            if self._journal:
                self._journal.record(points, scores, self.budget.seconds)
        self.budget.evaluations += len(points)
        self.failures.update(scores.failures)
        return scores

    def _report(self, stage: str, improved: bool) -> None:
        if self._on_progress is None or self.best is None:
            return
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
                patch=self._evaluator.patches(self.best[None])[0],
                recalled=self._recalled,
            )
        )


def _told(scores: Scores, stage: Stage) -> NDArray[np.float64]:
    """What the strategy of a stage learns from."""
    if not stage.residuals:
        return scores.distances
    if scores.residuals is None:
        raise InvalidValueError(
            "The record of the search holds no residuals: start again in another folder."
        )
    return scores.residuals.astype(np.float64)
