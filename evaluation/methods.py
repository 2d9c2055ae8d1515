"""The methods: predictors, the search, and presets that somebody else made.

`deepdiva.evaluation.registry` makes them by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepdiva.errors import MissingFileError
from deepdiva.evaluation.method import Match, Method
from deepdiva.evaluation.scoring import EvaluationSettings
from deepdiva.evaluation.sounds import Sound
from deepdiva.renderer import Renderer
from deepdiva.synths.diva.preset import Preset

if TYPE_CHECKING:
    from deepdiva.models.predictor import Predictor
    from deepdiva.search.refine_settings import RefineSettings
    from deepdiva.search.start import Start


class PredictorMethod(Method):
    """A predictor: its only candidate, or the nearest of its candidates after rendering them all.

    Args:
        name: of the method.
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
        self._predictor = ready(self._make, self._settings)

    def match(self, sound: Sound, seed: int) -> Match:
        from deepdiva.models.selection import choose

        if self._predictor is None:
            raise RuntimeError(f"{self._name} was not prepared.")
        note, space = self._settings.note, self._predictor.space
        if self._predictor.whole:
            return self._whole(self._predictor, sound, seed)
        [candidates] = self._predictor.predict(sound.audio[np.newaxis], note)
        patches = np.tile(self._settings.space.base, (len(candidates), 1))
        patches[:, space.columns] = space.patches(candidates.x)[:, space.columns]
        if len(patches) == 1:
            return Match(self._base.with_values(patches[0]), renders=0)
        chosen = choose(sound.audio, patches, self._renderer, note, seed=seed)
        return Match(self._base.with_values(chosen.patch), renders=len(patches))

    def _whole(self, predictor: Predictor, sound: Sound, seed: int) -> Match:
        """As `deepdiva predict` answers, its level solved; what is not free stays as it is."""
        from deepdiva.models.answers import Matcher

        around = self._settings.space
        base = {p.name: float(value) for p, value in zip(around.table, around.base, strict=True)}
        locks = {name: base[name] for name in set(predictor.space.names) - set(around.names)}
        draws = int(self._description.get("draws", 1))
        matcher = Matcher(predictor, self._base, self._renderer, draws, locks, seed=seed)
        [found] = matcher.answers([sound.audio])
        return Match(found.preset, renders=len(found.chosen.distances))


class PresetsMethod(Method):
    """A folder of presets, named as the sounds are: `kick.h2p` answers `kick.wav`.

    Args:
        name: of the method.
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


class EntryMethod(Method):
    """The answers of any tool: a folder of presets or sounds, named as the sounds are.

    `kick.h2p` answers `kick`, and where there is none `kick.wav` or another sound file does.
    `entry.json` may say whose they are; see `deepdiva.evaluation.entry`.

    Args:
        name: of the method.
        directory: where they lie.
        settings: of the run.

    Raises:
        MissingFileError: the folder does not exist or holds no answer.
        InvalidValueError: its `entry.json` is damaged.
    """

    def __init__(self, name: str, directory: Path, settings: EvaluationSettings) -> None:
        from deepdiva.audio import SOUND_SUFFIXES
        from deepdiva.evaluation.entry import described

        self._name = name
        self._directory = directory
        self._settings = settings
        suffixes = (".h2p", *SOUND_SUFFIXES)
        files = sorted(directory.iterdir()) if directory.is_dir() else []
        self._answers = {
            (file.stem, file.suffix.lower() == ".h2p"): file
            for file in files
            if file.suffix.lower() in suffixes
        }
        if not self._answers:
            raise MissingFileError(
                f"{directory} is no folder with presets (.h2p) or sounds in it: they must bear the "
                "names of the sounds that they answer."
            )
        digest = hashlib.sha256()
        for file in sorted(self._answers.values()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        self._description = {
            **described(directory),
            "kind": "entry",
            "answers": len(self._answers),
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
        from deepdiva.audio import load_target

        renders = self._description.get("renders")
        preset = self._answers.get((sound.name, True))
        if preset is not None:
            return Match(Preset.read(preset), renders)
        audio = self._answers.get((sound.name, False))
        if audio is None:
            raise MissingFileError(f"{self._directory} holds no answer to {sound.name}.")
        return Match(None, renders, load_target(audio, self._settings.note).audio)


class RefineMethod(Method):
    """The search, with or without a predictor's candidates as its start.

    Args:
        name: of the method.
        description: all that the search depends on besides seed and target.
        budget: its settings; seed and workers are set here.
        make: makes the predictor that gives the start; None to start from nothing.
        renderer: renders the candidates.
        base: preset into which the answer is written.
        settings: of the run.
    """

    def __init__(
        self,
        name: str,
        description: Mapping[str, Any],
        budget: RefineSettings,
        make: Callable[[], Predictor] | None,
        renderer: Renderer,
        base: Preset,
        settings: EvaluationSettings,
    ) -> None:
        self._name = name
        self._description = dict(description)
        self._budget = budget
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
        if self._make is not None:
            self._predictor = ready(self._make, self._settings)

    def match(self, sound: Sound, seed: int) -> Match:
        from deepdiva.search.refine import refine

        settings = self._settings
        budget = replace(self._budget, seed=seed, jobs=1)
        start = self._start(sound)
        found = refine(
            sound.audio, self._renderer, settings.space, settings.note, budget, start=start
        )
        return Match(self._base.with_values(found.patch), renders=found.evaluations)

    def _start(self, sound: Sound) -> Start | None:
        """What the predictor says, as the search takes it."""
        from deepdiva.search.start import Start

        if self._predictor is None:
            return None
        [candidates] = self._predictor.predict(sound.audio[np.newaxis], self._settings.note)
        return Start.predicted(
            self._settings.space,
            self._predictor.space.names,
            candidates.x,
            candidates.class_probabilities,
        )


def ready(make: Callable[[], Predictor], settings: EvaluationSettings) -> Predictor:
    """A predictor that has answered once, so that its first real answer is not its slowest."""
    predictor = make()
    predictor.predict(np.zeros((1, settings.note.samples), np.float32), settings.note)
    return predictor
