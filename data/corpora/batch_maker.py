"""The sounds of one batch: drawn, played, judged and written, block by block.

A block depends on nothing but the settings, the renderer and its own number. Blocks may therefore
be made in any order, by any thread or process, and twice, and the files come out the same.
"""

from __future__ import annotations

import io
import secrets
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.data.corpora.dataset_settings import DatasetSettings
from deepdiva.data.corpora.faults import FAULT_NAMES, Levels, levels
from deepdiva.data.npy import NpyFile, sync_folder
from deepdiva.data.sampling import BLOCK, draw_block, stream
from deepdiva.errors import RenderError
from deepdiva.features import MelSpectrogram, Mfcc
from deepdiva.files import page_aligned
from deepdiva.renderer import RenderBatch, Renderer

LEAST_TOGETHER = 16
"""Sounds that one worker plays together, of whatever length."""

PIECE_BYTES = 24 * 2**20
"""Audio that one worker holds at a time, unless `LEAST_TOGETHER` sounds are more.

64 sounds of 2 s: the embedded engine plays as many at once, and less than 32 MiB is memory that
the C library hands out again and again, rather than new pages each time (20 % of a render).
"""

SAMPLE_DTYPE = np.dtype(
    [("seed", "<u4"), ("redraws", "<u2"), ("faults", "u1"), ("peak", "<f4"), ("rms", "<f4")]
)
"""What is known of each sound: render seed, how often it was drawn anew, sum of `Fault`, levels."""

WAV_FOLDER = "audio"

Columns = dict[str, NDArray[Any]]
"""What is known of consecutive sounds, by name; every array has a row for each."""


@dataclass(frozen=True)
class BlockReport:
    """What a worker says of a block that it has written.

    Attributes:
        batch: number of the batch.
        block: number of the block in it.
        sounds: how many it holds.
        checksums: of each file, the number of rows and the CRC-32 of each piece, in order.
        kept: faulty sounds that were kept, by fault.
        redrawn: draws that were refused, by fault.
        render_seconds: spent in the renderer.
        check_seconds: spent on drawing, levels, features and checksums.
        disk_seconds: spent on writing.
        idle_seconds: spent on waiting for a turn.
    """

    batch: int
    block: int
    sounds: int
    checksums: Mapping[str, Sequence[tuple[int, int]]]
    kept: Mapping[str, int]
    redrawn: Mapping[str, int]
    render_seconds: float
    check_seconds: float
    disk_seconds: float
    idle_seconds: float


@dataclass(frozen=True)
class BatchRecord:
    """What `dataset.json` says of a batch that is complete.

    Attributes:
        sounds: how many it holds.
        kept: faulty sounds among them, by fault.
        redrawn: draws that were refused, by fault.
        files: name, bytes and CRC-32 (8 hexadecimal digits) of each file, by what it holds.
    """

    sounds: int
    kept: dict[str, int]
    redrawn: dict[str, int]
    files: dict[str, dict[str, Any]]

    def is_complete(self, folder: Path) -> bool:
        """Whether all its files are there, at their sizes."""
        return all(
            (path := folder / file["name"]).is_file() and path.stat().st_size == file["bytes"]
            for file in self.files.values()
        )


