"""From sounds to presets by search.

`match` is the way for one sound and for Python; `prepared` is what it shares with the command line,
which writes as it goes, keeps a record of every search, and has many sounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deepdiva.cluster import Workers
from deepdiva.errors import AudioError, DeepDivaError, InvalidValueError
from deepdiva.left_out import LeftOut
from deepdiva.names import check_visible
from deepdiva.note import Note
from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.pipeline.options import (
    Listener,
    PriorChoice,
    RecordingChoice,
    RendererChoice,
    SearchChoice,
    SpaceChoice,
    grouped,
)
from deepdiva.room import check_room

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.pipeline.note_choice import Chosen, Listened
    from deepdiva.renderer import Renderer
    from deepdiva.search.fidelity import Sketch
    from deepdiva.search.loop import Progress
    from deepdiva.search.refine import RefineResult
    from deepdiva.search.sound_match import Match, Outputs, Task
    from deepdiva.search.start import Start
    from deepdiva.space import ParameterSpace
    from deepdiva.synths.diva.preset import Preset


@dataclass(frozen=True)
class MatchOptions:
    """Everything that decides a match but the sound.

    Attributes:
        search: budget and optimizer.
        prior: what is known before.
        recording: which part of the recordings counts.
        note: what the user says of what was played; the rest is heard.
        space: which parameters are free, around which preset.
        renderer: what plays the candidates.
        plugin_mode: of a plug-in: fast, or repeatable to the bit.
        together: one preset for all sounds, which are recordings of one instrument.
        seed: of everything that is drawn at random.
        workers: who does the work; they do not change the match.
    """

    search: SearchChoice = field(default_factory=SearchChoice)
    prior: PriorChoice = field(default_factory=PriorChoice)
    recording: RecordingChoice = field(default_factory=RecordingChoice)
    note: NoteChoice = field(default_factory=NoteChoice)
    space: SpaceChoice = field(default_factory=SpaceChoice)
    renderer: RendererChoice = field(default_factory=RendererChoice)
    plugin_mode: Literal["reuse", "fresh"] = "reuse"
    together: bool = False
    seed: int = 0
    workers: Workers = field(default_factory=Workers)


@dataclass(frozen=True, eq=False)
class MatchRun:
    """Sounds that are ready to be matched.

    Attributes:
        tasks: the sounds, all in one space.
        starts: what is known of each.
        renderer: plays the candidates.
        sketch: a search that goes before each; None for none.
        workers: who searches.
        left_out: sounds that cannot be matched, with the reason.
    """

    tasks: list[Task]
    starts: list[Start | None]
    renderer: Renderer
    sketch: Sketch | None
    workers: Workers
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def side_by_side(self) -> bool:
        """Whether the sounds are matched side by side, each by a worker of its own."""
        from deepdiva.search.many_sounds import worth_processes
        from deepdiva.workers import worker_count

        if self.workers.backend is not None:
            return self.workers.backend != "threading"
        return worth_processes(self.tasks, self.renderer, worker_count(self.workers.jobs))

    def all(self, on_remark: Callable[[str], None] | None = None) -> Iterator[Match | LeftOut]:
        """Match all sounds side by side, and write each; see `search.many_sounds.match_sounds`.

        One that fails stops no other: it comes with the reason.
        """
        from deepdiva.search.many_sounds import match_sounds

        return match_sounds(
            self.tasks, self.starts, self.renderer, self.workers, self.sketch, on_remark
        )

    def one(self, number: int, on_progress: Callable[[Progress], None]) -> Match:
        """Match one sound, counted from 0, and write what was found.

        Raises:
            DeepDivaError: as `match_sound` does.
        """
        from deepdiva.search.sound_match import match_sound

        return match_sound(
            self.tasks[number], self.renderer, self.starts[number], on_progress, self.sketch
        )


@contextmanager
def prepared(
    sounds: Sequence[Path],
    output: Path,
    options: MatchOptions,
    listener: Listener,
    *,
    force: bool = False,
    resume: bool = False,
    writes: bool = True,
) -> Iterator[MatchRun]:
    """Open the synthesizer, read all sounds, and ask the network about them.

    All sounds are read before the first is searched: a bad one is no surprise an hour later. Among
    several it is left out, with a warning.

    Args:
        sounds: files, or folders that hold some.
        output: folder of the results, made if missing.
        options: of the matches.
        listener: is told what is done to the sounds, and what is left out.
        force: overwrite files that exist.
        resume: go on with what an earlier search has recorded.
        writes: whether anything is written; without, `output` does not matter.

    Raises:
        DeepDivaError: a file or a value that does not fit, or no sound that does; nothing was
            searched then.
    """
    from deepdiva.audio import sound_files
    from deepdiva.pipeline.engine_first import after_sketch, engine_sketch
    from deepdiva.pipeline.fitted_space import fitted
    from deepdiva.pipeline.note_choice import listen
    from deepdiva.pipeline.outputs import output_folder
    from deepdiva.pipeline.prior import starts_of
    from deepdiva.search.sound_match import Outputs, Task
    from deepdiva.synths import synthesizer_of
    from deepdiva.workers import worker_count

    search = options.search
    if options.together and options.note.pitch is not None:
        raise InvalidValueError(
            f"--note-pitch {options.note.pitch} is one key, and recordings that are matched "
            "--together have one each: leave it out, and name files by their keys (bass_C2.wav)."
        )
    files = sound_files(sounds)
    base = options.space.preset()
    # On a cluster every worker has a renderer of its own.
    jobs = 1 if options.workers.is_cluster else worker_count(options.workers.jobs)
    synth = options.renderer.open(
        base, workers=jobs, mode=options.plugin_mode, state=options.space.state
    )
    with closing(synth):
        locks = {**search.locks(synth.table), **options.space.locks(synth.table)}
        asked = options.space.space(base, synth.table, whole=True).locked(locks)
        space = _heard(asked, synth, listener)
        held = tuple(locks)
        settings = search.settings(options.seed, options.workers.jobs, held)
        first = options.prior.engine_first
        sketch = (
            engine_sketch(settings, search.mode, space, synth, base, options.renderer.constants)
            if first
            else None
        )
        _say_ignored(space, sketch.renderer if sketch else synth, listener)
        if sketch is not None:
            settings = after_sketch(settings, search.mode, search.evaluations)
        writer = synth.writer(base)
        names = (_together_name(files),) if options.together else files
        outputs = {name: Outputs.of(name, output, writer) for name in names}
        with output_folder(output) if writes else _nowhere():
            if writes:
                _check(outputs, force=force, resume=resume)
                _spare(files, outputs.values())
            transposed = synthesizer_of(space.table).transposition(space.base)
            heard, kept = [], []
            left_out: list[LeftOut] = []
            for file in files:
                try:
                    recorded = _recorded(outputs[file]) if resume and not options.together else None
                    listened = listen(
                        file,
                        options.note,
                        options.recording,
                        transposed=transposed,
                        recorded=recorded,
                    )
                    check_room(
                        f"The search for {file.name}",
                        listened.chosen.note.samples,
                        settings.population,
                        "shorten --render-length.",
                    )
                except DeepDivaError as error:
                    if len(files) == 1 or options.together:
                        raise
                    listener.warn(f"Left out: {error}")
                    left_out.append(LeftOut(file, str(error)))
                    continue
                for sentence in listened.remarks:
                    listener.say(f"{file}: {sentence}")
                heard.append(listened)
                kept.append(file)
            if not kept:
                raise AudioError("None of the sounds can be matched.")
            if not options.together:
                names = tuple(kept)
            tasks: list[Task] = []
            for name in names:
                of_it = heard if options.together else [heard[len(tasks)]]
                own = fitted([one.chosen for one in of_it], space, held, synth, options)
                for sentence in own.remarks:
                    listener.say(f"{name}: {sentence}")
                task = Task(
                    of_it[0].target,
                    outputs[name],
                    own.written_by(writer),
                    own.space,
                    of_it[0].chosen.note,
                    settings,
                    force,
                    resume,
                    of_it[0].chosen.to_dict(),
                    (*of_it[0].remarks, *own.remarks),
                    kind=of_it[0].kind,
                    key_source=of_it[0].key_source,
                )
                tasks.append(_joined(task, name, of_it) if options.together else task)
            starts = starts_of(
                tasks,
                sketch.renderer if sketch else synth,
                options.prior,
                listener,
                near=options.space.base is not None,
            )
            yield MatchRun(tasks, starts, synth, sketch, options.workers, left_out)


def _recorded(outputs: Outputs) -> Chosen | None:
    """The note that an earlier search has chosen for a sound; None where there was none.

    Raises:
        InvalidValueError: a record that is damaged.
    """
    from deepdiva.pipeline.note_choice import Chosen
    from deepdiva.search.journal import read_run

    for folder in (outputs.run, outputs.sketch):
        run = read_run(folder)
        if run is not None and "heard" in run:
            return Chosen.from_dict(run.get("note"), run["heard"], folder)
    return None


def _together_name(files: Sequence[Path]) -> Path:
    """What one match of several recordings is called: `bass` of `bass_C1.wav` and `bass_C2.wav`.

    Raises:
        InvalidValueError: one recording alone.
    """
    if len(files) < 2:
        raise InvalidValueError(
            f"--together matches one preset to several recordings, and here is {len(files)}: name "
            "more, or leave it out."
        )
    letters_of_all = zip(*(file.stem for file in files), strict=False)
    alike = takewhile(lambda letters: len(set(letters)) == 1, letters_of_all)
    common = "".join(letters[0] for letters in alike)
    while common and not common[-1].isalpha():
        common = common[:-1]
    # The beginning of a key's name is no part of a name.
    common = re.sub(r"[ _-]+(k|key|note|midi|v|vel|[A-Ga-g])$", "", common).rstrip(" _-")
    return Path(f"{common or 'together'}.wav")


def _joined(task: Task, name: Path, heard: Sequence[Listened]) -> Task:
    """The task of several recordings as one, one after the other."""
    import numpy as np

    from deepdiva.audio import Target
    from deepdiva.search.sequence import sequence_note

    notes = tuple(one.chosen.note for one in heard)
    remarks = [f"{one.target.source.name}: {remark}" for one in heard for remark in one.remarks]
    audio = np.concatenate([one.target.audio for one in heard])
    return replace(
        task,
        target=Target(audio, tuple(remarks), name),
        note=sequence_note(notes),
        heard={"together": [one.chosen.to_dict() for one in heard]},
        remarks=tuple(remarks),
        recordings=tuple(one.target.source for one in heard),
        pieces=notes,
        kind="",
        key_source="",
    )


def _spare(sounds: Sequence[Path], outputs: Iterable[Outputs]) -> None:
    """Refuse results that would overwrite a recording.

    Raises:
        InvalidValueError: one would.
    """
    files = [path for own in outputs for path in own.files if path.exists()]
    for path in files:
        if any(path.samefile(sound) for sound in sounds):
            raise InvalidValueError(
                f"The result {path} would overwrite a recording: choose another folder with "
                "--output."
            )


@contextmanager
def _nowhere() -> Iterator[None]:
    """Where nothing is written, no folder is made."""
    yield


def _heard(space: ParameterSpace, synth: Renderer, listener: Listener) -> ParameterSpace:
    """The space without parameters that the renderer ignores: searching them would be in vain."""
    deaf = [name for name in space.names if name not in synth.supported]
    if deaf:
        listener.warn(f"{synth.info.name} does not honour {', '.join(deaf)}: kept as in the base.")
    return replace(space, free=tuple(name for name in space.names if name in synth.supported))


def _say_ignored(space: ParameterSpace, engine: Renderer, listener: Listener) -> None:
    """Name what the base preset asks for and the engine that is searched does not do."""
    reasons = {entry.parameter: entry.reason for entry in engine.unsupported(space.base)}
    if reasons:
        listener.warn(
            f"The engine searches without what the base preset asks for: {grouped(reasons)}. In "
            "Diva the match will sound otherwise."
        )


def _check(outputs: Mapping[Path, Outputs], *, force: bool, resume: bool) -> None:
    """Refuse what could not be written, before the search begins.

    Raises:
        InvalidValueError: two sounds whose results would have one name, or a result that would
            overwrite a sound.
        FileExistsAlreadyError: a result that exists, without `force`, and was not written by a
            search that is resumed.
    """
    from deepdiva.files import disk_key

    owners: dict[str, Path] = {}
    for sound, own in outputs.items():
        check_visible("result", own.preset.name)
        owner = owners.setdefault(disk_key(own.preset), sound)
        if owner != sound:
            raise InvalidValueError(
                f"{owner} and {sound} would both become {own.preset}: rename one, or "
                "refine them into different folders."
            )
    for sound, own in outputs.items():
        own.check(sound, force=force, resume=resume)


@dataclass(frozen=True, eq=False)
class MatchResult:
    """A preset of Diva that sounds like a recording, and how near it comes.

    Attributes:
        preset: the match.
        preview: what it sounds like, shape (samples,), float32, with start phases like those of the
            recording where the renderer takes them.
        sample_rate: of the preview, samples per second.
        distance: multi-scale spectral distance of the preset to the recording, 0 or more, rendered
            with the seed of the search.
        preview_distance: that of the preview.
        silence: that of silence, for scale.
        alternatives: presets that are hardly to be told from the match, the best first.
        values: of the free parameters by name, in units.
        remarks: what was done to the recording, and what to know of the match, a sentence each.
        details: all that the search knows.
    """

    preset: Preset
    preview: NDArray[np.float32]
    sample_rate: int
    distance: float
    preview_distance: float
    silence: float
    alternatives: tuple[Preset, ...]
    values: Mapping[str, float]
    remarks: tuple[str, ...]
    details: RefineResult = field(repr=False)
    _task: Task = field(repr=False)

    @property
    def target(self) -> NDArray[np.float32]:
        """The recording as it was matched, shape (samples,)."""
        return self._task.target.audio

    def save(self, folder: Path | str, *, force: bool = False) -> Outputs:
        """Write what `deepdiva refine` writes, named after the recording.

        Args:
            folder: made if missing.
            force: overwrite files that exist.

        Returns:
            Where the preset, its preview, the picture and the course of the search lie.

        Raises:
            FileExistsAlreadyError: a file exists, without `force`; nothing is written then.
            InvalidValueError: the preview would overwrite the recording.
        """
        from deepdiva.files import alone_in
        from deepdiva.search.journal import forget_run
        from deepdiva.search.sound_match import LOCK_NAME, Outputs, write_match

        sound = self._task.target.source
        outputs = Outputs.of(sound, Path(folder), self._task.writer)
        outputs.preset.parent.mkdir(parents=True, exist_ok=True)
        outputs.check(sound, force=force)
        outputs.run.mkdir(exist_ok=True)
        with alone_in(outputs.run, LOCK_NAME, "search: wait for it, or choose another folder."):
            # The record of an older search would not be that of this match.
            forget_run(outputs.run)
            write_match(replace(self._task, outputs=outputs), self.details, force=force)
        return outputs


def match(
    sound: Path | str | Sequence[Path | str],
    *,
    note: Note | NoteChoice | None = None,
    mode: str | None = None,
    evaluations: int | None = None,
    seconds: float | None = None,
    base: Path | str | None = None,
    free: Sequence[str] | None = None,
    lock: Mapping[str, float] | None = None,
    predict: bool | None = None,
    plugin: Path | str | None = None,
    keep_tuning: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> MatchResult:
    """Search for the preset of Diva that sounds most like a recording.

    Nothing is written before `MatchResult.save`. Ctrl-C ends the search with the best match so far,
    once there is one.

    Args:
        sound: file with one note; or several recordings of one instrument, which get one preset.
        note: what was played, or what is known of it; all of it is heard if None.
        mode: a named budget, `quick`, `standard` or `thorough`; `standard` if no limit is given.
        evaluations: candidates to try at most.
        seconds: time to search at most.
        base: preset that holds every parameter that is not free; the built-in one if None.
        free: names of the free parameters; the usual ones if None.
        lock: values at which parameters are held, by name, in units.
        predict: begin at a network's answer; None where it knows the note and the parameters.
        plugin: path of Diva, which then plays the candidates after the embedded engine was
            searched; None for the embedded engine alone.
        keep_tuning: write the recording's own tuning into the preset, which plays in tune without.
        seed: of everything that is drawn at random.
        jobs: workers; None for one for each core. They do not change the match.
        on_progress: called after every generation.

    Raises:
        DeepDivaError: whatever the caller can mend; the message says how.
    """
    options = MatchOptions(
        SearchChoice(mode, evaluations, seconds),
        PriorChoice(predict),
        recording=RecordingChoice(keep_tuning=keep_tuning),
        note=NoteChoice.of(note),
        space=SpaceChoice.of(base, free, lock),
        renderer=RendererChoice(None, None if plugin is None else Path(plugin)),
        together=not isinstance(sound, Path | str),
        seed=seed,
        workers=Workers(jobs=jobs),
    )
    sounds = [Path(sound)] if isinstance(sound, Path | str) else [Path(one) for one in sound]
    said: list[str] = []
    listener = Listener(said.append, said.append)
    with prepared(sounds, Path(), options, listener, writes=False) as run:
        return _matched(run, said, on_progress)


def _matched(
    run: MatchRun, said: Sequence[str], on_progress: Callable[[Progress], None] | None
) -> MatchResult:
    from deepdiva.patch_writer import PresetWriter
    from deepdiva.search.sound_match import search_sound
    from deepdiva.synths.diva.preset import Preset

    if len(run.tasks) != 1:
        raise InvalidValueError(f"Here are {len(run.tasks)} sounds: match one at a time.")
    [task], [start] = run.tasks, run.starts
    writer = task.writer
    base = writer.base if isinstance(writer, PresetWriter) else None
    if not isinstance(writer, PresetWriter) or not isinstance(base, Preset):
        raise InvalidValueError(
            f"{task.space.table.name} renders, and matches are presets of Diva: name Diva's "
            "plug-in. deepdiva refine --plugin searches any synthesizer."
        )

    def preset(patch: NDArray[np.float64]) -> Preset:
        return base.with_values(writer.written(patch))

    found = search_sound(task, run.renderer, start, on_progress, run.sketch)
    said = [*said, *found.remarks]
    others = () if found.explanation is None else found.explanation.alternatives
    return MatchResult(
        preset(found.patch),
        found.preview,
        task.note.sample_rate,
        found.distance,
        found.preview_distance,
        found.silence,
        tuple(preset(patch) for patch in others),
        {name: float(found.patch[task.space.table.index(name)]) for name in task.space.names},
        tuple(said),
        found,
        task,
    )
