"""A search as the page asks for it, and the pipeline's `match` that does it.

This is the only module of the page that knows how the pipeline is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.app.target import TargetChoice
from deepdiva.cluster import Workers
from deepdiva.note import Note
from deepdiva.patch_writer import PresetWriter
from deepdiva.pipeline.match import MatchOptions, MatchRun, prepared
from deepdiva.pipeline.options import Listener, SearchChoice, SpaceChoice
from deepdiva.search.stages import LEAST_PANEL
from deepdiva.synths import synthesizer_of

if TYPE_CHECKING:
    from deepdiva.search.loop import Progress
    from deepdiva.search.sound_match import Match
    from deepdiva.space import ParameterSpace

BRANCHES = 4
"""Combinations of switches that are shown side by side, at most."""

REPORT_SECONDS = 0.25
BRANCH_SECONDS = 1.0


@dataclass(frozen=True)
class Request:
    """A search.

    Attributes:
        target: what is matched, and what the user says of its note.
        output: folder of the results, which `deepdiva refine --output` would take.
        base: preset file that the search starts from; None for the built-in one.
        lock: values at which parameters are held, by name, in units.
        mode: a named budget.
        evaluations: candidates at most; None for those of the mode.
        seed: of everything that is drawn at random.
        jobs: threads.
    """

    target: TargetChoice
    output: Path
    base: Path | None = None
    lock: tuple[tuple[str, float], ...] = ()
    mode: str | None = None
    evaluations: int | None = None
    seed: int = 0
    jobs: int = 1

    @property
    def options(self) -> MatchOptions:
        """The same for the pipeline."""
        return MatchOptions(
            search=SearchChoice(self.mode, self.evaluations),
            recording=self.target.recording,
            note=self.target.note,
            space=SpaceChoice(
                self.base, None, tuple(f"{name}={value!r}" for name, value in self.lock)
            ),
            seed=self.seed,
            workers=Workers(jobs=self.jobs),
        )


Tell = Callable[[dict[str, Any]], None]


def search(request: Request, tell: Tell, is_stopped: Callable[[], bool]) -> dict[str, Any]:
    """Search, or go on with what the run folder holds, and write what `deepdiva refine` writes.

    Args:
        request: what is searched.
        tell: is called with what the page shows, ready for JSON.
        is_stopped: asked after every generation; true ends the search with its best match.

    Returns:
        The answer, ready for JSON.

    Raises:
        DeepDivaError: whatever the user can mend.
        KeyboardInterrupt: stopped before there was a match.
    """
    said: list[str] = []

    def say(sentence: str) -> None:
        sentence = sentence.removeprefix(f"{request.target.path}: ")
        said.append(sentence)
        tell({"kind": "said", "sentence": sentence})

    listener = Listener(say, say)
    sound = [request.target.path]
    with prepared(sound, request.output, request.options, listener, resume=True) as run:
        reporter = _Reporter(run, tell, is_stopped)
        match = run.one(0, reporter)
        answer = _answer(match)
        return {**answer, "said": [*said, *answer["remarks"]]}


class _Reporter:
    """Tells the page where a search stands: often, but not with every generation."""

    def __init__(self, run: MatchRun, tell: Tell, is_stopped: Callable[[], bool]) -> None:
        self._run = run
        self._tell = tell
        self._is_stopped = is_stopped
        self._told = self._branched = -np.inf
        self._pending = True

    def __call__(self, progress: Progress) -> None:
        if self._is_stopped():
            raise KeyboardInterrupt
        self._pending = self._pending or progress.improved
        now = time.monotonic()
        if now - self._told < REPORT_SECONDS:
            return
        message: dict[str, Any] = {
            "kind": "progress",
            "stage": progress.stage,
            "evaluations": progress.evaluations,
            "seconds": round(progress.seconds, 3),
            "share": round(progress.share, 4),
            "left_seconds": round(progress.left_seconds, 1),
            "distance": progress.distance,
        }
        if self._pending:
            message["best"] = _candidate(progress.patch, progress.distance)
            self._pending = False
        if not progress.recalled and now - self._branched >= BRANCH_SECONDS:
            message["branches"] = self._branches(progress)
            self._branched = time.monotonic()
        self._told = time.monotonic()
        self._tell(message)

    def _branches(self, progress: Progress) -> list[dict[str, Any]]:
        """The best of each combination of switches."""
        [task] = self._run.tasks
        leaders = progress.leaders(BRANCHES)
        return [
            {**_candidate(patch, float(distance)), "label": combination(task.space, patch)}
            for patch, distance in zip(leaders.patches, leaders.distances, strict=True)
        ]


def combination(space: ParameterSpace, patch: NDArray[np.float64]) -> str:
    """The switches of a patch in words: `EcoWave1 Triangle, Tune1 -12`; of a panel its chain."""
    structure = synthesizer_of(space.table).structure
    if structure is not None and len(space.names) >= LEAST_PANEL:
        return structure.chain_label(patch)
    return ", ".join(
        f"{dimension.parameter.title} {dimension.parameter.label(patch[dimension.parameter.index])}"
        for dimension in space.classes
    )


def _candidate(patch: NDArray[np.float64], distance: float) -> dict[str, Any]:
    return {"patch": patch.tolist(), "distance": distance}


def _answer(match: Match) -> dict[str, Any]:
    """What the page shows of a search that is done.

    `fixed` holds what is written in the place of the best patch's own values, by name: the tuning
    of the recording is compared and not kept.
    """
    task, result = match.task, match.result
    table, writer = task.space.table, task.writer
    fixed = writer.fixed if isinstance(writer, PresetWriter) else {}
    explanation = result.explanation
    best = _candidate(result.patch, result.distance)
    others: list[dict[str, Any]] = []
    roles: list[dict[str, Any]] = []
    if explanation is not None:
        roles = [asdict(role) for role in explanation.roles]
        others = [{"patch": patch.tolist()} for patch in explanation.alternatives]
    if result.answers:
        best["chain"] = result.answers[0].chain
        others = [
            {**_candidate(answer.patch, answer.distance), "chain": answer.chain}
            for answer in result.answers[1:]
        ]
    return {
        "best": best,
        "grade": None if result.grade is None else result.grade.sentence,
        "preview_distance": result.preview_distance,
        "silence": result.silence,
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 2),
        "end": result.end,
        "free": _searched(task.space, result.patch),
        "roles": roles,
        "others": others,
        "remarks": list(result.remarks),
        "fixed": {table[column].name: value for column, value in fixed.items()},
        "preset": str(task.outputs.preset),
    }


def _searched(space: ParameterSpace, patch: NDArray[np.float64]) -> list[str]:
    """The free parameters; of a whole panel, those that act."""
    structure = synthesizer_of(space.table).structure
    if structure is None or len(space.names) < LEAST_PANEL:
        return list(space.names)
    acting = structure.acting(patch)
    return [name for name in space.names if name in acting]


def warm_up(folder: Path) -> None:
    """Load and compile whatever a search of one chain needs, by a small one.

    Args:
        folder: that exists, for a sound of the engine.
    """
    from deepdiva.audio import write_wav
    from deepdiva.pipeline.match import match
    from deepdiva.renderers import make_renderer
    from deepdiva.synths import synthesizer_of

    renderer = make_renderer()
    note = replace(Note(), length_seconds=0.3, render_seconds=0.5)
    sound = folder / "warm.wav"
    audio = renderer.render(renderer.table.defaults()[None], note)[0]
    write_wav(sound, audio, note.sample_rate, force=True)
    base = renderer.table.defaults()
    # Other chains are compiled afterwards, in the background.
    structure = synthesizer_of(renderer.table).structure
    chain = () if structure is None else structure.chain
    lock = {name: float(base[renderer.table.index(name)]) for name in chain}
    match(sound, note=note, lock=lock, evaluations=60, jobs=1)
