"""`deepdiva evaluate`: how near contenders come to sounds, in a report."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deepdiva.cli._common import (
    collect_files,
    console,
    force_option,
    jobs_option,
    json_option,
    note_options,
    print_json,
    renderer_options,
    seed_option,
    space_options,
    typed,
)
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.data.sound_set import SoundSet
    from deepdiva.evaluation.contender import Contender
    from deepdiva.evaluation.folder import RunFolder
    from deepdiva.evaluation.result import Result
    from deepdiva.evaluation.scoring import EvaluationSettings, OpenRenderer
    from deepdiva.evaluation.sources import Collection
    from deepdiva.evaluation.statistics import Interval
    from deepdiva.evaluation.summary import Summary
    from deepdiva.preset import Preset
    from deepdiva.space import ParameterSpace

DEFAULT_CONTENDERS = ("mean", "nearest", "predict", "refine")

CONTENDERS_HELP = """Who takes part, once for each: mean, nearest[:N], predict[:K], model:FILE,
refine[:quick|standard|thorough|EVALUATIONS], search[:...] (refine without the network),
presets:DIR. NAME=... names it."""


@click.command("evaluate")
@click.argument("source", default="diva50", metavar="[TESTSET|FOLDER]")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run; an unfinished run in it goes on.  [default: runs/evaluation-NAME]",
)
@click.option(
    "--contender",
    "-c",
    "contenders",
    multiple=True,
    metavar="KIND",
    help=f"{CONTENDERS_HELP}  [default: {', '.join(DEFAULT_CONTENDERS)}]",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Trained weights that take part, beside those of -c; without -c, alone.",
)
@click.option(
    "--presets",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Presets that take part likewise, named as the sounds are.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N sounds.")
@click.option(
    "--strikes",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="How often each match is played for its score.",
)
@note_options
@space_options
@renderer_options
@seed_option
@jobs_option
@force_option
@json_option
def command(
    source: str,
    output: Path | None,
    contenders: tuple[str, ...],
    models: tuple[Path, ...],
    presets: tuple[Path, ...],
    limit: int | None,
    strikes: int,
    note: Note,
    space: SpaceChoice,
    renderer: RendererChoice,
    seed: int,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Let contenders match sounds, score what they answer, and write a report.

    The sounds are a test set (diva50, embedded50; deepdiva testset list), or a folder of
    recordings or of presets. Every answer is written as a preset, read back, played again and
    scored. report.html in the output folder opens in any browser; summary.json, summary.md and
    results.csv hold the figures.

    Killed or interrupted, the same command goes on where it stopped. Contenders can be added to a
    run later: the same sounds, the same folder, other names with -c.
    """
    from deepdiva.evaluation.folder import RunFolder
    from deepdiva.evaluation.report import REPORT, write_reports
    from deepdiva.evaluation.roster import Bench, make_contenders
    from deepdiva.evaluation.scoring import EvaluationSettings
    from deepdiva.evaluation.sources import open_test_set
    from deepdiva.parameters import DIVA
    from deepdiva.workers import worker_count

    workers = worker_count(jobs)
    test_set = open_test_set(source)
    note = _note(note, test_set)
    base, around = _space(space, test_set)
    settings = EvaluationSettings(note, around, strikes, seed)
    open_renderer = partial(renderer.open, mode="fresh")
    collection = _collection(source, test_set, note, open_renderer, seed).first(limit)
    entries = [*contenders, *(f"model:{path}" for path in models)]
    entries += [f"presets:{path}" for path in presets]
    screen = console()
    folder = RunFolder(output or Path("runs") / f"evaluation-{collection.name}")
    searching = renderer.open(base)
    try:
        if searching.table != DIVA:
            raise InvalidValueError(
                f"{searching.table.name} renders, and contenders answer with presets of Diva: "
                "leave out --plugin, or name Diva's."
            )
        bench = Bench(searching, base, settings)
        taking_part = make_contenders(entries or DEFAULT_CONTENDERS, bench)
        folder.path.mkdir(parents=True, exist_ok=True)
        _run(screen, folder, collection, taking_part, open_renderer, settings, workers, force)
    except KeyboardInterrupt:
        screen.print("The same command goes on where this one stopped.")
        raise
    finally:
        searching.close()
    with screen.status("Writing the report"):
        summary = write_reports(folder, DIVA, jobs=workers)
    if as_json:
        print_json(_result(summary, folder))
        return
    _print(summary)
    click.echo(f"Report: {folder.path / REPORT}")


