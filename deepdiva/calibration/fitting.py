"""Gauss-Newton on the levels in bands: constants that all sounds share, patches as they are given.

Steps are weighted so that the mean of absolute differences falls, and damped until they help
(Levenberg 1944, Marquardt 1963). How far a constant is known is told by fits without a group of
sounds, not by a covariance: neighbouring bands and frames of one sound are no independent
witnesses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from deepdiva.calibration.known_sounds import Array, Judge, KnownSounds, mean_distance
from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.synths.diva import panel

USUAL: Final = (
    "filter.ladder.shift",
    "filter.ladder.feedback_gain",
    "filter.ladder.feedback_power",
    "filter.ladder.drive",
    "filter.ladder.offset",
    "filter.ladder.fade",
    "amplifier.vca.drive",
    "amplifier.vca.coupling",
    "oscillator.triple_vco.fm_octaves",
    "oscillator.triple_vco.level_gain",
    "oscillator.triple_vco.level_power",
    "attack_longest",
    "attack_power",
    "attack_curve",
    "decay_longest",
    "decay_power",
    "decay_shortest",
    "release_longest",
    "release_power",
    "release_undershoot",
    "release_shortest",
    "feedback_gain",
    "cutoff_depth",
    "key_pivot",
    "filter_fm_ladder_semitones",
)
"""What sounds of Triple VCO, Ladder and feedback tell."""

_DAMPINGS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_LONGEST = 6.0
_FRAMES = 3
_LEAST = 1e-4
"""Residual below which a difference of levels counts no more."""

Say = Callable[[str], None]


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True)
class Fit:
    """What a fit found.

    Attributes:
        values: of the constants that were free, by name.
        before: mean distance of the values that it began with, dB.
        after: of those that it found.
    """

    values: dict[str, float]
    before: float
    after: float


@dataclass(frozen=True)
class CrossValidation:
    """Fits in each of which one group of sounds was left out.

    Attributes:
        left_out: mean distance on the group that a fit did not know, dB, by group.
        fits: values of its fit, by group.
    """

    left_out: dict[str, float]
    fits: dict[str, dict[str, float]]

    def spread(self, name: str) -> float:
        """Largest minus smallest value of a constant over the fits."""
        values = [values[name] for values in self.fits.values()]
        return max(values) - min(values)


def _residuals(differences: Sequence[Array]) -> Array:
    """All differences in one vector, three frames together, every sound of the same weight."""
    rows = []
    for one in differences:
        frames = max(_FRAMES, one.shape[1] // _FRAMES * _FRAMES)
        padded = one[:, :frames] if one.shape[1] >= frames else np.repeat(one[:, :1], frames, 1)
        short = padded.reshape(len(one), -1, _FRAMES).mean(axis=2)
        rows.append(short.ravel() / np.sqrt(short.size))
    return np.concatenate(rows)


def fit(
    known: KnownSounds,
    names: Sequence[str] = USUAL,
    steps: int = 4,
    start: Mapping[str, float] | None = None,
    threads: int = 1,
    say: Say = _silent,
) -> Fit:
    """Bring the engine nearer to known sounds.

    Args:
        known: the sounds.
        names: constants that are free, as `panel.constants` calls them.
        steps: at most.
        start: values to begin with; the engine's where none is given.
        threads: of a render.
        say: hears of each step.

    Raises:
        UnknownNameError: no such constant.
        InvalidValueError: no constant is free, or there is no step.
    """
    table = panel.constants()
    if not names or steps < 1:
        raise InvalidValueError("A fit needs at least one constant that is free and one step.")
    for name in names:
        if name not in table:
            raise UnknownNameError(f"The engine has no constant {name!r}; it has {list(table)}.")
    values = {name: (start or {}).get(name, table[name].value) for name in names}
    scale = {name: 0.1 * (table[name].high - table[name].low) for name in names}
    judge = Judge(known, threads)
    found = judge.differences(values)
    before = best = mean_distance(found)
    here = _residuals(found)
    say(f"start {best:.4f} dB")
    for step in range(steps):
        columns = []
        for name in names:
            moved = {**values, name: values[name] + scale[name]}
            columns.append(_residuals(judge.differences(moved)) - here)
        tried = _best_move(judge, values, scale, np.array(columns).T, here, best)
        if tried is None:
            break
        values, found = tried
        best, here = mean_distance(found), _residuals(found)
        say(f"step {step + 1}: {best:.4f} dB")
    return Fit(values, before, best)


def _best_move(
    judge: Judge,
    values: Mapping[str, float],
    scale: Mapping[str, float],
    slopes: Array,
    here: Array,
    best: float,
) -> tuple[dict[str, float], list[Array]] | None:
    """The first damping whose step helps: values and differences there; None where none does."""
    least = max(0.5 * float(np.median(np.abs(here))), _LEAST)
    weights = 1.0 / np.maximum(np.abs(here), least)
    normal = slopes.T @ (weights[:, None] * slopes)
    gradient = slopes.T @ (weights * here)
    for damping in _DAMPINGS:
        damped = normal + damping * np.diag(np.diag(normal) + 1e-12)
        move = np.clip(-np.linalg.solve(damped, gradient), -_LONGEST, _LONGEST)
        tried = {
            name: values[name] + scale[name] * float(part)
            for name, part in zip(values, move, strict=True)
        }
        found = judge.differences(tried)
        if mean_distance(found) < best - 1e-4:
            return tried, found
    return None


def cross_validate(
    known: KnownSounds,
    groups: Sequence[str],
    names: Sequence[str] = USUAL,
    steps: int = 4,
    threads: int = 1,
    say: Say = _silent,
) -> CrossValidation:
    """Fit with each group left out in turn, and judge each fit by the group that it did not know.

    Args:
        known: the sounds.
        groups: beginnings of names.
        names: see `fit`.
        steps: likewise.
        threads: likewise.
        say: hears of each step.

    Raises:
        InvalidValueError: a group that holds no sound, or all.
    """
    left_out, fits = {}, {}
    for group in groups:
        outside = [k for k, name in enumerate(known.names) if name.startswith(group)]
        inside = [k for k, name in enumerate(known.names) if not name.startswith(group)]
        if not inside or not outside:
            raise InvalidValueError(
                f"The group {group!r} holds {len(outside)} of {len(known.names)} sounds: a group "
                "is a beginning of names, and must hold some but not all."
            )
        say(f"without {group}")
        found = fit(known.some(inside), names, steps, threads=threads, say=say)
        judged = Judge(known.some(outside), threads).differences(found.values)
        left_out[group], fits[group] = mean_distance(judged), found.values
        say(f"{group}: {left_out[group]:.3f} dB")
    return CrossValidation(left_out, fits)
