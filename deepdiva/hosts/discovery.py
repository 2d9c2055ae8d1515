"""Where plug-ins lie, and which are there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepdiva.hosts.host import PluginFormat

_SUFFIXES: dict[tuple[str, PluginFormat], tuple[str, ...]] = {
    ("linux", "vst2"): (".so",),
    ("darwin", "vst2"): (".vst",),
    ("win32", "vst2"): (".dll",),
    ("linux", "vst3"): (".vst3",),
    ("darwin", "vst3"): (".vst3",),
    ("win32", "vst3"): (".vst3",),
}
_DEPTH = 4  # folders below a plug-in folder: makers like to have one of their own


@dataclass(frozen=True)
class PluginFile:
    """A plug-in in one of the usual folders."""

    path: Path
    format: PluginFormat

    @property
    def looks_like_diva(self) -> bool:
        """By its file name: `Diva.vst3`, `Diva(x64).dll`, `Diva.64.so`."""
        word = "".join(letter if letter.isalnum() else " " for letter in self.path.name).split()
        return word[0].lower() == "diva"


def plugin_folders(
    platform: str = sys.platform,
    home: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> list[tuple[PluginFormat, Path]]:
    """The folders in which hosts look for plug-ins, those of the user first.

    `VST_PATH` and `VST3_PATH` in the environment come before all others.

    Args:
        platform: `linux`, `darwin` or `win32`, as `sys.platform`.
        home: of the user; None for this one's.
        environment: variables.
    """
    user = Path.home() if home is None else home
    folders: list[tuple[PluginFormat, Path]] = []
    for variable, kind in (("VST_PATH", "vst2"), ("VST3_PATH", "vst3")):
        parts = environment.get(variable, "").split(os.pathsep)
        folders += [(_format(kind), Path(part)) for part in parts if part]
    if platform == "darwin":
        for root in (user, Path("/")):
            base = root / "Library/Audio/Plug-Ins"
            folders += [("vst3", base / "VST3"), ("vst2", base / "VST")]
    elif platform == "win32":
        programs = Path(environment.get("PROGRAMFILES", "C:/Program Files"))
        common = Path(environment.get("COMMONPROGRAMFILES", str(programs / "Common Files")))
        local = environment.get("LOCALAPPDATA")
        if local:
            folders.append(("vst3", Path(local) / "Programs/Common/VST3"))
        folders += [
            ("vst3", common / "VST3"),
            ("vst2", programs / "VSTPlugins"),
            ("vst2", programs / "Steinberg/VstPlugins"),
            ("vst2", common / "VST2"),
        ]
    else:
        for root, dot in ((user, "."), (Path("/usr/local/lib"), ""), (Path("/usr/lib"), "")):
            folders += [("vst3", root / f"{dot}vst3"), ("vst2", root / f"{dot}vst")]
        folders.append(("vst2", user / ".u-he"))
    return folders


def find_plugins(
    folders: Iterable[tuple[PluginFormat, Path]] | None = None, platform: str = sys.platform
) -> list[PluginFile]:
    """The plug-ins in folders, sorted by name within each; links and copies are all listed.

    Args:
        folders: with the format that each holds; None for `plugin_folders()`.
        platform: decides the suffixes.
    """
    found: dict[Path, PluginFile] = {}
    for kind, folder in plugin_folders() if folders is None else folders:
        suffixes = _SUFFIXES.get((platform, kind), _SUFFIXES["linux", kind])
        for path in sorted(_below(folder, suffixes, _DEPTH), key=lambda path: path.name.lower()):
            found.setdefault(path, PluginFile(path, kind))
    return list(found.values())


def find_diva(
    plugins: Iterable[PluginFile], formats: Sequence[PluginFormat] = ("vst3", "vst2")
) -> PluginFile | None:
    """The first Diva among plug-ins, in the first of the formats that there is one of."""
    divas = [plugin for plugin in plugins if plugin.looks_like_diva and plugin.format in formats]
    return min(divas, key=lambda plugin: formats.index(plugin.format), default=None)


def _below(folder: Path, suffixes: tuple[str, ...], depth: int) -> Iterable[Path]:
    """Plug-ins in a folder and `depth` more levels; a bundle is not looked into."""
    try:
        entries = list(folder.iterdir())
    except OSError:  # most of the usual folders exist on few machines
        return
    for entry in entries:
        if entry.suffix.lower() in suffixes:
            yield entry
        elif depth and entry.is_dir():
            yield from _below(entry, suffixes, depth - 1)


def _format(kind: str) -> PluginFormat:
    return "vst3" if kind == "vst3" else "vst2"
