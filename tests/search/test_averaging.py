"""Over many seeds: luck does not decide, and a patch that is off comes nearer."""

import numpy as np
import pytest

from deepdiva.note import Note
from deepdiva.search.averaging import POPULATION, NoiseAveragedDescent
from deepdiva.search.enqueued import EnqueuedPoints
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.loop import SearchLoop
from deepdiva.search.objective import SETTLED, STEADY
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.search_history import History
from deepdiva.search.stages import Stage
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

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
    target = PanelRenderer().render(patch[None], NOTE, 4321)[0]
    with Evaluator(target, PanelRenderer(), space, NOTE, 0, 1) as evaluator:
        yield space, space.normalised(patch[None])[0], evaluator


def moved(point, name, step):
    other = point.copy()
    other[FREE.index(name)] += step
    return other


def in_the_mean(evaluator, point):
    """Mean distance over realizations that nobody else has."""
    seeds = 9_000_000 + np.arange(64)
    return evaluator.score(np.repeat(point[None], 64, axis=0), STEADY, seeds).distances.mean()


def loop_of(space, evaluator):
    return SearchLoop(evaluator, RefineSettings(), History(space))


def test_one_seed_may_flatter_what_many_do_not(beating):
    space, point, evaluator = beating
    wrong = moved(point, "VCF1.Freq", 0.02)
    seeds = 1 + np.arange(32)
    right, other = (
        evaluator.score(np.repeat(p[None], 32, axis=0), STEADY, seeds).distances
        for p in (point, wrong)
    )
    assert other.min() < right.max(), "chance is greater than the difference"
    for points in ([point, wrong], [wrong, point]):
        loop = loop_of(space, evaluator)
        choice = EnqueuedPoints(np.stack(points), 2)
        loop.drive(choice, Stage("choice", STEADY, seeds=lambda: seeds))
        assert np.array_equal(choice.best, point)
        assert loop.budget.evaluations == 64


def test_a_strategy_learns_the_mean_over_the_seeds_of_its_stage(beating):
    space, point, evaluator = beating
    points = np.stack([point, moved(point, "VCF1.Freq", 0.02)])
    seeds = np.array([3, 11, 200])
    learnt = []

    class Listening(EnqueuedPoints):
        def tell(self, batch, distances):
            learnt.append(distances)
            super().tell(batch, distances)

    loop_of(space, evaluator).drive(Listening(points, 2), Stage("", STEADY, seeds=lambda: seeds))
    alone = [
        [evaluator.score(p[None], STEADY, s[None]).distances[0] for s in seeds] for p in points
    ]
    assert learnt[0] == pytest.approx(np.mean(alone, axis=1), rel=1e-12)


def test_only_what_the_seed_of_the_search_rendered_is_compared(beating):
    space, point, evaluator = beating
    for seeds, kept in ((None, 1), (lambda: np.array([5]), 0)):
        loop = loop_of(space, evaluator)
        loop.drive(EnqueuedPoints(point[None], 1), Stage("", STEADY, seeds=seeds))
        assert loop.budget.evaluations == 1
        assert loop.history.evaluations == kept


def settled(beating, begun, generations, seed, moving=None):
    """Where a descent ends that every generation hears with another seed."""
    space, _, evaluator = beating
    steps = np.diag(np.full(space.dimensions, 0.02**2))
    rng = np.random.default_rng(seed)
    moving = space.continuous if moving is None else moving
    descent = NoiseAveragedDescent(begun, moving, steps, generations, rng)
    loop = loop_of(space, evaluator)
    loop.drive(descent, Stage("", SETTLED, seeds=lambda: rng.integers(2**31, size=1)))
    assert loop.budget.evaluations == generations * POPULATION
    return descent.point


def test_a_patch_that_is_off_settles(beating):
    _, point, evaluator = beating
    begun = moved(moved(point, "VCF1.Freq", 0.03), "OSC.Vol2", -0.15)
    found = settled(beating, begun, 40, 0)
    assert found[FREE.index("OSC.Wave1")] == point[FREE.index("OSC.Wave1")]
    true = in_the_mean(evaluator, point)
    gap = in_the_mean(evaluator, begun) - true
    others = [settled(beating, begun, 40, seed) for seed in (1, 2)]
    for settled_point in (found, *others):
        assert in_the_mean(evaluator, settled_point) - true < 0.7 * gap
        assert abs(settled_point - point)[FREE.index("VCF1.Freq")] < 0.02
    assert np.array_equal(found, settled(beating, begun, 40, 0))
    assert not np.array_equal(found, others[0])


def test_what_does_not_move_stays(beating):
    _, point, _ = beating
    moving = np.array([FREE.index("OSC.Tune2"), FREE.index("VCF1.Freq")])
    found = settled(beating, point, 2, 0, moving)
    assert set(np.flatnonzero(found != point)) == set(moving)


def test_without_generations_nothing_moves(beating):
    assert settled(beating, beating[1], 0, 0) == pytest.approx(beating[1], abs=1e-12)
