"""From a sound file to a preset, its preview, its picture and the record of the search."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva import __version__
from deepdiva.audio import Target, write_wav
from deepdiva.errors import FileExistsAlreadyError, InvalidValueError, NoMatchError
from deepdiva.files import (
    RUN_SUFFIX,
    alone_in,
    atomic_write,
    check_target,
    file_sha256,
    move,
    sweep,
)
from deepdiva.grade import Grade
from deepdiva.names import printable
from deepdiva.note import Note
from deepdiva.patch_writer import PatchWriter
from deepdiva.preview import preview_of
from deepdiva.renderer import Renderer
from deepdiva.search.fidelity import Sketch, start_from
from deepdiva.search.grading import Circumstances, graded
from deepdiva.search.journal import RUN, Journal, check_run, forget_run
from deepdiva.search.loop import Progress
from deepdiva.search.refine import RefineResult, refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.stages import is_panel
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.state_files import KINDS
from deepdiva.synths import synthesizer_of
from deepdiva.units import key_name

BEST_PATCH_SECONDS = 1.0
"""The best patch so far is written to the run folder at most this often."""

LOCK_NAME = ".refine.lock"
"""Empty file in the run folder that a search locks. It stays there, for the next one."""


BOTH_SUFFIX = ".ab.wav"
"""Of files that hold the target and its match."""

STAGING = "staged"
"""Folder in the run folder in which results are made."""


def _next(path: Path) -> str:
    """Under which name the checksum of a result is noted before it takes its place."""
    return f"{path.name}.next"


@dataclass(frozen=True)
class Outputs:
    """Where the results of one sound go.

    Attributes:
        preset: `NAME.h2p`, or of another plug-in than Diva `NAME.fxp` or `NAME.vstpreset`.
        preview: `NAME.wav`, what the preset sounds like.
        picture: `NAME.png`, target and match.
        run: `NAME.run`, a folder with the record of the search and the best preset so far.
        both: `NAME.ab.wav`, the target and the preview one after the other.
        values: `NAME.json`, the values of the parameters where the preset is no text.
    """

    preset: Path
    preview: Path
    picture: Path
    run: Path
    both: Path
    values: Path | None = None

    @classmethod
    def of(cls, sound: Path, folder: Path, writer: PatchWriter) -> Outputs:
        """The outputs of a sound, named after it, in a folder."""

        def named(suffix: str) -> Path:
            return folder / f"{sound.stem}{suffix}"

        return cls(
            preset=named(writer.suffix),
            preview=named(".wav"),
            picture=named(".png"),
            run=named(RUN_SUFFIX),
            both=named(BOTH_SUFFIX),
            values=named(writer.values_suffix) if writer.values_suffix else None,
        )

    def within(self, folder: Path | None) -> Outputs:
        """The same names in another folder; None for where they are, by their absolute paths."""

        def moved(path: Path) -> Path:
            return path.absolute() if folder is None else folder / path.name

        paths: dict[str, Path | None] = {
            each.name: getattr(self, each.name) for each in fields(self)
        }
        return replace(
            self, **{name: moved(path) for name, path in paths.items() if path is not None}
        )

    @property
    def _written(self) -> Path:
        """SHA-256 of each result as it was written, by the name of its file."""
        return self.run / "written.json"

    def check(self, sound: Path, *, force: bool, resume: bool = False) -> bool:
        """Refuse what could not be written, before the search begins.

        Args:
            sound: that is matched.
            force: overwrite files that exist.
            resume: overwrite what the search in the run folder has written, if there is one.

        Returns:
            Whether results may overwrite others.

        Raises:
            FileExistsAlreadyError: a file exists, without `force`, and no search that is resumed
                has written it as it is.
            InvalidValueError: the preview would overwrite the sound itself.
            MissingFileError: the folder does not exist.
        """
        for path in self.files:
            if path.exists() and sound.exists() and path.samefile(sound):
                raise InvalidValueError(
                    f"The result {path} would overwrite the sound itself: choose another folder "
                    "with --output."
                )
        resumed = resume and any((run / RUN).exists() for run in (self.run, self.sketch))
        written = self._checksums() if resumed else {}
        for path in self.files:
            own = path.exists() and bool({path.name, _next(path)} & written.keys())
            known = (written.get(path.name), written.get(_next(path)))
            if own and not force and file_sha256(path) not in known:
                raise FileExistsAlreadyError(
                    f"{path} was changed since the search had written it: keep it under another "
                    "name, or overwrite it with --force."
                )
            check_target(path, force or own)
        check_run(self.run, force=force or resumed)
        return force or resumed

    @property
    def sketch(self) -> Path:
        """The record of a cheap search that goes first."""
        return self.run / "sketch"

    @property
    def files(self) -> tuple[Path, ...]:
        """All results outside the run folder."""
        files = (self.preset, self.values, self.preview, self.both, self.picture)
        return tuple(path for path in files if path is not None)

    def write(self, make: Callable[[Path], object], *paths: Path, force: bool) -> None:
        """Write results so that a kill at any moment leaves them known: resuming overwrites them.

        They are made in the run folder, noted, and moved to their places.

        Args:
            make: writes the first of `paths` under the name that it gets, the others beside it.
            paths: the results.
            force: overwrite files that exist.
        """
        staging = self.run / STAGING
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        make(staging / paths[0].name)
        digests = {path.name: file_sha256(staging / path.name) for path in paths}
        before = self._checksums()
        self._note({**before, **{_next(path): digests[path.name] for path in paths}})
        for path in paths:
            move(staging / path.name, check_target(path, force), force)
        self._note({**before, **digests})
        shutil.rmtree(staging, ignore_errors=True)

    def _note(self, checksums: Mapping[str, str]) -> None:
        atomic_write(self._written, json.dumps(checksums, indent=1).encode(), force=True)

    def _checksums(self) -> dict[str, str]:
        if not self._written.exists():
            return {}
        return KINDS["written"].read(self._written, dict)


@dataclass(frozen=True)
class Task:
    """One sound to be matched, and everything that decides the match.

    Attributes:
        target: the sound, as it is matched.
        outputs: where the results go.
        writer: writes the preset.
        space: the free parameters around a base patch.
        note: what is played.
        settings: of the search.
        force: overwrite files that exist.
        resume: go on with the search that the run folder holds, if it holds one, and overwrite what
            it has written.
        heard: what was heard in the recording and decides the match, ready for JSON.
        remarks: what was said of the recording, one sentence each.
        recordings: the files of which `target` holds one after the other; empty where it is one
            recording, its source.
        pieces: the note of each of them.
        kind: of the recording, as `deepdiva.hearing` names it.
        key_source: where the key was taken from; empty where none is known.
    """

    target: Target
    outputs: Outputs
    writer: PatchWriter
    space: ParameterSpace
    note: Note
    settings: RefineSettings
    force: bool
    resume: bool
    heard: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    recordings: tuple[Path, ...] = ()
    pieces: tuple[Note, ...] = ()
    kind: str = ""
    key_source: str = ""

    @property
    def key(self) -> str:
        """The key that is played, in words: `key 36 (C2), by its name`."""
        pitches = dict.fromkeys(note.pitch for note in self.pieces or (self.note,))
        keys = ", ".join(f"{pitch} ({key_name(pitch)})" for pitch in pitches)
        source = f", by {self.key_source}" if self.key_source else ", as none is heard"
        if self.pieces:
            source = ""
        return f"key{'s' if len(pitches) > 1 else ''} {keys}{source}"


@dataclass(frozen=True)
class Part:
    """One of several recordings that got one preset.

    Attributes:
        path: the file.
        note: that was played for it.
        distance: reported distance of the preset to it, at the level of all recordings together.
        silence: that of silence, for scale.
    """

    path: Path
    note: Note
    distance: float
    silence: float


@dataclass(frozen=True, eq=False)
class Match:
    """What became of a sound.

    Attributes:
        task: what was asked for.
        result: of the search.
        alternatives: presets of other matches that would do as well, in the run folder.
        quieter_db: by how much the preview is quieter than the preset, which would clip.
    """

    task: Task
    result: RefineResult
    alternatives: tuple[Path, ...]
    quieter_db: float = 0.0

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know of the match, one sentence each."""
        if self.quieter_db < 0.05:
            return self.result.remarks
        loud = f"{self.quieter_db:.1f} dB"
        return (
            *self.result.remarks,
            f"The preset plays {loud} above full scale; its preview is that much softer.",
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """How near each recording is, where there are several."""
        from deepdiva.distance import SpectralDistance
        from deepdiva.level import at_reference
        from deepdiva.search.sequence import pieces

        task, rate = self.task, self.task.note.sample_rate
        sounds, _ = at_reference(np.stack([task.target.audio, self.result.sound]))
        found = []
        for path, note, part in zip(task.recordings, task.pieces, pieces(task.pieces), strict=True):
            distance = SpectralDistance(sounds[0, part], rate)
            both = np.stack([sounds[1, part], np.zeros(note.samples, np.float32)])
            near, silent = distance(both)
            found.append(Part(path, note, float(near), float(silent)))
        return tuple(found)


def match_sound(
    task: Task,
    renderer: Renderer,
    start: Start | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    sketch: Sketch | None = None,
) -> Match:
    """Search for a sound's patch and write the results.

    The run folder holds the state of the search after every generation and, as `best.h2p` (of
    another plug-in `best.json`), the best patch so far; so a crash loses a second of work at most.

    Args:
        task: what is to be matched.
        renderer: plays the candidates.
        start: what is known before the search; nothing if None.
        on_progress: called after every generation.
        sketch: a cheap search that goes first; its record is the folder `sketch` in the run folder,
            and `start` is where it begins.

    Raises:
        KeyboardInterrupt: Ctrl-C before the search with the renderer itself had a match.
        AudioError: a silent target.
        FileExistsAlreadyError: a result exists, without `force`, and no search that is resumed has
            written it.
        InvalidValueError: things that do not fit together.
        NoMatchError: the nearest that was found cannot be heard; nothing is written.
        RenderError: the synthesizer failed.
        StorageError: another search is at work in the run folder.
    """
    task.outputs.preset.parent.mkdir(parents=True, exist_ok=True)
    overwrite = task.outputs.check(task.target.source, force=task.force, resume=task.resume)
    task.outputs.run.mkdir(exist_ok=True)
    with alone_in(task.outputs.run, LOCK_NAME, "search: wait for it, or choose another folder."):
        sweep(task.outputs.run)
        keeper = _BestPatch(task.writer, task.outputs.run, on_progress)
        result = search_sound(task, renderer, start, keeper, sketch, recorded=True)
        return write_match(task, result, force=overwrite)


def search_sound(
    task: Task,
    renderer: Renderer,
    start: Start | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    sketch: Sketch | None = None,
    *,
    recorded: bool = False,
) -> RefineResult:
    """Search for a sound's patch; takes and raises what `match_sound` does.

    Args:
        task: what is to be matched; without a record, its outputs do not matter.
        renderer: plays the candidates.
        start: what is known before the search; nothing if None.
        on_progress: called after every generation.
        sketch: a cheap search that goes first.
        recorded: keep a record in the run folder, or go on with the one that is there.
    """
    if sketch is not None:
        start = _sketched(task, sketch, start, on_progress, recorded=recorded)
    with _journal(task, task.outputs.run, renderer, start, recorded=recorded) as journal:
        result = refine(
            task.target.audio,
            renderer,
            task.space,
            task.note,
            task.settings,
            start=start,
            pieces=task.pieces,
            journal=journal,
            on_progress=on_progress,
            explained=True,
        )
    return replace(result, grade=_graded(task, result, renderer))


def _graded(task: Task, result: RefineResult, renderer: Renderer) -> Grade:
    """The grade of a match.

    Raises:
        NoMatchError: the match cannot be heard.
    """
    keys = task.heard.get("other_keys", ())
    grade = graded(
        task.target.audio,
        result,
        renderer,
        task.space,
        task.note,
        task.pieces,
        task.settings.seed,
        Circumstances(task.kind, tuple(keys), task.settings.evaluations),
    )
    if grade.is_silent:
        raise NoMatchError(
            f"{task.target.source}: the nearest that was found cannot be heard, so no preset is "
            f"written. {grade.sentence}"
        )
    return grade


def _journal(
    task: Task, folder: Path, renderer: Renderer, start: Start | None, *, recorded: bool
) -> AbstractContextManager[Journal | None]:
    """The record of a search; none where it is not recorded."""
    if not recorded:
        return contextlib.nullcontext()
    return Journal(
        folder,
        _description(task, renderer, start),
        resume=task.resume,
        force=task.force,
        extends=is_panel(task.space, task.settings, synthesizer_of(task.space.table).structure),
    )


def _sketched(
    task: Task,
    sketch: Sketch,
    start: Start | None,
    on_progress: Callable[[Progress], None] | None,
    *,
    recorded: bool,
) -> Start:
    """What a cheap search finds, as the start of the dear one."""
    space = sketch.space(task.space)
    cheap = replace(task, space=space, settings=sketch.settings)
    start = None if start is None else start.within(space)
    folder = task.outputs.sketch
    if recorded and task.force and not task.resume:
        # An older search with the renderer would be in the way of resuming this one.
        forget_run(task.outputs.run)
    with _journal(cheap, folder, sketch.renderer, start, recorded=recorded) as journal:
        result = refine(
            task.target.audio,
            sketch.renderer,
            space,
            task.note,
            sketch.settings,
            start=start,
            pieces=task.pieces,
            journal=journal,
            on_progress=on_progress,
            explained=True,
        )
    if result.end == "interrupted":
        raise KeyboardInterrupt
    if recorded:
        atomic_write(folder / "history.csv", result.history.csv().encode(), force=True)
    return start_from(result, task.space)


class _BestPatch:
    """Writes the best patch so far, not too often, and passes the progress on."""

    def __init__(
        self, writer: PatchWriter, folder: Path, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._writer = writer
        self._folder = folder
        self._on_progress = on_progress
        self._written = -BEST_PATCH_SECONDS
        self._pending = False

    def __call__(self, progress: Progress) -> None:
        self._pending = self._pending or progress.improved
        now = time.monotonic()
        due = now - self._written >= BEST_PATCH_SECONDS
        # What is recalled was better once.
        if self._pending and due and not progress.recalled:
            self._written = now
            # Windows refuses while somebody has the file open: a second later is soon enough.
            with contextlib.suppress(PermissionError):
                self._writer.keep(progress.patch, self._folder)
                self._pending = False
        if self._on_progress is not None:
            self._on_progress(progress)


def _description(task: Task, renderer: Renderer, start: Start | None) -> dict[str, Any]:
    """Everything that decides the search. The number of workers is not among it."""
    settings = task.settings.to_dict()
    del settings["jobs"]
    return {
        "deepdiva": __version__,
        "sound": task.target.source.name,
        "target_sha256": hashlib.sha256(task.target.audio.tobytes()).hexdigest(),
        "renderer": renderer.info.to_dict(),
        "note": task.note.to_dict(),
        "heard": dict(task.heard),
        "pieces": [note.to_dict() for note in task.pieces],
        "settings": settings,
        "space": task.space.to_dict(),
        "start": None if start is None else start.digest(),
    }


def _write_sound(sound: NDArray[np.float32], sample_rate: int, path: Path) -> None:
    write_wav(path, sound, sample_rate, force=True)


def _about(task: Task, result: RefineResult) -> str:
    """Grade, key and models of a match."""
    structure = synthesizer_of(task.space.table).structure
    models = "" if structure is None else structure.chain_label(result.patch)
    grade = None if result.grade is None else result.grade.name
    return " — ".join(part for part in (grade, task.key, models) if part)


def write_match(task: Task, result: RefineResult, *, force: bool) -> Match:
    """Write all results, the preset first.

    Args:
        task: what was asked for; its run folder exists.
        result: of the search.
        force: overwrite files that exist.

    Raises:
        FileExistsAlreadyError: a result exists, without `force`.
    """
    from deepdiva.picture import match_picture
    from deepdiva.search.plot import history_picture

    outputs = task.outputs
    name = task.target.source.name
    description = (
        f"Matched to {printable(name)} by DeepDiva {__version__}, played at {task.key}. "
        f"{'' if result.grade is None else result.grade.sentence + ' '}Spectral distance "
        f"{result.distance:.4f} (silence {result.silence:.4f})."
    )
    outputs.write(
        lambda path: task.writer.write(result.patch, path, description=description, force=True),
        *filter(None, (outputs.preset, outputs.values)),
        force=force,
    )
    rate = task.note.sample_rate
    preview = preview_of(result.preview, task.target.audio, rate)
    for sound, place in ((preview.sound, outputs.preview), (preview.both, outputs.both)):
        outputs.write(partial(_write_sound, sound, rate), place, force=force)
    outputs.write(
        lambda path: match_picture(
            path,
            task.target.audio,
            result.preview,
            task.note.sample_rate,
            title=name,
            distance=result.preview_distance,
            about=_about(task, result),
            force=True,
        ),
        outputs.picture,
        force=force,
    )
    atomic_write(outputs.run / "history.csv", result.history.csv().encode(), force=True)
    atomic_write(outputs.run / "history.png", history_picture(result.history, name), force=True)
    task.writer.keep(result.patch, outputs.run)
    # An earlier search in this folder may have found more.
    for stale in (
        *outputs.run.glob("alternative-*"),
        outputs.run / "explanation.json",
        outputs.run / "answers.json",
    ):
        stale.unlink(missing_ok=True)
    if result.explanation is not None:
        text = json.dumps(result.explanation.to_dict(), indent=1)
        atomic_write(outputs.run / "explanation.json", text.encode(), force=True)
    alternatives = []
    for number, (patch, said) in enumerate(_others(result, name), start=1):
        path = outputs.run / f"alternative-{number}{task.writer.suffix}"
        task.writer.write(patch, path, description=said, force=True)
        alternatives.append(path)
    if result.answers:
        files = [outputs.preset.name, *(path.name for path in alternatives)]
        told = [
            {"preset": file, **answer.to_dict()}
            for file, answer in zip(files, result.answers, strict=True)
        ]
        atomic_write(outputs.run / "answers.json", json.dumps(told, indent=1).encode(), force=True)
    return Match(task, result, tuple(alternatives), preview.quieter_db)


def _others(result: RefineResult, name: str) -> list[tuple[NDArray[np.float64], str]]:
    """Patches of other matches, and what their presets say of themselves."""
    another = f"Another match to {printable(name)}"
    if result.answers:
        return [
            (answer.patch, f"{another}: {answer.chain}, spectral distance {answer.distance:.4f}.")
            for answer in result.answers[1:]
        ]
    if result.explanation is None:
        return []
    return [
        (patch, f"{another}, as near as the best.") for patch in result.explanation.alternatives
    ]
