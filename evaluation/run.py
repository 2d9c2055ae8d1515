"""The batch run: every method answers every sound, and every answer is scored.

A cell is one method's answer to one sound. Cells are independent: each has its own seeds, its
own files, and a key that says what it depends on. So they run in parallel in any order, a killed
run goes on where it stopped, and a failure stays in its cell.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor

from deepdiva import __version__
from deepdiva.audio import write_wav
from deepdiva.errors import InvalidValueError
from deepdiva.evaluation import metrics
from deepdiva.evaluation.folder import FORMAT, RunFolder, RunInfo, SoundEntry
from deepdiva.evaluation.method import Match, Method
from deepdiva.evaluation.other_notes import (
    Elsewhere,
    Heard,
    heard_elsewhere,
    score_elsewhere,
)
from deepdiva.evaluation.result import Result
from deepdiva.evaluation.scoring import (
    EvaluationSettings,
    OpenRenderer,
    Score,
    noise_floor,
    score_audio,
    score_failure,
    score_match,
)
from deepdiva.evaluation.sound_collections import Collection
from deepdiva.evaluation.sounds import Sound
from deepdiva.files import name_key
from deepdiva.lifetime import worker_options
from deepdiva.names import check_name
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva.preset import Preset
from deepdiva.workers import dead_workers_told, single_thread

AtNote = Callable[[Note], Sequence[Method]]
"""Makes the contenders of a run for another note than the run's."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What a worker needs for one result.

    Attributes:
        run: token of the call of `run` that it belongs to; no other call has it.
        key: of the result; see `RunInfo.key`.
        sound: to be matched.
        contender: that is asked; one of its name and note in each run.
        open_renderer: opens what plays the answer.
        settings: of the run, with the note of the sound.
        folder: of the run.
    """

    run: str
    key: str
    sound: Sound
    contender: Method
    open_renderer: OpenRenderer
    settings: EvaluationSettings
    folder: RunFolder


def run(
    folder: RunFolder,
    collection: Collection,
    contenders: Sequence[Method],
    open_renderer: OpenRenderer,
    settings: EvaluationSettings,
    *,
    jobs: int = 1,
    force: bool = False,
    at_note: AtNote | None = None,
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
        at_note: makes the same contenders for another note; needed where sounds have notes of
            their own.
        force: results of other settings may lie in the folder; those of this run replace them.
        on_plan: called once with the number of cells and how many are done already.
        on_result: called after each new result, in order of completion.

    Raises:
        InvalidValueError: names that are not unique or no file names.
        FileExistsAlreadyError: see `RunFolder.admit`.
        RenderError: a worker process died.
        StorageError: another evaluation is at work in the folder.
    """
    check_names("contender", [contender.name for contender in contenders])
    sounds = collection.sounds
    check_names("sound", [sound.name for sound in sounds])
    info = describe(collection, contenders, open_renderer, settings)
    with folder.alone():
        info = folder.admit(info, force=force)
        folder.write_info(info)  # first: a folder that holds anything must say what it is
        folder.create(list(info.contenders))
        for sound in sounds:
            path = folder.target_path(sound.name)
            write_wav(path, sound.audio, settings.note.sample_rate, force=True)

        token = secrets.token_hex(8)
        asked = _by_note(sounds, contenders, settings, at_note)
        cells = [
            Cell(
                run=token,
                key=info.key(contender.name, sound.fingerprint),
                sound=sound,
                contender=contender,
                open_renderer=open_renderer,
                settings=settings.of(sound),
                folder=folder,
            )
            for sound in sounds
            for contender in asked[settings.of(sound).note]
        ]
        open_cells = [cell for cell in cells if not _is_done(cell)]
        if on_plan is not None:
            on_plan(len(cells), len(cells) - len(open_cells))
        with closing(_results(open_cells, jobs)) as results:
            for result in results:
                if on_result is not None:
                    on_result(result)
        return info


def _by_note(
    sounds: Sequence[Sound],
    contenders: Sequence[Method],
    settings: EvaluationSettings,
    at_note: AtNote | None,
) -> dict[Note, Sequence[Method]]:
    """The contenders for each note of the sounds.

    Raises:
        InvalidValueError: sounds have notes of their own, and nobody makes contenders for them.
    """
    asked: dict[Note, Sequence[Method]] = {settings.note: contenders}
    for sound in sounds:
        note = settings.of(sound).note
        if note not in asked:
            if at_note is None:
                raise InvalidValueError(
                    f"{sound.name} holds {note}, and the contenders answer {settings.note}."
                )
            asked[note] = at_note(note)
    return asked


