"""What a plug-in played of probes: a folder that a kill leaves whole, and an archive of it.

The folder holds `probes.json` and one FLAC of 24 bits for each probe, scaled by a power of two, so
that an archive holds the very samples that a fit hears.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from deepdiva.calibration.pictures import Sounds
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.files import atomic_write
from deepdiva.renderer import Renderer
from deepdiva.state_files import KINDS
from deepdiva.synths.diva.probes import Probe

STATE: Final = "probes.json"
SUFFIX: Final = ".flac"
_NAME = re.compile(r"[a-z0-9-]+\.flac")
_MOST_BYTES: Final = 4 << 20
"""Of one sound in an archive."""

Progress = Callable[[int, int], None]


def _unseen(_: int, __: int) -> None:
    pass


@dataclass
class RecordedProbes:
    """What a plug-in played.

    Attributes:
        folder: that holds it.
        plugin: name, version, format, host, quality and checksum.
        entries: of each probe: `plays` (what was asked for), and either `sha256` and `gain`, or
            `failed`.
        floor_db: distance between two renders of one probe, dB; None where it was not measured.
    """

    folder: Path
    plugin: Mapping[str, str]
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    floor_db: float | None = None

    @classmethod
    def open(cls, folder: Path) -> RecordedProbes:
        """Read a folder.

        Raises:
            MissingFileError: there is none.
            InvalidValueError: its table is damaged.
        """
        return KINDS["probes"].read(
            folder / STATE,
            lambda state: cls(folder, state["plugin"], state["probes"], state.get("floor_db")),
        )

    @classmethod
    def go_on(cls, folder: Path, plugin: Mapping[str, str]) -> RecordedProbes:
        """The folder as a former run left it, or a new one.

        Raises:
            InvalidValueError: it is damaged, or another plug-in played it.
        """
        if not (folder / STATE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            return cls(folder, plugin)
        found = cls.open(folder)
        if dict(found.plugin) != dict(plugin):
            raise InvalidValueError(
                f"{folder} holds what {_title(found.plugin)} played, and this is "
                f"{_title(plugin)}: choose another folder."
            )
        return found

    def lacking(self, probes: Sequence[Probe]) -> list[Probe]:
        """Probes that were not tried yet."""
        return [p for p in probes if self.entries.get(p.name, {}).get("plays") != _digest(p)]

    def failures(self) -> dict[str, str]:
        """Why probes failed, by their names."""
        return {n: entry["failed"] for n, entry in self.entries.items() if "failed" in entry}

    def put(self, probe: Probe, sound: Sounds) -> None:
        """Keep a sound, (samples,) float32; `save` makes it count."""
        peak = float(np.abs(sound).max())
        gain = 2.0 ** np.ceil(np.log2(peak)) if peak > 0.0 else 1.0
        data = io.BytesIO()
        scaled = np.clip(sound / gain, -1.0, 1.0 - 2.0**-23)
        soundfile.write(data, scaled, probe.note.sample_rate, "PCM_24", format="FLAC")
        atomic_write(self.folder / f"{probe.name}{SUFFIX}", data.getvalue(), force=True)
        self.entries[probe.name] = {
            "plays": _digest(probe),
            "sha256": hashlib.sha256(data.getvalue()).hexdigest(),
            "gain": float(gain),
        }

    def put_failure(self, probe: Probe, reason: str) -> None:
        """Note that a probe cannot be played."""
        self.entries[probe.name] = {"plays": _digest(probe), "failed": reason}

    def save(self) -> None:
        """Write the table."""
        state = {
            **KINDS["probes"].format,
            "plugin": dict(self.plugin),
            "probes": dict(sorted(self.entries.items())),
            **({} if self.floor_db is None else {"floor_db": self.floor_db}),
        }
        atomic_write(self.folder / STATE, (json.dumps(state, indent=1) + "\n").encode(), force=True)

    def sounds(self, probes: Sequence[Probe]) -> dict[str, Sounds]:
        """The sounds of those that were played as they are now, (samples,) float32, by name.

        Raises:
            MissingFileError: a sound is gone.
            InvalidValueError: a sound is not the one that was played.
        """
        found = {}
        for probe in probes:
            entry = self.entries.get(probe.name, {})
            if entry.get("plays") != _digest(probe) or "failed" in entry:
                continue
            path = self.folder / f"{probe.name}{SUFFIX}"
            try:
                data = path.read_bytes()
            except OSError as error:
                raise MissingFileError(f"{path} cannot be read ({error}): play it again.") from None
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise InvalidValueError(
                    f"{path} is not the sound that was played: remove {self.folder / STATE}, and "
                    "calibrate again."
                )
            sound, _ = soundfile.read(io.BytesIO(data), dtype="float32")
            found[probe.name] = np.asarray(sound * np.float32(entry["gain"]))
        return found

    def digest(self) -> str:
        """SHA-256 of all that was played."""
        rows = sorted((name, entry.get("sha256", "")) for name, entry in self.entries.items())
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def record(
    recorded: RecordedProbes,
    probes: Sequence[Probe],
    renderer: Renderer,
    workers: int = 1,
    deadline: float | None = None,
    progress: Progress = _unseen,
) -> None:
    """Have a plug-in play what is lacking, some probes at a time; a crash costs its probe.

    Args:
        recorded: where it is kept. Killed, it goes on where it was.
        probes: the most telling first.
        renderer: of the plug-in; each probe should get a fresh instance.
        workers: processes of the renderer.
        deadline: `time.monotonic()` after which no other batch begins; None for none.
        progress: hears how many of how many are done.
    """
    lacking = recorded.lacking(probes)
    done = len(probes) - len(lacking)
    while lacking:
        if deadline is not None and time.monotonic() > deadline:
            return
        note = lacking[0].note
        batch = [probe for probe in lacking if probe.note == note][: 4 * workers]
        played = renderer.render_checked(np.array([probe.patch for probe in batch]), note)
        reasons = {failure.row: failure.reason for failure in played.failures}
        for row, probe in enumerate(batch):
            if row in reasons:
                recorded.put_failure(probe, reasons[row])
            else:
                recorded.put(probe, played.audio[row])
        recorded.save()
        done += len(batch)
        progress(done, len(probes))
        tried = {probe.name for probe in batch}
        lacking = [probe for probe in lacking if probe.name not in tried]


def pack(recorded: RecordedProbes, path: Path, force: bool = False) -> None:
    """Write an archive that can be given to others: it holds sounds and no path.

    Raises:
        FileExistsAlreadyError: it exists, without `force`.
    """
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name in [STATE, *(f"{n}{SUFFIX}" for n in sorted(recorded.entries))]:
            file = recorded.folder / name
            if file.is_file():
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes())
    atomic_write(path, data.getvalue(), force)


def unpack(path: Path, folder: Path) -> RecordedProbes:
    """Read an archive into a folder; or take a folder as it is.

    Raises:
        MissingFileError: there is none.
        InvalidValueError: it is no archive of probes, or holds what does not belong there.
    """
    if path.is_dir():
        return RecordedProbes.open(path)
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist: --from takes an archive of probes.")
    folder.mkdir(parents=True, exist_ok=True)
    way_out = "it must be one that deepdiva calibrate --export wrote."
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename != STATE and not _NAME.fullmatch(entry.filename):
                    raise InvalidValueError(f"{path} holds {entry.filename!r}: {way_out}")
                if entry.file_size > _MOST_BYTES:
                    raise InvalidValueError(f"{path}: {entry.filename} is too large: {way_out}")
                atomic_write(folder / entry.filename, archive.read(entry), force=True)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidValueError(f"{path} is no archive ({error}): {way_out}") from error
    return RecordedProbes.open(folder)


def _digest(probe: Probe) -> str:
    row = [sorted(probe.values.items()), sorted(asdict(probe.note).items())]
    return hashlib.sha256(json.dumps(row).encode()).hexdigest()


def _title(plugin: Mapping[str, str]) -> str:
    return " ".join(f"{plugin.get('name', '')} {plugin.get('version', '')}".split()) or "nothing"
