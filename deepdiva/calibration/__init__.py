"""Fits the engine's constants to sounds of the real synthesizer whose parameters are all known."""

from deepdiva.calibration.fitting import USUAL, CrossValidation, Fit, cross_validate, fit
from deepdiva.calibration.known_sounds import Judge, KnownSounds

__all__ = ["USUAL", "CrossValidation", "Fit", "Judge", "KnownSounds", "cross_validate", "fit"]
