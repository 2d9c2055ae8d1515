"""Rendering and scoring, side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.renderer import RenderBatch, Renderer
from deepdiva.search.objective import REPORTED, Objectives
from deepdiva.search.strikes import Strikes
from deepdiva.space import ParameterSpace
from deepdiva.workers import WorkerPool, spans, worker_count

LANES = 16
"""Workers get whole multiples of this many candidates where they can: the embedded engine renders
so many in hardly more time than one."""

WORST = 1e9
"""Distance of a candidate that the synthesizer could not play, or whose sound is not finite."""


class Scores(NamedTuple):
    """What is known of a batch after it was scored.

    Attributes:
        distances: shape (batch,), finite, by the objective that was asked for.
        best: row of the smallest of them, the first of equals.
        full: reported distance of that row.
        failures: why candidates could not be played, one reason for each of them.
    """

    distances: NDArray[np.float64]
    best: int
    full: float
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Bench:
    """What a worker keeps: the instrument and the scales."""

    renderer: Renderer
    note: Note
    seed: int
    objectives: Objectives


class _Work(ABC):
    """What a worker gets: sounds to play, and the objective that scores them."""

    objective: str

    @abstractmethod
    def play(self, bench: _Bench) -> RenderBatch:
        """Render the sounds."""


@final
@dataclass(frozen=True)
class _Patches(_Work):
    """Patches, shape (count, len(table)), in units, each with its seed, shape (count,)."""

    patches: NDArray[np.float64]
    seeds: NDArray[np.int64]
    objective: str

    def play(self, bench: _Bench) -> RenderBatch:
        return bench.renderer.render_checked(self.patches, bench.note, self.seeds)


@final
@dataclass(frozen=True)
class _StruckPatch(_Work):
    """Strikes of one patch, shape (len(table),), with given chances, shape (count, dimensions)."""

    strikes: Strikes
    patch: NDArray[np.float64]
    chances: NDArray[np.float64]
    objective: str

    def play(self, bench: _Bench) -> RenderBatch:
        return RenderBatch(self.strikes.render(self.patch, self.chances, bench.note, bench.seed))


def _score(bench: _Bench, work: _Work) -> Scores:
    batch = work.play(bench)
    distances = bench.objectives.score(work.objective, batch.audio)
    distances = np.where(np.isfinite(distances) & batch.played, distances, WORST)
    best = int(distances.argmin())
    full = float(bench.objectives.score(REPORTED, batch.audio[best : best + 1])[0])
    return Scores(distances, best, full, tuple(failure.reason for failure in batch.failures))


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
    """

    def __init__(
        self,
        target: NDArray[np.float32],
        renderer: Renderer,
        space: ParameterSpace,
        note: Note,
        seed: int,
        jobs: int | None,
    ) -> None:
        self._space = space
        two_decimals = [parameter.spelling == "%.2f" for parameter in space.parameters]
        self._rounded = space.columns[np.array(two_decimals)]
        self._bench = _Bench(renderer, note, seed, Objectives.of(target, note.sample_rate))
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
    ) -> Scores:
        """Render points and score them.

        Args:
            points: shape (batch, space.dimensions), batch at least 1.
            objective: a key of `deepdiva.search.objective.WEIGHTS`.
            seeds: shape (batch,); None for the seed of the search.

        Raises:
            RenderError: the synthesizer failed.
        """
        patches = self.patches(points)
        if seeds is None:
            seeds = np.full(len(patches), self._bench.seed)
        pieces = self._pieces(len(patches))
        return self._gathered(
            [_Patches(patches[piece], seeds[piece], objective) for piece in pieces]
        )

    def score_strikes(
        self, strikes: Strikes, patch: NDArray[np.float64], chances: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Reported distances of strikes of one patch.

        Args:
            strikes: plays them.
            patch: shape (len(table),), in units.
            chances: shape (batch, strikes.dimensions(patch)), batch at least 1.

        Returns:
            Shape (batch,).
        """
        pieces = self._pieces(len(chances))
        return self._gathered(
            [_StruckPatch(strikes, patch, chances[piece], REPORTED) for piece in pieces]
        ).distances

    def strike(
        self, strikes: Strikes, patch: NDArray[np.float64], chances: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """The sound, shape (note.samples,), of one strike; chances have the shape (dimensions,)."""
        return _StruckPatch(strikes, patch, chances[None], REPORTED).play(self._bench).audio[0]

    def full(self, sounds: NDArray[np.float32]) -> NDArray[np.float64]:
        """Reported distances, shape (batch,), of sounds, shape (batch, note.samples)."""
        return self._bench.objectives.score(REPORTED, sounds)

    def _pieces(self, count: int) -> list[slice]:
        return spans(count, self._pool.jobs, LANES)

    def _gathered(self, work: list[_Work]) -> Scores:
        """Scores of consecutive pieces as one."""
        scores = self._pool.map(work)
        distances = np.concatenate([piece.distances for piece in scores])
        best = int(distances.argmin())
        ends = np.cumsum([len(piece.distances) for piece in scores])
        owner = scores[int(np.searchsorted(ends, best, side="right"))]
        failures = tuple(reason for piece in scores for reason in piece.failures)
        return Scores(distances, best, owner.full, failures)
