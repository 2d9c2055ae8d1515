"""Predictors that learn nothing. Every report carries them: what does not beat them is no use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
from deepdiva.models.predictor import Candidates, Predictor, check_sounds
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.space import ParameterSpace

_RENDERED_AT_ONCE = 256


class MeanPredictor(Predictor):
    """Answers every sound with the same patch: values and classes in the middle."""

    name = "mean"

    def __init__(self, space: ParameterSpace, note: Note) -> None:
        self.space, self.note = space, note
        x = np.full(space.dimensions, 0.5)
        self._probabilities = {}
        for dimension in space.classes:
            x[dimension.position] = dimension.positions[(len(dimension.positions) - 1) // 2]
            count = len(dimension.positions)
            self._probabilities[dimension.parameter.name] = np.full(count, 1.0 / count)
        self._x = x

    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        answer = Candidates(self._x[None], np.full(1, np.nan), self._probabilities)
        return [answer] * len(sounds)


class NearestPredictor(Predictor):
    """Answers with the random patches whose sounds are nearest, by a small spectrogram.

    The features are decibels (floor -90) in 32 mel bands and 16 frames stretched like the posterior
    network's, and the distance is the mean absolute difference: what a library of stored sounds
    can do without any learning.

    Args:
        space: from which the patches are drawn.
        note: what they are rendered with.
        renderer: renders them.
        count: stored patches, less those that the renderer cannot play.
        seed: decides them.
        answers: patches per sound, the nearest first.

    Raises:
        RenderError: the renderer cannot play at all, or none of the patches.
    """

    name = "nearest"

    def __init__(
        self,
        space: ParameterSpace,
        note: Note,
        renderer: Renderer,
        count: int = 10_000,
        seed: int = 0,
        answers: int = 1,
    ) -> None:
        self.space, self.note = space, note
        self._answers = answers
        rng = np.random.default_rng([seed, 1])
        drawn = space.random(rng, count)
        played, parts = [], []
        for start in range(0, count, _RENDERED_AT_ONCE):
            x = drawn[start : start + _RENDERED_AT_ONCE]
            seeds = np.arange(start, start + len(x))
            batch = renderer.render_checked(space.patches(x), note, seeds)
            played.append(batch.played)
            parts.append(self._features(batch.audio)[batch.played])
        self._x, self._stored = drawn[np.concatenate(played)], np.concatenate(parts)
        if not len(self._x):
            raise RenderError(
                f"None of the {count} stored patches could be played; the last "
                f"{batch.failures[-1].reason}. Leave this predictor out, or choose other free "
                "parameters."
            )

    def _features(self, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """(batch, samples) -> (batch, features)."""
        from deepdiva.models.posterior_player import PosteriorViews
        from deepdiva.models.representation_settings import RepresentationSettings

        settings = RepresentationSettings(line_samples=64, mel_bands=32, frames=16, segments=16)
        hear = PosteriorViews(self.note, settings)
        return np.stack([hear(sound)[1].ravel() for sound in sounds])

    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        answers = []
        for heard in self._features(np.ascontiguousarray(sounds)):
            distance = np.abs(self._stored - heard).mean(axis=1)
            nearest = np.argsort(distance, kind="stable")[: self._answers]
            x = self._x[nearest]
            answers.append(Candidates(x, np.full(len(x), np.nan), self._shares(x)))
        return answers

    def _shares(self, x: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Share of each class among the answers."""
        return {
            dimension.parameter.name: (x[:, dimension.position, None] == dimension.positions).mean(
                axis=0
            )
            for dimension in self.space.classes
        }
