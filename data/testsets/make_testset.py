"""Test sets that a renderer plays."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import write_wav
from deepdiva.data.sampling import stream
from deepdiva.data.testsets.testset import FILE_NAME, ListedSound, TestSet
from deepdiva.errors import FileExistsAlreadyError, InvalidValueError
from deepdiva.files import file_sha256, name_key
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva.preset import Preset

_BASE, _PRESETS = "base.h2p", "presets"
_NO_FILE_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')


class PlannedSound(NamedTuple):
    """A sound of a test set before it is played.

    Attributes:
        name: unique in the set, usable as a file name.
        patch: shape (len(table),), in units.
        seed: to render it with.
        preset: of Diva, that holds the patch; it is kept beside the sound. None: there is nothing
            in it that the built-in preset does not say.
        note: to play; None for that of the set.
    """

    name: str
    patch: NDArray[np.float64]
    seed: int
    preset: Preset | None = None
    note: Note | None = None


def drawn_sounds(space: ParameterSpace, count: int, seed: int, prefix: str) -> list[PlannedSound]:
    """Patches drawn uniformly over a space, on the 0.01 grid that preset files hold.

    Args:
        space: the free parameters and the base patch.
        count: how many, at least 1.
        seed: of the draws; the first k of a longer list are the shorter list.
        prefix: of the names; a number follows.

    Raises:
        InvalidValueError: fewer than one.
    """
    if count < 1:
        raise InvalidValueError(f"A test set of {count} sounds: it must hold at least 1.")
    width = max(2, len(str(count - 1)))
    sounds = []
    for number in range(count):
        rng = stream(seed, 0, number, 0)
        patch = np.round(space.patches(space.random(rng, 1))[0], 2)
        sounds.append(PlannedSound(f"{prefix}{number:0{width}}", patch, int(rng.integers(2**31))))
    return sounds


def sounds_of_presets(presets: Sequence[Preset], seed: int) -> list[PlannedSound]:
    """The patches of presets as they are, named after their files.

    Raises:
        InvalidValueError: two presets of one name.
    """
    sounds: dict[str, PlannedSound] = {}
    for preset in presets:
        name = _NO_FILE_NAME.sub("_", Path(preset.source).stem)
        key = name_key(name)
        if key in sounds:
            raise InvalidValueError(f"Two presets are named {name!r}: rename one of them.")
        sounds[key] = PlannedSound(name, preset.values(), seed, preset)
    return list(sounds.values())


def make_test_set(
    folder: Path,
    name: str,
    origin: str,
    sounds: Sequence[PlannedSound],
    space: ParameterSpace,
    note: Note,
    renderers: Sequence[Renderer],
    base: Preset | None = None,
    force: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> TestSet:
    """Render a test set into a folder.

    Args:
        folder: made if it does not exist.
        name: of the set.
        origin: where the patches come from.
        sounds: the patches.
        space: what was varied, and the base patch.
        note: what is played.
        renderers: one for all sounds, or one for each.
        base: preset of Diva around which the space lies; it is kept in the folder. None: the
            built-in one, or the synthesizer is another.
        force: overwrite a test set that is there.
        on_progress: told of sounds that are done, and of all.

    Raises:
        FileExistsAlreadyError: the folder holds a test set or one of its files, without `force`.
        RenderError: a sound could not be played; nothing describes the folder then.
    """
    files = [f"{sound.name}.wav" for sound in sounds]
    presets = [f"{_PRESETS}/{sound.name}.h2p" if sound.preset else None for sound in sounds]
    kept = [_BASE if base else None, *presets]
    names = [FILE_NAME, *files, *filter(None, kept)]
    taken = [folder / name for name in names if (folder / name).exists()]
    if taken and not force:
        raise FileExistsAlreadyError(
            f"{taken[0]} exists already: choose another folder, or overwrite it with --force."
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).unlink(missing_ok=True)  # it must not describe a mixture
    for place, preset in zip(kept, (base, *(sound.preset for sound in sounds)), strict=True):
        if place is not None and preset is not None:
            (folder / place).parent.mkdir(exist_ok=True)
            preset.write(folder / place, force)
    listed = []
    for number, (sound, file) in enumerate(zip(sounds, files, strict=True)):
        renderer = renderers[number if len(renderers) > 1 else 0]
        audio = renderer.render(sound.patch[np.newaxis], sound.note or note, sound.seed)[0]
        path = folder / file
        write_wav(path, audio, note.sample_rate, force=force)
        listed.append(
            ListedSound(
                sound.name,
                file,
                file_sha256(path),
                sound.patch,
                sound.seed,
                presets[number],
                sound.note,
            )
        )
        if on_progress is not None:
            on_progress(number + 1, len(sounds))
    info = renderers[0].info
    made = TestSet(
        name=name,
        folder=folder,
        origin=origin,
        note=note,
        space=space,
        renderer=info.to_dict(),
        sounds=tuple(listed),
        base=kept[0],
    )
    made.write(force)
    return made
