"""How far a sound lies from the target: the objective of the search and the figure of reports."""

from deepdiva.distance.settings import FULL, SEARCH, DistanceSettings
from deepdiva.distance.spectral import SpectralDistance

__all__ = ["FULL", "SEARCH", "DistanceSettings", "SpectralDistance"]
