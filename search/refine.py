"""The search as a whole: from a target to its match, with its phases and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import AudioError, InvalidValueError, RenderError
from deepdiva.grade import Grade
from deepdiva.hosts.noise_floor import NoiseFloor
from deepdiva.level import level_of, rms
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.search.answers import Answer, answers_of
from deepdiva.search.evaluator import WORST, Evaluator
from deepdiva.search.exact import CONTENDERS, ExactMatch, exact_match
from deepdiva.search.explain import Explanation, explain
from deepdiva.search.final import (
    distance_of_start,
    nearest_known,
    nearest_of_start,
    no_farther_than_silence,
)
from deepdiva.search.journal import Journal
from deepdiva.search.loop import End, Progress, SearchLoop
from deepdiva.search.movement import with_movements
from deepdiva.search.objective import REPORTED
from deepdiva.search.optimizers import AUTO
from deepdiva.search.pitch import with_pitches
from deepdiva.search.realization import (
    COMBINATIONS,
    LEAST_EVALUATIONS,
    PANEL_REALIZATION_SHARE,
    REALIZATION_SHARE,
    Realization,
    fit_phases,
    fit_realization,
)
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.search_history import History
from deepdiva.search.sequence import SequenceRenderer
from deepdiva.search.sequence import pieces as slices
from deepdiva.search.stages import POLISH_STEP, is_panel, panel_plan, plan
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths import synthesizer_of
from deepdiva.synths.structure import Structure


@dataclass(frozen=True, eq=False)
class RefineResult:
    """What a search found.

    Attributes:
        patch: the best match, shape (len(table),), in units, as a preset holds it.
        point: the same in the space, shape (dimensions,), in [0, 1].
        sound: what it sounds like, shape (note.samples,), float32.
        distance: reported distance of `sound` to the target.
        silence: reported distance of silence to the target, for scale.
        realization: the match with start phases fitted to the target; None for a renderer that
            takes none, and where the search ended before.
        shortfall_db: how far its level stays below the target's, where the volume ends; 0 where it
            does not, and where the level is not solved.
        lowered_db: by how much it is softer than the target, because at the target's level it is
            farther away than silence; 0 where it is not.
        noise: distances between repeated renders of `patch` as the search made them; None for a
            renderer that repeats itself. No difference below it is progress.
        explanation: what the match rests on; None if it was not asked for.
        failures: candidates that could not be played, counted by reason.
        evaluations: candidates that were rendered and scored.
        seconds: how long the search ran, without compiling.
        end: why it ended: `budget` spent, `target` distance reached, all stages `done`, or
            `interrupted`.
        history: every candidate.
        grade: how good it is, in a word; None where nobody has graded it.
        answers: of a search over a whole panel, the match and others, distinct by their chains;
            empty elsewhere.
        rendering: how much of `seconds` went into rendering and scoring candidates.
    """

    patch: NDArray[np.float64]
    point: NDArray[np.float64]
    sound: NDArray[np.float32]
    distance: float
    silence: float
    realization: Realization | None
    shortfall_db: float
    noise: NoiseFloor | None
    explanation: Explanation | None
    failures: Mapping[str, int]
    evaluations: int
    seconds: float
    end: End
    history: History
    grade: Grade | None = None
    answers: tuple[Answer, ...] = ()
    rendering: float = 0.0
    lowered_db: float = 0.0

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know of the match, one sentence each."""
        said = []
        if self.shortfall_db:
            softer = f"{self.shortfall_db:.0f} dB softer than the recording"
            said.append(f"The match is {softer}: its volume ends there.")
        if self.lowered_db:
            softer = f"{self.lowered_db:.0f} dB softer than the recording"
            said.append(f"The match is {softer}: as loud, it would be farther than silence.")
        return tuple(said)

    @property
    def preview(self) -> NDArray[np.float32]:
        """The match as it is best compared with the target: with fitted phases, where known."""
        return self.sound if self.realization is None else self.realization.sound

    @property
    def preview_distance(self) -> float:
        """Reported distance of `preview` to the target."""
        return self.distance if self.realization is None else self.realization.distance


