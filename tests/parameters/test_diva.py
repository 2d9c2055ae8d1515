"""Diva's 281 parameters: against the facts file, and the laws of both conversions."""

import csv
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.parameters import Choice, Parameter, ParameterTable
from deepdiva.synths.diva import DIVA

EXTENDED_ONLY = {"VCC.MuCore", "OPT.Acc", "OPT.OffAcc"}
AS_IF_CONTINUOUS = {"OSC.Tune1", "OSC.Wave1", "OSC.Wave2"}
any_parameter = st.sampled_from(DIVA.parameters)


@pytest.fixture(scope="module")
def facts(shared):
    with (shared / "facts" / "diva_parameters.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_table_agrees_with_the_facts(facts):
    assert len(DIVA) == len(facts) == 281
    for parameter, fact in zip(DIVA, facts, strict=True):
        assert parameter.index == int(fact["index"])
        assert parameter.name == f"{fact['section']}.{fact['key']}"
        assert (parameter.section, parameter.key) == (fact["section"], fact["key"])
        assert parameter.title == fact["name"]
        assert parameter.host_name == fact["host_name"]
        assert (parameter.minimum, parameter.maximum) == (
            float(fact["minimum"]),
            float(fact["maximum"]),
        )
        kind = "enum" if parameter.name == "OSC.Tune1" else fact["kind"]
        assert parameter.kind == kind


def test_choices_agree_with_the_facts(facts):
    for parameter, fact in zip(DIVA, facts, strict=True):
        values = [choice.value for choice in parameter.choices]
        if fact["key"] == "Module":
            named = [part.split("=") for part in fact["choices"].split("|")]
            assert values == [float(code) for _, code in named]
            assert [f"'{choice.label}'" for choice in parameter.choices] == [n for n, _ in named]
        elif fact["choices"]:
            assert values == [float(part.split("=")[0]) for part in fact["choices"].split("|")]
        elif fact["kind"] == "int":
            low, high = int(fact["minimum"]), int(fact["maximum"])
            assert values == list(range(low, high + 1))
        else:
            assert values == []


def test_defaults_and_spellings_agree_with_the_facts(facts):
    for parameter, fact in zip(DIVA, facts, strict=True):
        if parameter.name in EXTENDED_ONLY:
            assert fact["default_in_MS_REV1"] == ""
            assert parameter.spelling is None
        else:
            assert parameter.spell(parameter.default) == fact["default_in_MS_REV1"]
            assert parameter.spelling == fact["file_format"].removesuffix(" string")


def test_vst2_plugin_counts_in_this_order(shared):
    path = shared / "facts" / "diva_params_vst2_vs_vst3.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [parameter.host_name for parameter in DIVA] == [row["name_as_exposed"] for row in rows]


def test_ranges_that_the_2021_project_had_wrong():
    cutoff = DIVA["VCF1.Freq"]
    assert cutoff.to_unit(0.1) == 42.0
    assert (cutoff.minimum, cutoff.maximum) == (30.0, 150.0)
    assert DIVA["VCC.Voicing"].to_normalised([1.0, 2.0, 6.0]) == pytest.approx([0.0, 0.2, 1.0])
    assert DIVA["ARP.Oct"].to_unit([0.0, 1.0]).tolist() == [1.0, 4.0]
    assert DIVA["OSC.Noise"].kind == "float"
    assert DIVA["VCF1.Model"].is_class
    assert DIVA["VCA1.Offset"].to_normalised(-0.12) == pytest.approx(0.44)


def test_octave_switch_is_five_equal_parts_of_the_hosts_range():
    tune = DIVA["OSC.Tune1"]
    octaves = [-24.0, -12.0, 0.0, 12.0, 24.0]
    assert tune.to_normalised(octaves) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    positions = np.arange(0, 1000) / 1000
    fifths = np.floor(positions * 5 + 1e-9).astype(int)
    assert tune.to_unit(positions).tolist() == [octaves[fifth] for fifth in fifths]
    # An off-grid value of a real preset goes where the host puts it, between two classes.
    assert tune.to_normalised(11.43) == pytest.approx((11.43 + 30) / 60)
    assert tune.to_normalised(-30.0) == 0.0


def test_eco_waves_are_classes_on_a_linear_range():
    for name in ("OSC.Wave1", "OSC.Wave2"):
        wave = DIVA[name]
        assert wave.is_class
        assert wave.to_normalised([1.0, 2.0, 3.0, 4.0]) == pytest.approx([0, 1 / 3, 2 / 3, 1])
        assert wave.to_unit([0.16, 0.17, 0.49, 0.51, 0.83, 0.84]).tolist() == [1, 2, 2, 3, 3, 4]


def test_pitch_bend_has_27_even_steps_of_uneven_values():
    bend = DIVA["VCC.PB"]
    steps = np.arange(27) / 26
    assert bend.to_unit(steps).tolist() == [*range(25), 36, 48]
    assert bend.to_normalised([24.0, 36.0, 48.0]) == pytest.approx(steps[24:])
    assert 24 / 26 < bend.to_normalised(25.0) < 25 / 26


@pytest.mark.parametrize("parameter", DIVA, ids=lambda parameter: parameter.name)
def test_every_value_of_the_file_comes_back_exactly(parameter):
    if parameter.choices:
        values = parameter.choice_values
        assert parameter.to_normalised(values) == pytest.approx(parameter.choice_positions)
    else:
        steps = round((parameter.maximum - parameter.minimum) * 100)
        first = round(parameter.minimum * 100)
        values = np.arange(first, first + steps + 1) / 100  # the nearest float64 to each decimal
    positions = parameter.to_normalised(values)
    assert positions.min() >= 0
    assert positions.max() <= 1
    np.testing.assert_array_equal(parameter.to_unit(positions), values)


@given(any_parameter, st.floats(0, 1))
def test_positions_come_back(parameter, position):
    value = parameter.to_unit(position)
    parameter.check(float(value), grid=True)
    again = parameter.to_normalised(value)
    if parameter.choices:
        nearest = np.abs(parameter.choice_positions - position).min()
        assert abs(again - position) == pytest.approx(nearest, abs=1e-12)
        assert parameter.to_unit(again) == value
    else:
        assert again == pytest.approx(position, abs=1e-12)


@given(any_parameter, st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_arrays_are_converted_like_single_values(parameter, positions):
    together = parameter.to_unit(positions)
    assert together.shape == (len(positions),)
    assert together.tolist() == [float(parameter.to_unit(position)) for position in positions]
    one_by_one = [float(parameter.to_normalised(value)) for value in together]
    assert parameter.to_normalised(together).tolist() == one_by_one


@given(any_parameter, st.floats(0, 1))
def test_spelling_is_read_back_and_has_the_files_form(parameter, position):
    value = float(parameter.to_unit(position))
    text = parameter.spell(value)
    if parameter.spelling == "quoted":
        assert re.fullmatch(r"'[A-Z][a-z]+[12]'", text)
        return
    assert re.fullmatch(r"-?\d+\.\d\d" if parameter.spelling == "%.2f" else r"-?\d+", text)
    assert text != "-0.00"
    assert abs(float(text) - value) <= 0.005 + 1e-9
    parameter.check(float(text), grid=True)


def test_positions_beyond_the_ends_count_as_the_ends():
    assert DIVA["VCF1.Freq"].to_unit([-0.5, 1.5]).tolist() == [30.0, 150.0]
    assert DIVA["OSC.Model"].to_unit([-0.5, 1.5]).tolist() == [0.0, 4.0]
    assert DIVA["VCF1.Freq"].to_normalised([0.0, 200.0]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("VCF1.Freq", 29.99, r"VCF1.Freq = 29.99: .* from 30 to 150 \(semitones\)"),
        ("VCF1.Freq", float("nan"), "VCF1.Freq = nan"),
        ("VCC.Trsp", 25, "whole number from -24 to 24"),
        ("VCC.Trsp", 1.5, "whole number from -24 to 24"),
        ("OSC.Model", 5, r"one of 0 \(Triple VCO\), 1 \(Dual VCO\)"),
        ("OSC.Model", 2.5, r"one of 0 \(Triple VCO\)"),
        ("OSC.Wave1", 0.99, r"1 \(triangle\), 2 \(sawtooth\), 3 \(pulse\), 4 \(noise\)"),
        ("VCC.PB", 49, "24, 36, 48"),
    ],
)
def test_values_that_a_parameter_cannot_hold_are_refused(name, value, rule):
    with pytest.raises(InvalidValueError, match=rule):
        DIVA[name].check(value)
    with pytest.raises(InvalidValueError, match=re.escape(name)):
        DIVA.check(np.where(np.array(DIVA.names) == name, value, DIVA.defaults()))
    if DIVA[name].spelling:
        with pytest.raises(InvalidValueError):
            DIVA[name].spell(value)


@pytest.mark.parametrize(("name", "value"), [("OSC.Tune1", 11.43), ("VCC.PB", 25)])
def test_values_between_the_steps_are_held_and_not_chosen(name, value):
    parameter = DIVA[name]
    parameter.check(value)
    assert not parameter.on_grid(value)
    with pytest.raises(InvalidValueError, match=name):
        parameter.check(value, grid=True)
    patch = np.where(np.array(DIVA.names) == name, value, DIVA.defaults())
    DIVA.check([DIVA.defaults(), patch])
    with pytest.raises(InvalidValueError, match=name):
        DIVA.check([DIVA.defaults(), patch], grid=True)


def test_what_people_type_and_read():
    wave = DIVA["OSC.Wave2"]
    assert wave.parse(" Ring Mod ") == wave.parse("4") == wave.parse("4.00") == 4.0
    assert wave.label(4.0) == "ring mod"
    assert DIVA["VCF1.Freq"].label(90.5) == "90.5 semitones"
    assert DIVA["OSC.Tune1"].label(11.43) == "11.43 semitones"
    assert DIVA["VCC.PB"].label(12.0) == "12 semitones"
    assert DIVA["FX1.Module"].parse("delay1") == 3.0
    with pytest.raises(InvalidValueError, match=r"'sine': .* 4 \(ring mod\)"):
        wave.parse("sine")
    with pytest.raises(InvalidValueError, match=r"OSC\.Tune1 = 7"):
        DIVA["OSC.Tune1"].parse("7")


@pytest.mark.parametrize("parameter", DIVA, ids=lambda parameter: parameter.name)
def test_labels_are_unique_and_no_number_of_another_choice(parameter):
    labels = [choice.label.casefold() for choice in parameter.choices]
    assert len(set(labels)) == len(labels)
    for choice in parameter.choices:
        assert parameter.parse(choice.label) == choice.value
        assert parameter.parse(f"{choice.value:g}") == choice.value


def test_table_is_addressed_by_name_and_index():
    assert DIVA["VCF1.Freq"] is DIVA[148]
    assert DIVA.index("main.#FX1") == 1
    assert DIVA.names[148] == "VCF1.Freq"
    assert "VCF1.Freq" in DIVA
    assert "VCF1.Cutoff" not in DIVA
    with pytest.raises(UnknownNameError, match=r"'vcf1\.freq': did you mean VCF1\.Freq\?"):
        DIVA["vcf1.freq"]
    with pytest.raises(UnknownNameError, match=r"did you mean .*VCF1\.Freq"):
        DIVA.index("VCF1.Frequ")
    with pytest.raises(UnknownNameError, match=r"names are such as main\.CcOp"):
        DIVA.index("???")
    for index in (281, -1):
        with pytest.raises(UnknownNameError, match="from 0 to 280"):
            DIVA[index]


def test_search_finds_words_anywhere():
    assert [parameter.name for parameter in DIVA.search("cutoff slop")] == ["OPT.CSlop"]
    assert DIVA["VCF1.Freq"] in DIVA.search("vcf1: frequency")
    assert DIVA["OSC.Wave2"] in DIVA.search("RING MOD")
    assert DIVA.search("no such thing") == ()


def test_every_parameter_is_described():
    for parameter in DIVA:
        assert 8 < len(parameter.description) < 130


def test_table_survives_a_trip_to_another_process():
    again = pickle.loads(pickle.dumps(DIVA))
    assert again == DIVA
    assert again["VCF1.Freq"].to_unit(0.5) == 90.0


def test_patch_of_another_width_is_refused():
    with pytest.raises(InvalidValueError, match=r"281 values; this has the shape \(3,\)"):
        DIVA.check([1.0, 2.0, 3.0])


CUTOFF = Parameter(index=0, name="Cutoff", kind="float", minimum=0, maximum=1, default=0.5)
SWITCH = (Choice(0.0, "off"), Choice(1.0, "on"))


def test_table_of_another_synthesizer():
    filter_on = Parameter(
        index=1, name="Filter On", kind="bool", minimum=0, maximum=1, default=1, choices=SWITCH
    )
    table = ParameterTable("other", (CUTOFF, filter_on))
    assert table.defaults().tolist() == [0.5, 1.0]
    assert table["Filter On"].to_unit([0.49, 0.5]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"maximum": 0.0}, "finite and not empty"),
        ({"maximum": float("inf")}, "finite and not empty"),
        ({"default": 2.0}, "holds 2: it must be a number from 0 to 1"),
        ({"kind": "bool"}, "stepped ones list every value"),
        ({"choices": SWITCH}, "continuous parameters have none"),
        ({"kind": "enum", "choices": SWITCH[::-1]}, "two or more, ascending"),
        ({"kind": "enum", "choices": SWITCH[:1]}, "two or more, ascending"),
        ({"kind": "enum", "choices": (*SWITCH, Choice(2.0, "two"))}, "holds 2"),
    ],
)
def test_declarations_that_contradict_themselves_are_refused(change, rule):
    with pytest.raises(InvalidValueError, match=rule):
        replace(CUTOFF, **change)


def test_tables_that_contradict_themselves_are_refused():
    with pytest.raises(InvalidValueError, match="holds no parameter"):
        ParameterTable("empty", ())
    with pytest.raises(InvalidValueError, match="index 0 at place 1"):
        ParameterTable("twice", (CUTOFF, replace(CUTOFF, name="Resonance")))
    with pytest.raises(InvalidValueError, match="names must differ"):
        ParameterTable("twice", (CUTOFF, replace(CUTOFF, index=1)))
