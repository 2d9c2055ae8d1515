"""Jumps from one point to its neighbours in the sense of the synthesizer, not of the metric.

Where a search has settled on a wrong wave or octave, no small step leads out. These are the large
steps: another class, another hinted pitch, an octave up or down, the oscillators exchanged.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from deepdiva.search.encoding import nearest_class
from deepdiva.search.pitch import OSCILLATORS
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace

OCTAVE = 12.0
"""Semitones."""

_EXCHANGED = (("OSC.Tune1", "OSC.Tune2"), ("OSC.Vol1", "OSC.Vol2"))
_SAWTOOTHS = (("OSC.Wave1", 2.0), ("OSC.Wave2", 1.0))
"""The one wave that both oscillators of the Dual VCO Eco have; with it they may be exchanged."""

_NEAR_OCTAVE = 0.5
"""Semitones from an octave within which the second oscillator's pitch can be the first one's."""


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
    for position, parameter in enumerate(start.space.parameters):
        if parameter.name in OSCILLATORS and not parameter.is_class:
            value = float(parameter.to_unit(point[position]))
            found += [
                _with(point, position, float(parameter.to_normalised(value + step)))
                for step in (-OCTAVE, OCTAVE)
                if parameter.minimum <= value + step <= parameter.maximum
            ]
    return found


def _exchanges(point: NDArray[np.float64], space: ParameterSpace) -> list[NDArray[np.float64]]:
    """The point with its two oscillators exchanged, where it sounds the same."""
    values = dict(zip(space.table.names, space.patches(point[None])[0], strict=True))
    names = [name for pair in _EXCHANGED for name in pair]
    if not set(names) <= set(space.names) or any(values[name] != wave for name, wave in _SAWTOOTHS):
        return []
    first, second = values["OSC.Tune1"], values["OSC.Tune2"]
    octave = OCTAVE * round(second / OCTAVE)
    if abs(second - octave) > _NEAR_OCTAVE or abs(octave) > 2 * OCTAVE:
        return []
    changed = {
        "OSC.Tune1": octave,
        "OSC.Tune2": first + second - octave,
        "OSC.Vol1": values["OSC.Vol2"],
        "OSC.Vol2": values["OSC.Vol1"],
    }
    exchanged = point.copy()
    for name, value in changed.items():
        parameter = space.table[name]
        exchanged[space.names.index(name)] = parameter.to_normalised(value)
    return [exchanged]


def _with(point: NDArray[np.float64], position: int, value: float) -> NDArray[np.float64]:
    changed = point.copy()
    changed[position] = value
    return changed
