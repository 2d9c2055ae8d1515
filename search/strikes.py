"""What one strike of a patch owes to chance, as numbers that can be given.

Where two oscillators beat, the phases they start with shape the sound, and no preset holds them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine import EmbeddedRenderer, Nuisance
from deepdiva.note import Note
from deepdiva.parameters import DIVA


class Strikes(ABC):
    """A synthesizer whose chances can be given. It can be pickled, as renderers can."""

    @abstractmethod
    def dimensions(self, patch: NDArray[np.float64]) -> int:
        """How many chances a patch, shape (len(table),), has."""

    @abstractmethod
    def render(
        self, patch: NDArray[np.float64], chances: NDArray[np.float64], note: Note, seed: int
    ) -> NDArray[np.float32]:
        """Strike one patch with given chances.

        Args:
            patch: shape (len(table),), in units.
            chances: shape (batch, dimensions), in [0, 1]. They go round in circles: the sound
                at 0.25 is that at 0.75, and what lies between is a full turn.
            note: what is played.
            seed: of whatever else is drawn.

        Returns:
            Shape (batch, note.samples), float32.
        """


@final
class PhaseStrikes(Strikes):
    """Start phases of the embedded engine's oscillators, two for each stacked voice.

    Args:
        engine: plays the patches.
    """

    def __init__(self, engine: EmbeddedRenderer) -> None:
        self._engine = engine

    def dimensions(self, patch: NDArray[np.float64]) -> int:
        return 2 * _voices(patch)

    def render(
        self, patch: NDArray[np.float64], chances: NDArray[np.float64], note: Note, seed: int
    ) -> NDArray[np.float32]:
        # Two turns for the whole range: no search has to cross an edge to come full circle.
        phases = np.mod(2.0 * chances, 1.0).reshape(len(chances), _voices(patch), 2)
        patches = np.repeat(patch[None], len(chances), axis=0)
        return self._engine.render(patches, note, seed, Nuisance(phases=phases))


def _voices(patch: NDArray[np.float64]) -> int:
    """Voices that one key sounds."""
    return int(np.clip(np.rint(patch[DIVA.index("VCC.Voicing")]), 1, 6))
