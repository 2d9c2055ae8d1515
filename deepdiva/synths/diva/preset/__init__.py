"""Presets of u-he Diva (`.h2p`): read, changed, and written without touching anything else."""

from deepdiva.synths.diva.preset.preset import Preset

__all__ = ["Preset"]
