"""How close the patch of a match is to the patch that made the target.

Goal: figures that say whether a method found the *settings* and not only a similar sound. They
exist only where the truth is known, and they are secondary: several patches make the same sound
(a volume of 0 hides wave and pitch of its oscillator), so an error is not always a fault.

Conventions: only the run's free parameters count. Continuous parameters are compared on the
normalised scale, 0 to 1, as an absolute difference; classes are right or wrong, never a distance.
A method that failed has an error of 1 and no class right.

**Exchanged oscillators.** Where a synthesizer has two oscillators that can play each other's parts
(`Synthesizer.exchange`), a match may be the truth with its oscillators exchanged. The version that
is nearer to the truth is compared, and `ParameterErrors.exchanged` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.evaluation.measure import Measure
from deepdiva.space import ParameterSpace
from deepdiva.synths import synthesizer_of

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


MODULES = Measure(
    "modules",
    "Modules in use",
    "",
    "lower",
    0.0,
    "Modules of the panel that shape the match: of two as near, the simpler one is easier to edit.",
)


def modules_in_use(patch: NDArray[np.float64], space: ParameterSpace) -> float | None:
    """How many modules shape the sound of a patch; None where the synthesizer does not say.

    Args:
        patch: shape (len(space.table),), units of the table.
        space: of the run.
    """
    modules = synthesizer_of(space.table).modules_in_use(patch)
    return float(len(modules)) if modules else None


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
    synthesizer = synthesizer_of(space.table)
    changes = synthesizer.exchange(match)
    if changes is None:
        return plain
    other = synthesizer.with_values(match, changes)
    if _is_another(other, match, truth, space):
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
