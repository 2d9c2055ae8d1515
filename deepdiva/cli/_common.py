"""What commands share: options that are declared once, files from arguments, and the console.

A group of options is a decorator that hands one object to the command:

    @click.command()
    @note_options
    @space_options
    @seed_option
    def command(note: Note, space: SpaceChoice, seed: int) -> None:
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._key import key
from deepdiva.cli._tables import safe_console
from deepdiva.cluster import BACKENDS, Workers
from deepdiva.hosts.quality import (
    ACCURACIES,
    OFFLINE_ACCURACIES,
    DivaQuality,
)
from deepdiva.note import Note
from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.pipeline.options import Listener, RecordingChoice, RendererChoice, SpaceChoice
from deepdiva.pipeline.outputs import output_folder
from deepdiva.renderers import RENDERERS
from deepdiva.synths.diva.bases import BASES
from deepdiva.synths.diva.space import EXAMPLE_FREE, EXAMPLE_LOCK

if TYPE_CHECKING:
    from rich.console import Console

PRESET_SUFFIX = ".h2p"

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

_NOTE_NAMES = {
    "pitch": ("--note-pitch", "--midi-note-pitch"),
    "velocity": ("--velocity", "--midi-note-velocity"),
    "length_seconds": ("--note-length", "--note-length-seconds"),
    "render_seconds": ("--render-length", "--render-length-seconds"),
}

_sample_rate_option = click.option(
    "--sample-rate",
    type=int,
    default=_NOTE["sample_rate"],
    show_default=True,
    help="Samples per second.",
)

NOTE_OPTIONS: dict[str, Option] = {
    "pitch": click.option(
        *_NOTE_NAMES["pitch"],
        "pitch",
        type=key,
        default=_NOTE["pitch"],
        show_default=True,
        help="MIDI note, 0 to 127, or its name: 48 is C3, 60 the middle C, C4.",
    ),
    "velocity": click.option(
        *_NOTE_NAMES["velocity"],
        "velocity",
        type=int,
        default=_NOTE["velocity"],
        show_default=True,
        help="MIDI velocity, 1 to 127.",
    ),
    "length_seconds": click.option(
        *_NOTE_NAMES["length_seconds"],
        "length_seconds",
        type=float,
        default=_NOTE["length_seconds"],
        show_default=True,
        help="Seconds that the key is held.",
    ),
    "render_seconds": click.option(
        *_NOTE_NAMES["render_seconds"],
        "render_seconds",
        type=float,
        default=_NOTE["render_seconds"],
        show_default=True,
        help="Seconds of sound; more than the note's leave room for its release.",
    ),
    "sample_rate": _sample_rate_option,
}
"""Click options under the fields of `Note`."""

note_options = gathered("note", Note, NOTE_OPTIONS)
"""Options for the note; the command gets `note: Note`."""


_HEARD = {
    "pitch": "MIDI note, 0 to 127, or its name: 48 is C3, 60 the middle C, C4.",
    "velocity": "MIDI velocity, 1 to 127.",
    "length_seconds": "Seconds that the key is held.",
    "render_seconds": "Seconds of sound to match.",
}

note_choice_options = gathered(
    "note",
    NoteChoice,
    {
        **{
            name: click.option(
                *_NOTE_NAMES[name], name, type=kind, help=f"{_HEARD[name]}  [default: {default}]"
            )
            for name, kind, default in (
                ("pitch", key, "by the file's name or chunk, else heard"),
                ("velocity", int, f"by the file's name, else {_NOTE['velocity']}"),
                ("length_seconds", float, "heard"),
                ("render_seconds", float, "heard"),
            )
        },
        "sample_rate": _sample_rate_option,
    },
)
"""Options for the note of a recording, where nothing said is heard; the command gets
`note: NoteChoice`."""


recording_options = gathered(
    "recording",
    RecordingChoice,
    {
        "part_start": click.option(
            "--start",
            "part_start",
            type=float,
            help="Where in the file the sound begins.  [default: heard]",
        ),
        "part_length": click.option(
            "--length", "part_length", type=float, help="Seconds of the file to take."
        ),
        "channel": click.option(
            "--channel",
            type=click.IntRange(min=1),
            help="Channel to take, from 1 on.  [default: those that hold the note]",
        ),
        "keep_tuning": click.option(
            "--keep-tuning",
            is_flag=True,
            help="Write the recording's own tuning into the preset; without, it plays in tune.",
        ),
    },
)
"""Options for the recordings; the command gets `recording: RecordingChoice`."""

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
            help="Preset that holds every parameter that is not free: a file, or one that is built "
            f"in: {', '.join(BASES)}.  [default: MS-REV1; of another plug-in, the values that it "
            "loads with]",
        ),
        "free": click.option(
            "--free",
            "--random-parameters",
            "free",
            metavar="NAMES",
            help=f"Free parameters, names, patterns or indices: '{EXAMPLE_FREE}', 'VCF1.*', "
            "'86 131 148'; all: the whole panel; ms-rev1: 11 of one voice.  [default: of refine "
            "all, elsewhere ms-rev1; of another plug-in all]",
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


def _renderer_choice(**given: Any) -> RendererChoice:
    """The choice; where the engine plays with the user's own constants, that is said."""
    choice = RendererChoice(**given)
    sentence = choice.own_constants()
    if sentence:
        say(console(), sentence)
    return choice


