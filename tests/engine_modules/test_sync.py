"""Hard sync against the Fourier series of the forced waves, and the form without it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from deepdiva.engine.backends import plain
from deepdiva.engine.modules.oscillators import digital, dual_vco, triple_vco
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

MODULE = triple_vco.MODULE
RATE = 44100.0
SAMPLES = 2048
CYCLES = 17
MASTER = CYCLES / SAMPLES
SHORT = Note(pitch=57, render_seconds=0.3, length_seconds=0.2)


def played(point, increments, step=None, late=0, module=MODULE, samples=SAMPLES):
    """Spectrum of the mix after its first cycles, droop and lateness undone; one is a full line."""
    step = step or module.step
    silent = {"level1": 0.0, "saw1": 0.0, "saw2": 0.0}
    p = plain.coefficients(module, {**silent, **point}, RATE)
    state = (0.0,) * len(module.states)
    mix = np.empty(2 * samples)
    for i in range(len(mix)):
        x = [value for increment in increments for value in (i * increment, increment)]
        (mix[i], _, _), state = step((*x, 0.0), p, state)
    spectrum = np.fft.rfft(mix[samples:]) / samples
    omega = 2.0 * np.pi * np.arange(len(spectrum)) / samples
    return spectrum * np.exp(1j * omega * late) * 3.0 / (2.0 + np.cos(omega))


def forced_lines(ratio, gains, high, count):
    """Fourier coefficients of a wave that begins anew with each cycle of the master.

    Between jumps and turns it is straight, so each piece is integrated exactly.
    """
    saw, triangle, pulse = gains
    ends = {0.0, 1.0}
    for whole in range(int(ratio) + 1):
        ends |= {(whole + place) / ratio for place in (0.0, 0.5, high)}
    marks = sorted(end for end in ends if end <= 1.0)
    lines = np.zeros(count, complex)
    w = -2j * np.pi * np.arange(1, count)
    for begin, end in pairwise(marks):
        if end - begin < 1e-12:
            continue
        middle = 0.5 * (begin + end) * ratio % 1.0
        value = saw * (1.0 - 2.0 * middle) + triangle * (4.0 * abs(middle - 0.5) - 1.0)
        value += pulse if middle < high else -pulse
        slope = ratio * (-2.0 * saw + 4.0 * triangle * np.sign(middle - 0.5))
        half = 0.5 * (end - begin)
        for place, sign in ((end, 1.0), (begin, -1.0)):
            here = value + sign * slope * half
            lines[1:] += sign * np.exp(w * place) * (here / w - slope / w**2)
    return 0.436 * lines


def error(spectrum, lines):
    """Deviation at the lines and between them below 12 kHz, against the strongest line, dB."""
    wanted = np.zeros(len(spectrum), complex)
    cycles = MASTER * np.arange(len(lines))
    shaped = lines * np.sinc(cycles) ** 4 * 3.0 / (2.0 + np.cos(2.0 * np.pi * cycles))
    wanted[::CYCLES][: len(lines)] = shaped
    heard = slice(1, round(12000.0 / RATE * SAMPLES))
    return 20.0 * np.log10(np.abs(spectrum - wanted)[heard].max() / np.abs(wanted).max())


WAVES = {
    2.0: (-0.5, 0.5, 0.0, 1.0),
    3.0: (0.0, 1.0, 0.0, 1.0),
    5.0: (1.0, 0.0, 0.0, 1.0),
    6.0: (0.5, 0.0, 0.5, 0.75),
    8.0: (0.0, 0.0, 1.0, 0.25),
}


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("ratio", [0.7, 1.5, 1.62, 2.0, 3.0, 5.37])
@pytest.mark.parametrize("shape", WAVES)
def test_a_forced_wave_has_the_lines_of_its_pieces(shape, ratio, number):
    point = {f"sync{number}": 1.0, f"level{number}": 1.0, f"shape{number}": shape}
    increments = [MASTER, ratio * MASTER, ratio * MASTER]
    *gains, high = WAVES[shape]
    lines = forced_lines(ratio, gains, high, SAMPLES // 2 // CYCLES)
    assert error(played(point, increments, late=2), lines) < -58.0


DUAL_WAVES = {"saw2": (1.0, 0.0, 0.0), "triangle2": (0.0, 1.0, 0.0), "pulse2": (0.0, 0.0, 1.0)}


@pytest.mark.parametrize("ratio", [0.7, 1.5, 1.62, 2.0, 5.37])
@pytest.mark.parametrize("wave", DUAL_WAVES)
def test_the_dual_vco_is_forced_alike(wave, ratio):
    point = {"sync": 1.0, "mix": 1.0, "width2": 0.6, wave: 1.0}
    spectrum = played(point, [MASTER, ratio * MASTER], late=2, module=dual_vco.MODULE)
    lines = forced_lines(ratio, DUAL_WAVES[wave], 0.6, SAMPLES // 2 // CYCLES)
    assert error(spectrum, lines) < -58.0


DIGITAL_WAVES = {5.0: (1.0, 0.0, 0.0, 1.0), 6.0: (0.0, 1.0, 0.0, 1.0), 4.0: (0.0, 0.0, 1.0, 0.745)}


@pytest.mark.parametrize("ratio", [0.9, 1.62, 2.0])
@pytest.mark.parametrize("kind", DIGITAL_WAVES)
def test_the_digital_oscillator_is_forced_alike(kind, ratio):
    point = {"sync": 1.0, "mix": 1.0, "kind2": kind, "one2": 0.5}
    spectrum = played(point, [MASTER, ratio * MASTER], late=3, module=digital.MODULE)
    *gains, high = DIGITAL_WAVES[kind]
    lines = forced_lines(ratio, gains, high, SAMPLES // 2 // CYCLES)
    assert error(spectrum, lines) < -58.0


def test_a_forced_sine_is_that_of_brute_force():
    ratio, over = 1.62, 256
    count = SAMPLES * over
    master = np.arange(count) * MASTER / over
    wave = np.cos(2.0 * np.pi * ratio * (master % 1.0))
    lines = 0.436 * np.fft.rfft(wave)[: SAMPLES // 2 : CYCLES] / count
    point = {"sync": 1.0, "mix": 1.0, "sine2": 1.0}
    spectrum = played(point, [MASTER, ratio * MASTER], late=2, module=dual_vco.MODULE)
    assert error(spectrum, lines) < -50.0


@pytest.mark.parametrize("revision", [0.0, 1.0, 2.0])
def test_revisions_are_the_same_in_both_forms(revision):
    """A slave at the master's own pitch is forced where it begins anyway."""
    point = {"triangle2": 1.0, "triangle1": 1.0, "mix": 0.5, "revision": revision}
    dual = dual_vco.MODULE
    heavy = played({**point, "sync": 1.0}, [MASTER, MASTER], late=2, module=dual)
    light = played(point, [MASTER, MASTER], dual.light, module=dual)
    # Curved flanks leave kinks of their slope's slope, which neither form smooths.
    assert np.abs(heavy - light)[1:].max() < (2e-5 if revision == 0.0 else 1e-4)
    even = np.abs(light[2 * CYCLES : 20 * CYCLES : 2 * CYCLES]).max()
    assert (even > 1e-3) == (revision == 2.0)


