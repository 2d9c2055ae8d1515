"""The contenders: predictors, and presets that somebody else made. `roster` makes them by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepdiva.errors import MissingFileError
from deepdiva.evaluation.contender import Contender, Match
from deepdiva.evaluation.scoring import EvaluationSettings
from deepdiva.evaluation.sounds import Sound
from deepdiva.preset import Preset
from deepdiva.renderer import Renderer

if TYPE_CHECKING:
    from deepdiva.models.predictor import Predictor


class PredictorContender(Contender):
    """A predictor: its only candidate, or the nearest of its candidates after rendering them all.

    Args:
        name: of the contender.
        description: all that the predictor depends on.
        make: makes or loads the predictor; called in `prepare`.
        renderer: renders the candidates.
        base: preset into which the answer is written; its values are those of the run's space.
        settings: of the run. Free parameters that the predictor does not answer keep the base's
            values.
    """

    def __init__(
        self,
        name: str,
        description: Mapping[str, Any],
        make: Callable[[], Predictor],
        renderer: Renderer,
        base: Preset,
        settings: EvaluationSettings,
    ) -> None:
        self._name = name
        self._description = dict(description)
        self._make = make
        self._renderer = renderer
        self._base = base
        self._settings = settings
        self._predictor: Predictor | None = None

    @property
    def name(self) -> str:
        return self._name

    def describe(self) -> Mapping[str, Any]:
        return self._description

    def prepare(self) -> None:
        """Load the predictor and let it answer silence, which compiles what it needs."""
        self._predictor = self._make()
        silence = np.zeros((1, self._settings.note.samples), np.float32)
        self._predictor.predict(silence, self._settings.note)

    def match(self, sound: Sound, seed: int) -> Match:
        from deepdiva.models.selection import choose

        if self._predictor is None:
            self.prepare()
            return self.match(sound, seed)
        note, space = self._settings.note, self._predictor.space
        [candidates] = self._predictor.predict(sound.audio[np.newaxis], note)
        patches = np.tile(self._settings.space.base, (len(candidates), 1))
        patches[:, space.columns] = space.patches(candidates.x)[:, space.columns]
        if len(patches) == 1:
            return Match(self._base.with_values(patches[0]), renders=0)
        chosen = choose(sound.audio, patches, self._renderer, note, seed=seed)
        return Match(self._base.with_values(chosen.patch), renders=len(patches))


class PresetsContender(Contender):
    """A folder of presets, named as the sounds are: `kick.h2p` answers `kick.wav`.

    Args:
        name: of the contender.
        directory: where the presets lie.

    Raises:
        MissingFileError: the folder does not exist or holds no preset.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._directory = directory
        files = sorted(directory.glob("*.h2p")) if directory.is_dir() else []
        if not files:
            raise MissingFileError(f"{directory} is no folder with presets (.h2p) in it.")
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        self._description = {
            "kind": "presets",
            "presets": len(files),
            "sha256": digest.hexdigest(),
        }

    @property
    def name(self) -> str:
        return self._name

    def describe(self) -> Mapping[str, Any]:
        return self._description

    def prepare(self) -> None:
        """Nothing is loaded before it is asked for."""

    def match(self, sound: Sound, seed: int) -> Match:  # noqa: ARG002  (a file has no chance in it)
        return Match(Preset.read(self._directory / f"{sound.name}.h2p"), renders=0)
