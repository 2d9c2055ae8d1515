"""From sounds to presets by a network alone.

`predict` is the way for one sound and for Python; `prepared` is what it shares with the command
line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deepdiva import __version__
from deepdiva.cluster import Workers
from deepdiva.errors import AudioError, DeepDivaError, InvalidValueError, UnknownNameError
from deepdiva.pipeline.note_choice import NoteChoice
from deepdiva.pipeline.options import Listener, RecordingChoice, RendererChoice, SpaceChoice
from deepdiva.room import check_room

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.audio import Target
    from deepdiva.models.answers import Answer, Matcher
    from deepdiva.models.predictor import Predictor
    from deepdiva.models.spread import Spread
    from deepdiva.models.weights import WeightsHeader
    from deepdiva.note import Note
    from deepdiva.pipeline.note_choice import Listened
    from deepdiva.renderer import Renderer, RendererInfo
    from deepdiva.synths.diva.preset import Preset

DRAWS = 64
"""Patches that are drawn at least, so that the spread is known however few are rendered."""

ALTERNATIVES = 5
"""Other patches that are offered, at most."""

PRESET_SUFFIX = ".h2p"

TASKS = ("panel", "ms-rev1")
"""What a network that comes with the package answers: the whole panel, or the 11 parameters of the
2021 project around MS-REV1."""


def weights_of(task: str | None) -> Path:
    """The weights file that comes with the package for a task; None: the whole panel, if there.

    Raises:
        UnknownNameError: no such task.
    """
    from deepdiva.models.weights import MS_REV1_WEIGHTS, PANEL_WEIGHTS

    files = dict(zip(TASKS, (PANEL_WEIGHTS, MS_REV1_WEIGHTS), strict=True))
    if task is None:
        return PANEL_WEIGHTS if PANEL_WEIGHTS.is_file() else MS_REV1_WEIGHTS
    if task not in files:
        raise UnknownNameError(f"There is no task {task!r}: choose {' or '.join(TASKS)}.")
    return files[task]


@dataclass(frozen=True)
class Job:
    """One sound, and the files that answer it; `picture` is None where none is wanted."""

    sound: Path
    preset: Path
    preview: Path
    picture: Path | None

    @classmethod
    def of(cls, sound: Path, output: Path, *, picture: bool) -> Job:
        """The files in a folder, named after the sound."""
        preset = output / f"{sound.stem}{PRESET_SUFFIX}"
        drawn = preset.with_suffix(".png") if picture else None
        return cls(sound, preset, preset.with_suffix(".wav"), drawn)

    def check(self, *, force: bool) -> None:
        """Refuse what could not be written.

        Raises:
            FileExistsAlreadyError: a result that exists, without `force`.
            InvalidValueError: a result in the place of the sound.
            MissingFileError: the folder does not exist.
        """
        from deepdiva.files import check_target

        if self.preview.exists() and self.preview.samefile(self.sound):
            raise InvalidValueError(
                f"The preview {self.preview} would overwrite the sound itself: choose another "
                "folder with --output."
            )
        for path in (self.preset, self.preview, self.picture):
            if path is not None:
                check_target(path, force)


@dataclass(frozen=True)
class PredictOptions:
    """Everything that decides a prediction but the sound.

    Attributes:
        model_file: weights of the network; None for those that come with the package.
        task: which of those: one of `TASKS`; None for the whole panel, with a fourth of the
            candidates from the other.
        candidates: patches that are rendered and compared for each sound; of 1, the likeliest is
            taken.
        space: base preset and locks; what is free, the network says.
        note: what the user says of what was played; the rest is heard, and where nothing can be
            heard, the network's own.
        recording: which part of the recordings counts.
        renderer: what renders the candidates.
        device: where the network runs.
        seed: of everything that is drawn at random.
        workers: who answers; they do not change the answer. On a cluster sixteen sounds are a task.
    """

    model_file: Path | None = None
    candidates: int = DRAWS
    space: SpaceChoice = field(default_factory=SpaceChoice)
    note: NoteChoice = field(default_factory=NoteChoice)
    recording: RecordingChoice = field(default_factory=RecordingChoice)
    renderer: RendererChoice = field(default_factory=RendererChoice)
    device: str = "cpu"
    seed: int = 0
    workers: Workers = field(default_factory=Workers)
    task: str | None = None


@dataclass(frozen=True, eq=False)
class Predicted:
    """A sound and its answer.

    Attributes:
        job: the sound, and where its answer goes.
        target: the sound as the network heard it.
        note: that was played.
        answer: of the network.
        matcher: that gave it.
        remarks: what was done to the sound, a sentence each.
        fixed: values in units by column that are written in the place of a patch's own.
    """

    job: Job
    target: Target
    note: Note
    answer: Answer
    matcher: Matcher
    remarks: tuple[str, ...]
    fixed: Mapping[int, float] = field(default_factory=dict)

    def preset(self, patch: NDArray[np.float64]) -> Preset:
        """The preset of a patch, shape (len(table),), in units, as it is written."""
        written = patch.copy()
        for column, value in self.fixed.items():
            written[column] = value
        preset: Preset = self.matcher.base.with_values(written)
        return preset

    def write(self, job: Job, *, force: bool) -> None:
        """Write all results of a sound, the preset first."""
        from deepdiva.audio import write_wav
        from deepdiva.picture import match_picture

        chosen = self.answer.chosen
        described = self.preset(chosen.patch).with_meta(
            name=job.preset.stem,
            author="DeepDiva",
            description=(
                f"Predicted from {job.sound.name} by DeepDiva {__version__}. Spectral distance "
                f"{chosen.distance:.4f}."
            ),
        )
        described.write(job.preset, force=force)
        write_wav(job.preview, chosen.audio, self.note.sample_rate, force=force)
        if job.picture is not None:
            match_picture(
                job.picture,
                self.target.audio,
                chosen.audio,
                self.note.sample_rate,
                title=job.sound.name,
                distance=chosen.distance,
                force=force,
            )


@contextmanager
def prepared(
    jobs: Sequence[Job], options: PredictOptions, listener: Listener
) -> Iterator[Iterator[Predicted]]:
    """Open the synthesizer, read the network and all sounds; the answers come one by one.

    Args:
        jobs: the sounds.
        options: of the predictions.
        listener: is told where the base preset is not what the network has learned around.

    Raises:
        DeepDivaError: a file or a value that does not fit, or no sound that does; nothing was
            predicted then.
    """
    from deepdiva.models.answers import Matcher
    from deepdiva.models.registry import load_predictor
    from deepdiva.space import parse_lock
    from deepdiva.synths.diva import DIVA

    seed = options.seed
    locks = dict(parse_lock(DIVA, text) for text in options.space.lock)
    around = replace(options.space, free=None, lock=())
    preset = around.preset()
    around.space(preset, DIVA)
    with closing(options.renderer.open(preset)) as synth:
        predictor, header = load_predictor(
            options.model_file or weights_of(options.task),
            synth.info,
            draws=max(options.candidates, DRAWS),
            seed=seed,
            device=options.device,
        )
        if options.model_file is None and options.task is None:
            predictor = _with_the_smaller(predictor, synth.info, seed)
        threads = _threads(options.workers, synth)
        matcher = Matcher(predictor, preset, synth, options.candidates, locks, threads, seed)
        if not predictor.whole:
            _warn_of_base(listener, matcher, header)
        jobs, heard = _all_listened(jobs, options, predictor, matcher.held, listener)
        targets = [one.target for one in heard]
        notes = [one.chosen.note for one in heard]
        tunings = [_tuned(matcher, one, options.recording) for one in heard]
        kinds = list(zip(notes, tunings, strict=True))
        matchers = {
            (note, tuning): replace(
                matcher,
                predictor=_for_note(predictor, note, matcher.held),
                locks={**locks, **dict(tuning.locks)},
            )
            for note, tuning in dict.fromkeys(kinds)
        }
        # Sounds of one note are heard together, and answered in the order in which they came.
        asked = {
            kind: [target.audio for target, own in zip(targets, kinds, strict=True) if own == kind]
            for kind in matchers
        }
        answers = _answers(matchers, asked, options.workers, listener)
        yield (
            Predicted(
                job,
                one.target,
                kind[0],
                next(answers[kind]),
                matchers[kind],
                (*one.remarks, *kind[1].remarks),
                dict(kind[1].fixed),
            )
            for job, kind, one in zip(jobs, kinds, heard, strict=True)
        )


def _threads(workers: Workers, synth: Renderer) -> int:
    """Threads for each answer: on a cluster one, since each worker has one core."""
    from deepdiva.workers import worker_count

    if workers.is_cluster or synth.info.workers != "threading":
        return 1
    return worker_count(workers.jobs)


_Kind = tuple["Note", "_Tuning"]


def _answers(
    matchers: Mapping[_Kind, Matcher],
    asked: Mapping[_Kind, list[NDArray[np.float32]]],
    workers: Workers,
    listener: Listener,
) -> dict[_Kind, Iterator[Answer]]:
    """Answers to the sounds of each kind, one after the other here, or all on a cluster."""
    if workers.backend in (None, "threading"):
        return {kind: one.answers(asked[kind]) for kind, one in matchers.items()}
    from deepdiva.cluster.crew import Crew

    pieces = [(kind, piece) for kind, one in matchers.items() for piece in one.pieces(asked[kind])]
    found: dict[_Kind, list[Answer]] = {kind: [] for kind in matchers}
    with Crew(answer, dict(matchers), workers, most=len(pieces)) as crew:
        for remark in crew.remarks:
            listener.warn(remark)
        for outcome in crew.each(pieces, ordered=True):
            found[pieces[outcome.number][0]] += outcome.result
    return {kind: iter(answers) for kind, answers in found.items()}


def answer(
    matchers: Mapping[_Kind, Matcher], asked: tuple[_Kind, list[NDArray[np.float32]]]
) -> list[Answer]:
    """Answers to some sounds of one kind, in a worker."""
    kind, sounds = asked
    return list(matchers[kind].answers(sounds))


def _with_the_smaller(predictor: Predictor, info: RendererInfo, seed: int) -> Predictor:
    """The network of the whole panel, and some candidates of that of the 11 parameters."""
    from deepdiva.models.panel.joint import JointPredictor
    from deepdiva.models.panel.predictor import PanelPredictor
    from deepdiva.models.registry import load_predictor
    from deepdiva.models.weights import MS_REV1_WEIGHTS

    if not isinstance(predictor, PanelPredictor):
        return predictor
    return JointPredictor(predictor, load_predictor(MS_REV1_WEIGHTS, info, seed=seed)[0])


@dataclass(frozen=True)
class _Tuning:
    """How candidates are tuned for a comparison, and what is written instead.

    Attributes:
        locks: values in units by name.
        fixed: values in units by column that are written in the place of a patch's own.
        remarks: what is to be said of it.
    """

    locks: tuple[tuple[str, float], ...] = ()
    fixed: tuple[tuple[int, float], ...] = ()
    remarks: tuple[str, ...] = ()


def _tuned(matcher: Matcher, listened: Listened, recording: RecordingChoice) -> _Tuning:
    """Candidates are tuned as the recording; the preset plays in tune, unless the user keeps it."""
    from deepdiva.pipeline.fitted_space import IN_TUNE, tuned_base
    from deepdiva.synths import synthesizer_of

    table = matcher.predictor.space.table
    name = synthesizer_of(table).fine_tuning
    free = matcher.predictor.space.names
    if matcher.predictor.whole:  # what was heard of the tuning is surer than what is answered
        free = tuple(other for other in free if other != name)
    kept = (*free, *matcher.locks)
    base = matcher.held
    tuned = tuned_base(base, listened.chosen.cents, matcher.renderer, kept)
    if tuned is None or name is None:
        return _Tuning()
    column = table.index(name)
    locks = ((name, float(tuned[column])),)
    if recording.keep_tuning:
        return _Tuning(locks)
    return _Tuning(locks, ((column, float(base[column])),), (IN_TUNE,))


def _all_listened(
    jobs: Sequence[Job],
    options: PredictOptions,
    predictor: Predictor,
    held: NDArray[np.float64],
    listener: Listener,
) -> tuple[list[Job], list[Listened]]:
    """All recordings that can be heard; among several, a bad one is left out, with a warning.

    Raises:
        DeepDivaError: the only recording is bad, or all of them.
    """
    from deepdiva.synths import synthesizer_of

    transposed = (
        0.0 if predictor.whole else synthesizer_of(predictor.space.table).transposition(held)
    )
    kept: list[Job] = []
    heard: list[Listened] = []
    for job in jobs:
        try:
            found = _listened(job.sound, options, predictor, held, transposed)
            _for_note(predictor, found.chosen.note, held)
            check_room(
                f"The prediction of {job.sound.name}",
                found.chosen.note.samples,
                options.candidates,
                "take fewer --candidates.",
            )
        except DeepDivaError as error:
            if len(jobs) == 1:
                raise
            name = "" if job.sound.name in str(error) else f"{job.sound}: "
            listener.warn(f"Left out: {name}{error}")
            continue
        kept.append(job)
        heard.append(found)
    if not kept:
        raise AudioError("None of the sounds can be predicted.")
    return kept, heard


def _listened(
    sound: Path,
    options: PredictOptions,
    predictor: Predictor,
    held: NDArray[np.float64],
    transposed: float,
) -> Listened:
    """A recording with the note that was heard, or where the network does not know that, its own.

    Raises:
        DeepDivaError: a recording that cannot be heard, or a note that the user asks for and the
            network does not know.
    """
    from deepdiva.models.transposition import for_note
    from deepdiva.pipeline.note_choice import listen

    own = predictor.note
    choice = replace(options.note, sample_rate=own.sample_rate)
    found = listen(sound, choice, options.recording, transposed=transposed, usual=own)
    try:
        for_note(predictor, found.chosen.note, held)
    except InvalidValueError as error:
        if choice.fixes_length:
            return found
        as_its_own = replace(
            choice, length_seconds=own.length_seconds, render_seconds=own.render_seconds
        )
        found = listen(sound, as_its_own, options.recording, transposed=transposed, usual=own)
        return replace(found, remarks=(*found.remarks, f"{error}: it is heard as one of those."))
    return found


def _for_note(predictor: Predictor, note: Note, held: NDArray[np.float64]) -> Predictor:
    """The predictor for sounds of another key than its own, or of a patch that transposes it.

    Raises:
        InvalidValueError: a note that the predictor cannot hear.
    """
    from deepdiva.models.transposition import for_note

    try:
        return for_note(predictor, note, held)
    except InvalidValueError as error:
        if note == predictor.note:
            way_out = "Train a network around this base preset (deepdiva train --online --base)"
        else:
            way_out = (
                f"Train a network for it (deepdiva train --note-pitch {note.pitch}), or say "
                f"another key (--note-pitch {predictor.note.pitch})"
            )
        raise InvalidValueError(f"Key {note.pitch}: {error}. {way_out}.") from error


def _warn_of_base(listener: Listener, matcher: Matcher, header: WeightsHeader) -> None:
    """Say where the base preset is not what the network has learned around."""
    from deepdiva.synths import synthesizer_of

    space = matcher.predictor.space
    transposing = synthesizer_of(space.table).transposing
    held = matcher.patches(space.normalised(space.base[None]))[0]
    varied = header.training.get("data", {}).get("variety", {}).get("settings", {})
    # A patch holds the parameters of the synthesizer; those that act on nothing here are harmless.
    different = [
        parameter.name
        for parameter in space.table
        if parameter.name in matcher.renderer.supported
        and parameter.name not in space.names
        and transposing.get(parameter.name) != 1.0  # semitones are heard by `for_note`
        and held[parameter.index] != space.base[parameter.index]
        and held[parameter.index] not in varied.get(parameter.name, ())
    ]
    if different:
        names = ", ".join(different[:6]) + (" ..." if len(different) > 6 else "")
        listener.warn(
            f"The network has learned around other values of {names}: expect less of it, or train "
            "one around this preset (deepdiva train --online --base)."
        )


@dataclass(frozen=True, eq=False)
class Prediction:
    """A network's answer to a recording.

    Attributes:
        preset: the nearest of the patches that were rendered.
        preview: what it sounds like, shape (samples,), float32.
        sample_rate: of the preview, samples per second.
        distance: multi-scale spectral distance of the preview to the recording, 0 or more.
        alternatives: the next nearest patches, the best first.
        values: of the predicted parameters by name, in units.
        spreads: how sure the network is of each of them.
        remarks: what was done to the recording, and what to know of the answer, a sentence each.
        details: all that is known of the answer.
    """

    preset: Preset
    preview: NDArray[np.float32]
    sample_rate: int
    distance: float
    alternatives: tuple[Preset, ...]
    values: Mapping[str, float]
    spreads: tuple[Spread, ...]
    remarks: tuple[str, ...]
    details: Predicted = field(repr=False)

    def save(self, folder: Path | str, *, picture: bool = False, force: bool = False) -> Job:
        """Write what `deepdiva predict` writes, named after the recording.

        Args:
            folder: made if missing.
            picture: also draw both sounds.
            force: overwrite files that exist.

        Returns:
            Where the preset, its preview and the picture lie.

        Raises:
            FileExistsAlreadyError: a file exists, without `force`; nothing is written then.
            InvalidValueError: the preview would overwrite the recording.
        """
        from deepdiva.pipeline.outputs import output_folder

        job = Job.of(self.details.job.sound, Path(folder), picture=picture)
        with output_folder(Path(folder)):
            job.check(force=force)
            self.details.write(job, force=force)
        return job


def predict(
    sound: Path | str,
    *,
    model_file: Path | str | None = None,
    space: str | None = None,
    candidates: int = DRAWS,
    pitch: int | None = None,
    base: Path | str | None = None,
    lock: Mapping[str, float] | None = None,
    plugin: Path | str | None = None,
    keep_tuning: bool = False,
    device: str = "cpu",
    seed: int = 0,
    jobs: int | None = None,
) -> Prediction:
    """Ask a network for the preset of Diva behind a recording, in about a second.

    Nothing is written before `Prediction.save`.

    Args:
        sound: file with one note.
        model_file: weights of the network; None for those that come with the package.
        space: without a `model_file`: `panel` for all that shapes a sound, `ms-rev1` for the 11
            parameters of the 2021 project; None for the first, with a fourth of the candidates
            from the second.
        candidates: patches that are rendered and compared, 1 or more; of 1, the likeliest is taken.
        pitch: MIDI note of the sound, 0 to 127; None: it is heard.
        base: preset that holds every parameter that is not predicted; the built-in one if None.
        lock: values at which parameters are held, by name, in units.
        plugin: path of Diva, which then plays the candidates; None for the embedded engine.
        keep_tuning: write the recording's own tuning into the preset, which plays in tune without.
        device: where the network runs: `cpu`, `cuda` or `mps`.
        seed: of everything that is drawn at random.
        jobs: workers; None for one for each core. They do not change the answer.

    Raises:
        DeepDivaError: whatever the caller can mend; the message says how.
    """
    if candidates < 1:
        raise InvalidValueError(f"candidates is {candidates}: it must be at least 1.")
    options = PredictOptions(
        None if model_file is None else Path(model_file),
        candidates,
        SpaceChoice.of(base, None, lock),
        NoteChoice(pitch),
        RecordingChoice(keep_tuning=keep_tuning),
        renderer=RendererChoice(None, None if plugin is None else Path(plugin)),
        device=device,
        seed=seed,
        workers=Workers(jobs=jobs),
        task=space,
    )
    said: list[str] = []
    job = Job.of(Path(sound), Path(), picture=False)
    with prepared([job], options, Listener(said.append, said.append)) as answers:
        [found] = answers
    answer, matcher = found.answer, found.matcher
    rendered = answer.candidates.x[: len(answer.chosen.distances)]
    order = answer.chosen.distances.argsort(kind="stable")[1 : 1 + ALTERNATIVES]
    others = matcher.levelled(matcher.patches(rendered[order]), found.target.audio)
    spreads = tuple(answer.spreads)
    return Prediction(
        found.preset(answer.chosen.patch),
        answer.chosen.audio,
        found.note.sample_rate,
        answer.chosen.distance,
        tuple(found.preset(patch) for patch in others),
        {s.parameter.name: float(answer.chosen.patch[s.parameter.index]) for s in spreads},
        spreads,
        (*said, *found.remarks),
        found,
    )
