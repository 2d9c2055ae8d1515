"""Oscillator panels against what their waves are made of."""

from __future__ import annotations

import numpy as np
import pytest

from deepdiva.engine.backends import plain
from deepdiva.engine.modules.oscillators import dual_vco, dual_vco_eco, triple_vco

RATE = 44100.0
SAMPLES = 8192
CYCLES = 61
# Cycles per sample: whole cycles in the window, and aliases that fall between the lines.
MASTER = CYCLES / SAMPLES


def played(module, point, increments):
    """The mix of a panel, its droop undone as the engine undoes it."""
    p = plain.coefficients(module, point, RATE)
    state = (0.0,) * len(module.states)
    mix = np.empty(2 * SAMPLES)
    for i in range(len(mix)):
        x = []
        for increment in increments:
            x += [i * increment, increment]
        (mix[i], _, _), state = module.step((*x, 0.0), p, state)
    spectrum = np.fft.rfft(mix[SAMPLES:])
    omega = 2.0 * np.pi * np.arange(len(spectrum)) / SAMPLES
    return spectrum * 3.0 / (2.0 + np.cos(omega))


def harmonics(spectrum, count=40):
    return np.abs(spectrum[CYCLES * np.arange(1, count + 1)]) / (SAMPLES / 2)


def ideal(amplitudes):
    """Amplitudes of all harmonics as the cardinal spline leaves them: sinc^4, 3 / (2 + cos)."""
    cycles = MASTER * np.arange(1, len(amplitudes) + 1)
    return amplitudes * np.sinc(cycles) ** 4 * 3.0 / (2.0 + np.cos(2.0 * np.pi * cycles))


def decibels(x):
    return 20.0 * np.log10(np.maximum(x, 1e-9))


def test_a_saw_has_the_harmonics_of_a_saw():
    got = harmonics(played(triple_vco.MODULE, {"shape1": 5.0, "level1": 1.0}, [MASTER] * 3))
    wanted = ideal(0.436 * 2.0 / (np.pi * np.arange(1, 41)))
    assert np.abs(decibels(got) - decibels(wanted)).max() < 0.15


def test_a_square_has_odd_harmonics_only():
    got = harmonics(played(triple_vco.MODULE, {"shape1": 7.0, "level1": 1.0}, [MASTER] * 3))
    wanted = ideal(0.436 * 4.0 / (np.pi * np.arange(1, 41)))[::2]
    assert np.abs(decibels(got[::2]) - decibels(wanted)).max() < 0.15
    assert decibels(got[1::2]).max() < -90.0


def test_between_saw_and_square_the_dc_is_that_of_the_law():
    """Mean a (1 - a) of a fade by a from a saw to a pulse of width 1 - a / 2."""
    for shape in (5.5, 6.0, 6.5):
        a = (shape - 5.0) / 2.0
        spectrum = played(triple_vco.MODULE, {"shape1": shape, "level1": 1.0}, [MASTER] * 3)
        assert spectrum[0].real / SAMPLES == pytest.approx(0.436 * a * (1.0 - a), abs=2e-3)


def test_a_triangle_falls_by_the_square():
    got = harmonics(played(triple_vco.MODULE, {"shape1": 3.0, "level1": 1.0}, [MASTER] * 3), 20)
    wanted = ideal(0.436 * 8.0 / (np.pi * np.arange(1, 21)) ** 2)[::2]
    assert np.abs(decibels(got[::2]) - decibels(wanted)).max() < 0.2


def test_fm_is_exponential():
    """A modulator of +-1 raises the mean pitch: the mean of 2^(d o), o uniform, is above 1."""
    point = {"shape1": 5.0, "level1": 0.0, "level2": 1.0, "fm": 0.5}
    spectrum = played(triple_vco.MODULE, point, [4.0 * MASTER, MASTER, MASTER])
    depth = 0.5 * 1.93 * np.log(2.0)
    mean = np.sinh(depth) / depth
    assert mean > 1.05
    strongest = np.argmax(np.abs(spectrum[32:512])) + 32
    assert strongest / CYCLES == pytest.approx(mean, abs=0.03)


@pytest.mark.parametrize("module", [dual_vco.MODULE, dual_vco_eco.MODULE], ids=["dual", "eco"])
def test_level_zero_is_silent(module):
    point = {"mix": 0.0, "saw1": 0.0, "level1": 0.0, "level2": 0.0}
    known = {entry.name for entry in module.inputs}
    spectrum = played(
        module, {k: v for k, v in point.items() if k in known}, [MASTER, 1.3 * MASTER]
    )
    assert np.abs(spectrum).max() / SAMPLES < 1e-6


def synchronized(ratio, width, pulse, oversampling):
    """Hard sync by brute force: bare waves at a high rate, low-passed by the transform."""
    count = SAMPLES * oversampling
    master = np.arange(count) * MASTER / oversampling
    slave = (master - np.floor(master)) * ratio
    slave -= np.floor(slave)
    wave = np.where(slave < width, 1.0, -1.0) if pulse else 1.0 - 2.0 * slave
    return np.fft.rfft(wave)[: SAMPLES // 2 + 1] / oversampling


@pytest.mark.parametrize("pulse", [False, True], ids=["saw", "pulse"])
def test_sync_has_the_spectrum_of_brute_force(pulse):
    ratio = 1.62
    point = {"saw1": 1.0, "sync": 1.0, "mix": 1.0, "saw2": 1.0 - pulse, "pulse2": 1.0 * pulse}
    got = played(dual_vco.MODULE, {**point, "width2": 0.6}, [MASTER, ratio * MASTER])
    wanted = 0.436 * synchronized(ratio, 0.6, pulse, 64)
    lines = CYCLES * np.arange(1, 40)
    away = decibels(np.abs(got[lines])) - decibels(ideal(np.abs(wanted[lines])))
    strong = np.abs(wanted[lines]) > 0.03 * np.abs(wanted[lines]).max()
    assert np.abs(away[strong]).max() < 0.6
    between = np.delete(np.abs(got[1:2400]), CYCLES * np.arange(1, 40) - 1)
    assert decibels(between.max() / np.abs(got).max()) < -60.0
