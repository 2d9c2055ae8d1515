"""`deepdiva hear`: what a recording holds, without a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli import EXIT_USER_ERROR
from deepdiva.cli._common import (
    console,
    force_option,
    json_option,
    make_output,
    part_options,
    print_json,
)
from deepdiva.cli._key import key
from deepdiva.cli._tables import echo
from deepdiva.errors import DeepDivaError, InvalidValueError

if TYPE_CHECKING:
    from deepdiva.hearing import Heard


@click.command("hear")
@click.argument("sounds", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for a picture of each sound, NAME.png; made if missing.",
)
@part_options
@click.option(
    "--note-pitch",
    "pitch",
    type=key,
    help="MIDI note, 0 to 127, or its name, if you know it: 60 is the middle C, C4.",
)
@force_option
@json_option
def command(
    sounds: tuple[Path, ...],
    output: Path | None,
    start: float,
    length: float | None,
    channel: int | None,
    pitch: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Say what each sound holds: its key, tuning, timing, level, and what kind of sound it is.

    SOUNDS are wav, flac, mp3, ogg or aiff files, or folders that hold some. A file that cannot be
    read does not stop the others.
    """
    from deepdiva.audio import sound_files
    from deepdiva.hearing import understand

    files = sound_files(sounds)
    pictures = _pictures(files, output, force=force)
    results: list[dict[str, Any]] = []
    found: list[Heard] = []
    screen = console()
    for file in files:
        try:
            heard = understand(
                file, start_seconds=start, length_seconds=length, channel=channel, pitch=pitch
            )
        except DeepDivaError as error:
            screen.print(str(error), style="red", markup=False, soft_wrap=True)
            results.append({"path": file, "error": str(error)})
            continue
        found.append(heard)
        results.append(heard.to_dict())
        if file in pictures:
            from deepdiva.hearing.picture import heard_picture

            heard_picture(
                pictures[file],
                heard,
                start_seconds=start,
                length_seconds=length,
                channel=channel,
                force=force,
            )
    if as_json:
        print_json(results)
    elif found:
        _show(found)
    if len(found) < len(files):
        raise click.exceptions.Exit(EXIT_USER_ERROR)


def _pictures(files: Sequence[Path], output: Path | None, *, force: bool) -> dict[Path, Path]:
    """Where the picture of each sound goes.

    Raises:
        InvalidValueError: two sounds whose pictures would have one name.
        FileExistsAlreadyError: a picture that exists, without `force`.
    """
    from deepdiva.files import check_target, disk_key

    if output is None:
        return {}
    owners: dict[str, Path] = {}
    pictures = {}
    for file in files:
        pictures[file] = output / f"{file.stem}.png"
        owner = owners.setdefault(disk_key(pictures[file]), file)
        if owner != file:
            raise InvalidValueError(
                f"{owner} and {file} would both become {pictures[file]}: rename one, or hear them "
                "one by one."
            )
    make_output(output)
    for picture in pictures.values():
        check_target(picture, force)
    return pictures


def _show(found: Sequence[Heard]) -> None:
    """Print a table, and below it what is to be said of each sound."""
    from deepdiva.cli._tables import plain_table, results_console
    from deepdiva.names import printable

    table = plain_table(
        *("sound", "kind", "key", "by", "cents"), *("onset s", "release s", "end s", "peak dB")
    )
    for heard in found:
        release = heard.release_seconds
        table.add_row(
            printable(heard.path.name),
            heard.kind,
            "none" if heard.key is None else f"{heard.key} {_name(heard.key)}",
            # `its name` and `the sound` in a word
            heard.key_source.removeprefix("its ").removeprefix("the "),
            "" if heard.cents is None else f"{heard.cents:+.0f}",
            f"{heard.onset_seconds:.3f}",
            "" if release is None else f"{release:.2f}",
            f"{heard.end_seconds:.2f}",
            f"{heard.peak_db:.1f}",
        )
    results_console().print(table)
    for heard in found:
        for remark in heard.remarks:
            echo(f"{printable(heard.path.name)}: {remark}")


def _name(key: int) -> str:
    from deepdiva.units import key_name

    return key_name(key)
