"""`deepdiva predict`: from sounds to presets, without a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    WorkChoice,
    console,
    force_option,
    gathered,
    json_option,
    listener,
    make_output,
    note_choice_options,
    print_json,
    recording_options,
    renderer_options,
    say,
    work_options,
)
from deepdiva.cli._tables import echo
from deepdiva.errors import InvalidValueError
from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.pipeline.options import RecordingChoice, RendererChoice, SpaceChoice
from deepdiva.pipeline.predict import DRAWS, TASKS, Job, Predicted, PredictOptions, prepared
from deepdiva.synths.diva.space import EXAMPLE_HELD

if TYPE_CHECKING:
    from deepdiva.models.predictor import ChainShare
    from deepdiva.models.spread import Spread


CHAINS, LEAST_SHARE = 3, 0.02
"""Chains that are shown, at most, and how probable each must be."""

LEAST_CERTAINTY = 0.1
"""Of a value of the whole panel that is shown."""

RANKED = 5
"""Candidates of which `--json` says more."""


@dataclass(frozen=True)
class NetworkChoice:
    """What the user said about the network and its answers; see `PredictOptions`."""

    model_file: Path | None
    space: str | None
    candidates: int
    base: Path | None
    lock: tuple[str, ...]
    device: str


network_options = gathered(
    "network",
    NetworkChoice,
    {
        "model_file": click.option(
            "--model-file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="WEIGHTS",
            help="Network that deepdiva train has made.  [default: the one that comes with "
            "deepdiva]",
        ),
        "space": click.option(
            "--space",
            type=click.Choice(TASKS),
            help="What the network that comes with deepdiva answers: the whole panel, or the 11 "
            "parameters of the 2021 project around MS-REV1.  [default: the whole panel, and a "
            "fourth of the candidates from the other]",
        ),
        "candidates": click.option(
            "--candidates",
            "-k",
            type=click.IntRange(min=1),
            default=DRAWS,
            show_default=True,
            help="Patches that are rendered and compared for each sound; of 1, the likeliest is "
            "taken.",
        ),
        "base": click.option(
            "--base",
            "--base-preset",
            "base",
            type=click.Path(path_type=Path),
            metavar="PRESET",
            help="Preset that holds every parameter that is not predicted.  [default: MS-REV1]",
        ),
        "lock": click.option(
            "--lock",
            multiple=True,
            metavar="NAME=VALUE",
            help=f"Hold a parameter at a value, such as {EXAMPLE_HELD}; may be given again.",
        ),
        "device": click.option(
            "--device",
            type=click.Choice(["cpu", "cuda", "mps"]),
            default="cpu",
            show_default=True,
            help="Where the network runs.",
        ),
    },
)
"""Options for the network; the command gets `network: NetworkChoice`."""


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
@network_options
@recording_options
@note_choice_options
@click.option("--picture", is_flag=True, help="Also draw both sounds, as NAME.png.")
@renderer_options
@work_options
@force_option
@json_option
def command(
    sounds: tuple[Path, ...],
    output: Path,
    network: NetworkChoice,
    recording: RecordingChoice,
    note: NoteChoice,
    picture: bool,
    renderer: RendererChoice,
    work: WorkChoice,
    force: bool,
    as_json: bool,
) -> None:
    """Predict the patch behind each sound, in about a second.

    SOUNDS are recordings of one note each: wav, flac, mp3, ogg or aiff files, or folders that hold
    some. A network answers each with many patches; all are rendered, and the nearest becomes
    NAME.h2p, with a preview NAME.wav. The likeliest choices of modules are listed. Beside each
    value stands where it is likely to lie, which nine tenths of the network's patches do, and how
    sure it is: 0 % means that the sound says nothing about the parameter.
    """
    options = PredictOptions(
        network.model_file,
        network.candidates,
        SpaceChoice(network.base, None, network.lock),
        note,
        recording,
        renderer,
        network.device,
        work.seed,
        work.workers,
        network.space,
    )
    todo = plan(sounds, output, picture=picture, force=force)
    screen = console()
    results = []
    try:
        with prepared(todo, options, listener(screen)) as answers:
            for found in answers:
                found.write(found.job, force=force)
                for sentence in found.remarks:
                    say(screen, f"{found.job.sound}: {sentence}")
                results.append(summary(found))
                if not as_json:
                    show(found)
    except KeyboardInterrupt:
        done = f"{len(results)} of {len(todo)} sounds are answered and written"
        say(screen, f"{done}: name the others, or begin anew with --force.")
        raise
    if as_json:
        print_json(results)


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
    from deepdiva.files import disk_key

    jobs: dict[str, Job] = {}
    for sound in sound_files(sounds):
        job = Job.of(sound, output, picture=picture)
        place = disk_key(job.preset)
        if place in jobs:
            raise InvalidValueError(
                f"{jobs[place].sound} and {sound} would both become {job.preset}: rename one, or "
                "predict them into different folders."
            )
        jobs[place] = job
    make_output(output)
    for job in jobs.values():
        job.check(force=force)
    return list(jobs.values())


def show(found: Predicted) -> None:
    """Print the line and the table of a sound."""
    from deepdiva.cli._tables import plain_table, results_console
    from deepdiva.cli._values import range_text, value_text
    from deepdiva.synths import synthesizer_of
    from deepdiva.units import counted, key_name

    job, answer = found.job, found.answer
    key = found.note.pitch
    tried = counted(len(answer.chosen.distances), "candidate")
    echo(
        f"{job.sound} -> {job.preset}: key {key} ({key_name(key)})\n"
        f"  distance {answer.chosen.distance:.4f}, the nearest of {tried} in {answer.seconds:.1f} s"
    )
    for share in answer.candidates.chains[:CHAINS]:
        if share.probability >= LEAST_SHARE:
            echo(f"{100 * share.probability:3.0f} %  {chain_words(share)}")
    patch, synthesizer = answer.chosen.patch, synthesizer_of(found.matcher.renderer.table)
    table = plain_table("parameter", "value", "likely", "sure")
    spreads, unheard = told(found)
    for spread in spreads:
        parameter = spread.parameter
        ends = (spread.low, spread.high)
        known = not math.isnan(spread.certainty)
        table.add_row(
            parameter.name,
            value_text(parameter, float(patch[parameter.index]), synthesizer, patch, key),
            range_text(parameter, ends, synthesizer, patch, key)
            if known and not parameter.is_class
            else "",
            f"{100 * spread.certainty:.0f} %" if known else "",
        )
    results_console().print(table)
    if unheard:
        echo(
            f"The sound tells nothing of {counted(unheard, 'more value')}, which are as presets of "
            "this kind usually have them."
        )


def chain_words(share: ChainShare) -> str:
    """The modules of a chain, as people call them."""
    from deepdiva.synths.diva import DIVA

    return ", ".join(DIVA[name].label(value) for name, value in share.values.items())


def told(found: Predicted) -> tuple[list[Spread], int]:
    """What the sound tells of the chosen patch, and how many values it tells nothing of."""
    answer = found.answer
    if not found.matcher.predictor.whole:
        return answer.spreads, 0
    from deepdiva.synths.diva.acting import acts

    names = acts(answer.chosen.patch)
    shaping = [spread for spread in answer.spreads if spread.parameter.name in names]
    heard = [spread for spread in shaping if spread.certainty >= LEAST_CERTAINTY]
    return heard, len(shaping) - len(heard)


def _finite(value: float) -> float | None:
    """A number for JSON, which knows no other."""
    return float(value) if math.isfinite(value) else None


def summary(found: Predicted) -> dict[str, Any]:
    """What `--json` prints of a sound."""
    job, answer, matcher = found.job, found.answer, found.matcher
    info = matcher.renderer.info
    return {
        "sound": job.sound,
        "preset": job.preset,
        "preview": job.preview,
        "picture": job.picture,
        "key": found.note.pitch,
        "distance": answer.chosen.distance,
        "candidates": len(answer.chosen.distances),
        "seconds": round(answer.seconds, 3),
        "report": list(found.remarks),
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
        "chains": [
            {"probability": share.probability, "values": dict(share.values)}
            for share in answer.candidates.chains[:CHAINS]
        ],
        "ranking": [
            {
                "distance": float(answer.chosen.distances[place]),
                "log_density": _finite(answer.candidates.log_density[place]),
            }
            for place in answer.chosen.distances.argsort(kind="stable")[:RANKED]
        ],
        "predictor": matcher.predictor.name,
        "note": found.note.to_dict(),
        "renderer": info.name,
        "version": info.version,
    }
