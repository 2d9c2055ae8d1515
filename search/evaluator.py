"""Rendering and scoring points, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import FULL, SpectralDistance
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.search.objective import Objectives
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


class _Work(NamedTuple):
    """What a worker gets: patches, shape (count, len(table)), and which objective scores them."""

    patches: NDArray[np.float64]
    objective: str


def _score(bench: _Bench, work: _Work) -> Scores:
    batch = bench.renderer.render_checked(work.patches, bench.note, bench.seed)
    distances = bench.objectives.score(work.objective, batch.audio)
    distances = np.where(np.isfinite(distances) & batch.played, distances, WORST)
    best = int(distances.argmin())
    full = float(bench.objectives.reported(batch.audio[best : best + 1])[0])
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
        reported = SpectralDistance(target, note.sample_rate, FULL)
        objectives = Objectives.of(target, note.sample_rate, reported)
        self._bench = _Bench(renderer, note, seed, objectives)
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

    def score(self, points: NDArray[np.float64], objective: str) -> Scores:
        """Render points and score them.

        Args:
            points: shape (batch, space.dimensions), batch at least 1.
            objective: `COARSE` or `FINE`.

        Raises:
            RenderError: the synthesizer failed.
        """
        patches = self.patches(points)
        pieces = spans(len(patches), self._pool.jobs, LANES)
        scores = self._pool.map(_Work(patches[piece], objective) for piece in pieces)
        distances = np.concatenate([piece.distances for piece in scores])
        best = int(distances.argmin())
        owner = next(i for i, piece in enumerate(pieces) if best < piece.stop)
        failures = tuple(reason for piece in scores for reason in piece.failures)
        return Scores(distances, best, scores[owner].full, failures)

    def full(self, sounds: NDArray[np.float32]) -> NDArray[np.float64]:
        """Reported distances, shape (batch,), of sounds, shape (batch, note.samples)."""
        return self._bench.objectives.reported(sounds)
