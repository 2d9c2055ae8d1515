"""How sure a predictor is of each parameter: the spread of its candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.models.predictor import Candidates
from deepdiva.parameters import Parameter
from deepdiva.space import ParameterSpace

_UNIFORM_QUARTILES = 0.5
"""Distance of the quartiles of a uniform distribution on [0, 1]."""


@dataclass(frozen=True)
class Spread:
    """What the candidates say about one parameter.

    Attributes:
        parameter: which.
        low: value that a twentieth of the candidates stay below, in the unit.
        high: value that a twentieth of them exceed, in the unit.
        certainty: 1 if the sound fixes the value, 0 if it says nothing about it. For a class the
            probability of the likeliest; else 1 less the distance of the candidates' quartiles
            over that of the whole range.
    """

    parameter: Parameter
    low: float
    high: float
    certainty: float


def spreads(candidates: Candidates, space: ParameterSpace) -> list[Spread]:
    """The spread of each free parameter, in the order of the space.

    Args:
        candidates: of one sound; with a single one nothing is known of the spread, and every
            continuous parameter's certainty is NaN.
        space: of the candidates.
    """
    found = []
    own = np.isfinite(candidates.log_density)  # those of another predictor have no density
    rows = candidates.x[own] if own.any() else candidates.x
    for position, parameter in enumerate(space.parameters):
        column: NDArray[np.float64] = rows[:, position]
        low, first, third, high = np.quantile(column, [0.05, 0.25, 0.75, 0.95])
        if parameter.name in candidates.certainties:
            certainty = candidates.certainties[parameter.name]
        elif parameter.is_class:
            certainty = float(candidates.class_probabilities[parameter.name].max())
        elif len(candidates) == 1:
            certainty = float("nan")
        else:
            certainty = max(0.0, 1.0 - float(third - first) / _UNIFORM_QUARTILES)
        low_unit, high_unit = parameter.to_unit(np.array([low, high]))
        found.append(Spread(parameter, float(low_unit), float(high_unit), certainty))
    return found
