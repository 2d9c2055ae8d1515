"""Fits the constants of one module to its probes, judged by probes that a fit did not know.

First constants are drawn from their ranges (Sobol's sequence), and the best draws go on; then steps
of Gauss and Newton, weighted so that the mean of absolute differences falls and damped until they
help (Levenberg 1944, Marquardt 1963). Where a slow wave of a probe starts is found beside the
constants: a column of its own in each step, projected out (Golub and Pereyra, SIAM J. Numer. Anal.
10, 1973).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deepdiva.calibration.pictures import Array
from deepdiva.calibration.probe_judge import Judged, ProbeJudge
from deepdiva.synths.diva import panel

_DAMPINGS: Final = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
_STEP: Final = 0.02
"""Of a constant's range: the move by which slopes are measured."""
_PHASE_STEP: Final = 0.01
_SLACK: Final = 0.25
"""Of a constant's range: how far outside of it a fit may go."""
_LEAST_RESIDUAL: Final = 1e-4
_LEAST_GAIN: Final = 5e-3
"""Share of the distance that a step must gain for another to follow."""
_DRAWS: Final = 16
_SURVIVORS: Final = 2
_STEPS: Final = 8
_FIRST_STEPS: Final = 2


@dataclass(frozen=True, eq=False)
class Found:
    """What a fit found.

    Attributes:
        values: of the constants that were free, by name.
        phases: (probes,), where slow waves start, cycles.
        distance: mean over the probes, dB.
    """

    values: dict[str, float]
    phases: Array
    distance: float


@dataclass(frozen=True, eq=False)
class ModuleFit:
    """What became of a module.

    Attributes:
        before: mean distance of its probes with the constants that it began with, dB.
        left_out: of probes that a fit did not know, with what that fit found.
        after: of all, with what was found of all.
        values: of its constants.
        spread: largest minus smallest value of each over the fits.
        phases: (probes,), where slow waves start.
        distances: (probes,) after, dB.
        distances_before: (probes,) dB.
    """

    before: float
    left_out: float
    after: float
    values: dict[str, float]
    spread: dict[str, float]
    phases: Array
    distances: Array
    distances_before: Array


def bounds(names: Sequence[str]) -> tuple[Array, Array]:
    """Lowest and highest values that a fit may give constants, each (names,)."""
    table = panel.constants()
    low = np.array([table[name].low for name in names])
    high = np.array([table[name].high for name in names])
    span = high - low
    # What is above 0 by its nature stays there.
    return np.where(low >= 0.0, np.maximum(0.25 * low, low - _SLACK * span), low - _SLACK * span), (
        high + _SLACK * span
    )


class _Fitter:
    """Fits named constants of one judge, the others held.

    Args:
        judge: of the probes.
        names: constants that are free.
        held: values of others that differ from the engine's.
    """

    def __init__(self, judge: ProbeJudge, names: Sequence[str], held: Mapping[str, float]) -> None:
        self._judge = judge
        self._names = tuple(names)
        self._held = dict(held)
        self._low, self._high = bounds(names)
        table = panel.constants()
        self._span = np.array([max(table[n].high - table[n].low, 1e-9) for n in names])

    def constants(self, values: Array) -> dict[str, float]:
        return {**self._held, **dict(zip(self._names, values.tolist(), strict=True))}

    def judged(self, values: Array, phases: Array) -> Judged:
        return self._judge.judge(self.constants(values), phases)

    def screened(self, start: Array, draws: int) -> list[Array]:
        """The start, and the best of constants drawn from their ranges."""
        from scipy.stats import qmc

        table = panel.constants()
        low = np.array([table[name].low for name in self._names])
        points = qmc.Sobol(len(self._names), scramble=True, seed=0).random(draws)
        tried = [start, *(low + points * self._span)]
        phases = np.zeros(len(self._judge))
        order = np.argsort([self.judged(values, phases).mean for values in tried], kind="stable")
        return [tried[k] for k in order[:_SURVIVORS]]

    def descend(self, values: Array, phases: Array, steps: int) -> tuple[Array, Array, float]:
        """Steps of Gauss and Newton from here, until they gain nothing."""
        here = self.judged(values, phases)
        for _ in range(steps):
            move = self._step(values, phases, here)
            if move is None:
                break
            gained = here.mean - move[2].mean
            values, phases, here = move
            if gained < _LEAST_GAIN * (here.mean + gained):
                break
        return values, phases, here.mean

    def _step(
        self, values: Array, phases: Array, here: Judged
    ) -> tuple[Array, Array, Judged] | None:
        residuals = np.concatenate(here.differences)
        least = max(0.5 * float(np.median(np.abs(residuals))), _LEAST_RESIDUAL)
        root = 1.0 / np.sqrt(np.maximum(np.abs(residuals), least))
        columns = []
        for k in range(len(values)):
            moved = values.copy()
            forward = values[k] + _STEP * self._span[k] <= self._high[k]
            moved[k] += _STEP * self._span[k] * (1.0 if forward else -1.0)
            there = np.concatenate(self.judged(moved, phases).differences)
            columns.append((there - residuals) / (moved[k] - values[k]) * self._span[k] * root)
        slopes, weighted = np.array(columns).T, residuals * root
        wandering = self._judge.wandering
        turned = self._phase_columns(values, phases, here, root) if len(wandering) else []
        free_slopes, free_rest = slopes.copy(), weighted.copy()
        for rows, column in turned:
            free_slopes[rows] -= np.outer(column, column @ slopes[rows]) / (column @ column)
            free_rest[rows] -= column * (column @ weighted[rows]) / (column @ column)
        normal = free_slopes.T @ free_slopes
        gradient = free_slopes.T @ free_rest
        for damping in _DAMPINGS:
            damped = normal + damping * np.diag(np.diag(normal) + 1e-9 * np.trace(normal) + 1e-12)
            move = -np.linalg.solve(damped, gradient)
            tried = np.clip(values + move * self._span, self._low, self._high)
            moved_phases = phases.copy()
            went = (tried - values) / self._span
            for k, (rows, column) in zip(wandering, turned, strict=True):
                rest = weighted[rows] + slopes[rows] @ went
                turn = -float(column @ rest) / float(column @ column)
                moved_phases[k] = np.mod(phases[k] + np.clip(turn, -0.05, 0.05), 1.0)
            found = self.judged(tried, moved_phases)
            if found.mean < here.mean - 1e-6:
                return tried, moved_phases, found
        return None

    def _phase_columns(
        self, values: Array, phases: Array, here: Judged, root: Array
    ) -> list[tuple[slice, Array]]:
        """For each wandering probe its place in the residuals and how they move with its phase."""
        rows = self._judge.wandering
        moved = phases.copy()
        moved[rows] += _PHASE_STEP
        there = self._judge.judge(self.constants(values), moved, rows.tolist()).differences
        ends = np.cumsum([len(d) for d in here.differences])
        found = []
        for k, other in zip(rows, there, strict=True):
            place = slice(ends[k] - len(other), ends[k])
            column = (other - here.differences[k]) / _PHASE_STEP * root[place]
            found.append((place, column if column.any() else np.ones_like(column) * 1e-9))
        return found


