"""The VST 2 preset containers, `.fxp` (one program) and `.fxb` (a bank).

Both begin with the four characters `CcnK` and are big-endian throughout. What follows depends on
whether the plug-in describes itself by a block of its own ("chunk") or by its parameters alone:

    CcnK size FPCh 1 id version parameters name[28] length chunk       one program, as a chunk
    CcnK size FxCk 1 id version parameters name[28] float32...         one program, as parameters
    CcnK size FBCh v id version programs current reserved[124] length chunk   a bank, as a chunk
    CcnK size FxBk v id version programs current reserved[124] FxCk...        a bank of programs

`size` counts the bytes after itself; some hosts write 0 there, so it is not believed on reading.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from deepdiva.errors import PresetError

_MAGIC = b"CcnK"
_HEAD = struct.Struct(">4si4si4sii")
_NAME_BYTES = 28
_BANK_RESERVED = 128  # the number of the current program, and 124 bytes for the future


@dataclass(frozen=True)
class PluginIdentity:
    """Who wrote a container: it is meant for no other plug-in.

    Attributes:
        unique_id: the four characters that the maker registered, such as `b"DiVa"`.
        version: the plug-in's version as the plug-in counts it.
    """

    unique_id: bytes
    version: int = 1


@dataclass(frozen=True)
class ChunkBank:
    """A bank that holds the plug-in's own block (`FBCh`)."""

    identity: PluginIdentity
    chunk: bytes
    programs: int = 1

    def to_bytes(self) -> bytes:
        body = bytes(_BANK_RESERVED) + struct.pack(">i", len(self.chunk)) + self.chunk
        return _container(b"FBCh", self.identity, self.programs, body)


@dataclass(frozen=True)
class ChunkProgram:
    """One program that holds the plug-in's own block (`FPCh`).

    Attributes:
        parameters: how many parameters the plug-in has.
        name: shown by hosts; cut to 27 bytes of ASCII.
    """

    identity: PluginIdentity
    chunk: bytes
    parameters: int
    name: str = ""

    def to_bytes(self) -> bytes:
        body = _name_field(self.name) + struct.pack(">i", len(self.chunk)) + self.chunk
        return _container(b"FPCh", self.identity, self.parameters, body)


@dataclass(frozen=True)
class ParameterProgram:
    """One program as a list of the host's values in [0, 1] (`FxCk`)."""

    identity: PluginIdentity
    values: tuple[float, ...]
    name: str = ""

    def to_bytes(self) -> bytes:
        body = _name_field(self.name) + struct.pack(f">{len(self.values)}f", *self.values)
        return _container(b"FxCk", self.identity, len(self.values), body)


Vst2File = ChunkBank | ChunkProgram | ParameterProgram


def parse_vst2(data: bytes, source: str = "the VST 2 preset") -> Vst2File:
    """Read an `.fxp` or `.fxb`. Of a bank of parameter programs, the current one is returned.

    Raises:
        PresetError: another kind of file, or one cut short.
    """
    if data[:4] != _MAGIC:
        raise PresetError(f"{source} begins with {data[:4]!r}: an .fxp or .fxb begins with 'CcnK'.")
    try:
        _, _, kind, _, unique_id, version, count = _HEAD.unpack_from(data)
        identity = PluginIdentity(unique_id, version)
        if kind == b"FBCh":
            return ChunkBank(identity, _block(data, _HEAD.size + _BANK_RESERVED), count)
        if kind == b"FxBk":
            return _current_program(data, count, source)
        name = data[_HEAD.size : _HEAD.size + _NAME_BYTES].split(b"\0")[0].decode("latin-1")
        if kind == b"FPCh":
            return ChunkProgram(identity, _block(data, _HEAD.size + _NAME_BYTES), count, name)
        if kind == b"FxCk":
            values = struct.unpack_from(f">{count}f", data, _HEAD.size + _NAME_BYTES)
            return ParameterProgram(identity, values, name)
    except struct.error as error:
        raise PresetError(f"{source} is cut short: {error}.") from error
    raise PresetError(f"{source} is of the kind {kind!r}: it must be FPCh, FxCk, FBCh or FxBk.")


def _container(kind: bytes, identity: PluginIdentity, count: int, body: bytes) -> bytes:
    head = _HEAD.pack(
        _MAGIC, _HEAD.size - 8 + len(body), kind, 1, identity.unique_id, identity.version, count
    )
    return head + body


def _name_field(name: str) -> bytes:
    return name.encode("ascii", "replace")[: _NAME_BYTES - 1].ljust(_NAME_BYTES, b"\0")


def _block(data: bytes, offset: int) -> bytes:
    (length,) = struct.unpack_from(">i", data, offset)
    block = data[offset + 4 : offset + 4 + length]
    if len(block) != length:
        raise struct.error(f"{length} bytes are announced and {len(block)} are there")
    return block


def _current_program(data: bytes, count: int, source: str) -> Vst2File:
    (current,) = struct.unpack_from(">i", data, _HEAD.size)
    start = _HEAD.size + _BANK_RESERVED
    size = (len(data) - start) // max(count, 1)
    return parse_vst2(data[start + max(current, 0) * size :], source)
