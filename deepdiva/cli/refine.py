"""`deepdiva refine`: sounds in, presets out, by search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from deepdiva.cli import EXIT_INTERRUPTED
from deepdiva.cli._common import (
    RendererChoice,
    SpaceChoice,
    console,
    force_option,
    grouped,
    jobs_option,
    json_option,
    make_output,
    note_options,
    plugin_mode_option,
    print_json,
    renderer_options,
    seed_option,
    space_options,
)
from deepdiva.cli._refine_report import Bar, line, say, show, summary, warn
from deepdiva.cli._refine_sketch import after_sketch, engine_sketch
from deepdiva.cli._refine_start import starts_of
from deepdiva.cli._remarks import hear_pitch_option, heard_note, remarks
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.search.settings import DEFAULT_MODE, MODES, PARTS, RENDERS, RefineSettings

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.patch_writer import PatchWriter
    from deepdiva.renderer import Renderer
    from deepdiva.search.fidelity import Sketch
    from deepdiva.search.matching import Match, Outputs, Task
    from deepdiva.search.start import Start
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
    + " evaluations; of Diva itself, after as many of the embedded engine, "
    + ", ".join(f"{count:,}" for count in RENDERS.values())
    + f".  [default: {DEFAULT_MODE}]",
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
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="DISTANCE=WEIGHT",
    help="Minimise a weighted sum of your own; may be given again. "
    + ", ".join(f"{name}: {what}" for name, what in PARTS.items())
    + ".  [default: the measured best]",
)
@click.option(
    "--predict/--no-predict",
    default=None,
    help="Start from a network's answer, or only from --base, where that is given.  [default: "
    "predict where the network knows note and parameters]",
)
@click.option(
    "--model-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="WEIGHTS",
    help="Network that deepdiva train has made.  [default: the one that comes with deepdiva]",
)
@click.option(
    "--engine-first/--no-engine-first",
    default=True,
    show_default=True,
    help="With Diva as plug-in: search the embedded engine, then Diva near what that found.",
)
@click.option("--start", "part_start", type=float, help="Where in the file the sound begins.")
@click.option("--length", "part_length", type=float, help="Seconds of the file to take.")
@note_options
@hear_pitch_option
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
    weights: tuple[str, ...],
    predict: bool | None,
    model_file: Path | None,
    engine_first: bool,
    part_start: float | None,
    part_length: float | None,
    note: Note,
    hear_pitch: bool,
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
    from deepdiva.search.optimizers import optimizer_name

    settings = RefineSettings(
        optimizer=optimizer_name(optimizer),
        evaluations=_evaluations(mode, evaluations, seconds),
        seconds=seconds,
        target_distance=target_distance,
        patience=patience,
        seed=seed,
        jobs=jobs,
        weights=_weights(weights),
    )
    from deepdiva.audio import load_target, sound_files
    from deepdiva.search.matching import Task
    from deepdiva.synths import synthesizer_of
    from deepdiva.workers import worker_count

    files = sound_files(sounds)
    base = space.preset()
    synth = renderer.open(base, workers=worker_count(jobs), mode=plugin_mode, state=space.state)
    screen = console()
    try:
        chosen = _heard(space.space(base, synth.table), synth, screen)
        sketch = engine_sketch(settings, mode, chosen, synth, base) if engine_first else None
        _say_ignored(chosen, sketch.renderer if sketch else synth, screen)
        if sketch is not None:
            settings = after_sketch(settings, mode, evaluations)
        writer = synth.writer(base)
        outputs = _outputs(files, output, writer, force=force, resume=resume)
        # All sounds are read before the first is searched: a bad one is no surprise an hour later.
        targets = [
            load_target(file, note, start_seconds=part_start, length_seconds=part_length)
            for file in files
        ]
        transposed = synthesizer_of(chosen.table).transposition(chosen.base)
        tasks = [
            Task(
                target,
                outputs[target.source],
                writer,
                chosen,
                heard_note(target, note, transposed) if hear_pitch else note,
                settings,
                force,
                resume,
            )
            for target in targets
        ]
        for task in tasks:
            said = task.target.report if hear_pitch else remarks(task.target, note, transposed)
            for sentence in said:
                say(screen, f"{task.target.source}: {sentence}")
        starts = starts_of(
            tasks,
            sketch.renderer if sketch else synth,
            screen,
            predict=predict,
            weights=model_file,
            near=space.base is not None,
        )
        results = []
        for match in _matches(tasks, starts, synth, sketch, jobs, screen):
            results.append(summary(match, synth))
            if not as_json:
                click.echo(line(match))
                if len(tasks) == 1:
                    show(match)
    finally:
        synth.close()
    if as_json:
        print_json(results)
    if len(results) < len(tasks) or any(found["end"] == "interrupted" for found in results):
        warn(screen, _interrupted(len(results), len(tasks)))
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def _evaluations(mode: str | None, evaluations: int | None, seconds: float | None) -> int | None:
    """The limit in evaluations: as typed, of the mode, or the default where nothing was said."""
    if evaluations is not None or mode is not None:
        given = math.inf if evaluations is None else evaluations
        return int(min(given, math.inf if mode is None else MODES[mode]))
    return None if seconds is not None else MODES[DEFAULT_MODE]


def _weights(texts: Sequence[str]) -> dict[str, float] | None:
    """Weights of distances as typed; None where nothing was.

    Raises:
        InvalidValueError: something else than a name and a number.
    """
    weights = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            weights[name.strip()] = float(number)
        except ValueError:
            raise InvalidValueError(
                f"--weight {text}: it takes a distance and a number, such as full=1."
            ) from None
    return weights or None


def _interrupted(done: int, wanted: int) -> str:
    """What Ctrl-C left of so many sounds."""
    rest = wanted - done
    left = f" Of {wanted} sounds {rest} were not searched; --resume goes on." if rest else ""
    written = ": the best match so far was written." if done else "."
    return f"Interrupted{written}{left}"


def _heard(space: ParameterSpace, synth: Renderer, screen: Console) -> ParameterSpace:
    """The space without parameters that the renderer ignores: searching them would be in vain."""
    deaf = [name for name in space.names if name not in synth.honoured]
    if deaf:
        warn(screen, f"{synth.info.name} does not honour {', '.join(deaf)}: kept as in the base.")
    return replace(space, free=tuple(name for name in space.names if name in synth.honoured))


def _say_ignored(space: ParameterSpace, engine: Renderer, screen: Console) -> None:
    """Name what the base preset asks for and the engine that is searched does not do."""
    reasons = {entry.parameter: entry.reason for entry in engine.ignored(space.base)}
    if reasons:
        warn(
            screen,
            f"The engine searches without what the base preset asks for: {grouped(reasons)}. In "
            "Diva the match will sound otherwise.",
        )


def _outputs(
    sounds: Sequence[Path], folder: Path, writer: PatchWriter, *, force: bool, resume: bool
) -> dict[Path, Outputs]:
    """Where the results of each sound go; nothing is written but the folder.

    Raises:
        InvalidValueError: two sounds whose results would have one name, or a result that would
            overwrite a sound.
        FileExistsAlreadyError: a result that exists, without `force`, and was not written by a
            search that is resumed.
    """
    from deepdiva.files import disk_key
    from deepdiva.search.matching import Outputs

    owners: dict[str, Path] = {}
    outputs = {}
    for sound in sounds:
        outputs[sound] = Outputs.of(sound, folder, writer)
        owner = owners.setdefault(disk_key(outputs[sound].preset), sound)
        if owner != sound:
            raise InvalidValueError(
                f"{owner} and {sound} would both become {outputs[sound].preset}: rename one, or "
                "refine them into different folders."
            )
    make_output(folder)
    for sound in sounds:
        outputs[sound].check(sound, force=force, resume=resume)
    return outputs


def _matches(
    tasks: list[Task],
    starts: list[Start | None],
    synth: Renderer,
    sketch: Sketch | None,
    jobs: int | None,
    screen: Console,
) -> Iterator[Match]:
    """Match all sounds, side by side where that is faster, until the user has enough."""
    from deepdiva.search.batch import match_sounds, worth_processes
    from deepdiva.search.matching import match_sound
    from deepdiva.workers import worker_count

    if worth_processes(tasks, synth, worker_count(jobs)):
        with Bar(screen, f"{len(tasks)} sounds", len(tasks)) as bar:
            for done, match in enumerate(
                match_sounds(tasks, starts, synth, worker_count(jobs)), start=1
            ):
                bar.count(done)
                yield match
        return
    for task, start in zip(tasks, starts, strict=True):
        with Bar(screen, task.target.source.name) as bar:
            match = match_sound(task, synth, start, bar.show, sketch)
        yield match
        if match.result.end == "interrupted":
            return
