"""A network hears other notes as its own, and its answers are brought back to them."""

from dataclasses import replace

import numpy as np
import pytest

from deepdiva.distance import AVERAGED, AveragedDistance
from deepdiva.errors import InvalidValueError
from deepdiva.level import at_reference
from deepdiva.models.baselines import MeanPredictor
from deepdiva.models.registry import load_predictor
from deepdiva.models.transposition import TransposedPredictor, for_note
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

SPACE = default_space()
NOTE = Note()
RATE = NOTE.sample_rate


def transposed(note, space=SPACE, own=NOTE):
    return TransposedPredictor(MeanPredictor(space, own), note)


def patch_of(space=SPACE, **values):
    """A patch of two oscillators that are heard well, with some values of its own."""
    patch = space.base.copy()
    steady = {"ENV1.Atk": 10.0, "ENV1.Dec": 30.0, "ENV1.Sus": 40.0, "OSC.Vol1": 60.0}
    steady |= {"OSC.Vol2": 40.0, "OSC.Tune1": 0.0, "OSC.Tune2": 7.02, "OSC.Wave1": 2.0}
    steady |= {"OSC.Wave2": 1.0, "VCF1.Freq": 95.0, "VCF1.Res": 40.0}
    for name, value in {**steady, **values}.items():
        patch[DIVA.index(name)] = value
    return patch


@pytest.mark.parametrize("pitch", [36, 43, 53, 60, 64, 72])
def test_an_answer_sounds_on_its_key_as_it_was_heard(pitch):
    note = Note(pitch=pitch)
    predictor = transposed(note)
    heard = patch_of()
    answer = SPACE.patches(predictor.answered(SPACE.normalised(heard[None])))
    renderer = PanelRenderer()
    played = predictor.heard(renderer.render(answer, note, 1))
    distance = AveragedDistance(renderer.render(heard[None], NOTE, 2)[0], RATE, AVERAGED)
    over_seeds = distance(renderer.render(heard[None], NOTE, 3))[0]
    as_it_was = predictor.heard(renderer.render(heard[None], note, 1))
    # Above half of the rate a slowed sound has nothing, and pots and slop are no times.
    assert distance(played)[0] < over_seeds + 0.06
    assert distance(played)[0] < 0.5 * distance(as_it_was)[0]


def test_a_base_that_transposes_is_another_key():
    mean = MeanPredictor(SPACE, NOTE)
    fifth = patch_of(**{"VCC.Trsp": 7.0})
    predictor = for_note(mean, NOTE, fifth)
    assert isinstance(predictor, TransposedPredictor)
    assert predictor.note == NOTE
    assert predictor.shift == 7
    assert for_note(mean, Note(pitch=41), fifth).shift == 0
    # A network that was trained around such a base knows it, and one that answers it looks away.
    around = MeanPredictor(replace(SPACE, base=fifth), NOTE)
    assert for_note(around, NOTE, fifth) is around
    assert for_note(around, NOTE, patch_of()).octaves == -1
    answering = MeanPredictor(ParameterSpace(DIVA, SPACE.base, ["VCC.Trsp"]), NOTE)
    assert for_note(answering, NOTE, fifth) is answering
    assert for_note(mean, NOTE, patch_of(**{"VCC.FTun": 40.0})) is mean


def test_slower_or_octaves_off():
    for pitch, octaves, shift in (
        (48, 0, 0),
        (47, -1, 11),
        (36, -1, 0),
        (24, -2, 0),
        (55, 0, 7),
        (60, 0, 12),
        (67, 0, 19),
        (68, 1, 8),
        (72, 1, 12),
    ):
        predictor = transposed(Note(pitch=pitch))
        assert (predictor.octaves, predictor.shift) == (octaves, shift)


def test_what_is_heard_is_lower_and_slower():
    times = np.arange(2 * RATE) / RATE
    sound = np.sin(2 * np.pi * 500.0 * times).astype(np.float32)
    predictor = transposed(Note(pitch=60))
    heard = predictor.heard(np.stack([sound, np.zeros_like(sound)]))
    assert heard.shape == (2, NOTE.samples)
    assert heard.dtype == np.float32
    assert not heard[1].any()
    expected = np.sin(2 * np.pi * 250.0 * times)
    assert np.abs(heard[0, 2000:-2000] - expected[2000:-2000]).max() < 0.01


def test_a_longer_note_is_heard_as_far_as_the_network_listens():
    note = Note(length_seconds=3.0, render_seconds=3.0)
    sounds = np.random.default_rng(0).standard_normal((1, note.samples)).astype(np.float32)
    predictor = transposed(note)
    np.testing.assert_array_equal(predictor.heard(sounds), sounds[:, : NOTE.samples])
    x = SPACE.random(np.random.default_rng(1), 5)
    np.testing.assert_allclose(predictor.answered(x), x, atol=1e-9)


def test_another_sample_rate_is_resampled():
    note = Note(sample_rate=48000)
    times = np.arange(note.samples) / 48000
    sounds = np.sin(2 * np.pi * 500.0 * times).astype(np.float32)[None]
    heard = transposed(note).heard(sounds)
    expected = np.sin(2 * np.pi * 500.0 * np.arange(NOTE.samples) / RATE)
    assert np.abs(heard[0, 2000:-2000] - expected[2000:-2000]).max() < 0.01