def _note(note: Note, test_set: SoundSet | None) -> Note:
    """The test set's note; the user may not ask for another."""
    if test_set is None:
        return note
    asked = {field.name for field in fields(Note) if typed(field.name)}
    if any(getattr(note, name) != getattr(test_set.note, name) for name in asked):
        raise InvalidValueError(
            f"{test_set.name} was played with {test_set.note}: leave out the options of the note."
        )
    return test_set.note


def _space(choice: SpaceChoice, test_set: SoundSet | None) -> tuple[Preset, ParameterSpace]:
    """Base preset and parameter space: the user's, with the test set's where nothing is said."""
    from deepdiva.parameters import DIVA

    base = choice.preset()
    if test_set is not None and choice.base is None:
        base = test_set.base_preset()
        if choice.free is None:
            choice = replace(choice, free=",".join(test_set.space.free))
    space = choice.space(base, DIVA)
    return base.with_values(space.base), space


def _collection(
    source: str,
    test_set: SoundSet | None,
    note: Note,
    open_renderer: OpenRenderer,
    seed: int,
) -> Collection:
    """The sounds, from wherever they come."""
    from deepdiva.evaluation.sources import from_presets, from_recordings, from_test_set

    if test_set is not None:
        return from_test_set(test_set)
    from deepdiva.audio import SOUND_SUFFIXES

    path = Path(source)
    name = path.resolve().name
    files = collect_files([path], (*SOUND_SUFFIXES, ".h2p"))
    presets = [file for file in files if file.suffix.lower() == ".h2p"]
    if presets and len(presets) < len(files):
        raise InvalidValueError(
            f"{source} holds presets and recordings: name a folder with one kind of them."
        )
    if presets:
        return from_presets(name, presets, note, open_renderer, seed)
    return from_recordings(name, files, note)


def _run(
    screen: Console,
    folder: RunFolder,
    collection: Collection,
    contenders: list[Contender],
    open_renderer: OpenRenderer,
    settings: EvaluationSettings,
    jobs: int,
    force: bool,
) -> None:
    """Run with a progress bar; say what failed as it happens."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from deepdiva.evaluation.run import run

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
                    f"{result.contender} failed on {result.sound}: {result.error}",
                    style="yellow",
                    markup=False,
                )
            progress.advance(task)

        for name, reason in collection.left_out.items():
            progress.console.print(f"{name} is left out: {reason}", style="yellow", markup=False)
        run(
            folder,
            collection,
            contenders,
            open_renderer,
            settings,
            jobs=jobs,
            force=force,
            on_plan=plan,
            on_result=show,
        )


def _print(summary: Summary) -> None:
    """The table of contenders on stdout.

    `floor` is the share of sounds matched no worse than the noise floor, `nearer` is the shuffle
    probe.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from deepdiva.evaluation.metrics import PRIMARY
    from deepdiva.evaluation.summary import SECONDS
    from deepdiva.evaluation.tables import number

    title = (
        f"Spectral distance on {escape(summary.info.test_set)}, {len(summary.info.sounds)} sounds"
    )
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("contender", overflow="fold", min_width=12)
    for heading in ("mean", "95 %", "median", "floor", "nearer", "s", "failed"):
        table.add_column(heading, justify="right")
    for contender in summary.contenders:
        average = contender.averages[PRIMARY]
        table.add_row(
            escape(contender.name),
            number(average.mean.value),
            f"{number(average.mean.low)}..{number(average.mean.high)}",
            number(average.median.value),
            _share(contender.at_floor),
            _share(contender.probe.nearer if contender.probe else None),
            number(contender.averages[SECONDS.key].median.value),
            str(contender.counts["failed"]),
        )
    Console(highlight=False).print(table)


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
        "contenders": [asdict(contender) for contender in summary.contenders],
        "pairs": [asdict(pair) for pair in summary.pairs],
        "report": folder.path / REPORT,
        "summary": folder.path / SUMMARY,
    }
