"""Where the sounds of an evaluation come from: a test set, recordings, or presets."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepdiva.audio import load_target
from deepdiva.data.testsets import testset_registry
from deepdiva.data.testsets.testset import FILE_NAME, TestSet
from deepdiva.errors import AudioError, InvalidValueError
from deepdiva.evaluation import metrics
from deepdiva.evaluation.scoring import OpenRenderer, play
from deepdiva.evaluation.sounds import Sound, seeds_for
from deepdiva.note import Note
from deepdiva.synths.diva.preset import Preset


@dataclass(frozen=True)
class Collection:
    """Sounds to be matched.

    Attributes:
        name: what the report calls them.
        sounds: that can serve as targets, in order.
        left_out: name to reason of those that cannot (silent, unreadable); reports name them.
    """

    name: str
    sounds: list[Sound]
    left_out: dict[str, str]

    def first(self, count: int | None) -> Collection:
        """The first sounds only; all of them for None."""
        return replace(self, sounds=self.sounds[:count])


def open_test_set(source: str) -> TestSet | None:
    """The test set of a name or folder; None where the name is a path of other things.

    Raises:
        UnknownNameError: neither a known name nor a path.
    """
    path = Path(source)
    if source in testset_registry.NAMED or not path.exists() or (path / FILE_NAME).is_file():
        return testset_registry.load(source)
    return None


def from_test_set(sounds: TestSet) -> Collection:
    """The sounds of a test set; those with a patch get the preset that holds it."""
    made = [
        Sound(
            name=listed.name,
            audio=sounds.audio(listed),
            preset=sounds.preset(listed),
            source=f"{sounds.name}: {listed.file}",
            note=listed.note,
            further=tuple((each.note, sounds.audio(each)) for each in listed.further),
        )
        for listed in sounds.sounds
    ]
    return _usable(sounds.name, made, {}, sounds.note)


def from_recordings(name: str, files: Sequence[Path], note: Note) -> Collection:
    """Recordings, read as targets."""
    sounds: list[Sound] = []
    left_out: dict[str, str] = {}
    for file in sorted(files, key=_naturally):
        try:
            target = load_target(file, note)
        except AudioError as error:
            left_out[_spelled(file.name)] = _spelled(str(error))
            continue
        source = _spelled(str(file))
        sounds.append(Sound(_spelled(file.stem), target.audio, None, source, target.report))
    return _usable(name, sounds, left_out, note)


def from_presets(
    name: str, files: Sequence[Path], note: Note, open_renderer: OpenRenderer, seed: int
) -> Collection:
    """Presets, played: their sounds are the targets, and their values the truth.

    Args:
        name: of the collection.
        files: of presets.
        note: what is played.
        open_renderer: opens what plays them.
        seed: of start phases, drift and noise.

    Raises:
        PresetError: a file that is no preset.
    """
    sounds = []
    for file in sorted(files, key=_naturally):
        preset = Preset.read(file)
        name = _spelled(file.stem)
        [audio] = play(preset, open_renderer, note, seeds_for(f"target {name}", seed, 1))
        sounds.append(Sound(name, audio, preset, _spelled(str(file))))
    return _usable(name, sounds, {}, note)


def _naturally(file: Path) -> list[tuple[int, str]]:
    """An order in which `sound 2` stands before `sound 10`."""
    pieces = re.findall(r"\d+|\D+", file.stem)
    return [(int(piece), "") if piece.isdecimal() else (-1, piece.casefold()) for piece in pieces]


def _usable(name: str, sounds: Sequence[Sound], left_out: dict[str, str], note: Note) -> Collection:
    """Set aside what the metrics refuse.

    Raises:
        InvalidValueError: nothing is left.
    """
    usable = []
    left_out = dict(left_out)
    for sound in sounds:
        try:
            metrics.validate(sound.audio, sound.audio, note.sample_rate)
        except InvalidValueError as error:
            left_out[sound.name] = str(error)
        else:
            usable.append(sound)
    if not usable:
        reasons = "; ".join(f"{sound}: {reason}" for sound, reason in left_out.items())
        raise InvalidValueError(f"{name} holds no sound that can be matched. {reasons}")
    return Collection(_spelled(name), usable, left_out)


def _spelled(name: str) -> str:
    """A name as reports can hold it: letters of another encoding are replaced."""
    return os.fsencode(name).decode("utf-8", "replace")
