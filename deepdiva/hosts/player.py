"""One plug-in in one process, playing patch after patch, and noticing when it goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import DeepDivaError
from deepdiva.hosts.gates import Gates
from deepdiva.hosts.host import Host
from deepdiva.hosts.loading import Loader
from deepdiva.note import Note

_TAIL_SECONDS = 10.0  # of silence after which an old sound that will not end is put up with
_GLANCE = 1024  # samples
_NOT_A_SOUND = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class Attempt:
    """What became of a patch.

    Attributes:
        audio: shape (samples,); empty if it failed.
        fault: why it failed; empty if it did not.
        suspect: the plug-in may be broken, not the patch: a new process should try.
    """

    audio: NDArray[np.float32]
    fault: str = ""
    suspect: bool = False


def play_once(
    host: Host, loader: Loader, gates: Gates, row: NDArray[np.float64], note: Note
) -> Attempt:
    """Play a patch after the silence that the last one needs to die away."""
    try:
        loader.load(host, row)
        host.hush(_TAIL_SECONDS)
        audio = host.play(note)
    except (RuntimeError, DeepDivaError) as error:  # host libraries raise the former
        return Attempt(_NOT_A_SOUND, f"was refused: {error}", suspect=True)
    fault = gates.fault(audio, note.samples)
    return Attempt(_NOT_A_SOUND, fault) if fault else Attempt(audio)


class Player:
    """Plays many patches in one instance of a plug-in.

    A patch that fails is played once more, and between the two a *reference* patch that sounded
    when the player began. If the reference fails too, the plug-in is broken, and the patch deserves
    another process. If not, a silence is the patch's own. The same holds for a patch that returns
    the very samples of the one before: after the reference it must differ from the reference.

    Args:
        reference: row of a patch that is expected to sound, such as the plug-in's own default.
    """

    def __init__(
        self, host: Host, loader: Loader, gates: Gates, reference: NDArray[np.float64], note: Note
    ) -> None:
        self._host, self._loader, self._gates, self._note = host, loader, gates, note
        self._reference = reference
        self._before = _NOT_A_SOUND
        self._row_before = reference
        # The first render after loading differs from all later ones in most plug-ins.
        play_once(host, loader, gates, reference, note)
        self._reference_sounds = not self._attempt(reference).fault

    def play(self, row: NDArray[np.float64]) -> Attempt:
        """Play a patch, if need be twice."""
        first = self._attempt(row)
        if not first.fault:
            return first
        if self._reference_sounds:
            reference = self._attempt(self._reference)
            if reference.fault:
                fault = f"{first.fault}; then the reference patch {reference.fault}"
                return Attempt(_NOT_A_SOUND, fault, suspect=True)
        return self._attempt(row)

    def _attempt(self, row: NDArray[np.float64]) -> Attempt:
        attempt = play_once(self._host, self._loader, self._gates, row, self._note)
        if attempt.fault:
            return attempt
        same_patch = np.array_equal(row, self._row_before)
        if not same_patch and _same_audio(attempt.audio, self._before):
            return Attempt(_NOT_A_SOUND, "returned the audio of the patch before")
        self._before, self._row_before = attempt.audio, row
        return attempt


def _same_audio(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether all samples agree; almost always the first few tell."""
    return np.array_equal(one[:_GLANCE], other[:_GLANCE]) and np.array_equal(one, other)