@dataclass
class _Stopwatch:
    """Seconds by what they were spent on."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, what: str) -> None:
        """Book the time since the last lap."""
        now = time.perf_counter()
        self.seconds[what] += now - self._since
        self._since = now


@dataclass(frozen=True)
class BatchMaker:
    """Makes the batches of one data set. Can be pickled, if its renderer can.

    Attributes:
        settings: of the data set.
        renderer: plays the patches.
        folder: where the files go; on a cluster the same path everywhere.
    """

    settings: DatasetSettings
    renderer: Renderer
    folder: Path

    @property
    def blocks(self) -> int:
        """Blocks of a batch."""
        return -(-self.settings.sample_size // BLOCK)

    def files(self, batch: int, token: str = "") -> dict[str, NpyFile]:
        """The files of a batch, by what they hold.

        Args:
            batch: number of the batch.
            token: sets the hidden files of one attempt apart from those of another.
        """
        settings = self.settings
        samples = settings.note.samples
        rows: dict[str, tuple[tuple[int, ...], Any]] = {
            "patches": ((settings.space.dimensions,), np.dtype("<f4")),
            "samples": ((), SAMPLE_DTYPE),
        }
        if settings.store == "features":
            rows["melspectrogram"] = (settings.mel.shape(samples), np.dtype("<f4"))
            rows["mfcc_unscaled"] = (settings.mfcc.shape(samples), np.dtype("<f4"))
        else:
            width = np.dtype("<f4" if settings.store == "float32" else "<f2")
            rows["audio"] = ((samples,), width)
        return {
            name: NpyFile.plan(
                self.folder / f"{settings.file_prefix}{batch}_{name}.npy",
                (settings.sample_size, *shape),
                dtype,
                token,
            )
            for name, (shape, dtype) in rows.items()
        }

    @cached_property
    def bytes_per_batch(self) -> int:
        """What a batch takes on the disk."""
        wav = 58 + 4 * self.settings.note.samples if self.settings.save_audio else 0
        arrays = sum(file.total_bytes for file in self.files(0).values())
        return arrays + wav * self.settings.sample_size

    def settle(self) -> None:
        """Make this process fit for `make_block`: features come out the same on any machine.

        A product of matrices may be summed in another order on another number of threads.
        """
        if self.settings.store == "features":
            import torch

            torch.set_num_threads(1)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """`settle`, and the former state afterwards."""
        if self.settings.store != "features":
            yield
            return
        import torch

        threads = torch.get_num_threads()
        self.settle()
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def make(self, batch: int) -> BatchRecord:
        """Make a whole batch in this thread.

        Raises:
            RenderError: the renderer failed, or a sound was refused too often.
            OSError: the system refuses to write.
        """
        token = secrets.token_hex(4)
        try:
            self.begin(batch, token)
            reports = [self.make_block(batch, block, token) for block in range(self.blocks)]
            return self.publish(batch, token, reports)
        finally:
            self.discard(batch, token)

    def begin(self, batch: int, token: str) -> None:
        """Make the hidden files of a batch, before the first of its blocks is made.

        Args:
            batch: number of the batch.
            token: sets the hidden files of one attempt apart from those of another.

        Raises:
            OSError: the system refuses to write.
        """
        for file in self.files(batch, token).values():
            file.create()

    def make_block(
        self, batch: int, block: int, token: str, turns: AbstractContextManager[Any] | None = None
    ) -> BlockReport:
        """Make one block and write it into the hidden files of its batch, which has begun.

        Args:
            batch: number of the batch.
            block: number of the block in it.
            token: sets the hidden files of one attempt apart from those of another.
            turns: entered for what takes a core, left while a piece is on its way to the disk;
                None where nobody else waits for the core.

        Raises:
            RenderError: the renderer failed, or a sound was refused too often.
            OSError: the system refuses to write.
        """
        files = self.files(batch, token)

        def write(first: int, columns: Columns) -> None:
            self.write(batch, files, first, columns)

        return self._block(batch, block, files, write, turns)

    def block_of(self, batch: int, block: int) -> tuple[BlockReport, list[tuple[int, Columns]]]:
        """Make one block and write nothing.

        Returns:
            What is to be said of it, and its pieces: the place of their first sound in the batch,
            and what is stored of them, for `write`.

        Raises:
            RenderError: the renderer failed, or a sound was refused too often.
        """
        pieces: list[tuple[int, Columns]] = []
        stored = {*self.files(batch), *(("sound",) if self.settings.save_audio else ())}

        def keep(first: int, columns: Columns) -> None:
            pieces.append((first, {name: columns[name] for name in stored}))

        return self._block(batch, block, self.files(batch), keep, None), pieces

    def write(self, batch: int, files: Mapping[str, NpyFile], first: int, columns: Columns) -> None:
        """Write a piece into the hidden files of its batch.

        Raises:
            OSError: the system refuses to write.
        """
        for name, file in files.items():
            file.write(first, columns[name])
        if self.settings.save_audio:
            self._write_wavs(batch, first, columns["sound"])

    def _block(
        self,
        batch: int,
        block: int,
        files: Mapping[str, NpyFile],
        keep: Callable[[int, Columns], None],
        turns: AbstractContextManager[Any] | None,
    ) -> BlockReport:
        watch = _Stopwatch()
        draws = _Draws(self.settings, batch, block)
        checksums: dict[str, list[tuple[int, int]]] = {name: [] for name in files}
        kept: Counter[str] = Counter()
        redrawn: Counter[str] = Counter()
        for rows in self._pieces(block):
            with turns or nullcontext():
                watch.lap("idle")
                columns, known, refused = self._piece(draws, rows, watch)
                redrawn.update(refused)
                kept.update(_count_faults(columns["samples"]["faults"]))
                for name, file in files.items():
                    checksum = known.get(name)
                    if checksum is None:
                        checksum = file.checksum(columns[name])
                    checksums[name].append((len(columns[name]), checksum))
                watch.lap("check")
            keep(block * BLOCK + rows.start, columns)
            del columns  # its memory is what the next piece gets
            watch.lap("disk")
        return BlockReport(
            batch=batch,
            block=block,
            sounds=draws.count,
            checksums=checksums,
            kept=kept,
            redrawn=redrawn,
            render_seconds=watch.seconds["render"],
            check_seconds=watch.seconds["check"],
            disk_seconds=watch.seconds["disk"],
            idle_seconds=watch.seconds["idle"],
        )

    def publish(self, batch: int, token: str, reports: Sequence[BlockReport]) -> BatchRecord:
        """Give the files of a batch their names, once all its blocks are written.

        Args:
            batch: number of the batch.
            token: as it was when the blocks were made.
            reports: of all its blocks, in any order.

        Raises:
            OSError: the system refuses to write.
        """
        ordered = sorted(reports, key=lambda report: report.block)
        files = self.files(batch, token)
        for file in files.values():
            file.publish()
        sync_folder(self.folder)
        entries = {}
        for name, file in files.items():
            pieces = [piece for report in ordered for piece in report.checksums[name]]
            entries[name] = {
                "name": file.path.name,
                "bytes": file.total_bytes,
                "crc32": f"{file.combined_checksum(pieces):08x}",
            }
        return BatchRecord(
            sounds=sum(report.sounds for report in ordered),
            kept=_sums([report.kept for report in ordered]),
            redrawn=_sums([report.redrawn for report in ordered]),
            files=entries,
        )

    def discard(self, batch: int, token: str) -> None:
        """Remove the hidden files of an attempt, if there are any."""
        for file in self.files(batch, token).values():
            file.part.unlink(missing_ok=True)

    @cached_property
    def _features(self) -> tuple[MelSpectrogram, Mfcc]:
        return MelSpectrogram(self.settings.mel), Mfcc(self.settings.mfcc)

    def _pieces(self, block: int) -> Iterator[slice]:
        """Rows of a block that are rendered and written together."""
        count = min(BLOCK, self.settings.sample_size - block * BLOCK)
        fitting = max(1, PIECE_BYTES // (4 * self.settings.note.samples))
        step = max(LEAST_TOGETHER, min(BLOCK, 2 ** (fitting.bit_length() - 1)))
        for start in range(0, count, step):
            yield slice(start, min(start + step, count))

    def _piece(
        self, draws: _Draws, rows: slice, watch: _Stopwatch
    ) -> tuple[dict[str, NDArray[Any]], dict[str, int], Counter[str]]:
        """Draw and play some sounds of a block until none is refused.

        Returns:
            The columns that are stored, the checksums that are known of them by the way, and how
            many draws were refused for which fault.
        """
        settings = self.settings
        points, seeds = draws.attempt(0)
        points, seeds = points[rows].copy(), seeds[rows].copy()
        watch.lap("check")
        played = self._play(points, seeds)
        audio = played.audio
        watch.lap("render")
        found = levels(played)
        redraws = np.zeros(len(points), np.uint16)
        refused: Counter[str] = Counter()
        attempt = 0
        while len(bad := np.flatnonzero(found.faults & settings.quality.refused)):
            refused.update(_count_faults(found.faults[bad] & settings.quality.refused))
            attempt += 1
            if attempt > settings.quality.redraws:
                raise RenderError(_refusal(draws, rows.start + int(bad[0]), found, int(bad[0])))
            new_points, new_seeds = draws.attempt(attempt)
            points[bad], seeds[bad] = new_points[rows][bad], new_seeds[rows][bad]
            watch.lap("check")
            played = self._play(points[bad], seeds[bad])
            audio[bad] = played.audio
            watch.lap("render")
            redraws[bad] = attempt
            again = levels(played)
            found.peak[bad], found.rms[bad] = again.peak, again.rms
            found.faults[bad] = again.faults
        samples = np.empty(len(points), SAMPLE_DTYPE)
        samples["seed"], samples["redraws"] = seeds, redraws
        samples["faults"], samples["peak"], samples["rms"] = found.faults, found.peak, found.rms
        columns: dict[str, NDArray[Any]] = {"sound": audio, "patches": points, "samples": samples}
        known: dict[str, int] = {}
        if settings.store == "features":
            mel, mfcc = self._features
            columns["melspectrogram"] = mel(audio).numpy()
            columns["mfcc_unscaled"] = mfcc(audio).numpy()
        elif settings.store == "float16":
            columns["audio"] = page_aligned(audio.shape, np.float16)
            columns["audio"][...] = audio
        else:
            columns["audio"] = audio
            if attempt == 0 and sys.byteorder == "little":
                known["audio"] = found.crc32
        return columns, known, refused

    def _play(self, points: NDArray[np.float32], seeds: NDArray[np.uint32]) -> RenderBatch:
        return self.renderer.render_checked(
            self.settings.space.patches(points), self.settings.note, seeds.astype(np.int64)
        )

    def _write_wavs(self, batch: int, first: int, sounds: NDArray[np.float32]) -> None:
        folder = self.folder / WAV_FOLDER
        folder.mkdir(exist_ok=True)
        for number, sound in enumerate(sounds, start=first):
            name = f"{self.settings.file_prefix}{batch}_audio_{number}.wav"
            (folder / name).write_bytes(wav_bytes(sound, self.settings.note.sample_rate))


class _Draws:
    """The draws of one block: what each attempt would put in each place."""

    def __init__(self, settings: DatasetSettings, batch: int, block: int) -> None:
        self.settings, self.batch, self.block = settings, batch, block
        self.count = min(BLOCK, settings.sample_size - block * BLOCK)
        self._attempts: list[tuple[NDArray[np.float32], NDArray[np.uint32]]] = []

    def attempt(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        """Points (count, dimensions) and seeds (count,) of an attempt; attempts come in order."""
        settings = self.settings
        while len(self._attempts) <= number:
            rng = stream(settings.seed, self.batch, self.block, len(self._attempts))
            draw = draw_block(settings.sampling, settings.space, rng, self.count)
            self._attempts.append(draw)
        return self._attempts[number]


def wav_bytes(sound: NDArray[np.float32], sample_rate: int) -> bytes:
    """A WAV file of 32-bit floats; unlike libsndfile's it holds no time stamp."""
    from scipy.io import wavfile

    buffer = io.BytesIO()
    wavfile.write(buffer, sample_rate, sound)
    return buffer.getvalue()


def _count_faults(faults: NDArray[np.integer]) -> Counter[str]:
    return Counter(
        {name: int(np.count_nonzero(faults & fault.value)) for fault, name in FAULT_NAMES.items()}
    )


def _sums(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: sum(count[name] for count in counts) for name in FAULT_NAMES.values()}


def _refusal(draws: _Draws, place: int, found: Levels, row: int) -> str:
    faults = [
        name.replace("_", "-")
        for fault, name in FAULT_NAMES.items()
        if int(found.faults[row]) & fault.value & draws.settings.quality.refused
    ]
    return (
        f"Sound {draws.block * BLOCK + place} of batch {draws.batch} was drawn "
        f"{draws.settings.quality.redraws + 1} times, the last time {' and '.join(faults)}: "
        f"keep such sounds (--{faults[0]} keep), or choose other parameters or another base preset."
    )
