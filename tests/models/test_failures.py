"""Patches that the synthesizer cannot play: training and answers go on without them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.distance import SpectralDistance
from deepdiva.errors import RenderError
from deepdiva.models.augmentation import Augmentation
from deepdiva.models.baselines import NearestPredictor
from deepdiva.models.online import DomainRandomization, FreshSounds
from deepdiva.models.selection import choose
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.renderer import (
    Failure,
    PartialRenderError,
    RenderBatch,
    Renderer,
    RendererInfo,
    Seeds,
)
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(render_seconds=0.25)
SPACE = default_space()
CUTOFF = DIVA.index("VCF1.Freq")
ENGINE = PanelRenderer()


class Faulty(Renderer):
    """The embedded engine, which crashes on some patches as a plug-in may."""

    def __init__(self, crashes: Callable[[NDArray[np.float64]], NDArray[np.bool_]]) -> None:
        self.crashes = crashes

    @property
    def info(self) -> RendererInfo:
        return ENGINE.info

    @property
    def table(self) -> ParameterTable:
        return DIVA

    @property
    def supported(self) -> frozenset[str]:
        return ENGINE.supported

    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        audio = ENGINE.render(patches, note, seeds)
        crashed = np.flatnonzero(self.crashes(patches))
        audio[crashed] = 0.0
        if len(crashed):
            failures = tuple(Failure(int(row), "crashed with SIGSEGV") for row in crashed)
            raise PartialRenderError(RenderBatch(audio, failures))
        return audio


DARK = Faulty(lambda patches: patches[:, CUTOFF] < 70.0)
BROKEN = Faulty(lambda patches: np.ones(len(patches), np.bool_))


def fresh(renderer: Renderer, batch_size: int = 16) -> FreshSounds:
    alone = replace(Augmentation(), glide_share=0.0)  # glides begin with another sound
    variety = DomainRandomization(recording=alone, engine_width=0.0, engine_group=5)
    return FreshSounds(lambda _: renderer, SPACE, NOTE, variety, batch_size, seed=3)


def test_training_sounds_that_cannot_be_played_are_drawn_anew() -> None:
    sounds, x = fresh(DARK).sounds(0)
    unspoilt, same_x = fresh(ENGINE).sounds(0)
    redrawn = SPACE.patches(same_x)[:, CUTOFF] < 70.0
    assert 0 < np.count_nonzero(redrawn) < len(redrawn)
    assert SPACE.patches(x)[:, CUTOFF].min() >= 70.0
    assert np.abs(sounds).max(axis=1).min() > 0.0
    # The others are what they would have been.
    np.testing.assert_array_equal(x[~redrawn], same_x[~redrawn])
    np.testing.assert_array_equal(sounds[~redrawn], unspoilt[~redrawn])


def test_steps_with_redrawn_sounds_depend_on_nothing_before() -> None:
    first, second = fresh(DARK), fresh(DARK)
    first.sounds(0)
    for a, b in zip(first.sounds(4), second.sounds(4), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_sounds_that_can_never_be_played_are_an_error_and_no_loop() -> None:
    with pytest.raises(RenderError, match=r"Sound 0 of step 7 .* 101 times.*crashed with SIGSEGV"):
        fresh(BROKEN, batch_size=2).sounds(7)


@pytest.mark.parametrize("jobs", [1, 3])
def test_of_candidates_that_can_be_played_the_nearest_is_chosen(jobs: int) -> None:
    patches = SPACE.patches(SPACE.random(np.random.default_rng(0), 40))
    dark = patches[:, CUTOFF] < 70.0
    target = int(np.flatnonzero(dark)[-1])
    every = ENGINE.render(patches, NOTE, 5)
    distances = SpectralDistance(every[target], NOTE.sample_rate)(every)
    chosen = choose(every[target], patches, DARK, NOTE, seed=5, jobs=jobs)
    assert chosen.index == int(np.where(dark, np.inf, distances).argmin())
    np.testing.assert_array_equal(chosen.audio, every[chosen.index])
    np.testing.assert_array_equal(np.isinf(chosen.distances), dark)
    np.testing.assert_allclose(chosen.distances[~dark], distances[~dark], rtol=1e-6)


def test_candidates_of_which_none_can_be_played_are_an_error() -> None:
    patches = SPACE.patches(SPACE.random(np.random.default_rng(0), 20))
    sound = ENGINE.render(patches[:1], NOTE, 5)[0]
    with pytest.raises(RenderError, match=r"None of the 20 candidates .* crashed with SIGSEGV"):
        choose(sound, patches, BROKEN, NOTE)


def test_the_nearest_of_stored_sounds_is_one_that_could_be_played() -> None:
    made = [NearestPredictor(SPACE, NOTE, one, count=30, answers=30) for one in (ENGINE, DARK)]
    sounds = ENGINE.render(SPACE.patches(np.full((1, SPACE.dimensions), 0.4)), NOTE, 1)
    every, bright = (predictor.predict(sounds, NOTE)[0].x for predictor in made)
    playable = SPACE.patches(every)[:, CUTOFF] >= 70.0
    assert 0 < np.count_nonzero(playable) < 30
    np.testing.assert_array_equal(bright, every[playable])
    with pytest.raises(RenderError, match=r"None of the 30 stored patches.*crashed with SIGSEGV"):
        NearestPredictor(SPACE, NOTE, BROKEN, count=30)
