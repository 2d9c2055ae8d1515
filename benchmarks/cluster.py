"""What a cluster costs: tasks of a second, the start of a worker, and very many tiny tasks.

    python benchmarks/cluster.py --workers 2 --tasks 60 --tiny 100000

For processes of this machine (loky), Dask and Ray, each with its own workers: seconds from nothing
to the first result; seconds for tasks that each wait one second, and how much more that is than on
loky; tiny tasks a second, and the memory of this process, which holds Dask's scheduler too, after
the first thousand and at its highest afterwards.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deepdiva.cluster import Backend, Workers
from deepdiva.cluster.crew import Crew

FIRST = 1000
EVERY = 500
BACKENDS: tuple[Backend, ...] = ("loky", "dask", "ray")


@dataclass
class Cost:
    """What one backend took.

    Attributes:
        start: seconds to the first result.
        whole: seconds for all tasks of a second.
        rate: tiny tasks a second.
        before: MB after the first thousand tiny tasks.
        most: MB at most afterwards.
    """

    start: float
    whole: float
    rate: float
    before: float
    most: float


def waited(seconds: float, item: int) -> int:
    """A task that waits."""
    time.sleep(seconds)
    return item


def plus(one: int, item: int) -> int:
    """A tiny task."""
    return one + item


def memory() -> float:
    """Memory of this process in MB."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return float("nan")


def measured(backend: Backend, options: argparse.Namespace) -> Cost:
    """Everything of one backend."""
    workers = Workers(backend, jobs=options.workers)
    began = time.perf_counter()
    with Crew(waited, options.seconds, workers) as crew:
        first = began
        for done, _ in enumerate(crew.each(range(options.workers))):
            if done == 0:
                first = time.perf_counter()
        begun = time.perf_counter()
        assert sum(1 for _ in crew.each(range(options.tasks))) == options.tasks
        whole = time.perf_counter() - begun
    with Crew(plus, 1, workers) as crew:
        begun = time.perf_counter()
        sizes = list(tiny(crew, options.tiny))
        rate = options.tiny / (time.perf_counter() - begun)
    return Cost(first - began - options.seconds, whole, rate, sizes[0], max(sizes[1:]))


def tiny(crew: Crew[int, int, int], count: int) -> Iterator[float]:
    """Run tiny tasks; memory after the first thousand, and now and then afterwards."""
    for done, outcome in enumerate(crew.each(range(count)), start=1):
        assert outcome.result == outcome.number + 1
        if done == FIRST or (done > FIRST and done % EVERY == 0):
            yield memory()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What a cluster costs.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--tiny", type=int, default=100_000)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    options = parser.parse_args()
    print(f"{options.workers} workers, {options.tasks} tasks of {options.seconds:g} s, ", end="")
    print(f"{options.tiny:,} tiny tasks")
    print("| backend | first result, s | tasks of a second, s | over loky |", end="")
    print(" tiny tasks a second | memory, MB | at most, MB |")
    print("|---|---|---|---|---|---|---|")
    usual = None
    for backend in options.backend or BACKENDS:
        cost = measured(backend, options)
        usual = usual or cost.whole
        print(
            f"| {backend} | {cost.start:.1f} | {cost.whole:.2f} | {cost.whole / usual - 1:+.1%} | "
            f"{cost.rate:,.0f} | {cost.before:.0f} | {cost.most:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
