"""How far a sound lies from the target: the objective of the search and the figure of reports."""

from deepdiva.distance.averaged import AveragedDistance
from deepdiva.distance.base import Distance
from deepdiva.distance.profile import Profile
from deepdiva.distance.settings import (
    AVERAGED,
    FULL,
    SEARCH,
    AveragedSettings,
    DistanceSettings,
)
from deepdiva.distance.spectral import SpectralDistance

__all__ = [
    "AVERAGED",
    "FULL",
    "SEARCH",
    "AveragedDistance",
    "AveragedSettings",
    "Distance",
    "DistanceSettings",
    "Profile",
    "SpectralDistance",
]
