"""Where `deepdiva refine` begins: at a network's answer, at a preset, or at nothing."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.audio import load_target, write_wav
from deepdiva.cli import main
from deepdiva.level import level_of
from deepdiva.models.registry import load_predictor
from deepdiva.models.transposition import for_note
from deepdiva.note import Note
from deepdiva.search.start import Start
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

NOTE = Note(length_seconds=0.2, render_seconds=0.25)
NOTE_OPTIONS = ["--note-pitch", "48", "--note-length", "0.2", "--render-length", "0.25"]
SHORT = [*NOTE_OPTIONS, "--jobs", "1", "--evaluations", "100"]
SPACE = default_space()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network that was trained for a moment, for the note of these tests."""
    folder = tmp_path_factory.mktemp("network")
    options = ["--online", "--epochs", "1", "--batch-size", "32", "--epoch-sounds", "64"]
    options += ["--test-sounds", "32", "--model-path", str(folder), "--folder-name", "small"]
    result = CliRunner().invoke(main, ["train", *options, *NOTE_OPTIONS])
    assert result.exit_code == 0, result.output
    return folder / "small" / "final_model.safetensors"


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    points = SPACE.random(np.random.default_rng(3), 2)
    audio = PanelRenderer().render(SPACE.patches(points), NOTE, 9)
    for name, sound in zip(("bass", "lead"), audio, strict=True):
        write_wav(folder / f"{name}.wav", sound, NOTE.sample_rate)
    return folder


