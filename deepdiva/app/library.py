"""Sounds and their takes in a folder, as the command line leaves and understands them.

A *take* is one search for one sound. The first take of `bass.wav` is `bass.h2p` with `bass.run`, as
`deepdiva refine sounds/bass.wav --output FOLDER` would write it; the next ones lie in `take-2`,
`take-3` and so on. The sounds are in `sounds`, and what only the page knows is in `.app`: a file
for each sound and each take, and the token.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from deepdiva.audio import SOUND_SUFFIXES
from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.files import RUN_SUFFIX, atomic_write, name_key
from deepdiva.note import Note
from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.state_files import KINDS
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset

State = Literal["waiting", "running", "done", "failed"]

MOST_SOUNDS = 500
LONGEST_NAME = 60

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9#_+-]+")
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{43}")


@dataclass
class Sound:
    """A recording.

    Attributes:
        id: names it in addresses; the stem of its files.
        name: that it came with; shown, and never a path.
        suffix: of its file; empty where only its results are here.
        added: seconds since 1970.
        heard: what was understood of it, as `Heard.to_dict`; None before.
        error: why it cannot be matched; empty if it can.
        is_hidden: whether the user has put it away.
    """

    id: str
    name: str
    suffix: str
    added: float = field(default_factory=time.time)
    heard: dict[str, Any] | None = None
    error: str = ""
    is_hidden: bool = False


@dataclass
class Take:
    """A search for a sound.

    Attributes:
        id: names it in addresses.
        sound: id of the sound.
        number: 1 for the first of its sound.
        state: of the search.
        note: what is played, as `Note.to_dict`.
        wanted: what the user says of it, by the fields of `Note`; the rest was heard.
        cents: how far the recording is above the keyboard.
        start_seconds: where in the file the part begins; None: where the sound does.
        length_seconds: of the part; None: what the note needs.
        base: patch that the search starts from; None for the built-in one.
        locked: names of parameters that are held.
        mode: a named budget; None for one in evaluations.
        evaluations: candidates at most; None for those of the mode.
        seed: of everything that is drawn at random.
        answer: what the search found, see `deepdiva.app.matching`; None before.
        curve: (seconds, evaluations, distance) over time.
        edit: patch as the user has turned its knobs; None where nobody did.
        error: why the search failed; empty if it did not.
    """

    id: str
    sound: str
    number: int
    state: State = "waiting"
    note: dict[str, Any] = field(default_factory=lambda: Note().to_dict())
    wanted: dict[str, Any] = field(default_factory=dict)
    cents: float = 0.0
    start_seconds: float | None = None
    length_seconds: float | None = None
    base: list[float] | None = None
    locked: list[str] = field(default_factory=list)
    mode: str | None = "quick"
    evaluations: int | None = None
    seed: int = 0
    answer: dict[str, Any] | None = None
    curve: list[list[float]] = field(default_factory=list)
    edit: list[float] | None = None
    error: str = ""


class Library:
    """The folder.

    Args:
        folder: made if missing.

    Attributes:
        folder: as given.
        sounds: by id, the oldest first.
        takes: by id, the oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._own = self.folder / ".app"
        for part in ("sounds", "takes"):
            (self._own / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "sounds").mkdir(exist_ok=True)
        sounds = [_read(Sound, file) for file in (self._own / "sounds").glob("*.json")]
        self.sounds = {
            sound.id: sound for sound in sorted(sounds, key=lambda s: (s.added, name_key(s.id)))
        }
        takes = [_read(Take, file) for file in (self._own / "takes").glob("*.json")]
        self.takes = {take.id: take for take in sorted(takes, key=lambda t: (t.sound, t.number))}
        self._find_results()

    def token(self) -> str:
        """The secret that the page shows: kept, so that a page stays open over a restart."""
        file = self._own / "token"
        kept = file.read_bytes().strip() if file.is_file() else b""
        if not _TOKEN.fullmatch(kept):
            kept = secrets.token_urlsafe(32).encode()
            atomic_write(file, kept, force=True)
            file.chmod(0o600)
        return kept.decode("ascii")

    def sound(self, sound_id: str) -> Sound:
        """The sound of an id.

        Raises:
            UnknownNameError: there is none.
        """
        if sound_id not in self.sounds:
            raise UnknownNameError(f"There is no sound {sound_id!r}: reload the page.")
        return self.sounds[sound_id]

    def take(self, take_id: str) -> Take:
        """The take of an id.

        Raises:
            UnknownNameError: there is none.
        """
        if take_id not in self.takes:
            raise UnknownNameError(f"There is no take {take_id!r}: reload the page.")
        return self.takes[take_id]

    def file(self, sound: Sound) -> Path | None:
        """The recording; None where only its results are here."""
        return self.folder / "sounds" / f"{sound.id}{sound.suffix}" if sound.suffix else None

    def output(self, take: Take) -> Path:
        """The folder of a take's results."""
        return self.folder if take.number == 1 else self.folder / f"take-{take.number}"

    def run_folder(self, take: Take) -> Path:
        """The record of a take's search."""
        return self.output(take) / f"{take.sound}{RUN_SUFFIX}"

    def base_file(self, take: Take) -> Path | None:
        """The preset that a take starts from, written if it is not there; None for the built-in."""
        if take.base is None:
            return None
        file = self._own / "takes" / f"{take.id}.h2p"
        if not file.exists():
            Preset.template().with_values(take.base).write(file)
        return file

    def add_sound(self, name: str, data: bytes) -> Sound:
        """Keep a recording.

        Args:
            name: of the file as the user calls it, anything; only its ending must be that of a
                sound.
            data: the file.

        Raises:
            InvalidValueError: the ending of a file that is no sound, or too many sounds.
        """
        if len(self.sounds) >= MOST_SOUNDS:
            raise InvalidValueError(
                f"Here are {MOST_SOUNDS} sounds already: open another folder with --folder."
            )
        suffix = f".{name.rpartition('.')[2].lower()}"
        if suffix not in SOUND_SUFFIXES:
            raise InvalidValueError(
                f"{name!r} is no sound that can be read: its name must end in "
                f"{', '.join(SOUND_SUFFIXES)}."
            )
        stem = self._free_stem(name.rpartition(".")[0])
        sound = Sound(stem, name, suffix)
        atomic_write(self.folder / "sounds" / f"{stem}{suffix}", data)
        self.sounds[stem] = sound
        self.keep(sound)
        return sound

    def adopt(self, path: Path) -> Sound:
        """Take a sound of this machine in; one whose results are here already gets its file.

        Raises:
            InvalidValueError: as `add_sound`.
            OSError: it cannot be read.
        """
        known = self.sounds.get(path.stem)
        data = path.read_bytes()
        if known is None:
            return self.add_sound(path.name, data)
        known.is_hidden = False
        if not known.suffix and path.suffix.lower() in SOUND_SUFFIXES:
            known.suffix = path.suffix.lower()
            atomic_write(self.folder / "sounds" / f"{known.id}{known.suffix}", data, force=True)
            self.keep(known)
        return known

    def new_take(self, sound: Sound, **values: Any) -> Take:
        """A take to be searched; `values` are attributes of it."""
        numbers = [take.number for take in self.takes.values() if take.sound == sound.id]
        number = max(numbers, default=0) + 1
        take = Take(f"{sound.id}~{number}", sound.id, number, **values)
        self.output(take).mkdir(exist_ok=True)
        self.takes[take.id] = take
        self.keep(take)
        return take

    def keep(self, entry: Sound | Take) -> None:
        """Write what is known of a sound or a take."""
        kind = "sounds" if isinstance(entry, Sound) else "takes"
        text = json.dumps(asdict(entry), indent=1)
        atomic_write(self._own / kind / f"{entry.id}.json", text.encode(), force=True)

    def hide(self, sound: Sound) -> None:
        """Put a sound away; recording, presets and records stay where they are."""
        sound.is_hidden = True
        self.keep(sound)

    def _free_stem(self, name: str) -> str:
        """A name for files: letters, digits and a few signs, and of no other sound."""
        stem = _UNSAFE.sub("_", name.rpartition("/")[2].rpartition("\\")[2])[:LONGEST_NAME]
        stem = stem.strip("_") or "sound"
        if _RESERVED.fullmatch(stem):
            stem = f"sound_{stem}"
        taken = {name_key(file.stem) for file in (self.folder / "sounds").iterdir()}
        taken |= {name_key(file.stem) for file in self.folder.iterdir()}
        free, number = stem, 1
        while name_key(free) in taken:
            number += 1
            free = f"{stem}_{number}"
        return free

    def _find_results(self) -> None:
        """Take in what the command line has left in the folder."""
        for run in sorted(self.folder.glob(f"*{RUN_SUFFIX}/run.json")):
            stem = run.parent.name.removesuffix(RUN_SUFFIX)
            preset = self.folder / f"{stem}.h2p"
            if f"{stem}~1" in self.takes or not preset.exists() or stem != _UNSAFE.sub("_", stem):
                continue
            build = partial(_take_of_run, stem, preset, run.parent)
            name, take = KINDS["search"].read(run, build)
            if stem not in self.sounds:
                self.sounds[stem] = Sound(stem, name, "", added=run.stat().st_mtime)
            self.takes[take.id] = take


