"""Making a whole data set, in parallel, and going on after a kill.

A batch is made of blocks in hidden files; once all are written the files take their names and the
batch enters `dataset.json`. A run that is killed at any moment leaves complete batches, hidden
files that the next run removes, and at worst one batch that has its names and no entry, which is
made again with the same bytes.

One run at a time works in a folder. It holds a lock of the system, which ends with the process,
however that ends. On a network file system the lock keeps other machines out as well where the
server passes locks on, as those of NFS and SMB do unless they are mounted otherwise (`nolock`,
`local_lock`). Where it does not, or where lost workers of a cluster still write, a hidden file that
a later run has removed is an error for whoever writes into it, and never a file with gaps.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import joblib

from deepdiva.cluster import Workers
from deepdiva.cluster.crew import Crew
from deepdiva.data.corpora.backends import make_batch, make_block, make_packed_block, packed
from deepdiva.data.corpora.batch_maker import (
    LEAST_TOGETHER,
    WAV_FOLDER,
    BatchMaker,
    BatchRecord,
    BlockReport,
)
from deepdiva.data.corpora.dataset_settings import DatasetSettings
from deepdiva.data.corpora.description import FILE_NAME, Description
from deepdiva.errors import (
    DeepDivaError,
    FileExistsAlreadyError,
    InvalidValueError,
    StorageError,
)
from deepdiva.files import alone_in
from deepdiva.lifetime import worker_options
from deepdiva.renderer import Renderer
from deepdiva.room import check_room
from deepdiva.workers import dead_workers_told, worker_count

LOCK_NAME = ".dataset.lock"
"""Empty file in a data set's folder that a run locks. It stays there, for the next run."""

BUSY = (
    "run of deepdiva dataset: one at a time may work in a folder. Wait for it, or choose another "
    "--folder-name."
)

MOST_WAITERS = 4
"""Pieces on their way to the disk while all cores are at work: enough to keep a disk busy."""

