"""Which parameters a search or a model may set, and what holds the others."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.parameters import Parameter, ParameterTable


@dataclass(frozen=True)
class ClassDimension:
    """A dimension of a space whose values are classes.

    Attributes:
        position: column of the point x.
        parameter: the free parameter that stands there.
        positions: normalised position of each of its choices, shape (choices,), ascending.
    """

    position: int
    parameter: Parameter
    positions: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ParameterSpace:
    """A few free parameters; the others stay at the values of a base patch.

    A point x of the space has one normalised position in [0, 1] for each free parameter, in the
    order of `free`. The batch comes first, everywhere.

    Attributes:
        table: parameters of the synthesizer.
        base: patch that holds the fixed parameters, shape (len(table),), in units; copied and made
            read-only.
        free: names of the free parameters.

    Raises:
        InvalidValueError: no free parameter, one named twice, or a base patch that does not fit.
        UnknownNameError: a name that is not in the table.
    """

    table: ParameterTable
    base: NDArray[np.float64]
    free: tuple[str, ...]

    def __post_init__(self) -> None:
        base = np.array(self.base, dtype=np.float64)
        if base.shape != (len(self.table),):
            raise InvalidValueError(
                f"The base patch has the shape {base.shape}: {self.table.name} has "
                f"{len(self.table)} parameters."
            )
        self.table.check(base)
        base.setflags(write=False)
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "free", tuple(self.free))
        if not self.free:
            raise InvalidValueError("No parameter is free: name at least one.")
        for name in self.free:
            self.table.index(name)
            if self.free.count(name) > 1:
                raise InvalidValueError(f"{name} is named twice among the free parameters.")

    @property
    def dimensions(self) -> int:
        """Number of free parameters."""
        return len(self.free)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters, in the order of x."""
        return self.free

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The free parameters, in the order of x."""
        return tuple(self.table[name] for name in self.free)

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """Place in a patch of each free parameter, shape (dimensions,)."""
        return np.array([self.table.index(name) for name in self.free], dtype=np.intp)

    @cached_property
    def continuous(self) -> NDArray[np.intp]:
        """Columns of x that have an order: continuous parameters, and those that count."""
        return np.flatnonzero([not parameter.is_class for parameter in self.parameters])

    @cached_property
    def classes(self) -> tuple[ClassDimension, ...]:
        """The dimensions whose values are classes, in the order of x."""
        return tuple(
            ClassDimension(position, parameter, parameter.choice_positions)
            for position, parameter in enumerate(self.parameters)
            if parameter.is_class
        )

    def patches(self, x: ArrayLike) -> NDArray[np.float64]:
        """The patches that points stand for.

        Args:
            x: shape (batch, dimensions), normalised.

        Returns:
            Shape (batch, len(table)), in units; stepped parameters hold one of their choices.

        Raises:
            InvalidValueError: another shape, or a number that is not finite.
        """
        points = self._batch(x, self.dimensions, "A batch of points")
        patches = np.tile(self.base, (len(points), 1))
        for position, parameter in enumerate(self.parameters):
            patches[:, self.columns[position]] = parameter.to_unit(points[:, position])
        return patches

    def normalised(self, patches: ArrayLike) -> NDArray[np.float64]:
        """The points of patches: the way back, which drops the fixed parameters.

        Args:
            patches: shape (batch, len(table)), in units.

        Returns:
            Shape (batch, dimensions), in [0, 1]. A stepped value between its choices keeps the
            place between theirs at which the host puts it.

        Raises:
            InvalidValueError: another shape, or a number that is not finite.
        """
        values = self._batch(patches, len(self.table), "A batch of patches")
        points = np.empty((len(values), self.dimensions))
        for position, parameter in enumerate(self.parameters):
            points[:, position] = parameter.to_normalised(values[:, self.columns[position]])
        return points

    def random(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Points drawn at random: uniform over each range, every class and step equally often.

        Returns:
            Shape (count, dimensions), in [0, 1]. Classes and steps stand exactly on their
            positions.
        """
        points = rng.random((count, self.dimensions))
        for position, parameter in enumerate(self.parameters):
            if parameter.choices:
                places = parameter.choice_positions
                points[:, position] = places[(points[:, position] * len(places)).astype(np.intp)]
        return points

    def locked(self, locks: Mapping[str, float]) -> ParameterSpace:
        """The same space with some parameters held at given values, and free no longer.

        Args:
            locks: values in units by name, of free or fixed parameters; they are rounded to what a
                preset file spells.

        Raises:
            InvalidValueError: a value that the parameter does not have, or nothing left free.
            UnknownNameError: a name that is not in the table.
        """
        base = self.base.copy()
        for name, value in locks.items():
            parameter = self.table[name]
            parameter.check(value, grid=True)
            base[parameter.index] = round(value, 2) if parameter.spelling == "%.2f" else value
        free = tuple(name for name in self.free if name not in locks)
        return replace(self, base=base, free=free)

    def to_dict(self) -> dict[str, Any]:
        """The space in words and numbers, ready for JSON; `from_dict` is the way back.

        The base patch stands under the parameters' names, and each free parameter with its range
        and choices, so that a later version with another range is noticed.
        """
        return {
            "table": self.table.name,
            "free": [_description(parameter) for parameter in self.parameters],
            "base": dict(zip(self.table.names, self.base.tolist(), strict=True)),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], table: ParameterTable) -> ParameterSpace:
        """The space that `to_dict` described.

        Raises:
            InvalidValueError: an entry missing or unknown, another synthesizer's table, or a free
                parameter whose range or choices are not those of the table.
            UnknownNameError: a parameter that the table does not have.
        """
        keys = {"table", "free", "base"}
        if set(description) != keys:
            raise InvalidValueError(
                f"A parameter space is described by {', '.join(sorted(keys))}; "
                f"this holds {', '.join(sorted(description)) or 'nothing'}."
            )
        if description["table"] != table.name:
            raise InvalidValueError(
                f"The parameter space belongs to {description['table']!r}, not to "
                f"{table.name!r}: use it with the synthesizer that it was made for."
            )
        stored = description["base"]
        if set(stored) != set(table.names):
            odd = sorted(set(stored) ^ set(table.names))
            raise InvalidValueError(
                f"The base patch and the table {table.name!r} differ in {', '.join(odd[:5])}: "
                "it was made with another version of the table."
            )
        for entry in description["free"]:
            current = _description(table[entry["name"]])
            if dict(entry) != current:
                raise InvalidValueError(
                    f"{entry['name']} was {dict(entry)} when the space was stored, and is "
                    f"{current} now: make it again with this version."
                )
        return cls(
            table=table,
            base=np.array([stored[name] for name in table.names], dtype=np.float64),
            free=tuple(entry["name"] for entry in description["free"]),
        )

    @staticmethod
    def _batch(values: ArrayLike, width: int, what: str) -> NDArray[np.float64]:
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != width:
            raise InvalidValueError(f"{what} has the shape (batch, {width}), not {array.shape}.")
        if not np.isfinite(array).all():
            raise InvalidValueError(f"{what} holds a number that is not finite.")
        return array


