"""`deepdiva calibrate`: the engine learns from the plug-in that the user has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    console,
    force_option,
    jobs_option,
    json_option,
    listener,
    print_json,
    renderer_options,
    say,
)
from deepdiva.cli._tables import echo, results_console, table_of
from deepdiva.pipeline.options import RendererChoice

if TYPE_CHECKING:
    from deepdiva.calibration import KnownSounds
    from deepdiva.calibration.own import Calibration
    from deepdiva.pipeline.own_plugin import OwnPlugin


@click.group("calibrate", invoke_without_command=True)
@renderer_options
@click.option(
    "--modules",
    default="",
    metavar="NAMES",
    help="Modules to fit, such as 'ladder chorus'.  [default: all]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="N",
    help="Minutes that the plug-in may play; the most telling probes come first.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="ARCHIVE",
    help="Fit to an archive of what a plug-in played; no plug-in is needed.",
)
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="ARCHIVE",
    help="Pack probes and sounds into a ZIP archive that can be given to others.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where sounds are kept.  [default: in your settings]",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the constants go.  [default: your settings; the engine then uses them]",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PNG",
    help="Picture of each module, before and after.  [default: beside the sounds]",
)
@jobs_option
@force_option
@json_option
@click.pass_context
def command(
    context: click.Context, renderer: RendererChoice, modules: str, minutes: float | None,
    source: Path | None, export: Path | None, folder: Path | None, output: Path | None,
    picture: Path | None, jobs: int | None, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Fit the engine's constants to your own Diva, module by module.

    The plug-in of --plugin, or Diva from the usual folders, plays probe patches in fresh instances;
    the engine is fitted to them, and each fit is judged by probes that it did not know. A module
    that no constants bring nearer keeps the engine's own. Killed, the same command goes on.

    The commands below list constants, or fit them to SOUNDS, a folder with recordings and
    `parameters.csv`, whose column `wav` names them and whose other columns hold Diva's parameters
    in units. They were played with oscillators that are reset and detune pots at 0.
    """
    if context.invoked_subcommand is not None:
        return
    from deepdiva.pipeline.own_plugin import OwnPlugin
    from deepdiva.workers import worker_count

    words = tuple(modules.replace(",", " ").split())
    own = OwnPlugin(renderer, source, words, minutes, folder, jobs or worker_count())
    _calibrate(own, export, output, picture, force=force, as_json=as_json)


