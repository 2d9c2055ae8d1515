"""Data sets whose patches come from a prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.data.sampling import Sampling
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths import synthesizer_of
from deepdiva.synths.diva.prior.base import Prior


@dataclass(frozen=True, eq=False)
class FromPrior(Sampling):
    """Whole patches of a prior, of which the free parameters are taken.

    Attributes:
        prior: of Diva patches.
        note: that the sounds are played with.
    """

    prior: Prior
    note: Note

    def points(
        self, space: ParameterSpace, rng: np.random.Generator, count: int
    ) -> NDArray[np.float64]:
        if not synthesizer_of(space.table).preset_suffix:
            raise InvalidValueError(
                f"The prior {self.prior.name} is of Diva, and the synthesizer is "
                f"{space.table.name}: leave out --prior."
            )
        seed = int(rng.integers(2**63))
        return space.normalised(self.prior.sample(count, seed, self.note))

    def to_dict(self) -> dict[str, Any]:
        return {"name": "prior", "prior": self.prior.to_dict()}
