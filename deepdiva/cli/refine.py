"""`deepdiva refine`: sounds in, presets out, by search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from deepdiva.cli import EXIT_USER_ERROR
from deepdiva.cli._common import (
    WorkChoice,
    console,
    force_option,
    gathered,
    json_option,
    listener,
    note_choice_options,
    plugin_mode_option,
    print_json,
    recording_options,
    renderer_options,
    space_options,
    warn,
    work_options,
)
from deepdiva.cli._refine_report import Bar, line, overview, part_line, show, summary
from deepdiva.cli._tables import echo
from deepdiva.errors import DeepDivaError
from deepdiva.grade import GRADES, GradeName, worse
from deepdiva.interruption import exit_code
from deepdiva.left_out import LeftOut
from deepdiva.pipeline.match import MatchOptions, prepared
from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.pipeline.options import (
    PriorChoice,
    RecordingChoice,
    RendererChoice,
    SearchChoice,
    SpaceChoice,
)
from deepdiva.search.refine_settings import (
    DEFAULT_MODE,
    MODES,
    RENDERS,
    SIMPLE_PRICE,
    RefineSettings,
)
from deepdiva.search.registry import DISTANCES, OPTIMIZERS
from deepdiva.synths.diva.space import EXAMPLE_CHAIN
from deepdiva.units import counted

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.pipeline.match import MatchRun
    from deepdiva.search.sound_match import Match


EXIT_BELOW = 3
"""A match is worse than `--fail-below` allows."""


@dataclass(frozen=True)
class ResultChoice:
    """What the user said about the results.

    Attributes:
        resume: go on with searches that were interrupted.
        force: overwrite files that exist.
        fail_below: end with an exit code of its own if a match is worse than this grade; None
            never.
        as_json: print the results as JSON.
    """

    resume: bool
    force: bool
    fail_below: GradeName | None
    as_json: bool


search_options = gathered(
    "search",
    SearchChoice,
    {
        "mode": click.option(
            "--mode",
            type=click.Choice(list(MODES)),
            help="A named budget: "
            + ", ".join(f"{name} {count:,}" for name, count in MODES.items())
            + " evaluations; of Diva itself, after as many of the embedded engine, "
            + ", ".join(f"{count:,}" for count in RENDERS.values())
            + f".  [default: {DEFAULT_MODE}]",
        ),
        "evaluations": click.option(
            "--evaluations", type=click.IntRange(min=1), help="Candidates to try at most."
        ),
        "seconds": click.option(
            "--seconds", type=click.FloatRange(min=0, min_open=True), help="Time to search at most."
        ),
        "optimizer": click.option(
            "--optimizer",
            default=RefineSettings.optimizer,
            show_default=True,
            metavar="NAME",
            help="auto, "
            + "".join(f"{name} ({kind.description}), " for name, kind in OPTIMIZERS.items())
            + "or any optimizer of Nevergrad: CMA (of 1.0.12 diagonal and elitist), OldCMA (the "
            "full one), DE, TwoPointsDE, PSO, NGOpt ...",
        ),
        "target_distance": click.option(
            "--target-distance",
            type=click.FloatRange(min=0, min_open=True),
            help="Stop when the match is as near as this.",
        ),
        "patience": click.option(
            "--patience",
            type=click.IntRange(min=1),
            metavar="EVALUATIONS",
            help="End each stage of the search after so many candidates without a better one.",
        ),
        "weights": click.option(
            "--weight",
            "weights",
            multiple=True,
            metavar="DISTANCE=WEIGHT",
            help="Minimise a weighted sum of your own; may be given again. "
            + ", ".join(f"{name}: {kind.description}" for name, kind in DISTANCES.items())
            + ".  [default: the measured best]",
        ),
        "chain": click.option(
            "--chain",
            metavar="MODELS",
            help=f"Models of oscillator and filters to stay with, such as '{EXAMPLE_CHAIN}'.",
        ),
        "effects": click.option(
            "--effects/--no-effects",
            default=True,
            show_default=True,
            help="Whether effects may be used.",
        ),
        "simple": click.option(
            "--simple",
            is_flag=True,
            help=f"Few modules in use count more than the last per cent: --price {SIMPLE_PRICE}.",
        ),
        "price": click.option(
            "--price",
            type=click.FloatRange(min=0, max=1),
            metavar="PART",
            help="What a module in use costs, as a part of the distance.  "
            f"[default: {RefineSettings.price}]",
        ),
    },
)
"""Options for the search; the command gets `search: SearchChoice`."""

prior_options = gathered(
    "prior",
    PriorChoice,
    {
        "predict": click.option(
            "--predict/--no-predict",
            default=None,
            help="Start from a network's answer, or only from --base, where that is given.  "
            "[default: predict where the network knows note and parameters]",
        ),
        "model_file": click.option(
            "--model-file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="WEIGHTS",
            help="Network that deepdiva train has made.  [default: the one that comes with "
            "deepdiva]",
        ),
        "engine_first": click.option(
            "--engine-first/--no-engine-first",
            default=True,
            show_default=True,
            help="With Diva as plug-in: search the embedded engine, then Diva near what that "
            "found.",
        ),
        "library": click.option(
            "--library",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="FOLDER",
            help="Presets of your own: free parameters also start at the values of those that are "
            "nearest to the sound.",
        ),
    },
)
"""Options for what is known before; the command gets `prior: PriorChoice`."""

result_options = gathered(
    "result",
    ResultChoice,
    {
        "resume": click.option(
            "--resume", is_flag=True, help="Go on with searches that were interrupted."
        ),
        "force": force_option,
        "fail_below": click.option(
            "--fail-below",
            type=click.Choice(GRADES[:-1]),
            help=f"End with exit code {EXIT_BELOW} if a match is worse than this grade; all "
            "results are written.",
        ),
        "as_json": json_option,
    },
)
"""Options for the results; the command gets `result: ResultChoice`."""


@click.command("refine")
@click.argument("sounds", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("matched"),
    show_default=True,
    help="Folder for the results, made if missing.",
)
@search_options
@prior_options
@recording_options
@note_choice_options
@space_options
@renderer_options
@plugin_mode_option
@work_options
@click.option(
    "--together",
    is_flag=True,
    help="Match one preset to all sounds, recordings of one instrument with other keys and "
    "velocities.",
)
@result_options
def command(
    sounds: tuple[Path, ...],
    output: Path,
    search: SearchChoice,
    prior: PriorChoice,
    recording: RecordingChoice,
    note: NoteChoice,
    space: SpaceChoice,
    renderer: RendererChoice,
    plugin_mode: Literal["reuse", "fresh"],
    work: WorkChoice,
    together: bool,
    result: ResultChoice,
) -> None:
    """Search for the patch that sounds most like each sound.

    SOUNDS are wav, flac, mp3, ogg or aiff files, or folders that hold some. For each, NAME.h2p,
    NAME.wav (what the preset sounds like) and NAME.png (both sounds) are written, and a folder
    NAME.run with the record of the search. With --plugin of another synthesizer than Diva, the
    preset is its own NAME.fxp or NAME.vstpreset, and NAME.json holds the values.

    The distance is the multi-scale spectral distance; that of silence stands beside it, for scale.
    Ctrl-C ends the search and writes the best match so far.

    Each match is graded good, fair, poor or failed, with the likely reason and what helps.
    """
    options = MatchOptions(
        *(search, prior, recording, note, space, renderer, plugin_mode),
        together=together,
        seed=work.seed,
        workers=work.workers,
    )
    screen = console()
    found: list[Match] = []
    with ExitStack() as stack:
        # A sign of life before anything is loaded.
        with screen.status("Listening"):
            run = stack.enter_context(
                prepared(
                    *(sounds, output, options, listener(screen)),
                    force=result.force,
                    resume=result.resume,
                )
            )
        wanted, left_out = len(run.tasks), list(run.left_out)
        for match in _matches(run, screen):
            if isinstance(match, LeftOut):
                left_out.append(match)
                continue
            found.append(match)
            if not result.as_json:
                _print(match, alone=wanted == 1)
        place = {task.target.source: number for number, task in enumerate(run.tasks)}
        found.sort(key=lambda match: place[match.task.target.source])  # a cluster gives any order
        if result.as_json:
            errors = [{"sound": one.sound, "error": one.reason} for one in left_out]
            print_json([*(summary(match, run.renderer) for match in found), *errors])
        elif len(found) > 1:
            overview(found)
    if left_out:
        _say_left_out(screen, left_out)
    searched = len(found) + len(left_out) - len(run.left_out)
    if searched < wanted or any(match.result.end == "interrupted" for match in found):
        warn(screen, _interrupted(len(found), wanted - searched))
        raise click.exceptions.Exit(exit_code())
    # What a folder holds beside sounds is nobody's mistake.
    if any(one.sound in sounds for one in left_out):
        raise click.exceptions.Exit(EXIT_USER_ERROR)
    if result.fail_below is not None and _any_worse(found, result.fail_below):
        raise click.exceptions.Exit(EXIT_BELOW)


def _print(match: Match, *, alone: bool) -> None:
    """Say what became of a sound."""
    echo(line(match))
    for part in match.parts:
        echo(part_line(part))
    if alone:
        show(match)


def _say_left_out(screen: Console, left_out: Sequence[LeftOut]) -> None:
    """List what was left out, with the reasons."""
    warn(screen, f"{counted(len(left_out), 'sound was', 'sounds were')} left out:")
    for one in left_out:
        name = f"{one.sound}: "
        warn(screen, f"  {one.reason if str(one.sound) in one.reason else name + one.reason}")


def _any_worse(found: Sequence[Match], least: GradeName) -> bool:
    """Whether a match is worse than a grade."""
    grades = [match.result.grade for match in found]
    return any(grade is not None and worse(grade.name, least) for grade in grades)


def _interrupted(done: int, rest: int) -> str:
    """What Ctrl-C left of the sounds."""
    left = (
        f" {counted(rest, 'sound was', 'sounds were')} not searched; --resume goes on."
        if rest
        else ""
    )
    written = ": the best match so far was written." if done else "."
    return f"Interrupted{written}{left}"


def _matches(run: MatchRun, screen: Console) -> Iterator[Match | LeftOut]:
    """Match all sounds, side by side where that is faster, until the user has enough."""
    if run.side_by_side:
        with Bar(screen, f"{len(run.tasks)} sounds", len(run.tasks)) as bar:
            for done, match in enumerate(run.all(partial(warn, screen)), start=1):
                bar.count(done)
                yield match
        return
    for number, task in enumerate(run.tasks):
        try:
            with Bar(screen, task.target.source.name) as bar:
                match = run.one(number, bar.show)
        except DeepDivaError as error:
            if len(run.tasks) == 1:
                raise
            yield LeftOut(task.target.source, str(error))
            continue
        yield match
        if match.result.end == "interrupted":
            return
