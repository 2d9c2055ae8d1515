"""`deepdiva predict`: from sounds to presets, without a search."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva import __version__
from deepdiva.cli._common import (
    PRESET_SUFFIX,
    RendererChoice,
    SpaceChoice,
    console,
    force_option,
    jobs_option,
    json_option,
    make_output,
    print_json,
    renderer_options,
    seed_option,
)
from deepdiva.cli._key import key
from deepdiva.cli._remarks import hear_pitch_option, heard_note, remarks
from deepdiva.errors import InvalidValueError
from deepdiva.synths.diva.space import EXAMPLE_HELD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from deepdiva.audio import Target
    from deepdiva.models.answers import Answer, Matcher
    from deepdiva.models.predictor import Predictor
    from deepdiva.models.weights import WeightsHeader
    from deepdiva.note import Note
    from deepdiva.synths.diva.preset import Preset

_DRAWS = 64
"""Patches that are drawn at least, so that the spread is known however few are rendered."""


@dataclass(frozen=True)
class Job:
    """One sound, and the files that answer it; `picture` is None where none is wanted."""

    sound: Path
    preset: Path
    preview: Path
    picture: Path | None


@click.command("predict")
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
    "--model-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="WEIGHTS",
    help="Network that deepdiva train has made.  [default: the one that comes with deepdiva]",
)
@click.option(
    "--candidates",
    "-k",
    type=click.IntRange(min=1),
    default=_DRAWS,
    show_default=True,
    help="Patches that are rendered and compared for each sound; of 1, the likeliest is taken.",
)
@click.option(
    "--base",
    "--base-preset",
    "base",
    type=click.Path(path_type=Path),
    metavar="PRESET",
    help="Preset that holds every parameter that is not predicted.  [default: MS-REV1]",
)
@click.option(
    "--lock",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"Hold a parameter at a value, such as {EXAMPLE_HELD}; may be given again.",
)
@click.option(
    "--note-pitch",
    "--midi-note-pitch",
    "pitch",
    type=key,
    help="MIDI note of the sounds, 0 to 127, or its name: 48 is C3, 60 the middle C, C4. The "
    "farther from the network's own, the less it knows.  [default: the network's own]",
)
@hear_pitch_option
@click.option("--picture", is_flag=True, help="Also draw both sounds, as NAME.png.")
@renderer_options
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "mps"]),
    default="cpu",
    show_default=True,
    help="Where the network runs.",
)
@seed_option
@jobs_option
@force_option
@json_option
def command(
    sounds: tuple[Path, ...],
    output: Path,
    model_file: Path | None,
    candidates: int,
    base: Path | None,
    lock: tuple[str, ...],
    pitch: int | None,
    hear_pitch: bool,
    picture: bool,
    renderer: RendererChoice,
    device: str,
    seed: int,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Predict the patch behind each sound, in about a second.

    SOUNDS are recordings of one note each: wav, flac, mp3, ogg or aiff files, or folders that hold
    some. A network answers each with many patches; all are rendered, and the nearest becomes
    NAME.h2p, with a preview NAME.wav. Beside each value stands where nine tenths of the network's
    patches lie, and how sure it is: 0 % means that the sound says nothing about the parameter.
    """
    from deepdiva.audio import load_target
    from deepdiva.models.answers import Matcher
    from deepdiva.models.registry import load_predictor
    from deepdiva.space import parse_lock
    from deepdiva.synths import synthesizer_of
    from deepdiva.synths.diva import DIVA
    from deepdiva.workers import worker_count

    todo = plan(sounds, output, picture=picture, force=force)
    locks = dict(parse_lock(DIVA, text) for text in lock)
    around = SpaceChoice(base, None, ())
    preset = around.preset()
    around.space(preset, DIVA)
    screen = console()
    synth = renderer.open(preset)
    try:
        predictor, header = load_predictor(
            model_file, synth.info, draws=max(candidates, _DRAWS), seed=seed, device=device
        )
        threads = worker_count(jobs) if synth.info.workers == "threading" else 1
        matcher = Matcher(predictor, preset, synth, candidates, locks, threads, seed)
        warn_of_base(screen, matcher, header)
        played = predictor.note if pitch is None else replace(predictor.note, pitch=pitch)
        targets = [load_target(job.sound, played) for job in todo]
        transposed = synthesizer_of(DIVA).transposition(matcher.held)
        notes = [
            heard_note(target, played, transposed) if hear_pitch else played for target in targets
        ]
        matchers = {
            note: replace(matcher, predictor=_for_note(predictor, note, matcher.held))
            for note in dict.fromkeys(notes)
        }
        # Sounds of one note are heard together, and answered in the order in which they came.
        answers = {
            note: one.answers(
                [target.audio for target, own in zip(targets, notes, strict=True) if own == note]
            )
            for note, one in matchers.items()
        }
        results = []
        for job, target, note in zip(todo, targets, notes, strict=True):
            answer = next(answers[note])
            write(job, target, answer, note.sample_rate, force=force)
            for sentence in target.report if hear_pitch else remarks(target, note, transposed):
                screen.print(f"{job.sound}: {sentence}", style="dim", markup=False, soft_wrap=True)
            results.append(summary(job, target, answer, matchers[note]))
            if not as_json:
                show(job, answer)
    finally:
        synth.close()
    if as_json:
        print_json(results)


