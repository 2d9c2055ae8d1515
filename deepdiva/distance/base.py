"""What every distance is to the search: a function of a batch of sounds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import kernels
from deepdiva.distance.plan import LANES
from deepdiva.errors import InvalidValueError

_ROUNDING = 1e-5
"""Distances below this are looked at twice: rounding must not make two equal sounds differ."""


class Distance(ABC):
    """Distance of candidates to one target, whose spectra are computed once.

    Conventions that hold for every distance:

    - Sounds are mono, float32, of the target's length; full scale is 1. Levels count.
    - 0 means the same samples, from `start_seconds` on. Sounds that differ, but in nothing that
      spectra of this precision show (a turned polarity, a change far below the floor or after the
      last frame), get the smallest positive number.
    - Silence is a sound like any other, on either side: the floor takes the place of its spectrum,
      and the result is finite.
    - A candidate with a NaN or an infinity in it lies infinitely far away.
    - A result depends on the candidate and the target alone, not on the rest of the batch. Calls
      from several threads may overlap; the work is done outside Python's global lock.
    """

    def __init__(
        self,
        target: NDArray[np.float32],
        sample_rate: int,
        start_seconds: float,
        longest_frame: int,
        longest_hop: int,
        scratch: int,
    ) -> None:
        """Check the target and fix how sounds are laid out.

        Args:
            target: shape (samples,), float32, finite.
            sample_rate: samples per second.
            start_seconds: the sound before this moment is not looked at.
            longest_frame: samples of the longest STFT frame.
            longest_hop: samples of the longest hop; all hops divide it.
            scratch: numbers of scratch that `_compare` needs.

        Raises:
            InvalidValueError: a target that is not one finite, mono sound, or that ends before
                `start_seconds`.
        """
        target = np.asarray(target, np.float32)
        if target.ndim != 1 or not np.isfinite(target).all():
            raise InvalidValueError(
                f"The target has shape {target.shape}: one mono sound, shape (samples,), with "
                "finite samples is wanted."
            )
        self._samples = target.size
        self._start = round(start_seconds * sample_rate)
        if self._start >= target.size:
            raise InvalidValueError(
                f"start_seconds is {start_seconds:g}, but the target lasts "
                f"{target.size / sample_rate:g} s: choose an earlier start."
            )
        self._heard = target[self._start :].copy()
        self._stretch = longest_hop * math.ceil(self._heard.size / (LANES * longest_hop))
        self._row_count = self._stretch + longest_frame
        self._scratch = scratch

    @final
    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score candidates.

        Args:
            batch: shape (batch, samples), float32.

        Returns:
            Shape (batch,): distances, 0 or more.

        Raises:
            InvalidValueError: another shape.
        """
        if batch.ndim != 2 or batch.shape[1] != self._samples:
            raise InvalidValueError(
                f"Candidates have shape {batch.shape}: (batch, {self._samples}), the length of "
                "the target, is wanted."
            )
        scores = np.empty(len(batch))
        rows = np.empty(self._row_count * LANES, np.float32)
        scratch = np.empty(self._scratch, np.float32)
        for index, candidate in enumerate(batch):
            heard = np.ascontiguousarray(candidate[self._start :], np.float32)
            kernels.lay_out(heard, self._stretch, rows)
            score = self._compare(rows, scratch)
            if score < _ROUNDING:
                same = np.array_equal(heard, self._heard)
                score = 0.0 if same else max(score, float(np.finfo(np.float64).tiny))
            scores[index] = score if math.isfinite(score) else math.inf
        return scores

    @abstractmethod
    def _compare(self, rows: NDArray[np.float32], scratch: NDArray[np.float32]) -> float:
        """Distance of one sound, as `kernels.lay_out` leaves it, to the target.

        Args:
            rows: the sound.
            scratch: numbers to write to, in the number that the constructor was told.
        """

    @final
    def _target_rows(self) -> NDArray[np.float32]:
        """The target, laid out."""
        rows = np.empty(self._row_count * LANES, np.float32)
        kernels.lay_out(self._heard, self._stretch, rows)
        return rows