def test_cross_modulation_does_not_mind_the_mix():
    """The second oscillator is modulated by the first whether that one is heard or not."""
    dual, point = dual_vco.MODULE, {"saw1": 1.0, "sine2": 1.0, "fm": 0.6}
    both = played({**point, "mix": 0.5}, [MASTER, MASTER], dual.light, module=dual)
    first = played({**point, "mix": 0.0}, [MASTER, MASTER], dual.light, module=dual)
    second = played({**point, "mix": 1.0}, [MASTER, MASTER], dual.light, module=dual)
    assert np.abs(second).max() > 0.05
    assert np.abs(both - first - second).max() < 1e-6


def test_a_wave_that_is_not_forced_is_the_same_in_both_forms():
    """Oscillator 3 stays free while 2 is forced: the light form, two samples late."""
    for shape in (1.0, 2.5, 3.0, 4.4, 5.0, 5.5, 7.0, 8.6):
        point = {"shape3": shape, "level3": 1.0, "level1": 0.4, "shape1": 6.2}
        increments = [MASTER, 1.3 * MASTER, 31 / SAMPLES]
        heavy = played({**point, "sync2": 1.0}, increments, late=2)
        light = played(point, increments, MODULE.light)
        assert np.abs(heavy - light)[1:].max() < 2e-5


