"""Which synthesizer to play with, by the name that the command line uses.

Nothing but the renderer that is asked for is imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from deepdiva.errors import InvalidValueError, MissingFileError

if TYPE_CHECKING:
    from deepdiva.hosts.quality import DivaQuality
    from deepdiva.renderer import Renderer
    from deepdiva.synths.diva.preset import Preset

RendererName = Literal["embedded", "dawdreamer", "renderman"]
RENDERERS: tuple[RendererName, ...] = get_args(RendererName)


def make_renderer(
    name: str | None = None,
    plugin: Path | str | None = None,
    *,
    workers: int = 1,
    mode: Literal["reuse", "fresh"] = "reuse",
    preset: Preset | None = None,
    state: Path | str | None = None,
    quality: DivaQuality | None = None,
) -> Renderer:
    """Make the renderer of a name.

    Args:
        name: one of `RENDERERS`. None stands for `dawdreamer` where a plug-in is named, and for
            `embedded` where none is.
        plugin: path of the plug-in. Without it, a plug-in host takes Diva from the usual folders.
        workers: processes of a plug-in host; the embedded engine is spread by its caller.
        mode: of a plug-in host: `reuse` is fast, `fresh` repeats itself exactly.
        preset: of Diva, whatever in it is no parameter: trimmers, tuning, further keys.
        state: preset file of another plug-in (`.fxp`, `.fxb`, `.vstpreset`): its values are then
            the defaults of the table, and whatever in it is no parameter is kept.
        quality: of Diva itself; None for the defaults.

    Raises:
        InvalidValueError: an unknown name, or options that do not go together.
        MissingFileError: there is no such plug-in or preset, or none was named and Diva is in none
            of the usual folders.
    """
    if name is None:
        name = "embedded" if plugin is None else "dawdreamer"
    if name not in RENDERERS:
        raise InvalidValueError(f"renderer {name!r}: it must be one of {', '.join(RENDERERS)}.")
    if name == "embedded":
        return _embedded(plugin, preset, state)
    from deepdiva.hosts.plugin_renderer import PluginRenderer
    from deepdiva.hosts.quality import DivaQuality
    from deepdiva.hosts.settings import PluginSettings

    path = _diva_of(cast("RendererName", name)) if plugin is None else Path(plugin)
    if not path.expanduser().exists():
        raise MissingFileError(
            f"{path} does not exist: --plugin takes the path of a plug-in; `deepdiva doctor` lists "
            "those in the usual folders."
        )
    settings = PluginSettings(
        plugin=path,
        host=name,
        mode=mode,
        workers=workers,
        quality=DivaQuality() if quality is None else quality,
        state=b"" if state is None else _bytes_of(Path(state)),
    )
    return PluginRenderer(settings, preset)


def _embedded(
    plugin: Path | str | None, preset: Preset | None, state: Path | str | None
) -> Renderer:
    if plugin is not None:
        raise InvalidValueError(
            f"--plugin {plugin} and the embedded engine: leave one out, or say --renderer "
            "dawdreamer."
        )
    if state is not None:
        raise InvalidValueError(
            f"{state} is no preset of Diva: name the plug-in that it belongs to by --plugin."
        )
    from deepdiva.engine import EmbeddedRenderer

    return EmbeddedRenderer(detune_pots=None if preset is None else preset.detune_pots())


def _diva_of(name: RendererName) -> Path:
    from deepdiva.hosts.discovery import find_diva, find_plugins

    diva = find_diva(find_plugins(), ("vst2",) if name == "renderman" else ("vst3", "vst2"))
    if diva is None:
        raise MissingFileError(
            f"Diva is in none of the usual folders: name it by --plugin, as {name} needs one. "
            "`deepdiva doctor` lists folders and plug-ins."
        )
    return diva.path


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist.")
    return path.read_bytes()
