"""The VST 3 containers and JUCE's state block, and the class ids that modules tell."""

import ctypes
import platform
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import PresetError, RenderError
from deepdiva.hosts import vst3_factory
from deepdiva.hosts.vst3_files import (
    Vst3Preset,
    Vst3State,
    from_juce_base64,
    juce_base64,
    juce_state,
    parse_juce_state,
    parse_vstpreset,
)

CLASS_ID = "2046504473616C636B654E4400000000"  # of Nekobi
# The beginning of the state that DawDreamer saved of Nekobi's VST 3 build.
MEASURED = "36.e8EYvY1WvElbg0VYzUlby8kXkcVZt80W.bWX1UlYuIWa..C."


def bits_first(data):
    """JUCE's encoding by its definition: one long row of bits, cut into sixes."""
    alphabet = ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"
    bits = [byte >> k & 1 for byte in data for k in range(8)]
    bits += [0] * (-len(bits) % 6)
    groups = [bits[start : start + 6] for start in range(0, len(bits), 6)]
    return f"{len(data)}." + "".join(
        alphabet[sum(bit << k for k, bit in enumerate(group))] for group in groups
    )


def test_encoding_of_a_state_that_a_host_saved():
    assert from_juce_base64(MEASURED) == b"__dpf_parameters_begin__\0waveform\x000\0"
    assert juce_base64(from_juce_base64(MEASURED)) == MEASURED


@given(st.binary(max_size=300))
def test_encoding_against_its_definition(data):
    assert juce_base64(data) == bits_first(data)
    assert from_juce_base64(juce_base64(data)) == data


@pytest.mark.parametrize("text", ["", "abc", "4", "x.AAAA", "3.A*AA", "3.AAAAA"])
def test_texts_that_are_no_encoding(text):
    with pytest.raises(PresetError, match="JUCE's encoding"):
        from_juce_base64(text)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_state_round_trip(component, controller):
    state = Vst3State(component, controller)
    assert parse_juce_state(juce_state(state)) == state


def test_state_block_lies_as_measured():
    data = juce_state(Vst3State(b"chunk"))
    assert data[:4] == b"VC2!"
    assert struct.unpack("<I", data[4:8]) == (len(data) - 9,)
    assert data[8:47] == b'<?xml version="1.0" encoding="UTF-8"?> '
    assert data.endswith(b"</VST3PluginState>\0")


def test_blocks_that_are_no_state():
    with pytest.raises(PresetError, match="begins with b'CcnK'"):
        parse_juce_state(b"CcnK" + bytes(40))
    for xml, message in ((b"<a", "not the XML"), (b"<VST3PluginState/>", "no IComponent")):
        with pytest.raises(PresetError, match=message):
            parse_juce_state(struct.pack("<4sI", b"VC2!", len(xml)) + xml)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_preset_round_trip(component, controller):
    preset = Vst3Preset(CLASS_ID, Vst3State(component, controller))
    assert parse_vstpreset(preset.to_bytes()) == preset


def test_preset_lies_as_measured():
    data = Vst3Preset(CLASS_ID.lower(), Vst3State(b"text of a preset")).to_bytes()
    assert data[:8] == b"VST3\1\0\0\0"
    assert data[8:40] == CLASS_ID.encode()
    assert struct.unpack("<q", data[40:48]) == (64,)
    assert data[48:64] == b"text of a preset"
    assert data[64:] == b"List\1\0\0\0Comp" + struct.pack("<qq", 48, 16)


@pytest.mark.parametrize("class_id", ["", "DiVa", "G" * 32])
def test_class_ids_that_are_none(class_id):
    with pytest.raises(PresetError, match="32 hexadecimal digits"):
        Vst3Preset(class_id, Vst3State(b"")).to_bytes()


def test_files_that_are_no_preset():
    data = Vst3Preset(CLASS_ID, Vst3State(b"component")).to_bytes()
    with pytest.raises(PresetError, match="begins with b'CcnK'"):
        parse_vstpreset(b"CcnK")
    for cut in (20, 60, len(data) - 1):
        with pytest.raises(PresetError, match="cut short"):
            parse_vstpreset(data[:cut])
    with pytest.raises(PresetError, match="no 'Comp' chunk"):
        parse_vstpreset(data.replace(b"Comp", b"Info"))


class Factory:
    """A VST 3 factory as a module would return it: a table of functions, in this process."""

    def __init__(self, classes, version_2):
        self._classes, self._version_2 = classes, version_2
        pointer = ctypes.c_void_p
        query = ctypes.CFUNCTYPE(
            ctypes.c_int32, pointer, ctypes.POINTER(ctypes.c_ubyte * 16), ctypes.POINTER(pointer)
        )(self._query)
        count = ctypes.CFUNCTYPE(ctypes.c_int32, pointer)(lambda _: len(classes))
        info = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, ctypes.c_int32, pointer)(self._info)
        info_2 = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, ctypes.c_int32, pointer)(self._info_2)
        self._functions = [query, None, None, None, count, info, None, info_2]
        self._table = (pointer * 8)(
            *(ctypes.cast(function, pointer) if function else None for function in self._functions)
        )
        self._object = pointer(ctypes.addressof(self._table))
        self.address = ctypes.addressof(self._object)

    def _query(self, _, interface, result):
        if not self._version_2 or bytes(interface[0]).hex() != "0007b650f24b4c0ba464edb9f00b2abb":
            return -1
        result[0] = self.address
        return 0

    def _head(self, index):
        class_id, category, name, _ = self._classes[index]
        return struct.pack("<16si32s64s", bytes.fromhex(class_id), 1, category, name)

    def _info(self, _, index, target):
        ctypes.memmove(target, self._head(index), 116)
        return 0

    def _info_2(self, _, index, target):
        version = self._classes[index][3]
        tail = struct.pack("<I128s64s64s64s", 0, b"Instrument", b"Maker", version, b"3.7")
        ctypes.memmove(target, self._head(index) + tail, 440)
        return 0