def _for_note(predictor: Predictor, note: Note, held: NDArray[np.float64]) -> Predictor:
    """The predictor for sounds of another key than its own, or of a patch that transposes it.

    Raises:
        InvalidValueError: a note that the predictor cannot hear.
    """
    from deepdiva.models.transposition import for_note

    try:
        return for_note(predictor, note, held)
    except InvalidValueError as error:
        if note == predictor.note:
            way_out = "Train a network around this base preset (deepdiva train --online --base)"
        else:
            way_out = (
                f"Train a network for it (deepdiva train --note-pitch {note.pitch}), or leave out "
                "--note-pitch and --hear-pitch"
            )
        raise InvalidValueError(f"Key {note.pitch}: {error}. {way_out}.") from error


def plan(sounds: tuple[Path, ...], output: Path, *, picture: bool, force: bool) -> list[Job]:
    """Name all results; nothing is written, but the output folder is made.

    Raises:
        AudioError: a folder without sounds.
        FileExistsAlreadyError: a result that exists, without `force`.
        InvalidValueError: two sounds whose results would have one name, or a result in the place
            of a sound.
        MissingFileError: a path that does not exist.
    """
    from deepdiva.audio import sound_files
    from deepdiva.files import check_target, disk_key

    jobs: dict[str, Job] = {}
    for sound in sound_files(sounds):
        preset = output / f"{sound.stem}{PRESET_SUFFIX}"
        place = disk_key(preset)
        if place in jobs:
            raise InvalidValueError(
                f"{jobs[place].sound} and {sound} would both become {preset}: rename one, or "
                "predict them into different folders."
            )
        drawn = preset.with_suffix(".png") if picture else None
        jobs[place] = Job(sound, preset, preset.with_suffix(".wav"), drawn)
    make_output(output)
    for job in jobs.values():
        if job.preview.exists() and job.preview.samefile(job.sound):
            raise InvalidValueError(
                f"The preview {job.preview} would overwrite the sound itself: choose another "
                "folder with --output."
            )
        for path in (job.preset, job.preview, job.picture):
            if path is not None:
                check_target(path, force)
    return list(jobs.values())


def warn_of_base(screen: Console, matcher: Matcher, header: WeightsHeader) -> None:
    """Say where the base preset is not what the network has learned around."""
    from deepdiva.synths import synthesizer_of

    space = matcher.predictor.space
    transposing = synthesizer_of(space.table).transposing
    held = matcher.patches(space.normalised(space.base[None]))[0]
    varied = header.training.get("data", {}).get("variety", {}).get("settings", {})
    # A patch holds the parameters of the synthesizer; those that act on nothing here are harmless.
    different = [
        parameter.name
        for parameter in space.table
        if parameter.name in matcher.renderer.honoured
        and parameter.name not in space.names
        and transposing.get(parameter.name) != 1.0  # semitones are heard by `for_note`
        and held[parameter.index] != space.base[parameter.index]
        and held[parameter.index] not in varied.get(parameter.name, ())
    ]
    if different:
        names = ", ".join(different[:6]) + (" ..." if len(different) > 6 else "")
        screen.print(
            f"The network has learned around other values of {names}: expect less of it, or train "
            "one around this preset (deepdiva train --online --base).",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def write(job: Job, target: Target, answer: Answer, rate: int, *, force: bool) -> None:
    """Write all results of a sound, the preset first."""
    from deepdiva.audio import write_wav
    from deepdiva.picture import match_picture

    described: Preset = answer.preset.with_meta(
        name=job.preset.stem,
        author="DeepDiva",
        description=(
            f"Predicted from {job.sound.name} by DeepDiva {__version__}. Spectral distance "
            f"{answer.chosen.distance:.4f}."
        ),
    )
    described.write(job.preset, force=force)
    write_wav(job.preview, answer.chosen.audio, rate, force=force)
    if job.picture is not None:
        match_picture(
            job.picture,
            target.audio,
            answer.chosen.audio,
            rate,
            title=job.sound.name,
            distance=answer.chosen.distance,
            force=force,
        )


def show(job: Job, answer: Answer) -> None:
    """Print the line and the table of a sound."""
    from deepdiva.cli._tables import results_console, table_of

    click.echo(
        f"{job.sound} -> {job.preset}: distance {answer.chosen.distance:.4f}, nearest of "
        f"{len(answer.chosen.distances)} in {answer.seconds:.1f} s"
    )
    table = table_of("Parameter", "Value", "Nine in ten lie in", "Sure")
    for spread in answer.spreads:
        parameter = spread.parameter
        value = float(answer.chosen.patch[parameter.index])
        interval = f"{spread.low:.2f} … {spread.high:.2f}"
        known = not math.isnan(spread.certainty)
        table.add_row(
            parameter.name,
            parameter.label(round(value, 2)),
            interval if known and not parameter.is_class else "",
            f"{100 * spread.certainty:.0f} %" if known else "",
        )
    results_console().print(table)


def summary(job: Job, target: Target, answer: Answer, matcher: Matcher) -> dict[str, Any]:
    """What `--json` prints of a sound."""
    info = matcher.renderer.info
    return {
        "sound": job.sound,
        "preset": job.preset,
        "preview": job.preview,
        "picture": job.picture,
        "distance": answer.chosen.distance,
        "candidates": len(answer.chosen.distances),
        "seconds": round(answer.seconds, 3),
        "report": list(target.report),
        "parameters": {
            spread.parameter.name: {
                "value": float(answer.chosen.patch[spread.parameter.index]),
                "low": spread.low,
                "high": spread.high,
                "certainty": None if math.isnan(spread.certainty) else spread.certainty,
            }
            for spread in answer.spreads
        },
        "class_probabilities": {
            name: [float(p) for p in probabilities]
            for name, probabilities in answer.candidates.class_probabilities.items()
        },
        "predictor": matcher.predictor.name,
        "note": matcher.predictor.note.to_dict(),
        "renderer": info.name,
        "version": info.version,
    }
