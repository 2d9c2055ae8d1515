"""Several notes with one patch, one after the other, as one sound.

So several recordings of one instrument are one target: whatever searches, scores, records and draws
needs to know nothing of it. What one note can never tell, several do: how cutoff and times follow
the key, and what the velocity does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.renderer import (
    Failure,
    PartialRenderError,
    RenderBatch,
    Renderer,
    RendererInfo,
    Seeds,
    Unsupported,
)


def sequence_note(notes: Sequence[Note]) -> Note:
    """A note that lasts as long as several; key and velocity are those of the first.

    Args:
        notes: at least one, all of one sample rate.

    Raises:
        InvalidValueError: no note, or notes of several sample rates.
    """
    if not notes or len({note.sample_rate for note in notes}) > 1:
        raise InvalidValueError("Notes that are played one after the other need one sample rate.")
    seconds = sum(note.samples for note in notes) / notes[0].sample_rate
    return replace(notes[0], length_seconds=seconds, render_seconds=seconds)


def pieces(notes: Sequence[Note]) -> tuple[slice, ...]:
    """Where the sound of each note lies in that of all."""
    ends = np.cumsum([note.samples for note in notes]).tolist()
    return tuple(slice(end - note.samples, end) for note, end in zip(notes, ends, strict=True))


class SequenceRenderer(Renderer):
    """Plays several notes one after the other with each patch.

    Args:
        renderer: plays each of them.
        notes: what is played; `render` takes `sequence_note(notes)`.
    """

    def __init__(self, renderer: Renderer, notes: Sequence[Note]) -> None:
        self._renderer = renderer
        self._notes = tuple(notes)
        self._whole = sequence_note(notes)

    @property
    def info(self) -> RendererInfo:
        """That of the renderer; a sequence takes no realizations."""
        return replace(self._renderer.info, takes_realizations=False, stereo=False)

    @property
    def table(self) -> ParameterTable:
        """That of the renderer."""
        return self._renderer.table

    @property
    def supported(self) -> frozenset[str]:
        """Those of the renderer."""
        return self._renderer.supported

    def unsupported(self, patch: NDArray[np.float64]) -> tuple[Unsupported, ...]:
        """As the renderer says."""
        return self._renderer.unsupported(patch)

    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        """Play all notes with each patch; see `Renderer.render`.

        A patch that fails with one note has failed.

        Raises:
            InvalidValueError: another note than that of the sequence.
        """
        if note != self._whole:
            raise InvalidValueError(f"The sequence lasts {self._whole.render_seconds:g} s: {note}.")
        batches = [self._renderer.render_checked(patches, own, seeds) for own in self._notes]
        audio = np.concatenate([batch.audio for batch in batches], axis=1)
        failed: dict[int, Failure] = {}
        for failure in (failure for batch in batches for failure in batch.failures):
            failed.setdefault(failure.row, failure)
        if failed:
            audio[list(failed)] = 0.0
            failures = tuple(failed[row] for row in sorted(failed))
            raise PartialRenderError(RenderBatch(audio, failures))
        return audio

    def exact(self) -> Renderer:
        """The sequence where a render depends on nothing that was rendered before."""
        exact = self._renderer.exact()
        return self if exact is self._renderer else SequenceRenderer(exact, self._notes)

    def close(self) -> None:
        """Close the renderer."""
        self._renderer.close()
