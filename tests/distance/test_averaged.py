"""The averaged-spectra distance: against plain numpy, its laws, and what it is there for."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdiva.distance import AVERAGED, AveragedDistance, AveragedSettings, SpectralDistance
from deepdiva.distance.plan import logarithmic_bands
from deepdiva.distance.settings import FULL
from deepdiva.errors import InvalidValueError

RATE = 44100


def noise(seed, samples=44100, level=0.1):
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


def saws(seed, samples=88200, cents=6.0, brightness=1.0, frequency=130.8):
    """Two detuned sawtooth waves with random start phases, added up from their partials."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / RATE
    sound = np.zeros(samples)
    for detune in (-cents / 2, cents / 2):
        pitch, start = frequency * 2 ** (detune / 1200), rng.uniform(0, 1)
        for k in range(1, 60):
            sound += np.sin(2 * np.pi * k * (pitch * time + start)) / k ** (2 - brightness)
    return (0.2 * sound).astype(np.float32)


def plain_distance(target, candidate, form, rate=RATE):
    """The definition, word by word, in float64."""
    levels = []
    start = round(form.start_seconds * rate)
    for sound in (target, candidate):
        sound = sound[start:].astype(np.float64)
        slice_samples = form.hop * int(np.ceil(sound.size / (32 * form.hop)))
        sound = np.pad(sound, (0, max(0, form.size - sound.size)))
        begins = np.arange(0, sound.size - form.size + 1, form.hop)
        frames = np.stack([sound[at : at + form.size] for at in begins])
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(form.size) / form.size)
        power = np.abs(np.fft.rfft(frames * window, axis=1) * 2 / window.sum()) ** 2
        highest = min(16000, rate / 2)
        filters = logarithmic_bands(
            form.size, rate, form.bands, min(form.lowest_hz, highest / 2), highest
        )
        power = np.concatenate([power, power @ filters.T, power.sum(axis=1, keepdims=True)], axis=1)
        owner = begins // slice_samples
        slices = owner.max() + 1
        fitting = [length for length in form.windows if length <= slices]
        fitting = fitting or [max(length for length in (1, 2, 4, 8, 16) if length <= slices)]
        levels.append(
            [
                0.5
                * np.log10(
                    [
                        power[(owner >= first) & (owner < first + length)].mean(axis=0)
                        + form.floor**2
                        for first in range(slices - length + 1)
                    ]
                )
                for length in fitting
            ]
        )
    gaps = [np.abs(a - b).mean(axis=0) for a, b in zip(*levels, strict=True)]
    gap = np.mean(gaps, axis=0)
    bins = form.size // 2 + 1
    parts = [gap[:bins].mean(), gap[bins:-1].mean(), gap[-1]]
    weights = [form.bins_weight, form.bands_weight, form.level_weight]
    return np.dot(parts, weights) / np.sum(weights)


def score(target, candidate, form=AVERAGED):
    return AveragedDistance(target, RATE, form)(candidate[None])[0]


