"""`deepdiva dataset`: sounds with known patches, by the thousand."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    Option,
    console,
    gathered,
    json_option,
    note_options,
    plugin_mode_option,
    print_json,
    renderer_options,
    seed_option,
    space_options,
    typed,
    workers_options,
)
from deepdiva.cli._tables import echo
from deepdiva.cli.dataset_inspect import counted, inspect_command
from deepdiva.cluster import Workers
from deepdiva.data.corpora.faults import QualityPolicy
from deepdiva.data.sampling import AroundPresets
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice

if TYPE_CHECKING:
    from rich.progress import Progress

    from deepdiva.data.corpora.generate import RunSummary

_QUALITY = {field.name: field.default for field in fields(QualityPolicy)}


def _treatment(name: str, help_text: str) -> Option:
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        type=click.Choice(["keep", "redraw"]),
        default=_QUALITY[name],
        show_default=True,
        help=help_text,
    )


quality_options = gathered(
    "quality",
    QualityPolicy,
    {
        "silent": _treatment("silent", "Sounds with a peak below -80 dB."),
        "clipping": _treatment("clipping", "Sounds with a peak above full scale."),
        "non_finite": _treatment("non_finite", "Sounds with NaN or infinity."),
        "failed": _treatment("failed", "Patches that a plug-in did not play, or as silence."),
        "redraws": click.option(
            "--redraws",
            type=click.IntRange(1, 65535),
            default=_QUALITY["redraws"],
            show_default=True,
            help="Draws of one sound after which the run gives up.",
        ),
    },
)
"""Options for faulty sounds; the command gets `quality: QualityPolicy`."""


@click.group("dataset", invoke_without_command=True)
@click.option("--sample-size", type=click.IntRange(min=1), help="Sounds in each batch.  [required]")
@click.option(
    "--nr-data-batches",
    "batches",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Batches of the data set.",
)
@click.option(
    "--nr-batch-completed",
    "first_batch",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Leave this many batches to a later run. What the folder holds is never made again.",
)
@click.option(
    "--data-path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("./data/"),
    show_default=True,
    help="Folder in which the data set gets a folder.",
)
@click.option("--folder-name", default="dataset", show_default=True, help="Name of that folder.")
@click.option(
    "--file-prefix",
    default="",
    metavar="TEXT",
    help="What the names of all files begin with, such as 'train_'.",
)
@click.option(
    "--store",
    type=click.Choice(["float32", "float16", "features"]),
    default="float32",
    show_default=True,
    help="What is kept of each sound: audio (353 or 176 kB each at 2 s), or its features alone.",
)
@click.option(
    "--save-audio/--no-save-audio",
    default=False,
    show_default=True,
    help="Also write each sound as a WAV file, into the folder audio.",
)
@space_options
@click.option(
    "--from-presets",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw around the presets of a folder.  [default: uniformly over each range]",
)
@click.option(
    "--jitter",
    type=click.FloatRange(0.0, 1.0),
    default=AroundPresets.jitter,
    show_default=True,
    help="How far from the presets: standard deviation in [0, 1], and how likely a class changes.",
)
@click.option(
    "--prior",
    "prior_name",
    metavar="uniform|human|DIR",
    help="Draw patches uniformly, as humans choose them, or from presets of a folder crossed with "
    "each other.  [default: uniform]",
)
@quality_options
@note_options
@renderer_options
@plugin_mode_option
@seed_option
@workers_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    sample_size: int | None,
    batches: int,
    first_batch: int,
    data_path: Path,
    folder_name: str,
    file_prefix: str,
    store: Any,
    save_audio: bool,
    space: SpaceChoice,
    from_presets: Path | None,
    jitter: float,
    prior_name: str | None,
    quality: QualityPolicy,
    note: Note,
    renderer: RendererChoice,
    plugin_mode: Any,
    seed: int,
    workers: Workers,
    as_json: bool,
) -> None:
    """Make a data set: patches drawn at random, and the sounds that they make.

    Each batch becomes PREFIX0_patches.npy (normalised positions of the free parameters),
    PREFIX0_audio.npy and PREFIX0_samples.npy (seed, level and faults of each sound); dataset.json
    says all about them. The same options and seed give the same bytes, on any number of workers.
    After a kill the same command goes on where it was; with more batches it makes those that are
    missing. One run at a time works in a folder.

    On a cluster (--backend dask or ray) sounds come back to be written here, unless --shared says
    that all machines see the folder.
    """
    if context.invoked_subcommand is not None:
        return
    if sample_size is None:
        raise click.UsageError("Missing option '--sample-size'.", context)
    from deepdiva.data.corpora.dataset_settings import BaseFile, DatasetSettings
    from deepdiva.data.corpora.generate import generate
    from deepdiva.data.prior_sampling import FromPrior
    from deepdiva.data.sampling import Sampling, Uniform, preset_files
    from deepdiva.synths.diva.prior.registry import prior_for
    from deepdiva.workers import worker_count

    if prior_name is not None and from_presets is not None:
        raise InvalidValueError(
            "--prior and --from-presets both say how patches are drawn: give one of them."
        )
    preset = space.preset()
    # Of several processes each has a player of its own.
    shared = workers.backend in (None, "threading")
    player = renderer.open(
        preset,
        workers=worker_count(workers.jobs) if shared else 1,
        mode=plugin_mode,
        state=space.state,
    )
    screen = console()
    try:
        free_space = space.space(preset, player.table)
        sampling: Sampling = Uniform()
        if from_presets is None and typed("jitter"):
            raise InvalidValueError(
                f"--jitter {jitter:g}: it spreads patches around those of --from-presets, which is "
                "missing. Name a folder of presets, or leave it out."
            )
        if from_presets is not None:
            sampling = AroundPresets.read(preset_files(from_presets), free_space, jitter)
        if prior_name not in (None, "uniform"):
            prior = prior_for(prior_name)
            for remark in prior.remarks:
                screen.print(remark, markup=False, highlight=False)
            sampling = FromPrior(prior, note)
        settings = DatasetSettings(
            space=free_space,
            sample_size=sample_size,
            base_preset=None if space.base is None else BaseFile.of(space.base),
            note=note,
            seed=seed,
            file_prefix=file_prefix,
            sampling=sampling,
            quality=quality,
            store=store,
            save_audio=save_audio,
        )
        with progress_bar() as progress:
            task = progress.add_task("Rendering", total=None)
            summary = generate(
                data_path / folder_name,
                settings,
                player,
                batches,
                first_batch=first_batch,
                workers=workers,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    except KeyboardInterrupt:
        screen.print("Complete batches are kept; the same command goes on with them.")
        raise
    finally:
        player.close()
    if as_json:
        print_json(as_dict(summary, data_path / folder_name))
    else:
        echo(sentence(summary, data_path / folder_name))


def progress_bar() -> Progress:
    """Sounds done, their rate and the time left, on stderr."""
    from rich import progress as rich_progress
    from rich.text import Text

    class Rate(rich_progress.ProgressColumn):
        """Sounds per second."""

        def render(self, task: rich_progress.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} sounds/s")

    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        Rate(),
        rich_progress.TextColumn("time left"),
        rich_progress.TimeRemainingColumn(),
        console=console(),
        transient=True,
    )


def as_dict(summary: RunSummary, folder: Path) -> dict[str, Any]:
    """What `--json` prints of a run."""
    records = summary.description.records
    return {
        "folder": folder,
        "batches": len(records),
        "planned": summary.description.batches,
        "sounds": sum(record.sounds for record in records.values()),
        "made_now": summary.sounds,
        "wall_seconds": summary.wall_seconds,
        "worker_seconds": {
            "render": summary.render_seconds,
            "check": summary.check_seconds,
            "disk": summary.disk_seconds,
        },
        "sync_seconds": summary.sync_seconds,
        "kept": totals([record.kept for record in records.values()]),
        "redrawn": totals([record.redrawn for record in records.values()]),
    }


def sentence(summary: RunSummary, folder: Path) -> str:
    """What a run did, for people."""
    result = as_dict(summary, folder)
    rate = summary.sounds / summary.wall_seconds if summary.sounds else 0.0
    there = f"{result['sounds']:,} sounds in {result['batches']} of {result['planned']} batches"
    made = f"{summary.sounds:,} made in {summary.wall_seconds:.1f} s, {rate:,.0f} a second"
    return (
        f"{folder}: {there}; {made if summary.sounds else 'nothing was missing'}.\n"
        f"Kept: {counted(result['kept'])}. Redrawn: {counted(result['redrawn'])}."
    )


def totals(counts: list[dict[str, int]]) -> dict[str, int]:
    """Sums of counts by name."""
    return {name: sum(count[name] for count in counts) for name in (counts[0] if counts else ())}


command.add_command(inspect_command)
