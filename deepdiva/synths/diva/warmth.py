"""Compiling the engine ahead of time: kernels are kept on disk, for all commands afterwards."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np

from deepdiva.note import Note

_NOTE = Note(length_seconds=0.02, render_seconds=0.04)


def warm_steps() -> list[Callable[[], None]]:
    """What is to be called so that nothing is left to compile: distances, then every chain.

    Each step renders a moment of sound; what was compiled before is read from disk.
    """
    from deepdiva.synths.diva.panel import FILTERS, HIGHPASSES, OSCILLATORS

    chains = product(OSCILLATORS, HIGHPASSES, FILTERS)
    return [_distances, *(partial(_chain, *chain) for chain in chains)]


def _distances() -> None:
    from deepdiva.distance import AveragedDistance, SpectralDistance

    sound = np.random.default_rng(0).normal(0.0, 0.1, (1, Note().samples)).astype(np.float32)
    for distance in (SpectralDistance, AveragedDistance):
        distance(sound[0], _NOTE.sample_rate)(sound)


def _chain(oscillator: int, highpass: int, lowpass: int) -> None:
    from deepdiva.synths.diva.panel import MODELS
    from deepdiva.synths.diva.panel_renderer import PanelRenderer
    from deepdiva.synths.diva.table import DIVA

    patch = DIVA.defaults()
    for name, choice in zip(MODELS, (oscillator, highpass, lowpass), strict=True):
        patch[DIVA.index(name)] = choice
    patches = np.stack([patch, patch])
    patches[:, DIVA.index("VCF1.Fback")] = 0.0, 50.0  # its round is compiled apart
    PanelRenderer().render(patches, _NOTE)
