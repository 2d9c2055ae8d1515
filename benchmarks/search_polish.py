"""The last digits: finite differences against CMA-ES, from the same points, at equal evaluations.

    python benchmarks/search_polish.py [--sounds N] [--before 1000] [--evaluations 100,300,1000]

Each engine sound is searched with `--before` evaluations, without a network and without the fit of
start phases. From the match the eight ordered parameters are polished, classes held, by the
objective of the search's last stage:

- *CMA-ES* as that stage has it;
- *differences*: BFGS (J. Nocedal and S. Wright, "Numerical Optimization", 2nd edition, 2006,
  equation 6.17) on central differences, one batch of 16 candidates, and a batch of 16 step
  lengths along its direction and along the gradient, the best of which is taken.

The table holds the objective after each number of evaluations, in the mean, and how often
differences came lower.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from search_runs import Record, Sound, WithoutRealizations, known_sounds, side_by_side, table

from deepdiva.note import Note
from deepdiva.search.cmaes import CmaEs
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.objective import FINE
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.stages import BRANCH_POPULATION, POLISH_STEP
from deepdiva.search.start import HINT_SPREAD, UNIFORM_SPREAD
from deepdiva.search.strategy import Strategy, reflect
from deepdiva.synths.diva.panel_renderer import PanelRenderer

SEED = 4
PROBE = 0.001
"""Half the distance between the two points of a difference."""


class Differences(Strategy):
    """BFGS on central differences, with a line search in one batch.

    Args:
        point: where it starts, shape (dimensions,), in [0, 1].
        distance: of that point.
        step: length of the first step along each coordinate, shape (dimensions,).
    """

    def __init__(
        self, point: NDArray[np.float64], distance: float, step: NDArray[np.float64]
    ) -> None:
        self._point, self._distance = point.copy(), distance
        self._step = step
        self._inverse = np.diag(step**2)
        self._gradient: NDArray[np.float64] | None = None
        self._before: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def ask(self) -> NDArray[np.float64]:
        if self._gradient is None:
            probes = PROBE * np.eye(len(self._point))
            return reflect(self._point + np.concatenate([probes, -probes]))
        lengths = 2.0 ** -np.arange(-1, 7)
        newton = -self._inverse @ self._gradient
        steepest = -(self._step**2) * self._gradient
        longest = np.abs(steepest / self._step).max()
        steepest = steepest / max(longest, 1e-300)
        return reflect(
            self._point + np.concatenate([np.outer(lengths, newton), np.outer(lengths, steepest)])
        )

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        if self._gradient is None:
            half = len(self._point)
            spans = np.einsum("ii->i", batch[:half] - batch[half:])
            self._gradient = (distances[:half] - distances[half:]) / np.where(
                spans == 0.0, np.inf, spans
            )
            if self._before is not None:
                self._learn(self._point - self._before[0], self._gradient - self._before[1])
            return
        best = int(distances.argmin())
        if distances[best] < self._distance:
            self._before = (self._point, self._gradient)
            self._point, self._distance = batch[best], float(distances[best])
        else:
            # The model is wrong here: forget it, and look closer.
            self._inverse = 0.25 * np.diag(self._step**2)
            self._step = 0.5 * self._step
            self._before = None
        self._gradient = None

    def _learn(self, moved: NDArray[np.float64], turned: NDArray[np.float64]) -> None:
        curvature = float(moved @ turned)
        if curvature <= 1e-12:
            return
        left = np.eye(len(moved)) - np.outer(moved, turned) / curvature
        self._inverse = left @ self._inverse @ left.T + np.outer(moved, moved) / curvature

    @property
    def done(self) -> bool:
        return float(self._step.max()) < 1e-5


@dataclass(frozen=True)
class Polish:
    """One sound, and for how long."""

    sound: Sound
    before: int
    evaluations: tuple[int, ...]


def polished(task: Polish) -> list[Record]:
    """Polish one sound both ways."""
    note, space = Note(), task.sound.space
    settings = RefineSettings(evaluations=task.before, jobs=1)
    match = refine(task.sound.audio, WithoutRealizations(PanelRenderer()), space, note, settings)
    ordered = space.continuous
    step = np.full(len(ordered), POLISH_STEP * UNIFORM_SPREAD)
    step[[space.names[position] == "OSC.Tune2" for position in ordered]] = HINT_SPREAD
    records = []
    with Evaluator(task.sound.audio, PanelRenderer(), space, note, 0, 1) as evaluator:
        distance = float(evaluator.score(match.point[None], FINE).distances[0])
        ways: dict[str, Strategy] = {
            "CMA-ES": CmaEs(
                match.point[ordered], step, np.random.default_rng(0), BRANCH_POPULATION
            ),
            "differences": Differences(match.point[ordered], distance, step),
        }
        for way, strategy in ways.items():
            found = [np.array([distance])]
            while sum(map(len, found)) < max(task.evaluations) + 1 and not strategy.done:
                batch = strategy.ask()
                points = np.tile(match.point, (len(batch), 1))
                points[:, ordered] = batch
                distances = evaluator.score(points, FINE).distances
                strategy.tell(batch, distances)
                found.append(distances)
            curve = np.minimum.accumulate(np.concatenate(found))
            records += [
                {
                    "sound": task.sound.name,
                    "way": way,
                    "evaluations": count,
                    "distance": float(curve[min(count, len(curve) - 1)]),
                }
                for count in (0, *task.evaluations)
            ]
    return records


def main() -> None:
    """Polish all, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sounds", type=int, default=20)
    parser.add_argument("--before", type=int, default=1000)
    parser.add_argument("--evaluations", default="100,300,1000")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    counts = tuple(sorted(int(count) for count in options.evaluations.split(",")))
    tasks = [
        Polish(sound, options.before, counts)
        for sound in known_sounds(options.sounds, SEED, voices=1)
    ]
    records = list(side_by_side(polished, tasks, options.processes))

    def found(way: str, count: int) -> NDArray[np.float64]:
        own = [r for r in records if (r["way"], r["evaluations"]) == (way, count)]
        return np.array([r["distance"] for r in sorted(own, key=lambda r: str(r["sound"]))])

    rows = []
    for count in (0, *counts):
        one, other = found("CMA-ES", count), found("differences", count)
        lower = f"{(other < one).sum()} of {len(one)}"
        rows.append([f"{count:,}", f"{one.mean():.4f}", f"{other.mean():.4f}", lower])
    print(table(["evaluations", "CMA-ES", "differences", "differences lower"], rows))


if __name__ == "__main__":
    main()
