"""What does a data set cost beside its rendering? Sounds per second, and who took the time.

    python benchmarks/dataset.py [--count N] [--batches N] [--jobs N] [--folder DIR] [--store KIND]

The renderer alone plays batches of 256 patches on as many threads, and throws the audio away. Then
a data set of `--count` sounds of the 11-parameter space is made in a new folder below `--folder`,
which is removed again (20,000 sounds take 7 GB). The two take turns in rounds of a batch, so that
other load on the machine meets both.

The loss is what making took longer than the renderer alone, with and without the time that went to
the disk. The target is a loss of at most 15 % without the disk.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


@dataclass
class Spent:
    """Seconds: of the clock, and of all workers together."""

    alone: float = 0.0
    made: float = 0.0
    render: float = 0.0
    check: float = 0.0
    disk: float = 0.0
    sync: float = 0.0


def renderer_alone(settings: DatasetSettings, batch: int, jobs: int) -> float:
    """Seconds to play the patches of a batch on `jobs` threads and keep nothing."""
    renderer = EmbeddedRenderer()
    blocks = range(-(-settings.sample_size // BLOCK))

    def play(block: int) -> None:
        count = min(BLOCK, settings.sample_size - block * BLOCK)
        points, seeds = draw_block(Uniform(), SPACE, stream(0, batch, block, 0), count)
        renderer.render(SPACE.patches(points), settings.note, seeds.astype(np.int64))

    began = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(play, blocks))
    return time.perf_counter() - began


def measure(settings: DatasetSettings, folder: Path, batches: int, jobs: int) -> Spent:
    """Both, batch by batch."""
    spent = Spent()
    renderer_alone(settings, 0, jobs)  # compiles the engine
    for batch in range(batches):
        spent.alone += renderer_alone(settings, batch, jobs)
        summary = generate(
            folder, settings, EmbeddedRenderer(), batch + 1, workers=Workers(jobs=jobs)
        )
        spent.made += summary.wall_seconds
        spent.render += summary.render_seconds
        spent.check += summary.check_seconds
        spent.disk += summary.disk_seconds
        spent.sync += summary.sync_seconds
    return spent


def report(spent: Spent, count: int, gigabytes: float, jobs: int) -> None:
    """Print the shares."""
    print(f"renderer alone   {count / spent.alone:8.0f} sounds/s   {spent.alone:7.2f} s")
    print(f"data set         {count / spent.made:8.0f} sounds/s   {spent.made:7.2f} s", end="")
    print(f"   {gigabytes:.2f} GB")
    total = jobs * spent.made
    shares = {
        "render": spent.render,
        "levels, checksums": spent.check,
        "write to disk": spent.disk,
    }
    for name, seconds in shares.items():
        print(f"  {name:<18}{seconds:7.2f} worker s   {seconds / total:6.1%}")
    rest = total - sum(shares.values())
    print(f"  {'rest':<18}{rest:7.2f} worker s   {rest / total:6.1%}", end="")
    print(f"   (until the disk had everything: {spent.sync:.2f} s of the clock)")
    without_disk = spent.made - spent.disk / jobs - min(spent.sync, rest / jobs)
    print(f"loss             {spent.made / spent.alone - 1:8.1%}")
    print(f"loss without disk{without_disk / spent.alone - 1:8.1%}   (target: at most 15 %)")
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