def refine(*arguments, expect=0):
    result = CliRunner().invoke(main, ["refine", "--free", "ms-rev1", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result


def candidates(run, names=SPACE.names):
    """Free parameters of all candidates, in the order in which they were tried."""
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    return np.array([[float(row[name]) for name in names] for row in rows])


def answered(network, sound, space=SPACE, note=NOTE):
    """What the network answers to a sound at the level at which sounds are compared, as a start."""
    predictor = for_note(load_predictor(network, seed=0)[0], note)
    audio = load_target(sound, note).audio
    level = level_of(audio, PanelRenderer(), space.base, space.names)
    [answer] = predictor.predict(audio[None] * np.float32(level.gain), note)
    return Start.predicted(space, predictor.space.names, answer.x, answer.class_probabilities)


def units(points, space=SPACE):
    return space.patches(points)[:, space.columns]


def test_the_networks_answers_are_the_first_generation(network, sounds, tmp_path):
    refine(sounds / "bass.wav", "-o", tmp_path, *SHORT, "--model-file", network)
    tried = candidates(tmp_path / "bass.run")
    expected = units(answered(network, sounds / "bass.wav").candidates)
    assert tried[:48] == pytest.approx(expected[:48], abs=1e-4)


def test_nothing_is_asked_with_no_predict(network, sounds, tmp_path):
    refine(sounds / "bass.wav", "-o", tmp_path / "a", *SHORT, "--no-predict")
    waves = candidates(tmp_path / "a" / "bass.run")[:48, SPACE.names.index("OSC.Wave1")]
    assert set(waves) == {1.0, 2.0, 3.0, 4.0}, "drawn from the whole space"
    both = ("--no-predict", "--model-file", network)
    said = refine(sounds / "bass.wav", "-o", tmp_path / "b", *SHORT, *both, expect=2)
    assert "contradict each other" in " ".join(said.stderr.split())


def test_a_base_preset_of_ones_own_is_tried_first(network, sounds, tmp_path):
    base = tmp_path / "base.h2p"
    patch = Preset.template().values()
    patch[DIVA.index("VCF1.Freq")] = 77.0
    Preset.template().with_values(patch).write(base)
    own = patch[SPACE.columns]
    common = [sounds / "bass.wav", *SHORT, "--base", base]
    refine(*common, "-o", tmp_path / "one", "--no-predict")
    tried = candidates(tmp_path / "one" / "bass.run")
    assert tried[0] == pytest.approx(own)
    near = np.abs(tried[1:48, SPACE.names.index("VCF1.Freq")] - 77.0) < 24.0
    assert near.mean() > 0.5, "half of the others lie around it"
    refine(*common, "-o", tmp_path / "two", "--model-file", network)
    tried = candidates(tmp_path / "two" / "bass.run")
    assert tried[0] == pytest.approx(own)
    expected = units(answered(network, sounds / "bass.wav").candidates)
    assert tried[1:48] == pytest.approx(expected[:47], abs=1e-4)


def test_locked_parameters_keep_their_value_and_the_rest_is_predicted(network, sounds, tmp_path):
    lock = ["--lock", "OSC.Wave1=2"]
    refine(sounds / "bass.wav", "-o", tmp_path, *SHORT, *lock, "--model-file", network)
    space = SPACE.locked({"OSC.Wave1": 2.0})
    tried = candidates(tmp_path / "bass.run", space.names)
    expected = units(answered(network, sounds / "bass.wav", space).candidates, space)
    assert tried[:48] == pytest.approx(expected[:48], abs=1e-4)
    assert Preset.read(tmp_path / "bass.h2p").values()[DIVA.index("OSC.Wave1")] == 2.0


def test_the_network_hears_the_note_as_the_base_transposes_it(network, sounds, tmp_path):
    lock = ["--lock", "VCC.Trsp=12"]
    refine(sounds / "bass.wav", "-o", tmp_path, *SHORT, *lock, "--model-file", network)
    octave_up = replace(NOTE, pitch=NOTE.pitch + 12)
    expected = units(answered(network, sounds / "bass.wav", note=octave_up).candidates)
    tried = candidates(tmp_path / "bass.run")
    assert tried[:48] == pytest.approx(expected[:48], abs=1e-4)


def test_a_sound_starts_alike_alone_and_among_others(network, sounds, tmp_path):
    both = [sounds, "-o", tmp_path / "both", *SHORT, "--model-file", network]
    refine(*both)
    refine(sounds / "lead.wav", "-o", tmp_path / "one", *SHORT, "--model-file", network)
    one, two = (
        json.loads((tmp_path / name / "lead.run" / "run.json").read_text())
        for name in ("one", "both")
    )
    assert one == two
    assert one["start"] is not None
    # So a folder that was broken off can be gone on with by one of its sounds.
    again = [sounds / "lead.wav", "-o", tmp_path / "both", *SHORT, "--model-file", network]
    refine(*again, "--resume")


def test_a_search_is_not_resumed_from_another_start(network, sounds, tmp_path):
    common = [sounds / "bass.wav", "-o", tmp_path, *SHORT]
    refine(*common, "--model-file", network)
    for options in (["--no-predict"], ["--model-file", network, "--base", tmp_path / "bass.h2p"]):
        result = refine(*common, *options, "--resume", expect=2)
        assert "holds another search" in result.stderr
        assert "start" in result.stderr


def test_a_network_that_hears_too_little_says_so(network, sounds, tmp_path):
    # The network that comes with the package knows notes of two seconds.
    result = refine(sounds / "bass.wav", "-o", tmp_path / "a", *SHORT)
    said = " ".join(result.stderr.split())
    assert "knows notes of 2 s that are held for 2 s, and would hear 0.25 s of this one" in said
    assert "the search starts without it" in said
    result = refine(sounds / "bass.wav", "-o", tmp_path / "b", *SHORT, "--predict", expect=2)
    assert "leave out --predict and --model-file" in result.stderr
    other = [*SHORT, "--note-length", "0.05", "--model-file", network]
    result = refine(sounds / "bass.wav", "-o", tmp_path / "c", *other, expect=2)
    assert "held for 0.05 s" in " ".join(result.stderr.split())


def test_a_network_hears_another_key(network, sounds, tmp_path):
    common = [sounds / "bass.wav", *SHORT, "--model-file", network]
    starts = []
    for pitch in (48, 36):
        refine(*common, "-o", tmp_path / str(pitch), "--note-pitch", pitch)
        run = json.loads((tmp_path / str(pitch) / "bass.run" / "run.json").read_text())
        starts.append(run["start"])
    assert starts[0] != starts[1]
    assert None not in starts


def test_each_recording_has_its_own_key(network, tmp_path):
    times = np.arange(round(NOTE.render_seconds * NOTE.sample_rate)) / NOTE.sample_rate
    for key in (36, 55):
        tone = 0.2 * np.sign(np.sin(2 * np.pi * 440.0 * 2.0 ** ((key - 69) / 12) * times))
        write_wav(tmp_path / f"{key}.wav", tone.astype(np.float32), NOTE.sample_rate)
    folder = tmp_path / "matched"
    refine(tmp_path, "-o", folder, *SHORT[2:], "--model-file", network)
    for key in (36, 55):
        run = json.loads((folder / f"{key}.run" / "run.json").read_text())
        assert run["note"]["pitch"] == key


def test_a_network_of_other_parameters_says_so(network, sounds, tmp_path):
    options = [*SHORT, "--free", "VCA1.Vol HPF.Freq"]
    result = refine(
        sounds / "bass.wav", "-o", tmp_path, *options, "--model-file", network, expect=2
    )
    assert "predicts none of the free parameters" in result.stderr


def test_weights_that_do_not_exist_are_one_line(sounds, tmp_path):
    missing = tmp_path / "nowhere.safetensors"
    result = refine(sounds / "bass.wav", "-o", tmp_path, *SHORT, "--model-file", missing, expect=2)
    assert "nowhere.safetensors" in result.stderr
    assert "Traceback" not in result.stderr
