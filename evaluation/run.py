"""The batch run: every contender answers every sound, and every answer is scored.

A cell is one contender's answer to one sound. Cells are independent: each has its own seeds, its
own files, and a key that says what it depends on. So they run in parallel in any order, a killed
run goes on where it stopped, and a failure stays in its cell.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import joblib

from deepdiva import __version__
from deepdiva.audio import write_wav
from deepdiva.errors import InvalidValueError
from deepdiva.evaluation import metrics
from deepdiva.evaluation.contender import Contender, Match
from deepdiva.evaluation.folder import FORMAT, RunFolder, RunInfo, SoundEntry
from deepdiva.evaluation.result import Result
from deepdiva.evaluation.scoring import (
    EvaluationSettings,
    OpenRenderer,
    Score,
    noise_floor,
    score_failure,
    score_match,
)
from deepdiva.evaluation.sounds import Sound
from deepdiva.evaluation.sources import Collection
from deepdiva.preset import Preset
from deepdiva.space import ParameterSpace
from deepdiva.workers import leave_interrupts_to_the_parent, single_thread

_prepared: dict[str, Contender] = {}
"""Contenders of this worker process that are ready to answer, by the digest of what they are."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What a worker needs for one result."""

    key: str
    sound: Sound
    contender: Contender
    open_renderer: OpenRenderer
    settings: EvaluationSettings
    folder: RunFolder


def run(
    folder: RunFolder,
    collection: Collection,
    contenders: Sequence[Contender],
    open_renderer: OpenRenderer,
    settings: EvaluationSettings,
    *,
    jobs: int = 1,
    force: bool = False,
    on_plan: Callable[[int, int], None] | None = None,
    on_result: Callable[[Result], None] | None = None,
) -> RunInfo:
    """Fill the folder with the results of all contenders on all sounds.

    Results that lie there already and depend on the same things are kept; failed ones are tried
    again.

    Args:
        folder: where everything is written.
        collection: the sounds, names unique.
        contenders: at least one, names unique.
        open_renderer: opens what plays the presets that are scored; can be pickled.
        settings: shared by all results.
        jobs: worker processes.
        force: throw away results of other settings in the folder.
        on_plan: called once with the number of cells and how many are done already.
        on_result: called after each new result, in order of completion.

    Raises:
        InvalidValueError: names that are not unique or no file names.
        FileExistsAlreadyError: see `RunFolder.admit`.
    """
    check_names("contender", [contender.name for contender in contenders])
    sounds = collection.sounds
    check_names("sound", [sound.name for sound in sounds])
    info = describe(collection, contenders, open_renderer, settings)
    info = folder.admit(info, force=force)
    folder.create(list(info.contenders))
    folder.write_info(info)
    for sound in sounds:
        path = folder.target_path(sound.name)
        write_wav(path, sound.audio, settings.note.sample_rate, force=True)

    cells = [
        Cell(_key(info, sound, contender), sound, contender, open_renderer, settings, folder)
        for sound in sounds
        for contender in contenders
    ]
    open_cells = [cell for cell in cells if not _is_done(cell)]
    if on_plan is not None:
        on_plan(len(cells), len(cells) - len(open_cells))
    for result in _results(open_cells, jobs):
        if on_result is not None:
            on_result(result)
    return info


def describe(
    collection: Collection,
    contenders: Sequence[Contender],
    open_renderer: OpenRenderer,
    settings: EvaluationSettings,
) -> RunInfo:
    """What `run.json` says of a run; measures the noise floor of sounds with a known preset."""
    space = settings.space
    renderer = open_renderer(Preset.template())
    played_by = {"name": renderer.info.name, "version": renderer.info.version}
    renderer.close()
    return RunInfo(
        format=FORMAT,
        deepdiva=__version__,
        panel=metrics.VERSION,
        renderer=played_by,
        test_set=collection.name,
        settings={
            "note": settings.note.to_dict(),
            "space": space.to_dict(),
            "strikes": settings.strikes,
            "seed": settings.seed,
        },
        sounds=[
            SoundEntry(
                name=sound.name,
                fingerprint=sound.fingerprint,
                source=sound.source,
                report=list(sound.report),
                values={} if sound.preset is None else free_values(sound.preset, space),
                floor=noise_floor(sound, open_renderer, settings),
            )
            for sound in collection.sounds
        ],
        left_out=collection.left_out,
        contenders={contender.name: dict(contender.describe()) for contender in contenders},
    )