Entry = TypeVar("Entry", Sound, Take)


def _read(kind: type[Entry], file: Path) -> Entry:
    """A sound or a take as it was kept; entries of a later version are passed over.

    Raises:
        InvalidValueError: the file is damaged.
    """
    known = {entry.name for entry in fields(kind)}

    def build(stored: dict[str, Any]) -> Entry:
        entry = kind(**{name: value for name, value in stored.items() if name in known})
        if entry.id != file.stem:
            raise InvalidValueError(f"it is of {entry.id}")
        _check(entry)
        return entry

    return KINDS[kind.__name__.lower()].read(file, build)


def _check(entry: Sound | Take) -> None:
    """Refuse what no sound and no take can have.

    Raises:
        InvalidValueError: a file that is no sound, or values that are none of a note or a patch.
    """
    if isinstance(entry, Sound):
        if entry.suffix not in ("", *SOUND_SUFFIXES):
            raise InvalidValueError(f"{entry.suffix} is the ending of no sound")
        return
    Note(**entry.note)
    NoteChoice(**entry.wanted)
    answer = entry.answer or {}
    found = [one["patch"] for one in (answer.get("best"), *answer.get("others", ())) if one]
    for patch in (entry.base, entry.edit, *found):
        if patch is not None:
            DIVA.check(np.array(patch))


def _take_of_run(stem: str, preset: Path, run: Path, about: dict[str, Any]) -> tuple[str, Take]:
    """Name of the sound, and the take that `deepdiva refine` made of it."""
    explained = run / "explanation.json"
    roles = KINDS["explanation"].read(explained, dict)["parameters"] if explained.exists() else []
    others = [Preset.read(file) for file in sorted(run.glob("alternative-*.h2p"))]
    answer = {
        "best": {"patch": Preset.read(preset).values().tolist(), "distance": None},
        "end": "done",
        "free": [entry["name"] for entry in about["space"]["free"]],
        "roles": roles,
        "others": [{"patch": other.values().tolist()} for other in others],
        "said": [],
        "fixed": {},
        "preset": str(preset),
    }
    heard = about.get("heard") or {}
    return about["sound"], Take(
        f"{stem}~1", stem, 1, "done", about["note"], cents=heard.get("cents", 0.0),
        seed=about["settings"]["seed"], answer=answer, mode=None,
    )  # fmt: skip
