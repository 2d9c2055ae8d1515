"""The Digital oscillators against brute force, Fourier series and the published Super Saw."""

from __future__ import annotations

import numpy as np
import pytest

from deepdiva.engine.backends import plain
from deepdiva.engine.modules.oscillators import digital
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

MODULE = digital.MODULE
RATE = 44100.0
SAMPLES = 2048
CYCLES = 17
PITCH = CYCLES / SAMPLES
MULTISAW, TRIWRAP, NOISE, FEEDBACK, PULSE, SAWTOOTH, TRIANGLE = (float(k) for k in range(7))
SIDES = (-0.11002313, -0.06288439, -0.01952356, 0.01991221, 0.06216538, 0.10745242)
SHORT = Note(pitch=57, render_seconds=0.2, length_seconds=0.15)


def samples(point, increments, count, step=None, white=None):
    """The mix, and apart from it the noise, as the module gives them."""
    step = step or MODULE.step
    p = plain.coefficients(MODULE, point, RATE)
    state = (0.0,) * len(MODULE.states)
    out = np.empty((2, count))
    for i in range(count):
        x = [value for increment in increments for value in (i * increment, increment)]
        hiss = 0.0 if white is None else white[i]
        (out[0, i], out[1, i], _), state = step((*x, hiss), p, state)
    return out


