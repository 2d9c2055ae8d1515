"""Survey, race and jumps on a landscape whose answer is known."""

import numpy as np
import pytest

from deepdiva.search.archive import Archive
from deepdiva.search.differential import MixedDifferentialEvolution
from deepdiva.search.enqueued import EnqueuedPoints
from deepdiva.search.halving import SuccessiveHalving
from deepdiva.search.moves import neighbours
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space

SPACE = default_space()
CLASSES = [dimension.position for dimension in SPACE.classes]
UNIFORM = Start.uniform(SPACE)


def landscape(seed):
    """A bowl for each combination of classes; wrong classes raise it."""
    goal = SPACE.random(np.random.default_rng(seed), 1)[0]

    def distance(points):
        wrong = (np.abs(points[:, CLASSES] - goal[CLASSES]) > 1e-9).sum(axis=1)
        return ((points - goal)[:, SPACE.continuous] ** 2).sum(axis=1) + 0.2 * wrong

    return goal, distance


def drive(strategy, distance, evaluations, archive=None):
    spent, best, point = 0, np.inf, None
    while spent < evaluations and not strategy.done:
        batch = strategy.ask()
        assert np.all((batch >= 0) & (batch <= 1))
        distances = distance(batch)
        strategy.tell(batch, distances)
        spent += len(batch)
        if archive is not None:
            archive.add(batch, distances)
        if distances.min() < best:
            best, point = distances.min(), batch[distances.argmin()]
    return best, point, spent


@pytest.mark.parametrize("seed", range(5))
def test_the_survey_finds_the_classes_and_comes_near(seed):
    goal, distance = landscape(seed)
    survey = MixedDifferentialEvolution(UNIFORM, 48, np.random.default_rng(seed))
    best, point, _ = drive(survey, distance, 2400)
    assert np.array_equal(point[CLASSES], goal[CLASSES])
    assert best < 0.01


def test_the_survey_keeps_every_class_on_its_position_and_scores_candidates_first():
    candidates = SPACE.random(np.random.default_rng(9), 3)
    start = Start(SPACE, candidates, hints={"OSC.Tune2": np.array([0.3, 0.6])})
    survey = MixedDifferentialEvolution(start, 48, np.random.default_rng(0))
    _, distance = landscape(1)
    for number in range(10):
        batch = survey.ask()
        if number == 0:
            assert np.array_equal(batch[:3], candidates)
        for dimension in SPACE.classes:
            assert set(batch[:, dimension.position]) <= set(dimension.positions)
        survey.tell(batch, distance(batch))


def test_hinted_parameters_stay_near_hints_or_uniform_draws():
    # A point between two pitches is never made up from both.
    start = Start.uniform(SPACE).informed({}, {"OSC.Tune2": np.array([0.2, 0.8])})
    survey = MixedDifferentialEvolution(start, 48, np.random.default_rng(0))
    for _ in range(30):
        batch = survey.ask()
        tune = batch[:, SPACE.names.index("OSC.Tune2")]
        survey.tell(batch, np.abs(np.abs(tune - 0.5) - 0.3))
    near = np.minimum(np.abs(tune - 0.2), np.abs(tune - 0.8)) < 0.01
    assert near.mean() > 0.9


def test_the_race_goes_on_with_the_right_combination():
    goal, distance = landscape(3)
    rng = np.random.default_rng(0)
    points = SPACE.random(rng, 16)
    points[11, CLASSES] = goal[CLASSES]
    points[:, SPACE.continuous] = 0.5
    race = SuccessiveHalving(SPACE, points, 0.09 * np.eye(11), 3000, 12, rng)
    best, point, spent = drive(race, distance, 3000)
    assert np.array_equal(point[CLASSES], goal[CLASSES])
    assert best < 1e-4
    assert spent <= 3000


