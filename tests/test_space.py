"""The space of the free parameters: points to patches and back, and what people type."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.parameters import Parameter, ParameterTable
from deepdiva.space import ParameterSpace, parse_free, parse_lock
from deepdiva.synths.diva import DIVA, SEED_PROJECT_FREE, default_space

SPACE = default_space()
EVERYTHING = ParameterSpace(DIVA, DIVA.defaults(), DIVA.names)


def test_default_space_is_that_of_the_2021_project():
    indices = [33, 34, 35, 86, 87, 97, 98, 131, 132, 148, 149]
    assert [parameter.index for parameter in SPACE.parameters] == indices
    assert SPACE.columns.tolist() == indices
    assert SPACE.names == SEED_PROJECT_FREE
    assert SPACE.dimensions == 11
    assert SPACE.continuous.tolist() == [0, 1, 2, 4, 5, 6, 9, 10]
    classes = [(entry.position, entry.parameter.name) for entry in SPACE.classes]
    assert classes == [(3, "OSC.Tune1"), (7, "OSC.Wave1"), (8, "OSC.Wave2")]
    assert SPACE.classes[0].positions == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def test_fixed_parameters_keep_the_base_patch():
    base = DIVA.defaults()
    base[DIVA.index("VCC.Voicing")] = 2
    base[DIVA.index("VCF1.Freq")] = 60
    space = default_space(base)
    patches = space.patches(np.full((3, 11), 0.25))
    assert patches.shape == (3, 281)
    fixed = np.setdiff1d(np.arange(281), space.columns)
    np.testing.assert_array_equal(patches[:, fixed], np.tile(base[fixed], (3, 1)))
    assert patches[:, DIVA.index("VCF1.Freq")].tolist() == [60.0] * 3
    assert patches[:, DIVA.index("ENV1.Atk")].tolist() == [25.0] * 3
    assert patches[:, DIVA.index("OSC.Tune1")].tolist() == [-12.0] * 3


@given(st.integers(0, 2**32 - 1))
def test_every_parameter_goes_there_and_back(seed):
    points = EVERYTHING.random(np.random.default_rng(seed), 4)
    patches = EVERYTHING.patches(points)
    DIVA.check(patches, grid=True)
    again = EVERYTHING.normalised(patches)
    classes = [entry.position for entry in EVERYTHING.classes]
    counted = [p.index for p in DIVA if p.choices and not p.is_class]
    np.testing.assert_array_equal(again[:, classes], points[:, classes])
    smooth = np.setdiff1d(EVERYTHING.continuous, counted)
    np.testing.assert_allclose(again[:, smooth], points[:, smooth], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(EVERYTHING.patches(again), patches)


def test_default_patch_is_a_point_of_the_space():
    defaults = DIVA.defaults()[np.newaxis]
    np.testing.assert_array_equal(EVERYTHING.patches(EVERYTHING.normalised(defaults)), defaults)


def test_random_points_are_even_over_ranges_and_classes():
    points = SPACE.random(np.random.default_rng(1), 20_000)
    assert points.shape == (20_000, 11)
    for position in SPACE.continuous:
        # Standard error of the mean of a uniform number is 0.29 / sqrt(n).
        assert points[:, position].mean() == pytest.approx(0.5, abs=5 * 0.29 / np.sqrt(20_000))
    for entry in SPACE.classes:
        drawn, counts = np.unique(points[:, entry.position], return_counts=True)
        np.testing.assert_array_equal(drawn, entry.positions)
        share = 1 / len(entry.positions)
        error = np.sqrt(share * (1 - share) / 20_000)
        assert counts / 20_000 == pytest.approx(share, abs=5 * error)


def test_every_step_of_a_count_is_drawn_equally_often():
    space = ParameterSpace(DIVA, DIVA.defaults(), ("VCC.Voicing", "VCF1.Freq"))
    points = space.random(np.random.default_rng(1), 12_000)
    voices, counts = np.unique(space.patches(points)[:, space.columns[0]], return_counts=True)
    assert voices.tolist() == [1, 2, 3, 4, 5, 6]
    assert counts == pytest.approx(2000, abs=5 * np.sqrt(2000))
    assert set(points[:, 0]) == set(DIVA["VCC.Voicing"].choice_positions)


def test_random_points_follow_the_seed():
    draw = [SPACE.random(np.random.default_rng(7), 5).tolist() for _ in range(2)]
    assert draw[0] == draw[1]


def test_off_grid_octave_of_a_preset_keeps_its_place():
    patch = DIVA.defaults()
    patch[DIVA.index("OSC.Tune1")] = 11.43
    assert SPACE.normalised([patch])[0, 3] == pytest.approx(41.43 / 60)


def test_a_lock_is_rounded_to_what_a_preset_spells():
    space = SPACE.locked({"OSC.Tune2": 7.004})
    assert space.base[DIVA.index("OSC.Tune2")] == 7.0


def test_locked_parameters_are_held_and_no_longer_free():
    space = SPACE.locked({"OSC.Wave1": 4.0, "VCC.Voicing": 2.0})
    assert space.dimensions == 10
    assert "OSC.Wave1" not in space.names
    patch = space.patches(np.zeros((1, 10)))[0]
    assert patch[DIVA.index("OSC.Wave1")] == 4.0
    assert patch[DIVA.index("VCC.Voicing")] == 2.0
    assert SPACE.base[DIVA.index("VCC.Voicing")] == 1.0
    with pytest.raises(InvalidValueError, match=r"OSC\.Wave1 = 2\.5"):
        SPACE.locked({"OSC.Wave1": 2.5})
    with pytest.raises(InvalidValueError, match="No parameter is free"):
        SPACE.locked(dict.fromkeys(SPACE.names, 1.0) | {"VCF1.Freq": 30.0, "OSC.Tune1": 0.0})


def test_description_survives_json():
    text = json.dumps(SPACE.locked({"VCC.Voicing": 2.0}).to_dict())
    again = ParameterSpace.from_dict(json.loads(text), DIVA)
    assert again.names == SPACE.names
    assert again.base[DIVA.index("VCC.Voicing")] == 2.0
    np.testing.assert_array_equal(
        again.patches([[0.3] * 11])[0, SPACE.columns], SPACE.patches([[0.3] * 11])[0, SPACE.columns]
    )


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: d.pop("base"), "is described by base, free, table; this holds free, table"),
        (lambda d: d.update(note=48), "this holds base, free, note, table"),
        (lambda d: d.update(table="amsynth"), "belongs to 'amsynth', not to 'diva'"),
        (lambda d: d["base"].pop("VCF1.Res"), r"differ in VCF1\.Res"),
        (lambda d: d["base"].update({"VCF9.Res": 1.0}), r"differ in VCF9\.Res"),
        (lambda d: d["base"].update({"VCF1.Res": 101.0}), r"VCF1\.Res = 101"),
        (lambda d: d["free"][9].update(minimum=0.0), r"VCF1\.Freq was .*'minimum': 0\.0"),
    ],
)
def test_description_that_does_not_fit_is_refused(change, rule):
    description = SPACE.to_dict()
    change(description)
    with pytest.raises(InvalidValueError, match=rule):
        ParameterSpace.from_dict(description, DIVA)


def test_space_is_frozen_and_can_be_sent_to_another_process():
    with pytest.raises(ValueError, match="read-only"):
        SPACE.base[0] = 1.0
    base = DIVA.defaults()
    space = default_space(base)
    base[148] = 30.0
    assert space.base[148] == 147.0
    again = pickle.loads(pickle.dumps(space))
    np.testing.assert_array_equal(again.patches([[0.5] * 11]), space.patches([[0.5] * 11]))


def test_spaces_that_cannot_be_are_refused():
    with pytest.raises(InvalidValueError, match="name at least one"):
        ParameterSpace(DIVA, DIVA.defaults(), ())
    with pytest.raises(InvalidValueError, match=r"VCF1\.Freq is named twice"):
        ParameterSpace(DIVA, DIVA.defaults(), ("VCF1.Freq", "VCF1.Freq"))
    with pytest.raises(UnknownNameError, match=r"did you mean VCF1\.Freq"):
        ParameterSpace(DIVA, DIVA.defaults(), ("VCF1.freq",))
    with pytest.raises(InvalidValueError, match=r"shape \(3,\): diva has 281"):
        ParameterSpace(DIVA, np.zeros(3), ("VCF1.Freq",))
    with pytest.raises(InvalidValueError, match=r"VCC\.Voicing = 0"):
        ParameterSpace(DIVA, np.zeros(281), ("VCF1.Freq",))


@pytest.mark.parametrize("points", [[0.5] * 11, [[0.5] * 10], [[[0.5] * 11]]])
def test_points_of_another_shape_are_refused(points):
    with pytest.raises(InvalidValueError, match=r"shape \(batch, 11\), not"):
        SPACE.patches(points)


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(InvalidValueError, match="not finite"):
        SPACE.patches([[0.5] * 10 + [np.nan]])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("86 131 148 149", ("OSC.Tune1", "OSC.Wave1", "VCF1.Freq", "VCF1.Res")),
        ("VCF1.Freq", ("VCF1.Freq",)),
        (" 148,VCF1.Res , main.#FX1\t0\n", ("VCF1.Freq", "VCF1.Res", "main.#FX1", "main.CcOp")),
        ("149,,148,", ("VCF1.Res", "VCF1.Freq")),
    ],
)
def test_free_parameters_as_people_type_them(text, names):
    assert parse_free(DIVA, text) == names


@pytest.mark.parametrize(
    ("text", "error", "rule"),
    [
        ("", InvalidValueError, "give names or indices"),
        (" , ", InvalidValueError, "give names or indices"),
        ("148 VCF1.Freq", InvalidValueError, r"VCF1\.Freq is named twice"),
        ("281", UnknownNameError, "281: indices run from 0 to 280"),
        ("-1", UnknownNameError, "-1: indices run from 0 to 280"),
        ("VCF1.Freq;149", UnknownNameError, r"did you mean .*VCF1\.Freq"),
    ],
)
def test_lists_that_mean_nothing_are_refused(text, error, rule):
    with pytest.raises(error, match=rule):
        parse_free(DIVA, text)


def test_names_with_blanks_of_other_synthesizers():
    cutoff = Parameter(index=0, name="Filter Cutoff", kind="float", minimum=0, maximum=1, default=0)
    table = ParameterTable("other", (cutoff, replace(cutoff, index=1, name="1")))
    assert parse_free(table, "Filter Cutoff") == ("Filter Cutoff",)
    assert parse_free(table, "1, Filter Cutoff") == ("1", "Filter Cutoff")
    assert parse_free(table, "0 1") == ("Filter Cutoff", "1")


@pytest.mark.parametrize(
    ("text", "lock"),
    [
        ("VCC.Voicing=2", ("VCC.Voicing", 2.0)),
        ("OSC.Wave1 = noise", ("OSC.Wave1", 4.0)),
        ("OSC.Tune1=16'", ("OSC.Tune1", -12.0)),
        ("148=90.5", ("VCF1.Freq", 90.5)),
        ("main.#FX1=on", ("main.#FX1", 1.0)),
    ],
)
def test_locks_as_people_type_them(text, lock):
    assert parse_lock(DIVA, text) == lock


@pytest.mark.parametrize(
    ("text", "error", "rule"),
    [
        ("VCC.Voicing", InvalidValueError, "write NAME=VALUE"),
        ("VCC.Voicing=7", InvalidValueError, "from 1 to 6"),
        ("VCC.Voicing=two", InvalidValueError, "from 1 to 6"),
        ("OSC.Wave1=2.5", InvalidValueError, r"4 \(noise\)"),
        ("VCF1.Cut=2", UnknownNameError, "did you mean"),
    ],
)
def test_locks_that_mean_nothing_are_refused(text, error, rule):
    with pytest.raises(error, match=rule):
        parse_lock(DIVA, text)


def test_whole_panel_holds_whatever_acts_on_a_struck_key_but_the_volumes():
    from deepdiva.synths.diva.acting import acts
    from deepdiva.synths.diva.prior.registry import prior_for
    from deepdiva.synths.diva.space import VOLUMES, whole_panel

    names = set(whole_panel().names)
    patches = prior_for("human").sample(200, seed=3)
    heard = set().union(*(acts(patch) for patch in patches)) - set(VOLUMES)
    assert heard <= names
    assert len(names) == 259
    assert not names & set(VOLUMES)
