"""Over many strikes: luck does not decide, and a patch that is off comes nearer."""

import numpy as np
import pytest

from deepdiva.engine import EmbeddedRenderer
from deepdiva.note import Note
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.objective import STEADY
from deepdiva.search.steady import POPULATION, nearest, settle
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA

NOTE = Note(sample_rate=22050, length_seconds=0.5, render_seconds=0.5)
FREE = ("OSC.Tune2", "OSC.Wave1", "OSC.Vol2", "VCF1.Freq")


@pytest.fixture(scope="module")
def beating():
    """Two beating oscillators: the space around them, their point, and the judge of it."""
    patch = DIVA.defaults()
    for name, value in {
        "OSC.Vol1": 80.0, "OSC.Vol2": 60.0, "OSC.Tune1": 0.0, "OSC.Tune2": 0.05,
        "OSC.Wave1": 2.0, "OSC.Wave2": 1.0, "VCF1.Freq": 90.0,
    }.items():  # fmt: skip
        patch[DIVA.index(name)] = value
    space = ParameterSpace(DIVA, patch, FREE)
    target = EmbeddedRenderer().render(patch[None], NOTE, 4321)[0]
    with Evaluator(target, EmbeddedRenderer(), space, NOTE, 0, 1) as evaluator:
        yield space, space.normalised(patch[None])[0], evaluator


def moved(point, name, step):
    other = point.copy()
    other[FREE.index(name)] += step
    return other


def in_the_mean(evaluator, point):
    """Mean distance over strikes that nobody else has."""
    seeds = 9_000_000 + np.arange(64)
    return evaluator.score(np.repeat(point[None], 64, axis=0), STEADY, seeds).distances.mean()


def test_one_strike_may_flatter_what_many_do_not(beating):
    _, point, evaluator = beating
    wrong = moved(point, "VCF1.Freq", 0.02)
    seeds = 1 + np.arange(32)
    right, other = (
        evaluator.score(np.repeat(p[None], 32, axis=0), STEADY, seeds).distances
        for p in (point, wrong)
    )
    assert other.min() < right.max(), "chance is greater than the difference"
    batches = []

    def scored(batch, render):
        batches.append(batch)
        return render()

    for points in ([point, wrong], [wrong, point]):
        assert np.array_equal(nearest(evaluator, np.stack(points), STEADY, 32, 0, scored), point)
    assert [len(batch) for batch in batches] == [64, 64]


def test_a_patch_that_is_off_settles(beating):
    space, point, evaluator = beating
    begun = moved(moved(point, "VCF1.Freq", 0.03), "OSC.Vol2", -0.15)
    count = 0

    def scored(batch, render):
        nonlocal count
        count += len(batch)
        return render()

    def settled(seed):
        steps = np.diag(np.full(space.dimensions, 0.02**2))
        return settle(
            evaluator, space.continuous, begun, steps, 40, np.random.default_rng(seed), scored
        )

    found = settled(0)
    assert count == 40 * POPULATION
    assert found[FREE.index("OSC.Wave1")] == point[FREE.index("OSC.Wave1")]
    true = in_the_mean(evaluator, point)
    gap = in_the_mean(evaluator, begun) - true
    for settled_point in (found, settled(1), settled(2)):
        assert in_the_mean(evaluator, settled_point) - true < 0.7 * gap
        assert abs(settled_point - point)[FREE.index("VCF1.Freq")] < 0.02
    assert np.array_equal(found, settled(0))
    assert not np.array_equal(found, settled(1))


def test_what_does_not_move_stays(beating):
    _, point, evaluator = beating
    moving = np.array([FREE.index("OSC.Tune2"), FREE.index("VCF1.Freq")])
    steps = np.diag(np.full(len(FREE), 0.02**2))
    rng = np.random.default_rng(0)
    found = settle(evaluator, moving, point, steps, 2, rng, lambda _, render: render())
    assert set(np.flatnonzero(found != point)) == set(moving)


def test_without_generations_nothing_moves(beating):
    space, point, evaluator = beating
    steps = np.diag(np.full(space.dimensions, 0.05**2))
    found = settle(evaluator, space.continuous, point, steps, 0, np.random.default_rng(0), None)
    assert found == pytest.approx(point, abs=1e-12)