def test_a_race_halves_its_arms_at_equal_cost():
    _, distance = landscape(4)
    points = SPACE.random(np.random.default_rng(0), 8)
    race = SuccessiveHalving(SPACE, points, 0.09 * np.eye(11), 1920, 12, np.random.default_rng(0))
    sizes = []
    for _ in range(60):
        batch = race.ask()
        sizes.append(len(batch) // 12)
        race.tell(batch, distance(batch))
    assert {size: sizes.count(size) * size * 12 for size in (8, 4, 2)} == {8: 480, 4: 480, 2: 480}
    assert sizes[-1] == 1


def test_a_race_with_little_to_spend_starts_with_fewer_arms():
    points = SPACE.random(np.random.default_rng(0), 8)
    race = SuccessiveHalving(SPACE, points, 0.09 * np.eye(11), 100, 12, np.random.default_rng(0))
    assert len(race.ask()) == 2 * 12


def test_neighbours_are_one_or_two_classes_away():
    point = SPACE.random(np.random.default_rng(5), 1)[0]
    found = neighbours(point, UNIFORM)
    changed = (found[:, CLASSES] != point[CLASSES]).sum(axis=1)
    assert (changed == 1).sum() == 4 + 3 + 3
    assert (changed == 2).sum() == 4 * 3 + 4 * 3 + 3 * 3
    assert changed.max() == 2
    assert len(np.unique(found, axis=0)) == len(found)


def test_neighbours_try_other_hints_and_octaves():
    start = UNIFORM.informed({}, {"OSC.Tune2": np.array([0.31, 0.77])})
    point = SPACE.random(np.random.default_rng(5), 1)[0]
    column = SPACE.names.index("OSC.Tune2")
    point[column] = 0.5
    tried = set(np.round(neighbours(point, start)[:, column], 9))
    assert {0.31, 0.77, 0.3, 0.7} <= tried, "both hints, 12 semitones down and up"


def test_two_sawtooths_may_be_exchanged():
    patch = DIVA.defaults()
    for name, value in {
        "OSC.Tune1": 12.0, "OSC.Wave1": 2.0, "OSC.Vol1": 70.0,
        "OSC.Tune2": -11.9, "OSC.Wave2": 1.0, "OSC.Vol2": 40.0,
    }.items():  # fmt: skip
        patch[DIVA.index(name)] = value
    point = SPACE.normalised(patch[None])[0]
    exchanged = patch.copy()
    for name, value in {
        "OSC.Tune1": -12.0, "OSC.Vol1": 40.0, "OSC.Tune2": 12.1, "OSC.Vol2": 70.0,
    }.items():  # fmt: skip
        exchanged[DIVA.index(name)] = value
    found = SPACE.patches(neighbours(point, UNIFORM))
    assert any(np.allclose(patch, exchanged) for patch in found)
    patch[DIVA.index("OSC.Wave1")] = 3.0
    found = SPACE.patches(neighbours(SPACE.normalised(patch[None])[0], UNIFORM))
    levels = found[:, DIVA.index("OSC.Vol1")]
    assert set(levels) == {70.0}, "a pulse of the first oscillator has no twin in the second"


def test_spaces_without_classes_or_without_anything_else_work():
    ordered = ParameterSpace(DIVA, DIVA.defaults(), ("VCF1.Freq", "VCF1.Res"))
    assert len(neighbours(np.array([0.5, 0.5]), Start.uniform(ordered))) == 0
    survey = MixedDifferentialEvolution(Start.uniform(ordered), 16, np.random.default_rng(0))
    best, _, _ = drive(survey, lambda x: ((x - 0.3) ** 2).sum(axis=1), 800)
    assert best < 1e-4
    classes = ParameterSpace(DIVA, DIVA.defaults(), ("OSC.Wave1", "OSC.Wave2"))
    assert len(neighbours(np.array([0.0, 0.0]), Start.uniform(classes))) == 15


def test_given_points_are_proposed_once_in_order():
    points = np.random.default_rng(0).random((25, 3))
    strategy = EnqueuedPoints(points, 10)
    sizes = []
    seen = []
    while not strategy.done:
        batch = strategy.ask()
        sizes.append(len(batch))
        seen.append(batch)
        strategy.tell(batch, np.zeros(len(batch)))
    assert sizes == [10, 10, 5]
    assert np.array_equal(np.concatenate(seen), points)
    assert EnqueuedPoints(points[:0], 10).done


def test_an_archive_ranks_without_repeating():
    archive = Archive(SPACE)
    points = SPACE.random(np.random.default_rng(0), 50)
    distances = np.random.default_rng(1).random(50)
    assert archive.add(points, distances)
    assert not archive.add(points, distances), "the same again is no better"
    assert len(archive) == 100
    assert archive.best_distance == distances.min()
    assert np.array_equal(archive.ranked(50), points[np.argsort(distances)])
    best = archive.ranked(5, per_combination=1)
    assert len(np.unique(best[:, CLASSES], axis=0)) == 5
    assert np.array_equal(best[0], archive.best_point)
