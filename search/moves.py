"""Jumps from one point to its neighbours in the sense of the synthesizer, not of the metric.

Where a search has settled on a wrong wave or octave, no small step leads out. These are the large
steps: another class, another hinted pitch, an octave up or down, the oscillators exchanged.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.encoding import nearest_class
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths import synthesizer_of

OCTAVE = 12.0
"""Semitones."""

_NEAR_OCTAVE = 0.5
"""Semitones from an octave within which the pitch of one oscillator can be the other one's."""


def neighbours(point: NDArray[np.float64], start: Start) -> NDArray[np.float64]:
    """All points one jump away, and those with two classes changed.

    Args:
        point: shape (space.dimensions,), classes on their positions.
        start: gives the space, and the hints.

    Returns:
        Shape (count, space.dimensions), single changes first, none equal to `point`, none twice.
    """
    space = start.space
    found = [
        *_class_changes(point, space, 1),
        *_pitch_changes(point, start),
        *_exchanges(point, space),
        *_class_changes(point, space, 2),
    ]
    seen = {point.tobytes()}
    fresh = []
    for neighbour in found:
        if neighbour.tobytes() not in seen:
            seen.add(neighbour.tobytes())
            fresh.append(neighbour)
    return np.array(fresh).reshape(-1, space.dimensions)


def _class_changes(
    point: NDArray[np.float64], space: ParameterSpace, changed: int
) -> list[NDArray[np.float64]]:
    """Points that differ in `changed` classes."""
    found = [point]
    result: list[NDArray[np.float64]] = []
    for dimensions in combinations(space.classes, changed):
        found = [point]
        for dimension in dimensions:
            own = nearest_class(dimension.positions, point[[dimension.position]])[0]
            found = [
                _with(other, dimension.position, position)
                for other in found
                for number, position in enumerate(dimension.positions)
                if number != own
            ]
        result += found
    return result


def _pitch_changes(point: NDArray[np.float64], start: Start) -> list[NDArray[np.float64]]:
    """Points with another hinted value, or an oscillator moved by an octave."""
    found = [_with(point, position, hint) for position, hints in start.hinted for hint in hints]
    oscillators = synthesizer_of(start.space.table).oscillators
    for position, parameter in enumerate(start.space.parameters):
        if parameter.name in oscillators and not parameter.is_class:
            value = float(parameter.to_unit(point[position]))
            found += [
                _with(point, position, float(parameter.to_normalised(value + step)))
                for step in (-OCTAVE, OCTAVE)
                if parameter.minimum <= value + step <= parameter.maximum
            ]
    return found


def _exchanges(point: NDArray[np.float64], space: ParameterSpace) -> list[NDArray[np.float64]]:
    """The point with its two oscillators exchanged, where it sounds the same."""
    changes = synthesizer_of(space.table).exchange(space.patches(point[None])[0], _NEAR_OCTAVE)
    if changes is None or not set(changes) <= set(space.names):
        return []
    exchanged = point.copy()
    for name, value in changes.items():
        parameter = space.table[name]
        exchanged[space.names.index(name)] = parameter.to_normalised(value)
    return [exchanged]


def _with(point: NDArray[np.float64], position: int, value: float) -> NDArray[np.float64]:
    changed = point.copy()
    changed[position] = value
    return changed
