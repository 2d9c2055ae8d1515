"""The sounds of an evaluation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.synths.diva.preset import Preset


@dataclass(frozen=True, eq=False)
class Sound:
    """One sound that methods have to match.

    Attributes:
        name: unique in the run, usable as a file name.
        audio: shape (note.samples,), float32, mono, full scale 1.0, at the
            note's sample rate.
        preset: what made it; None where nobody knows.
        source: file, or the name of the test set.
        report: what was done to the recording to make it a target, one sentence each.
        note: that it holds; None where it is the run's.
        further: other notes of the same source, and how they sound.
    """

    name: str
    audio: NDArray[np.float32]
    preset: Preset | None = None
    source: str = ""
    report: tuple[str, ...] = field(default=())
    note: Note | None = None
    further: tuple[tuple[Note, NDArray[np.float32]], ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of samples and preset, 16 hexadecimal digits: results belong to it."""
        digest = hashlib.sha256(np.ascontiguousarray(self.audio, "<f4").tobytes())
        if self.preset is not None:
            digest.update(self.preset.to_bytes())
        if self.note is not None:
            digest.update(repr(self.note).encode())
        for note, audio in self.further:
            digest.update(repr(note).encode() + np.ascontiguousarray(audio, "<f4").tobytes())
        return digest.hexdigest()[:16]

    def seeds(self, seed: int, count: int) -> list[int]:
        """Seeds that depend on the run's seed and the sound's name, and on no other sound."""
        return seeds_for(self.name, seed, count)


def seeds_for(name: str, seed: int, count: int) -> list[int]:
    """Seeds that belong to a name.

    Args:
        name: of whatever they are for.
        seed: of the run.
        count: how many.

    Returns:
        Numbers from 0 to 2^31 - 1. The first k of a longer list are the shorter list.
    """
    own = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    state = np.random.SeedSequence([seed, own]).generate_state(count, np.uint32)
    return [int(value >> 1) for value in state]