CLASSES = [
    ("00112233445566778899AABBCCDDEEFF", b"Component Controller Class", b"Editor", b"2.1"),
    (CLASS_ID, b"Audio Module Class", b"Nekobi", b"1.1.0"),
]


@pytest.mark.skipif("sys.platform == 'win32'", reason="identifiers lie in another order there")
@pytest.mark.parametrize("version_2", [False, True])
def test_classes_of_a_factory(version_2):
    factory = Factory(CLASSES, version_2)
    editor, module = vst3_factory.classes_of(factory.address)
    assert (editor.class_id, editor.category) == (CLASSES[0][0], "Component Controller Class")
    assert (module.class_id, module.name) == (CLASS_ID, "Nekobi")
    assert module.version == ("1.1.0" if version_2 else "")


@pytest.mark.skipif("sys.platform == 'win32'", reason="identifiers lie in another order there")
def test_instrument_is_the_first_audio_class(monkeypatch, tmp_path):
    factory = Factory(CLASSES, version_2=True)
    monkeypatch.setattr(vst3_factory, "factory_of", lambda _: factory.address)
    assert vst3_factory.instrument_class(tmp_path).class_id == CLASS_ID
    factory = Factory(CLASSES[:1], version_2=True)
    with pytest.raises(RenderError, match="no class of the category 'Audio Module Class'"):
        vst3_factory.instrument_class(tmp_path)


def test_modules_that_cannot_be_opened(tmp_path):
    with pytest.raises(RenderError, match="no library for this operating system"):
        vst3_factory.factory_of(tmp_path)
    file = tmp_path / "Synth.vst3"
    file.write_bytes(b"not a library")
    with pytest.raises(RenderError, match="is no VST 3 module"):
        vst3_factory.factory_of(file)


def bundle(folder, *files):
    """A bundle with these files below `Contents`, by their paths; the content is no library."""
    for file in files:
        path = folder / "Synth.vst3" / "Contents" / file
        path.parent.mkdir(parents=True)
        path.write_bytes(b"not a library")
    return folder / "Synth.vst3"


@pytest.mark.parametrize(
    ("system", "machine", "suffix", "order"),
    [
        ("linux", "x86_64", "linux/Synth.so", ["x86_64", "aarch64", "i386"]),
        ("linux", "aarch64", "linux/Synth.so", ["aarch64", "i386", "x86_64"]),
        ("win32", "AMD64", "win/Synth.vst3", ["x86_64", "arm64", "arm64ec", "x86"]),
        ("win32", "ARM64", "win/Synth.vst3", ["arm64", "arm64ec", "x86", "x86_64"]),
        ("win32", "x86", "win/Synth.vst3", ["x86", "arm64", "arm64ec", "x86_64"]),
    ],
)
def test_libraries_for_this_processor_come_first(
    tmp_path, monkeypatch, system, machine, suffix, order
):
    plugin = bundle(tmp_path, *(f"{processor}-{suffix}" for processor in reversed(order)))
    (plugin / "Contents" / "Resources").mkdir()
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    binaries = vst3_factory.binaries_of(plugin)
    folders = [str(binary.parent.name) for binary in binaries]
    assert folders == [f"{processor}-{suffix.split('/')[0]}" for processor in order]


@pytest.fixture
def here():
    """The folder of a bundle that Linux on this machine opens a library from."""
    if sys.platform != "linux":
        pytest.skip("the bundles are for Linux")
    return f"{platform.machine()}-linux/Synth.so"


def test_every_library_of_a_bundle_is_tried(tmp_path, here):
    """One cannot be opened and one is no plug-in: the message says so of both."""
    plugin = bundle(tmp_path, "a-linux/Synth.so", here)
    shutil.copy(np.random.mtrand.__file__, plugin / "Contents" / here)
    with pytest.raises(RenderError) as caught:
        vst3_factory.factory_of(plugin)
    first, second = str(caught.value).split("; ")
    assert here in first
    assert "ModuleEntry" in first
    assert "a-linux/Synth.so" in second


@pytest.mark.parametrize("machine", [platform.machine(), "riscv64"])
def test_the_library_that_opens_is_taken(tmp_path, monkeypatch, here, machine):
    """Also where the machine has another processor than this process, which emulates one."""
    if shutil.which("cc") is None:
        pytest.skip("it takes a C compiler to make a module")
    plugin = bundle(tmp_path, "a-linux/Synth.so", here, "riscv64-linux/Synth.so")
    source = tmp_path / "module.c"
    source.write_text(
        "int factory, entered;"
        "int ModuleEntry(void *handle) { return entered = handle != 0; }"
        "void *GetPluginFactory(void) { return entered ? &factory : 0; }"
    )
    library = plugin / "Contents" / here
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    factory = ctypes.c_int.in_dll(ctypes.CDLL(str(library)), "factory")
    assert vst3_factory.factory_of(plugin) == ctypes.addressof(factory)
