"""What does a data set cost beside its rendering? Sounds per second, and who took the time.

    python benchmarks/dataset.py [--count N] [--batches N] [--jobs N] [--folder DIR] [--store KIND]

The renderer alone plays the same patches on as many threads, 64 in a call as the data set does,
which suits the embedded engine best, and throws the audio away. Then a data set of `--count` sounds
of the 11-parameter space is made in a new folder below `--folder`, which is removed again (20,000
sounds take 7 GB). The two take turns batch by batch, so that other load on the machine meets both.

The loss is what making took longer than the renderer alone: with all, and without the disk, which
is writing and the checksums of what is written. The target is at most 15 % without the disk.
Processor seconds stand beside the clock's: on a machine that does other things, too, they are the
ones to compare. The system's share of them is the copying to the disk.
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
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deepdiva.data.backends import Workers
from deepdiva.data.generate import generate
from deepdiva.data.sampling import BLOCK, Uniform, draw_block, stream
from deepdiva.data.settings import DatasetSettings
from deepdiva.engine import EmbeddedRenderer
from deepdiva.space import default_space
from deepdiva.workers import worker_count

SPACE = default_space()
TOGETHER = 64


@dataclass
class Seconds:
    """Of the clock, and of the processor in the program and in the system."""

    clock: float = 0.0
    program: float = 0.0
    system: float = 0.0

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
    """Time of the renderer alone and of the data set, and of the latter's workers together."""

    alone: Seconds = field(default_factory=Seconds)
    made: Seconds = field(default_factory=Seconds)
    render: float = 0.0
    check: float = 0.0
    checksum: float = 0.0
    disk: float = 0.0
    sync: float = 0.0


def renderer_alone(settings: DatasetSettings, batch: int, jobs: int) -> None:
    """Play the patches of a batch on `jobs` threads and keep nothing."""
    renderer = EmbeddedRenderer()
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
    """Both, batch by batch."""
    spent = Spent()
    renderer_alone(settings, 0, jobs)  # compiles the engine
    for batch in range(batches):
        with spent.alone.running():
            renderer_alone(settings, batch, jobs)
        with spent.made.running():
            summary = generate(
                folder, settings, EmbeddedRenderer(), batch + 1, workers=Workers(jobs=jobs)
            )
        spent.render += summary.render_seconds
        spent.check += summary.check_seconds
        spent.checksum += summary.checksum_seconds
        spent.disk += summary.disk_seconds
        spent.sync += summary.sync_seconds
    return spent


def report(spent: Spent, count: int, gigabytes: float, jobs: int) -> None:
    """Print the shares."""
    alone, made = spent.alone, spent.made
    print(f"{'':18}{'sounds/s':>10}{'clock s':>10}{'program s':>11}{'system s':>10}")
    for name, seconds in (("renderer alone", alone), ("data set", made)):
        print(
            f"{name:18}{count / seconds.clock:>10.0f}{seconds.clock:>10.2f}"
            f"{seconds.program:>11.2f}{seconds.system:>10.2f}"
        )
    total = jobs * made.clock
    shares = {
        "rendering": spent.render,
        "drawing, levels": spent.check,
        "checksums": spent.checksum,
        "writing": spent.disk,
    }
    for name, worker_seconds in shares.items():
        print(f"  {name:18}{worker_seconds / total:>8.1%} of the workers' time")
    rest = total - sum(shares.values())
    print(
        f"  {'rest':18}{rest / total:>8.1%}, in which {spent.sync:.2f} s until all is on the disk"
    )
    disk = (spent.disk + spent.checksum) / jobs + min(spent.sync, rest / jobs)
    # Checksums are the program's time, writing is the system's; they were counted by the clock, in
    # which a worker that waits for a processor looks busy: so only their share of it is taken.
    checksums = made.program * spent.checksum / (spent.render + spent.check + spent.checksum)
    print(f"loss by the clock     {made.clock / alone.clock - 1:>7.1%}", end="")
    print(f", without the disk {(made.clock - disk) / alone.clock - 1:>7.1%}")
    used, needed = made.program + made.system, alone.program + alone.system
    print(f"loss by the processor {used / needed - 1:>7.1%}", end="")
    print(f", without the disk {(made.program - checksums) / needed - 1:>7.1%}   (target: 15 %)")
    print(f"on the disk        {gigabytes:8.2f} GB")
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
        target = Path(folder) / "dataset"
        spent = measure(settings, target, options.batches, jobs)
        size = sum(path.stat().st_size for path in target.iterdir()) / 1e9
    report(spent, settings.sample_size * options.batches, size, jobs)


if __name__ == "__main__":
    main()
