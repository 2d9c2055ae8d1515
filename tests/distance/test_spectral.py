"""The multi-scale spectral distance against plain numpy, auraloss, analysis, and its own laws."""

import importlib.util
import pickle
import threading
from dataclasses import replace

import auraloss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdiva.audio import load_target
from deepdiva.distance import FULL, SEARCH, DistanceSettings, SpectralDistance
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note

RATE = 44100


def plain_distance(target, candidate, form, rate=RATE):
    """The definition, word by word, in float64."""
    values = []
    start = round(form.start_seconds * rate)
    for size in form.sizes:
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        amplitudes = []
        for sound in (target, candidate):
            sound = sound[start:].astype(np.float64)
            sound = np.pad(sound, (0, max(0, size - sound.size)))
            hop = form.hop(size)
            frames = np.array(
                [sound[at : at + size] for at in range(0, sound.size - size + 1, hop)]
            )
            spectra = np.abs(np.fft.rfft(frames * window, axis=1)) * 2 / window.sum()
            amplitudes.append(np.sqrt(spectra**2 + form.floor**2))
        wanted, got = amplitudes
        logarithmic = np.abs(np.log10(got) - np.log10(wanted)).mean()
        linear = np.abs(got - wanted).sum() / wanted.sum()
        values.append(form.log_weight * logarithmic + form.linear_weight * linear)
    return np.mean(values)


def noise(seed, samples=22050, level=0.1):
    return np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)


