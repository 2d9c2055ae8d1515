"""Single notes, rendered and scored in a process of their own while searches run.

A circuit that is played for the first time is compiled for seconds; nothing else waits for it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.app.target import TargetChoice
from deepdiva.errors import DeepDivaError
from deepdiva.note import Note

if TYPE_CHECKING:
    from deepdiva.renderer import Renderer
    from deepdiva.search.objective import Objectives

KEPT_SOUNDS = 256
KEPT_TARGETS = 8


@dataclass(frozen=True)
class Play:
    """A note to be rendered.

    Attributes:
        patch: shape (len(table),), in units.
        note: what is played.
        seed: of the renderer.
        target: recording that the sound is compared with; None for no comparison.
        held: parameters that a search keeps: a volume among them is part of the comparison.
    """

    patch: NDArray[np.float64]
    note: Note
    seed: int = 0
    target: TargetChoice | None = None
    held: tuple[str, ...] = ()

    @property
    def sound_key(self) -> tuple[Any, ...]:
        """What the sound depends on."""
        return self.patch.tobytes(), self.note, self.seed


@dataclass(frozen=True, eq=False)
class Played:
    """A note that was rendered.

    Attributes:
        audio: shape (note.samples,), float32.
        distance: reported distance to the target; None without one.
    """

    audio: NDArray[np.float32]
    distance: float | None


@dataclass
class Instrument:
    """The embedded engine with the sounds that it has played last."""

    renderer: Renderer
    _sounds: OrderedDict[tuple[Any, ...], NDArray[np.float32]] = field(default_factory=OrderedDict)

    def play(self, play: Play) -> Played:
        """Render a note, or remember it.

        Raises:
            DeepDivaError: a patch, note or recording that does not fit.
        """
        key = play.sound_key
        audio = self._sounds.pop(key, None)
        if audio is None:
            self.renderer.table.check(play.patch)
            audio = self.renderer.render(play.patch[None], play.note, play.seed)[0]
        self._sounds[key] = audio
        if len(self._sounds) > KEPT_SOUNDS:
            self._sounds.popitem(last=False)
        distance = None if play.target is None else self._distance(play, play.target, audio)
        return Played(audio, distance)

    def _distance(self, play: Play, choice: TargetChoice, audio: NDArray[np.float32]) -> float:
        """The reported distance, at the level at which a search compares."""
        from deepdiva.level import at_reference, level_of
        from deepdiva.search.objective import REPORTED

        target = _target(choice)
        level = level_of(target, self.renderer, play.patch, play.held)
        compared = audio[None] if level is None else at_reference(audio[None])[0]
        gain = 1.0 if level is None else level.gain
        objectives = _objectives(choice, gain, play.note.sample_rate)
        return float(objectives.score(REPORTED, compared)[0])


@lru_cache(maxsize=KEPT_TARGETS)
def _target(choice: TargetChoice) -> NDArray[np.float32]:
    return choice.listened().target.audio


@lru_cache(maxsize=2 * KEPT_TARGETS)
def _objectives(choice: TargetChoice, gain: float, sample_rate: int) -> Objectives:
    from deepdiva.search.objective import Objectives

    return Objectives.of(_target(choice) * np.float32(gain), sample_rate)


def main(pipe: Connection) -> None:
    """Play what is asked for; each answer is (number, `Played` or an error)."""
    from deepdiva.renderers import make_renderer

    instrument = Instrument(make_renderer())
    while True:
        number, play = pipe.recv()
        answer: Played | DeepDivaError
        try:
            answer = instrument.play(play)
        except DeepDivaError as error:
            answer = error
        pipe.send((number, answer))
