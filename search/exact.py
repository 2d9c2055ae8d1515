"""What a match is worth where nothing that was rendered before has a part in it.

A plug-in that plays many patches in one instance is fast, but the patch before leaves its traces:
phases, free-running LFOs. Of thousands of candidates the one with the luckiest phase wins, and it
does not sound so again. What is reported and written is therefore rendered anew, exactly, for the
best few candidates; and the noise floor says how much of a distance may be luck.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
from deepdiva.hosts.noise_floor import NoiseFloor, noise_floor
from deepdiva.search.evaluator import Evaluator

CONTENDERS = 8
"""So many of the best candidates are rendered exactly, where candidates are not."""


@dataclass(frozen=True, eq=False)
class ExactMatch:
    """The best of a few candidates, rendered exactly.

    Attributes:
        row: which of them.
        sound: shape (note.samples,), float32.
        distance: of `sound` to the target.
        patch: shape (len(table),), in units, at the level of the target.
        shortfall_db: how far its level stays below that of the target.
        noise: distances between repeated renders as the search made them; None for a renderer that
            repeats itself, and where the patch cannot be repeated at all.
    """

    row: int
    sound: NDArray[np.float32]
    distance: float
    patch: NDArray[np.float64]
    shortfall_db: float
    noise: NoiseFloor | None


def exact_match(evaluator: Evaluator, points: NDArray[np.float64]) -> ExactMatch:
    """Render the best candidates of a search exactly, and choose.

    Args:
        evaluator: of the search.
        points: shape (candidates, dimensions), the best first. Only that one is rendered if the
            renderer is exact as it is.

    Raises:
        RenderError: none of them can be rendered.
    """
    renderer, note, seed = evaluator.renderer, evaluator.note, evaluator.seed
    exact = renderer.exact()
    if exact is renderer:
        points = points[:1]
    patches = evaluator.patches(points)
    try:
        batch = exact.render_checked(patches, note, seed)
        if not batch.played.any():
            exact.render(patches[:1], note, seed)
            raise RenderError("The best match cannot be rendered once more.")
        distances = np.where(batch.played, evaluator.full(batch.audio), np.inf)
        row = int(distances.argmin())
        distance = float(distances[row])
        patch, sound, shortfall_db = patches[row], batch.audio[row], 0.0
        if evaluator.level is not None:
            found = evaluator.level.levelled(
                patch, sound, lambda patch: exact.render(patch[None], note, seed)[0]
            )
            patch, sound, shortfall_db = found.patch, found.sound, found.shortfall_db
    finally:
        if exact is not renderer:
            exact.close()
    noise = None
    if not renderer.info.repeatable:
        with contextlib.suppress(RenderError):
            noise = noise_floor(renderer, patches[row], note, between=patches)
    return ExactMatch(row, sound, distance, patch, shortfall_db, noise)
