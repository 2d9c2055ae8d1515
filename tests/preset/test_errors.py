"""Files that are no Diva preset, or a damaged one: an error that names file, line and rule."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import PresetError
from deepdiva.synths.diva.preset import Preset

TEMPLATE = Preset.template(description="what it is")
TEXT = TEMPLATE.data
BLOCK = TEXT.index(b"$$$$")


def line_of(part):
    return TEXT[: TEXT.index(part)].count(b"\n") + 1


def replaced(old, new):
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "is empty: a preset begins with"),
        (b"\n \n\0\0", "is empty: a preset begins with"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "is not text"),
        (b"Dear diary,\n", r"line 1: it begins with 'Dear', a u-he preset with /\*@Meta"),
        (b"#AM=Diva\n#cm=main\n", "line 1: it begins with '#AM=Diva'"),
    ],
)
def test_other_files(data, rule):
    with pytest.raises(PresetError, match=rule):
        Preset.from_bytes(data)


def test_preset_of_another_synthesizer():
    text = replaced(b"#AM=Diva", b"#AM=Zebra2")
    rule = rf"^mine\.h2p, line {line_of(b'#AM')}: .* preset of 'Zebra2', not of Diva \(#AM=Diva\)"
    with pytest.raises(PresetError, match=rule):
        Preset.from_bytes(text, "mine.h2p")
    # Its own comment and sections may follow other rules: that is not what to complain about.
    with pytest.raises(PresetError, match=r"line 3: .*'Hive'"):
        Preset.from_bytes(b"/*@meta\nanything goes\n#AM=Hive\n")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"Freq=147.00", b"Freq=150.01", r"VCF1\.Freq = 150\.01: it must be .* from 30 to 150"),
        (b"Freq=147.00", b"Freq=-1e999", r"VCF1\.Freq = -inf: it must be .* from 30 to 150"),
        (b"Freq=147.00", b"Freq=bright", r"VCF1\.Freq=bright is not a number"),
        (b"Freq=147.00", b"Freq=", r"VCF1\.Freq= is not a number"),
        (b"Freq=147.00", b"Freq=nan", r"VCF1\.Freq=nan is not a number"),
        (b"Freq=147.00", b"Freq=1_0", r"VCF1\.Freq=1_0 is not a number"),
        (b"Trsp=0", b"Trsp=0.50", r"VCC\.Trsp = 0\.5: it must be a whole number from -24 to 24"),
        (b"Oct=1", b"Oct=5", r"ARP\.Oct = 5: it must be a whole number from 1 to 4"),
        (b"Voices=4", b"Voices=8", r"VCC\.Voices = 8: .* 7 \(16 voices\)"),
        (b"Wave1=2.00", b"Wave1=4.10", r"OSC\.Wave1 = 4\.1: it must be one of 1 \(triangle\)"),
        (b"Module='Delay2'", b"Module='Delay1'", r"FX2\.Module='Delay1' must be one of .*'Delay2'"),
        (b"Module='Delay2'", b"Module=0.0", r"FX2\.Module=0\.0 must be one of 'Chorus2'"),
        (b"Drift=35.00", b"Drift", "'Drift' is no line of a section, which reads key=value"),
        (b"Drift=35.00", b"RMPwm=1", r"OSC\.RMPwm stands a second time; the first is in line"),
        (b"#cm=MOD", b"#cm=OSC", None),
        (b"#Vers=10001", b"#Vers=new", "#Vers=new must be a whole number"),
        (b"#nm=24", b"#nm=25", r"announces 25 modulation sources \(#nm\) and lists 24"),
        (b"#nv=2", b"nv: 2", "'nv: 2' stands between comment and sections"),
        (b"Author:", b"Author", "'Author' is no entry of the comment at the top"),
        (b"'what it is'", b"'what it is", r"\"'what it is\" is no entry of the comment"),
        (b"#AM=Diva\n", b"", "does not say for which synthesizer"),
    ],
)
def test_line_that_breaks_a_rule_is_named(old, new, rule):
    with pytest.raises(PresetError, match=rule) as caught:
        Preset.from_bytes(replaced(old, new), "mine.h2p")
    where = re.match(r"mine\.h2p, line (\d+): ", str(caught.value))
    assert where is not None
    if new and rule and "#" not in rule and "Oct" not in rule:
        assert int(where[1]) == line_of(old)


def test_section_that_begins_twice():
    text = replaced(b"#cm=HPF", b"#cm=OSC")
    with pytest.raises(PresetError, match=rf"line {line_of(b'#cm=HPF')}: .*OSC begins a second"):
        Preset.from_bytes(text)


@pytest.mark.parametrize(
    ("end", "rule"),
    [
        (b"#ms=Random", r"ends before the first section \(#cm=\)"),
        (b"'what it is'", r"ends inside the comment at the top; \*/ is missing"),
        (b"#cm=VCF1", "ends without the section VCF1: it is cut off"),
        (b"Fast=85.00\nRTime=50.00\nCont=0\n#cm=FX2", "ends without the section FX2"),
    ],
)
def test_truncated_file(end, rule):
    cut = TEXT[: TEXT.index(end)]
    last = cut.count(b"\n") + 1
    with pytest.raises(PresetError, match=rf"^preset, line {last}: the file {rule}"):
        Preset.from_bytes(cut)


def test_file_cut_off_in_its_last_section():
    cut = TEXT[: TEXT.rindex(b"RTime=")]
    with pytest.raises(PresetError, match=r"ends without Rtary2\.Cont, the last value"):
        Preset.from_bytes(cut)


def read_or_refused(data):
    """The preset, or what the error says."""
    try:
        return Preset.from_bytes(data, "mine.h2p")
    except PresetError as error:
        return str(error)


def test_every_beginning_is_refused_or_means_the_same():
    """A file cut anywhere is noticed, unless the cut took nothing but the remark at its end."""
    values_end, block_end = TEXT.index(b"\n\n\n//"), len(TEXT) - 3
    for end in [*range(0, values_end, 23), *range(values_end - 40, len(TEXT))]:
        preset = read_or_refused(TEXT[:end])
        if end < values_end or BLOCK < end < block_end:
            assert isinstance(preset, str), end
        elif end in (values_end, BLOCK) or end >= block_end:
            np.testing.assert_array_equal(preset.values(), TEMPLATE.values())


@given(st.integers(0, len(TEXT) - 1), st.binary(max_size=3), st.integers(0, 40))
def test_damaged_file_gives_a_preset_or_an_error_that_names_it(start, patch, removed):
    data = TEXT[:start] + patch + TEXT[start + removed :]
    preset = read_or_refused(data)
    if isinstance(preset, str):
        assert preset.startswith("mine.h2p")
    else:
        assert preset.to_bytes() == data
        assert preset.with_values(preset.values()).to_bytes() == data
        assert np.isfinite(preset.values()).all()


@given(st.binary(max_size=300))
def test_any_bytes_give_an_error(data):
    with pytest.raises(PresetError):
        Preset.from_bytes(data)


def test_damaged_block_is_noticed():
    text = bytearray(TEXT)
    text[BLOCK + 700] ^= 1
    with pytest.raises(PresetError, match=rf"line {line_of(b'$$$$')}: the binary block is .*damag"):
        Preset.from_bytes(bytes(text))


def test_folder_is_refused(tmp_path):
    with pytest.raises(PresetError, match="is a folder: name a preset in it"):
        Preset.read(tmp_path)


def test_huge_file_is_not_read(tmp_path):
    path = tmp_path / "concert.h2p"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(PresetError, match="3,221,225,472 bytes"):
        Preset.read(path)


def test_line_ends_of_windows_are_read_and_kept():
    data = TEXT.replace(b"\n", b"\r\n")
    preset = Preset.from_bytes(data)
    np.testing.assert_array_equal(preset.values(), TEMPLATE.values())
    assert preset.meta == TEMPLATE.meta
    patch = preset.values()
    patch[148] = 60.0
    after = preset.with_values(patch)
    assert after.data == data.replace(b"Freq=147.00", b"Freq=60.00")
    named = after.with_meta(author="somebody")
    assert named.meta["Author"] == "somebody"
    np.testing.assert_array_equal(named.values(), patch)
