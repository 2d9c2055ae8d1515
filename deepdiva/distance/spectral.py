"""The multi-scale spectral distance: the figure that reports quote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import kernels
from deepdiva.distance.base import Distance
from deepdiva.distance.plan import LANES, FourierPlan, fourier_plan
from deepdiva.distance.settings import FULL, DistanceSettings

_NO_TOTAL = np.empty(0, np.float32)


@dataclass(frozen=True)
class _Scale:
    """One STFT size and the target's spectra in it.

    Attributes:
        plan: tables of the transform.
        linear: shape (groups, bins * 32): amplitudes.
        logarithmic: the same shape: log2 of the powers.
        linear_total: sum of the amplitudes.
        cells: bins of all frames together.
    """

    plan: FourierPlan
    linear: NDArray[np.float32]
    logarithmic: NDArray[np.float32]
    linear_total: float
    cells: int


@final
class SpectralDistance(Distance):
    """Multi-scale spectral distance to one target.

    The mean over STFT sizes of

        log_weight * mean |log10 A - log10 T| + linear_weight * sum |A - T| / sum T

    where T are the target's and A the candidate's amplitudes in all bins of all frames that fit
    into the sound, Hann window, scaled so that a sine of full scale has amplitude 1 in its bin,
    and floored: sqrt(|X|^2 + floor^2). A shift of the level by 20 dB makes the logarithmic term 1
    where all bins are above the floor. The linear term is the L1 form of spectral convergence.
    Against a silent target, sum T is the floor times the number of bins.

    Args:
        target: shape (samples,), float32, finite; a sound shorter than an STFT size is padded with
            zeros to one frame.
        sample_rate: samples per second.
        settings: the definition; `FULL` is the reported one.

    Raises:
        InvalidValueError: a target that is not one finite, mono sound, or that ends before
            `settings.start_seconds`.
    """

    def __init__(
        self, target: NDArray[np.float32], sample_rate: int, settings: DistanceSettings = FULL
    ) -> None:
        longest = max(settings.sizes)
        super().__init__(
            target,
            sample_rate,
            settings.start_seconds,
            longest,
            settings.hop(longest),
            kernels.scan_scratch(longest),
        )
        self.settings = settings
        self._floor_power = np.float32(settings.floor**2)
        rows = self._target_rows()
        self._scales = [self._learn(rows, size) for size in settings.sizes]

    def _compare(self, rows: NDArray[np.float32], scratch: NDArray[np.float32]) -> float:
        total = 0.0
        for scale in self._scales:
            linear, logarithmic = self._scan(
                rows, scale.plan, scale.linear, scale.logarithmic, scratch
            )
            total += self.settings.linear_weight * linear / scale.linear_total
            total += self.settings.log_weight * logarithmic * kernels.LOG10_OF_SQRT2 / scale.cells
        return total / len(self._scales)

    def _learn(self, rows: NDArray[np.float32], size: int) -> _Scale:
        plan = fourier_plan(size, self.settings.hop(size))
        bins = size // 2 + 1
        frames = 1 + max(0, self._heard.size - size) // plan.hop
        linear = np.empty((self._stretch // plan.hop, bins * LANES), np.float32)
        logarithmic = np.empty_like(linear)
        scratch = np.empty(kernels.scan_scratch(size), np.float32)
        self._scan(rows, plan, linear, logarithmic, scratch, learn=True)
        missing = linear.size // bins - frames
        floor = float(np.sqrt(self._floor_power))
        return _Scale(
            plan=plan,
            linear=linear,
            logarithmic=logarithmic,
            linear_total=float(linear.sum(dtype=np.float64)) - missing * bins * floor,
            cells=frames * bins,
        )

    def _scan(
        self,
        rows: NDArray[np.float32],
        plan: FourierPlan,
        linear: NDArray[np.float32],
        logarithmic: NDArray[np.float32],
        scratch: NDArray[np.float32],
        learn: bool = False,
    ) -> tuple[float, float]:
        sums: tuple[float, float] = kernels.scan(
            rows,
            self._heard.size,
            self._stretch,
            plan,
            self._floor_power,
            learn,
            linear,
            logarithmic,
            _NO_TOTAL,
            scratch,
        )
        return sums