def describe(
    collection: Collection,
    contenders: Sequence[Method],
    open_renderer: OpenRenderer,
    settings: EvaluationSettings,
) -> RunInfo:
    """What `run.json` says of a run; measures the noise floor of sounds with a known preset."""
    space = settings.space
    renderer = open_renderer(Preset.template())
    played_by = renderer.info.to_dict()
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
                floor=noise_floor(sound, open_renderer, settings.of(sound)),
                note=None if sound.note is None else sound.note.to_dict(),
            )
            for sound in collection.sounds
        ],
        left_out=collection.left_out,
        # Through JSON and back, so that it compares with what a file holds.
        contenders={
            contender.name: json.loads(json.dumps(dict(contender.describe())))
            for contender in contenders
        },
    )


def evaluate_cell(cell: Cell) -> Result:
    """Ask one method about one sound, write its preset, read it back, play it and score it.

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
    heard: list[Heard] = []
    elsewhere: Elsewhere = {}
    error: str | None = None
    started = time.perf_counter()
    seconds = 0.0
    try:
        heard = _elsewhere(cell)
        contender = _ready(cell)
        seed = sound.seeds(settings.seed, settings.strikes + 1)[-1]
        started = time.perf_counter()
        match = contender.match(sound, seed)
        seconds = time.perf_counter() - started
        folder.drop_result(name, sound.name)
        if match.preset is not None:
            match.preset.write(preset_path, force=True)
            preset = Preset.read(preset_path)
            score = score_match(sound, preset, cell.open_renderer, settings)
            elsewhere = score_elsewhere(sound, preset, heard, cell.open_renderer, settings)
        elif match.audio is not None:
            preset_path.unlink(missing_ok=True)
            score = score_audio(sound, match.audio, settings)
        else:
            raise InvalidValueError(f"{name} answered {sound.name} with nothing.")
    except Exception as failure:  # noqa: BLE001  (whatever a contender does wrong is its result)
        seconds = seconds or time.perf_counter() - started
        error = f"{type(failure).__name__}: {failure}"
        preset = None
        score = score_failure(sound, settings)
        elsewhere = score_elsewhere(sound, None, heard, cell.open_renderer, settings)
        folder.drop_result(name, sound.name)
        for path in (preset_path, preview_path):
            path.unlink(missing_ok=True)
    else:
        write_wav(preview_path, score.audio, settings.note.sample_rate, force=True)
    result = _result(cell, score, match, preset, error, seconds, elsewhere)
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
    folded = Counter(map(name_key, names))
    for name in names:
        check_name(what, name)
        if folded[name_key(name)] > 1:
            raise InvalidValueError(f"Two {what}s are called {name!r}: rename one of them.")


def _is_done(cell: Cell) -> bool:
    result = cell.folder.read_result(cell.contender.name, cell.sound.name)
    return result is not None and result.key == cell.key and result.status != "failed"


def _ready(cell: Cell) -> Method:
    """The method, prepared once in each process."""
    ready = _prepared(cell.run)
    key = cell.contender.name, cell.settings.note
    if key not in ready:
        cell.contender.prepare()
        ready[key] = cell.contender
    return ready[key]


def _elsewhere(cell: Cell) -> list[Heard]:
    """The target on other notes; the contenders of a sound are asked one after the other."""
    kept = _kept(cell.run)
    if kept.get("sound") != cell.sound.fingerprint:
        kept["heard"] = heard_elsewhere(cell.sound, cell.open_renderer, cell.settings)
        kept["sound"] = cell.sound.fingerprint
    heard: list[Heard] = kept["heard"]
    return heard


@lru_cache(maxsize=1)
def _kept(run: str) -> dict[str, Any]:  # noqa: ARG001  (another run drops it)
    """The sound that this process was asked about last, and how it sounds on other notes."""
    return {}


@lru_cache(maxsize=1)
def _prepared(run: str) -> dict[tuple[str, Note], Method]:  # noqa: ARG001  (another run drops them)
    """Methods of a run that are ready to answer in this process, by name and note."""
    return {}


def _results(cells: Sequence[Cell], jobs: int) -> Generator[Result, None, None]:
    """Results in order of completion; afterwards nothing is left of the methods' copies."""
    if jobs == 1 or len(cells) < 2:
        try:
            yield from map(evaluate_cell, cells)
        finally:
            _prepared.cache_clear()
        return
    pool = joblib.Parallel(
        n_jobs=jobs,
        backend="loky",
        return_as="generator_unordered",
        batch_size=1,
        **worker_options(),
    )
    try:
        with dead_workers_told():
            yield from pool(joblib.delayed(evaluate_cell)(cell) for cell in cells)
    except BaseException:
        get_reusable_executor(reuse=True).shutdown(kill_workers=True)
        raise
    finally:
        # joblib keeps its workers for the next call, with the plug-ins that contenders opened.
        get_reusable_executor(reuse=True).shutdown()


def _result(
    cell: Cell,
    score: Score,
    match: Match | None,
    preset: Preset | None,
    error: str | None,
    seconds: float,
    elsewhere: Elsewhere,
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
        elsewhere=elsewhere,
    )
