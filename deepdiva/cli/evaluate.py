"""`deepdiva evaluate`: how near methods come to sounds, in a report."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deepdiva.cli._common import (
    WorkChoice,
    console,
    force_option,
    gathered,
    json_option,
    note_options,
    print_json,
    renderer_options,
    space_options,
    typed,
    work_options,
)
from deepdiva.cli._tables import echo, safe_console
from deepdiva.note import Note
from deepdiva.pipeline.evaluate import DEFAULT_METHODS, EvaluateOptions, Evaluation, prepared
from deepdiva.pipeline.options import RendererChoice, SpaceChoice

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.evaluation.folder import RunFolder
    from deepdiva.evaluation.result import Result
    from deepdiva.evaluation.statistics import Interval
    from deepdiva.evaluation.summary import Summary

METHODS_HELP = """Who takes part, once for each: mean, nearest[:N], predict[:K], model:FILE,
refine[:quick|standard|thorough|EVALUATIONS], search[:...] (refine without the network),
presets:DIR, entry:DIR (presets or sounds of any tool). NAME=... names it."""


@dataclass(frozen=True)
class MethodChoice:
    """Who takes part: kinds, weights files, folders of presets."""

    methods: tuple[str, ...]
    models: tuple[Path, ...]
    presets: tuple[Path, ...]

    @property
    def entries(self) -> tuple[str, ...]:
        """The same as one list."""
        models = (f"model:{path}" for path in self.models)
        return (*self.methods, *models, *(f"presets:{path}" for path in self.presets))


method_options = gathered(
    "who",
    MethodChoice,
    {
        "methods": click.option(
            "--method",
            "-m",
            "methods",
            multiple=True,
            metavar="KIND",
            help=f"{METHODS_HELP}  [default: {', '.join(DEFAULT_METHODS)}]",
        ),
        "models": click.option(
            "--model",
            "models",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Trained weights that take part, beside those of -c; without -c, alone.",
        ),
        "presets": click.option(
            "--presets",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Presets that take part likewise, named as the sounds are.",
        ),
    },
)
"""Options for who takes part; the command gets `who: MethodChoice`."""


@dataclass(frozen=True)
class ExtentChoice:
    """How much is done: so many sounds, each match played so often."""

    limit: int | None
    realizations: int


extent_options = gathered(
    "extent",
    ExtentChoice,
    {
        "limit": click.option(
            "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N sounds."
        ),
        "realizations": click.option(
            "--realizations",
            type=click.IntRange(min=1),
            default=4,
            show_default=True,
            help="How often each match is played for its score.",
        ),
    },
)
"""Options for how much is done; the command gets `extent: ExtentChoice`."""


@click.command("evaluate")
@click.argument("source", default="diva50", metavar="[TESTSET|FOLDER]")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run; an unfinished run in it goes on.  [default: runs/evaluation-NAME]",
)
@method_options
@extent_options
@note_options
@space_options
@renderer_options
@work_options
@click.option(
    "--listening-test",
    "listening",
    is_flag=True,
    help="Write listening.html, too: a page on which people rate the matches blindly (MUSHRA).",
)
@click.option(
    "--listening-sounds",
    type=click.IntRange(min=1),
    metavar="N",
    help="Sounds of the listening test, drawn by --seed.  [default: 12]",
)
@force_option
@json_option
def command(
    source: str,
    output: Path | None,
    who: MethodChoice,
    extent: ExtentChoice,
    note: Note,
    space: SpaceChoice,
    renderer: RendererChoice,
    work: WorkChoice,
    listening: bool,
    listening_sounds: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Let methods match sounds, score what they answer, and write a report.

    The sounds are a test set (diva50, flow64, panel200 ...; deepdiva testset list), or a folder of
    recordings or of presets. Every answer is written as a preset, read back, played again and
    scored. report.html in the output folder opens in any browser; summary.json, summary.md and
    results.csv hold the figures.

    Killed or interrupted, the same command goes on where it stopped. Methods can be added to a
    run later: the same sounds, the same folder, other names with -m.
    """
    from deepdiva.evaluation.report import REPORT

    asked = frozenset(field.name for field in fields(Note) if typed(field.name))
    options = EvaluateOptions(
        who.entries,
        extent.limit,
        extent.realizations,
        note,
        asked,
        space,
        renderer,
        work.seed,
        work.workers,
        force,
    )
    screen = console()
    with prepared(source, output, options) as evaluation:
        try:
            _run(screen, evaluation)
        except KeyboardInterrupt:
            screen.print("The same command goes on where this one stopped.")
            raise
    folder = evaluation.folder
    with screen.status("Writing the report"):
        summary = evaluation.report()
    heard = None
    if listening or listening_sounds is not None:
        from deepdiva.evaluation.listening_test import SOUNDS, write_page

        heard = write_page(folder, listening_sounds or SOUNDS, work.seed)
    if as_json:
        print_json({**_result(summary, folder), "listening_test": heard})
        return
    _print(summary)
    if heard is not None:
        echo(f"Listening test: {heard}; give the listeners' files to deepdiva compare.")
    echo(f"Report: {folder.path / REPORT}")


