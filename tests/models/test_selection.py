"""From candidates to one patch: the nearest, its spread, and how well the spread is calibrated."""

import numpy as np
import pytest

from deepdiva.distance import SpectralDistance
from deepdiva.models.interval_coverage import coverage, ranks
from deepdiva.models.predictor import Candidates
from deepdiva.models.selection import choose
from deepdiva.models.spread import spreads
from deepdiva.note import Note
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(render_seconds=0.25)
SPACE = default_space()


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_nearest_patch_is_found_among_many(jobs):
    renderer = PanelRenderer()
    patches = SPACE.patches(SPACE.random(np.random.default_rng(0), 40))
    sound = renderer.render(patches[29:30], NOTE, 5)[0]
    chosen = choose(sound, patches, renderer, NOTE, seed=5, jobs=jobs)
    assert chosen.index == 29
    assert chosen.distance == 0.0
    np.testing.assert_array_equal(chosen.audio, sound)
    np.testing.assert_array_equal(chosen.patch, patches[29])
    every = SpectralDistance(sound, NOTE.sample_rate)(renderer.render(patches, NOTE, 5))
    np.testing.assert_allclose(chosen.distances, every, rtol=1e-6)


def test_of_equally_near_patches_the_first_is_kept():
    renderer = PanelRenderer()
    patches = np.repeat(SPACE.patches(np.full((1, 11), 0.5)), 20, axis=0)
    sound = renderer.render(patches[:1], NOTE, 1)[0]
    assert choose(sound, patches, renderer, NOTE, seed=1).index == 0


def test_spread_of_known_draws():
    x = np.tile(np.full(11, 0.5), (1001, 1))
    x[:, 9] = np.linspace(0, 1, 1001)  # VCF1.Freq: anything from 30 to 150
    probabilities = {
        "OSC.Tune1": np.array([0, 0.1, 0.9, 0, 0]),
        "OSC.Wave1": np.full(4, 0.25),
        "OSC.Wave2": np.array([0, 0, 0, 1.0]),
    }
    found = {
        spread.parameter.name: spread
        for spread in spreads(Candidates(x, np.zeros(1001), probabilities), SPACE)
    }
    assert found["VCF1.Freq"].low == pytest.approx(36.0)
    assert found["VCF1.Freq"].high == pytest.approx(144.0)
    assert found["VCF1.Freq"].certainty == pytest.approx(0.0, abs=1e-9)
    assert found["VCF1.Res"].certainty == 1.0
    assert found["VCF1.Res"].low == found["VCF1.Res"].high == 50.0
    assert found["OSC.Tune1"].certainty == 0.9
    assert found["OSC.Wave1"].certainty == 0.25


def test_one_candidate_says_nothing_of_its_spread():
    probabilities = {name: np.array([1.0]) for name in ("OSC.Tune1", "OSC.Wave1", "OSC.Wave2")}
    answer = Candidates(np.full((1, 11), 0.5), np.array([np.nan]), probabilities)
    assert np.isnan([s.certainty for s in spreads(answer, SPACE) if not s.parameter.is_class]).all()


def answers_of(spread, truth, rng):
    """Posteriors of a value seen through noise of deviation 0.1, too narrow or wide by a factor."""
    seen = truth + 0.1 * rng.standard_normal(truth.shape)
    return [
        Candidates(centre + spread * 0.1 * rng.standard_normal((200, 1)), np.zeros(200), {})
        for centre in seen
    ]


def test_coverage_of_right_narrow_and_wide_posteriors():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((2000, 1)) * 100  # so wide a prior that it does not matter
    for spread, expected in ((1.0, 0.9), (0.5, 0.589), (2.0, 0.999)):
        rank = ranks(answers_of(spread, truth, rng), truth)
        # |error| < spread * 1.645 * 0.1, for normal errors of deviation 0.1
        assert coverage(rank, 0.9)[0] == pytest.approx(expected, abs=0.025)


def test_ties_count_by_half():
    answer = Candidates(np.array([[0.0], [0.5], [0.5], [1.0]]), np.zeros(4), {})
    assert ranks([answer], np.array([[0.5]]))[0, 0] == 0.5
