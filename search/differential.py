"""Differential evolution over a mixed space: classes, hinted and other ordered parameters.

The ordered parameters follow "current-to-pbest/1" of J. Zhang and A. Sanderson, "JADE: Adaptive
Differential Evolution with Optional External Archive", IEEE Trans. Evolutionary Computation 13(5),
2009, equation 4, with step sizes drawn from a fixed range. A class has no differences; a trial
takes it from one of its parents or, now and then, from what was known before the search. So do
hinted parameters: a point between two pitches is no better pitch than either.

All combinations of classes share one population, so what one has learnt of the envelope serves the
others. That is what makes this stage cheap, and why separate branches come only after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.start import HINT_SPREAD, Start
from deepdiva.search.strategy import Strategy, reflect

_STEP = (0.4, 0.9)
_CROSSOVER = 0.8
_ELITE = 0.15
_OWN, _BEST, _OTHER = 0.45, 0.35, 0.13
"""Chances to inherit a class from the member itself, from one of the elite, from a random member;
the rest is drawn anew."""


class MixedDifferentialEvolution(Strategy):
    """Differential evolution from what is known.

    Args:
        start: its candidates are the first members; the others are drawn from it.
        population: members.
        rng: source of all randomness.
    """

    def __init__(self, start: Start, population: int, rng: np.random.Generator) -> None:
        self._start = start
        self._rng = rng
        self._count = population
        self._members = np.empty((0, start.space.dimensions))
        self._distances = np.empty(0)
        self._categorical = np.zeros(start.space.dimensions, dtype=np.bool_)
        self._categorical[[dimension.position for dimension in start.space.classes]] = True
        self._jitter = np.zeros(start.space.dimensions)
        for position, _ in start.hinted:
            self._categorical[position] = True
            self._jitter[position] = HINT_SPREAD / 2

    def ask(self) -> NDArray[np.float64]:
        if not len(self._members):
            candidates = self._start.candidates[: self._count]
            drawn = self._start.sample(self._rng, self._count - len(candidates))
            return np.concatenate([candidates, drawn])
        return self._trials()

    def _trials(self) -> NDArray[np.float64]:
        rng, members = self._rng, self._members
        count, dimensions = members.shape
        elite = np.argsort(self._distances, kind="stable")[: max(2, round(_ELITE * count))]
        best = members[rng.choice(elite, size=count)]
        one, two = members[rng.permutation(count)], members[rng.permutation(count)]
        step = rng.uniform(*_STEP, size=(count, 1))
        moved = reflect(members + step * (best - members) + step * (one - two))  # (4)

        fate = rng.random((count, dimensions))
        wobble = self._jitter * rng.standard_normal((count, dimensions))
        inherited = np.where(fate < _OWN, members, np.where(fate < _OWN + _BEST, best, one))
        fresh = self._start.sample(rng, count)
        chosen = np.where(fate < _OWN + _BEST + _OTHER, reflect(inherited + wobble), fresh)
        trials = np.where(self._categorical, chosen, moved)

        crossed = rng.random((count, dimensions)) < _CROSSOVER
        crossed[np.arange(count), rng.integers(dimensions, size=count)] = True
        return np.where(crossed, trials, members)

    def tell(self, batch: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        if not len(self._members):
            self._members, self._distances = batch.copy(), distances.copy()
            return
        better = distances <= self._distances
        self._members[better] = batch[better]
        self._distances[better] = distances[better]

    @property
    def done(self) -> bool:
        """Whether all members are equally good, so that differences lead nowhere."""
        return len(self._distances) > 0 and float(np.ptp(self._distances)) <= 1e-9
