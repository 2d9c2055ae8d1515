"""Intervals, paired comparisons and the shuffle probe, held against theory and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from deepdiva.errors import InvalidValueError
from deepdiva.evaluation.statistics import (
    FEWEST_SOUNDS,
    Interval,
    bootstrap,
    compare_paired,
    gap_closed,
    probe_shuffle,
    proportion,
)


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_bootstrap_agrees_with_scipys_percentile_interval(statistic):
    values = np.random.default_rng(0).lognormal(size=40)
    ours = bootstrap(values, statistic, resamples=20000)
    theirs = scipy.stats.bootstrap(
        (values,), statistic, method="percentile", n_resamples=20000, rng=1
    ).confidence_interval
    assert ours.value == statistic(values)
    assert ours.low == pytest.approx(theirs.low, rel=0.02)
    assert ours.high == pytest.approx(theirs.high, rel=0.02)


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(400):
        interval = bootstrap(rng.normal(3.0, 1.0, 50), seed=trial, resamples=500)
        hits += interval.low <= 3.0 <= interval.high
    assert 0.90 <= hits / 400 <= 0.98


def test_bootstrap_repeats_itself():
    assert bootstrap([1.0, 2.0, 4.0], seed=3) == bootstrap([1.0, 2.0, 4.0], seed=3)


def test_one_sound_has_an_interval_of_no_width():
    assert bootstrap([0.7]) == Interval(0.7, 0.7, 0.7)


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0, 2.0]]])
def test_bootstrap_refuses_what_it_cannot_resample(values):
    with pytest.raises(InvalidValueError, match="cannot be resampled"):
        bootstrap(values)


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 5), (3, 10), (25, 25), (22, 50), (0, 21), (40, 40)]
)
def test_proportion_is_wilsons_interval(successes, trials):
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    interval = proportion(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0.0 <= interval.low <= interval.value <= interval.high <= 1.0


def test_paired_comparison_sees_what_unpaired_means_hide():
    """A gain of 0.1 on every sound, far below the spread between sounds."""
    first = np.random.default_rng(2).uniform(0, 10, 30)
    pairing = compare_paired(first, first - 0.1, sign=1)
    assert pairing.won.value == 1.0
    assert pairing.change.value == pytest.approx(-0.1)
    assert pairing.verdict == "better"


def test_direction_of_the_measure_decides_who_is_better():
    low, high = np.zeros(20), np.ones(20)
    assert compare_paired(low, high, sign=1).verdict == "worse"
    assert compare_paired(low, high, sign=-1).verdict == "better"


def test_equal_methods_share_the_ties():
    values = np.arange(10.0)
    pairing = compare_paired(values, values, sign=1)
    assert pairing.won.value == 0.5
    assert pairing.verdict == "unclear"


def test_noise_alone_is_rarely_called_a_difference():
    rng = np.random.default_rng(3)
    verdicts = [
        compare_paired(rng.normal(size=40), rng.normal(size=40), sign=1, seed=i).verdict
        for i in range(300)
    ]
    assert verdicts.count("unclear") >= 0.9 * 300


def test_enough_sounds_are_those_that_seldom_agree_by_chance():
    """All signs agree in 2^(1-n) of the cases: the two-sided sign test at its strictest."""
    chances = [scipy.stats.binomtest(n, n).pvalue for n in (FEWEST_SOUNDS - 1, FEWEST_SOUNDS)]
    assert chances == pytest.approx([2.0 ** (2 - FEWEST_SOUNDS), 2.0 ** (1 - FEWEST_SOUNDS)])
    assert chances[0] > 0.05 > chances[1]


@pytest.mark.parametrize("count", range(1, FEWEST_SOUNDS))
def test_of_too_few_sounds_the_verdict_is_unclear(count):
    gain = -np.linspace(1.0, 2.0, count)
    assert compare_paired(np.zeros(count), gain, sign=1).verdict == "unclear"
    # Sounds on which nothing changed say nothing about the direction.
    padded = np.concatenate([gain, np.zeros(count)])
    assert compare_paired(np.zeros(2 * count), padded, sign=1).verdict == "unclear"


def test_enough_sounds_that_agree_have_a_verdict():
    gain = -np.linspace(1.0, 2.0, FEWEST_SOUNDS)
    assert compare_paired(np.zeros(FEWEST_SOUNDS), gain, sign=1).verdict == "better"


def test_paired_comparison_needs_the_same_sounds():
    with pytest.raises(InvalidValueError, match="same sounds"):
        compare_paired([1.0, 2.0], [1.0], sign=1)


def test_probe_of_an_answer_that_never_changes_is_one_half():
    """Every row is the same answer; targets differ in how far they are from everything."""
    distances = np.tile(np.array([0.2, 1.0, 5.0, 0.7]), (4, 1))
    probe = probe_shuffle(distances)
    assert probe.nearer == Interval(0.5, 0.5, 0.5)
    assert probe.first.value == pytest.approx(0.25)
    assert probe.own == pytest.approx(probe.other)


def test_probe_of_perfect_answers_is_one():
    distances = 1.0 - np.eye(6)
    probe = probe_shuffle(distances)
    assert probe.nearer.value == 1.0
    assert probe.first.value == 1.0
    assert (probe.own, probe.other) == (0.0, 1.0)


def test_probe_of_random_answers_is_near_one_half():
    distances = np.random.default_rng(4).uniform(1, 2, (60, 60))
    assert probe_shuffle(distances).nearer.value == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)])
def test_probe_needs_matches_and_targets_of_the_same_sounds(shape):
    with pytest.raises(InvalidValueError, match="cannot be shuffled"):
        probe_shuffle(np.ones(shape))


def test_recall_counts_own_targets_among_the_nearest():
    """Match i is nearest to target i + 1 and next to its own: never first, always among ten."""
    distances = np.full((12, 12), 9.0)
    for place in range(12):
        distances[place, place] = 2.0
        distances[place, (place + 1) % 12] = 1.0
    probe = probe_shuffle(distances)
    assert probe.first.value == 0
    assert probe.ten.value == 1
    assert probe_shuffle(np.ones((12, 12))).ten.value == pytest.approx(10 / 12)
    assert probe_shuffle(distances[:10, :10]).ten is None


def test_gap_closed_runs_from_the_baseline_to_the_floor():
    baseline, floors = np.array([4.0, 6.0, 8.0]), np.ones(3)
    assert gap_closed(baseline, baseline, floors).value == 0
    assert gap_closed(baseline, floors, floors).value == 1
    half = gap_closed(baseline, (baseline + floors) / 2, floors)
    assert (half.value, half.low, half.high) == pytest.approx((0.5, 0.5, 0.5))
    assert gap_closed(floors, floors, floors) is None
