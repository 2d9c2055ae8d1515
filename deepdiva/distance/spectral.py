"""The multi-scale spectral distance."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from deepdiva.distance import kernels
from deepdiva.distance.settings import FULL, DistanceSettings
from deepdiva.errors import InvalidValueError


class SpectralDistance:
    """Distance of candidates to one target, whose spectra are computed once."""

    def __init__(
        self, target: NDArray[np.float32], sample_rate: int, settings: DistanceSettings = FULL
    ) -> None:
        self.settings = settings
        self._start = round(settings.start_seconds * sample_rate)
        self._target = np.ascontiguousarray(target, np.float32)
        self._floor_power = np.float32(settings.floor**2)
        self._scales = []
        for size in settings.sizes:
            window = np.hanning(size + 1)[:-1]
            window = (window * 2.0 / window.sum()).astype(np.float32)
            spectra = self._spectra(self._target, window, settings.hop(size))
            linear = np.empty(spectra.size // 2, np.float32)
            logarithmic = np.empty_like(linear)
            kernels.magnitudes(spectra, self._floor_power, linear, logarithmic)
            self._scales.append((window, linear, logarithmic, float(linear.sum(dtype=float))))

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        """Distances, shape (batch,), of candidates, shape (batch, samples)."""
        if batch.ndim != 2 or batch.shape[1] != self._target.size:
            raise InvalidValueError(
                f"Candidates have shape {batch.shape}: (batch, {self._target.size}) is wanted."
            )
        return np.array([self._one(np.ascontiguousarray(row, np.float32)) for row in batch])

    def _one(self, audio: NDArray[np.float32]) -> float:
        if np.array_equal(audio, self._target):
            return 0.0
        total = 0.0
        for window, linear, logarithmic, linear_total in self._scales:
            spectra = self._spectra(audio, window, self.settings.hop(window.size))
            linear_sum, log_sum = kernels.difference(
                spectra, self._floor_power, linear, logarithmic
            )
            total += self.settings.linear_weight * linear_sum / linear_total
            total += self.settings.log_weight * log_sum / linear.size
        return max(total / len(self._scales), np.finfo(np.float64).tiny)

    def _spectra(
        self, audio: NDArray[np.float32], window: NDArray[np.float32], hop: int
    ) -> NDArray[np.float32]:
        count = 1 + (audio.size - self._start - window.size) // hop
        frames = np.empty((count, window.size), np.float32)
        kernels.cut_frames(audio[self._start :], window, hop, frames)
        return scipy.fft.rfft(frames, axis=1, workers=1).view(np.float32).ravel()
