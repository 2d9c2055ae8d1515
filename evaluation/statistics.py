"""Summaries that say how sure they are: intervals, paired comparisons, the shuffle probe.

The unit of all of them is the sound. Intervals are of 95 % unless another level is named. They tell
what another draw of sounds *of the same kind* would give; they know nothing of other kinds.

Sources: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13
(percentile interval); E. B. Wilson, JASA 22 (1927), interval of a proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.errors import InvalidValueError

LEVEL = 0.95
RESAMPLES = 5000

FEWEST_SOUNDS = 6
"""That must differ before anything is called better or worse.

Of n differences without a cause all have the same sign in 2^(1-n) of the cases, and then no
resampling reaches 0, however wide the interval ought to be: 6.25 % at 5 sounds, 3.1 % at 6.
"""

_Z95 = 1.959963984540054

Statistic = Callable[..., NDArray[np.float64]]
"""A function with the `axis` argument of numpy's mean and median."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its confidence interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Ready for JSON."""
        return asdict(self)

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside."""
        return self.low > 0 or self.high < 0


def bootstrap(
    values: ArrayLike,
    statistic: Statistic = np.mean,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Percentile bootstrap interval of a statistic.

    Args:
        values: shape (sounds,), at least 1, finite.
        statistic: numpy's mean, median or the like.
        seed: of the resampling; the same seed gives the same interval.
        resamples: how many times the sounds are drawn with replacement.
        level: confidence, above 0 and below 1.

    Raises:
        InvalidValueError: no values, or values that are not finite.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or not data.size or not np.isfinite(data).all():
        raise InvalidValueError(
            f"Values of shape {data.shape} cannot be resampled: they must be (sounds,), at least "
            "one, all finite. Leave out sounds for which a metric is undefined."
        )
    draws = np.random.default_rng(seed).integers(0, data.size, (resamples, data.size))
    estimates = statistic(data[draws], axis=1)
    low, high = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(data, axis=0)), float(low), float(high))


def proportion(successes: float, trials: int) -> Interval:
    """A share and its Wilson interval of 95 %.

    Args:
        successes: 0 to `trials`; a tie counts one half.
        trials: at least 1.
    """
    share = successes / trials
    centre = share + _Z95**2 / (2 * trials)
    spread = _Z95 * np.sqrt(share * (1 - share) / trials + _Z95**2 / (4 * trials**2))
    scale = 1 + _Z95**2 / trials
    low, high = (centre - spread) / scale, (centre + spread) / scale
    # At a share of 0 or 1 rounding leaves the end a hair beside it, on either side.
    return Interval(share, float(max(0.0, min(low, share))), float(min(1.0, max(high, share))))


Verdict = Literal["better", "worse", "unclear"]


@dataclass(frozen=True)
class Pairing:
    """Two methods on the same sounds, the second seen against the first.

    Attributes:
        sounds: how many sounds both have a value for.
        won: share of sounds on which the second is better, ties counting one half.
        change: mean of second minus first, in the measure's unit.
        median_change: median of the same differences.
        verdict: `better` or `worse` where the interval of `change` leaves out 0 and at least
            `FEWEST_SOUNDS` sounds differ.
    """

    sounds: int
    won: Interval
    change: Interval
    median_change: Interval
    verdict: Verdict

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)


def compare_paired(first: ArrayLike, second: ArrayLike, *, sign: int, seed: int = 0) -> Pairing:
    """Compare two methods sound by sound.

    Args:
        first: values of one method, shape (sounds,).
        second: values of the other on the same sounds, in the same order.
        sign: 1 if lower values are better, -1 if higher ones are (`Measure.sign`).
        seed: of the resampling.

    Raises:
        InvalidValueError: different numbers of sounds, or none.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or not a.size:
        raise InvalidValueError(
            f"A paired comparison needs the same sounds on both sides: got {a.size} and {b.size}."
        )
    difference = b - a
    wins = np.count_nonzero(sign * difference < 0) + 0.5 * np.count_nonzero(difference == 0)
    change = bootstrap(difference, np.mean, seed=seed)
    verdict: Verdict = "unclear"
    if change.excludes_zero and np.count_nonzero(difference) >= FEWEST_SOUNDS:
        verdict = "better" if sign * change.value < 0 else "worse"
    return Pairing(
        sounds=int(a.size),
        won=proportion(float(wins), int(a.size)),
        change=change,
        median_change=bootstrap(difference, np.median, seed=seed),
        verdict=verdict,
    )


