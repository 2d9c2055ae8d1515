"""The one interface behind which every synthesizer stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, RenderError
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable

if TYPE_CHECKING:
    from deepdiva.patch_writer import PatchWriter, PresetFile

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
        preferred_batch: patches that are rendered together without waste, at least 1; batches are
            cut at multiples of it.
        cheap_to_copy: computes in the caller's process and holds nothing, so that each worker
            process can have its own, and a render costs milliseconds.
        takes_realizations: `render_realizations` plays with given start phases and noise.
        stereo: `render_stereo` plays both channels.
    """

    name: str
    version: str
    repeatable: bool
    workers: Literal["threading", "loky"]
    quality: str = ""
    preferred_batch: int = 8
    cheap_to_copy: bool = False
    takes_realizations: bool = False
    stereo: bool = False

    @property
    def laws(self) -> str:
        """The version without the digest of constants: networks hear all constants in training."""
        return self.version.partition("+")[0]

    def to_dict(self) -> dict[str, str]:
        """Whatever the sounds depend on, ready for JSON."""
        about = {"name": self.name, "version": self.version}
        return {**about, "quality": self.quality} if self.quality else about


@dataclass(frozen=True)
class Unsupported:
    """A parameter that shapes a patch in the synthesizer itself and does nothing in a renderer.

    Attributes:
        parameter: its name.
        reason: one sentence without a full stop.
    """

    parameter: str
    reason: str


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
    def supported(self) -> frozenset[str]:
        """Names of the parameters that act on the sound; the others are accepted and do nothing."""

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

    def render_stereo(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        """As `render`, both channels: shape (2, batch, note.samples), left first.

        Raises:
            InvalidValueError: the renderer plays one channel alone (`RendererInfo.stereo`).
        """
        del patches, note, seeds
        raise InvalidValueError(f"{self.info.name} plays one channel: say --mono.")

    def uncalibrated(self, patch: NDArray[np.float64]) -> tuple[str, ...]:
        """Parts of the synthesizer that one patch uses and no sound of the original has judged.

        Args:
            patch: shape (len(table),), in units.
        """
        del patch
        return ()

    def unsupported(self, patch: NDArray[np.float64]) -> tuple[Unsupported, ...]:
        """What one patch asks for and this renderer does not do; nothing where it does all.

        Args:
            patch: shape (len(table),), in units.
        """
        del patch
        return ()

    def writer(self, base: PresetFile) -> PatchWriter:
        """What writes patches of this synthesizer as preset files.

        Args:
            base: preset of the synthesizer, for whatever is no parameter; not used where the
                synthesizer makes its files itself.

        Raises:
            RenderError: the synthesizer has no preset format that is known, and makes none.
        """
        from deepdiva.synths import synthesizer_of

        writer = synthesizer_of(self.table).writer(base)
        if writer is None:
            raise RenderError(
                f"{self.info.name} cannot write presets of {self.table.name}: their format is not "
                "known."
            )
        return writer

    def realization_size(self, patch: NDArray[np.float64]) -> int:
        """How many numbers of 0 to 1 a realization of this patch's nuisance variables has.

        Nuisance variables are what stands in no preset: start phases, the place in the noise.

        Args:
            patch: shape (len(table),).

        Raises:
            InvalidValueError: the renderer takes no realizations.
        """
        del patch
        raise self._takes_none()

    def render_realizations(
        self,
        patches: NDArray[np.float64],
        note: Note,
        realizations: NDArray[np.float64],
        seeds: Seeds = 0,
    ) -> NDArray[np.float32]:
        """As `render`, with a realization of the nuisance variables for each patch.

        Args:
            patches: shape (batch, len(table)), all with realizations of one size.
            note: what is played.
            realizations: shape (batch, realization_size), in [0, 1].
            seeds: for whatever a realization does not hold.

        Raises:
            InvalidValueError: the renderer takes no realizations.
        """
        del patches, note, realizations, seeds
        raise self._takes_none()

    def _takes_none(self) -> InvalidValueError:
        return InvalidValueError(f"{self.info.name} takes no realizations: leave them to chance.")

    def exact(self) -> Renderer:
        """The same synthesizer where a render depends on nothing that was rendered before.

        The renderer itself, unless it has a faster way that leaves traces; a new one is the
        caller's to close.
        """
        return self

    def close(self) -> None:  # noqa: B027  (most renderers hold nothing)
        """Let go of processes and plug-ins. A closed renderer must not be used again."""
