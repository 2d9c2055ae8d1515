"""How the input features of the posterior network are cut; see `representation`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError

BLOCK = 64
"""Samples over which `level` sums energy before anything else: its finest step."""


@dataclass(frozen=True)
class RepresentationSettings:
    """How the views are cut. Stored with the weights.

    Attributes:
        line_samples: length of each long spectrum; shortened for shorter recordings.
        line_windows: how many long spectra, from the first tenth of a second to the end.
        bins_per_octave: bands per octave of the long spectra.
        lowest_semitones: lowest band of the long spectra, semitones relative to the key.
        highest_hz: highest frequency of all views, or 0.9 of the Nyquist frequency if lower.
        frames: frames of `bands`.
        frame_samples: length of each frame.
        mel_bands: bands of `bands`.
        segments: steps of `level`.
        floor_db: level below which everything is silence.
    """

    line_samples: int = 32768
    line_windows: int = 2
    bins_per_octave: int = 48
    lowest_semitones: float = -32.0
    highest_hz: float = 18000.0
    frames: int = 40
    frame_samples: int = 2048
    mel_bands: int = 64
    segments: int = 64
    floor_db: float = -90.0

    def to_dict(self) -> dict[str, float]:
        """Ready for JSON; `RepresentationSettings(**values)` is the way back."""
        return asdict(self)


def stretched_positions(samples: int, count: int, first_step: float) -> NDArray[np.int64]:
    """Positions from 0 to `samples`, close together at first and then ever farther apart.

    Args:
        samples: the last position.
        count: how many positions, at least 2.
        first_step: distance of the first two. The steps grow by a constant factor.

    Returns:
        Shape (count,), strictly rising from 0 to `samples`.

    Raises:
        InvalidValueError: fewer samples than positions.
    """
    steps = count - 1
    if samples < steps:
        raise InvalidValueError(
            f"A recording of {samples} samples is too short for {count} time steps: render longer."
        )
    if samples <= first_step * steps:
        return np.linspace(0, samples, count).round().astype(np.int64)
    low, high = 1.0, samples / first_step
    for _ in range(200):  # bisection for the factor g with first_step * sum(g^k) = samples
        growth = 0.5 * (low + high)
        total = first_step * np.sum(np.exp(np.arange(steps) * math.log(growth)))
        low, high = (growth, high) if total < samples else (low, growth)
    edges = np.concatenate([[0.0], np.cumsum(first_step * low ** np.arange(steps))])
    edges[-1] = samples
    positions = edges.round().astype(np.int64)
    # Rounding may join neighbours only if a step is below one sample, which first_step forbids.
    return np.asarray(positions)
