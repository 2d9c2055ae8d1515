"""A synthesizer as a tree of models: what a search over a whole panel has to know of it.

Most parameters of a large panel act on nothing: those of models that are not chosen, of effects
that are off, of modulators that nobody listens to. A search that knows it carries only what acts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note

Patch = NDArray[np.float64]
"""Shape (len(table),), in units."""


@dataclass(frozen=True)
class Proposal:
    """A change of a patch that is worth a try.

    Attributes:
        label: says what it does, for people.
        values: what is set, in units by name.
    """

    label: str
    values: Mapping[str, float]


class Structure(ABC):
    """What chooses models, what acts, and what may be switched."""

    @property
    @abstractmethod
    def panel(self) -> tuple[str, ...]:
        """Parameters that may shape the sound of a single note."""

    @property
    @abstractmethod
    def chain(self) -> tuple[str, ...]:
        """Class parameters that choose the chain: oscillators and filters."""

    @property
    @abstractmethod
    def effects(self) -> Mapping[str, float]:
        """What switches all effects off, in units by name."""

    @property
    @abstractmethod
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Parameters that belong together, one group for each module."""

    @property
    @abstractmethod
    def untold(self) -> frozenset[str]:
        """Parameters that a single note, heard in mono, does not tell from others."""

    @abstractmethod
    def acting(self, patch: Patch) -> frozenset[str]:
        """Parameters that shape the sound of a patch."""

    @abstractmethod
    def chain_label(self, patch: Patch) -> str:
        """The chain of a patch in words: `Triple VCO + Ladder`."""

    @abstractmethod
    def chain_values(self, text: str) -> dict[str, float]:
        """What chooses the chain, in units by name, of words such as `Triple VCO + Ladder`.

        Raises:
            InvalidValueError: a word that names no model, or two of one kind.
        """

    @abstractmethod
    def modules(self, patch: Patch) -> tuple[str, ...]:
        """What a patch uses beyond one bare voice, in words: the fewer, the easier to tweak."""

    @abstractmethod
    def stacks(self, patch: Patch) -> list[Proposal]:
        """Other numbers of voices on a key."""

    @abstractmethod
    def proposals(self, patch: Patch, rates_hz: Sequence[float] = ()) -> list[Proposal]:
        """Modules and modulations that could be switched on, each with a few settings.

        Args:
            patch: to be changed.
            rates_hz: at which the sound moves, worth a try for what moves periodically.
        """

    @abstractmethod
    def simplifications(self, patch: Patch) -> list[Proposal]:
        """Modules and modulations that could be switched off."""

    @abstractmethod
    def draws(self, count: int, seed: int, note: Note) -> NDArray[np.float64]:
        """Patches such as people make, shape (count, len(table)), in units.

        The same seed gives the same first patches, whatever the count.
        """
