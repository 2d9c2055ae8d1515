"""What the distances are made of, and the forms that have a name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deepdiva.errors import InvalidValueError

WINDOWS = (1, 2, 4, 8, 16)
"""Lengths that a window of averaged spectra can have, in slices of a 32nd of the sound."""

HIGHEST_BAND_HZ = 16000.0
"""Upper edge of the highest frequency band, or half the sample rate if that is lower."""


@dataclass(frozen=True)
class DistanceSettings:
    """Definition of a multi-scale spectral distance.

    Attributes:
        sizes: STFT sizes in samples, powers of two from 64 to 4,096, each once.
        overlap: share of a frame that the next one repeats, 0 to below 1; with it the hop,
            `size * (1 - overlap)`, must be a whole number of samples.
        linear_weight: weight of the linear term, 0 or more.
        log_weight: weight of the logarithmic term, 0 or more; one of the two is above 0.
        floor: amplitude below which sounds count as silent, 1e-6 (where rounding begins) to 1.
        start_seconds: the sound before this moment is not looked at, 0 or more.

    Raises:
        InvalidValueError: a value outside its range.
    """

    sizes: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048, 4096)
    overlap: float = 0.75
    linear_weight: float = 1.0
    log_weight: float = 1.0
    floor: float = 1e-4
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not self.sizes or len(set(self.sizes)) != len(self.sizes):
            raise InvalidValueError(f"sizes are {self.sizes!r}: name at least one, each once.")
        _check_stft(self.sizes, self.overlap)
        _check_weights(linear_weight=self.linear_weight, log_weight=self.log_weight)
        _check_floor_and_start(self.floor, self.start_seconds)

    def hop(self, size: int) -> int:
        """Samples from one frame of `size` to the next."""
        return round(size * (1.0 - self.overlap))


@dataclass(frozen=True)
class AveragedSettings:
    """Definition of an averaged-spectra distance.

    Attributes:
        size: STFT size in samples, a power of two from 64 to 4,096.
        overlap: share of a frame that the next one repeats, 0 to below 1; the hop,
            `size * (1 - overlap)`, must be a whole number of samples.
        windows: lengths of the windows in slices, 32 of which cover the sound: any of 1, 2, 4, 8
            and 16, each once.
        bins_weight: weight of the STFT bins, 0 or more; one of the three weights is above 0.
        bands_weight: weight of logarithmic frequency bands, 0 or more.
        level_weight: weight of the level of the whole spectrum, 0 or more.
        bands: number of frequency bands, 1 to 256.
        lowest_hz: lower edge of the lowest band, above 0 and below 16,000.
        floor: amplitude below which sounds count as silent, 1e-6 (where rounding begins) to 1.
        start_seconds: the sound before this moment is not looked at, 0 or more.

    Raises:
        InvalidValueError: a value outside its range.
    """

    size: int = 2048
    overlap: float = 0.5
    windows: tuple[int, ...] = (4, 8, 16)
    bins_weight: float = 1.0
    bands_weight: float = 0.1
    level_weight: float = 0.0
    bands: int = 48
    lowest_hz: float = 40.0
    floor: float = 1e-4
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        _check_stft((self.size,), self.overlap)
        windows = set(self.windows)
        if not windows <= set(WINDOWS) or not windows or len(windows) != len(self.windows):
            raise InvalidValueError(
                f"windows are {self.windows!r}: name some of {WINDOWS}, each once."
            )
        _check_weights(
            bins_weight=self.bins_weight,
            bands_weight=self.bands_weight,
            level_weight=self.level_weight,
        )
        if not 1 <= self.bands <= 256:
            raise InvalidValueError(f"bands is {self.bands!r}: it must be from 1 to 256.")
        if not 0.0 < self.lowest_hz < HIGHEST_BAND_HZ:
            raise InvalidValueError(
                f"lowest_hz is {self.lowest_hz!r}: it must be above 0 and below "
                f"{HIGHEST_BAND_HZ:g} Hz."
            )
        _check_floor_and_start(self.floor, self.start_seconds)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.size * (1.0 - self.overlap))


def _check_stft(sizes: tuple[int, ...], overlap: float) -> None:
    for size in sizes:
        if not 64 <= size <= 4096 or size & (size - 1):
            raise InvalidValueError(
                f"STFT size {size!r}: it must be a power of two from 64 to 4096."
            )
    if not 0.0 <= overlap < 1.0 or any(not (size * (1.0 - overlap)).is_integer() for size in sizes):
        raise InvalidValueError(
            f"overlap is {overlap!r}: it must be from 0 to below 1 and give every size a whole "
            "hop; 0.5 and 0.75 do."
        )


def _check_weights(**weights: float) -> None:
    for name, value in weights.items():
        if not math.isfinite(value) or value < 0.0:
            raise InvalidValueError(f"{name} is {value!r}: it must be 0 or more.")
    if not any(weights.values()):
        raise InvalidValueError(f"{', '.join(weights)} are all 0: one must be above 0.")


def _check_floor_and_start(floor: float, start_seconds: float) -> None:
    if not 1e-6 <= floor <= 1.0:
        raise InvalidValueError(f"floor is {floor!r}: it must be from 1e-6 to 1.")
    if not math.isfinite(start_seconds) or start_seconds < 0.0:
        raise InvalidValueError(f"start_seconds is {start_seconds!r}: it must be 0 or more.")


FULL = DistanceSettings()
"""The reported form: seven sizes, 75 % overlap."""

SEARCH = DistanceSettings(sizes=(256, 2048), overlap=0.5)
"""The cheap form for a wide search: two sizes, 50 % overlap."""

AVERAGED = AveragedSettings()
"""The default judge: ranks with the best in `benchmarks/objective_ranking.py`.

Bins alone rank as well; the tenth of bands helped searches to find the patch (24 engine sounds,
CMA, 800 evaluations, pitch roughly known: median error of the resonance 3 % of its range, not 6 %).
"""
