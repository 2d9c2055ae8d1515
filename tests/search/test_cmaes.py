"""CMA-ES against analytic minima, against another implementation, and against its own laws."""

import warnings

import numpy as np
import pytest

from deepdiva.errors import InvalidValueError
from deepdiva.search.cmaes import CmaEs
from deepdiva.search.strategy import reflect

SCALES = 10 ** np.linspace(0, 4, 8)


def ellipsoid(points):
    return ((points - 0.6) ** 2 * SCALES).sum(axis=1)


def rotated(points):
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))[0]
    return (((points - 0.6) @ axes) ** 2 * SCALES).sum(axis=1)


def evaluations_until(strategy, function, wanted, limit=20000):
    spent = 0
    while spent < limit:
        batch = strategy.ask()
        distances = function(batch)
        strategy.tell(batch, distances)
        spent += len(batch)
        if distances.min() < wanted:
            return spent
    return limit


def cma_library(function, wanted, seed, population):
    import cma

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"popsize": population, "seed": seed, "verbose": -9, "CMA_active": False}
        search = cma.CMAEvolutionStrategy([0.3] * 8, 0.2, options)
        spent = 0
        while spent < 20000:
            points = search.ask()
            values = function(np.array(points))
            search.tell(points, list(values))
            spent += len(points)
            if values.min() < wanted:
                return spent
    return spent


@pytest.mark.parametrize("function", [ellipsoid, rotated])
def test_takes_as_many_evaluations_as_the_library_of_its_author(function):
    ours = [
        evaluations_until(
            CmaEs(np.full(8, 0.3), 0.2, np.random.default_rng(seed), 12), function, 1e-8
        )
        for seed in range(5)
    ]
    theirs = [cma_library(function, 1e-8, seed + 1, 12) for seed in range(5)]
    assert 0.75 < np.median(ours) / np.median(theirs) < 1.25


def test_learns_the_inverse_of_the_curvature():
    search = CmaEs(np.full(8, 0.5), 0.1, np.random.default_rng(3), 16)
    evaluations_until(search, ellipsoid, 1e-10)
    variances = np.diag(search.covariance)
    assert np.corrcoef(np.log(variances), -np.log(SCALES))[0, 1] > 0.95


def test_minimum_on_the_edge_is_found_inside_the_box():
    search = CmaEs(np.full(5, 0.5), 0.3, np.random.default_rng(1))
    best = np.inf
    while not search.done:
        batch = search.ask()
        assert np.all((batch >= 0) & (batch <= 1))
        distances = np.abs(batch - np.array([0.0, 1.0, 0.0, 1.0, 0.5])).sum(axis=1)
        search.tell(batch, distances)
        best = min(best, distances.min())
    assert best < 1e-3


def test_same_seed_same_batches_and_another_seed_others():
    def run(seed):
        search = CmaEs(np.full(8, 0.4), 0.2, np.random.default_rng(seed))
        batches = []
        for _ in range(20):
            batch = search.ask()
            search.tell(batch, ellipsoid(batch))
            batches.append(batch)
        return np.concatenate(batches)

    assert np.array_equal(run(5), run(5))
    assert not np.array_equal(run(5), run(6))


def test_injected_points_are_asked_for_first_and_pull_the_mean():
    search = CmaEs(np.full(8, 0.2), 0.05, np.random.default_rng(0), 12)
    search.inject(np.full((9, 8), 0.6))
    batch = search.ask()
    assert np.array_equal(batch[:6], np.full((6, 8), 0.6))
    assert not (batch[6:] == 0.6).any()
    search.tell(batch, ellipsoid(batch))
    assert 0.25 < search.mean.mean() < 0.6, "towards the points, by no more than a long step"
    assert not (search.ask() == 0.6).any()


def test_anisotropic_and_full_starts_are_what_the_first_batch_shows():
    spread = np.array([0.01, 0.02, 0.04])
    covariance = np.array([[4.0, 3.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]) * 1e-4
    for deviation, wanted in ((spread, np.diag(spread**2)), (covariance, covariance)):
        search = CmaEs(np.full(3, 0.5), deviation, np.random.default_rng(0), 4000)
        assert np.cov(search.ask().T) == pytest.approx(wanted, abs=4e-5)


def test_a_coordinate_alone_is_searched_too():
    search = CmaEs(np.array([0.9]), 0.3, np.random.default_rng(0))
    assert evaluations_until(search, lambda points: (points[:, 0] - 0.1) ** 2, 1e-8) < 500


@pytest.mark.parametrize(
    ("mean", "deviation", "population", "message"),
    [
        (np.array([0.5, 1.5]), 0.1, 8, "one number in"),
        (np.empty(0), 0.1, 8, "one number in"),
        (np.full(2, 0.5), 0.0, 8, "must be positive"),
        (np.full(2, 0.5), np.array([[1.0, 2.0], [2.0, 1.0]]), 8, "must be positive"),
        (np.full(2, 0.5), 0.1, 3, "at least 4"),
    ],
)
def test_impossible_starts_are_refused(mean, deviation, population, message):
    with pytest.raises(InvalidValueError, match=message):
        CmaEs(mean, deviation, np.random.default_rng(0), population)


def test_reflection_folds_the_line_like_two_mirrors():
    values = np.array([0.0, 0.3, 1.0, 1.2, 2.0, 2.3, -0.1, -1.4, 7.75])
    assert reflect(values) == pytest.approx([0.0, 0.3, 1.0, 0.8, 0.0, 0.3, 0.1, 0.6, 0.25])
