"""Lets methods match many sounds, scores what they answer, and writes a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepdiva.cluster import Workers
from deepdiva.errors import InvalidValueError
from deepdiva.files import collect_files
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice
from deepdiva.room import check_room

if TYPE_CHECKING:
    from deepdiva.data.testsets.testset import TestSet
    from deepdiva.evaluation.folder import RunFolder
    from deepdiva.evaluation.method import Method
    from deepdiva.evaluation.result import Result
    from deepdiva.evaluation.run import AtNote
    from deepdiva.evaluation.scoring import EvaluationSettings, OpenRenderer
    from deepdiva.evaluation.sound_collections import Collection
    from deepdiva.evaluation.summary import Summary
    from deepdiva.space import ParameterSpace
    from deepdiva.synths.diva.preset import Preset

DEFAULT_METHODS = ("mean", "nearest", "predict", "refine")


@dataclass(frozen=True)
class EvaluateOptions:
    """Everything that decides an evaluation but the sounds.

    Attributes:
        methods: who takes part, as `deepdiva.evaluation.registry` reads it; the usual ones if
            nobody is named.
        limit: only so many sounds; None for all.
        realizations: how often each match is played for its score.
        note: what is played; of a test set its own.
        asked: fields of the note that the user asked for, which a test set may not contradict.
        space: which parameters are free; where nothing is said, those of the test set.
        renderer: what plays candidates and answers.
        seed: of everything that is drawn at random.
        workers: who asks; they change no figure.
        force: results of other settings may lie in the folder; those of this run replace them.
    """

    methods: tuple[str, ...] = ()
    limit: int | None = None
    realizations: int = 4
    note: Note = field(default_factory=Note)
    asked: frozenset[str] = frozenset()
    space: SpaceChoice = field(default_factory=SpaceChoice)
    renderer: RendererChoice = field(default_factory=RendererChoice)
    seed: int = 0
    workers: Workers = field(default_factory=Workers)
    force: bool = False


@dataclass(frozen=True, eq=False)
class Evaluation:
    """An evaluation that is ready to run.

    Attributes:
        folder: where everything is written.
        collection: the sounds.
        methods: who takes part.
        open_renderer: opens what plays the answers.
        settings: shared by all results.
        workers: who asks.
        force: as in `EvaluateOptions`.
        at_note: makes those who take part for another note.
    """

    folder: RunFolder
    collection: Collection
    methods: list[Method]
    open_renderer: OpenRenderer
    settings: EvaluationSettings
    workers: Workers
    force: bool
    at_note: AtNote

    def run(
        self,
        on_plan: Callable[[int, int], None] | None = None,
        on_result: Callable[[Result], None] | None = None,
        on_remark: Callable[[str], None] | None = None,
    ) -> None:
        """Fill the folder; takes and raises what `deepdiva.evaluation.run.run` does."""
        from deepdiva.evaluation.run import run

        self.folder.path.mkdir(parents=True, exist_ok=True)
        run(
            self.folder,
            self.collection,
            self.methods,
            self.open_renderer,
            self.settings,
            workers=self.workers,
            force=self.force,
            at_note=self.at_note,
            on_plan=on_plan,
            on_result=on_result,
            on_remark=on_remark,
        )

    def report(self) -> Summary:
        """Write the report of what the folder holds, and say what it says."""
        from deepdiva.evaluation.report import write_reports
        from deepdiva.synths.diva import DIVA
        from deepdiva.workers import worker_count

        jobs = None if self.workers.is_cluster else self.workers.jobs
        return write_reports(self.folder, DIVA, jobs=worker_count(jobs))


@contextmanager
def prepared(source: str, output: Path | None, options: EvaluateOptions) -> Iterator[Evaluation]:
    """Read the sounds, open the synthesizer and make the methods.

    Args:
        source: name of a test set, or a folder of recordings or of presets.
        output: folder of the run; None for the usual one.
        options: of the evaluation.

    Raises:
        DeepDivaError: whatever does not fit; nothing was run then.
    """
    from deepdiva.evaluation.folder import RunFolder
    from deepdiva.evaluation.registry import Context, make_methods
    from deepdiva.evaluation.scoring import EvaluationSettings
    from deepdiva.evaluation.sound_collections import open_test_set
    from deepdiva.synths import synthesizer_of

    test_set = open_test_set(source)
    note = _note(options, test_set)
    _check_room(note, options.workers)
    base, around = _space(options.space, test_set)
    settings = EvaluationSettings(note, around, options.realizations, options.seed)
    open_renderer = partial(options.renderer.open, mode="fresh")
    collection = _collection(source, test_set, note, open_renderer, options.seed)
    collection = collection.first(options.limit)
    folder = RunFolder(output or Path("runs") / f"evaluation-{collection.name}")
    with closing(options.renderer.open(base)) as searching:
        if not synthesizer_of(searching.table).preset_suffix:
            raise InvalidValueError(
                f"{searching.table.name} renders, and methods answer with presets of Diva: "
                "leave out --plugin, or name Diva's."
            )

        def at_note(note: Note) -> list[Method]:
            return make_methods(
                options.methods or DEFAULT_METHODS,
                Context(searching, base, replace(settings, note=note)),
            )

        yield Evaluation(
            folder,
            collection,
            at_note(note),
            open_renderer,
            settings,
            options.workers,
            options.force,
            at_note,
        )


def _check_room(note: Note, workers: Workers) -> None:
    """Refuse lengths of which a score takes more memory than there is.

    Raises:
        InvalidValueError: one that does.
    """
    from deepdiva.evaluation.scoring import bytes_per_sample
    from deepdiva.workers import worker_count

    if not workers.is_cluster:
        check_room(
            "The evaluation",
            note.samples,
            worker_count(workers.jobs),
            "shorten --render-length, or take fewer --jobs.",
            bytes_per_sample(note),
        )


def _note(options: EvaluateOptions, test_set: TestSet | None) -> Note:
    """The test set's note; the user may not ask for another."""
    note = options.note
    if test_set is None:
        return note
    if any(getattr(note, name) != getattr(test_set.note, name) for name in options.asked):
        raise InvalidValueError(
            f"{test_set.name} was played with {test_set.note}: leave out the options of the note."
        )
    return test_set.note


def _space(choice: SpaceChoice, test_set: TestSet | None) -> tuple[Preset, ParameterSpace]:
    """Base preset and parameter space: the user's, with the test set's where nothing is said."""
    from deepdiva.synths.diva import DIVA

    base = choice.preset()
    if test_set is not None and choice.base is None:
        base = test_set.base_preset()
        if choice.free is None:
            choice = replace(choice, free=",".join(test_set.space.free))
    space = choice.space(base, DIVA)
    return base.with_values(space.base), space


def _collection(
    source: str,
    test_set: TestSet | None,
    note: Note,
    open_renderer: OpenRenderer,
    seed: int,
) -> Collection:
    """The sounds, from wherever they come."""
    from deepdiva.evaluation.sound_collections import from_presets, from_recordings, from_test_set

    if test_set is not None:
        return from_test_set(test_set)
    from deepdiva.audio import SOUND_SUFFIXES

    path = Path(source)
    name = path.resolve().name
    files = collect_files([path], (*SOUND_SUFFIXES, ".h2p"))
    presets = [file for file in files if file.suffix.lower() == ".h2p"]
    if presets and len(presets) < len(files):
        raise InvalidValueError(
            f"{source} holds presets and recordings: name a folder with one kind of them."
        )
    if presets:
        return from_presets(name, presets, note, open_renderer, seed)
    return from_recordings(name, files, note)
