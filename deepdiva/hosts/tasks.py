"""What worker processes are asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.hosts.gates import Gates
from deepdiva.hosts.host import PluginDescription
from deepdiva.hosts.loading import Loader
from deepdiva.hosts.player import Attempt, Player, play_once
from deepdiva.hosts.process import end_of_process
from deepdiva.hosts.saving import SavedPatch, save_patch
from deepdiva.hosts.worker import Bench, PluginSpec, Task
from deepdiva.note import Note

_SAMPLE_RATE = 44100  # for tasks that play nothing


@dataclass(frozen=True)
class Outcome:
    """Report of one patch.

    Attributes:
        place: of the patch in its task, and of its audio in the buffer.
        fault: why there is no audio; empty if there is.
        suspect: the plug-in may be at fault, not the patch. The task ends here.
    """

    place: int
    fault: str = ""
    suspect: bool = False


@dataclass(frozen=True)
class Ready:
    """Report that the plug-in is loaded: from now on it is the patches that take time."""


@dataclass(frozen=True, eq=False)
class AudioBuffer:
    """A file that both processes map into memory: audio takes no way through pipes.

    Attributes:
        path: of the file, which the caller makes.
        rows: patches that fit.
        samples: of each.
    """

    path: Path
    rows: int
    samples: int

    def open(self) -> NDArray[np.float32]:
        """Map it, shape (rows, samples), for reading and writing."""
        return np.memmap(self.path, np.float32, "r+", shape=(self.rows, self.samples))


@dataclass(frozen=True)
class Describe(Task):
    """Load a plug-in and read what it says of itself."""

    plugin: PluginSpec

    def run(self, bench: Bench) -> PluginDescription:
        return bench.host(self.plugin, _SAMPLE_RATE).describe()


@dataclass(frozen=True, eq=False)
class PlayInTurn(Task):
    """Play patches one after the other in one instance: fast, and each leaves its traces.

    Attributes:
        rows: what the loader needs of each patch, shape (patches, anything).
        reference: the row that the player falls back to.
    """

    plugin: PluginSpec
    loader: Loader
    gates: Gates
    note: Note
    rows: NDArray[np.float64]
    reference: NDArray[np.float64]
    buffer: AudioBuffer

    def run(self, bench: Bench) -> None:
        audio = _kept_open(self.buffer.path, self.buffer.rows, self.buffer.samples)
        player = bench.player(self.note, lambda: self._player(bench))
        bench.report(Ready())
        for place, row in enumerate(self.rows):
            outcome = written(player.play(row), place, audio)
            bench.report(outcome)
            if outcome.suspect:
                return

    def _player(self, bench: Bench) -> Player:
        host = bench.host(self.plugin, self.note.sample_rate)
        return Player(host, self.loader, self.gates, self.reference, self.note)


@dataclass(frozen=True, eq=False)
class PlayApart(Task):
    """Play each patch with a plug-in that has played nothing before: exact, and slow.

    Attributes:
        rows: what the loader needs of each patch, shape (patches, anything).
        fork: load the plug-in in a forked copy of this process, which never loaded one. Without,
            the task takes a single row, and the process must be new.
    """

    plugin: PluginSpec
    loader: Loader
    gates: Gates
    note: Note
    rows: NDArray[np.float64]
    buffer: AudioBuffer
    fork: bool

    def run(self, bench: Bench) -> None:
        self.plugin.host.library()
        for place in range(len(self.rows)):
            if not self.fork:
                self._play(bench, place)
                continue
            code = bench.apart(lambda place=place: self._play(bench, place))  # type: ignore[misc]
            if code != 0:
                bench.report(Outcome(place, end_of_process(code), suspect=True))
                return

    def _play(self, bench: Bench, place: int) -> None:
        host = bench.host(self.plugin, self.note.sample_rate)
        attempt = play_once(host, self.loader, self.gates, self.rows[place], self.note)
        bench.report(written(attempt, place, self.buffer.open()))


@dataclass(frozen=True, eq=False)
class Save(Task):
    """Make a preset file of the plug-in's own format from a patch."""

    plugin: PluginSpec
    description: PluginDescription
    loader: Loader
    row: NDArray[np.float64]
    reference: NDArray[np.float64]
    name: str

    def run(self, bench: Bench) -> SavedPatch:
        host = bench.host(self.plugin, _SAMPLE_RATE)
        return save_patch(host, self.description, self.loader, self.row, self.reference, self.name)


@dataclass(frozen=True, eq=False)
class ReadBack(Task):
    """Load a patch and read what the plug-in then says of its parameters, in [0, 1]."""

    plugin: PluginSpec
    loader: Loader
    row: NDArray[np.float64]
    indices: NDArray[np.intp]

    def run(self, bench: Bench) -> NDArray[np.float64]:
        host = bench.host(self.plugin, _SAMPLE_RATE)
        self.loader.load(host, self.row)
        host.settle(Note(), 0.0)
        return host.values(self.indices)


@lru_cache(maxsize=1)
def _kept_open(path: Path, rows: int, samples: int) -> NDArray[np.float32]:
    """A buffer that stays mapped from task to task; mapping it costs more than filling it."""
    return AudioBuffer(path, rows, samples).open()


def written(attempt: Attempt, place: int, audio: NDArray[np.float32]) -> Outcome:
    """Put the audio of an attempt into the buffer, and make the report of it."""
    if not attempt.fault:
        audio[place] = attempt.audio
    return Outcome(place, attempt.fault, attempt.suspect)
