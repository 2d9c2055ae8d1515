"""Test sets: named sounds with a note, and the patches that made them where these are known.

On disk a test set is a folder of WAV files and a `testset.json` that says all about them. A set of
Diva's holds presets too, because they hold what is no parameter, such as the detune pots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import read_audio
from deepdiva.errors import AudioError, MissingFileError
from deepdiva.files import atomic_write, file_sha256
from deepdiva.names import check_name, inside
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.space import ParameterSpace
from deepdiva.state_files import KINDS
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset

FILE_NAME = "testset.json"
FORMAT = "deepdiva-testset"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Further:
    """Another recording of a sound's source, on another key or at another velocity.

    Attributes:
        file: its WAV file in the set's folder.
        sha256: of that file.
        note: that it holds.
    """

    file: str
    sha256: str
    note: Note


@dataclass(frozen=True, eq=False)
class ListedSound:
    """One sound of a test set.

    Attributes:
        name: unique in the set.
        file: its WAV file in the set's folder.
        sha256: of that file.
        patch: what made it, shape (len(table),), in units; None where nobody knows.
        seed: with which it was rendered; None where nobody knows.
        preset: its `.h2p` file in the set's folder; None where the built-in preset with the patch
            is meant, or nobody knows.
        note: that the sound holds; None where it is the set's. Sample rate and length of the
            recording are the set's.
        start: sample of the file at which the note begins.
        further: other notes of the same source.
    """

    name: str
    file: str
    sha256: str
    patch: NDArray[np.float64] | None = None
    seed: int | None = None
    preset: str | None = None
    note: Note | None = None
    start: int = 0
    further: tuple[Further, ...] = ()


@dataclass(frozen=True, eq=False)
class TestSet:
    """A test set on disk.

    Attributes:
        name: of the set.
        folder: that holds its files.
        origin: where the sounds come from, and their licence.
        note: what was played. A recording may be longer; `audio` cuts it.
        space: the parameters that were varied, around the base patch of the others.
        renderer: name and version of what played it; empty where it was a recording.
        sounds: that are there.
        missing: names of sounds that belong to the set and are not there.
        base: `.h2p` file in the folder, around which the space lies; None where that is the
            built-in preset, or the sounds are of another synthesizer.
    """

    __test__: ClassVar[bool] = False  # pytest would take the class for a group of tests

    name: str
    folder: Path
    origin: str
    note: Note
    space: ParameterSpace
    renderer: Mapping[str, str]
    sounds: tuple[ListedSound, ...]
    missing: tuple[str, ...] = ()
    base: str | None = None

    @classmethod
    def open(cls, folder: Path | str, table: ParameterTable = DIVA) -> TestSet:
        """Open a test set.

        Args:
            folder: that holds its `testset.json`.
            table: parameters of the synthesizer that it was made with.

        Raises:
            MissingFileError: it is none, or a sound of it is missing.
            InvalidValueError: its description is damaged, or of another synthesizer or version.
        """
        folder = Path(folder)
        path = folder / FILE_NAME
        if not path.is_file():
            raise MissingFileError(
                f"{path} does not exist: {folder} is no test set. Name one of deepdiva testset "
                "list, or a folder that deepdiva testset make has made."
            )

        def build(values: Mapping[str, Any]) -> TestSet:
            space = ParameterSpace.from_dict(values["space"], table)
            return cls(
                name=values["name"],
                folder=folder,
                origin=values["origin"],
                note=Note(**values["note"]),
                space=space,
                renderer=values["renderer"],
                sounds=tuple(_listed(entry, space) for entry in values["sounds"]),
                missing=tuple(values["missing"]),
                base=values.get("base"),
            )

        found = KINDS["testset"].read(path, build)
        for sound in found.sounds:
            check_name("sound", sound.name)
        files = [name for sound in found.sounds for name in (sound.file, sound.preset)]
        files += [each.file for sound in found.sounds for each in sound.further]
        for name in filter(None, [found.base, *files]):
            if not inside(folder, name).is_file():
                raise MissingFileError(
                    f"{folder / name} is missing: get or make the test set again."
                )
        return found

    def write(self, force: bool = False) -> None:
        """Write `testset.json` into the folder.

        Raises:
            FileExistsAlreadyError: there is one, without `force`.
        """
        atomic_write(self.folder / FILE_NAME, self.to_json().encode(), force)

    def to_json(self) -> str:
        """The text of `testset.json`."""
        return json.dumps(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "name": self.name,
                "origin": self.origin,
                "note": self.note.to_dict(),
                "renderer": dict(self.renderer),
                "space": self.space.to_dict(),
                "missing": list(self.missing),
                **({} if self.base is None else {"base": self.base}),
                "sounds": [_entry(sound, self.space) for sound in self.sounds],
            },
            indent=1,
        )

    def path(self, sound: ListedSound | Further) -> Path:
        """The file of a sound."""
        return self.folder / sound.file

    def base_preset(self) -> Preset:
        """The preset of Diva around which the space lies."""
        return self._preset(self.base, self.space.base)

    def preset(self, sound: ListedSound) -> Preset | None:
        """The preset of Diva that a sound was made with; None where nobody knows."""
        return None if sound.patch is None else self._preset(sound.preset, sound.patch)

    def _preset(self, name: str | None, patch: NDArray[np.float64]) -> Preset:
        kept = Preset.template() if name is None else Preset.read(self.folder / name)
        return kept.with_values(patch)

    def note_of(self, sound: ListedSound) -> Note:
        """The note that a sound holds."""
        return sound.note or self.note

    def audio(self, sound: ListedSound | Further) -> NDArray[np.float32]:
        """A sound as the note says: mono, cut or padded with silence to its length.

        Returns:
            Shape (note.samples,).

        Raises:
            AudioError: another sample rate than the note's, or no sound file.
        """
        samples, sample_rate = read_audio(
            self.path(sound), length_seconds=self.note.render_seconds + 1.0
        )
        if isinstance(sound, ListedSound):
            samples = samples[sound.start :]
        if sample_rate != self.note.sample_rate:
            raise AudioError(
                f"{self.path(sound)} has {sample_rate} samples per second and the set's note "
                f"{self.note.sample_rate}: get or make the set again."
            )
        mono = np.zeros(self.note.samples, np.float32)
        cut = samples[: len(mono)].mean(axis=1)
        mono[: len(cut)] = cut
        return mono

    def damaged(self) -> list[Path]:
        """Files whose SHA-256 is not the one that is listed."""
        listed: list[ListedSound | Further] = [*self.sounds]
        listed += [each for sound in self.sounds for each in sound.further]
        return [self.path(each) for each in listed if file_sha256(self.path(each)) != each.sha256]


def name_of_test_set(folder: Path) -> str | None:
    """The name of the test set that a folder holds; None if there is none that can be read."""
    try:
        return str(json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entry(sound: ListedSound, space: ParameterSpace) -> dict[str, Any]:
    """A sound in JSON; of its patch only what differs from the base, by name."""
    entry: dict[str, Any] = {"name": sound.name, "file": sound.file, "sha256": sound.sha256}
    if sound.note is not None:
        entry["note"] = sound.note.to_dict()
    if sound.start:
        entry["start"] = sound.start
    if sound.further:
        entry["further"] = [
            {"file": each.file, "sha256": each.sha256, "note": each.note.to_dict()}
            for each in sound.further
        ]
    if sound.patch is None:
        return {**entry, "patch": None, "seed": None}
    varied = np.flatnonzero(sound.patch != space.base)
    patch = {space.table[int(place)].name: float(sound.patch[place]) for place in varied}
    kept = {} if sound.preset is None else {"preset": sound.preset}
    return {**entry, "patch": patch, "seed": sound.seed, **kept}


def _listed(entry: Mapping[str, Any], space: ParameterSpace) -> ListedSound:
    patch = None
    if entry["patch"] is not None:
        patch = space.base.copy()
        for name, value in entry["patch"].items():
            patch[space.table.index(name)] = value
        space.table.check(patch)
    note = Note(**entry["note"]) if "note" in entry else None
    further = [
        Further(each["file"], each["sha256"], Note(**each["note"]))
        for each in entry.get("further", [])
    ]
    return ListedSound(
        entry["name"],
        entry["file"],
        entry["sha256"],
        patch,
        entry["seed"],
        entry.get("preset"),
        note,
        entry.get("start", 0),
        tuple(further),
    )
