"""The one interface behind which every synthesizer stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.parameters import ParameterTable

Seeds = int | Sequence[int] | NDArray[np.integer]


@dataclass(frozen=True)
class RendererInfo:
    """What a renderer says of itself; it travels with everything that was made with it.

    Attributes:
        name: `embedded`, `dawdreamer` or `renderman`.
        version: version of the engine, or of the plug-in and its host.
        repeatable: the same patch, note and seed give the same samples, bit for bit, whatever was
            rendered before and beside them.
        workers: how joblib runs several of these side by side. `threading` where `render` lets go
            of Python's global lock, `loky` (processes) where it does not.
    """

    name: str
    version: str
    repeatable: bool
    workers: Literal["threading", "loky"]


class Renderer(ABC):
    """Turns patches into sound. Renderers can be pickled and then work in another process."""

    @property
    @abstractmethod
    def info(self) -> RendererInfo:
        """Name, version, and whether it repeats itself."""

    @property
    @abstractmethod
    def table(self) -> ParameterTable:
        """The parameters of this synthesizer: what the columns of `patches` mean."""

    @property
    @abstractmethod
    def honoured(self) -> frozenset[str]:
        """Names of the parameters that act on the sound; the others are accepted and ignored."""

    @abstractmethod
    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        """Play one note with each patch.

        Args:
            patches: shape (batch, len(table)), in the units of the table's parameters.
            note: what is played, and for how long it is recorded.
            seeds: one seed for all patches or one for each, shape (batch,). It decides whatever
                stands in no preset: start phases, drift, noise. A renderer that cannot be seeded
                ignores it.

        Returns:
            Shape (batch, note.samples), float32, mono (the mean of the channels), finite.

        Raises:
            InvalidValueError: patches of another width, or not finite.
            RenderError: the synthesizer crashed or returned no audio.
        """

    def close(self) -> None:  # noqa: B027  (most renderers hold nothing)
        """Let go of processes and plug-ins. A closed renderer must not be used again."""
