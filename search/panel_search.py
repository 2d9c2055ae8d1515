"""The search over a whole panel: a tree of models, each with a few knobs that act.

Candidates of all sources are screened; crossovers take modules of one good candidate into another.
The best few chains become branches, and a bandit spends where it pays: each turn takes the branch
that promises the best value, from what its last turns brought. A turn alternates between

- descents by least squares on the residuals, with all continuous values that act as columns,
- neighbourhood moves: other classes, modules switched on and off, other voice stacks, octaves,
  single knobs thrown far, modules of other candidates. Moves that help alone are tried together;
  switches that nearly help are tried with a descent of their own,
- a CMA-ES in the valley that the residuals show, by the distance itself.

Every module in use has a small price. The course does not depend on the budget: a longer search
goes on where a shorter one stopped, so it never holds less.

Successive halving and bandits: K. Jamieson and A. Talwalkar, AISTATS 2016. Least squares:
`descent.py`. CMA-ES: `cmaes.py`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.search.cmaes import CmaEs
from deepdiva.search.descent import damped_steps
from deepdiva.search.encoding import nearest_class
from deepdiva.search.evaluator import WORST
from deepdiva.search.start import Start
from deepdiva.search.strategy import Strategy, reflect
from deepdiva.synths.structure import Proposal, Structure

BATCH = 64
"""Points that are scored at once, at most, while nothing has to be waited for."""

FIRST_DRAWS, FEW_DRAWS, LATER_DRAWS = 192, 64, 96
"""Draws of the structure's own patches in the first screening, in one where the start knows many
chains, and in each later one."""

MANY_CHAINS = 4
"""Chains among the candidates of a start that are many."""

LATER_EVERY = 1500
"""Evaluations between two later screenings."""

MOST_CANDIDATES = 192
"""Candidates of the start that are screened."""

ELITE = 24
"""Best candidates that give modules to others."""

CROSSOVERS = 64
"""Candidates of a generation of crossovers; there are two."""

BRANCHES, DEAR_BRANCHES = 6, 2
"""Chains that are searched side by side in the first round; the same where renders are dear."""

MOVES = 96
"""Neighbourhood moves in a turn."""

TRIED = 96
"""Switches, models and modulations that are put on trial in a turn, at most."""

_CORRECTED, _CORRECTION = 12, 0.1
"""So many moves are tried again with the other knobs brought after them; damping of that step."""

_NEARLY = 1.12
"""A move that makes the value worse by no more than this factor is worth a descent."""

_ON_TRIAL = 3
"""So many of them get one."""

_SLOW = 0.01
"""A descent that brings less than this part of the value gives way to moves."""

_PROBE, _LEAST_PROBE, _MOST_PROBE = 0.02, 1e-3, 0.05
_RADIUS, _MOST_RADIUS = 0.25, 0.4

_VALLEY_DIMENSIONS, _VALLEY_POPULATION, _VALLEY_GENERATIONS = 24, 16, 6

_OCTAVE = 12.0

Search = Generator[tuple[NDArray[np.float64], bool], NDArray[np.float64], None]
"""Yields points and whether residuals are wanted; is sent what the stage tells."""

Told = Generator[tuple[NDArray[np.float64], bool], NDArray[np.float64], NDArray[np.float64]]


@dataclass(eq=False)
class _Branch:
    """One chain on its way.

    Attributes:
        point: the best so far, shape (dimensions,).
        value: what the search minimises: the guiding distance, with the price of its modules.
        chain: positions of the classes that choose its models.
        movable: positions that a descent moves.
        residuals: of the point; empty where they are not known.
        slopes: of the residuals, shape (len(movable), any); empty where they are not known.
        probes: lengths of finite differences, shape (len(movable),).
        radius: longest step in a coordinate.
        promise: what the next turn may bring.
        turns: so far.
    """

    point: NDArray[np.float64]
    value: float
    chain: bytes
    movable: NDArray[np.intp]
    residuals: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    slopes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    probes: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    radius: float = _RADIUS
    promise: float = math.inf
    turns: int = 0

    @property
    def is_known(self) -> bool:
        """Whether its slopes are known."""
        return len(self.movable) > 0 and len(self.slopes) == len(self.movable)


class PanelSearch(Strategy):
    """See the module. Its stage tells two distances, and residuals where it wants some.

    Args:
        start: candidates, and pitches that are worth a try.
        structure: of the synthesizer.
        note: for which patches are drawn; None where renders are too dear for draws.
        price: of a module in use, as a part of the value.
        rng: source of all randomness.
        told: parameters that the target tells though a single note does not.
    """

    def __init__(
        self,
        start: Start,
        structure: Structure,
        note: Note | None,
        price: float,
        rng: np.random.Generator,
        told: Collection[str] = (),
    ) -> None:
        self._untold = structure.untold - frozenset(told)
        self._start = start
        self._space = start.space
        self._structure = structure
        self._note = note
        self._price = price
        self._rng = rng
        names = self._space.names
        self._place = {name: position for position, name in enumerate(names)}
        self._chain = [self._place[name] for name in structure.chain if name in self._place]
        self._groups = [
            np.array([self._place[name] for name in group if name in self._place], dtype=np.intp)
            for group in structure.groups
        ]
        self._base = self._space.normalised(self._space.base[None])[0]
        self._elite: list[tuple[float, NDArray[np.float64]]] = []
        self._best_of: dict[bytes, tuple[float, NDArray[np.float64]]] = {}
        self._spent = 0
        self._drawn = 0
        self._draw_seed = int(rng.integers(2**31))
        self._next_draw = LATER_EVERY
        self._search = self._run()
        self._batch, self._wants = next(self._search)

    @property
    def wants_residuals(self) -> bool:
        return self._wants

    def ask(self) -> NDArray[np.float64]:
        return self._batch

    def tell(self, batch: NDArray[np.float64], told: NDArray[np.float64]) -> None:
        self._spent += len(batch)
        self._batch, self._wants = self._search.send(told)

    @property
    def done(self) -> bool:
        """It goes on as long as the budget does."""
        return False

    # -- the course ---------------------------------------------------------------------------

    def _run(self) -> Search:
        yield from self._screen(self._given())
        known = len({self._chain_of(point) for point in self._start.candidates})
        yield from self._screen(self._draws(FIRST_DRAWS if known < MANY_CHAINS else FEW_DRAWS))
        yield from self._screen(self._stripped())
        # Where renders are dear, the start knows better than crossovers.
        cheap = self._note is not None
        for _ in range(2 if cheap else 0):
            yield from self._screen(self._crossovers(CROSSOVERS))
        branches = self._opened(BRANCHES if cheap else DEAR_BRANCHES)
        yield from self._halved(branches)
        while True:
            branch = min(branches, key=lambda one: one.promise)
            yield from self._turn(branch)
            if self._spent >= self._next_draw:
                self._next_draw = self._spent + LATER_EVERY
                yield from self._fresh_blood(branches)

    def _halved(self, branches: list[_Branch]) -> Search:
        """A first round: after every descent the worse half waits."""
        yield from self._tidy(branches)
        racing = list(branches)
        while True:
            yield from self._descend(racing)
            if len(racing) == 1:
                break
            racing.sort(key=lambda branch: branch.value)
            racing = racing[: math.ceil(len(racing) / 2)]
            for branch in racing:
                yield from self._move(branch, MOVES // 2)
        for branch in branches:
            # Who dropped out has to be within reach to get another turn.
            branch.promise = 0.97 * branch.value if branch.turns > 1 else branch.value

    def _tidy(self, branches: Sequence[_Branch]) -> Search:
        """Switch off what does not pay: whoever never gets a turn is still worth tweaking."""
        simpler = [
            self._proposed(branch.point, self._structure.simplifications(self._patch(branch.point)))
            for branch in branches
        ]
        points = [point for own in simpler for point in own]
        if not points:
            return
        told = yield from self._score(np.array(points))
        for branch, own in zip(branches, simpler, strict=True):
            if own:
                yield from self._joined_moves(branch, np.array(own), told[: len(own)])
            told = told[len(own) :]

    def _turn(self, branch: _Branch) -> Search:
        before = branch.value
        for _ in range(3):
            value = branch.value
            yield from self._descend([branch])
            if branch.value > (1.0 - _SLOW) * value:
                break
        yield from self._move(branch, MOVES)
        if branch.value > (1.0 - 2.0 * _SLOW) * before:
            yield from self._on_trial(branch)
            yield from self._valley(branch)
        gain = (before - branch.value) / before
        branch.turns += 1
        # A turn brings half of what the last one brought; a little hope is left.
        branch.promise = branch.value * (1.0 - 0.5 * gain - 0.02 / branch.turns)

    def _fresh_blood(self, branches: list[_Branch]) -> Search:
        """Draw anew; the best of another chain, or far ahead of its own, becomes a branch."""
        yield from self._screen(self._draws(LATER_DRAWS))
        yield from self._screen(self._crossovers(CROSSOVERS // 2))
        known = {branch.chain: branch for branch in branches}
        for value, point in self._elite:
            chain = self._chain_of(point)
            own = known.get(chain)
            if own is None or value < own.value:
                branch = self._branch(point, value)
                branches.append(branch)
                yield from self._descend([branch])
                yield from self._descend([branch])
                branch.promise = 0.97 * branch.value
                break

    # -- scoring ------------------------------------------------------------------------------

    def _score(self, points: NDArray[np.float64], residuals: bool = False) -> Told:
        """What is told of points, however many, a batch at a time."""
        found: list[NDArray[np.float64]] = []
        for start in range(0, len(points), BATCH):
            told = yield points[start : start + BATCH], residuals
            found.append(told)
        return np.concatenate(found)

    def _screen(self, points: NDArray[np.float64]) -> Search:
        """Score points and keep the best, in the order of their values."""
        if not len(points):
            return
        told = yield from self._score(points)
        self._keep(points, told)

    def _keep(self, points: NDArray[np.float64], told: NDArray[np.float64]) -> None:
        """Remember the best points as givers of modules, and the best of each chain."""
        for point, value in zip(points, told[:, 1], strict=True):
            chain = self._chain_of(point)
            if value < self._best_of.get(chain, (WORST, point))[0]:
                self._best_of[chain] = (float(value), point)
        worst = self._elite[-1][0] if len(self._elite) >= ELITE else math.inf
        known = {point.tobytes() for _, point in self._elite}
        for row in np.argsort(told[:, 1], kind="stable")[:ELITE]:
            if told[row, 1] >= min(worst, WORST):
                break
            settled = self._settled(points[row])
            if settled.tobytes() not in known:
                known.add(settled.tobytes())
                self._elite.append((float(told[row, 1]) * self._cost(settled), settled))
        self._elite.sort(key=lambda entry: entry[0])
        # Few of each chain: others may be right.
        kept, counts = [], dict[bytes, int]()
        for entry in self._elite:
            chain = self._chain_of(entry[1])
            counts[chain] = counts.get(chain, 0) + 1
            if counts[chain] <= ELITE // 4:
                kept.append(entry)
        self._elite = kept[:ELITE]

    def _cost(self, point: NDArray[np.float64]) -> float:
        """The factor that the modules of a point have on its value."""
        return 1.0 + self._price * len(self._structure.modules(self._patch(point)))

    # -- points -------------------------------------------------------------------------------

    def _patch(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        patch: NDArray[np.float64] = self._space.patches(point[None])[0]
        return patch

    def _settled(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """The point with whatever does not act as in the base."""
        acting = self._structure.acting(self._patch(point))
        acts = np.array([name in acting for name in self._space.names])
        return np.where(acts, point, self._base)

    def _chain_of(self, point: NDArray[np.float64]) -> bytes:
        return np.ascontiguousarray(point[self._chain]).tobytes()

    def _movable(self, point: NDArray[np.float64]) -> NDArray[np.intp]:
        """Continuous values that act and that the sound can tell."""
        acting = self._structure.acting(self._patch(point)) - self._untold
        return np.array(
            [
                position
                for position, parameter in enumerate(self._space.parameters)
                if not parameter.choices and parameter.name in acting
            ],
            dtype=np.intp,
        )

    def _with(self, point: NDArray[np.float64], proposal: Proposal) -> NDArray[np.float64] | None:
        """The point after a proposal; None where it needs something that is not free."""
        if not proposal.values.keys() <= self._place.keys():
            return None
        changed = point.copy()
        for name, value in proposal.values.items():
            changed[self._place[name]] = self._space.table[name].to_normalised(value)
        return None if np.array_equal(changed, point) else changed

    # -- where candidates come from -------------------------------------------------------------

    def _given(self) -> NDArray[np.float64]:
        """The base, and what the start knows."""
        return np.concatenate([self._base[None], self._start.candidates[:MOST_CANDIDATES]])

    def _draws(self, count: int) -> NDArray[np.float64]:
        """The next draws of the structure."""
        if self._note is None:
            return np.empty((0, self._space.dimensions))
        patches = self._structure.draws(self._drawn + count, self._draw_seed, self._note)
        patches = patches[self._drawn :]
        self._drawn += count
        points = self._space.normalised(patches)
        # How keys are played together, and what arpeggios do, a note does not tell: as in the base.
        for position, parameter in enumerate(self._space.parameters):
            if parameter.choices and parameter.name in self._untold:
                points[:, position] = self._base[position]
        return points

    def _stripped(self) -> NDArray[np.float64]:
        """The best points without anything that can be switched off."""
        found = []
        for _, point in self._elite[: ELITE // 2]:
            stripped = point
            for proposal in self._structure.simplifications(self._patch(point)):
                changed = self._with(stripped, proposal)
                stripped = stripped if changed is None else changed
            if not np.array_equal(stripped, point):
                found.append(stripped)
        return np.array(found).reshape(-1, self._space.dimensions)

    def _crossovers(self, count: int) -> NDArray[np.float64]:
        """Children of the elite: each takes some modules of another, and moves a little."""
        if len(self._elite) < 2:
            return np.empty((0, self._space.dimensions))
        children = []
        weights = 1.0 / (2.0 + np.arange(len(self._elite)))
        weights /= weights.sum()
        for _ in range(count):
            first, second = self._rng.choice(len(self._elite), 2, replace=False, p=weights)
            child = self._elite[first][1].copy()
            for group in self._groups:
                if self._rng.random() < 0.3:
                    child[group] = self._elite[second][1][group]
            movable = self._movable(child)
            shaken = movable[self._rng.random(len(movable)) < 0.2]
            child[shaken] = reflect(child[shaken] + 0.1 * self._rng.standard_normal(len(shaken)))
            children.append(child)
        return np.array(children)

    def _opened(self, count: int) -> list[_Branch]:
        """Branches at the best points, no more than two of one chain.

        The likeliest chain is among them, where the start knows how likely chains are.
        """
        branches: list[_Branch] = []
        likeliest = self._likeliest()
        if likeliest in self._best_of:
            value, point = self._best_of[likeliest]
            settled = self._settled(point)
            branches.append(self._branch(settled, value * self._cost(settled)))
        for value, point in self._elite:
            chain = self._chain_of(point)
            known = any(np.array_equal(branch.point, point) for branch in branches)
            alike = sum(branch.chain == chain for branch in branches)
            if not known and alike < 2 and len(branches) < count:
                branches.append(self._branch(point, value))
        return branches or [self._branch(self._base, WORST)]

    def _likeliest(self) -> bytes:
        """The chain whose models are the likeliest; nothing where the start knows of none."""
        names = [self._space.names[position] for position in self._chain]
        chances = self._start.probabilities
        if not names or any(name not in chances for name in names):
            return b""
        point = self._base.copy()
        for name, position in zip(names, self._chain, strict=True):
            places = self._space.table[name].choice_positions
            point[position] = places[int(np.argmax(chances[name]))]
        return self._chain_of(point)

    def _branch(self, point: NDArray[np.float64], value: float) -> _Branch:
        movable = self._movable(point)
        probes = np.full(len(movable), _PROBE)
        return _Branch(point, value, self._chain_of(point), movable, probes=probes)

    # -- descents -----------------------------------------------------------------------------

    def _descend(self, branches: Sequence[_Branch]) -> Search:
        """One iteration of each branch, side by side."""
        batches = [self._probes(branch) for branch in branches]
        told = yield from self._score(np.concatenate([batch for batch, _, _ in batches]), True)
        rest = told
        trials = []
        for branch, (batch, columns, steps) in zip(branches, batches, strict=True):
            own, rest = rest[: len(batch)], rest[len(batch) :]
            trials.append(self._learned(branch, batch, columns, steps, own))
        told = yield from self._score(np.concatenate(trials), True)
        for branch, points in zip(branches, trials, strict=True):
            own, told = told[: len(points)], told[len(points) :]
            before = branch.point[branch.movable]
            if self._take(branch, points, own):
                step = np.abs(branch.point[branch.movable] - before)
                longest = float(step.max(initial=0.0))
                branch.probes = np.clip(
                    0.3 * np.maximum(step, 0.25 * longest), _LEAST_PROBE, _MOST_PROBE
                )
                branch.radius = min(_MOST_RADIUS, max(0.7 * branch.radius, 3.0 * longest))
            else:
                branch.probes = np.maximum(0.5 * branch.probes, _LEAST_PROBE)
                branch.radius = max(0.3 * branch.radius, 0.02)
            branch.turns += 1

    def _probes(
        self, branch: _Branch
    ) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
        """Points of finite differences, their columns, and the steps; the point itself first."""
        count = len(branch.movable)
        columns = np.arange(count)
        if len(branch.slopes) == count and count:
            # What moves the sound most is measured again, of the rest a part.
            influence = np.linalg.norm(branch.slopes, axis=1)
            order = np.argsort(-influence, kind="stable")
            half = order[: math.ceil(count / 2)]
            others = order[math.ceil(count / 2) :]
            some = self._rng.permutation(others)[: math.ceil(len(others) / 4)]
            columns = np.sort(np.concatenate([half, some]))
        here = branch.point[branch.movable]
        signs = np.where(self._rng.random(count) < 0.5, -1.0, 1.0)
        signs = np.where(here + branch.probes > 1.0, -1.0, signs)
        signs = np.where(here - branch.probes < 0.0, 1.0, signs)
        steps = (signs * branch.probes)[columns]
        points = np.tile(branch.point, (1 + len(columns), 1))
        rows = 1 + np.arange(len(columns))
        points[rows, branch.movable[columns]] = np.clip(here[columns] + steps, 0.0, 1.0)
        return points, columns, steps

    def _learned(
        self,
        branch: _Branch,
        points: NDArray[np.float64],
        columns: NDArray[np.intp],
        steps: NDArray[np.float64],
        told: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Learn slopes from probes, and give the points to be tried."""
        residuals = told[:, 2:]
        here = np.nan_to_num(residuals[0])
        branch.residuals = here
        branch.value = min(branch.value, float(told[0, 1]) * self._cost(branch.point))
        if branch.slopes.shape != (len(branch.movable), len(here)):
            branch.slopes = np.zeros((len(branch.movable), len(here)))
        slopes = (residuals[1:] - here) / steps[:, None]
        slopes[~np.isfinite(slopes).all(axis=1)] = 0.0
        branch.slopes[columns] = slopes
        position = branch.point[branch.movable]
        moves = damped_steps(position, here, branch.slopes, branch.radius)
        trials = np.tile(branch.point, (len(moves), 1))
        trials[:, branch.movable] = np.clip(position + moves, 0.0, 1.0)
        # All probes that helped by themselves, together.
        better = np.flatnonzero(told[1:, 1] < told[0, 1])
        if len(better) > 1:
            joined = branch.point.copy()
            places = branch.movable[columns[better]]
            joined[places] = points[1 + better, places]
            trials = np.concatenate([trials, joined[None]])
        self._take(branch, points[1:], told[1:])
        return trials

    def _take(
        self, branch: _Branch, points: NDArray[np.float64], told: NDArray[np.float64]
    ) -> bool:
        """Move a branch to the best of some points with its own modules, if it is better."""
        if not len(points):
            return False
        row = int(told[:, 1].argmin())
        value = float(told[row, 1])
        if value >= min(branch.value, WORST):
            return False
        value *= self._cost(points[row])
        if value >= branch.value:
            return False
        branch.point, branch.value = points[row].copy(), value
        return True

    # -- moves --------------------------------------------------------------------------------

    def _move(self, branch: _Branch, count: int) -> Search:
        """Try neighbours; those that help alone are tried together, and all with a correction."""
        neighbours = self._neighbours(branch.point, count)
        if not len(neighbours):
            return
        told = yield from self._score(neighbours, branch.is_known)
        corrected = self._corrected(branch, neighbours, told)
        yield from self._joined_moves(branch, neighbours, told)
        if len(corrected):
            told = yield from self._score(corrected)
            values = self._values(corrected, told, branch.value)
            row = int(values.argmin())
            if values[row] < branch.value:
                self._settle_at(branch, corrected[row], float(values[row]))

    def _corrected(
        self, branch: _Branch, points: NDArray[np.float64], told: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The moves that promise most once the other knobs are brought after them.

        A module that is switched on shows its worth only when level, cutoff and envelope make room
        for it. The slopes of the branch say by how much, without another render: its knobs are
        taken to act beside the move as they do without it.

        Args:
            branch: from which the moves start.
            points: one move away, shape (count, dimensions).
            told: of them, with residuals.

        Returns:
            Shape (at most `_CORRECTED`, dimensions), the best first; none where the branch does not
            know its slopes.
        """
        if not branch.is_known or told.shape[1] <= 2 or not len(branch.movable):
            return np.empty((0, points.shape[1]))
        residuals = told[:, 2:]
        usable = np.flatnonzero(np.isfinite(residuals).all(axis=1) & (told[:, 1] < WORST))
        slopes = branch.slopes
        matrix = np.einsum("ik,jk->ij", slopes, slopes)
        squares = np.diag(matrix)
        scale = np.maximum(squares, 1e-3 * float(squares.max(initial=0.0)) + 1e-12)
        gradients = np.einsum("ik,nk->in", slopes, residuals[usable])
        steps = -np.linalg.solve(matrix + _CORRECTION * np.diag(scale), gradients).T
        longest = np.abs(steps).max(axis=1, keepdims=True)
        steps *= np.minimum(1.0, branch.radius / np.maximum(longest, 1e-12))
        before = points[usable][:, branch.movable]
        after = np.clip(before + steps, 0.0, 1.0)
        left = residuals[usable] + np.einsum("ni,ik->nk", after - before, slopes)
        order = np.argsort(np.einsum("nk,nk->n", left, left), kind="stable")[:_CORRECTED]
        corrected = points[usable[order]].copy()
        corrected[:, branch.movable] = after[order]
        return corrected

    def _joined_moves(
        self, branch: _Branch, neighbours: NDArray[np.float64], told: NDArray[np.float64]
    ) -> Search:
        """Take the best of some neighbours, or several that help alone at once."""
        values = self._values(neighbours, told, branch.value)
        order = np.argsort(values, kind="stable")
        helping = [row for row in order if values[row] < branch.value]
        if not helping:
            return
        best, value = neighbours[helping[0]], float(values[helping[0]])
        if len(helping) > 1:
            joined = self._joined(branch.point, neighbours[helping])
            told = yield from self._score(joined)
            together = self._values(joined, told, value)
            row = int(together.argmin())
            if together[row] < value:
                best, value = joined[row], float(together[row])
        self._settle_at(branch, best, value)

    def _settle_at(self, branch: _Branch, point: NDArray[np.float64], value: float) -> None:
        """Go on from a point of perhaps other modules."""
        point = self._settled(point)
        movable = self._movable(point)
        if not np.array_equal(movable, branch.movable):
            kept = {int(place): row for row, place in enumerate(branch.movable)}
            probes = np.full(len(movable), _PROBE)
            for row, place in enumerate(movable):
                if int(place) in kept:
                    probes[row] = branch.probes[kept[int(place)]]
            branch.movable, branch.probes = movable, probes
            branch.slopes = np.empty((0, 0))
        branch.point, branch.value = point, value
        branch.chain = self._chain_of(point)
        branch.radius = max(branch.radius, 0.1)

    def _values(
        self, points: NDArray[np.float64], told: NDArray[np.float64], limit: float
    ) -> NDArray[np.float64]:
        """Values with their price; where even without it they are beyond the limit, without."""
        values = told[:, 1].copy()
        for row in np.flatnonzero(values < limit):
            values[row] *= self._cost(points[row])
        return values

    def _joined(
        self, point: NDArray[np.float64], helping: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The first two, three ... of points that help, their changes in one."""
        joined = []
        together = helping[0].copy()
        touched = together != point
        for number, other in enumerate(helping[1:], start=2):
            change = (other != point) & ~touched
            together = np.where(change, other, together)
            touched |= change
            if number in (2, 3, 4, 6, 9, 13, 20) or number == len(helping):
                joined.append(together.copy())
        return np.array(joined)

    def _neighbours(self, point: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Points one move away, at most so many, drawn from all kinds of moves."""
        point = self._settled(point)
        patch = self._patch(point)
        acting = self._structure.acting(patch)
        kinds = [
            (1.0, self._proposed(point, self._structure.stacks(patch))),
            (1.0, self._proposed(point, self._structure.simplifications(patch))),
            (0.25, self._proposed(point, self._structure.proposals(patch, self._start.rates_hz))),
            (0.25, list(self._other_choices(point, acting))),
            (0.15, list(self._other_pitches(point, acting))),
            (0.2, list(self._thrown(point))),
            (0.1, list(self._grafted(point))),
        ]
        found: list[NDArray[np.float64]] = []
        for share, moves in kinds:
            wanted = math.ceil(share * count)
            chosen = self._rng.permutation(len(moves))[:wanted]
            found += [moves[k] for k in np.sort(chosen)]
        seen = {point.tobytes()}
        fresh = [p for p in found if p.tobytes() not in seen and not seen.add(p.tobytes())]  # type: ignore[func-returns-value]
        return np.array(fresh).reshape(-1, len(point))

    def _proposed(
        self, point: NDArray[np.float64], proposals: Iterable[Proposal]
    ) -> list[NDArray[np.float64]]:
        points = [self._with(point, proposal) for proposal in proposals]
        return [changed for changed in points if changed is not None]

    def _other_choices(
        self, point: NDArray[np.float64], acting: frozenset[str]
    ) -> Generator[NDArray[np.float64], None, None]:
        """Other choices of stepped parameters that act."""
        for position, parameter in enumerate(self._space.parameters):
            told = parameter.name in acting and parameter.name not in self._untold
            if not parameter.choices or not told:
                continue
            positions = parameter.choice_positions
            own = int(nearest_class(positions, point[[position]])[0])
            others = [k for k in range(len(positions)) if k != own]
            if len(others) > 4:
                others = [others[k] for k in self._rng.permutation(len(others))[:4]]
            for choice in others:
                changed = point.copy()
                changed[position] = positions[choice]
                yield changed

    def _other_pitches(
        self, point: NDArray[np.float64], acting: frozenset[str]
    ) -> Generator[NDArray[np.float64], None, None]:
        """Oscillators an octave or a fifth away, beside each other, and where partials are."""
        for position, hints in self._start.hinted:
            if self._space.names[position] in acting:
                for hint in hints:
                    changed = point.copy()
                    changed[position] = hint
                    yield changed
        rules = self._rules
        if rules is None:
            return
        for name in rules:
            if name not in self._place or name not in acting:
                continue
            position, parameter = self._place[name], self._space.table[name]
            value = float(parameter.to_unit(point[position]))
            for step in (-2 * _OCTAVE, -_OCTAVE, _OCTAVE, -7.0, 7.0, -0.12, 0.12, -value):
                if parameter.minimum <= value + step <= parameter.maximum and step:
                    changed = point.copy()
                    changed[position] = parameter.to_normalised(value + step)
                    yield changed

    @property
    def _rules(self) -> tuple[str, ...] | None:
        from deepdiva.synths import synthesizer_of

        return synthesizer_of(self._space.table).oscillators or None

    def _thrown(self, point: NDArray[np.float64]) -> Generator[NDArray[np.float64], None, None]:
        """One knob somewhere else."""
        for position in self._movable(point):
            changed = point.copy()
            if self._rng.random() < 0.5:
                changed[position] = self._rng.random()
            else:
                changed[position] = reflect(point[position] + 0.15 * self._rng.standard_normal(1))[
                    0
                ]
            yield changed

    def _grafted(self, point: NDArray[np.float64]) -> Generator[NDArray[np.float64], None, None]:
        """Modules of others."""
        for _, other in self._elite:
            for group in self._groups:
                if not np.array_equal(point[group], other[group]):
                    changed = point.copy()
                    changed[group] = other[group]
                    yield changed

    def _on_trial(self, branch: _Branch) -> Search:
        """Switches and models that nearly help, each with a descent before it is judged."""
        point = self._settled(branch.point)
        patch = self._patch(point)
        moves = self._proposed(
            point,
            [
                *self._structure.proposals(patch, self._start.rates_hz),
                *self._structure.simplifications(patch),
            ],
        )
        moves += [m for m in self._grafted(point) if self._chain_of(m) != branch.chain]
        if not moves:
            return
        chosen = self._rng.permutation(len(moves))[:TRIED]
        points = np.array([moves[k] for k in np.sort(chosen)])
        told = yield from self._score(points, branch.is_known)
        corrected = self._corrected(branch, points, told)
        if len(corrected):
            points, told = corrected, (yield from self._score(corrected))
        order = np.argsort(told[:, 1], kind="stable")
        near = [row for row in order if told[row, 1] < _NEARLY * branch.value][:_ON_TRIAL]
        trials = []
        for row in near:
            settled = self._settled(points[row])
            trials.append(self._branch(settled, float(told[row, 1]) * self._cost(settled)))
        if not trials:
            return
        for _ in range(2):
            yield from self._descend(trials)
        best = min(trials, key=lambda one: one.value)
        if best.value < branch.value:
            self._settle_at(branch, best.point, best.value)

    def _valley(self, branch: _Branch) -> Search:
        """A CMA-ES over the knobs that matter most, in the shape of the residuals' valley."""
        if len(branch.slopes) != len(branch.movable) or not len(branch.movable):
            return
        influence = np.linalg.norm(branch.slopes, axis=1)
        chosen = np.argsort(-influence, kind="stable")[:_VALLEY_DIMENSIONS]
        chosen = np.sort(chosen[influence[chosen] > 0.0])
        if len(chosen) < 2:
            return
        slopes = branch.slopes[chosen]
        matrix = np.einsum("ik,jk->ij", slopes, slopes)
        damping = 0.02 * float(np.diag(matrix).mean())
        steps = np.linalg.inv(matrix + damping * np.eye(len(chosen)))
        # A step of one deviation bends the residuals by a fifth of their length.
        length = float(np.linalg.norm(branch.residuals))
        steps *= (0.2 * length) ** 2 / len(chosen)
        widest = math.sqrt(float(np.diag(steps).max()))
        steps *= min(1.0, 0.15 / widest) ** 2
        places = branch.movable[chosen]
        search = CmaEs(branch.point[places], steps, self._rng, _VALLEY_POPULATION)
        for _ in range(_VALLEY_GENERATIONS):
            asked = search.ask()
            points = np.tile(branch.point, (len(asked), 1))
            points[:, places] = asked
            told = yield from self._score(points)
            search.tell(asked, told[:, 1])
            self._take(branch, points, told)
