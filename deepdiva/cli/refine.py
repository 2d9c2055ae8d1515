"""`deepdiva refine`: sounds in, presets out, by search."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from deepdiva.cli import EXIT_INTERRUPTED
from deepdiva.cli._common import (
    RendererChoice,
    SpaceChoice,
    console,
    force_option,
    jobs_option,
    json_option,
    note_options,
    plugin_mode_option,
    print_json,
    renderer_options,
    seed_option,
    space_options,
)
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.search.settings import DEFAULT_MODE, MODES, RefineSettings

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.preset import Preset
    from deepdiva.renderer import Renderer
    from deepdiva.search.matching import Match, Task
    from deepdiva.search.refine import Progress
    from deepdiva.search.writing import PatchWriter
    from deepdiva.space import ParameterSpace


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
@click.option(
    "--mode",
    type=click.Choice(list(MODES)),
    help="A named budget: "
    + ", ".join(f"{name} {count:,}" for name, count in MODES.items())
    + f" evaluations.  [default: {DEFAULT_MODE}]",
)
@click.option("--evaluations", type=click.IntRange(min=1), help="Candidates to try at most.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Time to search at most."
)
@click.option(
    "--optimizer",
    default=RefineSettings.optimizer,
    show_default=True,
    metavar="NAME",
    help="auto, or any optimizer of Nevergrad: CMA, DE, TwoPointsDE, PSO, NGOpt ...",
)
@click.option(
    "--target-distance",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop when the match is as near as this.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    metavar="EVALUATIONS",
    help="End each stage of the search after so many candidates without a better one.",
)
@click.option("--start", "part_start", type=float, help="Where in the file the sound begins.")
@click.option("--length", "part_length", type=float, help="Seconds of the file to take.")
@note_options
@space_options
@renderer_options
@plugin_mode_option
@seed_option
@jobs_option
@click.option("--resume", is_flag=True, help="Go on with searches that were interrupted.")
@force_option
@json_option
def command(
    sounds: tuple[Path, ...],
    output: Path,
    mode: str | None,
    evaluations: int | None,
    seconds: float | None,
    optimizer: str,
    target_distance: float | None,
    patience: int | None,
    part_start: float | None,
    part_length: float | None,
    note: Note,
    space: SpaceChoice,
    renderer: RendererChoice,
    plugin_mode: Literal["reuse", "fresh"],
    seed: int,
    jobs: int | None,
    resume: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Search for the patch that sounds most like each sound.

    SOUNDS are wav, flac, mp3, ogg or aiff files, or folders that hold some. For each, NAME.h2p,
    NAME.wav (what the preset sounds like) and NAME.png (both sounds) are written, and a folder
    NAME.run with the record of the search. With --plugin of another synthesizer than Diva, the
    preset is its own NAME.fxp or NAME.vstpreset, and NAME.json holds the values.

    The distance is the multi-scale spectral distance; that of silence stands beside it, for scale.
    Ctrl-C ends the search and writes the best match so far.
    """
    settings = RefineSettings(
        optimizer=optimizer,
        evaluations=_evaluations(mode, evaluations, seconds),
        seconds=seconds,
        target_distance=target_distance,
        patience=patience,
        seed=seed,
        jobs=jobs,
    )
    from deepdiva.search.optimizers import optimizer_name
    from deepdiva.workers import worker_count

    optimizer_name(optimizer)
    base = space.preset()
    synth = renderer.open(base, workers=worker_count(jobs), mode=plugin_mode, state=space.state)
    screen = console()
    try:
        chosen = _heard(space.space(base, synth.table), synth, screen)
        tasks = _tasks(
            sounds,
            output,
            _writer(synth, base),
            start_seconds=part_start,
            length_seconds=part_length,
            space=chosen,
            note=note,
            settings=settings,
            force=force,
            resume=resume,
        )
        matches = _match_all(tasks, synth, screen, quiet=as_json)
    finally:
        synth.close()
    if as_json:
        print_json([_summary(match, synth) for match in matches])
    if matches and matches[-1].result.end == "interrupted":
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def _evaluations(mode: str | None, evaluations: int | None, seconds: float | None) -> int | None:
    """The limit in evaluations: as typed, of the mode, or the default where nothing was said."""
    if evaluations is not None or mode is not None:
        given = math.inf if evaluations is None else evaluations
        return int(min(given, math.inf if mode is None else MODES[mode]))
    return None if seconds is not None else MODES[DEFAULT_MODE]


def _heard(space: ParameterSpace, synth: Renderer, screen: Console) -> ParameterSpace:
    """The space without parameters that the renderer ignores: searching them would be in vain."""
    deaf = [name for name in space.names if name not in synth.honoured]
    if deaf:
        _warn(screen, f"{synth.info.name} does not honour {', '.join(deaf)}: kept as in the base.")
    return replace(space, free=tuple(name for name in space.names if name in synth.honoured))


