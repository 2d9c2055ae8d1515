"""`deepdiva find`: the presets of a folder that are nearest to a sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    console,
    force_option,
    json_option,
    make_output,
    part_options,
    print_json,
    say,
    warn,
    workers_options,
)
from deepdiva.cli._key import key
from deepdiva.cluster import Workers

if TYPE_CHECKING:
    from deepdiva.library import Nearest


@click.command("find")
@click.argument("sound", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--among",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder of .h2p presets, and those below it.",
)
@click.option(
    "--count",
    "-n",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Presets to show.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for previews and a picture of the sound and the presets; made if missing.",
)
@part_options
@click.option(
    "--note-pitch",
    "pitch",
    type=key,
    help="MIDI note, 0 to 127, or its name, at which presets are played.  [default: by the file's "
    "name or chunk, else any]",
)
@workers_options
@force_option
@json_option
def command(
    sound: Path,
    among: Path,
    count: int,
    output: Path | None,
    start: float,
    length: float | None,
    channel: int | None,
    pitch: int | None,
    workers: Workers,
    force: bool,
    as_json: bool,
) -> None:
    """Find the presets that are nearest to a sound, at whatever key and level it was recorded.

    SOUND is a wav, flac, mp3, ogg or aiff file. All presets of the folder are rendered once by the
    embedded engine; what is known of them is kept, so that the next call takes seconds. A preset
    that cannot be played does not stop the others.
    """
    from deepdiva.cli._refine_report import Bar
    from deepdiva.library import nearest_presets, open_library
    from deepdiva.library.sound import sound_to_find

    screen = console()
    wanted = sound_to_find(
        sound, start_seconds=start, length_seconds=length, channel=channel, pitch=pitch
    )
    for remark in wanted.remarks:
        say(screen, f"{sound}: {remark}")
    with Bar(screen, str(among)) as bar:
        library = open_library(among, workers=workers, on_progress=bar.part)
    for left_out in library.unplayed:
        warn(screen, f"{left_out.path}: {left_out.reason} It is left out.")
    found = nearest_presets(
        library,
        wanted.audio,
        wanted.note,
        keys=wanted.keys,
        velocities=wanted.velocities,
        count=count,
        jobs=None if workers.is_cluster else workers.jobs,
    )
    previews: Sequence[Path | None] = [None] * len(found)
    if output is not None:
        from deepdiva.library.results import write_results

        make_output(output)
        previews = write_results(output, wanted, found, force=force)
    if as_json:
        print_json(
            {
                "sound": sound,
                "presets": len(library.paths),
                "left_out": [
                    {"preset": one.path, "reason": one.reason} for one in library.unplayed
                ],
                "note": wanted.note.to_dict(),
                "found": [
                    _summary(one, preview) for one, preview in zip(found, previews, strict=True)
                ],
            }
        )
    else:
        _show(found)


def _summary(one: Nearest, preview: Path | None) -> dict[str, Any]:
    """What `--json` prints of a preset."""
    return {
        "preset": one.path,
        "distance": one.distance,
        "key": one.key,
        "preview": preview,
    }


def _show(found: Sequence[Nearest]) -> None:
    """Print the presets as a table."""
    from deepdiva.cli._tables import results_console, table_of
    from deepdiva.names import printable
    from deepdiva.units import key_name

    table = table_of("", "Distance", "Key", "Preset")
    for place, one in enumerate(found, start=1):
        table.add_row(
            str(place),
            f"{one.distance:.3f}",
            f"{one.key} {key_name(one.key)}",
            printable(str(one.path)),
        )
    results_console().print(table)
