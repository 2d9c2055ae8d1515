"""The two networks of 2021, layer by layer, and the baselines."""

import numpy as np
import pytest
import torch

from deepdiva.errors import InvalidValueError
from deepdiva.features import MelSpectrogram, Mfcc, MfccSettings, Scaler
from deepdiva.models.baselines import MeanPredictor, NearestPredictor
from deepdiva.models.cnn import ConvolutionalNetwork
from deepdiva.models.lstm import Highway, RecurrentNetwork
from deepdiva.models.regression import (
    MelFeatures,
    MfccFeatures,
    RegressionLearner,
    RegressionPredictor,
    features_from,
    point_candidate,
)
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note(render_seconds=0.5)
SPACE = default_space()


def weights_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_cnn_has_the_weights_of_the_original():
    """Counted by hand from the layers, for 2 s of sound: 128 bands, 173 frames."""
    convolutions = (9 * 1 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128 + (9 * 128 + 1) * 128
    dense = (8 * 10 * 128 + 1) * 128 + (128 + 1) * 64 + (64 + 1) * 11
    network = ConvolutionalNetwork((128, 173, 1), 11)
    assert weights_of(network) == convolutions + dense
    assert network(torch.zeros(2, 128, 173, 1)).shape == (2, 11)


def test_lstm_has_the_weights_of_the_original():
    """Counted by hand; PyTorch keeps two biases for each gate where Keras keeps one."""
    lstm = 2 * (4 * (13 + 128) * 128 + 2 * 4 * 128)
    dense = (256 + 1) * 128 + 6 * 2 * (128 + 1) * 128 + (128 + 1) * 11
    network = RecurrentNetwork((87, 13), 11)
    assert weights_of(network) == lstm + dense
    assert network(torch.zeros(2, 87, 13)).shape == (2, 11)


def test_a_highway_with_a_closed_gate_is_the_identity():
    highway = Highway(4, 0.0)
    with torch.no_grad():
        highway.gate.bias.fill_(-100.0)
    x = torch.randn(3, 4)
    torch.testing.assert_close(highway(x), x)


def test_a_spectrogram_too_small_for_the_cnn_is_refused():
    with pytest.raises(InvalidValueError, match="128 bands and 4 frames is too small"):
        ConvolutionalNetwork((128, 4, 1), 11)


def scaler():
    settings = MfccSettings()
    rng = np.random.default_rng(0)
    sounds = rng.standard_normal((8, NOTE.samples), dtype=np.float32)
    return Scaler.fit([Mfcc(settings)(sounds).numpy()], settings, NOTE.samples)


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_features_and_predictions_survive_their_description(name):
    sounds = np.random.default_rng(1).standard_normal((3, NOTE.samples), dtype=np.float32)
    features = MelFeatures() if name == "cnn" else MfccFeatures(scaler())
    again = features_from(features.to_dict())
    torch.testing.assert_close(features(sounds), again(sounds), rtol=0, atol=0)
    learner = RegressionLearner(name, SPACE, NOTE, features)
    answers = RegressionPredictor(learner).predict(sounds, NOTE)
    assert len(answers) == 3
    for answer in answers:
        assert answer.x.shape == (1, 11)
        np.testing.assert_array_equal(
            SPACE.normalised(SPACE.patches(answer.x))[0, 3], answer.x[0, 3]
        )


def test_cnn_hears_the_mel_spectrogram_of_the_features_module():
    sounds = np.random.default_rng(2).standard_normal((2, NOTE.samples), dtype=np.float32)
    torch.testing.assert_close(MelFeatures()(sounds), MelSpectrogram()(sounds))


def test_mfccs_that_are_not_time_major_are_refused():
    settings = MfccSettings(time_major=False)
    values = np.zeros((1, *settings.shape(NOTE.samples)), np.float32)
    flat = Scaler.fit([values], settings, NOTE.samples)
    with pytest.raises(InvalidValueError, match="frame by frame"):
        MfccFeatures(flat)


def test_a_point_lands_on_the_nearest_class():
    x = np.full(11, 0.5)
    x[3], x[7], x[0] = 0.62, 1.7, -0.2
    answer = point_candidate(x, SPACE)
    tune1 = SPACE.classes[0]
    assert tune1.position == 3
    assert answer.x[0, 3] == tune1.positions[3]
    assert answer.x[0, 7] == 1.0
    assert answer.x[0, 0] == 0.0
    assert np.isnan(answer.log_density).all()
    np.testing.assert_array_equal(answer.class_probabilities["OSC.Tune1"], [0, 0, 0, 1, 0])


def test_mean_is_the_middle_of_everything():
    sounds = np.zeros((2, NOTE.samples), np.float32)
    first, second = MeanPredictor(SPACE, NOTE).predict(sounds, NOTE)
    np.testing.assert_array_equal(first.x, second.x)
    patch = SPACE.patches(first.x)[0]
    assert patch[DIVA.index("OSC.Tune1")] == 0.0
    assert patch[DIVA.index("VCF1.Freq")] == 90.0


def test_nearest_finds_the_patch_that_made_a_stored_sound():
    space = ParameterSpace(DIVA, DIVA.defaults(), ("OSC.Wave1", "OSC.Tune1", "VCF1.Freq"))
    renderer = PanelRenderer()
    nearest = NearestPredictor(space, NOTE, renderer, count=60, seed=3, answers=2)
    stored = space.random(np.random.default_rng([3, 1]), 60)
    sounds = renderer.render(space.patches(stored[20:25]), NOTE, 77)
    for answer, x in zip(nearest.predict(sounds, NOTE), stored[20:25], strict=True):
        assert answer.x.shape == (2, 3)
        np.testing.assert_array_equal(answer.x[0, :2], x[:2])
        assert abs(answer.x[0, 2] - x[2]) < 0.1
