"""Descents by least squares on residuals whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from deepdiva.search.cmaes import CmaEs
from deepdiva.search.descent import NEAR, Descents
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space

SPACE = default_space()
ORDERED = SPACE.continuous
CLASSES = [dimension.position for dimension in SPACE.classes]
SMOOTH = replace(SPACE, free=tuple(SPACE.names[position] for position in ORDERED))
COUNT = len(ORDERED)


def no_neighbours(point):
    return np.empty((0, len(point)))


def drive(strategy, residuals, evaluations):
    """The shortest residuals, their point, and what they cost."""
    spent, best, point = 0, np.inf, None
    while spent < evaluations and not strategy.done:
        batch = strategy.ask()
        assert batch.ndim == 2
        assert len(batch) >= 1
        assert np.all((batch >= 0) & (batch <= 1))
        vectors = residuals(batch)
        strategy.tell(batch, vectors)
        spent += len(batch)
        lengths = np.sqrt((np.nan_to_num(vectors, nan=1e3) ** 2).sum(axis=1))
        if lengths.min() < best:
            best, point = lengths.min(), batch[lengths.argmin()]
    return best, point, spent


def valley(points):
    """A linear valley a thousand times as long as wide, across the axes."""
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((COUNT, COUNT)))[0]
    return ((points - 0.6) @ axes) * 10.0 ** np.linspace(-1, 2, COUNT)


def rosenbrock(points):
    """H. Rosenbrock's valley (Computer Journal 3(3), 1960) in many dimensions; 0 at 0.75."""
    x = 4.0 * points - 2.0
    return np.concatenate([10.0 * (x[:, 1:] - x[:, :-1] ** 2), 1.0 - x[:, :-1]], axis=1)


@pytest.mark.parametrize(("residuals", "goal"), [(valley, 0.6), (rosenbrock, 0.75)])
def test_takes_far_fewer_points_than_cma(residuals, goal):
    start = np.full((1, COUNT), 0.4)
    search = Descents(SMOOTH, start, no_neighbours, 3000)
    best, point, spent = drive(search, residuals, 3000)
    assert search.done
    assert best <= NEAR
    assert np.allclose(point, goal, atol=0.01)

    cma = CmaEs(start[0], 0.2, np.random.default_rng(0), 12)
    longest = np.inf
    for _ in range(4 * spent // 12):
        batch = cma.ask()
        lengths = np.sqrt((residuals(batch) ** 2).sum(axis=1))
        cma.tell(batch, lengths)
        longest = min(longest, lengths.min())
    assert longest > 10 * best


def test_an_answer_beyond_the_edge_is_found_at_the_edge():
    wanted = np.full(COUNT, 0.5)
    wanted[0], wanted[1] = 1.4, -0.2

    def residuals(points):
        mixed = np.eye(COUNT) + 0.3
        return (points - wanted) @ mixed

    best, point, _ = drive(
        Descents(SMOOTH, np.full((1, COUNT), 0.3), no_neighbours, 2000), residuals, 2000
    )
    # The bounded least-squares answer of another implementation.
    from scipy.optimize import lsq_linear

    mixed = np.eye(COUNT) + 0.3
    answer = lsq_linear(mixed.T, wanted @ mixed, (0, 1), tol=1e-12).x
    assert np.allclose(point, answer, atol=2e-3)
    assert best == pytest.approx(np.linalg.norm(residuals(answer[None])), rel=1e-4)


def with_classes(goal):
    """Residuals that depend on classes, and have another valley for each of them."""

    def residuals(points):
        smooth = valley(points[:, ORDERED] - goal[ORDERED] + 0.6)
        return np.concatenate([smooth, 0.3 * (points - goal)[:, CLASSES]], axis=1)

    return residuals


@pytest.mark.parametrize("seed", range(4))
def test_finds_classes_that_no_start_has(seed):
    rng = np.random.default_rng(seed)
    goal = SPACE.random(rng, 1)[0]
    points = SPACE.random(rng, 40)
    points = points[np.any(points[:, CLASSES] != goal[CLASSES], axis=1)]

    def neighbours(point):
        found = []
        for dimension in SPACE.classes:
            for position in dimension.positions:
                other = point.copy()
                other[dimension.position] = position
                if position != point[dimension.position]:
                    found.append(other)
        return np.array(found)

    best, point, _ = drive(Descents(SPACE, points, neighbours, 4000), with_classes(goal), 4400)
    assert best <= NEAR
    assert np.array_equal(point[CLASSES], goal[CLASSES])
    assert np.allclose(point[ORDERED], goal[ORDERED], atol=0.01)


def test_goes_around_points_without_a_sound():
    def residuals(points):
        vectors = valley(points)
        vectors[points[:, 0] > 0.65] = np.nan
        vectors[(points[:, 1] > 0.3) & (points[:, 1] < 0.31)] = np.nan
        return vectors

    starts = np.stack([np.full(COUNT, 0.9), np.full(COUNT, 0.295), np.full(COUNT, 0.2)])
    best, _, _ = drive(Descents(SMOOTH, starts, no_neighbours, 2000), residuals, 2000)
    assert best <= NEAR


def test_a_parameter_in_steps_comes_to_rest_within_one_and_a_silent_one_stops_nothing():
    def residuals(points):
        stepped = points.copy()
        stepped[:, 0] = np.round(points[:, 0] * 16) / 16
        stepped[:, 1] = 0.5
        return (stepped - np.where(np.arange(COUNT) == 1, 0.5, 0.625)) @ (np.eye(COUNT) + 0.2)

    best, _, _ = drive(
        Descents(SMOOTH, np.full((1, COUNT), 0.2), no_neighbours, 2000), residuals, 2000
    )
    # One step too low, which the others make up for as well as they can.
    assert best <= 1.1 / 16


def test_nothing_but_what_was_told_decides():
    goal = SPACE.random(np.random.default_rng(1), 1)[0]
    points = SPACE.random(np.random.default_rng(2), 30)
    residuals = with_classes(goal)
    one, other = (Descents(SPACE, points, no_neighbours, 1500) for _ in range(2))
    for _ in range(60):
        if one.done:
            break
        batch = one.ask()
        assert np.array_equal(batch, other.ask())
        one.tell(batch, residuals(batch))
        other.tell(batch, residuals(batch))
    assert one.done == other.done


def test_keeps_about_to_its_budget():
    def residuals(points):
        # Rough everywhere: there is always something left to try.
        return np.sin(40.0 * points) + 1.5

    for budget in (1, 50, 300, 2000):
        points = SMOOTH.random(np.random.default_rng(3), 50)
        _, _, spent = drive(Descents(SMOOTH, points, no_neighbours, budget), residuals, 10 * 2000)
        assert spent <= budget + 8 * 24


def test_a_single_parameter_is_enough():
    space = ParameterSpace(DIVA, SPACE.base, (SPACE.names[ORDERED[0]],))
    best, point, _ = drive(
        Descents(space, np.array([[0.1]]), no_neighbours, 300),
        lambda x: (x - 0.7) ** 3 + x - 0.7,
        300,
    )
    assert best <= NEAR
    assert point[0] == pytest.approx(0.7, abs=1e-3)
