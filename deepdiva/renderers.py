"""Which synthesizer to play with, by the name that the command line uses.

Nothing but the renderer that is asked for is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.performance import AT_REST, Performance

if TYPE_CHECKING:
    from deepdiva.hosts.host import PluginFormat
    from deepdiva.hosts.plugin_renderer import PluginRenderer
    from deepdiva.hosts.quality import DivaQuality
    from deepdiva.renderer import Renderer
    from deepdiva.synths.diva.preset import Preset


@dataclass(frozen=True)
class RendererKind:
    """One way to render.

    Attributes:
        name: what the command line calls it, and `RendererInfo`.
        source: `module:class` of the renderer, or of the host that plays plug-ins.
        plays_plugins: whether it needs a plug-in.
        formats: of plug-ins that it plays, the preferred one first.
        performs: whether it plays a `Performance`: chords, wheels, tempo, tuning.
    """

    name: str
    source: str
    plays_plugins: bool = True
    formats: tuple[PluginFormat, ...] = ("vst3", "vst2")
    performs: bool = False

    def load(self) -> type[Any]:
        """The class; nothing is imported before."""
        module, _, name = self.source.partition(":")
        found: type[Any] = getattr(import_module(module), name)
        return found


KINDS: dict[str, RendererKind] = {
    kind.name: kind
    for kind in (
        RendererKind(
            "embedded",
            "deepdiva.synths.diva.panel_renderer:PanelRenderer",
            plays_plugins=False,
            performs=True,
        ),
        RendererKind("dawdreamer", "deepdiva.hosts.dawdreamer:DawDreamerHost"),
        RendererKind("renderman", "deepdiva.hosts.renderman:RenderManHost", formats=("vst2",)),
    )
}
"""A row for each; the first that plays plug-ins, and the first that does not, are the usual ones.
"""

RENDERERS: tuple[str, ...] = tuple(KINDS)


def renderer_kind(name: str | None = None, plugin: Path | str | None = None) -> RendererKind:
    """The row of a name; of None the usual one, with a plug-in or without.

    Raises:
        InvalidValueError: an unknown name.
    """
    if name is None:
        return next(kind for kind in KINDS.values() if kind.plays_plugins == (plugin is not None))
    if name not in KINDS:
        raise InvalidValueError(f"renderer {name!r}: it must be one of {', '.join(RENDERERS)}.")
    return KINDS[name]


def make_renderer(
    name: str | None = None,
    plugin: Path | str | None = None,
    *,
    workers: int = 1,
    mode: Literal["reuse", "fresh"] = "reuse",
    preset: Preset | None = None,
    state: Path | str | None = None,
    quality: DivaQuality | None = None,
    performance: Performance = AT_REST,
    constants: Path | str | None = None,
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
        performance: how the notes are played.
        constants: of the embedded engine: a file of `deepdiva calibrate`, or `builtin`; None for
            the user's own where there are some.

    Raises:
        InvalidValueError: an unknown name, options that do not go together, or a performance
            that the renderer does not play.
        MissingFileError: there is no such plug-in or preset, or none was named and Diva is in none
            of the usual folders.
    """
    kind = renderer_kind(name, plugin)
    if performance != AT_REST and not kind.performs:
        able = ", ".join(each.name for each in KINDS.values() if each.performs)
        raise InvalidValueError(
            f"{kind.name} plays single keys with wheels at rest: leave out chord, glide, tempo, "
            f"wheels and tuning, or say --renderer {able}."
        )
    if not kind.plays_plugins:
        return _without_plugin(kind, plugin, preset, state, performance, constants)
    return make_plugin_renderer(
        kind, plugin, workers=workers, mode=mode, preset=preset, state=state, quality=quality
    )


def make_plugin_renderer(
    kind: RendererKind,
    plugin: Path | str | None = None,
    *,
    workers: int = 1,
    mode: Literal["reuse", "fresh"] = "reuse",
    preset: Preset | None = None,
    state: Path | str | None = None,
    quality: DivaQuality | None = None,
) -> PluginRenderer:
    """Make the renderer of a kind that plays plug-ins.

    Takes and raises what `make_renderer` does.
    """
    from deepdiva.hosts.plugin_renderer import PluginRenderer
    from deepdiva.hosts.quality import DivaQuality
    from deepdiva.hosts.settings import PluginSettings

    path = _diva_of(kind) if plugin is None else Path(plugin)
    if not path.expanduser().exists():
        raise MissingFileError(
            f"{path} does not exist: --plugin takes the path of a plug-in; `deepdiva doctor` lists "
            "those in the usual folders."
        )
    settings = PluginSettings(
        plugin=path,
        host=kind.name,
        mode=mode,
        workers=workers,
        quality=DivaQuality() if quality is None else quality,
        state=b"" if state is None else _bytes_of(Path(state)),
    )
    return PluginRenderer(settings, preset)


def _without_plugin(
    kind: RendererKind,
    plugin: Path | str | None,
    preset: Preset | None,
    state: Path | str | None,
    performance: Performance,
    constants: Path | str | None,
) -> Renderer:
    if plugin is not None:
        raise InvalidValueError(
            f"--plugin {plugin} and the {kind.name} engine: leave one out, or say --renderer "
            f"{renderer_kind(plugin=plugin).name}."
        )
    if state is not None:
        raise InvalidValueError(
            f"{state} is no preset of Diva: name the plug-in that it belongs to by --plugin."
        )
    from deepdiva.synths.diva.own_constants import chosen_constants

    own = chosen_constants(constants)
    given: dict[str, Any] = {"performance": performance} if kind.performs else {}
    if own is not None and own.values:
        given["constants"] = own.values
    renderer: Renderer = kind.load().of_preset(preset, **given)
    return renderer


def _diva_of(kind: RendererKind) -> Path:
    from deepdiva.hosts.discovery import find_diva, find_plugins

    found = find_diva(find_plugins(), kind.formats)
    if found is None:
        raise MissingFileError(
            f"Diva is in none of the usual folders: name it by --plugin, as {kind.name} needs one. "
            "`deepdiva doctor` lists folders and plug-ins."
        )
    return found.path


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist.")
    return path.read_bytes()
