"""`deepdiva render`: what presets sound like."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    PRESET_SUFFIX,
    console,
    force_option,
    json_option,
    make_output,
    note_options,
    print_json,
    renderer_options,
    seed_option,
)
from deepdiva.errors import InvalidValueError
from deepdiva.files import collect_files
from deepdiva.note import Note
from deepdiva.pipeline.options import STATE_SUFFIXES, RendererChoice, grouped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.parameters import ParameterTable
    from deepdiva.renderer import Renderer
    from deepdiva.synths.diva.preset import Preset

PATCH_SUFFIX = ".json"
SILENCE_DB = -100.0  # a peak below this is called silent


@dataclass(frozen=True)
class Job:
    """One preset and the sound that it becomes.

    Attributes:
        preset: of Diva; None where `source` is a preset file or a patch of another plug-in.
        source: the file.
        target: the sound.
    """

    preset: Preset | None
    source: Path
    target: Path


@click.command("render")
@click.argument("presets", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the sounds, made if missing.  [default: beside each preset]",
)
@note_options
@renderer_options
@seed_option
@force_option
@json_option
def command(
    presets: tuple[Path, ...],
    output: Path | None,
    note: Note,
    renderer: RendererChoice,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Play one note with each preset and write it as NAME.wav.

    PRESETS are .h2p files, or folders that hold some. With --plugin of another synthesizer than
    Diva they are its own .fxp, .fxb or .vstpreset files, or the .json that `deepdiva refine` writes
    beside them. All names are checked before the first sound is written. Parameters that a preset
    uses and the renderer does not honour are named.
    """
    from rich.progress import track

    jobs = plan(collect_files(presets, [PRESET_SUFFIX, *STATE_SUFFIXES]), output, force=force)
    screen = console()
    results = []
    for job in track(jobs, "Rendering", console=screen, transient=True, disable=len(jobs) == 1):
        result = render(job, note, renderer, seed, force=force)
        results.append(result)
        if not as_json:
            click.echo(f"{job.source} -> {job.target}: {level(result['peak_db'])}")
        if result["ignored"]:
            screen.print(
                f"{job.source}: not honoured: {grouped(result['ignored'])}.",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )
    if as_json:
        print_json(results)


def plan(sources: list[Path], output: Path | None, *, force: bool) -> list[Job]:
    """Read all presets and name all sounds; nothing is written, but the output folder is made.

    Raises:
        PresetError: a file that is no preset of Diva.
        InvalidValueError: two presets whose sounds would have one name.
        FileExistsAlreadyError: a sound that exists, without `force`.
    """
    from deepdiva.files import check_target, disk_key
    from deepdiva.synths.diva.preset import Preset

    jobs: dict[str, Job] = {}
    for source in sources:
        target = (output or source.parent) / f"{source.stem}.wav"
        place = disk_key(target)
        if place in jobs:
            raise InvalidValueError(
                f"{jobs[place].source} and {source} would both become {target}: rename one, or "
                "leave out --output."
            )
        of_plugin = source.suffix.lower() in (*STATE_SUFFIXES, PATCH_SUFFIX)
        jobs[place] = Job(None if of_plugin else Preset.read(source), source, target)
    if output is not None:
        make_output(output)
    for job in jobs.values():
        check_target(job.target, force)
    return list(jobs.values())


def render(
    job: Job, note: Note, choice: RendererChoice, seed: int, *, force: bool
) -> dict[str, Any]:
    """Play a preset and write the sound.

    Returns:
        What `--json` prints of it.

    Raises:
        InvalidValueError: the plug-in is another synthesizer than Diva.
        RenderError: the plug-in failed.
    """
    from deepdiva.audio import write_wav

    with closing(opened(job, choice)) as renderer:
        audio = renderer.render(patch_of(job, renderer.table)[None], note, seed)[0]
        info = renderer.info
        ignored = renderer.ignored(job.preset.values()) if job.preset else ()
    write_wav(job.target, audio, note.sample_rate, force=force)
    return {
        "preset": job.source,
        "sound": job.target,
        "renderer": info.name,
        "version": info.version,
        "note": note.to_dict(),
        "seed": seed,
        "peak_db": peak_db(audio),
        "ignored": {entry.parameter: entry.reason for entry in ignored},
    }


def opened(job: Job, choice: RendererChoice) -> Renderer:
    """The synthesizer that a preset belongs to, in the mode that repeats itself.

    Raises:
        InvalidValueError: a preset of a plug-in, and no plug-in.
    """
    from deepdiva.synths.diva.preset import Preset

    preset = job.preset or Preset.template()
    is_state = job.source.suffix.lower() in STATE_SUFFIXES
    return choice.open(preset, mode="fresh", state=job.source if is_state else None)


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
