"""A plug-in as a `Renderer`: patches go to worker processes, audio comes back.

**Why not a pool of joblib's.** The search runs joblib threads (`info.workers` is `threading`), and
each render waits for one of this renderer's own processes, with Python's global lock released. A
process holds one plug-in, is started once, as a new interpreter, and never from a process that has
touched a plug-in. Joblib's own process pool would do the same while nothing goes wrong; but a
plug-in that crashes there takes the results of all other workers of the call with it, and one that
hangs cannot be ended. Here each process is watched alone: it dies alone, is replaced alone, and
the patch that killed it is tried once more and then put aside.

**Modes.** `reuse` plays patch after patch in one instance, after a warm-up and with a silence
between them in which tails die away. It is fast, but what was played before leaves its traces:
phases of oscillators run on. `fresh` plays every patch in a process whose plug-in has played
nothing before. It costs the loading of the plug-in, and gives the same samples whatever the order
and the number of workers.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, RenderError
from deepdiva.hosts.dawdreamer import DawDreamerHost
from deepdiva.hosts.diva import (
    DivaNameLoader,
    DivaStateLoader,
    diva_indices,
    is_diva,
)
from deepdiva.hosts.gates import Gates
from deepdiva.hosts.host import Host, PluginDescription
from deepdiva.hosts.loading import Loader, ParameterLoader
from deepdiva.hosts.plugin_table import host_indices, plugin_table
from deepdiva.hosts.process import WorkerDeathError, WorkerProcess
from deepdiva.hosts.quality import DivaQuality
from deepdiva.hosts.renderman import RenderManHost
from deepdiva.hosts.saving import SavedPatch
from deepdiva.hosts.tasks import (
    AudioBuffer,
    Describe,
    Outcome,
    PlayApart,
    PlayInTurn,
    ReadBack,
    Save,
)
from deepdiva.hosts.worker import PluginSpec, Task
from deepdiva.note import Note
from deepdiva.parameters import DIVA, ParameterTable
from deepdiva.preset import Preset
from deepdiva.renderer import (
    Failure,
    PartialRenderError,
    RenderBatch,
    Renderer,
    RendererInfo,
    Seeds,
)

Mode = Literal["reuse", "fresh"]

HOSTS: dict[str, type[Host]] = {"dawdreamer": DawDreamerHost, "renderman": RenderManHost}

_MOST_ROWS = 16  # patches in one task
_MOST_BYTES = 64 << 20  # audio in one task
_ATTEMPTS = 2


@dataclass(frozen=True)
class Limits:
    """How long to wait, and when to give up.

    Attributes:
        start_seconds: for a process to start and load the plug-in.
        render_seconds: for one patch, beside what its length adds.
        per_second: for each second of audio; a slow synthesizer takes more than one.
        recycle_after: patches after which a process is replaced; plug-ins leak.
        failures_in_a_row: crashes without a success between them after which the plug-in, not the
            patch, is held to be broken.
    """

    start_seconds: float = 120.0
    render_seconds: float = 20.0
    per_second: float = 10.0
    recycle_after: int = 5000
    failures_in_a_row: int = 10

    def per_patch(self, note: Note) -> float:
        """Seconds that one patch may take."""
        return self.render_seconds + self.per_second * note.render_seconds


@dataclass(frozen=True)
class PluginSettings:
    """Everything that decides how a plug-in is run.

    Attributes:
        plugin: its path.
        host: `dawdreamer` or `renderman`, or a class of another host.
        mode: `reuse` or `fresh`; see the top of this file.
        workers: processes, at least 1.
        block_size: samples that the plug-in is asked for at a time. It changes the sound a little.
        quality: of Diva; other plug-ins ignore it.
        state: content of a preset file of the plug-in, which holds whatever is no parameter.
        gates: what counts as audio.
        limits: of time and patience.
        fork: in `fresh`, fork a process that has loaded the host library but no plug-in, which is
            several times faster than a new interpreter for each patch. Linux only.

    Raises:
        InvalidValueError: a value that is none of these.
    """

    plugin: Path
    host: str | type[Host] = "dawdreamer"
    mode: Mode = "reuse"
    workers: int = 1
    block_size: int = 512
    quality: DivaQuality = field(default_factory=DivaQuality)
    state: bytes = b""
    gates: Gates = field(default_factory=Gates)
    limits: Limits = field(default_factory=Limits)
    fork: bool = sys.platform == "linux"

    def __post_init__(self) -> None:
        if isinstance(self.host, str) and self.host not in HOSTS:
            raise InvalidValueError(f"host is {self.host!r}: it must be one of {', '.join(HOSTS)}.")
        if self.mode not in ("reuse", "fresh"):
            raise InvalidValueError(f"mode is {self.mode!r}: it must be reuse or fresh.")
        for name, value in (("workers", self.workers), ("block_size", self.block_size)):
            if value < 1:
                raise InvalidValueError(f"{name} is {value}: it must be at least 1.")

    @property
    def spec(self) -> PluginSpec:
        """What a worker process needs to load the plug-in."""
        host = HOSTS[self.host] if isinstance(self.host, str) else self.host
        return PluginSpec(host, self.plugin.expanduser().absolute(), self.block_size, self.state)

    @property
    def host_name(self) -> str:
        """Name of the host, as `RendererInfo` gives it."""
        return self.host if isinstance(self.host, str) else self.host.__name__


@dataclass
class _Desk:
    """One worker process, when there is one, and the file through which audio comes back."""

    process: WorkerProcess | None = None
    buffer: AudioBuffer | None = None
    rendered: int = 0

    def started(self) -> WorkerProcess:
        if self.process is None:
            self.process = WorkerProcess()
        return self.process

    def buffer_for(self, samples: int) -> AudioBuffer:
        """A buffer for as many patches of this length as one task may hold."""
        if self.buffer is None or self.buffer.samples != samples:
            rows = _rows_in_task(samples)
            path = self.started().scratch / f"audio-{samples}.f32"
            with path.open("wb") as file:
                file.truncate(4 * rows * samples)
            self.buffer = AudioBuffer(path, rows, samples)
        return self.buffer

    def clear(self) -> None:
        if self.process is not None:
            self.process.close()
        self.process, self.buffer, self.rendered = None, None, 0


class PluginRenderer(Renderer):
    """Renders with a plug-in, in worker processes that it owns.

    It can be used by many threads at once; each patch takes the next free process. Pickled, it
    takes its settings along, and starts processes of its own where it arrives.

    Patches that fail twice are put aside: `render` raises `PartialRenderError`, which holds the
    audio of all others, and `render_checked` returns it. They are not tried again later.

    Args:
        settings: which plug-in, and how it is run.
        preset: of Diva, for whatever in it is no parameter; the built-in one if None.
    """

    def __init__(self, settings: PluginSettings, preset: Preset | None = None) -> None:
        self.settings = settings
        self._preset = preset
        self._lock = threading.RLock()
        self._desks: queue.LifoQueue[_Desk] = queue.LifoQueue()
        for _ in range(settings.workers):
            self._desks.put(_Desk())
        self._threads: ThreadPoolExecutor | None = None
        self._put_aside: dict[bytes, str] = {}
        self._failures_in_a_row = 0

    def __getstate__(self) -> dict[str, Any]:
        learnt = ("description", "repeatable")
        return {
            "arguments": (self.settings, self._preset),
            "learnt": {name: self.__dict__[name] for name in learnt if name in self.__dict__},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(*state["arguments"])  # type: ignore[misc]
        self.__dict__.update(state["learnt"])

    def exact(self) -> PluginRenderer:
        """The same plug-in in the mode `fresh`, with the same number of workers."""
        return self._changed(mode="fresh")

    def with_preset(self, preset: Preset) -> PluginRenderer:
        """The same plug-in around another preset of Diva."""
        other = self._changed()
        other._preset = preset  # noqa: SLF001  (its own class)
        return other

    def _changed(self, **changes: Any) -> PluginRenderer:
        other = PluginRenderer(replace(self.settings, **changes), self._preset)
        if "description" in self.__dict__:
            other.__dict__["description"] = self.description
        return other

    @cached_property
    def description(self) -> PluginDescription:
        """What the plug-in says of itself; the first use starts a process.

        Raises:
            MissingFileError: there is no such plug-in.
            MissingFeatureError: the host library is not installed.
            RenderError: the plug-in cannot be loaded.
        """
        with self._lock:
            description: PluginDescription = self.ask(Describe(self.settings.spec))
            return description

    def ask(self, task: Task) -> Any:
        """Have a task carried out in a process of its own, which no other task has used.

        Raises:
            RenderError: the process died of it, or did not answer in time.
        """
        process = WorkerProcess()
        try:
            return process.ask(task, self.settings.limits.start_seconds)
        except WorkerDeathError as death:
            raise RenderError(
                f"{self.settings.plugin} {death.reason}. `deepdiva doctor` looks into it. The last "
                f"that it printed:\n{death.log.strip() or '(nothing)'}"
            ) from death
        finally:
            process.close()

    @cached_property
    def is_diva(self) -> bool:
        """Whether the plug-in is Diva: then patches are DIVA's, and presets are `.h2p`."""
        return is_diva(self.description)

    @cached_property
    def table(self) -> ParameterTable:
        return DIVA if self.is_diva else plugin_table(self.description)

    @cached_property
    def host_indices(self) -> NDArray[np.intp]:
        """The host's index of each parameter of the table, shape (len(table),)."""
        return diva_indices(self.description) if self.is_diva else host_indices(self.description)

    @property
    def honoured(self) -> frozenset[str]:
        return frozenset(self.table.names)

    @property
    def info(self) -> RendererInfo:
        plugin = self.description
        return RendererInfo(
            name=self.settings.host_name,
            version=" ".join(f"{plugin.name} {plugin.version} in {plugin.host}".split()),
            repeatable=self.repeatable,
            workers="threading",
        )

    @cached_property
    def repeatable(self) -> bool:
        """Whether renders are the same bit for bit, whatever was rendered before: measured.

        Never in `reuse`. In `fresh`, two patches, the default and one in the middle of all ranges,
        are each rendered by two processes that have nothing in common, and compared.
        """
        if self.settings.mode == "reuse":
            return False
        middle = [parameter.to_unit(0.5) for parameter in self.table]
        patches = np.array([self.table.defaults(), middle])
        one, other = self._changed(workers=1), self._changed(workers=1)
        try:
            first = one.render_checked(patches, Note(render_seconds=0.5, length_seconds=0.4))
            second = other.render_checked(patches, Note(render_seconds=0.5, length_seconds=0.4))
        finally:
            one.close()
            other.close()
        return bool(first.played.any()) and np.array_equal(first.audio, second.audio)

    @cached_property
    def _loader(self) -> Loader:
        if not self.is_diva:
            return ParameterLoader(self.table, self.host_indices)
        if not self.description.takes_state:
            return DivaNameLoader(self.settings.quality, self.host_indices)
        preset = Preset.template() if self._preset is None else self._preset
        return DivaStateLoader(preset, self.description, self.settings.quality, self.host_indices)

    @cached_property
    def _reference(self) -> NDArray[np.float64]:
        rows = self._rows(self.table.defaults()[np.newaxis])
        return np.asarray(rows[0])

    def _rows(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        self.table.check(patches)
        return self._loader.rows(patches)

    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        del seeds  # a plug-in cannot be seeded
        patches = np.asarray(patches, dtype=np.float64)
        if patches.ndim != 2:
            raise InvalidValueError(
                f"patches have the shape {patches.shape}: it must be (batch, {len(self.table)})."
            )
        audio = np.zeros((len(patches), note.samples), dtype=np.float32)
        failures: list[Failure] = []
        rows = self._rows(patches)
        wanted = []
        for row in range(len(rows)):
            fault = self._put_aside.get(rows[row].tobytes())
            if fault is None:
                wanted.append(row)
            else:
                failures.append(Failure(row, f"was put aside before: it {fault}"))
        groups = self._groups(wanted, note)
        # A thread waits for each process; a single group needs none.
        done = (
            [self._play(group, rows, note, audio) for group in groups]
            if len(groups) < 2
            else self._pool.map(lambda group: self._play(group, rows, note, audio), groups)
        )
        for group_failures in done:
            failures += group_failures
        if failures:
            raise PartialRenderError(RenderBatch(audio, tuple(sorted(failures, key=_row_of))))
        return audio

    def save(self, patch: NDArray[np.float64], name: str = "") -> SavedPatch:
        """A patch as a preset file of the plug-in's own format, which it has taken back.

        Args:
            patch: shape (len(table),), in units.
            name: shown by hosts.

        Raises:
            RenderError: the host cannot save states.
            PresetError: the plug-in does not take back what it saved.
        """
        row = self._rows(np.asarray(patch, dtype=np.float64)[np.newaxis])[0]
        task = Save(self.settings.spec, self.description, self._loader, row, self._reference, name)
        saved: SavedPatch = self.ask(task)
        return saved

    def read_back(self, patch: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the plug-in says of its parameters after a patch was loaded.

        Args:
            patch: shape (len(table),), in units.

        Returns:
            Shape (len(table),), in [0, 1].
        """
        row = self._rows(np.asarray(patch, dtype=np.float64)[np.newaxis])[0]
        values: NDArray[np.float64] = self.ask(
            ReadBack(self.settings.spec, self._loader, row, self.host_indices)
        )
        return values

    def close(self) -> None:
        """End all processes. Nothing may be rendering."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for _ in range(self.settings.workers):
            self._desks.get().clear()
        for _ in range(self.settings.workers):
            self._desks.put(_Desk())
        self._threads = None

    @property
    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.settings.workers, "plug-in")
            return self._threads

    def _groups(self, rows: Sequence[int], note: Note) -> list[Sequence[int]]:
        """Rows in groups, each for one process: few enough that all processes finish together."""
        share = -(-len(rows) // (2 * self.settings.workers))
        size = max(1, min(share, _rows_in_task(note.samples)))
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def _play(
        self,
        group: Sequence[int],
        rows: NDArray[np.float64],
        note: Note,
        audio: NDArray[np.float32],
    ) -> list[Failure]:
        """Render a group of rows into `audio`; each is tried twice."""
        failures = []
        waiting = deque(group)
        tries: Counter[int] = Counter()
        while waiting:
            with self._desk() as desk:
                for row, outcome in self._stream(desk, list(waiting), rows, note, audio):
                    waiting.popleft()
                    if not outcome.fault:
                        self._failures_in_a_row = 0
                        continue
                    tries[row] += 1
                    # In one instance, a patch that is merely silent has been played twice by now.
                    twice = tries[row] == _ATTEMPTS or (
                        self.settings.mode == "reuse" and not outcome.suspect
                    )
                    if twice:
                        self._put_aside[rows[row].tobytes()] = outcome.fault
                        failures.append(Failure(row, outcome.fault))
                    else:
                        waiting.append(row)
                    if outcome.suspect:
                        desk.clear()
                        self._count_failure()
                        break
        return failures

    def _stream(
        self,
        desk: _Desk,
        waiting: Sequence[int],
        rows: NDArray[np.float64],
        note: Note,
        audio: NDArray[np.float32],
    ) -> Iterator[tuple[int, Outcome]]:
        """Send rows to a process and copy out the audio as it comes; a death is an outcome."""
        limits = self.settings.limits
        fresh = self.settings.mode == "fresh"
        alone = fresh and not self.settings.fork
        waiting = waiting[:1] if alone else waiting
        next_seconds = limits.per_patch(note) + (limits.start_seconds if fresh else 0.0)
        place = 0
        try:
            buffer = desk.buffer_for(note.samples)
            shared = buffer.open()
            task = self._task(rows[list(waiting)], note, buffer)
            answers = desk.started().answers(
                task, limits.start_seconds + limits.per_patch(note), next_seconds
            )
            for answer in answers:
                if isinstance(answer, Outcome):
                    if not answer.fault:
                        audio[waiting[place]] = shared[answer.place]
                    yield waiting[place], answer
                    place += 1
        except WorkerDeathError as death:
            yield waiting[min(place, len(waiting) - 1)], Outcome(place, death.reason, suspect=True)
        desk.rendered += place
        if alone or desk.rendered >= limits.recycle_after:
            desk.clear()

    def _task(self, rows: NDArray[np.float64], note: Note, buffer: AudioBuffer) -> Task:
        spec, gates = self.settings.spec, self.settings.gates
        if self.settings.mode == "fresh":
            return PlayApart(spec, self._loader, gates, note, rows, buffer, self.settings.fork)
        return PlayInTurn(spec, self._loader, gates, note, rows, self._reference, buffer)

    @contextmanager
    def _desk(self) -> Iterator[_Desk]:
        """A desk at which nobody else works."""
        desk = self._desks.get()
        try:
            yield desk
        except BaseException:
            # Whatever the process was doing, nobody listens to it any more.
            desk.clear()
            raise
        finally:
            self._desks.put(desk)

    def _count_failure(self) -> None:
        with self._lock:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= self.settings.limits.failures_in_a_row:
                raise RenderError(
                    f"{self.settings.plugin} failed {self._failures_in_a_row} times in a row: it "
                    "does not work here. `deepdiva doctor` looks into it."
                )


def _rows_in_task(samples: int) -> int:
    return max(1, min(_MOST_ROWS, _MOST_BYTES // (4 * samples)))


def _row_of(failure: Failure) -> int:
    return failure.row