def refine(
    target: NDArray[np.float32],
    renderer: Renderer,
    space: ParameterSpace,
    note: Note,
    settings: RefineSettings | None = None,
    *,
    start: Start | None = None,
    pieces: Sequence[Note] = (),
    journal: Journal | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    explained: bool = False,
) -> RefineResult:
    """Search for the patch that sounds most like a target.

    Ctrl-C (KeyboardInterrupt) ends the search as a spent budget does, once there is a match.

    Args:
        target: shape (note.samples,), float32, at the note's sample rate.
        renderer: what plays the candidates.
        space: the free parameters.
        note: what is played.
        settings: budget, optimizer, seed, workers; the defaults if None.
        start: what is known before; nothing if None.
        pieces: notes that the target holds one after the other; then `note` is their
            `sequence_note`. Of none, it holds `note` alone.
        journal: where generations are recorded, and recalled from instead of rendered.
        on_progress: called after every generation, in the calling thread.
        explained: also find out what the match rests on, unless the search is interrupted; takes
            some hundred renders beyond the budget.

    Raises:
        AudioError: a silent target.
        InvalidValueError: a target, start or renderer that does not fit.
        UnknownNameError: an optimizer that does not exist.
        RenderError: the synthesizer failed.
        NoMatchError: nothing that was found is nearer than silence, at any level.
    """
    settings = settings or RefineSettings()
    start = start or Start.uniform(space)
    if pieces:
        renderer = SequenceRenderer(renderer, pieces)
    _check(target, renderer, space, note, start)
    level = level_of(target, renderer, space.base, (*space.names, *settings.held))
    if settings.optimizer.casefold() == AUTO:
        heard = target if level is None else target * np.float32(level.gain)
        for own, part in zip(pieces or (note,), slices(pieces or (note,)), strict=True):
            start = with_pitches(start, heard[part], own.sample_rate, own)
    structure = synthesizer_of(space.table).structure
    panel = is_panel(space, settings, structure)
    share = PANEL_REALIZATION_SHARE if panel else REALIZATION_SHARE
    fits_realization = renderer.info.takes_realizations and (
        settings.evaluations is None
        # The stages before may need a generation more than their share.
        or settings.evaluations * share >= LEAST_EVALUATIONS + settings.population
    )
    share = share if fits_realization else 0.0
    if panel and structure is not None:
        first = (pieces or (note,))[0]
        start = with_movements(start, target[: first.samples], first.sample_rate, first)
        drawn_for = first if renderer.info.cheap_to_copy else None
        told = _told(pieces, space)
        parts = panel_plan(settings, start, 1.0 - share, structure, drawn_for, told)
    else:
        parts = plan(settings, start, 1.0 - share, descends=not renderer.info.takes_realizations)
    with Evaluator(
        target, renderer, space, note, settings.seed, settings.jobs, settings.weights, level
    ) as evaluator:
        # Compiles the kernels before the clock starts.
        evaluator.score(space.normalised(space.base[None]), parts[0].stage.objective)
        silence = float(evaluator.full(np.zeros((1, note.samples), np.float32))[0])
        chain = None
        if panel and structure is not None:
            chain = [space.names.index(name) for name in structure.chain if name in space.names]
        loop = SearchLoop(evaluator, settings, History(space), journal, on_progress, chain)
        end = loop.run(parts)
        if loop.best is None:
            raise InvalidValueError("The budget ended before the first candidate was scored.")
        choice = _chosen(loop, evaluator, start, settings, structure if panel else None, silence)
        points, answers = choice.points, choice.answers
        realization = None
        if fits_realization and end in ("budget", "done"):
            steps = None if panel else POLISH_STEP**2 * start.steps
            realization = _realization(loop, evaluator, points[0], steps, settings, share)
            realization = choice.kept(realization, evaluator)
        if realization is not None:
            points[0] = realization.point
        match = exact_match(evaluator, points)
        match, lowered_db = no_farther_than_silence(match, evaluator, silence)
        point = points[match.row]
        answers = _led_by(answers, match)
        explained = explained and not loop.interrupted
        explanation = None
        if explained:
            explanation = _explanation(loop, evaluator, point, answers, structure)
        return RefineResult(
            patch=match.patch,
            point=point,
            sound=match.sound,
            distance=match.distance,
            shortfall_db=match.shortfall_db,
            noise=match.noise,
            explanation=explanation,
            failures=loop.failures,
            silence=silence,
            realization=_at_level(realization, match.sound, evaluator, lowered_db),
            evaluations=loop.budget.evaluations,
            seconds=loop.budget.seconds,
            end="interrupted" if loop.interrupted else end,
            history=loop.history,
            answers=answers,
            rendering=loop.rendering,
            lowered_db=lowered_db,
        )


