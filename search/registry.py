"""What a search can be made of: one row for each optimizer and for each distance.

The command line's help, the checks of the settings and the search itself read these tables, so a
new optimizer or distance is one file that holds it and one row here. Nothing is imported before it
is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.distance import Distance
    from deepdiva.search.start import Start
    from deepdiva.search.strategy import Strategy


@dataclass(frozen=True)
class OptimizerKind:
    """An optimizer of this project that searches alone, from beginning to end.

    Attributes:
        description: half a sentence for the help.
        make: makes it from what is known before, the evaluations that it may spend, the points in
            a batch, and its source of randomness.
    """

    description: str
    make: Callable[[Start, int, int, np.random.Generator], Strategy]


@dataclass(frozen=True)
class DistanceKind:
    """A distance that an objective may weigh.

    Attributes:
        description: half a sentence for the help.
        make: makes it from a target, shape (samples,), float32, and its samples per second.
    """

    description: str
    make: Callable[[NDArray[np.float32], int], Distance]


def _mixed_de(
    start: Start,
    evaluations: int,  # noqa: ARG001
    population: int,
    rng: np.random.Generator,
) -> Strategy:
    from deepdiva.search.differential import MixedDifferentialEvolution

    return MixedDifferentialEvolution(start, population, rng)


def _catcma(
    start: Start,
    evaluations: int,  # noqa: ARG001
    population: int,
    rng: np.random.Generator,
) -> Strategy:
    from deepdiva.search.catcma import CatCma

    return CatCma(start, population, rng)


def _averaged(target: NDArray[np.float32], sample_rate: int) -> Distance:
    from deepdiva.distance import AVERAGED, AveragedDistance

    return AveragedDistance(target, sample_rate, AVERAGED)


def _lines(target: NDArray[np.float32], sample_rate: int) -> Distance:
    """The averaged distance with spectra fine enough to tell the lines of low notes apart."""
    from deepdiva.distance import AveragedDistance, AveragedSettings

    return AveragedDistance(target, sample_rate, AveragedSettings(size=4096))


def _level(target: NDArray[np.float32], sample_rate: int) -> Distance:
    """The level alone, every 32nd of the sound: attacks and decays."""
    from deepdiva.distance import AveragedDistance, AveragedSettings

    settings = AveragedSettings(
        size=512, windows=(1,), bins_weight=0.0, bands_weight=0.0, level_weight=1.0
    )
    return AveragedDistance(target, sample_rate, settings)


def _frames(target: NDArray[np.float32], sample_rate: int) -> Distance:
    from deepdiva.distance import SEARCH, SpectralDistance

    return SpectralDistance(target, sample_rate, SEARCH)


def _scales(target: NDArray[np.float32], sample_rate: int) -> Distance:
    """The reported distance at half the price: frames begin half as often."""
    from deepdiva.distance import DistanceSettings, SpectralDistance

    return SpectralDistance(target, sample_rate, DistanceSettings(overlap=0.5))


def _full(target: NDArray[np.float32], sample_rate: int) -> Distance:
    from deepdiva.distance import FULL, SpectralDistance

    return SpectralDistance(target, sample_rate, FULL)


OPTIMIZERS: dict[str, OptimizerKind] = {
    "MixedDE": OptimizerKind("this project's differential evolution alone", _mixed_de),
    "CatCMAwM": OptimizerKind("of the package cmaes: CMA-ES with classes", _catcma),
}
"""Optimizers beside `auto` and Nevergrad's, by the name that a user types in any case."""

DISTANCES: dict[str, DistanceKind] = {
    "averaged": DistanceKind("averaged spectra", _averaged),
    "lines": DistanceKind("averaged spectra, fine enough for single lines", _lines),
    "level": DistanceKind("level over time", _level),
    "frames": DistanceKind("STFT, two sizes", _frames),
    "scales": DistanceKind("STFT, all sizes, half as many frames as are reported", _scales),
    "full": DistanceKind("STFT, all sizes, as it is reported", _full),
}
"""Distances that an objective may be the weighted sum of."""
