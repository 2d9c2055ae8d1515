"""The shuffle probe of a run: every match against every target."""

from __future__ import annotations

from collections.abc import Sequence

import joblib
import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import read_audio
from deepdiva.distance import SEARCH, SpectralDistance
from deepdiva.evaluation.folder import RunFolder
from deepdiva.evaluation.statistics import ShuffleProbe, probe_shuffle

MOST_SOUNDS = 100
"""The probe costs the square of it; longer test sets are probed by their first sounds."""


def probe_methods(
    folder: RunFolder, sounds: Sequence[str], methods: Sequence[str], *, jobs: int, seed: int
) -> dict[str, ShuffleProbe]:
    """Probe methods that have a result for all of the sounds.

    The distance is a quick spectral one, `deepdiva.distance.SEARCH`. A method's
    missing preview (a failure) counts as silence.

    Args:
        folder: of the run.
        sounds: names of at least two sounds.
        methods: names; each has answered all of the sounds in this run.
        jobs: threads.
        seed: of the intervals.

    Returns:
        Method to probe, empty with fewer than two sounds.
    """
    names = list(sounds)[:MOST_SOUNDS]
    if len(names) < 2:
        return {}
    matches = {
        method: np.stack([_preview(folder, method, sound) for sound in names]) for method in methods
    }

    def column(sound: str) -> dict[str, NDArray[np.float64]]:
        audio, rate = read_audio(folder.target_path(sound))
        distance = SpectralDistance(audio[:, 0], rate, SEARCH)
        return {method: distance(batch) for method, batch in matches.items()}

    with joblib.parallel_config(backend="threading", n_jobs=jobs):
        columns = joblib.Parallel()(joblib.delayed(column)(sound) for sound in names)
    return {
        method: probe_shuffle(np.stack([c[method] for c in columns], axis=1), seed=seed)
        for method in methods
    }


def _preview(folder: RunFolder, method: str, sound: str) -> NDArray[np.float32]:
    """First realization of a match; silence where there is none."""
    path = folder.preview_path(method, sound)
    if path.exists():
        return read_audio(path)[0][:, 0]
    return np.zeros_like(read_audio(folder.target_path(sound))[0][:, 0])
