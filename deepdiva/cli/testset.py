"""`deepdiva testset`: sounds to measure with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import (
    console,
    force_option,
    json_option,
    note_options,
    print_json,
    renderer_options,
    seed_option,
    space_options,
    typed,
)
from deepdiva.cli._tables import echo
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice

if TYPE_CHECKING:
    from deepdiva.data.testsets.make_testset import PlannedSound
    from deepdiva.data.testsets.testset import TestSet
    from deepdiva.renderer import Renderer
    from deepdiva.space import ParameterSpace


@click.group("testset")
def command() -> None:
    """List, get or make test sets: named sounds with a note, and their patches where known."""


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the known test sets, and what of them is in the cache."""
    from deepdiva.data.testsets.testset_registry import NAMED, cache_folder, cached

    entries: list[dict[str, Any]] = []
    for known in NAMED.values():
        there = cached(known.name)
        entries.append(
            {
                "name": known.name,
                "about": known.about,
                "sounds": known.count,
                "here": len(there.sounds) if there else 0,
                "folder": there.folder if there else None,
            }
        )
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        here = f"{entry['here']} in {entry['folder']}" if entry["here"] else "none here yet"
        echo(f"{entry['name']}: {entry['about']}; {here}")
    echo(f"Cache: {cache_folder()} (set DEEPDIVA_CACHE to move it).")


@command.command("get")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder that holds the sounds, or some of them.  [default: fetched or rendered]",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder to put them into.  [default: the cache]",
)
@json_option
def get_command(name: str, source: Path | None, folder: Path | None, as_json: bool) -> None:
    """Bring the test set NAME here, checked, in place of an older copy.

    From the cache `deepdiva evaluate NAME` finds it by itself.
    """
    from deepdiva.data.testsets.testset import name_of_test_set
    from deepdiva.data.testsets.testset_registry import cache_folder, named_test_set

    known = named_test_set(name)
    target = folder or cache_folder() / name
    there = name_of_test_set(target)
    if there not in (None, name):
        raise InvalidValueError(
            f"{target} holds the test set {there!r}: choose another folder with --to."
        )
    got = known.fetch(target, source)
    tell(got, as_json)