def _description(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "kind": parameter.kind,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "choices": parameter.choice_values.tolist(),
    }


def parse_free(table: ParameterTable, text: str) -> tuple[str, ...]:
    """Read a list of parameters that a person typed.

    Args:
        table: where they are looked up.
        text: names and indices in any mixture, separated by commas or blanks:
            `86 131 148`, `Tune,Cutoff`, `86, Cutoff`. A name that holds blanks itself is
            understood between commas. `*` and `?` stand for any letters and for one: `VCF1.*`.

    Returns:
        Their names, in the order of the text.

    Raises:
        InvalidValueError: an empty list, or a parameter named twice.
        UnknownNameError: a name or index that is not in the table.
    """
    names: list[str] = []
    for piece in text.split(","):
        whole = piece.strip()
        for word in [whole] if whole in table else whole.split():
            if word not in table and {"*", "?"} & set(word):
                names += _matching(table, word, names)
                continue
            name = _lookup(table, word).name
            if name in names:
                raise InvalidValueError(f"{name} is named twice in {text!r}.")
            names.append(name)
    if not names:
        raise InvalidValueError(
            "The list of free parameters is empty: give names or indices, such as "
            f"'{table.names[-1]}' or '{len(table) - 1}'."
        )
    return tuple(names)


def parse_lock(table: ParameterTable, text: str) -> tuple[str, float]:
    """Read a fixed value that a person typed.

    Args:
        table: where the parameter is looked up.
        text: `NAME=VALUE`; NAME may be an index, VALUE a choice's label: `Voices=2`,
            `Wave=noise`, `148=90.5`.

    Returns:
        Name, and value in the unit.

    Raises:
        InvalidValueError: no `=`, or a value that the parameter does not have.
        UnknownNameError: a name or index that is not in the table.
    """
    word, equals, value = text.rpartition("=")
    if not equals:
        raise InvalidValueError(f"{text!r} fixes no value: write NAME=VALUE.")
    parameter = _lookup(table, word.strip())
    return parameter.name, parameter.parse(value)


def _matching(table: ParameterTable, pattern: str, named: Collection[str]) -> list[str]:
    """Names that a pattern stands for, without those that were named."""
    found = [name for name in table.names if fnmatchcase(name.casefold(), pattern.casefold())]
    if not found:
        raise UnknownNameError(
            f"No parameter of {table.name} is called like {pattern!r}: names are such as "
            f"{table.names[0]} or {table.names[-1]}."
        )
    return [name for name in found if name not in named]


def _lookup(table: ParameterTable, word: str) -> Parameter:
    """The parameter of a name or of an index in digits."""
    is_index = word not in table and re.fullmatch(r"-?[0-9]{1,9}", word)
    return table[int(word) if is_index else word]
