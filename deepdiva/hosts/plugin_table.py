"""A plug-in's list of parameters as a `ParameterTable`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
from deepdiva.hosts.host import HostParameter, PluginDescription
from deepdiva.parameters import Choice, Parameter, ParameterTable

_MOST_CLASSES = 8  # more steps than this, if they are numbers in a row, count


def plugin_table(plugin: PluginDescription) -> ParameterTable:
    """The parameters of any plug-in, in the host's order.

    A continuous parameter has the host's range [0, 1]. One with steps holds the number of its step
    and their texts as labels; it is a class (two steps: a switch), unless it has many steps that
    are whole numbers in a row, such as semitones: then it counts, and holds those numbers.

    Raises:
        RenderError: the plug-in has no parameters.
    """
    if not plugin.parameters:
        raise RenderError(f"{plugin.path} has no parameters: there is nothing to search.")
    names = unique_names([parameter.name for parameter in plugin.parameters])
    return ParameterTable(
        name=plugin.name.lower(),
        parameters=tuple(
            _parameter(place, name, reported)
            for place, (name, reported) in enumerate(zip(names, plugin.parameters, strict=True))
        ),
    )


def host_indices(plugin: PluginDescription) -> NDArray[np.intp]:
    """The host's index of each parameter of `plugin_table`, shape (len(table),)."""
    return np.array([parameter.index for parameter in plugin.parameters], dtype=np.intp)


def unique_names(names: Sequence[str]) -> list[str]:
    """Names that differ: the empty ones numbered by place, repeated ones by occurrence.

    `["Level", "", "Level"]` gives `["Level", "parameter 1", "Level (2)"]`.
    """
    unique: dict[str, None] = {}
    for place, name in enumerate(names):
        base = " ".join(name.split()) or f"parameter {place}"
        candidate, occurrence = base, 1
        while candidate in unique:
            occurrence += 1
            candidate = f"{base} ({occurrence})"
        unique[candidate] = None
    return list(unique)


def _parameter(place: int, name: str, reported: HostParameter) -> Parameter:
    if not reported.steps:
        return Parameter(
            index=place,
            name=name,
            title=name,
            host_name=reported.name,
            kind="float",
            minimum=0.0,
            maximum=1.0,
            default=reported.default,
            description=f"continuous, shown in {reported.unit}" if reported.unit else "",
        )
    count = len(reported.steps)
    counts = count > _MOST_CLASSES and _is_row_of_numbers(reported.steps)
    first = float(reported.steps[0]) if counts else 0.0
    labels = unique_names(reported.steps)
    return Parameter(
        index=place,
        name=name,
        title=name,
        host_name=reported.name,
        kind="bool" if count == 2 else "int" if counts else "enum",
        minimum=first,
        maximum=first + count - 1,
        unit=reported.unit if counts else "",
        choices=tuple(Choice(first + k, label) for k, label in enumerate(labels)),
        default=first + round(reported.default * (count - 1)),
    )


def _is_row_of_numbers(steps: Sequence[str]) -> bool:
    """Whether texts are whole numbers, each one more than the last."""
    try:
        numbers = [float(step) for step in steps]
    except ValueError:
        return False
    return numbers[0].is_integer() and all(
        later - earlier == 1.0 for earlier, later in itertools.pairwise(numbers)
    )
