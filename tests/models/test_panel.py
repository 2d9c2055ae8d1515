"""The network of the whole panel: variables, hearing, density, playing without PyTorch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepdiva.errors import InvalidValueError
from deepdiva.models.panel.joint import JointPredictor
from deepdiva.models.panel.learner import PanelLearner
from deepdiva.models.panel.network import PanelSettings
from deepdiva.models.panel.player import PanelPlayer
from deepdiva.models.panel.predictor import PanelPredictor
from deepdiva.models.panel.sounds import Shard, SoundSettings, make_shard
from deepdiva.models.panel.source import ShardSource, shard_path
from deepdiva.models.panel.views import LAYOUT, WIDTH, Played, split, views
from deepdiva.models.registry import load_predictor
from deepdiva.models.training import train
from deepdiva.models.training_settings import TrainingSettings
from deepdiva.models.weights import MS_REV1_WEIGHTS
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.acting import acts
from deepdiva.synths.diva.panel_code import ABSENT, PanelCode, canonical, panel_code
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.prior.registry import prior_for

PRIOR = prior_for("human")
SMALL = PanelSettings(
    3, (8, 8, 8), (8, 8, 8), hidden=16, blocks=1, encoding=12, state=8, waves=4, dropout=0.0
)
NOTE = Note(pitch=60, length_seconds=0.3, render_seconds=0.4)


@pytest.fixture(scope="module")
def code():
    return panel_code(PRIOR, bins=6, atoms=4)


@pytest.fixture(scope="module")
def patches():
    return PRIOR.sample(200, seed=5)


def learner_of(code, classes, seed=0):
    torch.manual_seed(seed)
    starts = np.concatenate([[0], np.cumsum(code.sizes)])[:-1]
    counts = np.bincount((classes + starts)[classes >= 0], minlength=sum(code.sizes))
    learner = PanelLearner(code, SMALL, counts)
    with torch.no_grad():
        for group in learner.network.groups:
            group.direct.normal_(std=0.3)
    return learner


def player_of(learner, code):
    return PanelPlayer(learner.network.played(), code.sizes, code.stages)


def test_a_canonical_patch_sounds_the_same_and_is_its_own_canonical_one(patches):
    same, present = canonical(patches)
    again, still = canonical(same)
    np.testing.assert_array_equal(same, again)
    np.testing.assert_array_equal(present, still)
    changed = np.flatnonzero((same != patches).any(axis=1))[:8]
    note, seeds, engine = replace(NOTE, render_seconds=0.2), np.arange(8), PanelRenderer()
    np.testing.assert_allclose(
        engine.render(same[changed], note, seeds),
        engine.render(patches[changed], note, seeds),
        atol=1e-5,
    )


def test_classes_hold_a_patch_as_far_as_bins_go(code, patches):
    same, present = canonical(patches)
    classes = code.encode(same, present)
    back = code.decode(classes, patches[0], np.random.default_rng(0).random(classes.shape))
    again, still = canonical(back)
    np.testing.assert_array_equal(code.encode(again, still), classes)
    exact = np.array([bool(entry.single.all()) for entry in code.variables])
    columns = code.places[exact]
    held = classes[:, exact] != ABSENT
    np.testing.assert_array_equal(back[:, columns][held], same[:, columns][held])


def test_what_acts_follows_from_the_stages_before(code, patches):
    classes = code.encode(*canonical(patches))
    for stage in range(6):
        there = code.present_at(classes, stage, DIVA.defaults())
        np.testing.assert_array_equal(there, classes[:, code.stages == stage] != ABSENT)


def test_bins_hold_each_spelled_value_once(code):
    for entry in code.variables:
        if entry.parameter.choices:
            continue
        low, high = entry.parameter.minimum, entry.parameter.maximum
        assert entry.counts.sum() == round((high - low) / 0.01) + 1, entry.name
        number = int(np.flatnonzero(~entry.single)[0])
        drawn = entry.values(np.full(500, number), np.random.default_rng(1).random(500))
        assert (entry.classify(drawn) == number).all()


def test_the_code_is_read_back_from_what_it_says_of_itself(code, patches):
    same, present = canonical(patches)
    found = PanelCode.from_dict(code.to_dict())
    np.testing.assert_array_equal(found.encode(same, present), code.encode(same, present))


@pytest.mark.parametrize("seconds", [0.02, 0.3, 6.0])
@pytest.mark.parametrize("key", [24, 96])
def test_any_key_and_length_is_heard(seconds, key):
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(round(seconds * 44100), dtype=np.float32)
    for held in (0.01, seconds / 2, seconds, 9.0):
        vector = views(sound, Played(key, 100, held))
        assert vector.shape == (WIDTH,)
        assert np.isfinite(vector).all()


def test_a_line_stands_where_it_is_relative_to_the_key():
    places = []
    for key in (40, 64):
        time = np.arange(44100) / 44100
        tone = np.sin(2 * np.pi * 440.0 * 2 ** ((key + 12 - 69) / 12) * time).astype(np.float32)
        lines = split(views(tone, Played(key, 100, 1.0))[None])["lines"][0, 1]
        places.append(int(lines.argmax()))
    assert places[0] == places[1] == round((12 / 12 + 2.75) * 48)


def test_a_rate_is_heard_at_its_place():
    time = np.arange(88200) / 44100
    tone = np.sin(2 * np.pi * 440.0 * time) * (1.0 + 0.5 * np.sin(2 * np.pi * 6.0 * time))
    rates = split(views(tone.astype(np.float32), Played(69, 100, 2.0))[None])["modulation"][0, 0]
    assert np.geomspace(0.7, 40.0, LAYOUT["modulation"][1])[rates.argmax()] == pytest.approx(6, 0.1)


def test_level_and_channels_are_heard():
    rng = np.random.default_rng(0)
    mono = rng.standard_normal(44100, dtype=np.float32) * 0.1
    played = Played(60, 100, 1.0)
    np.testing.assert_allclose(views(mono, played), views(mono * 0.25, played), atol=1e-3)
    both = np.stack([mono, rng.standard_normal(44100, dtype=np.float32) * 0.1])
    scalars = split(views(np.stack([mono, mono]), played)[None])["scalars"][0]
    assert scalars[5] == 1.0
    assert scalars[6] < split(views(both, played)[None])["scalars"][0, 6]
    with pytest.raises(InvalidValueError, match="samples"):
        views(np.zeros((3, 100), np.float32), played)


def test_numpy_plays_what_torch_trained(code, patches):
    classes = code.encode(*canonical(patches[:12]))
    learner = learner_of(code, classes)
    vectors = np.random.default_rng(3).normal(0, 0.5, (12, WIDTH)).astype(np.float32)
    with torch.no_grad():
        wanted = learner.network.eval().losses(
            torch.from_numpy(vectors), torch.from_numpy(classes).long()
        )
    player = player_of(learner, code)
    encodings = player.encode(vectors)
    found = np.concatenate(
        [player.log_probabilities(encodings[k], classes[k : k + 1]) for k in range(12)]
    )
    np.testing.assert_allclose(-found, wanted.numpy(), atol=1e-4)


def test_weights_of_any_state_are_kept(code, patches):
    classes = code.encode(*canonical(patches))
    learner, other = learner_of(code, classes), learner_of(code, classes, seed=1)
    kept = learner.kept(other.network.state_dict())
    for name, array in other.network.played().items():
        if name != "direct.bias":
            np.testing.assert_allclose(kept[name], array, rtol=1e-3, atol=1e-4, err_msg=name)


def test_draws_have_the_density_that_is_said_and_only_what_acts(code, patches):
    learner = learner_of(code, code.encode(*canonical(patches)))
    arrays = learner.kept(learner.network.state_dict())
    predictor = PanelPredictor.of_weights(arrays, {"code": code.to_dict()}, NOTE, draws=16, seed=2)
    sound = PanelRenderer().render(patches[:1], NOTE)[0]
    answer, found = predictor.answer(sound)
    np.testing.assert_allclose(predictor.log_density(sound, found), answer.log_density, atol=1e-3)
    assert (np.diff(answer.log_density) <= 0).all()
    again, _ = canonical(found)
    np.testing.assert_array_equal(again[:, code.places], found[:, code.places])
    assert sum(share.probability for share in answer.chains) == pytest.approx(1.0, abs=1e-4)
    heard = [acts(patch) for patch in found]
    unheard = [name for name, share in answer.acting.items() if share == 0.0]
    assert unheard
    assert not any(name in names for name in unheard for names in heard)
    [same] = predictor.predict(sound[None], NOTE)
    np.testing.assert_array_equal(same.x, answer.x)


def test_any_note_is_answered_and_beyond_is_refused(code, patches):
    learner = learner_of(code, code.encode(*canonical(patches)))
    arrays = learner.kept(learner.network.state_dict())
    predictor = PanelPredictor.of_weights(arrays, {"code": code.to_dict()}, NOTE, draws=2)
    other = predictor.of_note(replace(NOTE, pitch=36, render_seconds=0.7))
    assert other.predict(np.ones((1, other.note.samples), np.float32), other.note)
    low = predictor.of_note(replace(NOTE, pitch=12))
    assert low.predict(np.ones((1, low.note.samples), np.float32), low.note)
    with pytest.raises(InvalidValueError, match=r"0\.1 to 6 s"):
        predictor.of_note(replace(NOTE, render_seconds=7.0))


def shard_of(code, number, settings):
    def play(patches, note, seeds, rng):
        del rng
        return PanelRenderer().render_stereo(patches, note, seeds)

    return make_shard(
        number, settings, 0, 0, PRIOR.sample, play, lambda some: code.encode(*canonical(some))
    )


def test_a_shard_is_a_function_of_its_number(code):
    settings = SoundSettings(patches=4, group=2, held_seconds=(0.2, 0.3), usual_share=0.0)
    one, same, other = (shard_of(code, number, settings) for number in (3, 3, 4))
    np.testing.assert_array_equal(one.vectors, same.vectors)
    np.testing.assert_array_equal(one.classes, same.classes)
    assert one.vectors.shape == (8, WIDTH)
    assert (one.vectors != other.vectors).any()


def test_training_learns_and_goes_on_to_the_same_weights(code, patches, tmp_path):
    classes = code.encode(*canonical(patches[:32]))
    rng = np.random.default_rng(0)
    for number in range(2):
        vectors = rng.normal(0, 0.5, (64, WIDTH)).astype(np.float16)
        Shard(vectors, classes).write(shard_path(tmp_path, 0, number))
    settings = TrainingSettings(epochs=2, batch_size=32, optimizer="adamw", learning_rate=0.01)

    def trained(name, epochs, resume=False, stop=False):
        (tmp_path / name).mkdir(exist_ok=True)
        learner = learner_of(code, classes)
        source = ShardSource(tmp_path, 32, 32, 2, 0, delay=1, first=0)

        def on_progress(progress):
            if stop and progress.step == 3:
                raise KeyboardInterrupt

        return train(
            learner, source, [source.batch(0)], replace(settings, epochs=epochs),
            tmp_path / name, resume=resume, on_progress=on_progress,
        )  # fmt: skip

    whole = trained("a", 2)
    with pytest.raises(KeyboardInterrupt):
        trained("b", 2, stop=True)
    resumed = trained("b", 2, resume=True)
    for name, tensor in whole.network.items():
        assert torch.equal(tensor, resumed.network[name]), name
    assert whole.metrics["test_values_gain_bits"] > 0.0


def test_two_networks_answer_together_and_the_panel_says_how_sure_it_is(code, patches):
    learner = learner_of(code, code.encode(*canonical(patches)))
    arrays = learner.kept(learner.network.state_dict())
    panel = PanelPredictor.of_weights(arrays, {"code": code.to_dict()}, Note(), draws=8)
    other, _ = load_predictor(MS_REV1_WEIGHTS, draws=8)
    joint = JointPredictor(panel, other)
    sound = PanelRenderer().render(DIVA.defaults()[None], Note())
    [answer], [alone] = joint.predict(sound, Note()), panel.predict(sound, Note())
    foreign = ~np.isfinite(answer.log_density)
    assert foreign.sum() == 2
    np.testing.assert_array_equal(answer.x[~foreign], alone.x[~foreign])
    found = other.space.normalised(joint.space.patches(answer.x[foreign]))
    [wanted] = other.predict(sound, Note())
    np.testing.assert_allclose(found, wanted.x[:2], atol=1e-3)
    short = replace(NOTE, pitch=100)
    [only] = joint.of_note(short).predict(np.ones((1, short.samples), np.float32), short)
    assert np.isfinite(only.log_density).all()
