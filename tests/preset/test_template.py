"""A complete preset from nothing, held against MS-REV1 as Diva saved it."""

import csv
import struct

import pytest

from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset, block

START = b"*/\n"
END = b"$$$$"


def middle(data):
    """Header, sections and remark: all between the comment at the top and the binary block."""
    return data[data.index(START) : data.index(END)]


def test_text_is_that_of_the_saved_preset(ms_rev1_path):
    assert middle(Preset.template().data) == middle(ms_rev1_path.read_bytes())


def test_lines_are_those_of_the_layout(shared):
    with (shared / "facts" / "h2p_layout.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    preset = Preset.template()
    assert preset.keys == tuple((row["section"], row["key"]) for row in rows)
    for row in rows:
        assert preset.get(row["section"], row["key"]) == row["value_in_MS_REV1"]
        if row["parameter_index"]:
            name = f"{row['section']}.{row['key']}"
            assert DIVA[int(row["parameter_index"])].name == name


def test_comment_holds_what_was_given():
    preset = Preset.template(
        name="Night", author="Ana", description="It's dark.", categories=["Pads:Analog", "Bass"]
    )
    assert preset.data.startswith(
        b"/*@Meta\n\nAuthor:\n'Ana'\n\nDescription:\n'It\\'s dark.'\n\n"
        b"Categories:\n'Pads:Analog, Bass'\n\n*/\n\n#AM=Diva\n"
    )
    assert Preset.template(categories="Keys").meta["Categories"] == "Keys"
    assert Preset.template().notes == ()


def test_block_has_the_sizes_of_the_saved_one_and_names_of_its_own(ms_rev1_path):
    mine, saved = (
        block.split(block.decode(data[data.index(END) :], "here"), "here")
        for data in (
            Preset.template(name="Night", author="Ana").data,
            ms_rev1_path.read_bytes(),
        )
    )
    assert [(len(chunk.data), chunk.is_floats) for chunk in mine] == [
        (len(chunk.data), chunk.is_floats) for chunk in saved
    ]
    names = [chunk.data.rstrip(b"\0") for chunk in mine[:6]]
    assert names == [b"/User", b"Night.h2p", b"Ana", b"Night.h2p", b"", b""]
    assert struct.unpack("<128f", mine[6].data) == tuple(range(128))
    assert mine[6] == saved[6]
    pots = struct.unpack("<64f", mine[7].data)
    assert pots[:24] == pytest.approx(struct.unpack("<64f", saved[7].data)[:24], abs=0.0051)
    assert not any(pots[24:])


def test_file_ends_like_a_saved_one():
    data = Preset.template().data
    assert data.endswith(b"\n\0\0")
    assert data.count(b"\0") == 2
    assert b"\r" not in data
