"""Presets: the same bytes back, and changes that touch nothing but the changed values."""

import csv
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepdiva.errors import (
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    PresetError,
)
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset

TEMPLATE = Preset.template()
IN_PLAIN_FILES = [parameter for parameter in DIVA if parameter.spelling]


def changed_lines(before, after):
    """Line numbers, and both texts, where two files of as many lines differ."""
    pairs = zip(before.data.split(b"\n"), after.data.split(b"\n"), strict=True)
    return [
        (number, old.decode(), new.decode())
        for number, (old, new) in enumerate(pairs, 1)
        if old != new
    ]


def patched(preset, **values):
    """The preset with parameters set; underscores stand for the dot of a name."""
    patch = preset.values()
    for name, value in values.items():
        patch[DIVA.index(name.replace("_", ".", 1))] = value
    return preset.with_values(patch)


def test_every_preset_comes_back_byte_for_byte(diva_presets, tmp_path):
    for path in diva_presets:
        preset = Preset.read(path)
        preset.write(tmp_path / path.name)
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name
        assert preset.with_values(preset.values()).data == path.read_bytes(), path.name


def test_values_are_those_of_the_text(diva_presets):
    """Every parameter, read once more by a parser of three lines."""
    for path in diva_presets:
        text = path.read_bytes().decode("utf-8").split("*/")[1].split("// Section")[0]
        values = Preset.read(path).values()
        section = None
        for name, value in re.findall(r"^(#?\w+)=(.*)$", text, re.MULTILINE):
            section = value if name == "#cm" else section
            if f"{section}.{name}" in DIVA and not value.startswith("'"):
                assert values[DIVA.index(f"{section}.{name}")] == float(value), (path.name, name)


def test_saved_ms_rev1_is_the_default_patch(ms_rev1_path):
    preset = Preset.read(ms_rev1_path)
    np.testing.assert_array_equal(preset.values(), DIVA.defaults())
    assert preset.version == "10001"
    assert preset.notes == ()


def test_generated_presets_keep_values_between_the_steps(diva_presets):
    notes = {path.name: Preset.read(path).notes for path in diva_presets}
    big = notes["Fannon__ARP Big Bronze Tracee.h2p"]
    assert big[0] == "line 104: VCC.PB = 25 lies between the plug-in's steps; it is kept."
    assert sum(bool(entry) for entry in notes.values()) == 11


def test_changing_a_preset_changes_the_text_of_those_values_only(diva_presets):
    for path in diva_presets:
        before = Preset.read(path)
        effect = 3.0 if before.values()[DIVA.index("FX1.Module")] != 3.0 else 1.0
        after = patched(
            before, VCF1_Freq=101.234, OSC_Tune1=24, VCC_Trsp=-5, OSC_Wave2=3, FX1_Module=effect
        )
        texts = {
            "Freq=101.23",
            "Tune1=24.00",
            "Trsp=-5",
            "Wave2=3.00",
            "Module='Delay1'" if effect == 3.0 else "Module='Phaser1'",
        }
        changes = changed_lines(before, after)
        assert {new for _, _, new in changes} <= texts, path.name
        for _, old, new in changes:
            assert old.split("=")[0] == new.split("=")[0]
        assert set(after.data.decode().split("\n")) >= texts


def test_value_that_is_the_same_number_keeps_its_spelling(diva_presets):
    """Files of other tools write 35 for 35.00; reading and writing back does not tidy them."""
    (path,) = [path for path in diva_presets if path.name == "Fannon__PD Bold Indigo Marja.h2p"]
    before = Preset.read(path)
    assert before.get("CLK", "Mult") == "100"
    near = before.values()
    near[DIVA.index("CLK.Mult")] += 0.001
    assert before.with_values(near).data == before.data
    assert patched(before, CLK_Mult=99).get("CLK", "Mult") == "99.00"


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_any_patch_is_written_on_the_files_grid(seed):
    space = ParameterSpace(DIVA, DIVA.defaults(), tuple(p.name for p in IN_PLAIN_FILES))
    patch = space.patches(space.random(np.random.default_rng(seed), 1))[0]
    preset = TEMPLATE.with_values(patch)
    again = Preset.from_bytes(preset.to_bytes())
    assert np.abs(again.values() - patch).max() <= 0.005 + 1e-9
    on_grid = np.array([float(f"{value:.2f}") for value in patch])
    np.testing.assert_array_equal(again.values(), on_grid)
    assert again.with_values(patch).data == preset.data
    assert again.with_values(DIVA.defaults()).data == TEMPLATE.data


@pytest.mark.parametrize("parameter", IN_PLAIN_FILES, ids=lambda parameter: parameter.name)
def test_each_parameter_is_written_on_its_own_line(parameter):
    for value in (parameter.minimum, parameter.maximum):
        nearest = float(parameter.to_unit(parameter.to_normalised(value)))
        patch = DIVA.defaults()
        patch[parameter.index] = nearest
        after = TEMPLATE.with_values(patch)
        changes = changed_lines(TEMPLATE, after)
        if nearest == parameter.default:
            assert changes == []
        else:
            ((_, _, new),) = changes
            assert new == f"{parameter.key}={parameter.spell(nearest)}"
        assert after.values()[parameter.index] == nearest


