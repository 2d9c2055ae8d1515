"""Many sounds, one for each worker process.

A single search spreads its generations over threads, which leaves cores idle while the strategy
thinks, and has not enough candidates for many cores. Sounds know nothing of each other, so with
many of them each process searches one, alone. The results are the same.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from deepdiva.errors import DeepDivaError
from deepdiva.interruption import first_one_does
from deepdiva.left_out import LeftOut
from deepdiva.lifetime import tidied, worker_options
from deepdiva.renderer import Renderer
from deepdiva.search.loop import Progress
from deepdiva.search.sound_match import Match, Task, match_sound
from deepdiva.search.start import Start

WORTH_EVALUATIONS = 5000
"""A process takes seconds to start; with less work than this for each, threads are faster."""

_LOOK_SECONDS = 0.2

Starts = Sequence[Start | None]


def worth_processes(tasks: Sequence[Task], renderer: Renderer, jobs: int) -> bool:
    """Whether sounds had better be matched side by side than one after the other.

    Args:
        tasks: sounds to be matched.
        renderer: of all of them. One that holds processes of its own is not copied into others.
        jobs: workers.
    """
    processes = min(jobs, len(tasks))
    if processes < 2 or not renderer.info.cheap_to_copy:
        return False
    seconds = sum(task.settings.evaluations is None for task in tasks)
    work = sum(task.settings.evaluations or 0 for task in tasks)
    return seconds > 0 or work >= WORTH_EVALUATIONS * processes


def match_sounds(
    tasks: Sequence[Task], starts: Starts, renderer: Renderer, jobs: int
) -> Iterator[Match | LeftOut]:
    """Match sounds in processes, each as soon as it and all before it are done.

    Ctrl-C, SIGTERM or SIGHUP ends all searches: those that run write their best match so far and
    are yielded, as interrupted; the others are left out. A second one does not wait for them.

    Args:
        tasks: sounds to be matched.
        starts: what is known of each before the search.
        renderer: plays the candidates; every process gets a copy.
        jobs: processes.

    A sound that fails stops no other: it is yielded with the reason.
    """
    from joblib import Parallel, delayed

    with (
        tempfile.TemporaryDirectory(prefix="deepdiva-") as folder,
        tidied(Path(folder), "folder"),
    ):
        stop = Path(folder) / "stop"
        alone = [replace(task, settings=replace(task.settings, jobs=1)) for task in tasks]
        parallel = Parallel(
            n_jobs=min(jobs, len(tasks)),
            backend="loky",
            return_as="generator",
            pre_dispatch="all",
            batch_size=1,
            **worker_options(),
        )
        with first_one_does(stop.touch):
            for match in parallel(
                delayed(_match)(task, renderer, start, stop)
                for task, start in zip(alone, starts, strict=True)
            ):
                if match is not None:
                    yield match


def _match(
    task: Task, renderer: Renderer, start: Start | None, stop: Path
) -> Match | LeftOut | None:
    """Match one sound in a worker process, until it is done or the file `stop` exists."""
    if stop.exists():
        return None
    looked = time.monotonic()

    def look(progress: Progress) -> None:  # noqa: ARG001
        nonlocal looked
        if time.monotonic() - looked > _LOOK_SECONDS:
            looked = time.monotonic()
            if stop.exists():
                raise KeyboardInterrupt

    try:
        return match_sound(task, renderer, start, look)
    except DeepDivaError as error:
        return LeftOut(task.target.source, str(error))