def evaluate_cell(cell: Cell) -> Result:
    """Ask one contender about one sound, write its preset, read it back, play it and score it.

    On one thread, so that no figure depends on how many cells are at work.
    """
    with single_thread():
        return _evaluate(cell)


def _evaluate(cell: Cell) -> Result:
    sound, settings, folder = cell.sound, cell.settings, cell.folder
    name = cell.contender.name
    preset_path = folder.preset_path(name, sound.name)
    preview_path = folder.preview_path(name, sound.name)
    match: Match | None = None
    preset: Preset | None = None
    error: str | None = None
    started = time.perf_counter()
    seconds = 0.0
    try:
        contender = _ready(cell)
        seed = sound.seeds(settings.seed, settings.strikes + 1)[-1]
        started = time.perf_counter()
        match = contender.match(sound, seed)
        seconds = time.perf_counter() - started
        match.preset.write(preset_path, force=True)
        preset = Preset.read(preset_path)
        score = score_match(sound, preset, cell.open_renderer, settings)
    except Exception as failure:  # noqa: BLE001  (whatever a contender does wrong is its result)
        seconds = seconds or time.perf_counter() - started
        error = f"{type(failure).__name__}: {failure}"
        preset = None
        score = score_failure(sound, settings)
        for path in (preset_path, preview_path):
            path.unlink(missing_ok=True)
    else:
        write_wav(preview_path, score.audio, settings.note.sample_rate, force=True)
    result = _result(cell, score, match, preset, error, seconds)
    folder.write_result(result)
    return result


def free_values(preset: Preset, space: ParameterSpace) -> dict[str, float]:
    """Name of each free parameter to its value in units."""
    patch = preset.values()
    return {name: float(patch[space.table.index(name)]) for name in space.names}


def check_names(what: str, names: Sequence[str]) -> None:
    """Refuse names that cannot be file names, or two of the same.

    Raises:
        InvalidValueError: such a name; the message says which.
    """
    if not names:
        raise InvalidValueError(f"There is no {what}: name at least one.")
    folded = [name.casefold() for name in names]
    for name in names:
        if not re.fullmatch(r"[^\\/:*?\"<>|\x00-\x1f]*[^\\/:*?\"<>|\x00-\x1f. ]", name):
            raise InvalidValueError(
                f"{name!r} cannot name a {what}: it becomes a file name, so leave out "
                r'\ / : * ? " < > |, and a dot or blank at its end.'
            )
        if folded.count(name.casefold()) > 1:
            raise InvalidValueError(f"Two {what}s are called {name!r}: rename one of them.")


def _key(info: RunInfo, sound: Sound, contender: Contender) -> str:
    """Digest of everything that a result depends on."""
    content = {
        "panel": info.panel,
        "renderer": info.renderer,
        "settings": info.settings,
        "sound": sound.fingerprint,
        "contender": dict(contender.describe()),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _is_done(cell: Cell) -> bool:
    result = cell.folder.read_result(cell.contender.name, cell.sound.name)
    return result is not None and result.key == cell.key and result.status != "failed"


def _ready(cell: Cell) -> Contender:
    """The contender, prepared once in each process."""
    identity = json.dumps([cell.contender.name, dict(cell.contender.describe())], sort_keys=True)
    if identity not in _prepared:
        cell.contender.prepare()
        _prepared[identity] = cell.contender
    return _prepared[identity]


def _results(cells: Sequence[Cell], jobs: int) -> Iterator[Result]:
    """Results in order of completion."""
    if jobs == 1 or len(cells) < 2:
        yield from map(evaluate_cell, cells)
        return
    pool = joblib.Parallel(
        n_jobs=jobs,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        initializer=leave_interrupts_to_the_parent,
    )
    yield from pool(joblib.delayed(evaluate_cell)(cell) for cell in cells)


def _result(
    cell: Cell,
    score: Score,
    match: Match | None,
    preset: Preset | None,
    error: str | None,
    seconds: float,
) -> Result:
    return Result(
        key=cell.key,
        sound=cell.sound.name,
        contender=cell.contender.name,
        status="failed" if error else "silent" if score.silent else "ok",
        error=error,
        seconds=seconds,
        renders=match.renders if match and not error else None,
        scores=score.scores,
        strikes=score.strikes,
        restrike=score.restrike,
        values={} if preset is None else free_values(preset, cell.settings.space),
        errors=score.errors.each if score.errors else {},
        exchanged=bool(score.errors and score.errors.exchanged),
    )
