"""How the note was played: fitted within its budget, and a judge of waves."""

import numpy as np
import pytest

from deepdiva.distance import SpectralDistance
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.search.evaluator import Evaluator
from deepdiva.search.loop import SearchLoop
from deepdiva.search.realization import (
    CHOICE_SHARE,
    LEAST_EVALUATIONS,
    LEAST_SEEDS,
    fit_realization,
)
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.search_history import History
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(sample_rate=8000, length_seconds=0.25, render_seconds=0.25)
FREE = ("OSC.Tune2", "OSC.Wave1", "OSC.Wave2", "VCF1.Freq", "ENV1.Atk")
WAVE_1 = FREE.index("OSC.Wave1")


@pytest.fixture(scope="module")
def known():
    """Two beating oscillators: their patch, its point, and a sound of it."""
    patch = DIVA.defaults()
    for name, value in {
        "OSC.Vol1": 80.0, "OSC.Vol2": 80.0, "OSC.Tune1": 0.0, "OSC.Tune2": 0.05,
        "OSC.Wave1": 2.0, "OSC.Wave2": 1.0, "VCF1.Freq": 100.0, "ENV1.Atk": 10.0,
    }.items():  # fmt: skip
        patch[DIVA.index(name)] = value
    space = ParameterSpace(DIVA, patch, FREE)
    target = PanelRenderer().render(patch[None], NOTE, 4321)[0]
    return space, space.normalised(patch[None])[0], target


def fitted(known, candidates, evaluations, seed=0):
    space, _, target = known
    with Evaluator(target, PanelRenderer(), space, NOTE, seed, 1) as evaluator:
        points = np.atleast_2d(candidates)
        steps = np.diag(np.full(space.dimensions, 0.03**2))
        loop = SearchLoop(evaluator, RefineSettings(), History(space))
        realization = fit_realization(
            loop.drive, evaluator, space, points, steps, evaluations, seed
        )
    assert realization.evaluations == loop.budget.evaluations <= evaluations
    assert loop.history.evaluations == 0, "phases do not compare with the search's seed"
    reported = SpectralDistance(target, NOTE.sample_rate)
    assert realization.distance == reported(realization.sound[None])[0]
    return realization


def test_start_phases_of_a_known_patch_are_found(known):
    space, point, target = known
    luck = SpectralDistance(target, NOTE.sample_rate)(
        PanelRenderer().render(np.repeat(space.base[None], 32, axis=0), NOTE, np.arange(32))
    )
    realization = fitted(known, point, 800)
    assert realization.distance < min(luck.min(), 0.4 * np.median(luck))
    found = space.patches(realization.point[None])[0]
    assert found[DIVA.index("OSC.Tune2")] == pytest.approx(0.05, abs=0.02)
    assert found[DIVA.index("VCF1.Freq")] == pytest.approx(100.0, abs=2.0)


def test_a_wrong_wave_gives_itself_away(known):
    _, point, _ = known
    wrong = point.copy()
    wrong[WAVE_1] = known[0].classes[0].positions[2]
    realization = fitted(known, [wrong, point], 600)
    assert realization.point[WAVE_1] == point[WAVE_1]
    assert realization.distance < fitted(known, wrong, 600).distance


def test_with_little_to_spend_the_first_is_fitted_as_it_is(known):
    _, point, _ = known
    wrong = point.copy()
    wrong[WAVE_1] = known[0].classes[0].positions[2]
    realization = fitted(known, [wrong, point], int(2 * LEAST_SEEDS / CHOICE_SHARE) - 1)
    assert realization.point[WAVE_1] == wrong[WAVE_1]


@pytest.mark.parametrize("evaluations", [LEAST_EVALUATIONS, 65, 100, 257])
def test_a_small_budget_is_kept_and_nearly_spent(known, evaluations):
    realization = fitted(known, known[1], evaluations)
    assert realization.evaluations > evaluations - 16 - 11


def test_a_patch_that_cannot_be_compared_stays(known):
    realization = fitted(known, known[1], 100)
    assert np.array_equal(realization.point, known[1])


def test_the_same_seed_is_the_same_realization(known):
    one, two = (fitted(known, known[1], 200, seed=3) for _ in range(2))
    assert np.array_equal(one.sound, two.sound)
    assert not np.array_equal(one.sound, fitted(known, known[1], 200, seed=4).sound)


@pytest.fixture(scope="module")
def stacked(known):
    """The same patch where the number of voices is free, nearly one more than it is."""
    space, _, target = known
    stacked = ParameterSpace(DIVA, space.base, ("VCC.Voicing", *FREE))
    point = stacked.normalised(space.base[None])[0]
    point[0] = 0.09
    return stacked, point, target


@pytest.mark.parametrize("evaluations", [LEAST_EVALUATIONS, 250, 500])
@pytest.mark.parametrize("voicing", [0.09, 0.11, 0.89])
def test_as_many_voices_play_as_before(stacked, voicing, evaluations):
    point = stacked[1].copy()
    point[0] = voicing
    realization = fitted(stacked, point, evaluations)
    assert realization.point[0] == voicing


def test_of_other_numbers_of_voices_the_nearest_plays(stacked):
    _, point, _ = stacked
    more = point.copy()
    more[0] = 0.6
    realization = fitted(stacked, [more, point], 600)
    assert realization.point[0] == point[0]


def test_where_only_the_number_of_voices_is_free_the_realization_is_fitted(known):
    space, _, target = known
    alone = ParameterSpace(DIVA, space.base, ("VCC.Voicing",))
    realization = fitted((alone, None, target), np.array([0.09]), 250)
    assert realization.point == [0.09]


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_a_search_for_the_number_of_voices_ends_with_a_match(known, seed):
    space, _, target = known
    free = ("VCC.Voicing", "OSC.Tune2", "VCF1.Freq")
    settings = RefineSettings(evaluations=700, seed=seed, jobs=1)
    searched = ParameterSpace(DIVA, space.base, free)
    found = refine(target, PanelRenderer(), searched, NOTE, settings)
    assert found.realization is not None
    assert found.distance < found.silence


def test_a_renderer_that_takes_no_realizations_is_refused(known):
    space, point, target = known

    class Other(PanelRenderer):
        """A renderer that has only what every renderer has."""

        realization_size = Renderer.realization_size

    with (
        Evaluator(target, Other(), space, NOTE, 0, 1) as evaluator,
        pytest.raises(InvalidValueError, match="takes no realizations"),
    ):
        evaluator.realization_size(point)
