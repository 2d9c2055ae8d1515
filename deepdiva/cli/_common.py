"""What commands share: options that are declared once, files from arguments, and the console.

A group of options is a decorator that hands one object to the command:

    @click.command()
    @note_options
    @space_options
    @seed_option
    def command(note: Note, space: SpaceChoice, seed: int) -> None:
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from deepdiva.cli._key import key
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.hosts.quality import (
    ACCURACIES,
    OFFLINE_ACCURACIES,
    Accuracy,
    DivaQuality,
    OfflineAccuracy,
)
from deepdiva.note import Note
from deepdiva.renderers import RENDERERS, make_renderer, renderer_kind
from deepdiva.synths.diva.space import EXAMPLE_FREE, EXAMPLE_LOCK

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.parameters import ParameterTable
    from deepdiva.renderer import Renderer
    from deepdiva.space import ParameterSpace
    from deepdiva.synths.diva.preset import Preset

PRESET_SUFFIX = ".h2p"
STATE_SUFFIXES = (".fxp", ".fxb", ".vstpreset")  # of presets of other plug-ins

Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def gathered(name: str, build: Callable[..., object], options: dict[str, Option]) -> Option:
    """A decorator that declares options and hands the command one argument made of them.

    Args:
        name: of the command's argument.
        build: gets the options' values by keyword and returns the argument.
        options: click options under the names of `build`'s keywords, in the order of the help.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(*args: Any, **kwargs: Any) -> Any:
            kwargs[name] = build(**{keyword: kwargs.pop(keyword) for keyword in options})
            return function(*args, **kwargs)

        decorated: Callable[..., Any] = command
        for option in reversed(options.values()):
            decorated = option(decorated)
        return decorated

    return decorate


def typed(name: str) -> bool:
    """Whether a parameter of the command stands on the command line."""
    from click.core import ParameterSource

    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


_NOTE = {field.name: field.default for field in fields(Note)}

note_options = gathered(
    "note",
    Note,
    {
        "pitch": click.option(
            "--note-pitch",
            "--midi-note-pitch",
            "pitch",
            type=key,
            default=_NOTE["pitch"],
            show_default=True,
            help="MIDI note, 0 to 127, or its name: 48 is C3, 60 the middle C, C4.",
        ),
        "velocity": click.option(
            "--velocity",
            "--midi-note-velocity",
            "velocity",
            type=int,
            default=_NOTE["velocity"],
            show_default=True,
            help="MIDI velocity, 1 to 127.",
        ),
        "length_seconds": click.option(
            "--note-length",
            "--note-length-seconds",
            "length_seconds",
            type=float,
            default=_NOTE["length_seconds"],
            show_default=True,
            help="Seconds that the key is held.",
        ),
        "render_seconds": click.option(
            "--render-length",
            "--render-length-seconds",
            "render_seconds",
            type=float,
            default=_NOTE["render_seconds"],
            show_default=True,
            help="Seconds of sound; more than the note's leave room for its release.",
        ),
        "sample_rate": click.option(
            "--sample-rate",
            type=int,
            default=_NOTE["sample_rate"],
            show_default=True,
            help="Samples per second.",
        ),
    },
)
"""Options for the note; the command gets `note: Note`."""


@dataclass(frozen=True)
class SpaceChoice:
    """What the user said about the parameters that are searched.

    Attributes:
        base: preset that holds the others: an `.h2p`, or for another plug-in than Diva its own
            preset file; None for the built-in one, or for the plug-in as it loads.
        free: names or indices as typed; None for the default ones, of another plug-in all.
        lock: `NAME=VALUE` as typed.
    """

    base: Path | None
    free: str | None
    lock: tuple[str, ...]

    @property
    def state(self) -> Path | None:
        """The base preset, if it is of another plug-in than Diva."""
        is_state = self.base is not None and self.base.suffix.lower() in STATE_SUFFIXES
        return self.base if is_state else None

    def preset(self) -> Preset:
        """The base preset, or the built-in one if it is of another plug-in.

        Raises:
            MissingFileError: it does not exist.
            PresetError: it is no preset of Diva.
        """
        from deepdiva.synths.diva.preset import Preset

        if self.base is None or self.state is not None:
            return Preset.template()
        return Preset.read(self.base)

    def space(self, preset: Preset, table: ParameterTable) -> ParameterSpace:
        """The parameter space around a base preset.

        Args:
            preset: of Diva; another table's defaults stand for it.
            table: of the renderer, which holds the values of `state` as its defaults.

        Raises:
            UnknownNameError: a parameter that the table does not have.
            InvalidValueError: a value outside its range, nothing left free, or a base preset of
                another synthesizer.
        """
        from deepdiva.space import ParameterSpace, parse_free, parse_lock
        from deepdiva.synths import synthesizer_of

        synthesizer = synthesizer_of(table)
        has_presets = bool(synthesizer.preset_suffix)
        if self.base is not None and has_presets != (self.state is None):
            raise InvalidValueError(
                f"{self.base} is no preset of {table.name}: --base takes one of the synthesizer "
                "that renders."
            )
        free = synthesizer.default_free if self.free is None else parse_free(table, self.free)
        locks = dict(parse_lock(table, text) for text in self.lock)
        values = preset.values() if has_presets else table.defaults()
        return ParameterSpace(table, values, free).locked(locks)


