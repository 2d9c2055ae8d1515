"""From a sound to a preset: a network's candidates, the nearest of them, and what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepdiva.level import Level, at_reference, level_of
from deepdiva.models.predictor import Candidates, Predictor
from deepdiva.models.selection import Chosen, choose
from deepdiva.models.spread import Spread, spreads
from deepdiva.renderer import Renderer
from deepdiva.synths.diva.preset import Preset

_SOUNDS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Answer:
    """What became of one sound.

    Attributes:
        candidates: of the network, the likeliest first.
        chosen: the nearest of those that were rendered.
        preset: that it became.
        spreads: how sure the network is of each free parameter.
        seconds: that the sound took; the network's share is the mean over those it heard together.
    """

    candidates: Candidates
    chosen: Chosen
    preset: Preset
    spreads: list[Spread]
    seconds: float


@dataclass(frozen=True, eq=False)
class Matcher:
    """Answers sounds with presets.

    Attributes:
        predictor: the network.
        base: preset that holds whatever is not predicted.
        renderer: renders candidates; must take the patches of Diva.
        listened: candidates that are rendered for each sound; of 1, the likeliest is taken.
        locks: values by name that replace predicted and held ones.
        jobs: threads.
        seed: of the start phases and noise of the renders.
    """

    predictor: Predictor
    base: Preset
    renderer: Renderer
    listened: int = 64
    locks: Mapping[str, float] = field(default_factory=dict)
    jobs: int = 1
    seed: int = 0

    @property
    def held(self) -> NDArray[np.float64]:
        """What holds where nothing is predicted, shape (len(table),), in units; the locks too."""
        patch = self.base.values()
        for name, value in self.locks.items():
            patch[self.predictor.space.table.index(name)] = value
        return patch

    def answers(self, sounds: Sequence[NDArray[np.float32]]) -> Iterator[Answer]:
        """Answer sounds, each as soon as it is known.

        Args:
            sounds: each of shape (note.samples,), recordings of the predictor's note.

        Raises:
            InvalidValueError: sounds of another length.
            RenderError: the renderer failed.
        """
        for few in self.pieces(sounds):
            began = time.perf_counter()
            heard = [sound * np.float32(self._gain(sound)) for sound in few]
            predicted = self.predictor.predict(np.stack(heard), self.predictor.note)
            share = (time.perf_counter() - began) / len(few)
            for sound, candidates in zip(few, predicted, strict=True):
                yield self._answer(sound, candidates, share)

    def pieces(self, sounds: Sequence[NDArray[np.float32]]) -> list[list[NDArray[np.float32]]]:
        """Sounds that the network hears together: alone, an answer may differ in its last bits."""
        return [
            list(sounds[start : start + _SOUNDS_AT_ONCE])
            for start in range(0, len(sounds), _SOUNDS_AT_ONCE)
        ]

    def level(self, sound: NDArray[np.float32]) -> Level | None:
        """How the level of a sound, shape (samples,), is solved; None where it is not."""
        kept = (*self.predictor.space.names, *self.locks)
        return level_of(sound, self.renderer, self.held, kept)

    def _gain(self, sound: NDArray[np.float32]) -> float:
        level = self.level(sound)
        return 1.0 if level is None else level.gain

    def levelled(
        self, patches: NDArray[np.float64], sound: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Patches, shape (count, len(table)), as loud as a sound, as far as their volume goes.

        Raises:
            RenderError: the renderer failed.
        """
        level = self.level(sound)
        if level is None or not len(patches):
            return patches
        gains = at_reference(self.renderer.render(patches, self.predictor.note, self.seed))[1]
        pairs = zip(patches, gains, strict=True)
        return np.array([level.with_volume(patch, float(gain)) for patch, gain in pairs])

    def patches(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions, shape (count, dimensions) -> patches, shape (count, len(table)), in units."""
        space = self.predictor.space
        patches = np.tile(self.held, (len(x), 1))
        answered = [space.table.index(name) for name in space.names if name not in self.locks]
        patches[:, answered] = space.patches(x)[:, answered]
        return patches

    def _answer(self, sound: NDArray[np.float32], candidates: Candidates, seconds: float) -> Answer:
        began = time.perf_counter()
        chosen = choose(
            sound,
            self.patches(candidates.x[: self.listened]),
            self.renderer,
            self.predictor.note,
            seed=self.seed,
            jobs=self.jobs,
            level=self.level(sound),
        )
        return Answer(
            candidates,
            chosen,
            self.base.with_values(chosen.patch),
            spreads(candidates, self.predictor.space),
            seconds + time.perf_counter() - began,
        )
