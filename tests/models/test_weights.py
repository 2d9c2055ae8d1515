"""Weights files describe themselves, and refuse what they were not made for."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from deepdiva.errors import FileExistsAlreadyError, InvalidValueError, MissingFileError
from deepdiva.models.encoder import EncoderSettings
from deepdiva.models.estimation import PosteriorLearner
from deepdiva.models.posterior import FlowSettings
from deepdiva.models.registry import load_predictor
from deepdiva.models.representation_settings import RepresentationSettings
from deepdiva.models.weights import (
    DEFAULT_WEIGHTS,
    MS_REV1_WEIGHTS,
    PANEL_WEIGHTS,
    WeightsHeader,
    read_header,
    read_weights,
    write_weights,
)
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import ENGINE_VERSION, PanelRenderer
from deepdiva.synths.diva.space import whole_panel

NOTE = Note(render_seconds=0.25)
SPACE = default_space()


@pytest.fixture(scope="module")
def learner():
    torch.manual_seed(0)
    return PosteriorLearner(
        SPACE,
        NOTE,
        RepresentationSettings(line_samples=2048, bins_per_octave=12, frames=8, mel_bands=16),
        EncoderSettings(2, (8, 8, 8), (8, 8, 8), 4, 16, 8),
        FlowSettings(transforms=1, bins=4, hidden=16, head=8),
    )


@pytest.fixture
def header(learner):
    info = PanelRenderer().info
    return WeightsHeader(
        model="posterior",
        space=SPACE.to_dict(),
        note=NOTE.to_dict(),
        features=learner.features_description(),
        network=learner.network_description(),
        engine={"name": info.name, "version": info.version},
        training={"sounds": 3},
        metrics={"test_loss": 1.5},
        version="0.0",
        git_commit="abc",
    )


@pytest.fixture
def path(tmp_path, learner, header):
    file = tmp_path / "weights.safetensors"
    write_weights(file, header, learner.kept(learner.network.state_dict()))
    return file


def test_header_and_tensors_come_back(path, learner, header):
    found, tensors = read_weights(path)
    assert found == header == read_header(path)
    assert found.played_note() == NOTE
    assert found.parameter_space().names == SPACE.names
    expected = learner.kept(learner.network.state_dict())
    assert set(tensors) == set(expected)
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)


def test_a_loaded_predictor_answers_as_the_network_did(path, learner):
    from deepdiva.models.estimation import PosteriorPredictor

    sounds = np.random.default_rng(0).standard_normal((3, NOTE.samples), dtype=np.float32) * 0.1
    loaded, _ = load_predictor(path, PanelRenderer().info, draws=5, seed=4)
    expected = PosteriorPredictor(learner, draws=5, seed=4).predict(sounds, NOTE)
    for answer, other in zip(loaded.predict(sounds, NOTE), expected, strict=True):
        np.testing.assert_allclose(answer.x, other.x, atol=1e-4)
        np.testing.assert_allclose(answer.log_density, other.log_density, atol=1e-3)
        assert (np.diff(answer.log_density) <= 0).all()
        assert answer.x.min() >= 0
        assert answer.x.max() <= 1
        for probabilities in answer.class_probabilities.values():
            assert probabilities.sum() == pytest.approx(1.0, abs=1e-6)


def test_an_existing_file_is_kept(path, learner, header):
    with pytest.raises(FileExistsAlreadyError):
        write_weights(path, header, learner.kept(learner.network.state_dict()))


def test_another_engine_is_refused(path):
    made_for = f"trained on the sounds of embedded {ENGINE_VERSION}, and this is embedded 99"
    with pytest.raises(InvalidValueError, match=made_for):
        load_predictor(path, replace(PanelRenderer().info, version="99"))


def test_another_space_is_refused(header):
    other = ParameterSpace(DIVA, DIVA.defaults(), ("VCF1.Freq",))
    with pytest.raises(InvalidValueError, match=r"answers 11 parameters .* and 1 are wanted"):
        header.check_space(other, "file")
    header.check_space(SPACE, "file")


def test_a_space_of_another_version_is_refused(tmp_path, learner, header):
    space = json.loads(json.dumps(header.space))
    space["free"][9]["minimum"] = 0.0
    path = tmp_path / "old.safetensors"
    write_weights(path, replace(header, space=space), learner.kept(learner.network.state_dict()))
    with pytest.raises(InvalidValueError, match=r"VCF1\.Freq was"):
        load_predictor(path)


def test_another_note_is_refused(path):
    predictor, _ = load_predictor(path)
    note = replace(NOTE, pitch=60)
    with pytest.raises(InvalidValueError, match=r"pitch=60.* made for .*pitch=48"):
        predictor.predict(np.zeros((1, NOTE.samples), np.float32), note)


@pytest.mark.parametrize(
    ("sounds", "message"),
    [
        (np.zeros((1, 100), np.float32), "must be"),
        (np.full((1, NOTE.samples), np.nan, np.float32), "not finite"),
    ],
)
def test_sounds_that_are_none_are_refused(path, sounds, message):
    predictor, _ = load_predictor(path)
    with pytest.raises(InvalidValueError, match=message):
        predictor.predict(sounds, NOTE)


def test_missing_weights_say_the_way_out(tmp_path):
    with pytest.raises(MissingFileError, match="deepdiva train"):
        load_predictor(tmp_path / "none.safetensors")


def test_foreign_files_are_refused(tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(InvalidValueError, match="no safetensors file"):
        read_header(text)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(2)}, foreign)
    with pytest.raises(InvalidValueError, match="does not say which parameters"):
        read_header(foreign)


def test_a_later_format_is_refused(tmp_path, learner, header):
    path = tmp_path / "later.safetensors"
    write_weights(
        path, replace(header, format=2, version="9.9"), learner.kept(learner.network.state_dict())
    )
    with pytest.raises(InvalidValueError, match=r"format 2.*'9\.9'"):
        read_header(path)


def test_weights_that_do_not_fit_their_header_are_refused(tmp_path, learner, header):
    path = tmp_path / "cut.safetensors"
    tensors = dict(list(learner.kept(learner.network.state_dict()).items())[1:])
    write_weights(path, header, tensors)
    with pytest.raises(InvalidValueError, match="do not fit the network"):
        load_predictor(path)


def test_the_default_weights_are_small_enough_to_ship():
    """They are absent until they are trained, and then belong to this engine."""
    if not DEFAULT_WEIGHTS.exists():
        pytest.skip("the default network is not trained yet")
    assert DEFAULT_WEIGHTS.stat().st_size < 25e6
    header = read_header(DEFAULT_WEIGHTS)
    header.check_engine(PanelRenderer().info, DEFAULT_WEIGHTS)
    header.check_space(SPACE, DEFAULT_WEIGHTS)
    assert header.played_note() == Note()


def test_the_weights_of_the_whole_panel_are_small_and_of_this_engine():
    assert PANEL_WEIGHTS.stat().st_size + MS_REV1_WEIGHTS.stat().st_size < 40e6
    header = read_header(PANEL_WEIGHTS)
    header.check_engine(PanelRenderer().info, PANEL_WEIGHTS)
    header.check_space(whole_panel(), PANEL_WEIGHTS)
    predictor, _ = load_predictor(PANEL_WEIGHTS, draws=4)
    assert predictor.whole
