"""Sounds that one may not want: silent, clipping, not finite, or never played at all.

They are found by level, recorded with each sound, counted, and kept or redrawn as the settings
say. Nothing is dropped in silence.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntFlag
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.data.checksum import crc32_of_folded
from deepdiva.errors import InvalidValueError
from deepdiva.renderer import RenderBatch

SILENT_PEAK = 1e-4
"""A sound whose peak stays below this, -80 dB of full scale, is silent."""

CLIPPING_PEAK = 1.0
"""A sound whose peak exceeds this would clip in a file of whole numbers. float32 holds it."""

Treatment = Literal["keep", "redraw"]


class Fault(IntFlag):
    """What is wrong with a sound; stored with each sound as a sum."""

    SILENT = 1
    CLIPPING = 2
    NON_FINITE = 4
    FAILED = 8


FAULT_NAMES = {
    Fault.SILENT: "silent",
    Fault.CLIPPING: "clipping",
    Fault.NON_FINITE: "non_finite",
    Fault.FAILED: "failed",
}


@dataclass(frozen=True)
class QualityPolicy:
    """What to do with faulty sounds.

    Attributes:
        silent: `keep` or `redraw` sounds with a peak below `SILENT_PEAK`.
        clipping: `keep` or `redraw` sounds with a peak above `CLIPPING_PEAK`.
        non_finite: `keep` or `redraw` sounds that hold NaN or infinity.
        failed: `redraw` patches that the synthesizer could not play, or `keep` silence in their
            place. A plug-in that plays nothing has failed in the eyes of its host.
        redraws: how often a sound is drawn anew before the run gives up, 1 to 65,535.

    Raises:
        InvalidValueError: another word, or a number outside its range.
    """

    silent: Treatment = "keep"
    clipping: Treatment = "keep"
    non_finite: Treatment = "redraw"
    failed: Treatment = "redraw"
    redraws: int = 100

    def __post_init__(self) -> None:
        for name in FAULT_NAMES.values():
            if getattr(self, name) not in ("keep", "redraw"):
                raise InvalidValueError(
                    f"{name} is {getattr(self, name)!r}: it must be 'keep' or 'redraw'."
                )
        if not 1 <= self.redraws <= 65535:
            raise InvalidValueError(f"redraws is {self.redraws!r}: it must be from 1 to 65535.")

    @property
    def refused(self) -> int:
        """Sum of the faults for which a sound is redrawn."""
        return sum(
            fault.value for fault, name in FAULT_NAMES.items() if getattr(self, name) == "redraw"
        )

    def to_dict(self) -> dict[str, object]:
        """The policy with the levels that define its words, ready for JSON."""
        return {**asdict(self), "silent_peak": SILENT_PEAK, "clipping_peak": CLIPPING_PEAK}


@dataclass(frozen=True)
class Levels:
    """What is found in one pass over a batch of sounds; levels in full scale.

    Attributes:
        peak: largest magnitude, shape (batch,).
        rms: root of the mean square, shape (batch,).
        faults: sum of `Fault`, shape (batch,).
        crc32: checksum of all samples, one sound after the other, as they lie in memory.
    """

    peak: NDArray[np.float32]
    rms: NDArray[np.float32]
    faults: NDArray[np.uint8]
    crc32: int


def levels(batch: RenderBatch) -> Levels:
    """Measure sounds, at least one, of at least one sample."""
    from deepdiva.data.sound_kernel import measured

    audio = np.ascontiguousarray(batch.audio)
    peak_bits, energy, folded = measured(audio, audio.view(np.int32))
    peak = peak_bits.view(np.float32)
    finite = np.isfinite(peak)
    faults = np.where(peak < SILENT_PEAK, Fault.SILENT, 0)
    faults |= np.where(finite & (peak > CLIPPING_PEAK), Fault.CLIPPING, 0)
    faults |= np.where(finite, 0, Fault.NON_FINITE)
    faults |= np.where(batch.played, 0, Fault.FAILED)
    rms = np.sqrt(energy / audio.shape[1])
    return Levels(peak, rms, faults.astype(np.uint8), crc32_of_folded(folded))
