"""The batch run: every method answers every sound, and every answer is scored.

A cell is one method's answer to one sound. Cells are independent: each has its own seeds, its
own files, and a key that says what it depends on. So they run in parallel in any order, a killed
run goes on where it stopped, and a failure stays in its cell.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from deepdiva import __version__
from deepdiva.audio import write_wav
from deepdiva.cluster import Workers
from deepdiva.cluster.crew import Crew, Outcome
from deepdiva.cluster.parcel import Files, read_files, write_files
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
from deepdiva.names import check_name
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva.preset import Preset
from deepdiva.workers import single_thread

ALONE = Workers(jobs=1)

PLAYED = (".h2p", ".wav")
"""Suffixes of the files of an answer beside its result."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What all cells of a run share; travels to each worker once.

    Attributes:
        methods: by note and name.
        open_renderer: opens what plays the answers.
        settings: of the run.
        prepared: which methods are ready to answer here.
        last: fingerprint of the sound that was asked about last, and how it sounds on other notes.
    """

    methods: dict[tuple[Note, str], Method]
    open_renderer: OpenRenderer
    settings: EvaluationSettings
    prepared: set[tuple[Note, str]] = field(default_factory=set)
    last: dict[str, list[Heard]] = field(default_factory=dict)

    def ready(self, note: Note, name: str) -> Method:
        """A method for a note, prepared once in each worker."""
        method = self.methods[note, name]
        if (note, name) not in self.prepared:
            method.prepare()
            self.prepared.add((note, name))
        return method

    def heard(self, sound: Sound, settings: EvaluationSettings) -> list[Heard]:
        """The target on other notes; the methods of a sound are asked one after the other."""
        if sound.fingerprint not in self.last:
            heard = heard_elsewhere(sound, self.open_renderer, settings)
            self.last.clear()
            self.last[sound.fingerprint] = heard
        return self.last[sound.fingerprint]


AtNote = Callable[[Note], Sequence[Method]]
"""Makes the methods of a run for another note than the run's."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What a worker needs for one result beside the bench.

    Attributes:
        key: of the result; see `RunInfo.key`.
        sound: to be matched.
        method: name of who is asked.
        folder: of the run; None for a worker that does not see it.
    """

    key: str
    sound: Sound
    method: str
    folder: RunFolder | None


def run(
    folder: RunFolder,
    collection: Collection,
    methods: Sequence[Method],
    open_renderer: OpenRenderer,
    settings: EvaluationSettings,
    *,
    workers: Workers = ALONE,
    force: bool = False,
    at_note: AtNote | None = None,
    on_plan: Callable[[int, int], None] | None = None,
    on_result: Callable[[Result], None] | None = None,
    on_remark: Callable[[str], None] | None = None,
) -> RunInfo:
    """Fill the folder with the results of all methods on all sounds.

    Results that lie there already and depend on the same things are kept; failed ones are tried
    again.

    Args:
        folder: where everything is written.
        collection: the sounds, names unique.
        methods: at least one, names unique.
        open_renderer: opens what plays the presets that are scored; can be pickled.
        settings: shared by all results.
        workers: who asks; threads ask one after the other.
        at_note: makes the same methods for another note; needed where sounds have notes of
            their own.
        force: results of other settings may lie in the folder; those of this run replace them.
        on_plan: called once with the number of cells and how many are done already.
        on_result: called after each new result, in order of completion.
        on_remark: told what is to be known of the workers, a sentence each.

    Raises:
        ClusterError: the cluster is gone, or its workers do not fit.
        InvalidValueError: names that are not unique or no file names.
        FileExistsAlreadyError: see `RunFolder.admit`.
        StorageError: another evaluation is at work in the folder.
    """
    check_names("method", [method.name for method in methods])
    sounds = collection.sounds
    check_names("sound", [sound.name for sound in sounds])
    info = describe(collection, methods, open_renderer, settings)
    with folder.alone():
        info = folder.admit(info, force=force)
        folder.write_info(info)  # first: a folder that holds anything must say what it is
        folder.create(list(info.methods))
        for sound in sounds:
            path = folder.target_path(sound.name)
            write_wav(path, sound.audio, settings.note.sample_rate, force=True)

        asked = _by_note(sounds, methods, settings, at_note)
        seen = None if workers.is_remote else RunFolder(folder.path.resolve())
        cells = [
            Cell(info.key(method.name, sound.fingerprint), sound, method.name, seen)
            for sound in sounds
            for method in asked[settings.of(sound).note]
        ]
        open_cells = [cell for cell in cells if not _is_done(cell, folder)]
        if on_plan is not None:
            on_plan(len(cells), len(cells) - len(open_cells))
        if not open_cells:
            return info
        named = {(note, each.name): each for note, many in asked.items() for each in many}
        bench = Bench(named, open_renderer, settings)
        most = 1 if workers.backend == "threading" else len(open_cells)
        with Crew(evaluate_cell, bench, workers, most=most) as crew:
            for remark in crew.remarks:
                if on_remark is not None:
                    on_remark(remark)
            crew.record(folder.path)
            with closing(crew.each(open_cells)) as outcomes:
                for outcome in outcomes:
                    cell = open_cells[outcome.number]
                    result = _kept(cell, outcome, settings.of(cell.sound), folder)
                    if on_result is not None:
                        on_result(result)
        return info


def _by_note(
    sounds: Sequence[Sound],
    methods: Sequence[Method],
    settings: EvaluationSettings,
    at_note: AtNote | None,
) -> dict[Note, Sequence[Method]]:
    """The methods for each note of the sounds.

    Raises:
        InvalidValueError: sounds have notes of their own, and nobody makes methods for them.
    """
    asked: dict[Note, Sequence[Method]] = {settings.note: methods}
    for sound in sounds:
        note = settings.of(sound).note
        if note not in asked:
            if at_note is None:
                raise InvalidValueError(
                    f"{sound.name} holds {note}, and the methods answer {settings.note}."
                )
            asked[note] = at_note(note)
    return asked


def describe(
    collection: Collection,
    methods: Sequence[Method],
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
            "realizations": settings.realizations,
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
        methods={
            method.name: json.loads(json.dumps(dict(method.describe()))) for method in methods
        },
    )


def evaluate_cell(bench: Bench, cell: Cell) -> tuple[Result, Files]:
    """Ask one method about one sound, write its preset, read it back, play it and score it.

    On one thread, so that no figure depends on how many cells are at work.

    Returns:
        The result, and the files of a worker that does not see the folder of the run.
    """
    with single_thread():
        if cell.folder is not None:
            return _evaluate(bench, cell, cell.folder), {}
        with tempfile.TemporaryDirectory(prefix="deepdiva-") as place:
            folder = RunFolder(Path(place))
            folder.create([cell.method])
            return _evaluate(bench, cell, folder), read_files(folder.path)


def _evaluate(bench: Bench, cell: Cell, folder: RunFolder) -> Result:
    sound, settings, name = cell.sound, bench.settings.of(cell.sound), cell.method
    preset_path = folder.preset_path(name, sound.name)
    match: Match | None = None
    preset: Preset | None = None
    heard: list[Heard] = []
    elsewhere: Elsewhere = {}
    error: str | None = None
    started = time.perf_counter()
    seconds = 0.0
    try:
        heard = bench.heard(sound, settings)
        method = bench.ready(settings.note, name)
        seed = sound.seeds(settings.seed, settings.realizations + 1)[-1]
        started = time.perf_counter()
        match = method.match(sound, seed)
        seconds = time.perf_counter() - started
        folder.drop_result(name, sound.name)
        if match.preset is not None:
            match.preset.write(preset_path, force=True)
            preset = Preset.read(preset_path)
            score = score_match(sound, preset, bench.open_renderer, settings)
            elsewhere = score_elsewhere(sound, preset, heard, bench.open_renderer, settings)
        elif match.audio is not None:
            preset_path.unlink(missing_ok=True)
            score = score_audio(sound, match.audio, settings)
        else:
            raise InvalidValueError(f"{name} answered {sound.name} with nothing.")
    except Exception as failure:  # noqa: BLE001  (whatever a method does wrong is its result)
        seconds = seconds or time.perf_counter() - started
        error = f"{type(failure).__name__}: {failure}"
        preset = None
        score = score_failure(sound, settings)
        elsewhere = score_elsewhere(sound, None, heard, bench.open_renderer, settings)
        _drop(cell, folder)
    else:
        preview_path = folder.preview_path(name, sound.name)
        write_wav(preview_path, score.audio, settings.note.sample_rate, force=True)
    result = _result(cell, settings, score, match, preset, error, seconds, elsewhere)
    folder.write_result(result)
    return result


def _kept(
    cell: Cell,
    outcome: Outcome[tuple[Result, Files]],
    settings: EvaluationSettings,
    folder: RunFolder,
) -> Result:
    """A result as it lies in the folder of the run; what the worker could not write, is written.

    A task without a result has lost its workers: what the method answers, nobody knows.
    """
    if outcome.failure:
        score = score_failure(cell.sound, settings)
        result = _result(cell, settings, score, None, None, outcome.failure, 0.0, {})
        _drop(cell, folder)
        folder.write_result(result)
        return result
    result, files = outcome.result
    if cell.folder is None:
        _drop(cell, folder)
        write_files(folder.path, {n: data for n, data in files.items() if n.endswith(PLAYED)})
        folder.write_result(result)
    return result


def _drop(cell: Cell, folder: RunFolder) -> None:
    """Remove what an earlier answer has left, its result first."""
    names = (cell.method, cell.sound.name)
    folder.drop_result(*names)
    for path in (folder.preset_path(*names), folder.preview_path(*names)):
        path.unlink(missing_ok=True)


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


def _is_done(cell: Cell, folder: RunFolder) -> bool:
    result = folder.read_result(cell.method, cell.sound.name)
    return result is not None and result.key == cell.key and result.status != "failed"


def _result(
    cell: Cell,
    settings: EvaluationSettings,
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
        method=cell.method,
        status="failed" if error else "silent" if score.silent else "ok",
        error=error,
        seconds=seconds,
        renders=match.renders if match and not error else None,
        scores=score.scores,
        realizations=score.realizations,
        realization_spread=score.realization_spread,
        values={} if preset is None else free_values(preset, settings.space),
        errors=score.errors.each if score.errors else {},
        exchanged=bool(score.errors and score.errors.exchanged),
        elsewhere=elsewhere,
    )