def test_numbers_are_read_in_either_spelling():
    text = TEMPLATE.data.replace(b"Freq=147.00", b"Freq=147").replace(b"Trsp=0\n", b"Trsp=-12.00\n")
    text = text.replace(b"Rate=0.00\n", b"Rate=-1.5e-1\n")
    preset = Preset.from_bytes(text)
    assert preset.values()[DIVA.index("VCF1.Freq")] == 147.0
    assert preset.values()[DIVA.index("VCC.Trsp")] == -12.0
    assert preset.values()[DIVA.index("LFO1.Rate")] == -0.15


def test_unknown_keys_and_sections_survive_in_the_text():
    text = TEMPLATE.data.replace(
        b"#cm=CLK\n", b"#cm=MPE\nStatus=0\n#cm=New\nKey=a=b # c\nFreq=9999\n#cm=CLK\n// a remark\n"
    ).replace(b"#Vers=10001", b"#Vers=30000")
    preset = Preset.from_bytes(text)
    assert preset.get("New", "Key") == "a=b # c"
    assert preset.get("MPE", "Status") == "0"
    assert preset.get("New", "Other") is None
    assert preset.version == "30000"
    assert ("New", "Freq") in preset.keys
    after = patched(preset, VCF1_Freq=60)
    assert [new for _, _, new in changed_lines(preset, after)] == ["Freq=60.00"]
    assert after.get("New", "Freq") == "9999"


def test_extended_file_holds_settings_that_a_plain_one_lacks(diva_presets):
    (path,) = [path for path in diva_presets if "RND Electric Black" in path.name]
    extended = next(p for p in map(Preset.read, diva_presets) if p.get("OPT", "Acc"))
    assert Preset.read(path).get("OPT", "Acc") is None
    old = extended.values()[DIVA.index("OPT.Acc")]
    after = patched(extended, OPT_Acc=1)
    assert old != 1.0
    assert [new for _, _, new in changed_lines(extended, after)] == ["Acc=1"]
    assert patched(TEMPLATE, OPT_Acc=3, VCC_MuCore=1).data == TEMPLATE.data


def test_missing_line_means_the_default_and_cannot_be_changed():
    preset = Preset.from_bytes(TEMPLATE.data.replace(b"Drift=35.00\n", b""))
    assert preset.values()[DIVA.index("OSC.Drift")] == 35.0
    assert preset.notes == ("no line for OSC.Drift: MS-REV1's value is taken.",)
    with pytest.raises(PresetError, match=r"OSC\.Drift cannot become 12: the file has no line"):
        patched(preset, OSC_Drift=12)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("VCF1_Freq", 150.01, r"VCF1\.Freq = 150\.01: it must be a number from 30 to 150"),
        ("VCF1_Freq", np.nan, r"VCF1\.Freq = nan"),
        ("OSC_Wave1", 2.4, r"OSC\.Wave1 = 2\.4: it must be one of 1 \(triangle\)"),
        ("OSC_Tune1", 7, r"OSC\.Tune1 = 7"),
        ("VCC_PB", 25, r"VCC\.PB = 25: .* 24, 36, 48"),
        ("VCC_Trsp", 0.5, r"VCC\.Trsp = 0\.5: it must be a whole number"),
        ("FX1_Module", 5, r"FX1\.Module = 5: it must be one of 0 \(Chorus1\)"),
    ],
)
def test_values_that_diva_does_not_have_are_not_written(name, value, rule):
    with pytest.raises(PresetError, match=rule):
        patched(TEMPLATE, **{name: value})


def test_patch_of_another_width_is_refused():
    with pytest.raises(InvalidValueError, match=r"shape \(281,\), not \(11,\)"):
        TEMPLATE.with_values(np.zeros(11))


def test_detune_pots_by_voice_and_oscillator(shared):
    with (shared / "facts" / "h2p_layout.csv").open(encoding="utf-8", newline="") as file:
        texts = {row["key"]: row["value_in_MS_REV1"] for row in csv.DictReader(file)}
    pots = TEMPLATE.detune_pots()
    assert pots.shape == (8, 3)
    for voice in range(8):
        for oscillator in range(3):
            assert pots[voice, oscillator] == float(texts[f"V{voice + 1}T{oscillator + 1}"])
    broken = TEMPLATE.data.replace(b"V2T1=-5.59", b"V2T1=flat")
    with pytest.raises(PresetError, match=r"OPT\.V2T1 is flat; it must be a number"):
        Preset.from_bytes(broken).detune_pots()


def test_values_cannot_be_changed_behind_the_presets_back():
    TEMPLATE.values()[:] = 0.0
    np.testing.assert_array_equal(TEMPLATE.values(), DIVA.defaults())


def test_preset_survives_a_trip_to_another_process():
    again = pickle.loads(pickle.dumps(TEMPLATE))
    assert again == TEMPLATE
    assert again.meta == TEMPLATE.meta


def test_existing_file_is_kept_without_force(tmp_path):
    path = tmp_path / "mine.h2p"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsAlreadyError, match="--force"):
        TEMPLATE.write(path)
    assert path.read_bytes() == b"precious"
    TEMPLATE.write(path, force=True)
    assert Preset.read(path) == TEMPLATE


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingFileError, match=r"gone\.h2p does not exist"):
        Preset.read(tmp_path / "gone.h2p")
