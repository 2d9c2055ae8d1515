"""What is known before a search, and the points that are drawn from it."""

import numpy as np
import pytest

from deepdiva.errors import InvalidValueError
from deepdiva.search.start import HINT_SPREAD, NEAR_SPREAD, Start
from deepdiva.synths.diva import DIVA, default_space

SPACE = default_space()
TUNE_2 = SPACE.names.index("OSC.Tune2")
WAVE_1 = SPACE.names.index("OSC.Wave1")
NO_CANDIDATES = np.empty((0, SPACE.dimensions))


def test_nothing_known_is_the_uniform_space():
    points = Start.uniform(SPACE).sample(np.random.default_rng(0), 4000)
    for position in SPACE.continuous:
        assert np.quantile(points[:, position], [0.1, 0.5, 0.9]) == pytest.approx(
            [0.1, 0.5, 0.9], abs=0.03
        )
    for dimension in SPACE.classes:
        counts = [(points[:, dimension.position] == p).sum() for p in dimension.positions]
        assert sum(counts) == 4000
        assert np.array(counts) / 4000 == pytest.approx(1 / len(counts), abs=0.04)


def test_probabilities_hints_and_candidates_are_followed():
    candidate = SPACE.normalised(DIVA.defaults()[None])
    start = Start(
        SPACE,
        candidate,
        spread=0.01,
        probabilities={"OSC.Wave1": np.array([0.0, 0.0, 1.0, 0.0])},
        hints={"OSC.Tune2": np.array([0.25, 0.75])},
    )
    points = start.sample(np.random.default_rng(0), 4000)
    near = np.abs(points - candidate)[:, SPACE.continuous].max(axis=1) < 0.06
    assert near.mean() == pytest.approx(0.5, abs=0.03)
    away = points[~near]
    assert set(away[:, WAVE_1]) == {SPACE.classes[1].positions[2]}
    first, second = (
        (np.abs(away[:, TUNE_2] - hint) < 4 * HINT_SPREAD).mean() for hint in (0.25, 0.75)
    )
    assert first == pytest.approx(0.75 * 2 / 3 + 0.25 * 0.024, abs=0.04)
    assert second == pytest.approx(0.75 / 3 + 0.25 * 0.024, abs=0.04)
    assert np.all((points >= 0) & (points <= 1))


def test_steps_are_narrow_where_there_are_hints():
    start = Start.uniform(SPACE).informed({}, {"OSC.Tune2": np.array([0.4])})
    steps = np.sqrt(np.diag(start.steps))
    assert steps[TUNE_2] == pytest.approx(HINT_SPREAD)
    assert np.delete(steps, TUNE_2) == pytest.approx(0.3)


def test_two_sources_multiply_their_probabilities_and_join_their_hints():
    one = {"OSC.Wave1": np.array([0.5, 0.5, 0.0, 0.0])}
    other = {"OSC.Wave1": np.array([0.1, 0.3, 0.6, 0.0])}
    start = Start.uniform(SPACE).informed(one, {"OSC.Tune2": np.array([0.1])})
    both = start.informed(other, {"OSC.Tune2": np.array([0.9, 0.2])})
    assert both.probabilities["OSC.Wave1"] == pytest.approx([0.25, 0.75, 0, 0])
    assert both.hints["OSC.Tune2"].tolist() == [0.1, 0.9, 0.2]
    opposed = start.informed({"OSC.Wave1": np.array([0.0, 0.0, 0.0, 1.0])}, {})
    assert opposed.probabilities["OSC.Wave1"].tolist() == [0, 0, 0, 1], "the newer source"


def test_a_patch_of_ones_own_is_the_first_candidate():
    patch = DIVA.defaults()
    patch[DIVA.index("VCF1.Freq")] = 90.0
    start = Start.near(SPACE, patch)
    assert np.array_equal(SPACE.patches(start.candidates)[0], patch)
    assert start.deviations == pytest.approx(NEAR_SPREAD)


def test_a_class_between_its_choices_stands_at_the_one_it_plays():
    patch = DIVA.defaults()
    patch[DIVA.index("OSC.Tune1")] = 11.43
    start = Start.near(SPACE, patch)
    position = SPACE.names.index("OSC.Tune1")
    assert start.candidates[0, position] == DIVA["OSC.Tune1"].to_normalised(12.0)