def _calibrate(
    own: OwnPlugin, export: Path | None, output: Path | None, picture: Path | None,
    *, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Play, fit, write and show."""
    from rich.progress import Progress

    from deepdiva.calibration.own_picture import draw
    from deepdiva.calibration.recorded import pack
    from deepdiva.files import check_target
    from deepdiva.pipeline.own_plugin import fitted
    from deepdiva.synths.diva.own_constants import user_file
    from deepdiva.synths.diva.probes import chosen

    target = output or user_file()
    for path, given in ((target, output is not None), (export, True), (picture, True)):
        if path is not None and given:
            check_target(path, force)
    modules = chosen(own.modules)
    screen = console()
    with Progress(console=screen, transient=True) as bar:
        task = bar.add_task("Probes")
        recorded = own.recorded(
            modules,
            listener(screen),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if export is not None:
        pack(recorded, export, force)
        say(screen, f"{export} holds {len(recorded.entries)} probes; it can be given to others.")
    found, constants = fitted(recorded, modules, own.workers, lambda line: say(screen, line))
    drawn = picture or recorded.folder / "calibration.png"
    draw(found, drawn, constants.title, force=force or picture is None)
    if output is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    constants.write(target, force=force or output is None)
    if as_json:
        print_json(
            {
                "constants": target,
                "picture": drawn,
                "plugin": dict(recorded.plugin),
                "failed": recorded.failures(),
                "values": dict(constants.values),
                "modules": dict(constants.modules),
            }
        )
        return
    _show_modules(found)
    echo(f"{len(constants.values)} constants in {target}, picture in {drawn}.")
    if output is None:
        echo("The engine uses them from now on; --constants builtin goes back to its own.")


def _show_modules(found: Calibration) -> None:
    table = table_of("module", "before", "not fitted", "after", "")
    for result in found.modules:
        table.add_row(
            result.module.name,
            f"{result.before:.2f} dB",
            "" if result.left_out is None else f"{result.left_out:.2f} dB",
            f"{result.after:.2f} dB",
            result.sentence,
        )
    results_console().print(table)


def _sounds_options(function: Callable[..., None]) -> Callable[..., None]:
    """What all commands have that hear sounds."""
    sounds = click.argument("sounds", type=click.Path(path_type=Path, file_okay=False))
    options = (
        click.option("--note-pitch", type=click.IntRange(0, 127), default=60, show_default=True,
                     help="Key that was played."),
        click.option("--note-length", type=float, default=3.0, show_default=True,
                     help="Seconds that it was held."),
        click.option("--render-length", type=float, default=4.0, show_default=True,
                     help="Seconds that were recorded."),
        click.option("--jobs", "-j", type=click.IntRange(min=1), help="Threads.  [default: all]"),
        json_option,
    )  # fmt: skip
    for option in reversed((sounds, *options)):
        function = option(function)
    return function


def _fit_options(function: Callable[..., None]) -> Callable[..., None]:
    names = click.option(
        "--constant", "-c", "names", multiple=True,
        help="A constant that is free; repeat it for others.  [default: those of Triple VCO, "
        "Ladder and feedback]",
    )  # fmt: skip
    steps = click.option(
        "--steps", type=click.IntRange(min=1), default=4, show_default=True, help="Steps at most."
    )
    return names(steps(function))


def _read(folder: Path, note_pitch: int, note_length: float, render_length: float) -> KnownSounds:
    from deepdiva.calibration import KnownSounds
    from deepdiva.note import Note

    note = Note(
        pitch=note_pitch, velocity=127, length_seconds=note_length, render_seconds=render_length
    )
    return KnownSounds.read(folder, note)


def _threads(jobs: int | None) -> int:
    from deepdiva.workers import worker_count

    return jobs or worker_count()


@command.command("constants")
@click.argument("words", nargs=-1)
@json_option
def constants_command(words: tuple[str, ...], as_json: bool) -> None:
    """List constants with their range and how well they are known.

    WORDS narrow the list to names that hold all of them: `ladder`, `release`.
    """
    from deepdiva.synths.diva import panel

    rows = [
        {"name": name, "value": one.value, "low": one.low, "high": one.high, "unit": one.unit,
         "confidence": str(one.confidence), "meaning": one.meaning}
        for name, one in panel.constants().items()
        if all(word.lower() in name for word in words)
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    table = table_of("constant", "value", "low", "high", "unit", "known", "meaning")
    for row in rows:
        table.add_row(*(f"{v:g}" if isinstance(v, float) else str(v) for v in row.values()))
    results_console().print(table)


@command.command("show")
@_sounds_options
def show_command(sounds: Path, jobs: int | None, as_json: bool, **note: Any) -> None:
    """Say how near the engine is to each sound, in dB over 40 bands and time, nearest first."""
    import numpy as np

    from deepdiva.calibration import Judge

    known = _read(sounds, **note)
    distances = [float(np.abs(d).mean()) for d in Judge(known, _threads(jobs)).differences({})]
    mean = float(np.mean(distances))
    if as_json:
        print_json({"mean": mean, "sounds": dict(zip(known.names, distances, strict=True))})
        return
    table = table_of("sound", "dB")
    for distance, name in sorted(zip(distances, known.names, strict=True)):
        table.add_row(name, f"{distance:.2f}")
    table.add_section()
    table.add_row("mean", f"{mean:.3f}")
    results_console().print(table)


@command.command("fit")
@_sounds_options
@_fit_options
def fit_command(
    sounds: Path, jobs: int | None, names: tuple[str, ...], steps: int, as_json: bool, **note: Any
) -> None:
    """Fit constants that all sounds share, the patches held as they are given.

    Nothing is written: what is found belongs into the module's file, with its version raised.
    """
    from deepdiva.calibration import USUAL, fit

    found = fit(_read(sounds, **note), names or USUAL, steps, threads=_threads(jobs), say=_say)
    if as_json:
        print_json({"before": found.before, "after": found.after, "constants": found.values})
        return
    from deepdiva.synths.diva import panel

    table = table_of("constant", "before", "found")
    for name, value in found.values.items():
        table.add_row(name, f"{panel.constants()[name].value:g}", f"{value:.5g}")
    results_console().print(table)


@command.command("cross")
@_sounds_options
@_fit_options
@click.option(
    "--group", "-g", "groups", multiple=True, required=True,
    help="Beginning of the names of a group that is left out; repeat it for others.",
)  # fmt: skip
def cross_command(
    sounds: Path, jobs: int | None, names: tuple[str, ...], steps: int, groups: tuple[str, ...],
    as_json: bool, **note: Any,
) -> None:  # fmt: skip
    """Fit with each group left out in turn: how far constants are known, and how far they carry."""
    from deepdiva.calibration import USUAL, cross_validate

    chosen = names or USUAL
    found = cross_validate(
        _read(sounds, **note), groups, chosen, steps, threads=_threads(jobs), say=_say
    )
    if as_json:
        print_json({"left_out": found.left_out, "constants": found.fits})
        return
    table = table_of("constant", *(f"without {group}" for group in groups), "spread")
    for name in chosen:
        values = [f"{found.fits[group][name]:.5g}" for group in groups]
        table.add_row(name, *values, f"{found.spread(name):.3g}")
    table.add_section()
    table.add_row("dB on what was left out", *(f"{found.left_out[g]:.3f}" for g in groups), "")
    results_console().print(table)


def _say(line: str) -> None:
    echo(line, err=True)
