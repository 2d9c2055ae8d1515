"""The parameters of one synthesizer, in order."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.parameters.parameter import Parameter


@dataclass(frozen=True)
class ParameterTable:
    """All parameters of one synthesizer. A *patch* is a float64 array with one value for each.

    Attributes:
        name: of the synthesizer, such as `diva`; it travels with everything made for it.
        parameters: in order of index.

    Raises:
        InvalidValueError: no parameter, two of one name, or one whose index is not its place.
    """

    name: str
    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        if not self.parameters:
            raise InvalidValueError(f"The table {self.name!r} holds no parameter.")
        for place, parameter in enumerate(self.parameters):
            if parameter.index != place or self._places[parameter.name] != place:
                raise InvalidValueError(
                    f"{parameter.name} has index {parameter.index} at place {place} of the table "
                    f"{self.name!r}: indices must count from 0, and names must differ."
                )

    @cached_property
    def _places(self) -> dict[str, int]:
        return {parameter.name: place for place, parameter in enumerate(self.parameters)}

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __getitem__(self, name: str | int) -> Parameter:
        """The parameter of a name or an index.

        Raises:
            UnknownNameError: there is none; the message holds near matches.
        """
        if isinstance(name, str):
            return self.parameters[self.index(name)]
        if not 0 <= name < len(self.parameters):
            raise UnknownNameError(
                f"{self.name} has no parameter {name}: indices run from 0 to {len(self) - 1}."
            )
        return self.parameters[name]

    def index(self, name: str) -> int:
        """Place of a parameter in a patch.

        Raises:
            UnknownNameError: there is none of that name; the message holds near matches.
        """
        if name not in self._places:
            raise UnknownNameError(f"{self.name} has no parameter {name!r}: {self._way_out(name)}")
        return self._places[name]

    def _way_out(self, name: str) -> str:
        by_folded_name = {known.casefold(): known for known in self.names}
        if name.casefold() in by_folded_name:
            return f"did you mean {by_folded_name[name.casefold()]}?"
        near = difflib.get_close_matches(name.casefold(), by_folded_name, n=3, cutoff=0.5)
        if not near:
            return f"names are such as {self.names[0]} or {self.names[-1]}."
        return f"did you mean {' or '.join(by_folded_name[match] for match in near)}?"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def search(self, word: str) -> tuple[Parameter, ...]:
        """Parameters in whose name, host name or description all words occur.

        Args:
            word: one or more words, blank separated; case does not matter.
        """
        words = word.casefold().split()
        return tuple(
            parameter
            for parameter in self.parameters
            if all(
                part in f"{parameter.name} {parameter.host_name} {parameter.description}".casefold()
                for part in words
            )
        )

    def defaults(self) -> NDArray[np.float64]:
        """The base patch, a fresh array of shape (len(self),), in units."""
        return np.array([parameter.default for parameter in self.parameters], dtype=np.float64)

    def check(self, values: ArrayLike, *, grid: bool = False) -> None:
        """Refuse patches that the synthesizer cannot hold.

        Args:
            values: one patch, shape (len(self),), or several, shape (..., len(self)); in units.
            grid: also refuse values between the choices of a stepped parameter.

        Raises:
            InvalidValueError: another width, or the first value that `Parameter.check` refuses.
        """
        patches = np.asarray(values, dtype=np.float64)
        if patches.ndim == 0 or patches.shape[-1] != len(self):
            raise InvalidValueError(
                f"A patch of {self.name} has {len(self)} values; this has the shape "
                f"{patches.shape}."
            )
        if not grid and self._holds(patches):
            return
        for place, parameter in enumerate(self.parameters):
            for value in np.unique(patches[..., place]):
                parameter.check(float(value), grid=grid)

    def _holds(self, patches: NDArray[np.float64]) -> bool:
        """Whether all values pass `Parameter.check`, for a whole batch at once."""
        minima, maxima, whole = self._limits
        counts = patches[..., whole]
        return bool(
            np.all((patches >= minima) & (patches <= maxima)) and np.all(counts == np.rint(counts))
        )

    @cached_property
    def _limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
        """Minima and maxima, shape (len(self),), and the places of whole numbers."""
        return (
            np.array([parameter.minimum for parameter in self.parameters]),
            np.array([parameter.maximum for parameter in self.parameters]),
            np.flatnonzero([parameter.is_whole for parameter in self.parameters]),
        )
