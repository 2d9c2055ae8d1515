"""Fits start phases to a target: many are drawn, and from the best a descent goes down.

Both strategies work on vectors that hold parameters and, behind them, what the renderer takes
beside a patch (`deepdiva.search.domain.Domain`).
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.strategy import Strategy, reflect

POPULATION = 16
"""Candidates in a generation of a descent."""

DRAWN_SHARE, MOST_DRAWN = 0.3, 320
"""Part of the evaluations of a fit that goes into drawn phases, and how many at most."""

_REACHES = 0.04 / 4.0 ** np.arange(5)
"""First steps that are tried in each coordinate, the longest first."""

PROBED_SHARE = 0.35
"""Part of the evaluations of a fit that this may take; with less, only the shortest are tried."""

_GROWTH = 0.1
"""The longest by which the distance grows by no more than this part is taken."""

_DRAWN_BATCH = 64


@final
class PhaseDraws(Strategy):
    """Draws phases, then sees how far steps from the best may reach.

    A hundredth of a semitone puts two oscillators out of step, a twentieth of the decay is not
    heard, and a number that picks a piece of noise has no valley at all.

    Args:
        parameters: where the moving parameters stand, shape (any,), in [0, 1]; they are not drawn.
        latents: numbers that are drawn, 1 or more.
        evaluations: of the whole fit, of which this is the beginning.
        rng: source of all randomness.
        tried: phases that are tried, too, shape (latents,), as `best` holds them.

    Attributes:
        best: the best vector that was drawn, shape (parameters + latents,).
        deviations: first steps that a descent from there may take, of the same shape.
        spent: evaluations so far.
    """

    def __init__(
        self,
        parameters: NDArray[np.float64],
        latents: int,
        evaluations: int,
        rng: np.random.Generator,
        tried: NDArray[np.float64] | None = None,
    ) -> None:
        known = len(parameters)
        count = min(MOST_DRAWN, round(DRAWN_SHARE * evaluations))
        drawn = np.empty((count, known + latents))
        drawn[:, :known] = parameters
        drawn[:, known:] = rng.uniform(0.25, 0.75, (count, latents))
        if tried is not None:
            drawn[0, known:] = tried
        size = drawn.shape[1]
        tests = round(PROBED_SHARE * evaluations) // size
        self._reaches = _REACHES[max(0, len(_REACHES) - tests) :]
        self._batches = np.array_split(drawn, -(-count // _DRAWN_BATCH))
        self._distance = np.inf
        self._probed = not len(self._reaches)
        self.best = drawn[0]
        self.deviations = np.full(size, _REACHES[-1])
        self.spent = 0

    def ask(self) -> NDArray[np.float64]:
        if self._batches:
            return self._batches[0]
        steps = np.concatenate([np.diag(np.full(self.best.size, r)) for r in self._reaches])
        return reflect(self.best + steps)

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        self.spent += len(batch)
        if self._batches:
            del self._batches[0]
            row = int(distances.argmin())
            if distances[row] < self._distance:
                self.best, self._distance = batch[row], float(distances[row])
            return
        there = distances.reshape(len(self._reaches), self.best.size)
        near = there <= (1.0 + _GROWTH) * self._distance
        reached = near.any(axis=0)
        self.deviations[reached] = self._reaches[near.argmax(axis=0)][reached]
        self._probed = True

    @property
    def done(self) -> bool:
        return not self._batches and self._probed


@final
class PhaseDescent(Strategy):
    """Goes down from a vector by CMA-ES, which keeps the vector in its first generation.

    Args:
        vector: where it begins, shape (any,), in [0, 1].
        deviations: standard deviations of first steps, of the same shape.
        evaluations: what it may spend.
        rng: source of all randomness.

    Attributes:
        best: the best vector so far, of the same shape.
        spent: evaluations so far.
    """

    def __init__(
        self,
        vector: NDArray[np.float64],
        deviations: NDArray[np.float64],
        evaluations: float,
        rng: np.random.Generator,
    ) -> None:
        self.best = vector
        self.spent = 0
        self._distance = np.inf
        self._evaluations = evaluations
        self._search = CmaEs(vector, deviations, rng, POPULATION)
        self._search.inject(vector[None])

    def ask(self) -> NDArray[np.float64]:
        return self._search.ask()

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        self.spent += len(batch)
        self._search.tell(batch, distances)
        row = int(distances.argmin())
        if distances[row] < self._distance:
            self.best, self._distance = batch[row], float(distances[row])

    @property
    def done(self) -> bool:
        return self._search.done or self.spent + POPULATION > self._evaluations
