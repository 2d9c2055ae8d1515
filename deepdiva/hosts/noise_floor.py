"""How far a synthesizer's renders of one and the same patch lie apart.

An improvement below this is render noise, not progress.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import SpectralDistance
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.renderer import Renderer

_SEED = 0  # of random patches in between


@dataclass(frozen=True)
class NoiseFloor:
    """Distances between repeated renders of one patch.

    Attributes:
        median: of all pairs; 0 for a renderer that repeats itself exactly.
        largest: of all pairs.
        repeats: renders that were compared.
    """

    median: float
    largest: float
    repeats: int


def noise_floor(
    renderer: Renderer,
    patch: NDArray[np.float64],
    note: Note,
    repeats: int = 5,
    between: NDArray[np.float64] | None = None,
) -> NoiseFloor:
    """Measure it as the renderer is used in a search: with other patches in between.

    Args:
        renderer: of the search.
        patch: shape (len(renderer.table),), in units.
        note: of the search.
        repeats: renders of the patch, at least 2. Each is followed by one of another patch, without
            which many synthesizers would come back to the same phases.
        between: these other patches, shape (any, len(renderer.table)); random ones if None.

    Raises:
        InvalidValueError: fewer than 2 repeats.
        RenderError: the synthesizer cannot play the patch.
    """
    if repeats < 2:
        raise InvalidValueError(f"repeats is {repeats}: it takes at least 2 to compare.")
    if between is None:
        rng = np.random.default_rng(_SEED)
        columns = [parameter.to_unit(rng.random(repeats)) for parameter in renderer.table]
        between = np.stack(columns, axis=1)
    # Some of these may be silent, in which case they fail; only the patch itself matters here.
    patches = np.empty((2 * repeats, len(patch)))
    patches[::2] = patch
    patches[1::2] = np.resize(between, (repeats, len(patch)))
    batch = renderer.render_checked(patches, note, seeds=np.arange(2 * repeats))
    renders = batch.audio[::2][batch.played[::2]]
    if len(renders) < 2:
        # One more time, for the exception that says why.
        renderer.render(patches[:1], note)
        raise InvalidValueError("The patch sounded only once: its noise floor is not defined.")
    distances = [
        SpectralDistance(render, note.sample_rate)(renders[row + 1 :])
        for row, render in enumerate(renders[:-1])
    ]
    pairs = np.concatenate(distances)
    return NoiseFloor(float(np.median(pairs)), float(pairs.max()), len(renders))