def _run(screen: Console, evaluation: Evaluation) -> None:
    """Run with a progress bar; say what failed as it happens."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True, speed_estimate_period=600) as progress:
        task = progress.add_task("Matches", total=None)

        def plan(cells: int, done: int) -> None:
            progress.reset(task, total=cells, completed=done)
            if done:
                progress.console.print(f"{done} of {cells} matches are there already.")

        def show(result: Result) -> None:
            if result.status == "failed":
                progress.console.print(
                    f"{result.method} failed on {result.sound}: {result.error}",
                    style="yellow",
                    markup=False,
                )
            progress.advance(task)

        def remark(sentence: str) -> None:
            progress.console.print(sentence, style="yellow", markup=False)

        for name, reason in evaluation.collection.left_out.items():
            progress.console.print(f"{name} is left out: {reason}", style="yellow", markup=False)
        evaluation.run(plan, show, remark)


def _print(summary: Summary) -> None:
    """The table of methods on stdout.

    `floor` is the share of sounds matched no worse than the noise floor, `nearer` is the shuffle
    probe.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from deepdiva.evaluation.metrics import PRIMARY, PRIMARY_MEASURE
    from deepdiva.evaluation.summary import SECONDS
    from deepdiva.evaluation.tables import number

    title = (
        f"{PRIMARY_MEASURE.label} on {escape(summary.info.test_set)}, "
        f"{len(summary.info.sounds)} sounds"
    )
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("method", overflow="fold", min_width=12)
    for heading in ("mean", "95 %", "median", "floor", "nearer", "s", "failed"):
        table.add_column(heading, justify="right")
    for method in summary.methods:
        average = method.averages[PRIMARY]
        table.add_row(
            escape(method.name),
            number(average.mean.value),
            f"{number(average.mean.low)}..{number(average.mean.high)}",
            number(average.median.value),
            _share(method.at_floor),
            _share(method.probe.nearer if method.probe else None),
            number(method.averages[SECONDS.key].median.value),
            str(method.counts["failed"]),
        )
    safe_console().print(table)


def _share(share: Interval | None) -> str:
    """A share without its interval, which the report has."""
    return "-" if share is None else f"{share.value:.0%}"


def _result(summary: Summary, folder: RunFolder) -> dict[str, object]:
    """What `--json` prints: the figures of `summary.json` without the single sounds."""
    from dataclasses import asdict

    from deepdiva.evaluation.report import REPORT, SUMMARY

    return {
        "test_set": summary.info.test_set,
        "sounds": len(summary.info.sounds),
        "methods": [asdict(method) for method in summary.methods],
        "pairs": [asdict(pair) for pair in summary.pairs],
        "report": folder.path / REPORT,
        "summary": folder.path / SUMMARY,
    }
