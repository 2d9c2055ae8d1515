"""`deepdiva render`: what presets sound like."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    PRESET_SUFFIX,
    WorkChoice,
    console,
    force_option,
    json_option,
    make_output,
    print_json,
    renderer_options,
    warn,
    work_options,
)
from deepdiva.cli._played import Played, played_options
from deepdiva.cli._tables import echo
from deepdiva.errors import DeepDivaError, InvalidValueError, PresetError
from deepdiva.files import atomic_write, collect_files
from deepdiva.pipeline.options import STATE_SUFFIXES, RendererChoice, grouped
from deepdiva.renderers import renderer_kind
from deepdiva.room import check_room
from deepdiva.workers import worker_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from deepdiva.cluster import Workers
    from deepdiva.parameters import ParameterTable
    from deepdiva.renderer import Renderer
    from deepdiva.synths.diva.preset import Preset

PATCH_SUFFIX = ".json"
SILENCE_DB = -100.0  # a peak below this is called silent
FORMATS = ("wav", "flac")
BYTES_PER_SAMPLE = 40  # of a sound in stereo, until it is written
EXIT_PARTLY = 1  # some presets could not be played


@dataclass(frozen=True)
class Job:
    """One preset and the sound that it becomes.

    Attributes:
        preset: of Diva; None where `source` is a preset file or a patch of another plug-in.
        source: the file.
        target: the sound.
        error: why it cannot be read; empty where it can.
    """

    preset: Preset | None
    source: Path
    target: Path
    error: str = ""


@dataclass(frozen=True)
class SoundChoice:
    """What the sounds are to be.

    Attributes:
        format: one of `FORMATS`.
        stereo: both channels, or their mean; None for both where the renderer plays both.
    """

    format: str = FORMATS[0]
    stereo: bool | None = None


@dataclass(frozen=True)
class Bench:
    """What all presets share.

    Attributes:
        played: what is played.
        choice: of the renderer.
        seed: of everything that is drawn at random.
        sound: what the sounds are to be.
        force: overwrite files that exist.
        is_remote: the worker does not see this machine's folders.
    """

    played: Played
    choice: RendererChoice
    seed: int
    sound: SoundChoice
    force: bool
    is_remote: bool


@click.command("render")
@click.argument("presets", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the sounds, made if missing.  [default: beside each preset]",
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="Of the sounds: wav holds 32-bit floats, flac 24 bits.",
)
@click.option(
    "--stereo/--mono",
    default=None,
    help="Both channels, or their mean.  [default: both where the renderer plays both]",
)
@played_options
@renderer_options
@work_options
@force_option
@click.option("--verbose", "-v", is_flag=True, help="Name the modules that are uncalibrated.")
@json_option
def command(
    presets: tuple[Path, ...],
    output: Path | None,
    suffix: str,
    stereo: bool | None,
    played: Played,
    renderer: RendererChoice,
    work: WorkChoice,
    force: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Play a note or a chord with each preset and write it as NAME.wav.

    PRESETS are .h2p files, or folders that hold some. With --plugin of another synthesizer than
    Diva they are its own .fxp, .fxb or .vstpreset files, or the .json that `deepdiva refine` writes
    beside them. All names are checked before the first sound is written. Parameters that a preset
    uses and the renderer does not honour are named. A preset that cannot be played does not stop
    the others; the exit code is then 1.
    """
    sources = collect_files(presets, [PRESET_SUFFIX, *STATE_SUFFIXES])
    workers = work.workers
    if renderer_kind(renderer.name, renderer.plugin).plays_plugins and workers.backend is None:
        workers = replace(workers, jobs=1)
    if not workers.is_cluster:
        check_room(
            "Rendering",
            played.note.samples,
            min(len(sources), worker_count(workers.jobs)),
            "shorten --render-length, or take fewer --jobs.",
            BYTES_PER_SAMPLE,
        )
    jobs = plan(sources, output, suffix, force=force)
    sound = SoundChoice(suffix, stereo)
    bench = Bench(played, renderer, work.seed, sound, force, work.workers.is_remote)
    screen = console()
    results = []
    for result in _tracked(jobs, bench, workers, screen):
        results.append(result)
        if not as_json:
            _tell(result, screen, verbose)
    if as_json:
        print_json(results)
    if any("error" in result for result in results):
        raise SystemExit(EXIT_PARTLY)


