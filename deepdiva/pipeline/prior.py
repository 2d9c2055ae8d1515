"""What is known of each sound before it is searched: a network's answer, a preset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from deepdiva.errors import InvalidValueError
from deepdiva.synths import synthesizer_of

if TYPE_CHECKING:
    from pathlib import Path

    from deepdiva.library import Library
    from deepdiva.models.predictor import Predictor
    from deepdiva.pipeline.options import Listener, PriorChoice
    from deepdiva.renderer import Renderer
    from deepdiva.search.sound_match import Task
    from deepdiva.search.start import Start


LIBRARY_STARTS = 8
"""Presets of a library whose values are tried."""


def starts_of(
    tasks: Sequence[Task],
    synth: Renderer,
    prior: PriorChoice,
    listener: Listener,
    *,
    near: bool,
) -> list[Start | None]:
    """What is known of each sound: a network's answer, the base, presets of a library.

    Takes, returns and raises what `_known` does, and of a library what
    `deepdiva.library.open_library` raises.
    """
    starts = _known(tasks, synth, prior, listener, near=near)
    if prior.library is None:
        return starts
    from deepdiva.cluster import Workers
    from deepdiva.library import PRESET_SUFFIX, open_library

    if synthesizer_of(synth.table).preset_suffix != PRESET_SUFFIX:
        raise InvalidValueError(
            f"--library {prior.library} holds presets of Diva, and {synth.table.name} renders: "
            "leave it out."
        )
    library = open_library(prior.library, workers=Workers(jobs=tasks[0].settings.jobs))
    for one in library.unplayed:
        listener.warn(f"{one.path}: {one.reason} It is left out.")
    return [_with_library(start, task, library) for start, task in zip(starts, tasks, strict=True)]


def _with_library(start: Start | None, task: Task, library: Library) -> Start:
    """A start that also tries the values of the presets that are nearest to a sound."""
    from deepdiva.library import nearest_presets
    from deepdiva.search.start import Start
    from deepdiva.synths.diva.preset import Preset

    note = task.pieces[0] if task.pieces else task.note
    found = nearest_presets(
        library,
        task.target.audio[: note.samples],
        note,
        keys=(note.pitch,),
        velocities=(note.velocity,),
        count=LIBRARY_STARTS,
        jobs=task.settings.jobs,
    )
    patches = [Preset.read(one.path).values() for one in found]
    near = [Start.near(task.space, patch).candidates for patch in patches]
    known = start or Start.uniform(task.space)
    merged = list(known.candidates[:1]) + [row for rows in near for row in rows]
    return replace(known, candidates=np.array([*merged, *known.candidates[1:]]))


def _known(
    tasks: Sequence[Task],
    synth: Renderer,
    prior: PriorChoice,
    listener: Listener,
    *,
    near: bool,
) -> list[Start | None]:
    """What is known of each sound without a library; None where nothing is.

    Each sound is heard alone and on one thread: what is known of it depends on nothing else, so
    that a search can be resumed among other sounds and on another machine.

    Args:
        tasks: sounds to be matched.
        synth: renders the candidates.
        prior: whether to ask the network, and which; where nothing is said: if the embedded
            engine renders and the network knows the note and some of the parameters.
        listener: is told why nothing is predicted.
        near: whether the base preset, too, is believed to be near.

    Raises:
        MissingFileError: there are no such weights.
        InvalidValueError: a network that does not know the note or the parameters, though it was
            asked for; weights, and no prediction.
    """
    predict, weights = prior.predict, prior.model_file
    asked = bool(predict) or weights is not None
    if predict is False and weights is not None:
        raise InvalidValueError(
            f"--no-predict and --model-file {weights} contradict each other: leave one of them out."
        )
    if predict is False or (not asked and not synth.info.cheap_to_copy):
        return [_with_keys(_near(task) if near else None, task) for task in tasks]
    from deepdiva.models.registry import load_predictor

    predictor, _ = load_predictor(weights or _usual_weights(tasks), seed=tasks[0].settings.seed)
    starts: list[Start | None] = []
    reasons: dict[str, None] = {}
    for task in tasks:
        try:
            heard = _predicted(_fitting(predictor, task), task, synth)
        except _UnfitError as error:
            if asked:
                raise InvalidValueError(
                    f"{error}: leave out --predict and --model-file."
                ) from error
            reasons[str(error)] = None
            known = _near(task) if near else None
        else:
            known = heard.led_by(task.space.base) if near else heard
        starts.append(_with_keys(known, task))
    for reason in reasons:
        listener.say(f"{reason}: the search starts without it.")
    return starts


def _usual_weights(tasks: Sequence[Task]) -> Path:
    """Of the networks that come with the package: that of the whole panel, if all of it is free."""
    from deepdiva.models.weights import MS_REV1_WEIGHTS, weights_for

    found = {weights_for(task.space.names) for task in tasks} - {MS_REV1_WEIGHTS}
    return found.pop() if found else MS_REV1_WEIGHTS


def _near(task: Task) -> Start:
    """A start at the base preset."""
    from deepdiva.search.start import Start

    return Start.near(task.space, task.space.base)


def _with_keys(start: Start | None, task: Task) -> Start | None:
    """A start that also knows which other keys a sound may be of."""
    from deepdiva.search.pitch import with_keys
    from deepdiva.search.start import Start

    keys = task.heard.get("other_keys", ())
    if not keys:
        return start
    return with_keys(start or Start.uniform(task.space), task.note, keys)


class _UnfitError(InvalidValueError):
    """A network that has nothing to say of a sound."""


def _fitting(predictor: Predictor, task: Task) -> Predictor:
    """A predictor for the note of a task.

    Raises:
        _UnfitError: why the network has nothing to say of it.
    """
    from deepdiva.models.transposition import for_note

    if not set(predictor.space.names) & set(task.space.names):
        raise _UnfitError("The network predicts none of the free parameters")
    try:
        note = task.pieces[0] if task.pieces else task.note
        return for_note(predictor, note, task.space.base)
    except InvalidValueError as error:
        raise _UnfitError(str(error)) from error


def _predicted(predictor: Predictor, task: Task, synth: Renderer) -> Start:
    from deepdiva.level import level_of
    from deepdiva.search.start import Start
    from deepdiva.workers import single_thread

    # Of several recordings the first one is heard.
    audio = task.target.audio[: predictor.note.samples] if task.pieces else task.target.audio
    kept = (*task.space.names, *task.settings.held)
    level = level_of(audio, synth, task.space.base, kept)
    if level is not None:
        audio = audio * np.float32(level.gain)
    with single_thread():
        [answer] = predictor.predict(audio[None], predictor.note)
    return Start.predicted(task.space, predictor.space.names, answer.x, answer.class_probabilities)
