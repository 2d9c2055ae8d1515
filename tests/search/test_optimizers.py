"""Nevergrad's optimizers by name, and classes as scores in one flat array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.search.catcma import CatCma
from deepdiva.search.encoding import ClassScores
from deepdiva.search.optimizers import NevergradSearch, optimizer_name, optimizer_names
from deepdiva.search.start import Start
from deepdiva.synths.diva import default_space

SPACE = default_space()
UNIFORM = Start.uniform(SPACE)
GOAL = SPACE.random(np.random.default_rng(42), 1)[0]
CLASSES = [dimension.position for dimension in SPACE.classes]


def distance(points):
    wrong = (np.abs(points[:, CLASSES] - GOAL[CLASSES]) > 1e-9).sum(axis=1)
    return ((points - GOAL)[:, SPACE.continuous] ** 2).sum(axis=1) + 0.2 * wrong


def run(name, evaluations, seed=0, start=UNIFORM, population=32):
    search = NevergradSearch(name, SPACE, start, evaluations, population, seed)
    batches = []
    while sum(map(len, batches)) < evaluations:
        batch = search.ask()
        search.tell(batch, distance(batch))
        batches.append(batch)
    return batches


@given(st.integers(0, 2**32 - 1))
def test_a_point_survives_its_scores(seed):
    points = SPACE.random(np.random.default_rng(seed), 4)
    scores = ClassScores(SPACE)
    assert np.array_equal(scores.points(scores.flat(points)), points)


def test_every_flat_array_stands_for_classes_and_never_for_something_between():
    scores = ClassScores(SPACE)
    assert scores.dimensions == 8 + 5 + 4 + 4
    points = scores.points(np.random.default_rng(0).random((500, scores.dimensions)))
    for dimension in SPACE.classes:
        found = points[:, dimension.position]
        assert set(found) == set(dimension.positions)
    patches = SPACE.patches(points)
    assert np.array_equal(SPACE.normalised(patches)[:, CLASSES], points[:, CLASSES])


@pytest.mark.parametrize("name", ["CMA", "DE", "TwoPointsDE", "NGOpt", "PSO"])
def test_common_optimizers_beat_random_search(name):
    best = min(distance(batch).min() for batch in run(name, 800))
    chance = min(distance(batch).min() for batch in run("RandomSearch", 800))
    assert best < 0.7 * chance


@pytest.mark.parametrize("name", ["CMA", "TwoPointsDE", "NGOpt", "OnePlusOne", "PSO"])
def test_same_seed_same_points(name):
    # Whatever others do to NumPy's global state in between.
    np.random.seed(1)  # noqa: NPY002
    one = np.concatenate(run(name, 320, seed=7))
    np.random.seed(2)  # noqa: NPY002
    two = np.concatenate(run(name, 320, seed=7))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, np.concatenate(run(name, 320, seed=8)))


def test_optimizers_that_work_one_by_one_get_one_at_a_time():
    assert {len(batch) for batch in run("NelderMead", 40)} == {1}
    assert {len(batch) for batch in run("DE", 64)} == {32}
    assert {len(batch) for batch in run("DE", 20)} == {20}


def test_candidates_of_the_start_are_tried_first():
    candidates = SPACE.random(np.random.default_rng(3), 5)
    first = run("DE", 32, start=Start(SPACE, candidates, 0.1))[0]
    assert first[:5] == pytest.approx(candidates)


def test_names_are_found_whatever_their_case():
    assert optimizer_name("twopointsde") == "TwoPointsDE"
    assert optimizer_name("AUTO") == "auto"
    assert {"CMA", "DE", "NGOpt", "RandomSearch"} <= set(optimizer_names())


@pytest.mark.parametrize(
    ("typed", "hint"), [("TwoPointDE", "TwoPointsDE"), ("cmaa", "CMA"), ("NGopt9x", "NGOpt")]
)
def test_unknown_names_bring_similar_ones(typed, hint):
    with pytest.raises(UnknownNameError, match=rf"no optimizer '{typed}'. Similar: .*{hint}"):
        optimizer_name(typed)


def test_an_optimizer_whose_library_is_missing_is_a_clear_error():
    with pytest.raises(InvalidValueError, match=r"(?s)BOBYQA failed here: .*Choose another"):
        run("BOBYQA", 20)


def test_catcma_finds_values_and_classes_and_stops():
    search = CatCma(UNIFORM, 64, np.random.default_rng(3))
    best = np.inf
    for _ in range(100):
        if search.done:
            break
        batch = search.ask()
        assert ((batch >= 0.0) & (batch <= 1.0)).all()
        told = distance(batch)
        search.tell(batch, told)
        best = min(best, told.min())
    assert best < 1e-3