def fit_constants(
    judge: ProbeJudge,
    names: Sequence[str],
    held: Mapping[str, float],
    start: Mapping[str, float],
    draws: int = _DRAWS,
    steps: int = _STEPS,
) -> Found:
    """Bring the engine nearer to probes.

    Args:
        judge: of the probes.
        names: constants that are free.
        held: values of the others.
        start: values to begin with.
        draws: constants drawn from their ranges, beside the start; 0 for none.
        steps: of Gauss and Newton at most.
    """
    fitter = _Fitter(judge, names, held)
    first = np.array([start[name] for name in names])
    candidates = [first]
    wanders = len(judge.wandering) > 0
    if wanders and draws:
        # Of slow waves only the movement can be compared while nobody knows where they start.
        blind = _Fitter(judge.moving(), names, held)
        nothing = np.zeros(len(judge))
        chosen = blind.screened(first, 2 * draws)
        ways = [blind.descend(values, nothing, _FIRST_STEPS) for values in chosen]
        best = min(ways, key=lambda way: way[2])
        candidates = [first, blind.descend(best[0], nothing, steps)[0]]
    elif draws:
        candidates = fitter.screened(first, draws)
    ways = []
    for values in candidates:
        phases = judge.phases(fitter.constants(values))
        ways.append(fitter.descend(values, phases, _FIRST_STEPS))
    values, phases, distance = min(ways, key=lambda way: way[2])
    values, phases, distance = fitter.descend(values, phases, steps)
    if wanders:
        phases = judge.phases(fitter.constants(values), phases)
        values, phases, distance = fitter.descend(values, phases, steps)
    return Found(dict(zip(names, values.tolist(), strict=True)), phases, distance)


def folds(count: int) -> tuple[list[int], list[int]]:
    """Two halves of some probes, the same ones every time."""
    order = np.random.default_rng(0).permutation(count).tolist()
    return sorted(order[::2]), sorted(order[1::2])


def fit_module(
    judge: ProbeJudge, names: Sequence[str], held: Mapping[str, float], start: Mapping[str, float]
) -> ModuleFit:
    """Fit a module: on each half of its probes, judged by the other, then on all.

    Args:
        judge: of the module's probes, at least two.
        names: its constants.
        held: values of the others.
        start: values of its constants to begin with.
    """
    values = {name: start[name] for name in names}
    phases = judge.phases({**held, **values})
    before = judge.judge({**held, **values}, phases)
    fits, left_out = [], np.zeros(len(judge))
    halves = folds(len(judge))
    for inside, outside in (halves, halves[::-1]):
        found = fit_constants(judge.some(inside), names, held, start)
        other = judge.some(outside)
        constants = {**held, **found.values}
        turned = other.phases(constants)
        turned = other.phases(constants, turned)
        left_out[outside] = other.judge(constants, turned).distances
        fits.append(found.values)
    fitter = _Fitter(judge, names, held)
    ways = []
    for begin in (*fits, start):
        vector = np.array([begin[name] for name in names])
        turned = judge.phases(fitter.constants(vector))
        ways.append((vector, turned, fitter.judged(vector, turned).mean))
    best, turned, _ = min(ways, key=lambda way: way[2])
    best, turned, _ = fitter.descend(best, turned, _STEPS)
    if len(judge.wandering):
        turned = judge.phases(fitter.constants(best), turned)
        best, turned, _ = fitter.descend(best, turned, _FIRST_STEPS)
    after = fitter.judged(best, turned)
    found_values = dict(zip(names, best.tolist(), strict=True))
    spread = {
        name: float(np.ptp([fits[0][name], fits[1][name], found_values[name]])) for name in names
    }
    return ModuleFit(
        before=before.mean,
        left_out=float(left_out.mean()),
        after=after.mean,
        values=found_values,
        spread=spread,
        phases=turned,
        distances=after.distances,
        distances_before=before.distances,
    )