def plan(
    sources: list[Path], output: Path | None, suffix: str = FORMATS[0], *, force: bool
) -> list[Job]:
    """Read all presets and name all sounds; nothing is written, but the output folder is made.

    Raises:
        PresetError: none of the files is a preset of Diva.
        InvalidValueError: two presets whose sounds would have one name.
        FileExistsAlreadyError: a sound that exists, without `force`.
    """
    from deepdiva.files import check_target, disk_key

    jobs: dict[str, Job] = {}
    for source in sources:
        target = (output or source.parent) / f"{source.stem}.{suffix}"
        place = disk_key(target)
        if place in jobs:
            raise InvalidValueError(
                f"{jobs[place].source} and {source} would both become {target}: rename one, or "
                "leave out --output."
            )
        jobs[place] = _job(source, target)
    if all(job.error for job in jobs.values()):
        raise PresetError(next(iter(jobs.values())).error)
    if output is not None:
        make_output(output)
    for job in jobs.values():
        check_target(job.target, force)
    return list(jobs.values())


def _job(source: Path, target: Path) -> Job:
    from deepdiva.synths.diva.preset import Preset

    if source.suffix.lower() in (*STATE_SUFFIXES, PATCH_SUFFIX):
        return Job(None, source, target)
    try:
        return Job(Preset.read(source), source, target)
    except PresetError as error:
        return Job(None, source, target, str(error))


def _tracked(
    jobs: list[Job], bench: Bench, workers: Workers, screen: Console
) -> Iterator[dict[str, Any]]:
    """Results in the order of the jobs, with progress on stderr."""
    from rich.progress import track

    from deepdiva.cluster.crew import Crew

    alone = len(jobs) == 1
    with Crew(attempt, bench, workers, usual="threading", most=len(jobs)) as crew:
        for remark in crew.remarks:
            warn(screen, remark)
        if workers.is_cluster:
            crew.record(jobs[0].target.parent)
        sent = (replace(job, target=job.target.absolute()) for job in jobs)
        with closing(crew.each(sent, ordered=True)) as outcomes:
            for outcome in track(
                outcomes, "Rendering", len(jobs), console=screen, transient=True, disable=alone
            ):
                job = jobs[outcome.number]
                if (
                    outcome.failure
                    and not alone
                    and isinstance(outcome.error, DeepDivaError | None)
                ):
                    yield {"preset": job.source, "error": outcome.failure}
                    continue
                result, data = outcome.result
                if data is not None:
                    atomic_write(job.target, data, bench.force)
                yield {**result, "preset": job.source} | (
                    {} if "error" in result else {"sound": job.target}
                )


def attempt(bench: Bench, job: Job) -> tuple[dict[str, Any], bytes | None]:
    """Render one preset among others.

    Returns:
        The result, and the file where the worker does not see this machine's folders.
    """
    if job.error:
        return {"error": job.error}, None
    if not bench.is_remote:
        return render(bench, job), None
    if job.preset is None:
        raise InvalidValueError(
            f"{job.source} is a preset of a plug-in, which loads it from a file: use folders that "
            "all machines share (--shared)."
        )
    with tempfile.TemporaryDirectory(prefix="deepdiva-") as folder:
        target = Path(folder) / job.target.name
        return render(bench, replace(job, target=target)), target.read_bytes()


