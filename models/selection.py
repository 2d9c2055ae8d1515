"""From many candidates to the one that sounds nearest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import FULL, DistanceSettings, SpectralDistance
from deepdiva.errors import RenderError
from deepdiva.level import Level, at_reference
from deepdiva.note import Note
from deepdiva.renderer import Failure, Renderer

_FEWEST, _MOST = 16, 32
"""Patches that a thread renders together: the embedded engine's lanes hold so many."""


@dataclass(frozen=True)
class Chosen:
    """The nearest of several patches.

    Attributes:
        index: which of them.
        patch: shape (len(table),), in units.
        audio: what it sounds like, shape (samples,).
        distance: to the sound that was to be matched.
        distances: of all patches, shape (count,); infinite where one could not be played.
        shortfall_db: how far its level stays below that of the sound, where the volume ends.
    """

    index: int
    patch: NDArray[np.float64]
    audio: NDArray[np.float32]
    distance: float
    distances: NDArray[np.float64]
    shortfall_db: float = 0.0


def choose(
    sound: NDArray[np.float32],
    patches: NDArray[np.float64],
    renderer: Renderer,
    note: Note,
    *,
    seed: int = 0,
    jobs: int = 1,
    settings: DistanceSettings = FULL,
    level: Level | None = None,
) -> Chosen:
    """Render patches and keep the one whose sound is nearest.

    Args:
        sound: to be matched, shape (note.samples,).
        patches: shape (count, len(table)), in units; of equally near ones the first is kept.
        renderer: renders them; must let go of Python's global lock if `jobs` is above 1.
        note: what is played.
        seed: of start phases, drift and noise, the same for all patches.
        jobs: threads.
        settings: of the distance.
        level: how the level is solved; None compares sounds as they are.

    Raises:
        RenderError: the renderer cannot play at all, or none of the patches.
    """
    if level is not None:
        sound = sound * np.float32(level.gain)
    distance = SpectralDistance(sound, note.sample_rate, settings)

    together = min(max(-(-len(patches) // jobs), _FEWEST), _MOST)

    failures: list[Failure] = []

    def score(start: int) -> tuple[NDArray[np.float64], int, NDArray[np.float32]]:
        batch = renderer.render_checked(patches[start : start + together], note, seed)
        failures.extend(batch.failures)
        audio = batch.audio if level is None else at_reference(batch.audio)[0]
        scores = np.where(batch.played, distance(audio), np.inf)
        nearest = int(scores.argmin())
        return scores, start + nearest, batch.audio[nearest]

    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(score, range(0, len(patches), together)))
    distances = np.concatenate([scores for scores, _, _ in parts])
    index = int(distances.argmin())
    if np.isinf(distances[index]):
        reason = failures[0].reason if failures else "returned values that are not finite"
        raise RenderError(
            f"None of the {len(patches)} candidates could be played: one {reason}. See with "
            "deepdiva doctor whether the plug-in works, or choose another base preset."
        )
    audio = next(audio for _, nearest, audio in parts if nearest == index)
    patch, short = patches[index], 0.0
    if level is not None:
        found = level.levelled(
            patch, audio, lambda patch: renderer.render(patch[None], note, seed)[0]
        )
        patch, audio, short = found.patch, found.sound, found.shortfall_db
    return Chosen(index, patch, audio, float(distances[index]), distances, short)
