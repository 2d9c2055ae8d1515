"""Every metric of the panel keeps the laws that its record claims."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deepdiva.distance.band_levels import band_edges, level_differences
from deepdiva.errors import InvalidValueError
from deepdiva.evaluation.bands import REGIONS_HZ
from deepdiva.evaluation.metrics import PANEL, PRIMARY, evaluate

RATE = 44100
each_metric = pytest.mark.parametrize("metric", PANEL, ids=lambda metric: metric.key)


def saw(frequency_hz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    """A decaying sawtooth of 20 partials."""
    time = np.arange(round(seconds * RATE)) / RATE
    partials = sum(np.sin(2 * np.pi * frequency_hz * k * time) / k for k in range(1, 21))
    return (0.3 * np.exp(-time) * partials).astype(np.float32)


TARGET = saw(220.0)
OTHER = saw(247.0) * np.float32(0.6)
SILENCE = np.zeros_like(TARGET)


def test_keys_are_unique_and_the_primary_leads():
    keys = [metric.key for metric in PANEL]
    assert len(set(keys)) == len(keys)
    assert keys[0] == PRIMARY


@each_metric
def test_identical_sounds_score_perfect(metric):
    assert evaluate(TARGET, TARGET, RATE)[metric.key] == pytest.approx(
        metric.measure.perfect, abs=1e-6
    )


@each_metric
def test_another_sound_scores_worse_than_the_same(metric):
    sign = metric.measure.sign
    same, other = (metric.function(TARGET, sound, RATE) for sound in (TARGET, OTHER))
    assert sign * other > sign * same


@each_metric
def test_symmetry_as_claimed(metric):
    forth, back = metric.function(TARGET, OTHER, RATE), metric.function(OTHER, TARGET, RATE)
    if metric.symmetric:
        assert forth == pytest.approx(back, rel=1e-5)


@each_metric
def test_gain_as_claimed(metric):
    """Blind: half the level changes nothing. Sensitive: half the level of the target costs."""
    half = TARGET * np.float32(0.5)
    value = metric.function(TARGET, half, RATE)
    if metric.gain_blind:
        assert value == pytest.approx(metric.measure.perfect, abs=1e-5)
    else:
        assert metric.measure.sign * (value - metric.measure.perfect) > 1e-3


@each_metric
def test_silence_is_scored_and_worse_than_a_quieter_copy(metric):
    sign = metric.measure.sign
    scores = evaluate(TARGET, SILENCE, RATE)
    copy = evaluate(TARGET, TARGET * np.float32(0.5), RATE)
    assert np.isfinite(scores[metric.key])
    assert sign * scores[metric.key] > sign * copy[metric.key]


def test_silence_has_the_scores_that_the_records_name():
    scores = evaluate(TARGET, SILENCE, RATE)
    assert scores["hayes_mss"] == 80.0
    assert scores["hayes_sot"] == 1.0
    assert scores["hayes_rms"] == 0.0
    assert scores["spectral_convergence"] == 1.0
    assert scores["pitch_error_cents"] == 2400.0
    assert scores["known"] == scores["known_level"] == 60.0
    assert scores["scattering"] == 1.0


def test_scores_do_not_depend_on_what_was_scored_before():
    first = evaluate(TARGET, OTHER, RATE)
    evaluate(OTHER, SILENCE, RATE)
    assert evaluate(TARGET, OTHER, RATE) == first


@pytest.mark.parametrize(
    ("target", "match", "message"),
    [
        (TARGET, TARGET[:-1], "equally long"),
        (np.stack([TARGET, TARGET]), np.stack([TARGET, TARGET]), "mono"),
        (TARGET, TARGET * np.float32(np.nan), "not finite"),
        (TARGET[:2000], TARGET[:2000], "at least 0.1 s"),
        (SILENCE, TARGET, "target is silent"),
    ],
)
def test_what_cannot_be_scored_is_refused(target, match, message):
    with pytest.raises(InvalidValueError, match=message):
        evaluate(target, match, RATE)


STRAYING = ("averaged_distance", "hayes_sot", "known", "known_level", "scattering")
"""Measures that hear no difference in start phases or a few milliseconds."""


def realization(seed: int, cutoff: float = 20.0) -> NDArray[np.float32]:
    """Two detuned saws whose partials begin anywhere, in noise: one patch, played again."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE) / RATE
    sound = np.zeros(RATE)
    for frequency in (220.0, 221.3):
        start = rng.uniform()
        for k in range(1, 40):
            level = np.exp(-time) / k / np.sqrt(1 + (k / cutoff) ** 4)
            sound += level * np.sin(2 * np.pi * k * (frequency * time + start))
    return (0.15 * sound + 1e-3 * rng.standard_normal(RATE)).astype(np.float32)


@pytest.mark.parametrize("key", STRAYING)
def test_a_shift_of_five_milliseconds_costs_little(key):
    shift = round(0.005 * RATE)
    late = np.concatenate([np.zeros(shift, np.float32), TARGET[:-shift]])
    [metric] = [metric for metric in PANEL if metric.key == key]
    shifted, other = (
        abs(metric.function(TARGET, sound, RATE) - metric.measure.perfect)
        for sound in (late, OTHER)
    )
    assert shifted < 0.35 * other


@pytest.mark.parametrize("key", ["averaged_distance", "known", "scattering"])
def test_another_realization_is_nearer_than_another_patch(key):
    """Half the cutoff is farther away than the same patch with other phases and noise."""
    [metric] = [metric for metric in PANEL if metric.key == key]
    target = realization(0)
    again, darker = realization(1), realization(2, cutoff=10.0)
    assert metric.function(target, again, RATE) < metric.function(target, darker, RATE)


def test_known_is_the_mean_of_its_regions_by_their_bands():
    scores = evaluate(TARGET, OTHER, RATE)
    edges = band_edges()
    middles = np.sqrt(edges[1:] * edges[:-1])
    sizes = [np.sum((middles >= low) & (middles < high)) for low, high in REGIONS_HZ.values()]
    assert sum(sizes) == len(middles)
    regions = [scores[f"known_{region}"] for region in REGIONS_HZ]
    assert np.average(regions, weights=sizes) == pytest.approx(scores["known"])


def test_a_region_tells_where_the_error_is():
    time = np.arange(RATE) / RATE
    bright = TARGET + (0.05 * np.sin(2 * np.pi * 6000 * time)).astype(np.float32)
    scores = evaluate(TARGET, bright, RATE)
    assert scores["known_top"] > 3
    assert scores["known_low"] == pytest.approx(0, abs=0.1)


def test_known_of_two_tones_by_hand():
    """A band that is 20 dB up in a sound of noise counts 20 dB in its share of the cells."""
    rng = np.random.default_rng(3)
    wanted = np.exp(rng.normal(0, 0.1, (40, 9)))
    got = 5 * wanted
    got[7] *= 100
    found = level_differences(wanted, got)
    assert found.gain_db == pytest.approx(-10 * np.log10(5))
    assert np.abs(found.bands).mean() == pytest.approx(20 / 40)
