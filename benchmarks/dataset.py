"""What does a data set cost beside its rendering? Sounds per second, and who took the time.

    python benchmarks/dataset.py [--count N] [--batches N] [--jobs N] [--folder DIR] [--store KIND]

Three runs take turns, batch by batch, so that other load on the machine meets all of them:

- the renderer alone plays the patches on as many threads, 64 in a call as the data set does, which
  suits the embedded engine best, and throws the audio away;
- a data set is made with everything but its writing: sounds drawn, played, judged and summed up;
- the same data set is made in a new folder below `--folder`, which is removed again (20,000 sounds
  take 7 GB).

The loss is what making took longer than the renderer alone by the clock. Without the disk, which is
the second run, the target is at most 15 %. What the disk takes is the difference between the third
run and the second, whatever the cause: waiting for it, copying, and what the copying costs whoever
plays. How much of it was waiting, with cores that had nothing to do, stands beside it. Beside the
loss by the clock stands that by the processor, which other load on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np

from deepdiva.cluster import Workers
from deepdiva.data.corpora.dataset_settings import DatasetSettings
from deepdiva.data.corpora.generate import RunSummary, generate
from deepdiva.data.npy import NpyFile
from deepdiva.data.sampling import BLOCK, Uniform, draw_block, stream
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.workers import worker_count

SPACE = default_space()
TOGETHER = 64


@dataclass
class Seconds:
    """Of the clock, and of the processor in the program and in the system."""

    clock: float = 0.0
    program: float = 0.0
    system: float = 0.0

    @property
    def processor(self) -> float:
        """In the program and in the system."""
        return self.program + self.system

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what passes meanwhile."""
        began, before = time.perf_counter(), os.times()
        yield
        after = os.times()
        self.clock += time.perf_counter() - began
        self.program += after.user - before.user
        self.system += after.system - before.system


@dataclass
class Spent:
    """Time of the three runs, and of the workers of the last together, by what they did."""

    alone: Seconds = field(default_factory=Seconds)
    unwritten: Seconds = field(default_factory=Seconds)
    made: Seconds = field(default_factory=Seconds)
    render: float = 0.0
    check: float = 0.0
    disk: float = 0.0
    sync: float = 0.0

    def add(self, summary: RunSummary) -> None:
        """Add what the workers of a run did."""
        self.render += summary.render_seconds
        self.check += summary.check_seconds
        self.disk += summary.disk_seconds
        self.sync += summary.sync_seconds


@contextmanager
def no_writing() -> Iterator[None]:
    """Arrays that are written meanwhile go nowhere."""

    def nothing(*_: object) -> None:
        pass

    with ExitStack() as stack:
        for name in ("create", "write", "publish"):
            stack.enter_context(patch.object(NpyFile, name, nothing))
        yield


def renderer_alone(settings: DatasetSettings, batch: int, jobs: int) -> None:
    """Play the patches of a batch on `jobs` threads and keep nothing."""
    renderer = PanelRenderer()
    blocks = range(-(-settings.sample_size // BLOCK))

    def play(block: int) -> None:
        count = min(BLOCK, settings.sample_size - block * BLOCK)
        points, seeds = draw_block(Uniform(), SPACE, stream(0, batch, block, 0), count)
        patches = SPACE.patches(points)
        for start in range(0, count, TOGETHER):
            rows = slice(start, start + TOGETHER)
            renderer.render(patches[rows], settings.note, seeds[rows].astype(np.int64))

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(play, blocks))


def measure(settings: DatasetSettings, folder: Path, batches: int, jobs: int) -> Spent:
    """All three, batch by batch."""

    def make(name: str, batch: int) -> RunSummary:
        return generate(
            folder / name,
            settings,
            PanelRenderer(),
            batch + 1,
            first_batch=batch,
            workers=Workers(jobs=jobs),
        )

    spent = Spent()
    with no_writing():
        make("first", 0)  # compiles the engine and all else
    for batch in range(batches):
        with spent.alone.running():
            renderer_alone(settings, batch, jobs)
        with no_writing(), spent.unwritten.running():
            make("unwritten", batch)
        with spent.made.running():
            summary = make("dataset", batch)
        spent.add(summary)
    return spent


def report(spent: Spent, count: int, gigabytes: float, jobs: int) -> None:
    """Print the shares."""
    alone, unwritten, made = spent.alone, spent.unwritten, spent.made
    runs = (("renderer alone", alone), ("not written", unwritten), ("data set", made))
    print(f"{'':18}{'sounds/s':>10}{'clock s':>10}{'program s':>11}{'system s':>10}", end="")
    print(f"{'loss':>9}{'of cores':>10}")
    for name, run in runs:
        print(
            f"{name:18}{count / run.clock:>10.0f}{run.clock:>10.2f}"
            f"{run.program:>11.2f}{run.system:>10.2f}{run.clock / alone.clock - 1:>9.1%}"
            f"{run.processor / alone.processor - 1:>10.1%}"
        )
    total = jobs * made.clock
    idle = max(0.0, total - spent.render - spent.check)
    print("of the data set's time on its cores")
    for name, seconds in (
        ("rendering", spent.render),
        ("drawing, levels, checksums", spent.check),
        ("waiting and writing", idle),
    ):
        print(f"  {name:28}{seconds / total:>7.1%}")
    disk = made.clock - unwritten.clock
    print(f"loss by the clock, without the disk {unwritten.clock / alone.clock - 1:>7.1%}", end="")
    print("   (target: at most 15 %)")
    print(f"the disk takes {disk:.2f} s more, {disk / alone.clock:.1%}")
    print(f"  {idle / jobs:.2f} s: what a core was idle, the mean of all")
    print(f"  {spent.sync:.2f} s: until the system had all on the disk, beside or behind the rest")
    print(f"on the disk        {gigabytes:8.2f} GB, {gigabytes / made.clock:.2f} GB/s")
    if sys.platform != "win32":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"peak memory      {peak / (2**30 if sys.platform == 'darwin' else 2**20):8.2f} GiB")


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20_000, help="sounds")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--jobs", type=int, help="workers; default: one for each core")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    parser.add_argument("--store", default="float32", choices=("float32", "float16", "features"))
    options = parser.parse_args()
    jobs = worker_count(options.jobs)
    settings = DatasetSettings(
        SPACE, sample_size=options.count // options.batches, store=options.store
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        spent = measure(settings, Path(folder), options.batches, jobs)
        size = sum(path.stat().st_size for path in (Path(folder) / "dataset").iterdir()) / 1e9
    report(spent, settings.sample_size * options.batches, size, jobs)


if __name__ == "__main__":
    main()
