"""The vector behind the distance: against plain numpy, and its laws."""

import pickle
from itertools import pairwise

import numpy as np
import pytest

from deepdiva.distance import Profile
from deepdiva.distance.plan import logarithmic_bands
from deepdiva.errors import InvalidValueError

RATE = 44100


def noise(seed, samples=88200, level=0.1):
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


def plain(target, candidate, rate):
    """The definition, word by word, in float64."""
    vectors = []
    for sound in (target, candidate):
        sound = sound.astype(np.float64)
        slice_samples = 1024 * int(np.ceil(sound.size / (32 * 1024)))
        padded = np.pad(sound, (0, max(0, 4096 - sound.size)))
        begins = np.arange(0, padded.size - 4095, 1024)
        frames = np.stack([padded[at : at + 4096] for at in begins])
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)
        power = np.abs(np.fft.rfft(frames * window, axis=1) * 2 / window.sum()) ** 2
        highest = min(16000, rate / 2)
        bands = power @ logarithmic_bands(4096, rate, 48, min(40, highest / 2), highest).T
        owner = begins // slice_samples

        def stretches(count, wanted):
            return np.unique(np.rint(count * np.linspace(0, 1, wanted + 1) ** 1.5).astype(int))

        edges = stretches(owner.max() + 1, 16)
        means = np.array(
            [bands[(owner >= a) & (owner < b)].mean(axis=0) for a, b in pairwise(edges)]
        ).T.ravel()
        blocks = int(np.ceil(sound.size / 64))
        squares = np.pad(sound, (0, 64 * blocks - sound.size)) ** 2
        edges = 64 * stretches(blocks, 48)
        levels = np.array([squares[a:b].mean() for a, b in pairwise(edges)])
        vectors.append(
            np.concatenate(
                [
                    0.5 * np.log10(means + 1e-8) / np.sqrt(means.size),
                    0.5 * np.log10(levels + 1e-8) * np.sqrt(0.5 / levels.size),
                ]
            )
        )
    return vectors[1] - vectors[0]


@pytest.mark.parametrize(
    ("samples", "rate"), [(88200, 44100), (44100, 48000), (2000, 8000), (5000, 22050), (1, 44100)]
)
def test_is_what_its_definition_says(samples, rate):
    target, candidate = noise(1, samples), noise(2, samples, 0.02)
    candidate[: samples // 3] = 0.0
    profile = Profile(target, rate)
    found = profile(candidate[None])
    assert found.shape == (1, profile.size)
    assert np.allclose(found[0], plain(target, candidate, rate), atol=2e-6)


def test_twenty_decibels_have_the_length_that_is_promised():
    target = noise(3, level=0.05)
    louder = Profile(target, RATE)((10 * target)[None])[0]
    assert np.linalg.norm(louder) == pytest.approx(np.sqrt(1.5), rel=1e-2)


def test_the_target_itself_has_no_difference_and_silence_a_finite_one():
    target = noise(4)
    found = Profile(target, RATE)(np.stack([target, np.zeros_like(target)]))
    assert not found[0].any()
    assert np.isfinite(found).all()
    assert np.linalg.norm(found[1]) > 1.0
    assert np.isfinite(Profile(np.zeros(9000, np.float32), RATE)(noise(5, 9000)[None])).all()


def test_a_sound_that_is_not_finite_shows_and_leaves_the_others_alone():
    target = noise(6)
    batch = np.stack([noise(7), noise(8), noise(9)])
    profile = Profile(target, RATE)
    alone = [profile(sound[None])[0] for sound in batch]
    batch[1, 500] = np.nan
    found = profile(batch)
    assert np.isnan(found[1]).all()
    assert np.array_equal(found[0], alone[0])
    assert np.array_equal(found[2], alone[2])


def test_a_copy_in_another_process_gives_the_same():
    profile = Profile(noise(10), RATE)
    batch = noise(11)[None]
    assert np.array_equal(pickle.loads(pickle.dumps(profile))(batch), profile(batch))


def test_another_length_is_refused():
    with pytest.raises(InvalidValueError, match=r"\(1, 100\)"):
        Profile(noise(12), RATE)(np.zeros((1, 100), np.float32))
