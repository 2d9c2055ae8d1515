"""The VST 2 containers: their layout byte by byte, and what real plug-ins wrote."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import PresetError
from deepdiva.hosts.vst2_files import (
    ChunkBank,
    ChunkProgram,
    ParameterProgram,
    PluginIdentity,
    parse_vst2,
)

DIVA = PluginIdentity(b"DiVa", 1)
float32 = st.floats(0, 1, width=32)
identities = st.builds(PluginIdentity, st.binary(min_size=4, max_size=4), st.integers(0, 2**31 - 1))
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=27)


def test_bank_lies_as_in_a_file_that_diva_saved():
    # Measured: 160 bytes before the chunk, its length in the last four of them.
    data = ChunkBank(DIVA, b"#pgm=init\n").to_bytes()
    assert data[:4] == b"CcnK"
    assert struct.unpack(">i", data[4:8]) == (len(data) - 8,)
    assert data[8:12] == b"FBCh"
    assert data[16:20] == b"DiVa"
    assert struct.unpack(">ii", data[20:28]) == (1, 1)
    assert data[28:156] == bytes(128)
    assert struct.unpack(">i", data[156:160]) == (10,)
    assert data[160:] == b"#pgm=init\n"


def test_program_of_parameters_lies_as_the_format_says():
    data = ParameterProgram(DIVA, (0.25, 1.0), "Brass").to_bytes()
    assert data[8:12] == b"FxCk"
    assert struct.unpack(">i", data[24:28]) == (2,)
    assert data[28:56] == b"Brass" + bytes(23)
    assert struct.unpack(">2f", data[56:]) == (0.25, 1.0)


@given(identities, st.binary(max_size=200), st.integers(1, 4000))
def test_bank_round_trip(identity, chunk, programs):
    bank = ChunkBank(identity, chunk, programs)
    assert parse_vst2(bank.to_bytes()) == bank


@given(identities, st.binary(max_size=200), st.integers(0, 4000), names)
def test_chunk_program_round_trip(identity, chunk, parameters, name):
    program = ChunkProgram(identity, chunk, parameters, name)
    assert parse_vst2(program.to_bytes()) == program


@given(identities, st.lists(float32, max_size=50), names)
def test_parameter_program_round_trip(identity, values, name):
    program = ParameterProgram(identity, tuple(values), name)
    assert parse_vst2(program.to_bytes()) == program


def test_bank_of_programs_gives_the_current_one():
    programs = [ParameterProgram(DIVA, (k / 4, 0.5), f"p{k}").to_bytes() for k in range(3)]
    head = struct.pack(">4si4si4sii", b"CcnK", 0, b"FxBk", 1, b"DiVa", 1, 3)
    data = head + struct.pack(">i", 2) + bytes(124) + b"".join(programs)
    assert parse_vst2(data) == ParameterProgram(DIVA, (0.5, 0.5), "p2")


def test_size_of_zero_as_some_hosts_write_it():
    bank = ChunkBank(DIVA, b"chunk")
    data = bank.to_bytes()
    assert parse_vst2(data[:4] + bytes(4) + data[8:]) == bank


def test_names_are_cut_to_the_field():
    data = ParameterProgram(DIVA, (), "n\N{LATIN SMALL LETTER O WITH DIAERESIS}" * 30).to_bytes()
    assert parse_vst2(data).name == ("n?" * 14)[:27]


@pytest.mark.parametrize("cut", [10, 27, 100, 158, 164])
def test_file_cut_short(cut):
    data = ChunkBank(DIVA, b"chunk").to_bytes()[:cut]
    with pytest.raises(PresetError, match=r"bass\.fxb is cut short"):
        parse_vst2(data, "bass.fxb")


def test_files_of_other_kinds():
    with pytest.raises(PresetError, match="begins with b'/\\*@M'"):
        parse_vst2(b"/*@Meta\n")
    data = bytearray(ChunkBank(DIVA, b"chunk").to_bytes())
    data[8:12] = b"XXXX"
    with pytest.raises(PresetError, match="must be FPCh, FxCk, FBCh or FxBk"):
        parse_vst2(bytes(data))
