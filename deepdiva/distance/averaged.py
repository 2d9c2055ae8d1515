"""The averaged-spectra distance: a judge that forgives how two oscillators happened to beat."""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import kernels
from deepdiva.distance.base import Distance
from deepdiva.distance.plan import LANES, band_table, fourier_plan, logarithmic_bands
from deepdiva.distance.settings import AVERAGED, HIGHEST_BAND_HZ, WINDOWS, AveragedSettings


@final
class AveragedDistance(Distance):
    """Distance of averaged power spectra to those of one target.

    With another seed, a patch gives another waveform: start phases differ, so partials of detuned
    oscillators swell at other moments, and noise is drawn anew. Spectra of single frames then
    differ as much as those of two patches. Their mean over a window differs less, the more beats
    the window holds; partial k of a pair beats k times as fast as the first, so most bins are
    steady after a few tenths of a second (Welch's argument for noise, IEEE Trans. Audio 15, 1967,
    holds for beats too).

    The sound is cut into 32 slices, or fewer where its end does not fill them. For each length of
    `settings.windows`, and for a window that begins with each slice, the mean power spectrum is
    taken over all frames that begin in the window. The distance is the mean over windows and
    lengths of

        bins_weight * mean |log10 A - log10 T| over bins
        + bands_weight * the same over frequency bands + level_weight * the same of the level,

    over the sum of the three weights, where T and A are square roots of the powers of target and
    candidate plus floor^2. A shift of the level by 20 dB is a distance of 1.

    Args:
        target: shape (samples,), float32, finite.
        sample_rate: samples per second.
        settings: the definition.

    Raises:
        InvalidValueError: a target that is not one finite, mono sound, or that ends before
            `settings.start_seconds`.
    """

    def __init__(
        self, target: NDArray[np.float32], sample_rate: int, settings: AveragedSettings = AVERAGED
    ) -> None:
        bands, level = _filters(settings, sample_rate)
        self._level_alone = settings.bins_weight == settings.bands_weight == 0.0
        bins = 0 if self._level_alone else settings.size // 2 + 1
        self._sections = np.cumsum([0, bins, len(bands), len(level)])
        cells = int(self._sections[-1]) * LANES
        self._slices = LANES if self._level_alone else bins * LANES
        super().__init__(
            target,
            sample_rate,
            settings.start_seconds,
            settings.size,
            settings.hop,
            self._slices + max(kernels.scan_scratch(settings.size), 3 * cells),
        )
        self.settings = settings
        self._floor_power = np.float32(settings.floor**2)
        self._plan = fourier_plan(settings.size, settings.hop)
        beside = np.concatenate([bands, level])[:, self._plan.bins]
        self._bands = band_table(beside[:0] if self._level_alone else beside)
        inverse = self._windows()
        self._inverse = np.tile(inverse, 16)
        self._factors = self._weights(inverse)
        self._reference = np.empty((len(WINDOWS), cells), np.float32)
        self._look(self._target_rows(), np.empty(self._scratch, np.float32), learn=True)

    def _compare(self, rows: NDArray[np.float32], scratch: NDArray[np.float32]) -> float:
        sums = self._look(rows, scratch)
        # The kernels' logarithm makes a number of a NaN: look at what it was taken of.
        if not math.isfinite(scratch[: self._slices].sum()):
            return math.inf
        return float((sums * self._factors).sum())

    def _look(
        self, rows: NDArray[np.float32], scratch: NDArray[np.float32], learn: bool = False
    ) -> NDArray[np.float64]:
        """Compare a sound's windows with the target's, or learn them.

        Sums of powers over the frames of each slice are left at the beginning of the scratch: of
        each bin, or of all bins together where the level alone counts.
        """
        slices, rest = scratch[: self._slices], scratch[self._slices :]
        if self._level_alone:
            kernels.scan_levels(rows, self._heard.size, self._stretch, self._plan, slices, rest)
        else:
            no_table = np.empty((self._stretch // self._plan.hop, 0), np.float32)
            kernels.scan(
                rows,
                self._heard.size,
                self._stretch,
                self._plan,
                np.float32(0.0),
                False,
                no_table,
                no_table,
                slices,
                rest,
            )
        sums: NDArray[np.float64] = kernels.compare_windows(
            slices,
            self._bands,
            self._inverse,
            self._floor_power,
            learn,
            self._reference,
            self._sections,
            rest,
        )
        return sums

    def _windows(self) -> NDArray[np.float32]:
        """One over the frames of each window, shape (lengths, 32); 0 where none fits.

        Of a sound with fewer slices than the shortest window has, the longest window that fits
        is taken.
        """
        hop = self._plan.hop
        frames = 1 + max(0, self._heard.size - self.settings.size) // hop
        groups = self._stretch // hop
        counts = np.clip(frames - groups * np.arange(LANES), 0, groups)
        slices = int(np.count_nonzero(counts))
        wanted = [length for length in self.settings.windows if length <= slices]
        if not wanted:
            wanted = [max(length for length in WINDOWS if length <= slices)]
        inverse = np.zeros((len(WINDOWS), LANES), np.float32)
        for row, length in enumerate(WINDOWS):
            if length in wanted:
                places = slices - length + 1
                inside = np.convolve(counts, np.ones(length), "valid")[:places]
                inverse[row, :places] = 1.0 / inside
        return inverse

    def _weights(self, inverse: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each sum of |log2 power| differences counts, shape (lengths, sections)."""
        settings = self.settings
        weights = np.array([settings.bins_weight, settings.bands_weight, settings.level_weight])
        places = np.count_nonzero(inverse, axis=1)
        cells = np.maximum(1, places[:, None] * np.diff(self._sections))
        shares = weights / weights.sum() / np.count_nonzero(places)
        factors: NDArray[np.float64] = kernels.LOG10_OF_SQRT2 * shares / cells
        return factors


def _filters(
    settings: AveragedSettings, sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of the bins in the bands and in the level, empty where they do not count."""
    highest_hz = min(HIGHEST_BAND_HZ, sample_rate / 2)
    lowest_hz = min(settings.lowest_hz, highest_hz / 2)
    bands = logarithmic_bands(settings.size, sample_rate, settings.bands, lowest_hz, highest_hz)
    level = np.ones((1, bands.shape[1]))
    return (
        bands if settings.bands_weight else bands[:0],
        level if settings.level_weight else level[:0],
    )