def strings(seed, samples=22050):
    """A decaying chord: loud partials, and much that is near the floor."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / RATE
    partials = [
        rng.uniform(0.01, 0.5) * np.sin(2 * np.pi * rng.uniform(50, 5000) * time + phase)
        for phase in rng.uniform(0, 6, 12)
    ]
    return (np.sum(partials, axis=0) * np.exp(-4 * time)).astype(np.float32)


def score(target, candidate, form=FULL):
    return SpectralDistance(target, RATE, form)(candidate[None])[0]


FORMS = {
    "full": FULL,
    "search": SEARCH,
    "late": replace(FULL, start_seconds=0.1),
    "log": replace(FULL, linear_weight=0.0),
    "linear": replace(SEARCH, log_weight=0.0, linear_weight=2.0),
    "small": DistanceSettings(sizes=(64,), overlap=0.0, floor=1e-6),
    "large": DistanceSettings(sizes=(1024, 128), overlap=0.875, floor=1e-3),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("samples", [22050, 4500, 700, 45])
def test_equals_a_plain_computation(form, samples):
    form = replace(form, start_seconds=min(form.start_seconds, samples / RATE / 4))
    sounds = [noise(1), strings(2), strings(3), noise(4, level=1e-4), 0 * noise(5)]
    sounds = [sound[:samples] for sound in sounds]
    for target in sounds[:4]:
        distance = SpectralDistance(target, RATE, form)
        got = distance(np.stack(sounds))
        expected = [plain_distance(target, sound, form) for sound in sounds]
        # A spectrum in float32 is good to about 1e-7 of its loudest bin, whatever the floor.
        assert got == pytest.approx(expected, rel=3e-6 if form.floor > 1e-5 else 2e-5, abs=3e-7)


def test_real_recordings_equal_a_plain_computation(diva_recordings):
    sounds = np.stack([load_target(path, Note()).audio for path in diva_recordings[:6]])
    for form in (FULL, SEARCH):
        got = SpectralDistance(sounds[0], RATE, form)(sounds)
        expected = [plain_distance(sounds[0], sound, form) for sound in sounds]
        assert got == pytest.approx(expected, rel=3e-6, abs=1e-12)


def test_equals_the_prototype(shared, diva_recordings):
    """The distance with which the table of facts was made; its logarithm is good to 1e-4."""
    spec = importlib.util.spec_from_file_location(
        "prototype_distance", shared / "prototype" / "distance.py"
    )
    prototype = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prototype)
    target, candidate, silence = (
        load_target(diva_recordings[4], Note()).audio,
        load_target(diva_recordings[5], Note()).audio,
        np.zeros(88200, np.float32),
    )
    theirs = prototype.MSS(88200, start=4410)
    spectra = theirs.target(target)
    expected = [theirs.dist(candidate, spectra), theirs.dist(silence, spectra)]
    distance = SpectralDistance(target, RATE, replace(FULL, start_seconds=0.1))
    assert distance(np.stack([candidate, silence])) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("size", FULL.sizes)
def test_equals_auraloss(size):
    """Auraloss centres its frames and does not scale its window: pad and scale to fit."""
    floor = 1e-6
    target, candidate = noise(1), strings(2) + noise(3, level=0.01)
    loss = {
        name: auraloss.freq.STFTLoss(
            fft_size=size,
            hop_size=size // 4,
            win_length=size,
            w_sc=0.0,
            w_log_mag=float(name == "log"),
            w_lin_mag=float(name == "linear"),
            eps=floor**2,
        )
        for name in ("log", "linear")
    }
    scaled = [torch.from_numpy(x * np.float32(4 / size))[None, None] for x in (candidate, target)]
    form = DistanceSettings(sizes=(size,), floor=floor)
    padded = [np.pad(x, size // 2, mode="reflect") for x in (target, candidate)]
    log_term = score(*padded, replace(form, linear_weight=0.0))
    assert log_term * np.log(10) == pytest.approx(float(loss["log"](*scaled)), rel=1e-4)
    linear_term = score(*padded, replace(form, log_weight=0.0))
    mean_amplitude = float(loss["linear"](0 * scaled[1], scaled[1])) + floor
    expected = float(loss["linear"](*scaled)) / mean_amplitude
    assert linear_term == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("size", FULL.sizes)
def test_a_sine_in_one_bin(size):
    """Amplitude a in its bin, a/2 in the two beside it, and nothing anywhere else."""
    bins, place, level = size // 2 + 1, size // 8, 0.4
    sine = (level * np.cos(2 * np.pi * place * np.arange(size) / size + 1)).astype(np.float32)
    form = DistanceSettings(sizes=(size,))
    floored = np.sqrt(np.array([level, level / 2, level / 2]) ** 2 + form.floor**2)
    total = floored.sum() + (bins - 3) * form.floor
    log_term = np.log10(floored / form.floor).sum() / bins
    linear_term = (floored - form.floor).sum() / total
    assert score(sine, 0 * sine, form) == pytest.approx(log_term + linear_term, rel=1e-5)
    # The other way round, the floor takes the place of the silent target.
    linear_term = (floored - form.floor).sum() / (bins * form.floor)
    assert score(0 * sine, sine, form) == pytest.approx(log_term + linear_term, rel=1e-5)


def test_20_db_less_is_a_distance_of_1():
    target = noise(1)
    form = replace(FULL, floor=1e-6)
    assert score(target, target / 10, replace(form, linear_weight=0.0)) == pytest.approx(
        1, rel=1e-3
    )
    assert score(target, target / 10, replace(form, log_weight=0.0)) == pytest.approx(0.9, rel=1e-3)


def test_is_the_mean_over_sizes():
    target, candidate = noise(1), strings(2)
    single = [score(target, candidate, replace(FULL, sizes=(size,))) for size in FULL.sizes]
    assert score(target, candidate) == pytest.approx(np.mean(single), rel=1e-6)


def test_identical_sounds_and_no_others_score_zero():
    target = strings(1)
    delayed = np.concatenate([[0.0], target[:-1]]).astype(np.float32)
    last = target.copy()
    last[-1] += 1e-3
    tiny = target.copy()
    tiny[10000] = np.nextafter(tiny[10000], np.float32(1))
    others = np.stack([-target, delayed, last, tiny, target * np.float32(1 + 1e-6), 0 * target])
    for form in (FULL, SEARCH):
        distance = SpectralDistance(target, RATE, form)
        assert distance(target[None].copy())[0] == 0.0
        assert (distance(others) > 0).all()


@settings(max_examples=40)
@given(st.integers(0, 22049), st.floats(-1, 1, width=32), st.sampled_from([FULL, SEARCH]))
def test_one_sample_that_differs_is_seen(place, value, form):
    target = strings(1)
    other = target.copy()
    other[place] = value
    assert (score(target, other, form) == 0.0) == np.array_equal(target, other)


def test_silence_against_silence():
    silence = np.zeros(22050, np.float32)
    assert score(silence, silence) == 0.0
    assert np.isfinite(score(silence, noise(1)))


def test_sounds_that_are_not_finite_are_infinitely_far():
    target = noise(1)
    for form in (FULL, replace(SEARCH, linear_weight=0.0), replace(SEARCH, log_weight=0.0)):
        batch = np.stack([target] * 4)
        batch[0, 100] = np.nan
        batch[1, 12000] = np.inf
        batch[2, 12000] = -np.inf
        assert list(SpectralDistance(target, RATE, form)(batch)) == [np.inf] * 3 + [0.0]


def test_a_result_does_not_depend_on_the_batch():
    target = noise(0)
    sounds = np.stack([strings(seed) for seed in range(1, 20)])
    distance = SpectralDistance(target, RATE, FULL)
    together = distance(sounds)
    alone = [distance(sound[None])[0] for sound in sounds]
    backwards = distance(sounds[::-1])[::-1]
    wide = np.asfortranarray(sounds.astype(np.float64))
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, distance(wide))
    assert together.dtype == np.float64
    assert distance(sounds[:0]).shape == (0,)


def test_threads_do_not_disturb_each_other():
    distance = SpectralDistance(noise(0), RATE, SEARCH)
    batches = [np.stack([strings(9 * seed + k) for k in range(4)]) for seed in range(6)]
    expected = [distance(batch) for batch in batches]
    wrong = []

    def work(index):
        results = [distance(batches[index]) for _ in range(30)]
        wrong.extend(index for result in results if not np.array_equal(result, expected[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_can_be_sent_to_another_process():
    distance = SpectralDistance(noise(0), RATE, SEARCH)
    copy = pickle.loads(pickle.dumps(distance))
    batch = np.stack([strings(1), strings(2)])
    assert np.array_equal(copy(batch), distance(batch))


def test_the_target_may_change_afterwards():
    target = noise(0)
    distance = SpectralDistance(target, RATE, SEARCH)
    before = target.copy()
    target[:] = 0
    assert distance(before[None])[0] == 0.0


@settings(max_examples=25)
@given(st.tuples(*[st.integers(0, 10**6)] * 3))
def test_the_logarithmic_term_is_a_metric(seeds):
    """Symmetric, and no way round is shorter; the linear term is neither."""
    form = replace(SEARCH, linear_weight=0.0)
    a, b, c = (strings(seed) if seed % 2 else noise(seed) for seed in seeds)
    assert score(a, b, form) == pytest.approx(score(b, a, form), rel=1e-5, abs=1e-6)
    assert score(a, c, form) <= score(a, b, form) + score(b, c, form) + 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": ()}, "name at least one"),
        ({"sizes": (256, 256)}, "each once"),
        ({"sizes": (1000,)}, "STFT size 1000: it must be a power of two from 64 to 4096"),
        ({"sizes": (32,)}, "STFT size 32"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"overlap": 0.7}, "0.5 and 0.75 do"),
        ({"linear_weight": -1.0}, "linear_weight is -1.0: it must be 0 or more"),
        ({"log_weight": float("nan")}, "log_weight is nan"),
        ({"linear_weight": 0.0, "log_weight": 0.0}, "linear_weight, log_weight are all 0"),
        ({"floor": 1e-7}, "floor is 1e-07: it must be from 1e-6 to 1"),
        ({"start_seconds": -0.1}, "start_seconds is -0.1"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(InvalidValueError, match=message):
        DistanceSettings(**change)


def test_sounds_are_checked():
    with pytest.raises(InvalidValueError, match=r"shape \(2, 100\): one mono sound"):
        SpectralDistance(np.zeros((2, 100), np.float32), RATE)
    with pytest.raises(InvalidValueError, match="finite"):
        SpectralDistance(np.full(100, np.nan, np.float32), RATE)
    with pytest.raises(InvalidValueError, match=r"start_seconds is 1, but the target lasts 0\.5 s"):
        SpectralDistance(noise(0), RATE, replace(FULL, start_seconds=1.0))
    distance = SpectralDistance(noise(0), RATE)
    for shape in ((22050,), (1, 22049), (1, 1, 22050)):
        with pytest.raises(InvalidValueError, match=r"\(batch, 22050\), the length of the target"):
            distance(np.zeros(shape, np.float32))