def _writer(synth: Renderer, base: Preset) -> PatchWriter:
    """What writes the presets of the synthesizer."""
    from deepdiva.hosts.plugin_renderer import PluginRenderer
    from deepdiva.search.writing import DivaWriter, PluginWriter

    if isinstance(synth, PluginRenderer) and not synth.is_diva:
        return PluginWriter(synth)
    return DivaWriter(base)


def _tasks(
    sounds: tuple[Path, ...], output: Path, writer: PatchWriter, *, force: bool, **common: Any
) -> list[Task]:
    """What is to be done; names are checked, nothing is written but the folder.

    Raises:
        MissingFileError: a path that does not exist.
        AudioError: a folder without sounds.
        InvalidValueError: two sounds whose results would have one name.
        FileExistsAlreadyError: a result that exists, without `force`.
    """
    from deepdiva.audio import sound_files
    from deepdiva.search.matching import Outputs, Task

    tasks: dict[Path, Task] = {}
    for sound in sound_files(sounds):
        outputs = Outputs.of(sound, output, writer)
        if outputs.preset in tasks:
            raise InvalidValueError(
                f"{tasks[outputs.preset].sound} and {sound} would both become {outputs.preset}: "
                "rename one, or refine them into different folders."
            )
        tasks[outputs.preset] = Task(
            sound=sound, outputs=outputs, writer=writer, force=force, **common
        )
    output.mkdir(parents=True, exist_ok=True)
    for task in tasks.values():
        task.outputs.check(task.sound, force=force or task.resume)
    return list(tasks.values())


def _match_all(tasks: list[Task], synth: Renderer, screen: Console, *, quiet: bool) -> list[Match]:
    """Match one sound after the other, until all are done or the user has enough."""
    from deepdiva.search.matching import match_sound

    matches = []
    for task in tasks:
        with _Bar(screen, task.sound.name) as bar:
            match = match_sound(task, synth, on_progress=bar.show)
        matches.append(match)
        for sentence in match.target.report:
            screen.print(f"{task.sound}: {sentence}", style="dim", markup=False, soft_wrap=True)
        if not quiet:
            click.echo(_line(match))
        if match.result.end == "interrupted":
            _warn(screen, "Interrupted: the best match so far was written.")
            break
    return matches


class _Bar:
    """Progress of one sound; nothing where the screen is no terminal."""

    def __init__(self, screen: Console, name: str) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}", markup=False),
            console=screen,
            transient=True,
            expand=True,
            disable=not screen.is_terminal,
        )
        self._task = self._bar.add_task(name, total=1.0, state="preparing")

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Show where the search stands."""
        self._bar.update(
            self._task,
            completed=progress.share,
            state=(
                f"{progress.stage}  distance {progress.distance:.4f}  "
                f"{progress.evaluations:,} at {progress.rate:,.0f}/s  "
                f"{progress.left_seconds:.0f} s left"
            ),
        )


def _warn(screen: Console, sentence: str) -> None:
    screen.print(sentence, style="yellow", markup=False, soft_wrap=True)


def _line(match: Match) -> str:
    result = match.result
    noise = "" if result.noise is None else f", render noise {result.noise.median:.4f}"
    struck = "" if result.strike is None else f"{result.strike.distance:.4f} struck alike, "
    failed = "".join(
        f"\n  {count:,} candidates were put aside: the plug-in {reason}"
        for reason, count in result.failures.items()
    )
    return (
        f"{match.task.sound} -> {match.task.outputs.preset}: distance {result.distance:.4f} "
        f"({struck}silence {result.silence:.4f}{noise}), {result.evaluations:,} evaluations in "
        f"{result.seconds:.1f} s{failed}"
    )


def _summary(match: Match, synth: Renderer) -> dict[str, Any]:
    """What `--json` prints of a match."""
    task, result = match.task, match.result
    table = task.space.table
    return {
        "sound": task.sound,
        "preset": task.outputs.preset,
        "preview": task.outputs.preview,
        "picture": task.outputs.picture,
        "values": task.outputs.values,
        "run": task.outputs.run,
        "distance": result.distance,
        "preview_distance": result.preview_distance,
        "silence": result.silence,
        "noise_floor": None if result.noise is None else asdict(result.noise),
        "failures": dict(result.failures),
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 3),
        "end": result.end,
        "report": list(match.target.report),
        "parameters": {name: result.patch[table.index(name)] for name in task.space.names},
        "settings": task.settings.to_dict(),
        "note": task.note.to_dict(),
        "renderer": synth.info.name,
        "version": synth.info.version,
    }
