"""The DCO against the Fourier series of the gated waves, written down piece by piece."""

from __future__ import annotations

import numpy as np
import pytest

from deepdiva.engine.backends import plain
from deepdiva.engine.modules.oscillators import dco
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

RATE = 44100.0
SAMPLES = 8192
CYCLES = 24
# The phase runs two octaves below the note: the window holds whole cycles of it.
QUARTER = CYCLES / SAMPLES
EIGHTHS = [(k / 8, (k + 0.5) / 8) for k in range(8)]
SAWS = {
    1: [(0.0, 1.0)],
    2: [(0.0, 0.25), (0.5, 0.75)],
    3: [(0.0, 0.35), (0.5, 0.85)],
    4: EIGHTHS,
    5: [EIGHTHS[k] for k in (0, 1, 4, 5)],
}
# In cycles two octaves down.
SUBS = {
    0: [(0.0, 0.25), (0.5, 0.75)],
    1: [(0.0, 0.125), (0.5, 0.625)],
    2: [(k / 8, k / 8 + 0.0625) for k in (0, 1, 4, 5)],
    3: [(k / 32, (k + 0.5) / 32) for k in (*range(8), *range(16, 24))],
    4: [(0.0, 0.5)],
    5: [(0.0, 0.25)],
}


def played(point, increment=QUARTER, white=0.0):
    """Spectrum of the mix, its droop undone as the engine undoes it; 2 / samples of a sine's."""
    p = plain.coefficients(dco.MODULE, {"pulse": 0.0, **point}, RATE)
    mix = np.empty(SAMPLES)
    for i in range(SAMPLES):
        (mix[i], _, _), _ = dco.MODULE.step((i * increment, increment, white), p, ())
    spectrum = np.fft.rfft(mix) / SAMPLES
    return spectrum * 3.0 / (2.0 + np.cos(2.0 * np.pi * np.arange(len(spectrum)) / SAMPLES))


def series(pieces, ramp, count, repeats):
    """Fourier coefficients of the lines of the quarter phase, from the integrals of the pieces.

    Args:
        pieces: begin and end, cycles.
        ramp: whether the wave falls from 1 to 0 in a cycle; else it is 1 in the pieces.
        count: of lines.
        repeats: cycles of the wave in one of the quarter phase.
    """
    lines = np.zeros(count, complex)
    for k in range(repeats, count, repeats):
        w = -2j * np.pi * k / repeats
        for begin, end in pieces:
            for place, sign in ((end, 1.0), (begin, -1.0)):
                height = 1.0 - place if ramp else 1.0
                part = height / w + (1.0 / w**2 if ramp else 0.0)
                lines[k] += sign * np.exp(w * place) * part
    return 2.0 * 0.436 * lines


def drooped(lines):
    cycles = QUARTER * np.arange(len(lines))
    return lines * np.sinc(cycles) ** 4 * 3.0 / (2.0 + np.cos(2.0 * np.pi * cycles))


def error(spectrum, lines):
    """Deviation at the lines and everything between them, against the strongest line, in dB."""
    wanted = np.zeros(len(spectrum), complex)
    wanted[::CYCLES][: len(lines)] = drooped(lines)
    heard = slice(1, round(12000.0 / RATE * SAMPLES))
    away = np.abs(spectrum - wanted)[heard].max()
    return 20.0 * np.log10(away / np.abs(wanted).max())


COUNT = SAMPLES // 2 // CYCLES


@pytest.mark.parametrize("shape", SAWS)
def test_saws_have_the_lines_of_their_pieces(shape):
    lines = series(SAWS[shape], True, COUNT, 4)
    assert error(played({"saw": shape, "width": 0.7}), lines) < -60.0


@pytest.mark.parametrize(("shape", "high"), [(1, 0.5), (2, 0.25), (3, 0.7)])
def test_pulses_have_the_lines_of_their_pieces(shape, high):
    lines = series([(0.0, high)], False, COUNT, 4)
    assert error(played({"pulse": shape, "width": 0.7}), lines) < -60.0


@pytest.mark.parametrize("shape", SUBS)
def test_subs_have_the_lines_of_their_pieces(shape):
    lines = series(SUBS[shape], False, COUNT, 1)
    assert error(played({"sub": shape, "sub_level": 1.0}), lines) < -60.0


@pytest.mark.parametrize("point", [{"saw": k} for k in SAWS] + [{"sub": k} for k in SUBS])
def test_there_is_no_dc(point):
    spectrum = played({"sub_level": 1.0 if "sub" in point else 0.0, "width": 0.7, **point})
    assert abs(spectrum[0]) < 1e-4


def test_nothing_chosen_is_silent():
    assert np.abs(played({})).max() < 1e-8
    assert np.abs(played({"pulse": 3.0, "width": 1.0})).max() < 1e-6


@pytest.mark.parametrize("cycles", [101, 401, 1201])
@pytest.mark.parametrize("shape", SAWS)
def test_high_notes_alias_little(shape, cycles):
    """Notes of 2.2, 8.6 and 25.9 kHz: between the lines, below 12 kHz, nothing."""
    point = {"saw": shape, "sub": 3.0, "sub_level": 1.0, "width": 0.7}
    spectrum = np.abs(played(point, cycles / SAMPLES))
    between = np.ones(len(spectrum), bool)
    between[::cycles] = False
    between[round(12000.0 / RATE * SAMPLES) :] = False
    assert 20.0 * np.log10(spectrum[between].max() / spectrum[1:].max()) < -45.0


def test_every_input_acts():
    base = {"pulse": 3.0, "saw": 3.0, "sub": 0.0, "width": 0.6, "sub_level": 0.5, "noise": 0.1}
    p = plain.coefficients(dco.MODULE, base, RATE)
    reference = dco.MODULE.step((0.53, QUARTER, 1.0), p, ())[0]
    other = {"pulse": 1.0, "saw": 1.0, "sub": 3.0, "width": 0.9, "sub_level": 1.0, "noise": 0.5}
    for name, value in other.items():
        changed = plain.coefficients(dco.MODULE, {**base, name: value}, RATE)
        heard = [
            dco.MODULE.step((q, QUARTER, 1.0), changed, ())[0]
            != dco.MODULE.step((q, QUARTER, 1.0), p, ())[0]
            for q in np.linspace(0.0, 1.0, 40)
        ]
        assert any(heard), name
    assert reference[1] > 0.0


def test_noise_that_only_modulation_raises_sounds_in_any_batch():
    patch = DIVA.defaults()
    for name, value in (
        ("OSC.Model", 2.0),
        ("OSC.PWShp", 0.0),
        ("OSC.SawShp", 0.0),
        ("OSC.Vol3", 0.0),
        ("OSC.Noise", 0.0),
        ("OSC.NoisSrc", 14.0),
        ("OSC.NoisDpt", 80.0),
    ):
        patch[DIVA.index(name)] = value
    note = Note(pitch=57, render_seconds=0.2, length_seconds=0.1)
    alone = PanelRenderer().render(patch[None], note)[0]
    assert np.abs(alone).max() > 1e-3
    noisy = patch.copy()
    noisy[DIVA.index("OSC.Noise")] = 50.0
    both = PanelRenderer().render(np.array([noisy, patch]), note)
    assert np.array_equal(both[1], alone)