space_options = gathered(
    "space",
    SpaceChoice,
    {
        "base": click.option(
            "--base",
            "--base-preset",
            "base",
            type=click.Path(path_type=Path),
            metavar="PRESET",
            help="Preset that holds every parameter that is not free.  [default: MS-REV1; of "
            "another plug-in, the values that it loads with]",
        ),
        "free": click.option(
            "--free",
            "--random-parameters",
            "free",
            metavar="NAMES",
            help=f"Free parameters, names or indices: '{EXAMPLE_FREE}', '86 131 148'.  "
            "[default: the 11 of MS-REV1; of another plug-in all]",
        ),
        "lock": click.option(
            "--lock",
            multiple=True,
            metavar="NAME=VALUE",
            help=f"Hold a parameter at a value, such as {EXAMPLE_LOCK}; may be given again.",
        ),
    },
)
"""Options for the free parameters; the command gets `space: SpaceChoice`."""


@dataclass(frozen=True)
class RendererChoice:
    """What the user said about the synthesizer that renders.

    Attributes:
        name: one of `RENDERERS`; None for the usual one.
        plugin: path of a plug-in; None for the embedded engine, or for Diva where it is installed.
        diva_accuracy: of Diva itself, for the three see `DivaQuality`.
        diva_offline: of Diva itself.
        diva_multicore: of Diva itself.
    """

    name: str | None
    plugin: Path | None
    diva_accuracy: Accuracy = DivaQuality.accuracy
    diva_offline: OfflineAccuracy = DivaQuality.offline
    diva_multicore: bool = DivaQuality.multicore

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded engine renders."""
        return not renderer_kind(self.name, self.plugin).plays_plugins

    def open(
        self,
        preset: Preset,
        *,
        workers: int = 1,
        mode: Literal["reuse", "fresh"] = "reuse",
        state: Path | None = None,
    ) -> Renderer:
        """A renderer for patches of a preset, for the caller to close.

        Takes and raises what `make_renderer` does.
        """
        return make_renderer(
            self.name,
            self.plugin,
            workers=workers,
            mode=mode,
            preset=preset,
            state=state,
            quality=self.quality,
        )

    @property
    def quality(self) -> DivaQuality:
        """What was asked of Diva itself."""
        return DivaQuality(self.diva_accuracy, self.diva_offline, self.diva_multicore)


renderer_options = gathered(
    "renderer",
    RendererChoice,
    {
        "name": click.option(
            "--renderer",
            "name",
            type=click.Choice(RENDERERS),
            help="What renders.  [default: embedded; with --plugin dawdreamer]",
        ),
        "plugin": click.option(
            "--plugin",
            "--vst-path",
            "plugin",
            type=click.Path(path_type=Path),
            help="VST plug-in that renders in place of the embedded engine.",
        ),
        "diva_accuracy": click.option(
            "--diva-accuracy",
            type=click.Choice(ACCURACIES),
            default=DivaQuality.accuracy,
            show_default=True,
            help="Of Diva itself: the finer, the slower.",
        ),
        "diva_offline": click.option(
            "--diva-offline",
            type=click.Choice(OFFLINE_ACCURACIES),
            default=DivaQuality.offline,
            show_default=True,
            help="Of Diva itself: 'best' lets it raise the accuracy by itself.",
        ),
        "diva_multicore": click.option(
            "--diva-multicore",
            is_flag=True,
            help="Of Diva itself: spread each instance over cores.",
        ),
    },
)
"""Options for the synthesizer; the command gets `renderer: RendererChoice`."""

plugin_mode_option = click.option(
    "--plugin-mode",
    type=click.Choice(["reuse", "fresh"]),
    default="reuse",
    show_default=True,
    help="Of a plug-in: fast, or repeatable to the bit.",
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of everything that is drawn at random.",
)
jobs_option = click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    metavar="N",
    help="Workers side by side.  [default: one for each core]",
)
force_option = click.option("--force", is_flag=True, help="Overwrite files that exist.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON on stdout."
)


def make_output(folder: Path) -> None:
    """Make the folder of the results; if the command leaves nothing in it, it goes away again.

    Args:
        folder: made with its parents where they are missing; of an older one nothing is taken.

    Raises:
        InvalidValueError: a file, or a link to nothing, is in its place.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InvalidValueError(
            f"{error.filename} is no folder: name another with --output."
        ) from error
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(functools.partial(_remove_empty, made))


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, the innermost first, up to the first that holds something."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def collect_files(paths: Sequence[Path], suffixes: Iterable[str]) -> list[Path]:
    """Files named by arguments; a folder stands for the files below it (`files_below`).

    Args:
        paths: files, taken whatever their suffix, and folders.
        suffixes: in lower case with the dot; what is taken from a folder.

    Returns:
        In the order of the arguments, those of a folder sorted; none twice.

    Raises:
        MissingFileError: a path that does not exist.
        InvalidValueError: a folder without any such file.
    """
    from deepdiva.files import files_below

    wanted = frozenset(suffixes)
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = files_below(path, wanted)
            if not inside:
                raise InvalidValueError(f"{path} holds no {' or '.join(sorted(wanted))} file.")
            files.update(dict.fromkeys(inside))
        elif path.exists():
            files[path] = None
        else:
            raise MissingFileError(f"{path} does not exist.")
    return list(files)


def console() -> Console:
    """Rich console on stderr, so that stdout holds nothing but results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def grouped(reasons: dict[str, str]) -> str:
    """Parameters in a sentence, those of one reason together."""
    names: dict[str, list[str]] = {}
    for parameter, reason in reasons.items():
        names.setdefault(reason, []).append(parameter)
    return "; ".join(f"{', '.join(group)} ({reason})" for reason, group in names.items())


def print_json(result: object) -> None:
    """Print a result on stdout for scripts; it may hold paths."""
    click.echo(json.dumps(result, indent=2, default=os.fspath, allow_nan=False))
