"""Descents by least squares: several points go down at once, and the better half goes on.

A distance is one number. The vector behind it tells how every parameter changes the sound, and
where changes add up or cancel; a valley that is long and narrow for a search by numbers alone is a
small linear system here.

A descent follows K. Levenberg, "A method for the solution of certain non-linear problems in least
squares", Quarterly of Applied Mathematics 2(2), 1944, and D. Marquardt, "An algorithm for
least-squares estimation of nonlinear parameters", SIAM Journal 11(2), 1963 (J. Nocedal and
S. Wright, "Numerical Optimization", 2nd edition, 2006, chapter 10, whose equation numbers stand at
the lines), with three changes. Derivatives are finite differences, one batch of probes. Several
dampings and step lengths are tried as one batch and the best is taken, as rendering many points
costs less than waiting for each. And in some of these trials residuals count less the larger they
are (iteratively reweighted least squares with the weights of P. Huber, "Robust Estimation of a
Location Parameter", Annals of Mathematical Statistics 35(1), 1964): what no patch can bring into
line must not decide.

Only ordered parameters descend; classes stay. So descents start from the best points of several
combinations of classes, and a race in the manner of successive halving (`halving.py`) decides. What
it leaves of the budget goes to later races, in which the best descents that dropped out go on,
beside neighbours of the winner, where a class is another, or good points far from all that was
tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.strategy import Strategy
from deepdiva.space import ParameterSpace

BRANCHES = 8
"""Points that go down in the first race."""

LATER_BRANCHES = 6
"""Points that go down in each later one."""

NEAR = 3e-4
"""Root mean square of the residuals at which a descent has arrived."""

_TRIALS = (
    (1.0, 1.0, False),
    (0.1, 1.0, False),
    (0.01, 1.0, False),
    (1e-3, 0.5, False),
    (1e-5, 1.0, False),
    (0.1, 1.0, True),
    (0.01, 1.0, True),
    (1e-4, 1.0, True),
)
"""What is tried: damping, as a part of the squares of the derivatives, a factor of the step, and
whether large residuals count less."""

_FIRST_PROBE, _LONGEST_PROBE, _SHORTEST_PROBE = 0.02, 0.03, 5e-4
"""Steps of the finite differences."""

_PROBE_PART = 0.3
"""Length of a probe, as a part of the last step."""

_FIRST_RADIUS, _LONGEST_RADIUS = 0.3, 0.4
"""Longest step in any coordinate."""

_SILENT = 1e-6
"""A probe that changes the residuals by less says nothing: the next is longer. A parameter that
moves in steps is heard so, and comes to rest within a step of its best place."""

_GROWTH, _LONGEST_SILENT_PROBE = 3.0, 0.2
"""By how much, and how long it may become."""

_SLOW, _PATIENCE = 0.01, 3
"""A descent ends after so many iterations that shorten the residuals by less than this part."""

_LEAST_ITERATIONS = 3
"""A first race has no more branches than can have so many iterations each."""

_FIRST_SHARE, _LATER_SHARE = 0.6, 0.5
"""Part of what is left that the first race, and every later one may spend."""

_APART = 0.3
"""Distance in the unit cube from all earlier starts at which a point counts as new."""

Search = Generator[NDArray[np.float64], NDArray[np.float64], None]
"""Yields points, shape (batch, dimensions), and is sent their residuals, shape (batch, any)."""


class Descents(Strategy):
    """Races of descents.

    Args:
        space: the parameter space.
        points: where descents may start, shape (at least 1, space.dimensions), the best first.
        neighbours: points, shape (any, space.dimensions), with other classes than a given one,
            shape (space.dimensions,).
        evaluations: points that may be asked for, about.
    """

    def __init__(
        self,
        space: ParameterSpace,
        points: NDArray[np.float64],
        neighbours: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        evaluations: int,
    ) -> None:
        self._ordered = space.continuous
        self._classes = [dimension.position for dimension in space.classes]
        self._points = points
        self._neighbours = neighbours
        self._left = evaluations
        self._jumped: set[bytes] = set()
        self._cost = len(self._ordered) + len(_TRIALS)
        self._search = self._races()
        self._batch = next(self._search)
        self._done = False

    def ask(self) -> NDArray[np.float64]:
        return self._batch

    def tell(self, batch: NDArray[np.float64], told: NDArray[np.float64]) -> None:
        self._left -= len(batch)
        try:
            self._batch = self._search.send(told)
        except StopIteration:
            self._done = True

    @property
    def done(self) -> bool:
        return self._done

    def _races(self) -> Search:
        """All races, until the budget is spent, a descent has arrived, or nothing is left to try.

        The last race that is begun may cost a little more than what is left.
        """
        most = max(1, self._left // (_LEAST_ITERATIONS * self._cost))
        branches = [_Descent(point, self._ordered) for point in self._firsts(min(BRANCHES, most))]
        starts = [branch.point for branch in branches]
        yield from self._race(branches, _FIRST_SHARE * self._left)
        idle = 0
        jumping = True
        while self._left >= 2 * self._cost and idle < 2:
            leader = min(branches, key=lambda branch: branch.length)
            if leader.arrived:
                return
            evaluations = max(_LATER_SHARE * self._left, 2 * self._cost)
            places = min(
                LATER_BRANCHES, max(2, int(evaluations / (_LEAST_ITERATIONS * self._cost)))
            )
            # Who dropped out may have been slow, not wrong.
            rivals = sorted(
                (branch for branch in branches if not branch.done and branch is not leader),
                key=lambda branch: branch.length,
            )[: places // 2]
            places -= len(rivals)
            if jumping:
                fresh = yield from self._jumps(leader.point, places)
            else:
                fresh = self._far(starts, places)
            jumping = not jumping
            idle = 0 if fresh or rivals else idle + 1
            starts.extend(fresh)
            newcomers = [_Descent(point, self._ordered) for point in fresh]
            yield from self._race([leader, *rivals, *newcomers], evaluations)
            branches += newcomers

    def _firsts(self, count: int) -> list[NDArray[np.float64]]:
        """The best point of each combination of classes, then others that are far from these."""
        chosen: list[NDArray[np.float64]] = []
        seen = set()
        for point in self._points:
            combination = point[self._classes].tobytes()
            if combination not in seen and len(chosen) < count:
                seen.add(combination)
                chosen.append(point)
        return chosen + self._far(chosen, count - len(chosen))

    def _far(self, starts: Sequence[NDArray[np.float64]], count: int) -> list[NDArray[np.float64]]:
        """The best points that are far from all starts and from each other."""
        chosen: list[NDArray[np.float64]] = []
        for point in self._points:
            if len(chosen) >= count:
                break
            if all(np.linalg.norm(point - other) > _APART for other in [*starts, *chosen]):
                chosen.append(point)
        return chosen

    def _jumps(
        self, point: NDArray[np.float64], count: int
    ) -> Generator[NDArray[np.float64], NDArray[np.float64], list[NDArray[np.float64]]]:
        """The nearest few of a point's neighbours."""
        batch = self._neighbours(point)[: max(1, self._left // 3)]
        new = [other.tobytes() not in self._jumped for other in batch]
        batch = batch[np.array(new, dtype=np.bool_)]
        if not len(batch):
            return []
        residuals = yield batch
        lengths = _lengths(residuals)
        order = np.argsort(lengths, kind="stable")[:count]
        chosen = [batch[row] for row in order if math.isfinite(lengths[row])]
        self._jumped.update(point.tobytes() for point in chosen)
        return chosen

    def _race(self, branches: Sequence[_Descent], evaluations: float) -> Search:
        """Let descents go on side by side; after every round the worse half stops.

        All rounds have about as many iterations.
        """
        racing = [branch for branch in branches if not branch.done]
        if not racing:
            return
        branches = list(racing)
        sizes = [len(branches)]
        while sizes[-1] > 1:
            sizes.append(math.ceil(sizes[-1] / 2))
        stop = float(self._left)
        for size in sizes:
            stop -= evaluations * size / sum(sizes)
            while self._left > stop and (
                racing := [branch for branch in branches if not branch.done]
            ):
                residuals = yield np.concatenate([branch.batch for branch in racing])
                edges = np.cumsum([len(branch.batch) for branch in racing])[:-1]
                for branch, own in zip(racing, np.split(residuals, edges), strict=True):
                    branch.tell(own)
            branches.sort(key=lambda branch: branch.length)
            del branches[math.ceil(len(branches) / 2) :]
            for branch in branches[1:]:
                branch.visit(branches[0].point)


class _Descent:
    """One point on its way down.

    Attributes:
        point: the best so far, shape (dimensions,).
        length: root mean square of its residuals; infinite before the first.
        batch: what is to be scored next, shape (any, dimensions).
        done: whether it has arrived, or goes on too slowly.
    """

    def __init__(self, point: NDArray[np.float64], ordered: NDArray[np.intp]) -> None:
        self.point = point
        self.length = math.inf
        self.done = False
        self._ordered = ordered
        self._residuals = np.empty(0)
        self._visits: list[NDArray[np.float64]] = []
        self._way = self._down()
        self.batch = next(self._way)

    @property
    def arrived(self) -> bool:
        """Whether there is nothing left to gain."""
        return self.length <= NEAR

    def tell(self, residuals: NDArray[np.float64]) -> None:
        """Go on with the residuals of `batch`, shape (len(batch), any)."""
        try:
            self.batch = self._way.send(residuals)
        except StopIteration:
            self.done = True

    def visit(self, point: NDArray[np.float64]) -> None:
        """Also try the ordered parameters of another point, shape (dimensions,), next time."""
        visit = self.point.copy()
        visit[self._ordered] = point[self._ordered]
        self._visits.append(visit)

    def _down(self) -> Search:
        count = len(self._ordered)
        self._take(self.point[None], (yield self.point[None]))
        if not math.isfinite(self.length):
            return
        probe, growth = np.full(count, _FIRST_PROBE), np.ones(count)
        direction = np.ones(count)
        radius = _FIRST_RADIUS
        slow = 0
        while slow < _PATIENCE and not self.arrived:
            here = self.point[self._ordered]
            reach = np.minimum(probe * growth, _LONGEST_SILENT_PROBE)
            direction = np.where(
                here + reach > 1.0, -1.0, np.where(here - reach < 0.0, 1.0, direction)
            )
            steps = direction * reach
            probes = np.concatenate([self._moved(np.diag(steps)), *self._taken_visits()])
            probed = yield probes

            slopes = (probed[:count] - self._residuals) / steps[:, None]
            silent = _lengths(probed[:count] - self._residuals) < _SILENT
            growth = np.where(silent, growth * _GROWTH, 1.0)
            # A probe that could not be played says nothing.
            slopes[~np.isfinite(slopes).all(axis=1)] = 0.0
            trials = self._moved(damped_steps(here, self._residuals, slopes, radius))
            tried = yield trials

            before = self.length
            if self._take(np.concatenate([probes, trials]), np.concatenate([probed, tried])):
                step = np.abs(self.point[self._ordered] - here)
                longest = float(step.max())
                probe = np.clip(
                    _PROBE_PART * np.maximum(step, 0.25 * longest), _SHORTEST_PROBE, _LONGEST_PROBE
                )
                radius = min(_LONGEST_RADIUS, max(0.7 * radius, 3.0 * longest))
            else:
                probe = np.maximum(0.4 * probe, _SHORTEST_PROBE)
                radius *= 0.3
            slow = slow + 1 if self.length > (1.0 - _SLOW) * before else 0
            direction = -direction

    def _moved(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point after steps, shape (count, ordered)."""
        points = np.tile(self.point, (len(steps), 1))
        points[:, self._ordered] = np.clip(points[:, self._ordered] + steps, 0.0, 1.0)
        return points

    def _taken_visits(self) -> list[NDArray[np.float64]]:
        visits = [visit[None] for visit in self._visits]
        self._visits = []
        return visits

    def _take(self, points: NDArray[np.float64], residuals: NDArray[np.float64]) -> bool:
        """Move to the best of some points if it is better; whether it is."""
        lengths = _lengths(residuals)
        best = int(lengths.argmin())
        if not lengths[best] < self.length:
            return False
        self.point, self.length = points[best].copy(), float(lengths[best])
        self._residuals = residuals[best]
        return True


def _lengths(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths of rows, shape (batch,); infinite where one is not finite."""
    lengths = np.sqrt(np.square(residuals).sum(axis=1))
    return np.where(np.isfinite(lengths), lengths, np.inf)


def damped_steps(
    point: NDArray[np.float64],
    residuals: NDArray[np.float64],
    slopes: NDArray[np.float64],
    radius: float,
) -> NDArray[np.float64]:
    """Steps down, for all trials, none twice.

    Coordinates that stand at an edge of [0, 1] and would leave it are held (an active set: Nocedal
    and Wright, section 16.5, for bounds alone).

    Args:
        point: shape (count,), in [0, 1].
        residuals: shape (any,).
        slopes: their derivatives, shape (count, any).
        radius: longest step in any coordinate.

    Returns:
        Shape (at most trials, count).
    """
    sizes = np.abs(residuals)
    usual = 2.0 * float(np.median(sizes)) + 1e-5
    systems = [
        _normal(slopes, residuals, weights)
        for weights in (np.ones(len(sizes)), 1.0 / np.maximum(1.0, sizes / usual))
    ]
    found = []
    for damping, length, robust in _TRIALS:
        matrix, gradient, scale = systems[robust]
        free = ~(((point <= 0.0) & (gradient > 0.0)) | ((point >= 1.0) & (gradient < 0.0)))
        step = np.zeros(len(point))
        while free.any():
            step = np.zeros(len(point))
            step[free] = -np.linalg.solve(
                matrix[np.ix_(free, free)] + damping * np.diag(scale[free]), gradient[free]
            )  # (10.34), with Marquardt's scaling
            leaving = ((point <= 0.0) & (step < 0.0)) | ((point >= 1.0) & (step > 0.0))
            if not leaving.any():
                break
            free &= ~leaving
        if not free.any():
            step = np.zeros(len(point))
        step = length * step
        longest = float(np.abs(step).max())
        found.append(step * min(1.0, radius / longest) if longest > 0.0 else step)
    return np.unique(np.array(found), axis=0)


def _normal(
    slopes: NDArray[np.float64], residuals: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Matrix, gradient and Marquardt's scale of the normal equations.

    Not by `@`: with large arrays its rounding may depend on the number of threads.
    """
    matrix = np.einsum("ik,jk->ij", slopes * weights, slopes)  # (10.6)
    gradient = np.einsum("ik,k->i", slopes, weights * residuals)  # (10.5)
    squares = np.diag(matrix)
    return matrix, gradient, np.maximum(squares, 1e-3 * float(squares.max()) + 1e-12)