@dataclass(frozen=True, eq=False)
class _Choice:
    """Which points a search ends with.

    Attributes:
        points: shape (1 or more, dimensions), the match first.
        answers: of a search over a whole panel, for the points; empty elsewhere.
        farthest: reported distance that the match may have at most.
    """

    points: NDArray[np.float64]
    answers: tuple[Answer, ...]
    farthest: float

    def kept(self, realization: Realization | None, evaluator: Evaluator) -> Realization | None:
        """The realization, unless its patch, played with other phases, is farther than may be."""
        if realization is None or np.array_equal(realization.point, self.points[0]):
            return realization
        alone = evaluator.score(realization.point[None], REPORTED).full
        return None if alone > self.farthest else realization


def _chosen(
    loop: SearchLoop,
    evaluator: Evaluator,
    start: Start,
    settings: RefineSettings,
    structure: Structure | None,
    silence: float,
) -> _Choice:
    """What a search ends with: no farther than silence or than its start, where that is known.

    Args:
        loop: of the search, with a match.
        evaluator: of the search.
        start: where it began.
        settings: of the search.
        structure: of the synthesizer whose whole panel was searched; None for other searches.
        silence: reported distance of silence.
    """
    if structure is not None:
        archive = loop.history.wide()
        if archive.best_distance >= WORST:
            raise InvalidValueError(
                "Every candidate is silent, and silence is no match: lock less with --lock, "
                "or begin with another --base."
            )
        farthest = min(silence, distance_of_start(start, archive))
        answers = answers_of(archive, evaluator, structure, settings.price, farthest)
        return _Choice(np.array([answer.point for answer in answers]), answers, np.inf)
    points = loop.leaders(CONTENDERS)
    first = nearest_of_start(start, evaluator)
    farthest = min(silence, first.distance)
    if loop.distance > farthest:
        # What was minimised is another distance.
        known = min(first, nearest_known(loop.history), key=lambda known: known.distance)
        farthest = max(farthest, known.distance)
        if known.distance < silence:
            others = points[np.any(points != known.point, axis=1)]
            points = np.concatenate([known.point[None], others])[:CONTENDERS]
    return _Choice(points, (), farthest)


def _told(pieces: Sequence[Note], space: ParameterSpace) -> tuple[str, ...]:
    """What several notes tell and one does not."""
    synthesizer = synthesizer_of(space.table)
    keys = synthesizer.key_following if len({note.pitch for note in pieces}) > 1 else ()
    blows = synthesizer.velocity_following if len({note.velocity for note in pieces}) > 1 else ()
    return (*keys, *blows)


