"""One plug-in in one process, playing patch after patch, and noticing when it goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import DeepDivaError
from deepdiva.hosts.host import Host
from deepdiva.hosts.loading import Loader
from deepdiva.hosts.render_checks import RenderChecks
from deepdiva.note import Note

_TAIL_SECONDS = 10.0  # of silence after which an old sound that will not end is put up with
_GLANCE = 1024  # samples
_REPEATED = "returned the audio of the patch before"
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
    host: Host, loader: Loader, checks: RenderChecks, row: NDArray[np.float64], note: Note
) -> Attempt:
    """Play a patch after the silence that the last one needs to die away."""
    try:
        loader.load(host, row)
        host.settle(note, _TAIL_SECONDS)
        audio = host.play(note)
    except (RuntimeError, DeepDivaError) as error:  # host libraries raise the former
        return Attempt(_NOT_A_SOUND, f"was refused: {error}", suspect=True)
    fault = checks.fault(audio, note.samples)
    return Attempt(_NOT_A_SOUND, fault) if fault else Attempt(audio)


class Player:
    """Plays many patches in one instance of a plug-in.

    A patch that fails, or returns the very samples of the patch before, is played once more; and
    between the two a *reference* patch that sounded when the player began. If that fails, the
    plug-in is broken, and the patch deserves another process. If it sounds, a silence is the
    patch's own; and two patches sound alike indeed, unless the second try returns what was played
    in between.

    Args:
        reference: row of a patch that is expected to sound, such as the plug-in's own default.
    """

    def __init__(
        self,
        host: Host,
        loader: Loader,
        checks: RenderChecks,
        reference: NDArray[np.float64],
        note: Note,
    ) -> None:
        self._host, self._loader, self._checks, self._note = host, loader, checks, note
        self._reference = reference
        # The first render after loading differs from all later ones in most plug-ins.
        self._once(reference)
        self._reference_sounds = not self._once(reference).fault
        self._before = _NOT_A_SOUND
        self._row_before = reference

    def play(self, row: NDArray[np.float64]) -> Attempt:
        """Play a patch, if need be twice."""
        first = self._once(row)
        repeats = _same_audio(first.audio, self._before)
        if first.fault or (repeats and not np.array_equal(row, self._row_before)):
            return self._again(row, first)
        return self._noted(row, first)

    def _again(self, row: NDArray[np.float64], first: Attempt) -> Attempt:
        """The second try, with something in between that differs from the first."""
        if not self._reference_sounds:
            return self._noted(row, self._once(row))
        between = self._once(self._reference)
        if _same_audio(between.audio, first.audio):
            between = self._once(self._reference, self._other_note)
        if between.fault or _same_audio(between.audio, first.audio):
            fault = between.fault or "sounds the same whatever is played"
            return Attempt(
                _NOT_A_SOUND,
                f"{first.fault or _REPEATED}; then the reference patch {fault}",
                suspect=True,
            )
        second = self._once(row)
        if _same_audio(second.audio, between.audio):
            return Attempt(_NOT_A_SOUND, _REPEATED)
        return self._noted(row, second)

    def _once(self, row: NDArray[np.float64], note: Note | None = None) -> Attempt:
        return play_once(self._host, self._loader, self._checks, row, note or self._note)

    def _noted(self, row: NDArray[np.float64], attempt: Attempt) -> Attempt:
        self._before, self._row_before = attempt.audio, row
        return attempt

    @property
    def _other_note(self) -> Note:
        pitch = self._note.pitch
        return replace(self._note, pitch=pitch + 7 if pitch < 64 else pitch - 7)


def _same_audio(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether two renders agree in all samples; almost always the first few tell."""
    return (
        bool(one.size)
        and np.array_equal(one[:_GLANCE], other[:_GLANCE])
        and np.array_equal(one, other)
    )
