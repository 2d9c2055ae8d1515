"""The one interface of everything that can take part in an evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.evaluation.sounds import Sound
from deepdiva.synths.diva.preset import Preset


@dataclass(frozen=True)
class Match:
    """A method's answer to one sound.

    Attributes:
        preset: what would be loaded into the synthesizer; None where only a sound is answered.
        renders: how many candidates were rendered to find it, 0 for an answer without listening.
            Methods are on equal terms only where these agree. None where nobody knows.
        audio: the sound of an answer without a preset, shape (note.samples,).
    """

    preset: Preset | None
    renders: int | None
    audio: NDArray[np.float32] | None = None


class Method(ABC):
    """Answers sounds with presets.

    A method can be pickled: worker processes have their own copy. Its answer to a sound is a
    function of the sound, the seed and `describe()`, never of the sounds before it.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """How reports and folders call it: letters, digits, `.`, `_`, `+` and `-`."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """All that its answers depend on, ready for JSON: kind, budget, digest of weights.

        Results are kept for as long as it stays the same.
        """

    @abstractmethod
    def prepare(self) -> None:
        """Load and compile what the first answer needs; called once in each worker, not timed."""

    @abstractmethod
    def match(self, sound: Sound, seed: int) -> Match:
        """Answer one sound.

        Args:
            sound: the target; `sound.preset` must not be looked at.
            seed: of whatever is drawn at random.

        Raises:
            Exception: anything; the run counts it as a failure and goes on.
        """
