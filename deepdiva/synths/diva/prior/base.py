"""What a prior is: a distribution of whole patches that can be drawn from and weighed.

A preset file spells continuous values with two decimals, so a patch is one of finitely many. Priors
draw such patches, and `log_density` is the logarithm of the *probability* of one: knobs at rest
(single values) and moved knobs (a density, integrated over a step of 0.01) weigh on one scale, and
all probabilities of one parameter sum to 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.parameters import Parameter
from deepdiva.synths.diva import DIVA

STEP = 0.01
"""Between two values of a continuous parameter in a preset file, in its unit."""

CHUNK = 4096
"""Patches that are worked on together; it decides speed and memory, never a value."""

Notes = Note | Sequence[Note] | None
"""One note for all patches, one for each, or None for the default note."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Patches, and what became of other draws.

    Attributes:
        patches: shape (count, 281), in units.
        draws: made in all, refused ones included.
        refused: draws that broke each musical constraint; one may break several.
    """

    patches: NDArray[np.float64]
    draws: int
    refused: dict[str, int] = field(default_factory=dict)


class Prior(ABC):
    """A distribution of Diva patches.

    Attributes:
        name: under which it is known.
        remarks: what the user should be told of how it was made, one sentence each.
    """

    name: str
    remarks: tuple[str, ...] = ()

    def sample(self, count: int, seed: int, note: Notes = None) -> NDArray[np.float64]:
        """Draw patches. The same seed gives the same first patches, whatever the count.

        Args:
            count: how many, 0 or more.
            seed: 0 or more.
            note: that the patches are to be played with, one for all or one for each.

        Returns:
            Shape (count, 281), in units, on the choices of stepped parameters and on two decimals.

        Raises:
            InvalidValueError: a number below 0, or another number of notes.
        """
        return self.draw(count, seed, note).patches

    def draw(self, count: int, seed: int, note: Notes = None) -> Drawn:
        """The same as `sample`, with an account of what was refused on the way."""
        for what, number in (("count", count), ("seed", seed)):
            if number < 0:
                raise InvalidValueError(f"{what} is {number}: it must be 0 or more.")
        notes = each_note(note, count)
        patches = np.empty((count, len(DIVA)))
        refused: Counter[str] = Counter()
        draws = 0
        for first in range(0, count, CHUNK):
            numbers = np.arange(first, min(first + CHUNK, count))
            drawn = self._draw(numbers, seed, notes[numbers])
            patches[numbers] = drawn.patches
            refused.update(drawn.refused)
            draws += drawn.draws
        return Drawn(patches, draws, dict(refused))

    @abstractmethod
    def _draw(self, numbers: NDArray[np.int64], seed: int, notes: NDArray[np.float64]) -> Drawn:
        """Patches of some numbers; `notes` as `each_note` has them."""

    def log_density(self, patches: ArrayLike) -> NDArray[np.float64]:
        """Natural logarithm of the probability of patches, as a preset file spells them.

        Args:
            patches: shape (batch, 281), in units. Values count as what is nearest among the choices
                or on two decimals.

        Returns:
            Shape (batch,).

        Raises:
            InvalidValueError: another shape, or a value outside its range.
        """
        values = np.asarray(patches, dtype=np.float64)
        if values.ndim != 2:
            raise InvalidValueError(
                f"Patches have the shape (batch, {len(DIVA)}), not {values.shape}."
            )
        DIVA.check(values)
        spelled = as_spelled(values)
        return np.concatenate(
            [np.empty(0)]
            + [self._weigh(spelled[at : at + CHUNK]) for at in range(0, len(spelled), CHUNK)]
        )

    @abstractmethod
    def _weigh(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        """`log_density` of spelled patches."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The prior in words and numbers, ready for JSON."""


def each_note(note: Notes, count: int) -> NDArray[np.float64]:
    """MIDI pitch and length in seconds for each patch, shape (count, 2).

    Raises:
        InvalidValueError: several notes, and not one for each patch.
    """
    if note is None or isinstance(note, Note):
        one = note or Note()
        return np.tile([one.pitch, one.length_seconds], (count, 1)).astype(np.float64)
    if len(note) != count:
        raise InvalidValueError(
            f"There are {len(note)} notes for {count} patches: give one, or one for each."
        )
    pairs = [(one.pitch, one.length_seconds) for one in note]
    return np.array(pairs, dtype=np.float64).reshape(count, 2)


def as_spelled(patches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Patches with each value at the nearest choice, or rounded to two decimals."""
    spelled = np.empty_like(patches)
    for place, parameter in enumerate(DIVA):
        spelled[:, place] = spelled_values(parameter, patches[:, place])
    return spelled


def spelled_values(parameter: Parameter, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of one parameter at the nearest choice, or rounded to two decimals."""
    if parameter.choices:
        return parameter.to_unit(parameter.to_normalised(values))
    return np.round(values, 2) + 0.0


def places_of(parameter: Parameter) -> int:
    """How many values a preset file can spell."""
    if parameter.choices:
        return len(parameter.choices)
    return round((parameter.maximum - parameter.minimum) / STEP) + 1
