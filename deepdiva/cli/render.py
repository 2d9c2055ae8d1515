"""`deepdiva render`: what presets sound like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    PRESET_SUFFIX,
    RendererChoice,
    collect_files,
    console,
    force_option,
    json_option,
    note_options,
    print_json,
    renderer_options,
    seed_option,
)
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.preset import Preset

SILENCE_DB = -100.0  # a peak below this is called silent


@dataclass(frozen=True)
class Job:
    """One preset and the sound that it becomes."""

    preset: Preset
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

    PRESETS are .h2p files, or folders that hold some. All are read, and all names checked, before
    the first sound is written. Parameters that a preset uses and the renderer does not honour are
    named.
    """
    from rich.progress import track

    jobs = plan(collect_files(presets, [PRESET_SUFFIX]), output, force=force)
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
    from deepdiva.files import check_target
    from deepdiva.preset import Preset

    jobs: dict[Path, Job] = {}
    for source in sources:
        target = (output or source.parent) / f"{source.stem}.wav"
        if target in jobs:
            raise InvalidValueError(
                f"{jobs[target].source} and {source} would both become {target}: rename one, or "
                "leave out --output."
            )
        jobs[target] = Job(Preset.read(source), source, target)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    for target in jobs:
        check_target(target, force)
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
    from deepdiva.parameters import DIVA

    renderer = choice.open(job.preset, mode="fresh")
    try:
        if renderer.table != DIVA:
            raise InvalidValueError(
                f"{choice.plugin} is {renderer.table.name}: {job.source} is a preset of Diva."
            )
        audio = renderer.render(job.preset.values()[None], note, seed)[0]
        info = renderer.info
    finally:
        renderer.close()
    write_wav(job.target, audio, note.sample_rate, force=force)
    return {
        "preset": job.source,
        "sound": job.target,
        "renderer": info.name,
        "version": info.version,
        "note": note.to_dict(),
        "seed": seed,
        "peak_db": peak_db(audio),
        "ignored": choice.ignored(job.preset),
    }


def grouped(reasons: dict[str, str]) -> str:
    """Parameters in a sentence, those of one reason together."""
    names: dict[str, list[str]] = {}
    for parameter, reason in reasons.items():
        names.setdefault(reason, []).append(parameter)
    return "; ".join(f"{', '.join(group)} ({reason})" for reason, group in names.items())


def peak_db(audio: NDArray[np.float32]) -> float | None:
    """Highest absolute sample in dB of full scale; None below `SILENCE_DB`."""
    import numpy as np

    peak = float(np.abs(audio).max())
    decibels = 20.0 * float(np.log10(max(peak, 1e-30)))
    return round(decibels, 2) if decibels > SILENCE_DB else None


def level(decibels: float | None) -> str:
    """A peak in words."""
    return "silent" if decibels is None else f"peak {decibels:.1f} dBFS"
