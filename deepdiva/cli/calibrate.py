"""`deepdiva calibrate`: the engine's constants, and fitting them to sounds of the real Diva."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import json_option, print_json
from deepdiva.cli._tables import echo, results_console, table_of

if TYPE_CHECKING:
    from deepdiva.calibration import KnownSounds


@click.group("calibrate")
def command() -> None:
    """List the engine's constants, or fit them to sounds of Diva whose parameters are all known.

    SOUNDS is a folder with recordings and `parameters.csv`, whose column `wav` names them and whose
    other columns hold Diva's parameters in units. They were played with oscillators that are reset
    and detune pots at 0.
    """


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
