"""What a spectral distance is made of, and the two forms that have a name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deepdiva.errors import InvalidValueError


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
        for size in self.sizes:
            if not 64 <= size <= 4096 or size & (size - 1):
                raise InvalidValueError(
                    f"STFT size {size!r}: it must be a power of two from 64 to 4096."
                )
        if not 0.0 <= self.overlap < 1.0 or any(
            not (size * (1.0 - self.overlap)).is_integer() for size in self.sizes
        ):
            raise InvalidValueError(
                f"overlap is {self.overlap!r}: it must be from 0 to below 1 and give every size "
                "a whole hop; 0.5 and 0.75 do."
            )
        for name in ("linear_weight", "log_weight", "start_seconds"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0.0:
                raise InvalidValueError(f"{name} is {value!r}: it must be 0 or more.")
        if self.linear_weight == self.log_weight == 0.0:
            raise InvalidValueError("Both weights are 0: one of them must be above 0.")
        if not 1e-6 <= self.floor <= 1.0:
            raise InvalidValueError(f"floor is {self.floor!r}: it must be from 1e-6 to 1.")

    def hop(self, size: int) -> int:
        """Samples from one frame of `size` to the next."""
        return round(size * (1.0 - self.overlap))


FULL = DistanceSettings()
"""The reported form: seven sizes, 75 % overlap."""

SEARCH = DistanceSettings(sizes=(256, 2048), overlap=0.5)
"""The cheap form for a wide search: two sizes, 50 % overlap."""
