"""One parameter of a synthesizer: its range, its choices, and both directions of conversion.

Three ways to say the same value:

* the *unit*: what a preset file holds and an engine computes with (`12.0` semitones, `2.0`);
* the *normalised* position in [0, 1], where a plug-in host puts the same value;
* the *text* of a preset file (`12.00`, `2`, `'Chorus1'`), or a choice's label for people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.errors import InvalidValueError

Kind = Literal["float", "int", "enum", "bool"]
Spacing = Literal["linear", "even"]
Spelling = Literal["%d", "%.2f", "quoted"]

# Conversions back from [0, 1] are rounded here, so that every number with few decimals returns as
# the very same float64. The rounding is some 1e4 times finer than any host's own float32.
_DECIMALS = 12


@dataclass(frozen=True)
class Choice:
    """One of the values that a stepped parameter can take.

    Attributes:
        value: in the parameter's unit.
        label: what people call it; unique within the parameter, never a number of other meaning.
    """

    value: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter, declared once.

    Attributes:
        index: place in its table, 0 the first.
        name: unique in its table; for Diva `SECTION.KEY` of the preset file.
        section: section of the preset file, empty where there is none.
        key: key inside the section, empty where there is none.
        title: what the plug-in calls it, without its section.
        host_name: what the plug-in reports to a host, `VCF1: Frequency`.
        kind: `float` is continuous; `int` counts; `enum` and `bool` are classes.
        minimum: least value, in the unit.
        maximum: greatest value, in the unit.
        unit: `%`, `semitones`, `cents`, `ms` ...; empty for a plain knob scale.
        choices: every value that a stepped parameter can take, ascending; empty for `float`.
        spacing: where the host puts the choices. `even`: choice k of n at k / (n - 1), whatever the
            values. `linear`: by value over minimum..maximum, as for a continuous parameter.
        default: value in the table's base patch.
        spelling: how a preset file writes the value; None where a plain file does not hold it.
        description: what it does to the sound.

    Raises:
        InvalidValueError: an empty range, a default or choice outside it, or choices that do not
            ascend.
    """

    index: int
    name: str
    kind: Kind
    minimum: float
    maximum: float
    default: float
    title: str = ""
    section: str = ""
    key: str = ""
    host_name: str = ""
    unit: str = ""
    choices: tuple[Choice, ...] = ()
    spacing: Spacing = "even"
    spelling: Spelling | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum)) or (
            self.minimum >= self.maximum
        ):
            raise InvalidValueError(
                f"{self.name} ranges from {self.minimum} to {self.maximum}: "
                "the range must be finite and not empty."
            )
        if (self.kind == "float") == bool(self.choices):
            raise InvalidValueError(
                f"{self.name} is of kind {self.kind} and has {len(self.choices)} choices: "
                "continuous parameters have none, stepped ones list every value."
            )
        values = [choice.value for choice in self.choices]
        if len(values) == 1 or any(low >= high for low, high in pairwise(values)):
            raise InvalidValueError(
                f"{self.name} has the choices {values}: there must be two or more, ascending."
            )
        for value in (*values, self.default):
            if not self.minimum <= value <= self.maximum:
                raise InvalidValueError(f"{self.name} holds {value:g}: {self._rule()}.")

    @property
    def is_class(self) -> bool:
        """Its values are names without order (enum, bool): to be chosen, never interpolated."""
        return self.kind in ("enum", "bool")

    @cached_property
    def choice_values(self) -> NDArray[np.float64]:
        """Values of the choices, ascending, shape (choices,); read-only."""
        return _read_only(np.array([choice.value for choice in self.choices], dtype=np.float64))

    @cached_property
    def choice_positions(self) -> NDArray[np.float64]:
        """Normalised positions of the choices, ascending, shape (choices,); read-only."""
        if self.spacing == "even":
            return _read_only(np.linspace(0.0, 1.0, len(self.choices)))
        return _read_only((self.choice_values - self.minimum) / (self.maximum - self.minimum))

    def to_normalised(self, value: ArrayLike) -> NDArray[np.float64]:
        """Where the host puts values.

        Args:
            value: in the unit, any shape. Between two choices the position lies between theirs;
                beyond the range it is that of the nearer end.

        Returns:
            Positions in [0, 1], the same shape.
        """
        values = np.asarray(value, dtype=np.float64)
        if self.choices and self.spacing == "even":
            return np.asarray(np.interp(values, self.choice_values, self.choice_positions))
        position = (values - self.minimum) / (self.maximum - self.minimum)
        return np.asarray(np.clip(position, 0.0, 1.0))

    def to_unit(self, normalised: ArrayLike) -> NDArray[np.float64]:
        """What the host means by positions; the inverse of `to_normalised`.

        Args:
            normalised: positions, any shape; beyond 0 and 1 they count as the ends.

        Returns:
            Values in the unit, the same shape. A stepped parameter gives the choice whose position
            is nearest, the greater one half-way. Values with up to 9 decimals that came from
            `to_normalised` come back as the very same numbers.
        """
        position = np.clip(np.asarray(normalised, dtype=np.float64), 0.0, 1.0)
        if self.choices:
            return np.asarray(self.choice_values[np.searchsorted(self._edges, position, "right")])
        value = self.minimum + position * (self.maximum - self.minimum)
        return np.asarray(np.round(value, _DECIMALS))

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        """Positions half-way between neighbouring choices, shape (choices - 1,).

        Rounded so that the octave switch splits exactly at .2 .4 .6 .8.
        """
        positions = self.choice_positions
        return np.round((positions[1:] + positions[:-1]) / 2, _DECIMALS)

    def on_grid(self, value: ArrayLike) -> NDArray[np.bool_]:
        """Whether values are among the choices; always true of a continuous parameter."""
        values = np.asarray(value, dtype=np.float64)
        if not self.choices:
            return np.ones(values.shape, dtype=np.bool_)
        return np.asarray(np.isin(values, self.choice_values))

    def check(self, value: float, *, grid: bool = False) -> None:
        """Refuse a value that the parameter cannot hold.

        Args:
            value: in the unit.
            grid: also refuse a value between the choices. Presets in circulation hold such values
                (an octave switch at 11.43 semitones), and the synthesizer reads them; nothing
                should write new ones.

        Raises:
            InvalidValueError: not finite, outside the range, with a fraction where the preset file
                holds whole numbers, or (with `grid`) none of the choices.
        """
        in_range = math.isfinite(value) and self.minimum <= value <= self.maximum
        whole = value == round(value) if in_range else False
        if not in_range or (not whole and self.is_whole) or (grid and not self.on_grid(value)):
            raise InvalidValueError(f"{self.name} = {value:g}: {self._rule()}.")

    @cached_property
    def is_whole(self) -> bool:
        """A preset file holds whole numbers only; false where it writes steps as `2.00`."""
        return (
            bool(self.choices)
            and self.spelling != "%.2f"
            and all(choice.value.is_integer() for choice in self.choices)
        )

    def _rule(self) -> str:
        """The range or the choices as the second half of an error message."""
        if self.kind == "int":
            return f"it must be a whole number from {self.minimum:g} to {self.maximum:g}"
        if self.choices:
            return "it must be one of " + ", ".join(
                f"{choice.value:g}"
                if choice.label == f"{choice.value:g}"
                else f"{choice.value:g} ({choice.label})"
                for choice in self.choices
            )
        unit = f" ({self.unit})" if self.unit else ""
        return f"it must be a number from {self.minimum:g} to {self.maximum:g}{unit}"

    def parse(self, text: str) -> float:
        """Read a value that a person typed: a number in the unit, or a choice's label.

        Labels are compared without regard to case.

        Raises:
            InvalidValueError: neither a number nor a label, or a value that `check` refuses.
        """
        wanted = text.strip()
        for choice in self.choices:
            if choice.label.casefold() == wanted.casefold():
                return choice.value
        try:
            value = float(wanted)
        except ValueError:
            raise InvalidValueError(f"{self.name} = {wanted!r}: {self._rule()}.") from None
        self.check(value, grid=True)
        return value

    def label(self, value: float) -> str:
        """The value for people: a choice's label, or the number with its unit."""
        for choice in self.choices:
            if choice.value == value and choice.label != f"{value:g}":
                return choice.label
        return f"{value:g} {self.unit}".rstrip()

    def spell(self, value: float) -> str:
        """The text of a value in a preset file.

        Numbers of the continuous scale keep two decimals, as in every file that the synthesizer
        saves; a negative zero loses its sign.

        Raises:
            InvalidValueError: a value that `check` refuses, or an effect without a name.
        """
        self.check(value, grid=self.spelling == "quoted")
        if self.spelling == "quoted":
            return f"'{self.choices[int(np.searchsorted(self.choice_values, value))].label}'"
        if self.spelling == "%.2f" or not self.choices:
            return f"{round(value, 2) + 0.0:.2f}"
        return f"{value:.0f}"


def _read_only(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values.setflags(write=False)
    return values