renderer_options = gathered(
    "renderer",
    _renderer_choice,
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
        "constants": click.option(
            "--constants",
            metavar="FILE",
            help="Constants of the embedded engine, as `deepdiva calibrate` finds them, or "
            "`builtin`.  [default: those of your own plug-in where it was calibrated]",
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


_WORKERS: dict[str, Option] = {
    "jobs": jobs_option,
    "backend": click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        help="Threads, processes, or a cluster.  [default: on this machine]",
    ),
    "scheduler": click.option("--scheduler", metavar="ADDRESS", help="Of the Dask or Ray cluster."),
    "shared": click.option(
        "--shared",
        is_flag=True,
        help="All machines of the cluster see the folders by the same paths: names travel, and no "
        "contents.",
    ),
}

workers_options = gathered("workers", Workers, _WORKERS)
"""Options for who does the work; the command gets `workers: Workers`."""


@dataclass(frozen=True)
class WorkChoice:
    """What the user said about the work.

    Attributes:
        seed: of everything that is drawn at random.
        workers: who does it.
    """

    seed: int
    workers: Workers

    @classmethod
    def of(cls, seed: int, **workers: Any) -> WorkChoice:
        """From the values of the options."""
        return cls(seed, Workers(**workers))

    @property
    def jobs(self) -> int | None:
        """Workers; None for one for each core."""
        return self.workers.jobs


work_options = gathered("work", WorkChoice.of, {"seed": seed_option, **_WORKERS})
"""Options for the work; the command gets `work: WorkChoice`."""

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
    click.get_current_context().with_resource(output_folder(folder))


def console() -> Console:
    """Rich console on stderr, so that stdout holds nothing but results."""
    return safe_console(stderr=True)


def warn(screen: Console, sentence: str) -> None:
    """Print what the user should know, on stderr."""
    screen.print(sentence, style="yellow", markup=False, soft_wrap=True)


def say(screen: Console, sentence: str) -> None:
    """Print what the user may want to know, on stderr."""
    screen.print(sentence, style="dim", markup=False, soft_wrap=True)


def listener(screen: Console) -> Listener:
    """Shows what is said along the way, on stderr."""
    return Listener(functools.partial(say, screen), functools.partial(warn, screen))


def print_json(result: object) -> None:
    """Print a result on stdout for scripts; it may hold paths."""
    click.echo(json.dumps(result, indent=2, default=os.fspath, allow_nan=False))


def part_options(function: Callable[..., None]) -> Callable[..., None]:
    """`--start`, `--length` and `--channel` of a command that takes a part of a recording."""
    for option in (
        click.option("--channel", type=int, help="Channel, from 1 on.  [default: find out]"),
        click.option("--length", type=float, help="Seconds of the file to take."),
        click.option("--start", type=float, default=0.0, help="Where in the file to begin."),
    ):
        function = option(function)
    return function
