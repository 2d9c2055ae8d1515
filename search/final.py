"""What is reported at last: the nearest that was ever known, and nothing farther than silence.

A search may minimise another distance than the reported one, and may end before it came to that
one. And at the level of the target, a sound with wrong partials may be farther away than silence:
its own partials count beside those that are missing. At a lower level it may be nearer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import NoMatchError
from deepdiva.search.archive import Archive
from deepdiva.search.evaluator import WORST, Evaluator
from deepdiva.search.exact import ExactMatch
from deepdiva.search.objective import REPORTED
from deepdiva.search.search_history import History
from deepdiva.search.start import Start

SOFTEST_DB = 24
"""A match is lowered by so many dB at most: below 30 dB it would count as silent."""

MOST_KNOWN = 64
"""Candidates of a start that are heard once more."""


class Known(NamedTuple):
    """A point and its reported distance.

    Attributes:
        point: shape (dimensions,).
        distance: reported; infinite where nothing is known.
    """

    point: NDArray[np.float64]
    distance: float


def nearest_known(history: History) -> Known:
    """The nearest of all in a history, of one generation or more, whose reported distance is known.

    Of each generation that is the best by the distance that its stage minimised.
    """
    found = [Known(history.generations[0].points[0], np.inf)]
    for generation in history.generations:
        scores = generation.scores
        if scores.distances[scores.best] < WORST:
            found.append(Known(generation.points[scores.best], scores.full))
    return min(found, key=lambda known: known.distance)


def nearest_of_start(start: Start, evaluator: Evaluator) -> Known:
    """The nearest of the first `MOST_KNOWN` candidates of a start; renders them.

    Raises:
        RenderError: the synthesizer failed.
    """
    candidates = start.candidates[:MOST_KNOWN]
    if not len(candidates):
        return Known(np.empty(start.space.dimensions), np.inf)
    scores = evaluator.score(candidates, REPORTED)
    distance = float(scores.distances[scores.best])
    return Known(candidates[scores.best], distance if distance < WORST else np.inf)


def distance_of_start(start: Start, archive: Archive) -> float:
    """Of those candidates of a start that an archive holds, the least distance; else infinite."""
    known = {point.tobytes() for point in start.candidates}
    rows = [point.tobytes() in known for point in archive.points]
    return float(archive.distances[rows].min(initial=np.inf))


def no_farther_than_silence(
    match: ExactMatch, evaluator: Evaluator, silence: float
) -> tuple[ExactMatch, float]:
    """A match at the level at which it is nearest, where at the target's it is beyond silence.

    Args:
        match: of the search.
        evaluator: of the search.
        silence: reported distance of silence.

    Returns:
        The match, and by how many dB it was lowered; 0 where it is nearer than silence as it is,
        and where the level is not solved.

    Raises:
        NoMatchError: at no level it is nearer.
    """
    level = evaluator.level
    if match.distance <= silence or level is None:
        return match, 0.0
    lowered = np.arange(1.0, SOFTEST_DB + 1.0)
    gains = 10.0 ** (-lowered / 20.0)
    distances = evaluator.at_gains(match.sound, gains)
    best = int(distances.argmin())
    if distances[best] > silence:
        raise NoMatchError(
            f"The nearest that was found is no nearer than silence ({match.distance:.4f} against "
            f"{silence:.4f}), at no level: free more with --free all, or begin with another --base."
        )
    gain = float(gains[best])
    patch = level.synthesizer.with_gain(match.patch, gain, level.volumes)
    softer = replace(
        match,
        patch=patch,
        sound=match.sound * np.float32(gain),
        distance=float(distances[best]),
    )
    return softer, float(lowered[best])