def _check(
    target: NDArray[np.float32],
    renderer: Renderer,
    space: ParameterSpace,
    note: Note,
    start: Start,
) -> None:
    if target.shape != (note.samples,):
        raise InvalidValueError(
            f"The target has shape {target.shape}: the note asks for ({note.samples},), mono."
        )
    if not np.isfinite(target).all():
        raise AudioError("The target holds samples that are not finite: mend the recording.")
    if not target.any():
        raise AudioError("The target is silent: there is nothing to match.")
    if renderer.table != space.table:
        raise InvalidValueError(
            f"The renderer plays {renderer.table.name}, the parameters are those of "
            f"{space.table.name}."
        )
    if start.space is not space and start.space.to_dict() != space.to_dict():
        raise InvalidValueError("The start belongs to another parameter space.")


def _realization(
    loop: SearchLoop,
    evaluator: Evaluator,
    point: NDArray[np.float64],
    steps: NDArray[np.float64] | None,
    settings: RefineSettings,
    share: float,
) -> Realization | None:
    """Spend the rest of the budget on how the match was played; None if that is too little.

    Args:
        loop: of the search.
        evaluator: of the search.
        point: the best match, shape (dimensions,).
        steps: covariance of its last steps, shape (dimensions, dimensions); None leaves the patch
            as it is.
        settings: of the search.
        share: part of the whole budget that is kept for this.
    """
    left = min(loop.budget.until(1.0), round(share / (1.0 - share) * loop.budget.evaluations))
    if left < LEAST_EVALUATIONS:
        return None
    space = loop.history.space
    if steps is None:
        try:
            return fit_phases(loop.drive, evaluator, space, point, left, settings.seed)
        except KeyboardInterrupt:
            loop.interrupted = True
            return None
    points = _combinations(loop.history, point)
    try:
        return fit_realization(loop.drive, evaluator, space, points, steps, left, settings.seed)
    except KeyboardInterrupt:
        loop.interrupted = True
        return None  # the match is there; only its realization stays unknown


def _at_level(
    realization: Realization | None,
    match: NDArray[np.float32],
    evaluator: Evaluator,
    lowered_db: float,
) -> Realization | None:
    """A realization at the level of the match that was rendered."""
    if realization is None or evaluator.level is None:
        return realization
    if lowered_db:
        [distance] = evaluator.at_gains(realization.sound, 10.0 ** (-np.array([lowered_db]) / 20.0))
        realization = replace(realization, distance=float(distance))
    ratio = rms(match) / max(float(rms(realization.sound)), 1e-9)
    return replace(realization, sound=realization.sound * np.float32(ratio))


def _combinations(history: History, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point, then the best of other combinations of classes, the nearest first."""
    classes = [dimension.position for dimension in history.space.classes]
    others = history.wide().ranked(COMBINATIONS, per_combination=1)
    others = others[np.any(others[:, classes] != point[classes], axis=1)]
    return np.concatenate([point[None], others])[:COMBINATIONS]


def _led_by(answers: tuple[Answer, ...], match: ExactMatch) -> tuple[Answer, ...]:
    """Answers with one of them, as it was rendered at last, as the first."""
    if not answers:
        return answers
    others = [answer for number, answer in enumerate(answers) if number != match.row]
    first = replace(answers[match.row], patch=match.patch, distance=match.distance)
    return (first, *others)


def _explanation(
    loop: SearchLoop,
    evaluator: Evaluator,
    point: NDArray[np.float64],
    answers: tuple[Answer, ...],
    structure: Structure | None,
) -> Explanation | None:
    """What a match rests on; None if the user does not wait for it, or a plug-in fails.

    Of a panel, what acts and the sound can tell is looked at, and the alternatives are the answers.
    """
    archive = loop.history.wide()
    try:
        if not answers or structure is None:
            return explain(point, archive, evaluator)
        space = archive.space
        acting = structure.acting(answers[0].patch) - structure.untold
        names = [name for name in space.names if name in acting]
        others = np.array([answer.patch for answer in answers[1:]]).reshape(-1, len(space.table))
        return explain(point, archive, evaluator, names, others)
    except KeyboardInterrupt:
        loop.interrupted = True
        return None
    except RenderError:  # the match is there, and worth more than what could be said of it
        return None
