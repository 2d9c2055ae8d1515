"""The VST 3 preset container `.vstpreset`, and the state block in which JUCE hosts keep a plug-in.

A `.vstpreset` is little-endian: `VST3`, version 1, the class id as 32 hexadecimal digits, the
offset of a chunk list; then the chunks; then `List`, their count, and for each its id, offset and
size. `Comp` is the state of the processor, `Cont` that of the editor's side.

JUCE writes `VC2!`, a length, and an XML text whose elements `IComponent` and `IEditController`
hold the same two blocks in an encoding of its own: the number of bytes, a full stop, and groups of
six bits, least significant first, in the alphabet `.A-Za-z0-9+`.
"""

from __future__ import annotations

import string
import struct
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from deepdiva.errors import PresetError

_ALPHABET = "." + string.ascii_uppercase + string.ascii_lowercase + string.digits + "+"
_VALUE_OF = {letter: value for value, letter in enumerate(_ALPHABET)}
_HEAD = struct.Struct("<4si32sq")
_ENTRY = struct.Struct("<4sqq")
_STATE_HEAD = struct.Struct("<4sI")


@dataclass(frozen=True)
class Vst3State:
    """What a VST 3 plug-in remembers.

    Attributes:
        component: the processor's block.
        controller: the editor side's block; empty where the plug-in keeps none.
    """

    component: bytes
    controller: bytes = b""


@dataclass(frozen=True)
class Vst3Preset:
    """A `.vstpreset`.

    Attributes:
        class_id: 32 hexadecimal digits that name the plug-in; every other one refuses the file.
    """

    class_id: str
    state: Vst3State

    def to_bytes(self) -> bytes:
        """The file.

        Raises:
            PresetError: a class id that is not 32 hexadecimal digits.
        """
        class_id = self.class_id.upper()
        if len(class_id) != 32 or set(class_id) - set(string.hexdigits):
            raise PresetError(f"class id {class_id!r}: it must be 32 hexadecimal digits.")
        chunks = [(b"Comp", self.state.component)]
        if self.state.controller:
            chunks.append((b"Cont", self.state.controller))
        offset = _HEAD.size
        entries = b""
        for name, data in chunks:
            entries += _ENTRY.pack(name, offset, len(data))
            offset += len(data)
        head = _HEAD.pack(b"VST3", 1, class_id.encode(), offset)
        body = b"".join(data for _, data in chunks)
        return head + body + struct.pack("<4si", b"List", len(chunks)) + entries


def parse_vstpreset(data: bytes, source: str = "the .vstpreset") -> Vst3Preset:
    """Read a `.vstpreset`.

    Raises:
        PresetError: another kind of file, one cut short, or one without a processor's block.
    """
    if data[:4] != b"VST3":
        raise PresetError(f"{source} begins with {data[:4]!r}: a .vstpreset begins with 'VST3'.")
    try:
        _, _, class_id, list_offset = _HEAD.unpack_from(data)
        name, count = struct.unpack_from("<4si", data, list_offset)
        if name != b"List":
            raise struct.error(f"no chunk list at byte {list_offset}")
        entries = [
            _ENTRY.unpack_from(data, list_offset + 8 + k * _ENTRY.size) for k in range(count)
        ]
    except struct.error as error:
        raise PresetError(f"{source} is cut short: {error}.") from error
    chunks = {name: data[offset : offset + size] for name, offset, size in entries}
    if b"Comp" not in chunks:
        raise PresetError(f"{source} has no 'Comp' chunk: it holds no sound.")
    return Vst3Preset(
        class_id.decode("ascii"), Vst3State(chunks[b"Comp"], chunks.get(b"Cont", b""))
    )


def juce_base64(data: bytes) -> str:
    """Bytes in JUCE's own encoding; see the top of this file."""
    letters = []
    for start in range(0, len(data), 3):
        group = int.from_bytes(data[start : start + 3], "little")
        letters += [_ALPHABET[group >> shift & 63] for shift in (0, 6, 12, 18)]
    return f"{len(data)}." + "".join(letters[: (len(data) * 8 + 5) // 6])


def from_juce_base64(text: str) -> bytes:
    """The way back of `juce_base64`.

    Raises:
        PresetError: a text that is not in this encoding.
    """
    count, full_stop, letters = text.strip().partition(".")
    if not full_stop or not count.isdigit() or not set(letters) <= set(_ALPHABET):
        raise PresetError(f"{text[:40]!r} is not a block in JUCE's encoding.")
    size = int(count)
    if len(letters) != (size * 8 + 5) // 6:
        raise PresetError(f"a block of {size} bytes in JUCE's encoding has {len(letters)} letters.")
    decoded = bytearray()
    for start in range(0, len(letters), 4):
        values = [_VALUE_OF[letter] for letter in letters[start : start + 4]]
        group = sum(value << 6 * place for place, value in enumerate(values))
        decoded += group.to_bytes(3, "little")
    return bytes(decoded[:size])


def juce_state(state: Vst3State) -> bytes:
    """The block in which a JUCE host keeps a VST 3 plug-in's state."""
    controller = (
        f"<IEditController>{juce_base64(state.controller)}</IEditController>"
        if state.controller
        else ""
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?> <VST3PluginState>'
        f"<IComponent>{juce_base64(state.component)}</IComponent>{controller}</VST3PluginState>"
    ).encode()
    return _STATE_HEAD.pack(b"VC2!", len(xml)) + xml + b"\0"


def parse_juce_state(data: bytes, source: str = "the plug-in's state") -> Vst3State:
    """The way back of `juce_state`.

    Raises:
        PresetError: another kind of block.
    """
    if data[:4] != b"VC2!" or len(data) < _STATE_HEAD.size:
        raise PresetError(f"{source} begins with {data[:4]!r}: a VST 3 state begins with 'VC2!'.")
    _, length = _STATE_HEAD.unpack_from(data)
    try:
        root = ET.fromstring(data[_STATE_HEAD.size : _STATE_HEAD.size + length])
    except ET.ParseError as error:
        raise PresetError(f"{source} is not the XML of a VST 3 state: {error}.") from error
    component = root.findtext("IComponent")
    if component is None:
        raise PresetError(f"{source} has no IComponent: it holds no sound.")
    controller = root.findtext("IEditController")
    return Vst3State(
        from_juce_base64(component), from_juce_base64(controller) if controller else b""
    )
