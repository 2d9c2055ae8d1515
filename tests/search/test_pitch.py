"""Pitches read from partials, against tones whose pitch is known."""

import numpy as np
import pytest

from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.search.pitch import partials, salience, with_pitches
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note()
SPACE = default_space()
TUNE_2 = SPACE.table["OSC.Tune2"]
TIME = np.arange(NOTE.samples) / NOTE.sample_rate


def saw(semitones, level=0.3):
    """A band-limited sawtooth, so many semitones above the note."""
    fundamental = NOTE.frequency_hz * 2 ** (semitones / 12)
    numbers = np.arange(1, int(16000 / fundamental) + 1)
    wave = sum(np.sin(2 * np.pi * fundamental * n * TIME) / n for n in numbers)
    return (level * wave).astype(np.float32)


def guessed(audio):
    start = with_pitches(Start.uniform(SPACE), audio, NOTE.sample_rate, NOTE)
    octave = 12 * (int(start.probabilities["OSC.Tune1"].argmax()) - 2)
    return octave, TUNE_2.to_unit(start.hints["OSC.Tune2"])


def test_partials_of_a_sum_of_sines_are_measured_to_a_cent():
    wanted = np.array([100.3, 441.7, 1234.5, 3000.0])
    audio = sum(0.1 * np.sin(2 * np.pi * f * TIME) for f in wanted).astype(np.float32)
    found = partials(audio, NOTE.sample_rate)
    assert found.frequencies_hz == pytest.approx(wanted, rel=0.0006)
    assert found.strengths == pytest.approx(1.0, abs=0.02)


def test_a_partial_is_measured_at_its_loudest_moment():
    swelling = (0.1 * TIME / 2 * np.sin(2 * np.pi * 500 * TIME)).astype(np.float32)
    assert partials(swelling, NOTE.sample_rate).frequencies_hz == pytest.approx([500], rel=0.001)


@pytest.mark.parametrize("octave", [-24, -12, 0, 12, 24])
def test_the_octave_of_a_sawtooth(octave):
    assert guessed(saw(octave))[0] == octave


@pytest.mark.parametrize(("octave", "second"), [(0, 7.3), (-12, 19.55), (12, -8.4), (24, -22.1)])
def test_two_sawtooths_at_once(octave, second):
    audio = saw(octave) + saw(second, 0.2)
    start = with_pitches(Start.uniform(SPACE), audio, NOTE.sample_rate, NOTE)
    probabilities = start.probabilities["OSC.Tune1"]
    assert probabilities[octave // 12 + 2] > 0.8 * probabilities.max()
    hints = TUNE_2.to_unit(start.hints["OSC.Tune2"])
    assert np.abs(hints[:6] - second).min() < 0.06


def around(**values):
    """The default space around a base with other values of the section VCC."""
    base = SPACE.base.copy()
    for name, value in values.items():
        base[DIVA.index(f"VCC.{name}")] = value
    return ParameterSpace(DIVA, base, SPACE.free)


@pytest.mark.parametrize(
    ("transposition", "fine"), [(12, 0.0), (-12, 0.0), (7, 0.0), (-5, 40.0), (0, -30.0)]
)
def test_pitches_count_from_the_key_as_the_base_transposes_it(transposition, fine):
    space = around(Trsp=transposition, FTun=fine)
    patch = space.base.copy()
    for name, value in {
        "OSC.Tune1": -12.0, "OSC.Wave1": 2.0, "OSC.Vol1": 80.0,
        "OSC.Tune2": 4.6, "OSC.Wave2": 1.0, "OSC.Vol2": 70.0,
    }.items():  # fmt: skip
        patch[DIVA.index(name)] = value
    audio = PanelRenderer().render(patch[None], NOTE, 0)[0]
    start = with_pitches(Start.uniform(space), audio, NOTE.sample_rate, NOTE)
    probabilities = start.probabilities["OSC.Tune1"]
    assert probabilities.argmax() == 1
    hints = TUNE_2.to_unit(start.hints["OSC.Tune2"])
    assert np.abs(hints[:2] - 4.6).min() < 0.06


def test_where_transposition_is_free_its_value_in_the_base_counts():
    fixed = around(Trsp=12)
    free = ParameterSpace(DIVA, fixed.base, (*SPACE.free, "VCC.Trsp"))
    starts = [
        with_pitches(Start.uniform(space), saw(7.3), NOTE.sample_rate, NOTE)
        for space in (fixed, free)
    ]
    one, two = (start.hints["OSC.Tune2"] for start in starts)
    assert np.array_equal(one, two)
    assert TUNE_2.to_unit(one)[0] == pytest.approx(7.3 - 12, abs=0.06)


def test_how_another_synthesizer_is_tuned_is_not_known():
    other = ParameterTable("Other", tuple(DIVA))
    space = ParameterSpace(other, around(Trsp=12).base, SPACE.free)
    start = Start.uniform(space)
    assert with_pitches(start, saw(7.3), NOTE.sample_rate, NOTE) is start


def test_a_fundamental_an_octave_off_is_worse_founded():
    found = partials(saw(0), NOTE.sample_rate)
    below, right = salience(found, NOTE.frequency_hz * np.array([0.5, 1.0]))
    assert below < 0.75 * right
    assert right > 0.5


def test_noise_and_spaces_without_oscillators_change_nothing():
    silence = np.zeros(NOTE.samples, np.float32)
    start = Start.uniform(SPACE)
    assert with_pitches(start, silence, NOTE.sample_rate, NOTE) is start
    fixed = SPACE.locked({"OSC.Tune1": 0.0, "OSC.Tune2": 0.0})
    start = Start.uniform(fixed)
    assert with_pitches(start, saw(0), NOTE.sample_rate, NOTE) is start


def test_short_and_low_sounds_are_measured_too():
    note = Note(render_seconds=0.1, length_seconds=0.1, sample_rate=16000)
    time = np.arange(note.samples) / note.sample_rate
    audio = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    assert partials(audio, note.sample_rate).frequencies_hz == pytest.approx([1000], rel=0.003)
