"""The binary block: decoded like its description says, and encoded so that it decodes again."""

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import PresetError
from deepdiva.synths.diva.preset import Preset, block

# Worked out by hand: words "abcd" and nine of zeros, bytes 0x00 and 25 of zeros; the stream is the
# word three times, the byte 0xff twice, and 0x00.
BY_HAND = b"?" + b":".join([b"gbgcgdge", *[b"aaaaaaaa"] * 9, *[b"aa"] * 26]) + b"!q2pp1A"
BY_HAND_BYTES = b"abcdabcdabcd\xff\xff\x00"


def framed(code, size, checksum=None):
    return b"$$$$%d\n%s=%d\n" % (size, code, sum(code) if checksum is None else checksum)


def blocks(paths):
    for path in paths:
        data = path.read_bytes()
        if b"\n$$$$" in data:
            yield path.name, data[data.index(b"\n$$$$") + 1 :]


def test_block_worked_out_by_hand():
    assert block.decode(framed(BY_HAND, 15), "here") == BY_HAND_BYTES


def test_every_block_decodes_and_encodes_to_the_same_bytes(diva_presets):
    count = 0
    for name, text in blocks(diva_presets):
        data = block.decode(text, name)
        assert len(data) == int(re.match(rb"\$\$\$\$(\d+)\n", text)[1])
        encoded = block.encode(data)
        assert block.decode(encoded, name) == data
        assert len(encoded) <= len(text) + 8, "the dictionary is as good as the original"
        assert block.join(block.split(data, name)) == data
        count += 1
    assert count == 53


def test_lines_are_broken_like_the_originals(diva_presets):
    for name, text in blocks(diva_presets):
        encoded = block.encode(block.decode(text, name))
        for written in (text.rstrip(b"\0"), encoded):
            lines = written.split(b"\n")[1:-1]
            assert {len(line) for line in lines[:-1]} == {64}
            assert len(lines[-1]) < 64


def test_line_breaks_carry_no_meaning():
    text = framed(BY_HAND, 15)
    head, code = text.split(b"\n", 1)
    torn = head + b"\r\n" + b"\r\n".join(bytes([letter]) for letter in code) + b"\0\0"
    assert block.decode(torn, "here") == BY_HAND_BYTES


def test_chunks_hold_what_the_text_says(diva_presets):
    """The detune pots stand in text and block; both were written by Diva."""
    agreeing = 0
    for path in diva_presets:
        preset = Preset.read(path)
        if preset.get("OPT", "TPots") is None or b"\n$$$$" not in preset.data:
            continue
        data = preset.data[preset.data.index(b"\n$$$$") + 1 :]
        chunks = block.split(block.decode(data, path.name), path.name)
        pots = chunks[int(preset.get("OPT", "TPots"))]
        tuning = chunks[int(preset.get("VCC", "MTunT"))]
        assert pots.is_floats
        assert tuning.is_floats
        assert not chunks[int(preset.get("PCore", "PFile"))].is_floats
        by_oscillator = preset.detune_pots().T.ravel()
        stored = struct.unpack("<64f", pots.data)[:24]
        agreeing += by_oscillator == pytest.approx(stored, abs=0.0051)
    assert agreeing >= 50


@given(st.binary(max_size=400))
def test_any_bytes_come_back(data):
    assert block.decode(block.encode(data), "here") == data


@given(st.lists(st.sampled_from([b"abcd", b"\0\0\0\0", b"\xff", b"wxyz"]), max_size=60))
def test_repetitive_bytes_come_back(pieces):
    data = b"".join(pieces)
    assert block.decode(block.encode(data), "here") == data


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"$$$$15\n", "is cut off or damaged: it must read"),
        (b"$$$$x\n?!=1\n", "is cut off or damaged: it must read"),
        (framed(BY_HAND, 15)[:-3], r"is cut off or damaged: its checksum is"),
        (
            framed(BY_HAND, 15, 12345),
            r"is cut off or damaged: its checksum is .*, the file says 12345",
        ),
        (framed(BY_HAND, 16), "is damaged: it does not decode to the 16 bytes"),
        (framed(BY_HAND, 14), "is damaged: it does not decode to the 14 bytes"),
        (framed(BY_HAND + b"g", 15), "is damaged: it does not decode to the 15 bytes"),
        (framed(BY_HAND + b"*", 15), "is damaged: it does not decode to the 15 bytes"),
        (framed(BY_HAND + b"A999999999", 15), "is damaged: it does not decode to the 15 bytes"),
        (
            framed(BY_HAND + b"A" + b"9" * 5000, 15),
            "is damaged: it does not decode to the 15 bytes",
        ),
    ],
)
def test_block_that_breaks_a_rule(text, rule):
    with pytest.raises(PresetError, match=rf"^mine\.h2p, line 9: the binary block {rule}"):
        block.decode(text, "mine.h2p, line 9")


def test_bytes_that_are_no_chunks():
    good = block.join([block.text_chunk("a", 8), block.float_chunk([1.5], 2)])
    assert [chunk.data for chunk in block.split(good, "here")] == [
        b"a\0\0\0\0\0\0\0",
        struct.pack("<2f", 1.5, 0.0),
    ]
    with pytest.raises(PresetError, match=r"here: chunk 1 .* is longer than the block"):
        block.split(good[:-1], "here")
    with pytest.raises(PresetError, match=r"here: chunk 1 .* has no head"):
        block.split(good[:26], "here")
    with pytest.raises(PresetError, match=r"here: chunk 0 .* has no head"):
        block.split(b"x" * 16, "here")


def test_long_name_is_cut_at_a_whole_character():
    chunk = block.text_chunk("ä" * 10, 8)
    assert chunk.data == "äää".encode() + b"\0\0"