def test_pitches_beyond_the_range_keep_their_class():
    predictor = transposed(Note(pitch=24))
    heard = patch_of(**{"OSC.Tune1": 12.0, "OSC.Tune2": 19.5})
    [patch] = SPACE.patches(predictor.answered(SPACE.normalised(heard[None])))
    assert patch[DIVA.index("OSC.Tune1")] == 24.0
    assert patch[DIVA.index("OSC.Tune2")] == pytest.approx(19.5)  # 43.5 is two octaves too high


def test_probabilities_of_octaves_move():
    predictor = transposed(Note(pitch=36))
    [answer] = predictor.predict(np.zeros((1, NOTE.samples), np.float32), Note(pitch=36))
    assert answer.class_probabilities["OSC.Tune1"] == pytest.approx([0.0, 0.2, 0.2, 0.2, 0.4])
    assert answer.class_probabilities["OSC.Wave1"] == pytest.approx([0.25] * 4)


def test_key_follow_of_the_base_is_counted():
    base = SPACE.base.copy()
    base[DIVA.index("VCF1.KeyScl")] = 100.0
    base[DIVA.index("ENV1.KeyFlw")] = 50.0
    space = ParameterSpace(DIVA, base, (*SPACE.free, "LFO1.Rate"))
    predictor = transposed(Note(pitch=55), space)
    heard = patch_of(space, **{"VCF1.Freq": 90.0, "ENV1.Dec": 50.0, "LFO1.Rate": 1.0})
    [patch] = space.patches(predictor.answered(space.normalised(heard[None])))
    # Seven semitones lower to the ear, and seven that the filter follows the key.
    assert patch[DIVA.index("VCF1.Freq")] == pytest.approx(90.0)
    # Slower to the ear by 7/12 of an octave, and faster on the higher key by half of that. The
    # time goes with the fifth power of the setting.
    assert patch[DIVA.index("ENV1.Dec")] == pytest.approx(50.0 * 2 ** (-7 / 120), abs=0.05)
    assert patch[DIVA.index("LFO1.Rate")] == pytest.approx(1.0 + 7 / 12)


def test_fixed_oscillators_stay_in_their_octave():
    space = ParameterSpace(DIVA, SPACE.base, ("VCF1.Freq", "VCF1.Res"))
    predictor = transposed(Note(pitch=43), space)
    assert (predictor.octaves, predictor.shift) == (0, -5)
    assert transposed(Note(pitch=72), space).shift == 24


def test_the_default_network_knows_other_keys():
    """Its answers are nearer than those to a sound that it takes for one of its own key."""
    network, _ = load_predictor()
    renderer = PanelRenderer()
    rng = np.random.default_rng(3)
    for pitch in (41, 60):
        note = Note(pitch=pitch)
        patches = SPACE.patches(SPACE.random(rng, 6))
        patches[:, DIVA.index("ENV1.Atk")] = 5.0
        sounds = renderer.render(patches, note, 1)
        predictor = for_note(network, note)
        heard, _ = at_reference(sounds)
        found = {
            "its own": network.predict(heard, network.note),
            "transposed": predictor.predict(heard, note),
        }
        means = {}
        for how, answers in found.items():
            distances = []
            for sound, answer in zip(heard, answers, strict=True):
                played = renderer.render(SPACE.patches(answer.x), note, 2)
                judge = AveragedDistance(sound, RATE, AVERAGED)
                distances.append(judge(at_reference(played)[0]).min())
            means[how] = np.mean(distances)
        assert means["transposed"] < 0.8 * means["its own"]


def test_the_own_note_needs_nothing():
    network = MeanPredictor(SPACE, NOTE)
    assert for_note(network, NOTE) is network
    assert for_note(network, replace(NOTE, velocity=64)).note.velocity == 64


@pytest.mark.parametrize(
    ("note", "own", "reason"),
    [
        (Note(length_seconds=1.0, render_seconds=1.0), NOTE, "would hear 1 s of this one"),
        (Note(length_seconds=0.8), NOTE, "held for 0.8 s"),
        (NOTE, Note(length_seconds=0.8), "held for 0.8 s, and would hear 2 s"),
    ],
)
def test_notes_of_which_too_little_is_heard_are_refused(note, own, reason):
    with pytest.raises(InvalidValueError, match=reason):
        for_note(MeanPredictor(SPACE, own), note)


def test_a_low_note_is_not_sped_up_beyond_its_end():
    space = ParameterSpace(DIVA, SPACE.base, ("VCF1.Freq",))
    with pytest.raises(InvalidValueError, match="would hear 1 s"):
        transposed(Note(pitch=36), space)
    longer = Note(pitch=36, length_seconds=4.0, render_seconds=4.0)
    assert transposed(longer, space).shift == -12


def test_sounds_of_another_note_than_announced_are_refused():
    with pytest.raises(InvalidValueError, match="this predictor was made for"):
        transposed(Note(pitch=50)).predict(np.zeros((1, NOTE.samples), np.float32), NOTE)