FORMS = {
    "default": AVERAGED,
    "late": replace(AVERAGED, start_seconds=0.1),
    "all": AveragedSettings(
        size=512, overlap=0.75, windows=(1, 2, 16), bands_weight=2.0, level_weight=3.0, bands=20
    ),
    "bands": AveragedSettings(size=4096, windows=(1,), bins_weight=0.0, bands=100, floor=1e-3),
    "level": AveragedSettings(
        size=512, windows=(1, 4), bins_weight=0.0, bands_weight=0.0, level_weight=1.0
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("samples", [88200, 44100, 7000, 300])
def test_equals_a_plain_computation(form, samples):
    form = replace(form, start_seconds=min(form.start_seconds, samples / RATE / 4))
    sounds = [saws(1, samples), noise(2, samples), saws(3, samples) * 0.1, 0 * noise(4, samples)]
    distance = AveragedDistance(sounds[0], RATE, form)
    expected = [plain_distance(sounds[0], sound, form) for sound in sounds]
    assert distance(np.stack(sounds)) == pytest.approx(expected, rel=3e-6, abs=3e-7)


@pytest.mark.parametrize("rate", [8000, 22050, 192000])
def test_any_sample_rate(rate):
    target, candidate = noise(1), noise(2, level=0.05)
    got = AveragedDistance(target, rate)(candidate[None])[0]
    assert got == pytest.approx(plain_distance(target, candidate, AVERAGED, rate), rel=3e-6)


def test_it_forgives_start_phases_and_sees_what_changed():
    """Two saws beat; a brighter patch, a wider detune and another pitch are something else."""
    target = saws(1)
    again = np.stack([saws(seed) for seed in range(2, 8)])
    changed = np.stack(
        [saws(9, brightness=0.95), saws(10, frequency=131.5), 0.9 * saws(11), saws(12, cents=12)]
    )
    averaged = AveragedDistance(target, RATE)
    assert averaged(again).max() < averaged(changed).min()
    plain = SpectralDistance(target, RATE, FULL)
    assert plain(again).max() > plain(changed).min()


def test_it_forgives_another_draw_of_noise():
    target = noise(1, 88200)
    again = np.stack([noise(seed, 88200) for seed in range(2, 8)])
    louder = np.stack([noise(seed, 88200, 0.12) for seed in range(2, 8)])
    distance = AveragedDistance(target, RATE)
    assert distance(again).max() < distance(louder).min()


def test_20_db_less_is_a_distance_of_1():
    target = noise(1, level=0.5)
    for form in FORMS.values():
        assert score(target, target / 10, replace(form, floor=1e-6)) == pytest.approx(1, rel=1e-3)


@settings(max_examples=25)
@given(st.tuples(*[st.integers(0, 10**6)] * 3))
def test_it_is_a_metric(seeds):
    a, b, c = (noise(seed, 8000, 10.0 ** -(seed % 5)) for seed in seeds)
    assert score(a, a.copy()) == 0.0
    assert score(a, b) == pytest.approx(score(b, a), rel=1e-5, abs=1e-6)
    assert score(a, c) <= score(a, b) + score(b, c) + 1e-5


def test_identical_sounds_and_no_others_score_zero():
    target = saws(1)
    last = target.copy()
    last[-1] += 1e-3
    distance = AveragedDistance(target, RATE)
    assert distance(target[None].copy())[0] == 0.0
    assert (distance(np.stack([-target, last, 0 * target])) > 0).all()


def test_silence_and_sounds_that_are_not_finite():
    silence = np.zeros(44100, np.float32)
    bad = noise(1)
    bad[100] = np.nan
    worse = noise(1)
    worse[30000] = np.inf
    distance = AveragedDistance(silence, RATE)
    scores = distance(np.stack([silence, noise(1), bad, worse]))
    assert scores[0] == 0.0
    assert 0.5 < scores[1] < 3.0
    assert list(scores[2:]) == [np.inf, np.inf]


def test_a_result_does_not_depend_on_the_batch():
    distance = AveragedDistance(saws(0), RATE)
    sounds = np.stack([saws(seed) for seed in range(1, 6)])
    together = distance(sounds)
    assert np.array_equal(together, [distance(sound[None])[0] for sound in sounds])
    assert np.array_equal(together, pickle.loads(pickle.dumps(distance))(sounds))


def test_bands_share_every_frequency():
    """Where bands are wider than a bin, the filters that meet in one add up to 1."""
    filters = logarithmic_bands(4096, RATE, 48, 40.0, 16000.0)
    bin_hz = RATE / 4096
    edges = np.geomspace(40, 16000, 50)
    wide = np.searchsorted(np.diff(edges), bin_hz) + 1
    inner = slice(int(edges[wide] / bin_hz) + 1, int(edges[-2] / bin_hz))
    assert np.allclose(filters.sum(axis=0)[inner], 1.0)
    assert (filters.max(axis=1) > 0.5).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 1000}, "STFT size 1000"),
        ({"overlap": 0.3}, r"overlap is 0\.3"),
        ({"windows": ()}, r"name some of \(1, 2, 4, 8, 16\), each once"),
        ({"windows": (3,)}, "name some of"),
        ({"windows": (4, 4)}, "name some of"),
        ({"bins_weight": 0.0, "bands_weight": 0.0}, "bins_weight, bands_weight, level_weight are"),
        ({"level_weight": -1.0}, r"level_weight is -1\.0"),
        ({"bands": 0}, "bands is 0: it must be from 1 to 256"),
        ({"lowest_hz": 16000.0}, r"lowest_hz is 16000\.0"),
        ({"floor": 2.0}, r"floor is 2\.0"),
        ({"start_seconds": float("inf")}, "start_seconds is inf"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(InvalidValueError, match=message):
        AveragedSettings(**change)
