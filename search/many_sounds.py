"""Many sounds, one for each worker.

A single search spreads its generations over threads, which leaves cores idle while the strategy
thinks, and has not enough candidates for many cores. Sounds know nothing of each other, so with
many of them each process searches one, alone. The results are the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from deepdiva.cluster import Workers
from deepdiva.cluster.crew import Crew
from deepdiva.cluster.parcel import Files, read_files, write_files
from deepdiva.cluster.remote import stopping
from deepdiva.errors import DeepDivaError
from deepdiva.files import alone_in
from deepdiva.interruption import first_one_does
from deepdiva.left_out import LeftOut
from deepdiva.renderer import Renderer
from deepdiva.search.fidelity import Sketch
from deepdiva.search.loop import Progress
from deepdiva.search.sound_match import LOCK_NAME, Match, Task, match_sound
from deepdiva.search.start import Start

WORTH_EVALUATIONS = 5000
"""A process takes seconds to start; with less work than this for each, threads are faster."""

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
    tasks: Sequence[Task],
    starts: Starts,
    renderer: Renderer,
    workers: Workers,
    sketch: Sketch | None = None,
    on_remark: Callable[[str], None] | None = None,
) -> Iterator[Match | LeftOut]:
    """Match sounds side by side, one for each worker.

    On this machine each match is given as soon as it and all before it are done, on a cluster as
    soon as it is done. Where a worker does not see this machine's folders, the record of an earlier
    search travels to it, and everything that it has written comes back with the match.

    Ctrl-C, SIGTERM or SIGHUP ends all searches: those that run write their best match so far and
    are yielded, as interrupted; the others are left out. A second one does not wait for them.

    Args:
        tasks: sounds to be matched.
        starts: what is known of each before the search.
        renderer: plays the candidates; every worker gets a copy.
        workers: who searches.
        sketch: a cheap search that goes before each.
        on_remark: told what is to be known of the workers, a sentence each.

    A sound that fails stops no other: it is yielded with the reason.

    Raises:
        ClusterError: the cluster is gone, or its workers do not fit.
    """
    alone = [replace(task, settings=replace(task.settings, jobs=1)) for task in tasks]
    with ExitStack() as held:
        crew: Crew[_Bench, _Sound, _Found | None] = held.enter_context(
            Crew(_match, _Bench(renderer, sketch), workers, most=len(tasks))
        )
        for remark in crew.remarks:
            if on_remark is not None:
                on_remark(remark)
        if workers.is_cluster:
            crew.record(tasks[0].outputs.preset.parent)
        held.enter_context(first_one_does(crew.stop))
        going, refused = _checked(alone, starts, workers)
        yield from refused
        sounds = (_sent(task, start, workers) for task, start in going)
        outcomes = held.enter_context(closing(crew.each(sounds, ordered=not workers.is_cluster)))
        for outcome in outcomes:
            task, _ = going[outcome.number]
            try:
                found = outcome.result
                if isinstance(found, _Found):
                    yield _received(task, found)
            except DeepDivaError as error:
                yield LeftOut(task.target.source, str(error))


@dataclass(frozen=True, eq=False)
class _Bench:
    """What all sounds share: the renderer, and a cheap search that goes before."""

    renderer: Renderer
    sketch: Sketch | None


@dataclass(frozen=True, eq=False)
class _Sound:
    """One sound on its way to a worker.

    Attributes:
        task: with folders that the worker sees; where `record` is given, names in its own folder.
        start: what is known before the search.
        record: files of the run folder, by their path in it; None where the worker sees it.
    """

    task: Task
    start: Start | None
    record: Files | None


@dataclass(frozen=True, eq=False)
class _Found:
    """What a worker has found.

    Attributes:
        match: in the worker's folder.
        files: what it has written there, by path; None where that is this machine's.
    """

    match: Match
    files: Files | None


def _checked(
    tasks: Sequence[Task], starts: Starts, workers: Workers
) -> tuple[list[tuple[Task, Start | None]], list[LeftOut]]:
    """Sounds that can be matched, and those whose results could not be written from a cluster."""
    going, refused = [], []
    for task, start in zip(tasks, starts, strict=True):
        try:
            if workers.is_cluster:
                task.outputs.check(task.target.source, force=task.force, resume=task.resume)
        except DeepDivaError as error:
            refused.append(LeftOut(task.target.source, str(error)))
        else:
            going.append((task, start))
    return going, refused


def _sent(task: Task, start: Start | None, workers: Workers) -> _Sound:
    if not workers.is_cluster:
        return _Sound(task, start, None)
    overwrite = task.outputs.check(task.target.source, force=task.force, resume=task.resume)
    if workers.shared:
        return _Sound(replace(task, outputs=task.outputs.within(None)), start, None)
    record = read_files(task.outputs.run) if task.resume and task.outputs.run.is_dir() else {}
    # Of the sound nothing but its name is used, and what the worker writes is checked here.
    named = replace(task.target, source=Path(task.target.source.name))
    away = replace(task, target=named, outputs=task.outputs.within(Path()), force=overwrite)
    return _Sound(away, start, record)


def _received(task: Task, found: _Found) -> Match:
    """The match on this machine; its files take their places, the preset last."""
    if found.files is None:
        return found.match
    outputs = task.outputs
    overwrite = outputs.check(task.target.source, force=task.force, resume=task.resume)
    folder = outputs.preset.parent
    folder.mkdir(parents=True, exist_ok=True)
    outputs.run.mkdir(exist_ok=True)
    with alone_in(outputs.run, LOCK_NAME, "search: wait for it, or choose another folder."):
        results = {path.name for path in outputs.files}
        record = {name: data for name, data in found.files.items() if name not in results}
        write_files(folder, record)
        write_files(
            folder, {n: data for n, data in found.files.items() if n in results}, force=overwrite
        )
    away = found.match.alternatives
    return replace(found.match, task=task, alternatives=tuple(outputs.run / p.name for p in away))


def _match(bench: _Bench, sound: _Sound) -> _Found | None:
    """Match one sound in a worker, until it is done or the caller has enough."""
    if stopping():
        return None
    if sound.record is None:
        return _Found(_searched(bench, sound.task, sound.start), None)
    with tempfile.TemporaryDirectory(prefix="deepdiva-") as place:
        folder = Path(place)
        outputs = sound.task.outputs.within(folder)
        outputs.run.mkdir()
        write_files(outputs.run, sound.record)
        match = _searched(bench, replace(sound.task, outputs=outputs, force=True), sound.start)
        return _Found(match, read_files(folder))


def _searched(bench: _Bench, task: Task, start: Start | None) -> Match:
    def look(progress: Progress) -> None:  # noqa: ARG001
        if stopping():
            raise KeyboardInterrupt

    return match_sound(task, bench.renderer, start, look, bench.sketch)
