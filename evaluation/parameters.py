"""How close the patch of a match is to the patch that made the target.

Goal: figures that say whether a method found the *settings* and not only a similar sound. They
exist only where the truth is known, and they are secondary: several patches make the same sound
(a volume of 0 hides wave and pitch of its oscillator), so an error is not always a fault.

Conventions: only the run's free parameters count. Continuous parameters are compared on the
normalised scale, 0 to 1, as an absolute difference; classes are right or wrong, never a distance.
A method that failed has an error of 1 and no class right.

**Exchanged oscillators.** In the Dual VCO Eco model two patches that differ only in which of the
two oscillators plays which part sound alike (to the few cents of their detune pots) where both
parts exist on both oscillators: VCO1 has octaves where VCO2 has semitones, and of their waves only
the sawtooth, and the square at PW=0, are common. Where a match can be exchanged so, the version
that is nearer to the truth is compared, and `ParameterErrors.exchanged` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.evaluation.measure import Measure
from deepdiva.parameters import ParameterTable
from deepdiva.space import ParameterSpace

PARAMETER_ERROR = Measure(
    "parameter_error",
    "Parameter error",
    "",
    "lower",
    0.0,
    "Mean absolute error of the continuous free parameters on the scale 0 to 1.",
)
CLASS_ACCURACY = Measure(
    "class_accuracy",
    "Classes right",
    "",
    "higher",
    1.0,
    "Share of the free enum parameters (waves, octave) that are right.",
)

ECO_MODEL = 3.0
COMMON_WAVES = {2.0: 1.0}
"""VCO1's class to VCO2's class of the same wave: the sawtooth."""
SQUARE_WAVES = {3.0: 2.0}
"""The same for the pulse, a square only while `OSC.PW` is 0."""


@dataclass(frozen=True)
class ParameterErrors:
    """Comparison of one match with the truth.

    Attributes:
        each: parameter name to absolute normalised difference, for classes 0 (right) or 1 (wrong).
        parameter_error: mean over the continuous parameters; None where none is free.
        class_accuracy: share of classes that are right; None where none is free.
        exchanged: the match was compared with its oscillators exchanged.
    """

    each: dict[str, float]
    parameter_error: float | None
    class_accuracy: float | None
    exchanged: bool


def validate(truth: NDArray[np.float64], match: NDArray[np.float64], space: ParameterSpace) -> None:
    """Refuse patches that do not belong to the space's table.

    Raises:
        InvalidValueError: another shape than (len(table),).
    """
    if truth.shape != match.shape or truth.shape != (len(space.table),):
        raise InvalidValueError(
            f"Patches have the shapes {truth.shape} and {match.shape}: both must hold the "
            f"{len(space.table)} values of the table {space.table.name}."
        )


def exchange_oscillators(
    patch: NDArray[np.float64], table: ParameterTable
) -> NDArray[np.float64] | None:
    """The same sound with VCO1 and VCO2 in each other's place, or None where there is none.

    Args:
        patch: shape (len(table),), units of the table, Diva's.
        table: where the names of the columns stand.
    """
    names = (
        "OSC.Model", "OSC.PW", "OSC.Wave1", "OSC.Wave2", "OSC.Tune1", "OSC.Tune2", "OSC.Vol1",
        "OSC.Vol2",
    )  # fmt: skip
    if not set(names) <= set(table.names):
        return None
    model, width, wave1, wave2, tune1, tune2, volume1, volume2 = (
        float(patch[table.index(name)]) for name in names
    )
    waves = COMMON_WAVES | (SQUARE_WAVES if width == 0.0 else {})
    back = {second: first for first, second in waves.items()}
    if model != ECO_MODEL or wave1 not in waves or wave2 not in back:
        return None
    if tune2 not in table["OSC.Tune1"].choice_values:
        return None
    exchanged = patch.copy()
    for name, value in (
        ("OSC.Wave1", back[wave2]),
        ("OSC.Wave2", waves[wave1]),
        ("OSC.Tune1", tune2),
        ("OSC.Tune2", tune1),
        ("OSC.Vol1", volume2),
        ("OSC.Vol2", volume1),
    ):
        exchanged[table.index(name)] = value
    return exchanged


def each_error(
    truth: NDArray[np.float64], match: NDArray[np.float64], space: ParameterSpace
) -> dict[str, float]:
    """Error of each free parameter: normalised difference, or 0 and 1 for right and wrong."""
    errors = {}
    for parameter in space.parameters:
        column = space.table.index(parameter.name)
        pair = parameter.to_normalised([truth[column], match[column]])
        if parameter.is_class:
            played = parameter.to_unit(pair)
            errors[parameter.name] = float(played[0] != played[1])
        else:
            errors[parameter.name] = abs(float(pair[1] - pair[0]))
    return errors


def evaluate(
    truth: NDArray[np.float64], match: NDArray[np.float64], space: ParameterSpace
) -> ParameterErrors:
    """Compare the free parameters of a match with the truth.

    Args:
        truth: patch that made the target, shape (len(space.table),), units of the table.
        match: patch of the match, the same shape.
        space: which parameters are free.

    Raises:
        InvalidValueError: see `validate`.
    """
    validate(truth, match, space)
    plain = _errors(truth, match, space, exchanged=False)
    other = exchange_oscillators(match, space.table)
    if other is None or _is_another(other, match, truth, space):
        return plain
    turned = _errors(truth, other, space, exchanged=True)
    return min(plain, turned, key=lambda errors: sum(errors.each.values()))


def _is_another(
    other: NDArray[np.float64],
    match: NDArray[np.float64],
    truth: NDArray[np.float64],
    space: ParameterSpace,
) -> bool:
    """Whether exchanging oscillators gave parameters that nobody compares values not the truth's.

    Where but one of a pair is free, an error would be moved to the other, out of sight.
    """
    moved = other != match
    moved[space.columns] = False
    return not np.allclose(other[moved], truth[moved], rtol=0.0, atol=0.005)


def failed(space: ParameterSpace) -> ParameterErrors:
    """What a method gets that gave no patch."""
    classes = any(parameter.is_class for parameter in space.parameters)
    continuous = any(not parameter.is_class for parameter in space.parameters)
    return ParameterErrors(
        each=dict.fromkeys(space.names, 1.0),
        parameter_error=1.0 if continuous else None,
        class_accuracy=0.0 if classes else None,
        exchanged=False,
    )


def _errors(
    truth: NDArray[np.float64],
    match: NDArray[np.float64],
    space: ParameterSpace,
    *,
    exchanged: bool,
) -> ParameterErrors:
    each = each_error(truth, match, space)
    wrong = [each[p.name] for p in space.parameters if p.is_class]
    distances = [each[p.name] for p in space.parameters if not p.is_class]
    return ParameterErrors(
        each=each,
        parameter_error=float(np.mean(distances)) if distances else None,
        class_accuracy=1.0 - float(np.mean(wrong)) if wrong else None,
        exchanged=exchanged,
    )