def sharpened(wave, late):
    """Spectrum, droop and lateness undone."""
    omega = 2.0 * np.pi * np.arange(len(wave) // 2 + 1) / len(wave)
    spectrum = np.fft.rfft(wave) / len(wave)
    return spectrum * np.exp(1j * omega * late) * 3.0 / (2.0 + np.cos(omega))


def played(point, increments=(PITCH, PITCH), step=None, late=3):
    return sharpened(samples(point, increments, 2 * SAMPLES, step)[0, SAMPLES:], late)


def brute_force(wave):
    """Lines of a function of the phase, from 4096 points a cycle."""
    phase = (np.arange(4096 * 16) + 0.5) / (4096 * 16)
    lines = 0.436 * np.fft.rfft(wave(phase)) / len(phase)
    lines *= np.exp(-1j * np.pi * np.arange(len(lines)) / len(phase))
    return lines[: SAMPLES // 2 // CYCLES]


def error(spectrum, lines):
    """Deviation at the lines and between them below 12 kHz, against the strongest line, dB."""
    wanted = np.zeros(len(spectrum), complex)
    cycles = PITCH * np.arange(len(lines))
    shaped = lines * np.sinc(cycles) ** 4 * 3.0 / (2.0 + np.cos(2.0 * np.pi * cycles))
    wanted[::CYCLES][: len(lines)] = shaped
    heard = slice(1, round(12000.0 / RATE * SAMPLES))
    return 20.0 * np.log10(np.abs(spectrum - wanted)[heard].max() / np.abs(wanted[1:]).max())


def triangle(phase, lowest=0.5):
    return np.where(
        phase < lowest, 1.0 - 2.0 * phase / lowest, 2.0 * (phase - lowest) / (1.0 - lowest) - 1.0
    )


def wrapped(phase):
    """Three times too high, the lowest point at 0.635."""
    return (3.0 * triangle(phase, 0.635) + 1.0) % 2.0 - 1.0


def saw(phase):
    return 1.0 - 2.0 * phase


WAVES = {
    "saw": (SAWTOOTH, 0.0, 0.0, saw),
    "spike": (SAWTOOTH, 0.6, 0.0, lambda p: 0.4 * saw(p) + 0.6 * saw(p) ** 3),
    "octave": (SAWTOOTH, 0.0, 1.0, lambda p: saw(2.0 * p % 1.0)),
    "pulse": (PULSE, 0.5, 0.0, lambda p: np.where(p < 0.745, 0.51, -1.49)),
    "pulse as saw": (PULSE, 0.5, 1.0, saw),
    "triangle": (TRIANGLE, 0.0, 0.0, triangle),
    "bent": (TRIANGLE, 0.0, 0.5, lambda p: triangle(p, 0.725)),
    "peaked": (TRIANGLE, 0.5, 0.0, lambda p: 0.5 * triangle(p) + 0.5 * triangle(p) ** 3),
    "not wrapped": (TRIWRAP, 0.0, 0.0, triangle),
    "wrapped": (TRIWRAP, 0.5, 0.3, wrapped),
}


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", WAVES)
def test_waves_have_the_lines_of_brute_force(name, number):
    kind, one, two, wave = WAVES[name]
    point = {f"kind{number}": kind, f"one{number}": one, f"two{number}": two}
    spectrum = played({**point, "mix": number - 1.0})
    assert error(spectrum, brute_force(wave)) < -55.0


@pytest.mark.parametrize("name", ["saw", "pulse", "triangle", "wrapped"])
def test_the_light_form_is_the_same_two_samples_earlier(name):
    kind, one, two, _ = WAVES[name]
    point = {"kind1": kind, "one1": one, "two1": two, "kind2": SAWTOOTH, "fm": 0.2, "mix": 0.4}
    increments = (PITCH, 31 / SAMPLES)
    full = samples(point, increments, 1000)[0]
    light = samples(point, increments, 1000, MODULE.light)[0]
    assert np.abs(full[102:] - light[100:-2]).max() < 1e-9


def test_without_less_aliasing_waves_are_bare():
    spectrum = played({"kind1": SAWTOOTH, "clean": 0.0, "mix": 0.0})
    phase = np.arange(SAMPLES) * PITCH % 1.0
    bare = 0.436 * np.fft.rfft(1.0 - 2.0 * phase) / SAMPLES
    assert np.abs(spectrum - bare).max() < 1e-6


@pytest.mark.parametrize("two", [0.0, 0.5, 1.0])
def test_the_multisaw_is_the_published_super_saw(two):
    """Seven fundamentals at the published offsets, with the published gains and high-pass."""
    pitch, count = 0.02, 8192
    point = {"kind1": MULTISAW, "one1": 1.0, "two1": two, "mix": 0.0}
    wave = samples(point, (pitch, pitch), 512 + count)[0, 512:]
    curve = digital.detune_curve(1.0)
    assert curve == pytest.approx(1.0, abs=1e-4)
    cycles = pitch * (1.0 + curve * np.array([0.0, *SIDES]))
    window = np.hanning(count)
    place = np.arange(count)
    columns = [
        shape(2.0 * np.pi * harmonic * each * place)
        for each in cycles
        for harmonic in (1, 2, 3)
        for shape in (np.cos, np.sin)
    ]
    fit = np.linalg.lstsq(window[:, None] * np.array(columns).T, window * wave, rcond=None)[0]
    gains = np.hypot(fit[0::6], fit[1::6]) / (0.436 * 2.0 / np.pi)
    z = np.exp(-2j * np.pi * cycles)
    w = 2.0 * np.pi * pitch
    response = np.abs((1.0 - w) * (1.0 - z) / (1.0 - (1.0 - w) * z))
    droop = np.sinc(cycles) ** 4
    centre, side = 0.99785 - 0.55366 * two, 0.044372 + 1.2841 * two - 0.73764 * two**2
    wanted = response * droop * np.array([centre, *[side] * 6])
    assert gains == pytest.approx(wanted, abs=0.01)


def test_detune_grows_with_the_knob():
    """But for 0.0001 below a knob of 0.06, where the published polynomial swings."""
    knobs = np.linspace(0.0, 1.0, 101)
    growth = np.diff([digital.detune_curve(x) for x in knobs])
    assert digital.detune_curve(0.0) == pytest.approx(0.003, abs=1e-3)
    assert (growth[6:] > 0.0).all()
    assert growth.min() > -1e-4


@pytest.mark.parametrize("harmonic", [2, 5, 9])
def test_feedback_howls_on_its_overtone(harmonic):
    point = {"kind1": FEEDBACK, "one1": (harmonic - 1) / 11.0, "two1": 1.0, "mix": 0.0}
    spectrum = np.abs(played(point)[CYCLES : 12 * CYCLES : CYCLES])
    assert np.argmax(spectrum) == harmonic - 1
    assert np.abs(samples(point, (PITCH, PITCH), 4096)).max() < 1.0


@pytest.mark.parametrize("one", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("two", [0.0, 0.8])
def test_noise_has_the_spectrum_of_a_resonant_low_pass(one, two):
    """Two poles at 2^(8 x) times the pitch, at most 0.4 of the sample rate, bilinear."""
    count = 32768
    white = np.random.default_rng(0).standard_normal(count)
    point = {"kind1": NOISE, "one1": one, "two1": two, "mix": 0.0}
    hiss = samples(point, (PITCH, PITCH), count, MODULE.light, white)[1]
    cycles = np.arange(count // 2) / count
    corner = min(0.4, PITCH * 2.0 ** (8.0 * one))
    s = 1j * np.tan(np.pi * cycles) / np.tan(np.pi * corner)
    response = 0.436 * 0.6 / np.abs(s * s + 2.0 * (1.0 - 0.98 * two) * s + 1.0)
    got = np.abs(np.fft.rfft(hiss)[:-1]) ** 2
    wanted = (np.abs(np.fft.rfft(white)[:-1]) * response) ** 2
    for low in (0.005, 0.02, 0.08, 0.2):
        band = (cycles >= low) & (cycles < 1.6 * low)
        ratio = got[band].sum() / wanted[band].sum()
        assert 10.0 * np.log10(ratio) == pytest.approx(0.0, abs=0.3)


def test_ring_modulation_gives_sums_and_differences():
    point = {"kind1": TRIANGLE, "kind2": TRIANGLE, "ring": 1.0, "mix": 1.0}
    spectrum = np.abs(played(point, (PITCH, 40 / SAMPLES)))
    strongest = set(np.argsort(spectrum)[-2:])
    assert strongest == {40 - CYCLES, 40 + CYCLES}


@pytest.mark.parametrize("kind", range(7))
def test_balance_silences_the_other(kind):
    """What oscillator 2 plays is not heard at balance 0, nor oscillator 1 at 1."""
    white = np.ones(300)
    one = {"kind1": float(kind), "kind2": SAWTOOTH, "mix": 0.0}
    other = {**one, "kind2": TRIANGLE, "one2": 0.9, "two2": 0.7}
    pitches = (PITCH, 1.3 * PITCH)
    assert np.array_equal(
        samples(one, pitches, 300, white=white), samples(other, pitches, 300, white=white)
    )
    one = {"kind2": float(kind), "kind1": SAWTOOTH, "mix": 1.0}
    other = {**one, "kind1": TRIANGLE, "one1": 0.9, "two1": 0.7}
    away = samples(one, pitches, 300, white=white) - samples(other, pitches, 300, white=white)
    assert np.abs(away).max() < 1e-6


@pytest.mark.parametrize("kind", range(7))
def test_every_shape_acts(kind):
    white = np.random.default_rng(1).standard_normal(300)
    point = {"kind1": float(kind), "one1": 0.4, "two1": 0.4, "mix": 0.0}
    base = samples(point, (PITCH, PITCH), 300, white=white)
    for name in ("one1", "two1"):
        other = samples({**point, name: 0.7}, (PITCH, PITCH), 300, white=white)
        assert np.abs(other - base).max() > 1e-3, name


@pytest.mark.parametrize("cycles", [53, 199])
@pytest.mark.parametrize("name", ["saw", "pulse", "triangle", "octave"])
def test_high_notes_alias_little(name, cycles):
    """Notes of 1.1 and 4.3 kHz: between the lines, below 12 kHz."""
    kind, one, two, _ = WAVES[name]
    point = {"kind1": kind, "one1": one, "two1": two, "mix": 0.0}
    spectrum = np.abs(played(point, (cycles / SAMPLES, PITCH)))
    between = np.ones(len(spectrum), bool)
    between[::cycles] = False
    between[round(12000.0 / RATE * SAMPLES) :] = False
    assert 20.0 * np.log10(spectrum[between].max() / spectrum[1:].max()) < -45.0


def test_a_batch_of_light_and_full_patches_is_the_same_as_each_alone():
    patches = np.tile(DIVA.defaults(), (5, 1))
    patches[:, DIVA.index("OSC.Model")] = 4.0
    patches[:, DIVA.index("OSC.OscMix")] = 50.0
    patches[:, DIVA.index("OSC.DgtlTp1")] = [0.0, 1.0, 2.0, 5.0, 4.0]
    patches[:, DIVA.index("OSC.DgtlTp2")] = [5.0, 3.0, 6.0, 5.0, 5.0]
    patches[:, DIVA.index("OSC.Sync2")] = [0.0, 0.0, 0.0, 0.0, 1.0]
    engine = PanelRenderer()
    whole = engine.render(patches, SHORT, np.arange(5))
    assert np.isfinite(whole).all()
    assert (np.abs(whole).max(axis=1) > 0.01).all()
    for k in range(5):
        assert np.array_equal(engine.render(patches[k : k + 1], SHORT, k)[0], whole[k])