@command.command("make")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", "title", help="Of the set.  [default: of the folder]")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Patches that are drawn, uniformly over the free parameters.",
)
@click.option(
    "--from-presets",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Play the presets of a folder as they are, instead of drawing patches.",
)
@click.option(
    "--soundfont",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Play 32 instruments of a General MIDI sound font by FluidSynth, such as FluidR3_GM.sf2.",
)
@click.option(
    "--from-recordings",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Take the recorded notes of a folder; NAME@KEY.wav is NAME.wav on another key.",
)
@space_options
@note_options
@renderer_options
@seed_option
@force_option
@json_option
def make_command(
    folder: Path,
    title: str | None,
    count: int,
    from_presets: Path | None,
    soundfont: Path | None,
    from_recordings: Path | None,
    space: SpaceChoice,
    note: Note,
    renderer: RendererChoice,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Make a test set in FOLDER: a WAV file of each sound, and testset.json about them.

    Of Diva, the preset of each sound comes into FOLDER/presets. Instruments and recordings have no
    preset, and the key of each is its own.
    """
    given = [each for each in (from_presets, soundfont, from_recordings) if each is not None]
    if len(given) > 1:
        raise InvalidValueError(
            "--from-presets, --soundfont and --from-recordings: name one of them."
        )
    if soundfont is not None or from_recordings is not None:
        _make_of_instruments(folder, title, soundfont, from_recordings, space, note, force, as_json)
        return
    from rich.progress import Progress

    from deepdiva.data.testsets.make_testset import drawn_sounds, make_test_set
    from deepdiva.synths import synthesizer_of

    preset = space.preset()
    base = None
    renderers: list[Renderer] = []
    try:
        renderers.append(renderer.open(preset, mode="fresh", state=space.state))
        around = space.space(preset, renderers[0].table)
        if synthesizer_of(around.table).preset_suffix:
            base = preset.with_values(around.base)
        if from_presets is None:
            sounds = drawn_sounds(around, count, seed, "sound_")
            if base is not None:
                sounds = [one._replace(preset=base.with_values(one.patch)) for one in sounds]
            origin = f"patches drawn uniformly with seed {seed}"
        else:
            if typed("count"):
                raise InvalidValueError(
                    f"--count {count}: all presets of {from_presets} are played. Leave it out."
                )
            sounds, players = preset_sounds(from_presets, around, renderer, seed)
            renderers += players
            origin = f"the presets of {from_presets.resolve().name}"
        with Progress(console=console(), transient=True) as progress:
            task = progress.add_task("Rendering", total=len(sounds))
            made = make_test_set(
                folder,
                title or folder.resolve().name,
                origin,
                sounds,
                around,
                note,
                renderers[1:] or renderers,
                base,
                force=force,
                on_progress=lambda done, _: progress.update(task, completed=done),
            )
    finally:
        for player in renderers:
            player.close()
    tell(made, as_json)


def _make_of_instruments(
    folder: Path,
    title: str | None,
    soundfont: Path | None,
    from_recordings: Path | None,
    choice: SpaceChoice,
    note: Note,
    force: bool,
    as_json: bool,
) -> None:
    """A test set of sounds that no preset made."""
    from rich.progress import Progress

    from deepdiva.audio import SOUND_SUFFIXES
    from deepdiva.data.testsets.instruments import make_from_recordings, make_from_soundfont
    from deepdiva.files import collect_files
    from deepdiva.synths.diva import DIVA

    if typed("count"):
        raise InvalidValueError("--count: all instruments and recordings are taken. Leave it out.")
    name = title or folder.resolve().name
    around = choice.space(choice.preset(), DIVA)
    if soundfont is not None:
        with Progress(console=console(), transient=True) as progress:
            task = progress.add_task("Playing", total=None)
            made = make_from_soundfont(
                folder,
                name,
                soundfont,
                note,
                around,
                force=force,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    else:
        files = collect_files([from_recordings] if from_recordings else [], SOUND_SUFFIXES)
        made = make_from_recordings(folder, name, files, note, around, force=force)
    tell(made, as_json)


def preset_sounds(
    folder: Path, space: ParameterSpace, choice: RendererChoice, seed: int
) -> tuple[list[PlannedSound], list[Renderer]]:
    """The presets of a folder, and for each a renderer that has what is no parameter from it.

    Raises:
        InvalidValueError: the synthesizer is not Diva.
    """
    from deepdiva.data.sampling import preset_files
    from deepdiva.data.testsets.make_testset import sounds_of_presets
    from deepdiva.synths import synthesizer_of
    from deepdiva.synths.diva.preset import Preset

    if not synthesizer_of(space.table).preset_suffix:
        raise InvalidValueError(
            f"{folder} holds presets of Diva, and {choice.plugin} is {space.table.name}: leave out "
            "--from-presets."
        )
    presets = [Preset.read(path) for path in preset_files(folder)]
    return sounds_of_presets(presets, seed), [
        choice.open(preset, mode="fresh") for preset in presets
    ]


def tell(there: TestSet, as_json: bool) -> None:
    """Print where a test set is, and what is missing from it."""
    if as_json:
        print_json(
            {
                "name": there.name,
                "folder": there.folder,
                "sounds": [sound.name for sound in there.sounds],
                "missing": list(there.missing),
                "origin": there.origin,
                "note": there.note.to_dict(),
            }
        )
        return
    echo(f"{there.folder}: {len(there.sounds)} sounds; {there.origin}.")
    if there.missing:
        echo(f"{len(there.missing)} are missing: {', '.join(there.missing)}.")
