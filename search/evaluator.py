"""Rendering and scoring, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepdiva.level import Level, at_reference, rms
from deepdiva.note import Note
from deepdiva.renderer import RenderBatch, Renderer
from deepdiva.search.objective import REPORTED, Objectives
from deepdiva.space import ParameterSpace
from deepdiva.workers import WorkerPool, spans, worker_count

WORST = 1e9
"""Distance of a candidate that the synthesizer could not play, or whose sound is not finite."""


SILENT_RMS = 1e-4
"""Root mean square of a sound that counts as silent, 80 dB below a full scale."""


class Scores(NamedTuple):
    """What is known of a batch after it was scored.

    Attributes:
        distances: shape (batch,), finite, by the objective that was asked for.
        best: row of the smallest of them, the first of equals.
        full: reported distance of that row.
        failures: why candidates could not be played, one reason for each of them.
        gain: that brings that row's sound to the level at which sounds are compared; None where
            they are compared as they are.
        residuals: how the levels of each differ from the target's, shape (batch, any), float32, a
            row for a candidate that could not be played NaN; None if they were not asked for.
        guides: shape (batch,), finite, by a second objective; None if it was not asked for.
    """

    distances: NDArray[np.float64]
    best: int
    full: float
    failures: tuple[str, ...] = ()
    residuals: NDArray[np.float32] | None = None
    gain: float | None = None
    guides: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class _Bench:
    """What a worker keeps: the instrument and the scales."""

    renderer: Renderer
    note: Note
    seed: int
    objectives: Objectives
    levels: bool


@dataclass(frozen=True)
class _Work:
    """What a worker gets: sounds to play, and the objective that scores them.

    Attributes:
        patches: shape (count, len(table)), in units.
        seeds: one for each, shape (count,).
        objective: that scores the sounds.
        residuals: whether to return these, too.
        guide: a second objective; empty for none. Where one is asked for, a silent sound counts
            as one that could not be played.
        realizations: shape (count, size): see `Renderer.render_realizations`;
            None leaves them to the seeds.
    """

    patches: NDArray[np.float64]
    seeds: NDArray[np.int64]
    objective: str
    residuals: bool = False
    guide: str = ""
    realizations: NDArray[np.float64] | None = None

    def play(self, bench: _Bench) -> RenderBatch:
        """Render the sounds."""
        if self.realizations is None:
            return bench.renderer.render_checked(self.patches, bench.note, self.seeds)
        play = bench.renderer.render_realizations
        return RenderBatch(play(self.patches, bench.note, self.realizations, self.seeds))


def _score(bench: _Bench, work: _Work) -> Scores:
    batch = work.play(bench)
    audio, gains = at_reference(batch.audio) if bench.levels else (batch.audio, None)
    distances = bench.objectives.score(work.objective, audio)
    scored = np.isfinite(distances) & batch.played
    if work.guide:
        scored &= rms(batch.audio) >= SILENT_RMS
    distances = np.where(scored, distances, WORST)
    best = int(distances.argmin())
    full = float(distances[best])
    if work.objective != REPORTED or full >= WORST:
        full = float(bench.objectives.score(REPORTED, audio[best : best + 1])[0])
    guides = None
    if work.guide:
        guides = np.where(scored, bench.objectives.score(work.guide, audio), WORST)
    residuals = None
    if work.residuals:
        residuals = bench.objectives.profile(audio)
        residuals[~scored] = np.nan
    failures = tuple(failure.reason for failure in batch.failures)
    gain = None if gains is None else float(gains[best])
    return Scores(distances, best, full, failures, residuals, gain, guides)


def _piece(work: _Work, span: slice) -> _Work:
    """Consecutive sounds of some work."""
    realizations = None if work.realizations is None else work.realizations[span]
    return replace(
        work, patches=work.patches[span], seeds=work.seeds[span], realizations=realizations
    )


class Evaluator:
    """Distances of points to one target; a context manager that holds the workers.

    A candidate's distance depends on the candidate alone: not on the batch, not on the workers.

    Args:
        target: shape (note.samples,), float32.
        renderer: what plays the candidates. Processes get a copy of it, threads share it.
        space: what the points mean.
        note: what is played.
        seed: of the renderer, the same for all candidates.
        jobs: workers; None for one for each core.
        weights: of the distances that the search minimises; None for the usual ones.
        level: how the level is solved; None compares sounds as they are.
    """

    def __init__(
        self,
        target: NDArray[np.float32],
        renderer: Renderer,
        space: ParameterSpace,
        note: Note,
        seed: int,
        jobs: int | None,
        weights: Mapping[str, float] | None = None,
        level: Level | None = None,
    ) -> None:
        self._space = space
        self.level = level
        if level is not None:
            target = target * np.float32(level.gain)
        objectives = Objectives.of(target, note.sample_rate, weights)
        two_decimals = [parameter.spelling == "%.2f" for parameter in space.parameters]
        self._rounded = space.columns[np.array(two_decimals)]
        self._bench = _Bench(renderer, note, seed, objectives, level is not None)
        self._pool: WorkerPool[_Bench, _Work, Scores] = WorkerPool(
            _score, self._bench, renderer.info.workers, worker_count(jobs)
        )

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close()

    @property
    def renderer(self) -> Renderer:
        """What plays the candidates."""
        return self._bench.renderer

    @property
    def note(self) -> Note:
        """What is played."""
        return self._bench.note

    @property
    def seed(self) -> int:
        """Of the renderer, the same for all candidates."""
        return self._bench.seed

    def patches(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The patches that a preset file would hold, shape (batch, len(table)).

        Free values that a file writes with two decimals are rounded to them, so that what is
        scored is what is written.
        """
        patches = self._space.patches(points)
        patches[:, self._rounded] = np.round(patches[:, self._rounded], 2)
        return patches

    def score(
        self,
        points: NDArray[np.float64],
        objective: str,
        seeds: NDArray[np.int64] | None = None,
        realizations: NDArray[np.float64] | None = None,
        *,
        residuals: bool = False,
        guide: str = "",
    ) -> Scores:
        """Render points and score them.

        Args:
            points: shape (batch, space.dimensions), batch at least 1.
            objective: a key of `deepdiva.search.objective.WEIGHTS`.
            seeds: shape (batch,); None for the seed of the search.
            realizations: shape (batch, realization size), in [0, 1], of points that all have
                realizations of this size; None leaves them to the seeds.
            residuals: also return the vectors of `deepdiva.distance.Profile`.
            guide: also score by a second key of `WEIGHTS`, and put silent sounds last.

        Raises:
            InvalidValueError: the renderer takes no realizations.
            RenderError: the synthesizer failed.
        """
        work = self._work(points, objective, seeds, realizations, residuals=residuals, guide=guide)
        return self._gathered([_piece(work, span) for span in self._spans(len(points))])

    def render(
        self, points: NDArray[np.float64], realizations: NDArray[np.float64] | None = None
    ) -> NDArray[np.float32]:
        """Sounds of points, shape (batch, note.samples); takes and raises what `score` does."""
        return self._work(points, REPORTED, None, realizations).play(self._bench).audio

    def realization_size(self, point: NDArray[np.float64]) -> int:
        """How many numbers a realization of a point, shape (space.dimensions,), has.

        Raises:
            InvalidValueError: the renderer takes no realizations.
        """
        return self._bench.renderer.realization_size(self.patches(point[None])[0])

    def compared(self, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sounds at the level at which they are compared, shape (batch, note.samples)."""
        return sounds if self.level is None else at_reference(sounds)[0]

    def with_volume(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        """Patches at the level of the target, shape (batch, len(table)); renders each of them.

        Raises:
            RenderError: the synthesizer failed.
        """
        if self.level is None or not len(patches):
            return patches
        play = self._bench.renderer.render_checked
        gains = at_reference(play(patches, self.note, self.seed).audio)[1]
        pairs = zip(patches, gains, strict=True)
        return np.array([self.level.with_volume(patch, float(gain)) for patch, gain in pairs])

    def full(self, sounds: NDArray[np.float32]) -> NDArray[np.float64]:
        """Reported distances, shape (batch,), of sounds, shape (batch, note.samples)."""
        return self._bench.objectives.score(REPORTED, self.compared(sounds))

    def at_gains(
        self, sound: NDArray[np.float32], gains: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Reported distances, shape (gains,), of a sound that is louder by factors.

        Args:
            sound: shape (note.samples,).
            gains: shape (gains,), relative to the level at which sounds are compared.
        """
        sounds = self.compared(sound[None]) * gains[:, None].astype(np.float32)
        return self._bench.objectives.score(REPORTED, sounds)

    def _work(
        self,
        points: NDArray[np.float64],
        objective: str,
        seeds: NDArray[np.int64] | None,
        realizations: NDArray[np.float64] | None,
        *,
        residuals: bool = False,
        guide: str = "",
    ) -> _Work:
        if seeds is None:
            seeds = np.full(len(points), self._bench.seed)
        return _Work(self.patches(points), seeds, objective, residuals, guide, realizations)

    def _spans(self, count: int) -> list[slice]:
        return spans(count, self._pool.jobs, self._bench.renderer.info.preferred_batch)

    def _gathered(self, work: Sequence[_Work]) -> Scores:
        """Scores of consecutive pieces as one."""
        scores = self._pool.map(work)
        distances = np.concatenate([piece.distances for piece in scores])
        best = int(distances.argmin())
        ends = np.cumsum([len(piece.distances) for piece in scores])
        owner = scores[int(np.searchsorted(ends, best, side="right"))]
        failures = tuple(reason for piece in scores for reason in piece.failures)
        vectors = [piece.residuals for piece in scores if piece.residuals is not None]
        residuals = np.concatenate(vectors) if vectors else None
        seconds = [piece.guides for piece in scores if piece.guides is not None]
        guides = np.concatenate(seconds) if seconds else None
        return Scores(distances, best, owner.full, failures, residuals, owner.gain, guides)
