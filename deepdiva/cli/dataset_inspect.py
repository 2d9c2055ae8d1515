"""`deepdiva dataset inspect`: what is in a data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import force_option, json_option, print_json
from deepdiva.cli._tables import echo
from deepdiva.note import Note

if TYPE_CHECKING:
    from deepdiva.data.corpora.inspection import Inspection, ParameterHistogram

BARS = " ▁▂▃▄▅▆▇█"


@click.command("inspect")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option(
    "--prior",
    "prior_name",
    metavar="uniform|human|DIR",
    help="Instead of a data set, draw histograms of a prior beside those of human presets.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Contact sheet of spectrograms, a PNG.  [default: contact_sheet.png in the folder]",
)
@click.option("--no-picture", is_flag=True, help="Make no contact sheet.")
@click.option(
    "--count",
    type=click.IntRange(1, 240),
    default=36,
    show_default=True,
    help="Sounds on the contact sheet.",
)
@click.option("--checksums", is_flag=True, help="Read all files and compare their checksums.")
@force_option
@json_option
def inspect_command(
    folder: Path | None,
    prior_name: str | None,
    picture: Path | None,
    no_picture: bool,
    count: int,
    checksums: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Say what is in the data set in FOLDER: counts, levels, parameters, and a picture."""
    from deepdiva.data.corpora.contact_sheet import contact_sheet
    from deepdiva.data.corpora.dataset import Dataset
    from deepdiva.data.corpora.inspection import inspect
    from deepdiva.errors import InvalidValueError
    from deepdiva.files import atomic_write, check_target

    if (folder is None) == (prior_name is None):
        raise click.UsageError("Name the FOLDER of a data set or a --prior.")
    if prior_name is not None:
        draw_prior(prior_name, picture or Path("prior.png"), force)
        return
    assert folder is not None
    dataset = Dataset.open(folder)
    target = None if no_picture else (picture or folder / "contact_sheet.png")
    if target is not None:
        check_target(target, force)
    found = inspect(dataset)
    damaged = dataset.damaged() if checksums else []
    if target is not None:
        atomic_write(target, contact_sheet(dataset, count), force)
    if as_json:
        print_json({**asdict(found), "picture": target, "damaged": damaged})
    else:
        show(found, dataset.description.renderer, dataset.note)
        if target is not None:
            echo(f"Contact sheet: {target}")
    if damaged:
        raise InvalidValueError(
            f"{', '.join(map(str, damaged))}: the checksum is another than when the file was made. "
            "Remove it and run deepdiva dataset again with the same settings."
        )


def draw_prior(name: str, target: Path, force: bool) -> None:
    """Write the histograms of a prior."""
    from deepdiva.files import atomic_write, check_target
    from deepdiva.synths.diva.prior.picture import prior_picture
    from deepdiva.synths.diva.prior.registry import prior_for

    check_target(target, force)
    atomic_write(target, prior_picture(prior_for(name)), force)
    echo(f"Histograms: {target}")


def show(found: Inspection, renderer: dict[str, Any], note: Note) -> None:
    """Print an inspection as tables."""
    from deepdiva.cli._tables import results_console, table_of
    from deepdiva.data.corpora.inspection import LEVELS_DB

    screen = results_console()
    silent = found.kept["silent"] / found.sounds
    screen.print(
        f"{found.sounds:,} sounds in {found.batches} of {found.planned} batches, made with "
        f"{renderer['name']} {renderer['version']}; note {note.pitch}, velocity {note.velocity}, "
        f"{note.render_seconds:g} s at {note.sample_rate} Hz."
    )
    screen.print(f"Kept: {counted(found.kept)} ({silent:.1%} silent).")
    screen.print(f"Redrawn: {counted(found.redrawn)}.")
    if found.peak_db:
        low, five, middle, ninety_five, high = found.peak_db
        screen.print(
            f"Peak, dB of full scale: {low:.1f} to {high:.1f}, median {middle:.1f}, 90 % between "
            f"{five:.1f} and {ninety_five:.1f}."
        )
    levels = table_of("peak, dB", "")
    edges = ["", *(f"{edge:g}" for edge in LEVELS_DB), ""]
    for low_edge, high_edge, number in zip(edges, edges[1:], found.level_counts, strict=False):
        levels.add_row(f"{low_edge or 'below'} .. {high_edge or 'above'}", f"{number:,}")
    screen.print(levels)
    parameters = table_of("parameter", "values from 0 to 1, or by choice", "least", "most")
    for histogram in found.parameters:
        counts = histogram.counts
        parameters.add_row(histogram.name, spread(histogram), f"{min(counts)}", f"{max(counts)}")
    screen.print(parameters)


def spread(histogram: ParameterHistogram) -> str:
    """A histogram as a line of bars, or of labels and counts where there are few."""
    counts = histogram.counts
    if len(counts) <= 6:
        pairs = zip(histogram.labels, counts, strict=True)
        return ", ".join(f"{label} {number}" for label, number in pairs)
    highest = max(*counts, 1)
    return "".join(BARS[-(-count * (len(BARS) - 1) // highest)] for count in counts)


def counted(counts: dict[str, int]) -> str:
    """Counts of faults as part of a sentence."""
    present = [f"{number:,} {name.replace('_', '-')}" for name, number in counts.items() if number]
    return ", ".join(present) if present else "no faults"