@dataclass(frozen=True)
class ShuffleProbe:
    """Whether a method answers the sound it was asked about.

    Attributes:
        own: mean distance of the matches to their own targets.
        other: mean distance of the matches to the other sounds' targets.
        nearer: share of pairs (match, other sound) in which the own target is the nearer one. 0.5
            is what an answer gets that does not depend on the question; 1 is what a perfect one
            gets. The interval resamples sounds.
        first: share of matches to which their own target is the nearest of all: R@1 of retrieval.
        ten: share to which it is among the ten nearest, R@10; None of ten sounds or fewer.
    """

    own: float
    other: float
    nearer: Interval
    first: Interval
    ten: Interval | None

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)


def probe_shuffle(distances: NDArray[np.float64], *, seed: int = 0) -> ShuffleProbe:
    """Score every match against every target.

    Dividing by each target's mean takes out that some targets are far from everything. Without it
    an answer that never changes would still be nearest to the one easy target.

    Args:
        distances: shape (matches, targets), square; row i is the match of sound i, lower is nearer.
        seed: of the resampling.

    Raises:
        InvalidValueError: not square, or fewer than two sounds.
    """
    count = len(distances)
    if distances.shape != (count, count) or count < 2:
        raise InvalidValueError(
            f"Distances of shape {distances.shape} cannot be shuffled: the probe needs the "
            "matches and targets of the same two or more sounds."
        )
    scale = distances.mean(axis=0, keepdims=True)
    relative = distances / np.where(scale > 0, scale, 1.0)
    own = np.diag(relative)[:, np.newaxis]
    others = ~np.eye(count, dtype=bool)
    nearer = np.where(own < relative, 1.0, np.where(own == relative, 0.5, 0.0))
    per_sound = nearer.sum(axis=1, where=others) / (count - 1)
    before = np.count_nonzero(relative < own, axis=1)
    ties = np.count_nonzero(relative == own, axis=1)

    def recall(depth: int) -> Interval:
        """R@depth; which of several targets equally far comes first is left to chance."""
        return proportion(float(np.clip((depth - before) / ties, 0.0, 1.0).sum()), count)

    return ShuffleProbe(
        own=float(np.diag(distances).mean()),
        other=float(distances[others].mean()),
        nearer=bootstrap(per_sound, np.mean, seed=seed),
        first=recall(1),
        ten=recall(10) if count > 10 else None,
    )


def gap_closed(
    baseline: ArrayLike, values: ArrayLike, floors: ArrayLike, *, seed: int = 0
) -> Interval | None:
    """How much of the way from a baseline's figures to the noise floor a method has gone.

    Mean of baseline minus values, over the mean of baseline minus floors: 0 is no better than the
    baseline, 1 is the noise floor, below 0 is worse than the baseline.

    Args:
        baseline: shape (sounds,), lower is better.
        values: of the method, on the same sounds.
        floors: on the same sounds.
        seed: of the resampling.

    Returns:
        With its percentile bootstrap interval; None where the baseline is at the floor.
    """
    first, second, third = (np.asarray(each, np.float64) for each in (baseline, values, floors))
    if not first.size or first.mean() <= third.mean():
        return None
    draws = np.random.default_rng(seed).integers(0, first.size, (RESAMPLES, first.size))
    gone, way = (difference[draws].mean(axis=1) for difference in (first - second, first - third))
    shares = gone / np.maximum(way, np.finfo(np.float64).tiny)
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = (first - second).mean() / (first - third).mean()
    return Interval(float(value), float(min(low, value)), float(max(high, value)))
