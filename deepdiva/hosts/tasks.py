"""What worker processes are asked to do."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from deepdiva.hosts.host import PluginDescription
from deepdiva.hosts.loading import Loader
from deepdiva.hosts.memory import AudioBuffer
from deepdiva.hosts.player import Attempt, Player, play_once
from deepdiva.hosts.process import end_of_process
from deepdiva.hosts.render_checks import RenderChecks
from deepdiva.hosts.saving import SavedPatch, save_patch
from deepdiva.hosts.worker import Bench, PluginSpec, Task
from deepdiva.note import Note

_SAMPLE_RATE = 44100  # for tasks that play nothing


@dataclass(frozen=True)
class Outcome:
    """Report of one patch. In `PlayInTurn`, patches that played well are not reported.

    Attributes:
        place: of its audio in the buffer.
        fault: why there is no audio; empty if there is.
        suspect: the plug-in may be at fault, not the patch. The task ends here.
    """

    place: int
    fault: str = ""
    suspect: bool = False


@dataclass(frozen=True)
class Describe(Task):
    """Load a plug-in and read what it says of itself."""

    plugin: PluginSpec

    def run(self, bench: Bench) -> PluginDescription:
        return bench.host(self.plugin, _SAMPLE_RATE).describe()


@dataclass(frozen=True, eq=False)
class Setup:
    """What remains the same from task to task.

    Attributes:
        reference: the row that the player falls back to.
    """

    plugin: PluginSpec
    loader: Loader
    checks: RenderChecks
    note: Note
    reference: NDArray[np.float64]

    def packed(self) -> bytes:
        """For `PlayInTurn`: packing it again for every task costs as much as a short render."""
        return pickle.dumps(self)


@dataclass(frozen=True, eq=False)
class PlayInTurn(Task):
    """Play patches one after the other in one instance: fast, and each leaves its traces.

    It beats when the plug-in is loaded, from when on it is the patches that take time; and after
    each patch.

    Attributes:
        setup: `Setup.packed`.
        rows: what the loader needs of each patch, shape (patches, anything).
        places: of their audio in the buffer.
    """

    setup: bytes
    rows: NDArray[np.float64]
    places: Sequence[int]
    buffer: AudioBuffer

    def run(self, bench: Bench) -> None:
        audio = self.buffer.open()
        player = bench.player(self.setup, lambda: self._player(bench))
        bench.beat()
        for row, place in zip(self.rows, self.places, strict=True):
            outcome = written(player.play(row), place, audio)
            if outcome.fault:
                bench.report(outcome)
            bench.beat()
            if outcome.suspect:
                return

    def _player(self, bench: Bench) -> Player:
        setup: Setup = pickle.loads(self.setup)
        host = bench.host(setup.plugin, setup.note.sample_rate)
        return Player(host, setup.loader, setup.checks, setup.reference, setup.note)


@dataclass(frozen=True, eq=False)
class PlayApart(Task):
    """Play each patch with a plug-in that has played nothing before: exact, and slow.

    Attributes:
        rows: what the loader needs of each patch, shape (patches, anything).
        places: of their audio in the buffer.
        fork: load the plug-in in a forked copy of this process, which never loaded one. Without,
            the task takes a single row, and the process must be new.
    """

    plugin: PluginSpec
    loader: Loader
    checks: RenderChecks
    note: Note
    rows: NDArray[np.float64]
    places: Sequence[int]
    buffer: AudioBuffer
    fork: bool

    def run(self, bench: Bench) -> None:
        self.plugin.host.library()
        for row, place in zip(self.rows, self.places, strict=True):
            play = partial(self._play, bench, row, place)
            if not self.fork:
                play()
                continue
            code = bench.apart(play)
            if code != 0:
                bench.report(Outcome(place, end_of_process(code), suspect=True))
                return

    def _play(self, bench: Bench, row: NDArray[np.float64], place: int) -> None:
        host = bench.host(self.plugin, self.note.sample_rate)
        attempt = play_once(host, self.loader, self.checks, row, self.note)
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


def written(attempt: Attempt, place: int, audio: NDArray[np.float32]) -> Outcome:
    """Put the audio of an attempt into the buffer, and make the report of it."""
    if not attempt.fault:
        audio[place] = attempt.audio
    return Outcome(place, attempt.fault, attempt.suspect)
