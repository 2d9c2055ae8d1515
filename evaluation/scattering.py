"""A distance of wavelet scattering coefficients.

Scattering averages the moduli of wavelet transforms over time, and again those of the moduli:
small shifts hardly count, while amplitude modulation within the window stays visible in the second
order. Sources: J. Andén and S. Mallat, "Deep scattering spectrum", IEEE TSP 62 (2014); the
logarithm with a floor and the relative norm after V. Lostanlen et al., "Time-frequency scattering
accurately models auditory similarities between instrumental playing techniques", EURASIP JASMP
2021, who scatter jointly in time and frequency, which this does not. Computed by kymatio (M.
Andreux et al., JMLR 21, 2020).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepdiva.evaluation.optional import require

if TYPE_CHECKING:
    from collections.abc import Callable

Audio = NDArray[np.float32]
Array = NDArray[np.float64]

RATE = 22050
OCTAVES = 11
"""The window is 2^11 samples of `RATE`, 93 ms: start phases of oscillators hardly count."""

WAVELETS_AN_OCTAVE = 8

FLOOR = 1e-3
"""Of the target's largest coefficient, for each order; where the logarithm becomes linear."""


def scattering_distance(target: Audio, match: Audio, sample_rate: int) -> float:
    """Norm of the difference of log scattering coefficients over that of the target's.

    Coefficients S of the first and second order become log(1 + S / floor), with a floor a
    thousandth of the target's largest one of that order. Lower is better; level counts; silence
    is 1.

    Args:
        target: shape (samples,), not silent.
        match: the same shape.
        sample_rate: samples per second; both are resampled to `RATE`.

    Raises:
        MissingFeatureError: kymatio is not installed.
    """
    wanted = _of_target(target.tobytes(), sample_rate)
    got = _coefficients(match, sample_rate)
    squares = [0.0, 0.0]
    for of_target, of_match in zip(wanted, got, strict=True):
        floor = max(FLOOR * float(of_target.max(initial=0.0)), np.finfo(np.float64).tiny)
        logarithm = np.log1p(of_target / floor)
        squares[0] += float(np.sum((logarithm - np.log1p(of_match / floor)) ** 2))
        squares[1] += float(np.sum(logarithm**2))
    return float(np.sqrt(squares[0] / squares[1]))


@lru_cache(maxsize=2)
def _of_target(target: bytes, sample_rate: int) -> tuple[Array, Array]:
    """Each of a target's matches asks for the same."""
    return _coefficients(np.frombuffer(target, np.float32), sample_rate)


def _coefficients(sound: Audio, sample_rate: int) -> tuple[Array, Array]:
    """Coefficients of the first and of the second order, each (paths, frames), at least 0."""
    import soxr

    wide = sound.astype(np.float64)
    if sample_rate != RATE:
        wide = soxr.resample(wide, sample_rate, RATE)
    wide = np.pad(wide, (0, max(0, (1 << OCTAVES) - len(wide))))
    scatter, orders = _scattering(len(wide))
    paths = np.maximum(scatter(wide), 0.0)
    return paths[orders == 1], paths[orders == 2]


@lru_cache(maxsize=2)
def _scattering(samples: int) -> tuple[Callable[[Array], Array], NDArray[np.int64]]:
    """The transform for a length, and the order of each of its paths."""
    # The package's own front door imports what scipy no longer has.
    module = require("kymatio.scattering1d.frontend.numpy_frontend", "kymatio")
    transform = module.ScatteringNumPy1D(J=OCTAVES, shape=(samples,), Q=WAVELETS_AN_OCTAVE)
    return transform, np.asarray(transform.meta()["order"])
