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

import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, RenderError
from deepdiva.hosts.binding import PluginBinding, bind
from deepdiva.hosts.host import PluginDescription
from deepdiva.hosts.loading import Loader
from deepdiva.hosts.memory import AudioBuffer, AudioStore, Loan
from deepdiva.hosts.process import WorkerDeathError, WorkerProcess
from deepdiva.hosts.saving import SavedPatch
from deepdiva.hosts.settings import PluginSettings
from deepdiva.hosts.tasks import (
    Describe,
    Outcome,
    PlayApart,
    PlayInTurn,
    ReadBack,
    Save,
    Setup,
)
from deepdiva.hosts.worker import PluginSpec, Task
from deepdiva.hosts.worker_pool import Slot, WorkerPool
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.patch_writer import PatchWriter, PresetFile
from deepdiva.renderer import (
    Failure,
    PartialRenderError,
    RenderBatch,
    Renderer,
    RendererInfo,
    Seeds,
)
from deepdiva.synths.diva.preset import Preset

_ATTEMPTS = 2
_MOST_ROWS = 16  # patches in one task


class PluginRenderer(Renderer):
    """Renders with a plug-in, in worker processes that it owns.

    It can be used by many threads at once; each patch takes the next free process. Pickled, it
    takes its settings along, and starts processes of its own where it arrives.

    Patches that fail twice are put aside: `render` raises `PartialRenderError`, which holds the
    audio of all others, and `render_checked` returns it. With the same note they are not tried
    again.

    Args:
        settings: which plug-in, and how it is run.
        preset: of Diva, for whatever in it is no parameter; the built-in one if None.
    """

    def __init__(self, settings: PluginSettings, preset: Preset | None = None) -> None:
        self.settings = settings
        self._preset = preset
        self._lock = threading.RLock()
        self._processes = WorkerPool(settings.workers)
        # A caller's threads may be rendering, one for each worker, while each holds another result.
        self._store = AudioStore(2 * settings.workers)
        self._setup: tuple[object, bytes] = (None, b"")
        self._threads: ThreadPoolExecutor | None = None
        self._put_aside: dict[tuple[Note, bytes], str] = {}
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
        other = PluginRenderer(replace(self.settings, mode="fresh"), self._preset)
        if "description" in self.__dict__:
            other.__dict__["description"] = self.description
        return other

    @cached_property
    def description(self) -> PluginDescription:
        """What the plug-in says of itself; the first use of a plug-in starts a process.

        Raises:
            MissingFileError: there is no such plug-in.
            MissingFeatureError: the host library is not installed.
            RenderError: the plug-in cannot be loaded.
        """
        settings = self.settings
        return _described(settings.spec, self._modified, settings.limits.start_seconds)

    @property
    def _modified(self) -> int:
        """When the plug-in's file was changed; 0 if there is none, which loading it will say."""
        try:
            return self.settings.spec.plugin.stat().st_mtime_ns
        except OSError:
            return 0

    def ask(self, task: Task) -> Any:
        """Have a task carried out in a process of its own, which no other task has used.

        Raises:
            RenderError: the process died of it, or did not answer in time.
        """
        return _asked(task, self.settings.spec, self.settings.limits.start_seconds)

    @cached_property
    def binding(self) -> PluginBinding:
        """What is known of the plug-in's synthesizer, and how patches get into it."""
        return bind(self.description)

    @property
    def table(self) -> ParameterTable:
        return self.binding.synthesizer.table

    @property
    def host_indices(self) -> NDArray[np.intp]:
        """The host's index of each parameter of the table, shape (len(table),)."""
        return self.binding.indices

    @property
    def supported(self) -> frozenset[str]:
        return frozenset(self.table.names)

    @property
    def info(self) -> RendererInfo:
        plugin = self.description
        return RendererInfo(
            name=self.settings.host_name,
            version=" ".join(f"{plugin.name} {plugin.version} in {plugin.host}".split()),
            repeatable=self.repeatable,
            workers="threading",
            quality=self.binding.quality(self.settings.quality),
        )

    @cached_property
    def repeatable(self) -> bool:
        """Whether renders are the same bit for bit, whatever was rendered before: measured.

        Never in `reuse`. In `fresh`, two patches, the default and one in the middle of all ranges,
        are each rendered by two processes that have nothing in common, and compared.
        """
        if self.settings.mode == "reuse":
            return False
        return _repeatable(replace(self.settings, workers=1), self._modified)

    @cached_property
    def _loader(self) -> Loader:
        return self.binding.loader(self._preset, self.settings.quality)

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
        failures: list[Failure] = []
        rows = self._rows(patches)
        loan = self._store.lend(len(patches), note.samples)
        wanted = []
        for row in range(len(rows)):
            fault = self._put_aside.get((note, rows[row].tobytes()))
            if fault is None:
                wanted.append(row)
            else:
                failures.append(Failure(row, f"was put aside before: it {fault}"))
        groups = self._groups(wanted)
        # A thread waits for each process; a single group needs none.
        done = (
            [self._play(group, rows, note, loan) for group in groups]
            if len(groups) < 2
            else self._pool.map(lambda group: self._play(group, rows, note, loan), groups)
        )
        for group_failures in done:
            failures += group_failures
        loan.audio[[failure.row for failure in failures]] = 0.0
        audio = loan.for_keeps()
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

    def writer(self, base: PresetFile) -> PatchWriter:
        """Presets of a known format, or those that the plug-in makes itself."""
        from deepdiva.hosts.patch_files import PluginWriter

        return self.binding.synthesizer.writer(base) or PluginWriter(self)

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
        self._processes.close()
        self._store.clear()
        self._threads = None

    @property
    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.settings.workers, "plug-in")
            return self._threads

    def _groups(self, rows: Sequence[int]) -> list[Sequence[int]]:
        """Rows in groups, each for one process.

        They grow smaller towards the end, so that all processes finish together (guided
        self-scheduling: Polychronopoulos and Kuck, IEEE Trans. Computers C-36, 1987).
        """
        groups: list[Sequence[int]] = []
        start = 0
        while start < len(rows):
            share = -(-(len(rows) - start) // (2 * self.settings.workers))
            groups.append(rows[start : start + min(share, _MOST_ROWS)])
            start += len(groups[-1])
        return groups

    def _play(
        self, group: Sequence[int], rows: NDArray[np.float64], note: Note, loan: Loan
    ) -> list[Failure]:
        """Render a group of rows into what was lent; each is tried twice."""
        failures = []
        waiting = deque(group)
        tries: Counter[int] = Counter()
        while waiting:
            with self._processes.slot() as slot:
                for outcome in self._stream(slot, list(waiting), rows, note, loan.buffer):
                    row = waiting.popleft()
                    if not outcome.fault:
                        self._failures_in_a_row = 0
                        continue
                    tries[row] += 1
                    # In one instance, a patch that is merely silent has been played twice by now.
                    twice = tries[row] == _ATTEMPTS or (
                        self.settings.mode == "reuse" and not outcome.suspect
                    )
                    if twice:
                        self._put_aside[note, rows[row].tobytes()] = outcome.fault
                        failures.append(Failure(row, outcome.fault))
                    else:
                        waiting.append(row)
                    if outcome.suspect:
                        slot.clear()
                        self._count_failure()
                        break
        return failures

    def _stream(
        self,
        slot: Slot,
        waiting: Sequence[int],
        rows: NDArray[np.float64],
        note: Note,
        buffer: AudioBuffer,
    ) -> Iterator[Outcome]:
        """Send rows to a process; what became of each, in their order. A death is an outcome."""
        limits = self.settings.limits
        fresh = self.settings.mode == "fresh"
        alone = fresh and not self.settings.fork
        waiting = waiting[:1] if alone else waiting
        next_seconds = limits.per_patch(note) + (limits.start_seconds if fresh else 0.0)
        process = slot.started()
        done = 0
        try:
            task = self._task(rows[list(waiting)], note, waiting, buffer)
            answers = process.answers(
                task, limits.start_seconds + limits.per_patch(note), next_seconds
            )
            for answer in answers:
                # Those that nothing was heard of have played well.
                last = answer if isinstance(answer, Outcome) else None
                end = waiting.index(last.place) if last else len(waiting)
                yield from map(Outcome, waiting[done:end])
                done = end
                if last:
                    done += 1
                    yield last
        except WorkerDeathError as death:
            # The first beat says that the plug-in is loaded.
            end = min(max(done, process.beats - 1), len(waiting) - 1)
            yield from map(Outcome, waiting[done:end])
            yield Outcome(waiting[end], death.reason, suspect=True)
        slot.rendered += done
        if alone or slot.rendered >= limits.recycle_after:
            slot.clear()

    def _task(
        self, rows: NDArray[np.float64], note: Note, places: Sequence[int], buffer: AudioBuffer
    ) -> Task:
        spec, checks = self.settings.spec, self.settings.checks
        if self.settings.mode == "fresh":
            fork = self.settings.fork
            return PlayApart(spec, self._loader, checks, note, rows, places, buffer, fork)
        return PlayInTurn(self._packed_setup(note), rows, places, buffer)

    def _packed_setup(self, note: Note) -> bytes:
        settings = self.settings
        key, packed = self._setup
        if key != (note, settings):
            setup = Setup(settings.spec, self._loader, settings.checks, note, self._reference)
            packed = setup.packed()
            self._setup = (note, settings), packed
        return packed

    def _count_failure(self) -> None:
        with self._lock:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= self.settings.limits.failures_in_a_row:
                raise RenderError(
                    f"{self.settings.plugin} failed {self._failures_in_a_row} times in a row: it "
                    "does not work here. `deepdiva doctor` looks into it."
                )


@lru_cache(maxsize=64)
def _described(spec: PluginSpec, modified: int, seconds: float) -> PluginDescription:
    """What a plug-in says of itself. Asked once for each state of its file (`modified`)."""
    del modified
    description: PluginDescription = _asked(Describe(spec), spec, seconds)
    return description


@lru_cache(maxsize=64)
def _repeatable(settings: PluginSettings, modified: int) -> bool:
    """Whether two renderers with these settings play the same. Asked once, as `_described`."""
    del modified
    note = Note(length_seconds=0.4, render_seconds=0.5)
    audio = []
    for _ in range(2):
        renderer = PluginRenderer(settings)
        middle = [parameter.to_unit(0.5) for parameter in renderer.table]
        batch = renderer.render_checked(np.array([renderer.table.defaults(), middle]), note)
        renderer.close()
        audio.append(batch.audio[batch.played])
    return bool(audio[0].size) and np.array_equal(audio[0], audio[1])


def _asked(task: Task, spec: PluginSpec, seconds: float) -> Any:
    """Have a task carried out in a new process."""
    process = WorkerProcess()
    try:
        return process.ask(task, seconds)
    except WorkerDeathError as death:
        raise RenderError(
            f"{spec.plugin} {death.reason}. `deepdiva doctor` looks into it. The last that it "
            f"printed:\n{death.log.strip() or '(nothing)'}"
        ) from death
    finally:
        process.close()


def _row_of(failure: Failure) -> int:
    return failure.row
