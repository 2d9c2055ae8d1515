"""The level of a match: solved in closed form, and no dimension of any search.

Recordings come at any level, and a volume behind everything else changes nothing but the level. So
sounds are compared at one level, and the volume follows from the ratio. Drive, saturation and
clipping stay what they are: they lie before the volume.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
from deepdiva.renderer import Renderer
from deepdiva.synths.synthesizer import Patch, Synthesizer

REFERENCE_RMS = 0.1
"""Root mean square at which sounds are compared: the median of random patches of the engine."""

SOFTEST_RMS = 5e-3
"""A candidate that is softer, at the volume of the base patch, is not raised all the way: no volume
makes a sound of it."""

_NEAR = 0.005
_TRIES = 3

Audio = NDArray[np.float32]


def rms(sounds: Audio) -> NDArray[np.float64]:
    """Root mean square of each sound; shape (..., samples) to (...)."""
    return np.asarray(np.sqrt(np.mean(np.square(sounds, dtype=np.float64), axis=-1)))


def at_reference(sounds: Audio) -> tuple[Audio, NDArray[np.float64]]:
    """Sounds at the level at which they are compared, and the gains that bring them there.

    The gain that gives two sounds the same energy is the ratio of their root mean squares.

    Args:
        sounds: shape (batch, samples).

    Returns:
        Shape (batch, samples), float32, and shape (batch,).
    """
    gains = REFERENCE_RMS / np.maximum(rms(sounds), SOFTEST_RMS)
    return sounds * gains[:, None].astype(np.float32), gains


@dataclass(frozen=True)
class Levelled:
    """A patch whose volume is set.

    Attributes:
        patch: shape (len(table),), in units, as a preset holds it.
        sound: what it sounds like, shape (samples,).
        shortfall_db: how far it stays below the level that was wanted, where the volume ends; 0
            where it does not.
    """

    patch: Patch
    sound: Audio
    shortfall_db: float


@dataclass(frozen=True)
class Level:
    """How the level of a target is solved with one synthesizer.

    Attributes:
        target_rms: of the target, as it was recorded.
        synthesizer: whose patches are played.
        volumes: its parameters that are set, the first one first.
    """

    target_rms: float
    synthesizer: Synthesizer
    volumes: tuple[str, ...]

    @property
    def gain(self) -> float:
        """Brings the target to the level at which it is compared."""
        return REFERENCE_RMS / self.target_rms

    def with_volume(self, patch: Patch, gain: float) -> Patch:
        """A patch that sounds as the target at its own level, as far as its volume goes.

        Args:
            patch: shape (len(table),), in units.
            gain: that brings its sound to the level at which it is compared.
        """
        return self.synthesizer.with_gain(patch, gain / self.gain, self.volumes)

    def levelled(self, patch: Patch, sound: Audio, play: Callable[[Patch], Audio]) -> Levelled:
        """Set the volume of a patch by what it sounds like.

        Args:
            patch: shape (len(table),), in units.
            sound: what it sounds like, shape (samples,).
            play: what a patch sounds like; may raise a RenderError, as a plug-in does that crashes.
        """
        for _ in range(_TRIES):
            wanted = self.target_rms / max(float(rms(sound)), 1e-9)
            if abs(wanted - 1.0) < _NEAR:
                break
            changed = self.synthesizer.with_gain(patch, wanted, self.volumes)
            if np.array_equal(changed, patch):
                break
            # Once more: a volume is nearly a factor, and in files it has two decimals.
            try:
                patch, sound = changed, play(changed)
            except RenderError:  # the match is there: its sound is known but for the factor
                patch, sound = changed, sound * np.float32(wanted)
                break
        short = 20.0 * math.log10(self.target_rms / max(float(rms(sound)), 1e-9))
        return Levelled(patch, sound, short if short > 0.5 else 0.0)


def level_of(target: Audio, renderer: Renderer, base: Patch, kept: Collection[str]) -> Level | None:
    """How the level of a target is solved; None where it is not.

    Args:
        target: shape (samples,), not silent.
        renderer: plays the candidates.
        base: patch around which they lie, shape (len(table),), in units.
        kept: parameters that are searched or held, and not to be set.

    Returns:
        None where the volume of the synthesizer is not known, does nothing in the renderer, is
        among `kept`, or is 0 in the base patch.
    """
    from deepdiva.synths import synthesizer_of

    synthesizer = synthesizer_of(renderer.table)
    volumes = tuple(name for name in synthesizer.volumes if name in renderer.supported)
    at_rest = any(base[renderer.table.index(name)] <= 0.0 for name in volumes)
    if not volumes or at_rest or set(volumes) & set(kept):
        return None
    return Level(float(rms(target)), synthesizer, volumes)