OnProgress = Callable[[int, int], None]
"""Told of sounds that are made by now, and of how many there will be."""


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        description: of the data set as it now is.
        sounds: made in this run.
        wall_seconds: it took.
        render_seconds: spent in the renderer, summed over workers; 0
            where workers of a cluster write.
        check_seconds: spent on drawing, levels, features and checksums, summed over workers; 0
            where workers of a cluster write.
        disk_seconds: spent on writing, summed over workers; 0 on a cluster.
        sync_seconds: spent by the main thread until the disk had everything; 0 where workers of a
            cluster write.
    """

    description: Description
    sounds: int = 0
    wall_seconds: float = 0.0
    render_seconds: float = 0.0
    check_seconds: float = 0.0
    disk_seconds: float = 0.0
    sync_seconds: float = 0.0


def generate(
    folder: Path,
    settings: DatasetSettings,
    renderer: Renderer,
    batches: int = 1,
    *,
    first_batch: int = 0,
    workers: Workers | None = None,
    on_progress: OnProgress | None = None,
) -> RunSummary:
    """Make a data set, or what is still missing of it.

    Args:
        folder: of the data set; made if it does not exist.
        settings: what is drawn, played and kept.
        renderer: plays it.
        batches: how many batches the data set is to have, from 0 to this less 1.
        first_batch: the batches before this are left to another run.
        workers: who does it.
        on_progress: told after every block, or after every batch where workers of a cluster write.

    Raises:
        FileExistsAlreadyError: the folder holds another data set, or files of these names.
        InvalidValueError: a number of batches below 1, a first batch outside them, or sounds that
            do not fit into memory.
        RenderError: the renderer failed, a worker process died, or a sound was refused too often.
        StorageError: the folder cannot be written, another run is at work in it, or there is not
            enough room.
    """
    if not 0 <= first_batch < batches:
        raise InvalidValueError(
            f"{first_batch} of {batches} batches are completed already: there must be at least one "
            "batch, and one left to make."
        )
    folder = folder.resolve()
    workers = workers or Workers()
    if not workers.is_cluster:
        check_room(
            "The data set",
            settings.note.samples,
            min(LEAST_TOGETHER, settings.sample_size) * worker_count(workers.jobs),
            "shorten --render-length, or take fewer --jobs.",
        )
    maker = BatchMaker(settings, renderer, folder)
    started = time.perf_counter()
    try:
        if not (folder / FILE_NAME).exists():
            _check_free(folder, maker, batches)
        folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder, LOCK_NAME, BUSY):
            description = _prepare(folder, maker, batches)
            wanted = range(first_batch, batches)
            missing = [number for number in wanted if number not in description.records]
            _check_room(folder, len(missing) * maker.bytes_per_batch)
            run = _Run(maker, description, missing, on_progress)
            if workers.is_cluster:
                run.on_cluster(workers)
            else:
                run.on_this_machine(workers)
    except DeepDivaError:
        raise
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder} cannot be written ({error.strerror}): complete batches "
            "are kept, and the same command goes on with them once this is mended."
        ) from error
    run.summary.wall_seconds = time.perf_counter() - started
    return run.summary


class _Run:
    """The batches that are missing, on their way into the folder."""

    def __init__(
        self,
        maker: BatchMaker,
        description: Description,
        missing: list[int],
        on_progress: OnProgress | None,
    ) -> None:
        self.maker = maker
        self.missing = missing
        self._on_progress = on_progress
        self.summary = RunSummary(description)
        self.total = len(missing) * maker.settings.sample_size
        self._begun: set[int] = set()
        self._refusal: OSError | None = None

    def on_this_machine(self, workers: Workers) -> None:
        """Blocks go to threads or processes; this thread completes the batches.

        There are more threads than jobs: while some wait for the disk, others play in their turn.
        """
        backend = workers.backend or self.maker.renderer.info.workers
        token = secrets.token_hex(4)
        jobs = workers.jobs or joblib.cpu_count()
        waiters = min(jobs, MOST_WAITERS) if backend == "threading" else 0
        pool = joblib.Parallel(
            n_jobs=jobs + waiters,
            backend=backend,
            batch_size=1,
            pre_dispatch="2 * n_jobs",
            return_as="generator_unordered",
            **(worker_options() if backend == "loky" else {}),
        )
        waiting: dict[int, list[BlockReport]] = defaultdict(list)
        self._tell()
        try:
            with (
                self.maker.settled(),
                dead_workers_told(),
                closing(pool(self._blocks(backend, token, jobs))) as reports,
            ):
                for report in reports:
                    self._written(report, waiting, token)
            if self._refusal is not None:
                raise self._refusal
        finally:
            for batch in tuple(self._begun):
                self.maker.discard(batch, token)

    def on_cluster(self, workers: Workers) -> None:
        """Work goes to a cluster; what is lost with a worker is made again by another."""
        if workers.shared:
            self._batches_on_cluster(workers)
        else:
            self._blocks_on_cluster(workers)

    def _batches_on_cluster(self, workers: Workers) -> None:
        """Whole batches, which workers write by themselves."""
        with Crew(make_batch, self.maker, workers) as crew:
            crew.record(self.maker.folder)
            self._tell()
            with closing(crew.each(self.missing)) as records:
                for record in records:
                    self._enter(self.missing[record.number], record.result)
                    self.summary.sounds += record.result.sounds
                    self._tell()
        _clear(self.maker, self.summary.description.batches)  # what lost workers have left

    def _blocks_on_cluster(self, workers: Workers) -> None:
        """Blocks, which come back to be written here."""
        token = secrets.token_hex(4)
        waiting: dict[int, list[BlockReport]] = defaultdict(list)
        try:
            with Crew(make_block, replace(self.maker, folder=Path()), workers) as crew:
                crew.record(self.maker.folder)
                self._tell()
                with closing(crew.each(self._begun_blocks(token))) as outcomes:
                    for outcome in outcomes:
                        report, pieces = outcome.result
                        files = self.maker.files(report.batch, token)
                        for first, columns in pieces:
                            self.maker.write(report.batch, files, first, columns)
                        self._written(report, waiting, token)
            if self._refusal is not None:
                raise self._refusal
        finally:
            for batch in tuple(self._begun):
                self.maker.discard(batch, token)

    def _written(
        self, report: BlockReport, waiting: dict[int, list[BlockReport]], token: str
    ) -> None:
        """A block is written: count it, and complete its batch if it was the last."""
        self._count(report)
        waiting[report.batch].append(report)
        if len(waiting[report.batch]) == self.maker.blocks:
            began = time.perf_counter()
            record = self.maker.publish(report.batch, token, waiting.pop(report.batch))
            self._begun.remove(report.batch)
            self._enter(report.batch, record)
            self.summary.sync_seconds += time.perf_counter() - began

    def _blocks(self, backend: str, token: str, jobs: int) -> Iterator[object]:
        """The tasks, made as they are needed; in threads, at most `jobs` take a core at a time."""
        if backend == "threading":
            turns = threading.BoundedSemaphore(jobs)
            for batch, block in self._begun_blocks(token):
                yield joblib.delayed(self.maker.make_block)(batch, block, token, turns)
            return
        carried = packed(self.maker)
        for batch, block in self._begun_blocks(token):
            yield joblib.delayed(make_packed_block)(carried, batch, block, token)

    def _begun_blocks(self, token: str) -> Iterator[tuple[int, int]]:
        """Numbers of batches and blocks; a batch begins when its first block is asked for.

        A refusal of the system ends them and is kept: joblib asks in a thread of its own, where an
        error would be lost, and the run would wait forever.
        """
        for batch in self.missing:
            self._begun.add(batch)
            try:
                self.maker.begin(batch, token)
            except OSError as error:
                self._refusal = error
                return
            for block in range(self.maker.blocks):
                yield batch, block

    def _count(self, report: BlockReport) -> None:
        summary = self.summary
        summary.sounds += report.sounds
        summary.render_seconds += report.render_seconds
        summary.check_seconds += report.check_seconds
        summary.disk_seconds += report.disk_seconds
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.summary.sounds, self.total)

    def _enter(self, batch: int, record: BatchRecord) -> None:
        """The batch is complete: say so in `dataset.json`."""
        self.summary.description = self.summary.description.with_record(batch, record)
        self.summary.description.write(self.maker.folder)


def _prepare(folder: Path, maker: BatchMaker, batches: int) -> Description:
    """Find out what is there already, and clear away what a killed run has left.

    Returns:
        The description with those former batches whose files are all there.
    """
    description = Description.begin(maker.settings, maker.renderer.info, batches)
    if (folder / FILE_NAME).exists():
        description = description.continued(Description.read(folder), folder)
        complete = {
            number: record
            for number, record in description.records.items()
            if record.is_complete(folder)
        }
        description = Description(
            description.settings, description.renderer, description.batches, complete
        )
    _clear(maker, description.batches)
    description.write(folder)
    return description


def _clear(maker: BatchMaker, batches: int) -> None:
    """Remove the hidden files that killed runs and lost workers have left, and nobody else's."""
    own = {file.path.name for batch in range(batches) for file in maker.files(batch).values()}
    own.add(FILE_NAME)
    for leftover in maker.folder.glob(".*.part"):
        if leftover.name[1:].rsplit(".", 2)[0] in own:
            leftover.unlink(missing_ok=True)


def _check_free(folder: Path, maker: BatchMaker, batches: int) -> None:
    """Refuse a folder without a description that holds files of the names that will be used."""
    names = [file.path for batch in range(batches) for file in maker.files(batch).values()]
    if maker.settings.save_audio:
        names.append(folder / WAV_FOLDER)
    for path in names:
        if path.exists():
            raise FileExistsAlreadyError(
                f"{path} exists already, and no {FILE_NAME} beside it says what it is: choose "
                "another --folder-name or --file-prefix."
            )


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{folder} has room for {free / 1e9:.1f} GB and the data set takes "
            f"{needed / 1e9:.1f} GB more: make room, make fewer sounds, or store less of each "
            "(--store float16, --store features)."
        )
