"""Fresh training sounds: a function of seed and step, and recorded as told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepdiva.models.augmentation import NONE, Augmentation, augment, band_limited, white_noise
from deepdiva.models.online import (
    DomainRandomization,
    FreshSounds,
    OnlineSource,
    embedded_renderers,
)
from deepdiva.models.regression import MelFeatures, RegressionLearner
from deepdiva.note import Note
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(render_seconds=0.4)
SPACE = default_space()
PLAIN = DomainRandomization(settings={}, recording=NONE, engine_width=0.0, engine_group=4)


@pytest.fixture(scope="module")
def learner():
    torch.manual_seed(0)
    return RegressionLearner("cnn", SPACE, NOTE, MelFeatures())


def fresh(variety=PLAIN, seed=0, stream=0):
    renderers = embedded_renderers(variety.engine_width)
    return FreshSounds(renderers, SPACE, NOTE, variety, 8, seed, stream)


def test_without_variety_a_batch_is_what_the_engine_renders():
    sounds, x = fresh().sounds(3)
    rng = np.random.default_rng([0, 0, 3, 0])
    np.testing.assert_array_equal(x, SPACE.random(rng, 8))
    seeds = rng.integers(0, 2**31, 8)
    expected = PanelRenderer().render(SPACE.patches(x), NOTE, seeds)
    np.testing.assert_array_equal(sounds, expected)


def test_a_step_is_the_same_whatever_was_asked_before(learner):
    variety = DomainRandomization(engine_group=4)
    first, second = (OnlineSource(fresh(variety), learner, 100) for _ in range(2))
    assert first.steps_per_epoch == 13
    first.batch(0)
    for a, b in zip(first.batch(5), second.batch(5), strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_steps_seeds_and_streams_differ():
    x = [
        fresh(seed=seed, stream=stream).sounds(step)[1]
        for seed, stream, step in ((0, 0, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0))
    ]
    assert len({points.tobytes() for points in x}) == 4


def test_settings_vary_the_patch_without_being_told():
    plain, x = fresh().sounds(0)
    stacked = fresh(replace(PLAIN, settings={"VCC.Voicing": (2.0,)}))
    sounds, same_x = stacked.sounds(0)
    np.testing.assert_array_equal(x, same_x)
    assert not np.array_equal(plain, sounds)


def test_the_engine_varies_with_its_width():
    plain, x = fresh().sounds(0)
    varied, same_x = fresh(replace(PLAIN, engine_width=1.0)).sounds(0)
    np.testing.assert_array_equal(x, same_x)
    assert not np.array_equal(plain, varied)


def tones(count=6, samples=8000):
    t = np.arange(samples) / 8000
    return np.stack([np.sin(2 * np.pi * (200 + 50 * i) * t) for i in range(count)]).astype("f4")


def test_no_augmentation_changes_nothing():
    sounds = tones()
    augment(sounds, 8000, NONE, white_noise(8000), np.random.default_rng(0))
    np.testing.assert_allclose(sounds, tones(), atol=1e-7)


def test_level_noise_and_shift_are_as_strong_as_told():
    rng = np.random.default_rng(0)
    loud = np.ones((2000, 100), np.float32)
    augment(loud, 8000, replace(NONE, gain_db=0.5), white_noise(100), rng)
    assert (20 * np.log10(loud[:, 0])).std() == pytest.approx(0.5, rel=0.1)

    noisy = np.zeros((50, 8000), np.float32)
    settings = replace(NONE, noise_share=1.0, noise_db=(-40.0, -40.0))
    augment(noisy, 8000, settings, white_noise(8000), rng)
    assert 20 * np.log10(noisy.std()) == pytest.approx(-40.0, abs=0.2)

    shifted = np.zeros((200, 1000), np.float32)
    shifted[:, 500] = 1.0
    augment(shifted, 8000, replace(NONE, shift_seconds=0.005), white_noise(1000), rng)
    places = shifted.argmax(axis=1)
    assert places.min() == 460
    assert places.max() == 540


def test_glides_touch_only_the_beginning():
    sounds = tones()
    settings = replace(NONE, glide_share=1.0, glide_seconds=0.05)
    augment(sounds, 8000, settings, white_noise(8000), np.random.default_rng(1))
    difference = np.abs(sounds - tones())
    assert difference[:, :200].max() > 0.1
    np.testing.assert_allclose(difference[:, 400:], 0.0, atol=1e-7)


def test_band_limit_against_sines():
    t = np.arange(44100) / 44100
    for hz, expected in ((1000, 1.0), (9000, 1.0), (12000, 0.0)):
        sine = np.sin(2 * np.pi * hz * t).astype(np.float32)
        left = band_limited(sine, 44100, 11025.0)
        assert np.abs(left[1000:-1000]).max() == pytest.approx(expected, abs=1e-3)


def test_everything_at_once_stays_finite_and_repeats():
    results = []
    for _ in range(2):
        sounds = tones()
        settings = Augmentation(band_limit_share=0.5, band_limits_hz=(1000.0,))
        augment(sounds, 8000, settings, white_noise(8000), np.random.default_rng(9))
        results.append(sounds)
    np.testing.assert_array_equal(*results)
    assert np.isfinite(results[0]).all()
