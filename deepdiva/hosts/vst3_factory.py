"""Which classes a VST 3 module holds, read from the module itself.

A `.vstpreset` names its plug-in by the plug-in's class id, and no host library tells it. The module
does: it exports `GetPluginFactory`, which returns a pointer to an object whose table of functions
is laid down in Steinberg's published interface (`pluginterfaces/base/ipluginbase.h`):

    IPluginFactory    0 queryInterface  1 addRef  2 release  3 getFactoryInfo  4 countClasses
                      5 getClassInfo    6 createInstance
    IPluginFactory2   7 getClassInfo2, which adds the version

The module's code runs in this process, so this too is done in worker processes only.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from deepdiva.errors import RenderError

_FACTORY_2 = bytes.fromhex("0007B650F24B4C0BA464EDB9F00B2ABB")
_RESULT_OK = 0
_INSTRUMENT = "Audio Module Class"
_PROCESSORS = {"amd64": "x86_64", "arm64": "aarch64"}  # systems differ in what they call them


class _ClassInfo(ctypes.Structure):
    _fields_ = (
        ("class_id", ctypes.c_ubyte * 16),
        ("cardinality", ctypes.c_int32),
        ("category", ctypes.c_char * 32),
        ("name", ctypes.c_char * 64),
    )


class _ClassInfo2(ctypes.Structure):
    _fields_ = (
        *_ClassInfo._fields_,
        ("flags", ctypes.c_uint32),
        ("subcategories", ctypes.c_char * 128),
        ("vendor", ctypes.c_char * 64),
        ("version", ctypes.c_char * 64),
        ("sdk_version", ctypes.c_char * 64),
    )


@dataclass(frozen=True)
class Vst3Class:
    """One entry of a module's factory.

    Attributes:
        class_id: 32 hexadecimal digits, as a `.vstpreset` spells it.
        category: `Audio Module Class` for what makes or changes sound.
        version: empty where the module does not tell.
    """

    class_id: str
    category: str
    name: str
    version: str


def instrument_class(plugin: Path) -> Vst3Class:
    """The class that a host loads from a module: its first audio class.

    Raises:
        RenderError: the module cannot be opened, or holds no such class.
    """
    for entry in classes_of(factory_of(plugin)):
        if entry.category == _INSTRUMENT:
            return entry
    raise RenderError(f"{plugin} holds no class of the category {_INSTRUMENT!r}.")


def factory_of(plugin: Path) -> int:
    """Open a module and return the address of its factory.

    A bundle may hold libraries for several processors. Which of them opens decides: the processor
    of the machine need not be that of this process.

    Raises:
        RenderError: the module cannot be opened.
    """
    faults = []
    for binary in binaries_of(plugin):
        try:
            library = ctypes.CDLL(str(binary))
            _enter(library, plugin)
            get_factory = library.GetPluginFactory
        except (OSError, AttributeError) as error:
            faults.append(str(error))
            continue
        get_factory.restype = ctypes.c_void_p
        address = get_factory()
        if not address:
            raise RenderError(f"{plugin} returns no factory.")
        return int(address)
    raise RenderError(f"{plugin} is no VST 3 module: {'; '.join(faults)}.")


def binaries_of(plugin: Path) -> list[Path]:
    """The shared libraries of a module: the file itself, or those in a bundle.

    Returns:
        At least one. Those for the processor of this machine come first.

    Raises:
        RenderError: the bundle holds none for this operating system.
    """
    if plugin.is_file():
        return [plugin]
    pattern = {"darwin": "MacOS/*", "win32": "*-win/*.vst3"}.get(sys.platform, "*-linux/*.so")
    found = sorted(plugin.glob(f"Contents/{pattern}"))
    if not found:
        raise RenderError(f"{plugin} holds no library for this operating system ({pattern}).")
    here = _processor(platform.machine())
    # A folder is called after processor and system: `x86_64-linux`.
    return sorted(found, key=lambda binary: _processor(binary.parent.name.split("-")[0]) != here)


def _processor(name: str) -> str:
    return _PROCESSORS.get(name.lower(), name.lower())


def classes_of(factory: int) -> tuple[Vst3Class, ...]:
    """The classes of a factory.

    Args:
        factory: address of an IPluginFactory.
    """
    second = ctypes.c_void_p()
    query = _method(factory, 0, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p))
    is_second = query(factory, _wire_order(_FACTORY_2), ctypes.byref(second)) == _RESULT_OK
    count = _method(factory, 4)(factory)
    classes = []
    for index in range(count):
        if is_second and second.value:
            newer = _ClassInfo2()
            get = _method(second.value, 7, ctypes.c_int32, ctypes.POINTER(_ClassInfo2))
            if get(second.value, index, ctypes.byref(newer)) == _RESULT_OK:
                classes.append(_class(newer, newer.version))
                continue
        info = _ClassInfo()
        get = _method(factory, 5, ctypes.c_int32, ctypes.POINTER(_ClassInfo))
        if get(factory, index, ctypes.byref(info)) == _RESULT_OK:
            classes.append(_class(info, b""))
    return tuple(classes)


def _enter(library: ctypes.CDLL, plugin: Path) -> None:
    """Call the entry function that the operating system's flavour of the interface asks for."""
    if sys.platform == "darwin":
        foundation = ctypes.CDLL(
            "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
        )
        foundation.CFURLCreateFromFileSystemRepresentation.restype = ctypes.c_void_p
        foundation.CFBundleCreate.restype = ctypes.c_void_p
        path = str(plugin).encode()
        url = foundation.CFURLCreateFromFileSystemRepresentation(None, path, len(path), True)
        bundle = foundation.CFBundleCreate(None, ctypes.c_void_p(url))
        library.bundleEntry(ctypes.c_void_p(bundle))
    elif sys.platform == "win32":
        if hasattr(library, "InitDll"):
            library.InitDll()
    else:
        library.ModuleEntry(ctypes.c_void_p(library._handle))  # noqa: SLF001  (ctypes has no other)


def _method(instance: int, place: int, *arguments: type) -> ctypes._CFunctionType:
    """A method of a COM-like object by its place in the table of functions."""
    pointers = ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))
    address = ctypes.cast(instance, pointers)[0][place]
    return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, *arguments)(address)


def _class(info: _ClassInfo | _ClassInfo2, version: bytes) -> Vst3Class:
    raw = bytes(info.class_id)
    class_id = _wire_order(raw).hex().upper()
    return Vst3Class(
        class_id,
        info.category.decode("utf-8", "replace"),
        info.name.decode("utf-8", "replace"),
        version.decode("utf-8", "replace"),
    )


def _wire_order(identifier: bytes) -> bytes:
    """Identifiers lie in memory as they are written, but on Windows as COM keeps its GUIDs."""
    return uuid.UUID(bytes=identifier).bytes_le if sys.platform == "win32" else identifier
