"""Methods answer as what they stand for answers, and are made by what a user types."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from deepdiva.errors import (
    InvalidValueError,
    MissingFileError,
    PresetError,
    UnknownNameError,
)
from deepdiva.evaluation.methods import PredictorMethod
from deepdiva.evaluation.registry import KINDS, Context, make_methods
from deepdiva.evaluation.scoring import EvaluationSettings
from deepdiva.evaluation.sounds import Sound
from deepdiva.models.baselines import MeanPredictor, NearestPredictor
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.space import whole_panel

NOTE = Note(length_seconds=0.3, render_seconds=0.3)
ENGINE = PanelRenderer()


def stacked_space() -> ParameterSpace:
    """The default space around a base that is not the default one."""
    base = default_space().base.copy()
    base[default_space().table.index("VCC.Voicing")] = 2.0
    return default_space(base)


SPACE = stacked_space()
SETTINGS = EvaluationSettings(NOTE, SPACE, realizations=1)
BENCH = Context(ENGINE, Preset.template().with_values(SPACE.base), SETTINGS)


@pytest.fixture(scope="module")
def sound() -> Sound:
    patch = SPACE.patches(SPACE.random(np.random.default_rng(4), 1))
    return Sound("one", ENGINE.render(patch, NOTE, 5)[0])


def make(*entries: str):
    return make_methods(entries, BENCH)


def answer(method, sound):
    method.prepare()
    return method.match(sound, seed=1)


def test_mean_answers_the_middle_around_the_runs_base(sound):
    [mean] = make("mean")
    match = answer(mean, sound)
    [candidates] = MeanPredictor(SPACE, NOTE).predict(sound.audio[None], NOTE)
    assert np.array_equal(match.preset.values(), SPACE.patches(candidates.x)[0])
    assert match.preset.values()[SPACE.table.index("VCC.Voicing")] == 2.0
    assert match.renders == 0


def test_another_base_is_another_method_though_its_values_are_the_same(diva_presets):
    """Its detune pots change what is heard, and they are no parameters."""
    usual = make("mean", "search:100")
    own = Preset.read(diva_presets[0])
    other = make_methods(("mean", "search:100"), Context(ENGINE, own, SETTINGS))
    for one, again in zip(usual, other, strict=True):
        assert "base_sha256" not in one.describe()
        assert {**again.describe(), "base_sha256": None} == {**one.describe(), "base_sha256": None}
        assert len(again.describe()["base_sha256"]) == 16


def test_nearest_answers_from_as_many_patches_as_asked(sound):
    [nearest] = make("nearest:32")
    assert nearest.describe() == {"kind": "nearest", "patches": 32, "seed": 0}
    match = answer(nearest, sound)
    predictor = NearestPredictor(SPACE, NOTE, ENGINE, 32, 0)
    [candidates] = predictor.predict(sound.audio[None], NOTE)
    expected = SPACE.normalised(SPACE.patches(candidates.x))
    assert SPACE.normalised(match.preset.values()[None]) == pytest.approx(expected, abs=1e-4)


def test_of_several_candidates_the_nearest_by_ear_is_taken(sound):
    def several():
        return NearestPredictor(SPACE, NOTE, ENGINE, 32, 0, answers=8)

    method = PredictorMethod("n", {}, several, ENGINE, BENCH.base, SETTINGS)
    match = answer(method, sound)
    from deepdiva.models.selection import choose

    [candidates] = several().predict(sound.audio[None], NOTE)
    chosen = choose(sound.audio, SPACE.patches(candidates.x), ENGINE, NOTE, seed=1)
    assert match.renders == 8
    assert match.preset.values() == pytest.approx(chosen.patch, abs=0.006)


def test_search_spends_its_budget_and_repeats_itself(sound):
    [search] = make("search:64")
    first, second = answer(search, sound), answer(search, sound)
    assert first.renders == 64
    assert first.preset == second.preset
    assert first.preset.values()[SPACE.table.index("VCC.Voicing")] == 2.0


def test_presets_are_matched_by_name(sound, tmp_path):
    mine = Preset.template(name="mine")
    mine.write(tmp_path / "one.h2p")
    [presets] = make(f"friend=presets:{tmp_path}")
    assert presets.name == "friend"
    assert answer(presets, sound).preset.to_bytes() == mine.to_bytes()
    with pytest.raises(MissingFileError, match=r"other\.h2p"):
        presets.match(Sound("other", sound.audio), seed=0)


def test_presets_that_changed_are_another_method(tmp_path):
    Preset.template().write(tmp_path / "one.h2p")
    [before] = make(f"presets:{tmp_path}")
    Preset.template(name="new").write(tmp_path / "one.h2p", force=True)
    [after] = make(f"presets:{tmp_path}")
    assert before.describe() != after.describe()


def test_a_broken_preset_is_a_failure_of_its_sound_only(sound, tmp_path):
    (tmp_path / "one.h2p").write_text("hello")
    [presets] = make(f"presets:{tmp_path}")
    with pytest.raises(PresetError):
        presets.match(sound, seed=0)


def test_the_network_answers_sounds_of_other_keys(sound):
    note = Note(pitch=60)
    patch = SPACE.patches(np.full((1, SPACE.dimensions), 0.3))
    high = Sound("high", ENGINE.render(patch, note, 5)[0])
    settings = EvaluationSettings(note, SPACE, realizations=1)
    [method] = make_methods(["predict:8"], Context(ENGINE, BENCH.base, settings))
    assert answer(method, high).renders == 8
    # Of the short note of the other tests it would hear too little.
    with pytest.raises(InvalidValueError, match="and would hear"):
        answer(make("predict:8")[0], sound)


def test_a_path_may_hold_an_equals_sign(tmp_path):
    folder = tmp_path / "lr=0.001"
    folder.mkdir()
    Preset.template().write(folder / "a.h2p")
    entries = (f"presets:{folder}", f"friend=presets:{folder}")
    assert [method.name for method in make(*entries)] == ["presets-lr-0", "friend"]
    with pytest.raises(MissingFileError, match=r"lr=0\.001.mine\.safetensors"):
        make(f"model:{folder / 'mine.safetensors'}")


def test_names_come_from_the_entries(tmp_path):
    Preset.template().write(tmp_path / "a.h2p")
    entries = ("mean", "nearest:100", "quick one=search:quick", "search:500", f"presets:{tmp_path}")
    names = [method.name for method in make(*entries)]
    assert names[:4] == ["mean", "nearest-100", "quick-one", "search-500"]
    assert names[4].startswith("presets-")


def test_methods_travel_to_other_processes(sound):
    for method in make("mean", "search:64"):
        travelled = pickle.loads(pickle.dumps(method))
        assert travelled.describe() == method.describe()
        assert answer(travelled, sound).preset == answer(method, sound).preset


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        ("oracle", UnknownNameError, "no method 'oracle'"),
        ("mean:3", InvalidValueError, "takes no argument"),
        ("nearest:many", InvalidValueError, "a number from 1"),
        ("nearest:0", InvalidValueError, "a number from 1"),
        ("search:slow", UnknownNameError, "no mode 'slow'"),
        ("model", InvalidValueError, "name the weights file"),
        ("presets", InvalidValueError, "name the folder"),
        ("presets:/nowhere/at/all", MissingFileError, "no folder with presets"),
        ("model:/nowhere.safetensors", MissingFileError, "nowhere"),
    ],
)
def test_entries_that_mean_nothing_are_refused(entry, error, message):
    with pytest.raises(error, match=message):
        make(entry)


def test_every_kind_is_explained():
    assert all(kind.usage.startswith(name) for name, kind in KINDS.items())


def test_where_the_whole_panel_is_free_its_network_answers_and_keeps_what_is_not_free(sound):
    base = SPACE.base
    space = whole_panel(base)
    held = ("OSC.Model", "HPF.Model", "VCF1.Model", "FX1.Module", "FX2.Module")
    space = replace(space, free=tuple(name for name in space.names if name not in held))
    settings = EvaluationSettings(NOTE, space, realizations=1)
    [method] = make_methods(["predict:2"], Context(ENGINE, BENCH.base, settings))
    match = answer(method, sound)
    assert match.renders == 2
    for name in held:
        assert match.preset.values()[space.table.index(name)] == base[space.table.index(name)]


def test_a_network_of_other_parameters_is_refused_in_a_sentence_one_can_read():
    few = replace(SPACE, free=SPACE.names[:9])
    settings = EvaluationSettings(Note(), few, realizations=1)
    with pytest.raises(InvalidValueError, match=r"and 5 more, and free are .* and 3 more: leave"):
        make_methods(["predict"], Context(ENGINE, BENCH.base, settings))
