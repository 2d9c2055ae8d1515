"""The one interface behind which every synthesizer stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
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
        quality: how carefully it computes, where one can choose; empty elsewhere. The same patch
            sounds slightly different with another.
    """

    name: str
    version: str
    repeatable: bool
    workers: Literal["threading", "loky"]
    quality: str = ""

    def to_dict(self) -> dict[str, str]:
        """Whatever the sounds depend on, ready for JSON."""
        about = {"name": self.name, "version": self.version}
        return {**about, "quality": self.quality} if self.quality else about


@dataclass(frozen=True)
class Failure:
    """A patch that the synthesizer could not play.

    Attributes:
        row: of the patch in its batch.
        reason: what happened, as the second half of a sentence: `crashed with SIGSEGV`.
    """

    row: int
    reason: str


@dataclass(frozen=True, eq=False)
class RenderBatch:
    """Audio of a batch in which some patches may have failed.

    Attributes:
        audio: shape (batch, samples), float32; silence in the rows that failed.
        failures: in order of their rows.
    """

    audio: NDArray[np.float32]
    failures: tuple[Failure, ...] = ()

    @property
    def played(self) -> NDArray[np.bool_]:
        """Which rows hold audio, shape (batch,)."""
        mask = np.ones(len(self.audio), dtype=np.bool_)
        mask[[failure.row for failure in self.failures]] = False
        return mask


class PartialRenderError(RenderError):
    """Some patches of a batch failed; the others did not.

    Attributes:
        batch: what was rendered, and what was not.
    """

    def __init__(self, batch: RenderBatch) -> None:
        first = batch.failures[0]
        more = f", and {len(batch.failures) - 1} more failed" if len(batch.failures) > 1 else ""
        super().__init__(f"Patch {first.row} of {len(batch.audio)} {first.reason}{more}.")
        self.batch = batch

    def __reduce__(self) -> tuple[type[PartialRenderError], tuple[RenderBatch]]:
        return type(self), (self.batch,)


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
            PartialRenderError: the synthesizer crashed, hung or returned no audio for some patches;
                a caller that can do without them asks `render_checked`.
            RenderError: the synthesizer cannot play at all.
        """

    def render_checked(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> RenderBatch:
        """Play one note with each patch, and go on where one fails.

        Takes what `render` takes, and raises what it raises but for `PartialRenderError`.
        """
        try:
            return RenderBatch(self.render(patches, note, seeds))
        except PartialRenderError as failures:
            return failures.batch

    def exact(self) -> Renderer:
        """The same synthesizer where a render depends on nothing that was rendered before.

        The renderer itself, unless it has a faster way that leaves traces; a new one is the
        caller's to close.
        """
        return self

    def close(self) -> None:  # noqa: B027  (most renderers hold nothing)
        """Let go of processes and plug-ins. A closed renderer must not be used again."""


@runtime_checkable
class StruckRenderer(Protocol):
    """A renderer that can be told how a note is struck: start phases, place in the noise."""

    def strike_size(self, patch: NDArray[np.float64]) -> int:
        """How many numbers of 0 to 1 a strike of this patch has.

        Args:
            patch: shape (len(table),).
        """

    def render_struck(
        self,
        patches: NDArray[np.float64],
        note: Note,
        strikes: NDArray[np.float64],
        seeds: Seeds = 0,
    ) -> NDArray[np.float32]:
        """As `Renderer.render`, with a strike for each patch.

        Args:
            patches: shape (batch, len(table)), all with strikes of one size.
            note: what is played.
            strikes: shape (batch, strike_size), in [0, 1].
            seeds: for whatever a strike does not hold.
        """