def test_a_prediction_brings_its_covariance_and_leaves_the_rest_wide():
    rng = np.random.default_rng(0)
    shape = np.array([[0.04, 0.03], [0.03, 0.04]]) * 0.1
    names = ("VCF1.Res", "VCF1.Freq", "OSC.PW")
    positions = np.clip(rng.multivariate_normal([0.5, 0.4], shape, 3000), 0, 1)
    positions = np.column_stack([positions, np.full(3000, 0.9)])
    start = Start.predicted(
        SPACE, names, positions, {"OSC.Wave1": np.array([0, 0, 1.0, 0]), "OSC.PWM": np.ones(1)}
    )
    freq, res = SPACE.names.index("VCF1.Freq"), SPACE.names.index("VCF1.Res")
    assert start.candidates[:, [res, freq]] == pytest.approx(positions[:, :2])
    others = np.delete(start.candidates, [freq, res], axis=1)
    assert others == pytest.approx(
        np.tile(np.delete(SPACE.normalised(SPACE.base[None]), [freq, res]), (3000, 1))
    )
    block = start.covariance[np.ix_([res, freq], [res, freq])]
    assert block == pytest.approx(shape + 1e-4 * np.eye(2), rel=0.1)
    assert np.sqrt(np.diag(start.covariance))[0] == pytest.approx(0.3)
    assert set(start.probabilities) == {"OSC.Wave1"}


def test_candidates_are_left_along_the_covariance():
    covariance = np.eye(11) * 1e-6
    first, second = 9, 10
    covariance[np.ix_([first, second], [first, second])] = [[4e-4, 3.9e-4], [3.9e-4, 4e-4]]
    candidate = np.full((1, 11), 0.5)
    start = Start(SPACE, candidate, covariance)
    points = start.sample(np.random.default_rng(0), 4000)
    near = np.all(np.abs(points[:, :3] - 0.5) < 0.005, axis=1)
    assert np.corrcoef(points[near][:, first], points[near][:, second])[0, 1] > 0.8


def test_probabilities_in_single_precision_are_taken_as_they_are_meant():
    weights = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    start = Start(SPACE, NO_CANDIDATES, probabilities={"OSC.Wave1": weights})
    points = start.sample(np.random.default_rng(0), 2000)
    shares = [(points[:, WAVE_1] == p).mean() for p in SPACE.classes[1].positions]
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.04)


def test_the_digest_tells_starts_apart():
    candidates = SPACE.random(np.random.default_rng(0), 3)
    starts = [
        Start.uniform(SPACE),
        Start(SPACE, candidates),
        Start(SPACE, candidates, 0.2),
        Start(SPACE, candidates, 0.2, {"OSC.Wave1": np.array([1.0, 0, 0, 0])}),
        Start(SPACE, candidates, 0.2, hints={"OSC.Tune2": np.array([0.5])}),
    ]
    assert len({start.digest() for start in starts}) == 5
    assert Start(SPACE, candidates.copy()).digest() == starts[1].digest()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"candidates": np.zeros((2, 3))}, r"shape \(2, 3\): \(count, 11\)"),
        ({"candidates": np.full((1, 11), 1.5)}, "outside"),
        ({"candidates": np.full((1, 11), np.nan)}, "outside"),
        ({"spread": 0.0}, "positive"),
        ({"spread": np.ones(3)}, "11 of them"),
        ({"spread": np.diag(np.r_[-1.0, np.ones(10)])}, "covariance matrix"),
        ({"probabilities": {"VCF1.Freq": np.ones(1)}}, "no free parameter with classes"),
        ({"probabilities": {"OSC.Wave1": np.ones(4)}}, "sum to 1"),
        ({"probabilities": {"OSC.Wave1": np.array([1.0])}}, "4 numbers"),
        ({"hints": {"OSC.Wave1": np.zeros(1)}}, "without classes"),
        ({"hints": {"OSC.Tune2": np.array([1.2])}}, r"not in \[0, 1\]"),
    ],
)
def test_what_does_not_fit_is_refused(fields, message):
    with pytest.raises(InvalidValueError, match=message):
        Start(SPACE, **{"candidates": NO_CANDIDATES, **fields})
