"""Compiling the engine ahead of time: kernels are kept on disk, for all commands afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from deepdiva.note import Note

_NOTE = Note(length_seconds=0.02, render_seconds=0.04)

_DRAWS = 256


def warm_steps() -> list[Callable[[], None]]:
    """What is to be called so that nothing is left to compile: distances, then every chain.

    Those that patches of the prior have most come first. Each step renders a moment of sound; what
    was compiled before is read from disk.
    """
    from deepdiva.synths.diva.panel import FILTERS, HIGHPASSES, MODELS, OSCILLATORS
    from deepdiva.synths.diva.structure import STRUCTURE
    from deepdiva.synths.diva.table import DIVA

    columns = [DIVA.index(name) for name in MODELS]
    drawn = STRUCTURE.draws(_DRAWS, 0, _NOTE)[:, columns].astype(int)
    frequent = Counter(tuple(row) for row in drawn.tolist())
    chains = sorted(product(OSCILLATORS, HIGHPASSES, FILTERS), key=lambda one: -frequent[one])
    return [_distances, *(partial(_chain, *chain) for chain in chains)]


def is_warm() -> bool:
    """Whether all steps of this version were called once on this installation."""
    return _marker().exists()


def mark_warm() -> None:
    """Remember that all steps were called."""
    from deepdiva.files import atomic_write

    atomic_write(_marker(), b"", force=True)


def _marker() -> Path:
    from deepdiva import __version__
    from deepdiva.engine.stages import kernel_folder
    from deepdiva.synths.diva.panel_renderer import ENGINE_VERSION

    return kernel_folder() / f"all-{__version__}-{ENGINE_VERSION}"


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
