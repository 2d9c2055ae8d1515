"""Every value of every parameter equally often."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.prior.base import STEP, Drawn, Prior, places_of
from deepdiva.synths.diva.prior.streams import uniforms


class UniformPrior(Prior):
    """Uniform over each range and over the choices of each stepped parameter; no note matters."""

    name = "uniform"

    def _draw(self, numbers: NDArray[np.int64], seed: int, notes: NDArray[np.float64]) -> Drawn:
        del notes
        drawn = uniforms(seed, numbers, 0, len(DIVA))
        patches = np.empty((len(numbers), len(DIVA)))
        for place, parameter in enumerate(DIVA):
            steps = np.floor(drawn[place] * places_of(parameter))
            if parameter.choices:
                patches[:, place] = parameter.choice_values[steps.astype(np.intp)]
            else:
                patches[:, place] = np.round(parameter.minimum + steps * STEP, 2) + 0.0
        return Drawn(patches, len(numbers))

    def _weigh(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(len(patches), -sum(float(np.log(places_of(entry))) for entry in DIVA))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name}
