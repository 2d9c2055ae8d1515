"""From a preset on disk to its scores: what is scored is what the user gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
from deepdiva.evaluation import metrics, parameters
from deepdiva.evaluation.sounds import Sound
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva.preset import Preset

OpenRenderer = Callable[[Preset], Renderer]
"""Opens what plays a preset, with whatever in it is no parameter (detune pots, tuning)."""


BYTES_PER_SAMPLE = 1700
"""That a score takes at most, as measured with notes of 2 to 60 s, but for the time warping."""

_WARPED_PER_SECOND, _BYTES_PER_CELL = 100, 24


def bytes_per_sample(note: Note) -> float:
    """Memory that a score takes, in bytes for each sample; time warping grows with the square."""
    frames_per_sample = _WARPED_PER_SECOND / note.sample_rate
    return BYTES_PER_SAMPLE + _BYTES_PER_CELL * frames_per_sample**2 * note.samples


@dataclass(frozen=True)
class EvaluationSettings:
    """What all results of a run share.

    Attributes:
        note: what is played, where a sound does not say otherwise. Its sample rate and length are
            those of all sounds.
        space: free parameters, and the patch that holds the others. Methods search in it, and
            parameter errors are over it.
        realizations: how often each match is played for its score, at least 1, with other start
            phases, drift and noise each time. They stand in no preset: a match that was fitted to
            one draw of them is not what the user hears.
        seed: of realizations, methods and statistics.
    """

    note: Note
    space: ParameterSpace
    realizations: int = 4
    seed: int = 0

    def of(self, sound: Sound) -> EvaluationSettings:
        """The same with the note of a sound."""
        return self if sound.note is None else replace(self, note=sound.note)


@dataclass(frozen=True)
class Score:
    """Scores of one match.

    Attributes:
        audio: the first realization, shape (note.samples,).
        silent: no realization reaches -80 dB.
        scores: measure key to the mean over the realizations; None where undefined.
        realizations: the primary metric of each realization.
        realization_spread: see `deepdiva.evaluation.result.Result`.
        errors: parameter errors; None where the truth is unknown.
    """

    audio: NDArray[np.float32]
    silent: bool
    scores: dict[str, float | None]
    realizations: list[float]
    realization_spread: float | None
    errors: parameters.ParameterErrors | None


def play(
    preset: Preset, open_renderer: OpenRenderer, note: Note, seeds: Sequence[int]
) -> NDArray[np.float32]:
    """Render a preset once with each seed.

    Returns:
        Shape (realizations, note.samples).

    Raises:
        RenderError: the synthesizer failed, or returned samples that are not finite.
    """
    renderer = open_renderer(preset)
    try:
        audio = renderer.render(np.tile(preset.values(), (len(seeds), 1)), note, list(seeds))
    finally:
        renderer.close()
    if not np.isfinite(audio).all():
        raise RenderError(
            f"{renderer.info.name} returned samples that are not finite for this preset."
        )
    return audio


def realization_spread(audio: NDArray[np.float32], sample_rate: int) -> float | None:
    """Mean primary distance of the first of several realizations and the others.

    Args:
        audio: shape (realizations, samples).
        sample_rate: samples per second.

    Returns:
        None for a single realization or a silent first one.
    """
    if len(audio) < 2 or metrics.is_silent(audio[0]):
        return None
    distances = [metrics.primary(audio[0], other, sample_rate) for other in audio[1:]]
    return float(np.mean(distances))


def score_match(
    sound: Sound, preset: Preset, open_renderer: OpenRenderer, settings: EvaluationSettings
) -> Score:
    """Play a preset and score it by every measure.

    Raises:
        RenderError: the preset cannot be played.
    """
    seeds = sound.seeds(settings.seed, settings.realizations)
    audio = play(preset, open_renderer, settings.note, seeds)
    errors = None
    if sound.preset is not None:
        errors = parameters.evaluate(sound.preset.values(), preset.values(), settings.space)
    score = _score(sound, audio, settings, errors)
    modules = parameters.modules_in_use(preset.values(), settings.space)
    return replace(
        score,
        scores={**score.scores, parameters.MODULES.key: modules},
        realization_spread=realization_spread(audio, settings.note.sample_rate),
    )


def score_audio(sound: Sound, audio: NDArray[np.float32], settings: EvaluationSettings) -> Score:
    """Score an answer that is a sound and no preset: it is heard once, and nothing is played."""
    return _score(sound, audio[np.newaxis], settings, None)


def score_failure(sound: Sound, settings: EvaluationSettings) -> Score:
    """What a method gets that gave no playable preset: the score of silence."""
    errors = parameters.failed(settings.space) if sound.preset is not None else None
    silence = np.zeros((1, settings.note.samples), np.float32)
    return _score(sound, silence, settings, errors)


def noise_floor(
    sound: Sound, open_renderer: OpenRenderer, settings: EvaluationSettings
) -> float | None:
    """Distance of a target and new realizations of the very preset that made it.

    No match can be expected below it: start phases, drift and noise alone cost as much.

    Returns:
        Mean primary distance; None where the preset is unknown.
    """
    if sound.preset is None:
        return None
    seeds = sound.seeds(settings.seed, settings.realizations)
    rate = settings.note.sample_rate
    realizations = play(sound.preset, open_renderer, settings.note, seeds)
    return float(np.mean([metrics.primary(sound.audio, s, rate) for s in realizations]))


def _score(
    sound: Sound,
    audio: NDArray[np.float32],
    settings: EvaluationSettings,
    errors: parameters.ParameterErrors | None,
) -> Score:
    rate = settings.note.sample_rate
    each = [metrics.evaluate(sound.audio, realization, rate) for realization in audio]
    scores = {metric.key: _mean([one[metric.key] for one in each]) for metric in metrics.PANEL}
    if errors is not None:
        scores[parameters.PARAMETER_ERROR.key] = errors.parameter_error
        scores[parameters.CLASS_ACCURACY.key] = errors.class_accuracy
    return Score(
        audio=audio[0],
        silent=all(metrics.is_silent(realization) for realization in audio),
        scores=scores,
        realizations=[value for one in each if (value := one[metrics.PRIMARY]) is not None],
        realization_spread=None,
        errors=errors,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean of the realizations; a metric is undefined for all of them or for none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