def test_a_free_wave_with_fm_is_the_same_in_both_forms():
    point = {"shape2": 3.6, "level2": 1.0, "fm": 0.3, "shape1": 3.0}
    increments = [MASTER, 1.3 * MASTER, MASTER]
    heavy = played({**point, "sync3": 1.0}, increments, late=2)
    light = played(point, increments, MODULE.light)
    assert np.abs(heavy - light)[1 : SAMPLES // 4].max() < 1e-3


@pytest.mark.parametrize("master", [53, 245])
def test_high_forced_notes_alias_little(master):
    """Masters of 1.1 and 5.3 kHz, the slave up to 8.5 kHz."""
    point = {"sync2": 1.0, "level2": 1.0, "shape2": 5.0}
    slave = 1.62 * master / SAMPLES
    spectrum = np.abs(played(point, [master / SAMPLES, slave, slave]))
    between = np.ones(len(spectrum), bool)
    between[::master] = False
    between[round(12000.0 / RATE * SAMPLES) :] = False
    assert 20.0 * np.log10(spectrum[between].max() / spectrum[1:].max()) < -45.0


def patch_of(**changes):
    patch = DIVA.defaults()
    values = {"OSC.Model": 0.0, "OSC.Vol2": 80.0, "OSC.Tune2": 8.3, "HPF.Model": 0.0}
    for name, value in {**values, **changes}.items():
        patch[DIVA.index(name.replace("_", "."))] = value
    return patch


def test_sync_does_not_disturb_its_neighbours():
    free, forced = patch_of(), patch_of(OSC_Sync2=1.0)
    both = PanelRenderer().render(np.array([free, forced]), SHORT)
    assert np.array_equal(both[0], PanelRenderer().render(free[None], SHORT)[0])
    assert np.array_equal(both[1], PanelRenderer().render(forced[None], SHORT)[0])
    assert np.abs(both[0] - both[1]).max() > 0.05


def test_pink_noise_falls_by_three_decibels_an_octave():
    noise = {"OSC_Vol1": 0.0, "OSC_Vol2": 0.0, "OSC_Noise": 100.0, "VCF1_Freq": 150.0}
    noise |= {"VCF1_Res": 0.0, "VCF1_Fback": 0.0, "VCF1_FMDpt": 0.0, "VCF1_FM2Dpt": 0.0}
    noise |= {"VCA1_VCA": 0.0}
    pink, white = (patch_of(OSC_NoiseC=colour, **noise) for colour in (0.0, 1.0))
    note = Note(pitch=57, render_seconds=4.0, length_seconds=4.0)
    power = np.abs(np.fft.rfft(PanelRenderer().render(np.array([pink, white]), note))) ** 2
    cycles = np.arange(power.shape[1]) / 4.0
    bands = [(cycles >= low) & (cycles < 2.0 * low) for low in (100.0, 400.0, 1600.0)]
    ratio = [10.0 * np.log10(power[0, band].sum() / power[1, band].sum()) for band in bands]
    assert np.diff(ratio) == pytest.approx([-6.02, -6.02], abs=0.5)