def _tell(result: dict[str, Any], screen: Console, verbose: bool) -> None:
    source = result["preset"]

    def say(sentence: str, style: str) -> None:
        screen.print(sentence, style=style, markup=False, soft_wrap=True)

    if "error" in result:
        named = result["error"].startswith(str(source))
        say(result["error"] if named else f"{source}: {result['error']}", "red")
        return
    quieter = result.get("quieter_db", 0.0)
    lowered = f", {quieter:.1f} dB quieter to fit" if quieter else ""
    echo(f"{source} -> {result['sound']}: {level(result['peak_db'])}{lowered}")
    if result["unsupported"]:
        say(f"{source}: not supported: {grouped(result['unsupported'])}.", "yellow")
    if verbose and result["uncalibrated"]:
        say(f"{source}: uncalibrated: {', '.join(result['uncalibrated'])}.", "yellow")


def render(bench: Bench, job: Job) -> dict[str, Any]:
    """Play a preset and write the sound.

    Returns:
        What `--json` prints of it.

    Raises:
        InvalidValueError: the plug-in is another synthesizer than Diva, or plays no stereo.
        RenderError: the plug-in failed.
    """
    from deepdiva.audio import write_flac, write_wav

    played, sound, seed, force = bench.played, bench.sound, bench.seed, bench.force
    note = played.note
    with closing(opened(job, bench.choice, played)) as renderer:
        info = renderer.info
        patch = patch_of(job, renderer.table)
        stereo = info.stereo if sound.stereo is None else sound.stereo
        if stereo:
            audio = renderer.render_stereo(patch[None], note, seed)[:, 0].T
        else:
            audio = renderer.render(patch[None], note, seed)[0]
        unsupported = renderer.unsupported(patch) if job.preset else ()
        uncalibrated = renderer.uncalibrated(patch)
    result = {
        "preset": job.source,
        "sound": job.target,
        "renderer": info.name,
        "version": info.version,
        "note": note.to_dict(),
        "performance": played.performance.to_dict(),
        "seed": seed,
        "channels": 2 if stereo else 1,
        "peak_db": peak_db(audio),
        "unsupported": {entry.parameter: entry.reason for entry in unsupported},
        "uncalibrated": list(uncalibrated),
    }
    if sound.format == "flac":
        quieter = write_flac(job.target, audio, note.sample_rate, force=force)
        return {**result, "quieter_db": round(quieter, 2)}
    write_wav(job.target, audio, note.sample_rate, force=force)
    return result


def opened(job: Job, choice: RendererChoice, played: Played) -> Renderer:
    """The synthesizer that a preset belongs to, in the mode that repeats itself.

    Raises:
        InvalidValueError: a preset of a plug-in, and no plug-in; or a chord for one that plays
            single keys.
    """
    from deepdiva.synths.diva.preset import Preset

    preset = job.preset or Preset.template()
    is_state = job.source.suffix.lower() in STATE_SUFFIXES
    return choice.open(
        preset,
        mode="fresh",
        state=job.source if is_state else None,
        performance=played.performance,
    )


def patch_of(job: Job, table: ParameterTable) -> NDArray[np.float64]:
    """The patch of a preset, shape (len(table),), in units.

    Raises:
        InvalidValueError: the preset is of Diva, and the synthesizer another.
        PresetError: the patch is of another plug-in.
    """
    from deepdiva.synths import synthesizer_of

    if job.preset is not None:
        if not synthesizer_of(table).preset_suffix:
            raise InvalidValueError(f"{job.source} is a preset of Diva: {table.name} plays others.")
        return job.preset.values()
    if job.source.suffix.lower() == PATCH_SUFFIX:
        from deepdiva.hosts.patch_files import read_patch

        return read_patch(job.source, table)
    return table.defaults()  # the plug-in was started with the preset


def peak_db(audio: NDArray[np.float32]) -> float | None:
    """Highest absolute sample in dB of full scale; None below `SILENCE_DB`."""
    import numpy as np

    peak = float(np.abs(audio).max())
    decibels = 20.0 * float(np.log10(max(peak, 1e-30)))
    return round(decibels, 2) if decibels > SILENCE_DB else None


def level(decibels: float | None) -> str:
    """A peak in words."""
    return "silent" if decibels is None else f"peak {decibels:.1f} dBFS"
