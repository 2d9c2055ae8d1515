"""Patches like those of human presets.

The chain is drawn first (oscillator, high-pass and filter together; both effect slots together),
then every parameter from the distribution that its model has, then the sources and depths of
modulations, then what the modulation processors take in. What breaks a musical constraint
(`musical`) is drawn anew, all but the oscillator, high-pass and filter, whose shares so stay what
they are.

The tables beside this file were fitted to counts over 1,448 presets by
`scripts/make_prior_tables.py`. Beyond them parameters are independent of each other: a depth does
not know its source, an attack not its decay.

**Density.** Without constraints it is a product: chain, effects, and one factor for each parameter
or modulation. Constraints divide it by the share of draws that pass, given the chain. Those shares
(`accepted.csv`) are estimates, from 10,000 draws for each chain with the default note; for other
notes they differ by a few points, at key 24 by 10. `log_density` leaves refused patches their
value, as a search may visit them; `deepdiva.synths.diva.prior.musical` says which they are.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.prior.base import Drawn, Prior, each_note
from deepdiva.synths.diva.prior.cells import Cells
from deepdiva.synths.diva.prior.marginals import marginal
from deepdiva.synths.diva.prior.musical import refusals
from deepdiva.synths.diva.prior.streams import uniforms
from deepdiva.synths.diva.prior.tables import (
    CHAIN,
    SLOTS,
    Given,
    Model,
    Route,
    by_state,
    human_model,
    states,
    tables_sha256,
)

MOST_ATTEMPTS = 1000


class HumanPrior(Prior):
    """See the module.

    Args:
        constrained: false for the bare tables, without the musical constraints.
    """

    name = "human"

    def __init__(self, constrained: bool = True) -> None:
        self.constrained = constrained

    @cached_property
    def model(self) -> Model:
        """The tables of the package, read once."""
        return human_model()

    def _draw(self, numbers: NDArray[np.int64], seed: int, notes: NDArray[np.float64]) -> Drawn:
        patches = np.empty((len(numbers), len(DIVA)))
        pending = np.arange(len(numbers))
        refused: Counter[str] = Counter()
        draws = 0
        chain = np.empty((len(numbers), len(CHAIN)), dtype=np.intp)
        for attempt in range(MOST_ATTEMPTS):
            uniform = uniforms(seed, numbers[pending], attempt, len(DIVA) + 2)
            if attempt == 0:
                chain = self.model.chain.draw(uniform[len(DIVA)])
            drawn = self._attempt(uniform, chain[pending])
            draws += len(drawn)
            patches[pending] = drawn
            if not self.constrained:
                break
            broken = refusals(drawn, notes[pending])
            refused.update({reason: int(mask.sum()) for reason, mask in broken.items()})
            pending = pending[np.any(list(broken.values()), axis=0)]
            if not len(pending):
                break
        else:
            raise InvalidValueError(
                f"No audible patch was found in {MOST_ATTEMPTS} draws for the note with pitch "
                f"{notes[pending[0], 0]:g} and {notes[pending[0], 1]:g} s: choose a longer note or "
                "one nearer to the middle of the keyboard."
            )
        return Drawn(patches, draws, dict(refused))

    def share_accepted(self, chain: NDArray[np.intp], draws: int, seed: int) -> float:
        """Share of draws of one chain that keep the constraints with the default note.

        Args:
            chain: oscillator, high-pass and filter, shape (3,).
            draws: to estimate it from.
            seed: of the draws.
        """
        drawn = self._attempt(
            uniforms(seed, np.arange(draws), 0, len(DIVA) + 2), np.tile(chain, (draws, 1))
        )
        broken = np.any(list(refusals(drawn, each_note(None, draws)).values()), axis=0)
        return float(np.mean(~broken))

    def _attempt(self, drawn: NDArray[np.float64], chain: NDArray[np.intp]) -> NDArray[np.float64]:
        """Patches of chains, shape (batch, 3), from uniform numbers, shape (283, batch).

        There is one for each parameter, one for the chain and one for the effects.
        """
        model = self.model
        patches = np.zeros((drawn.shape[1], len(DIVA)))
        for column, name in enumerate(CHAIN):
            patches[:, DIVA.index(name)] = chain[:, column]
        slots = model.effects.draw(drawn[len(DIVA) + 1])
        for column, (switch, module) in enumerate(SLOTS):
            place = DIVA.index(module)
            idle = model.modules[column].values(drawn[place])
            patches[:, DIVA.index(switch)] = slots[:, column] > 0
            patches[:, place] = np.where(slots[:, column] > 0, slots[:, column] - 1, idle)
        for given in model.given:
            _fill(patches, given, drawn[given.place])
        for route in model.routes:
            _fill_route(patches, route, drawn)
        for given in model.processors:
            _fill(patches, given, drawn[given.place])
        return patches

    def _weigh(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        model = self.model
        chain = np.stack([patches[:, DIVA.index(name)] for name in CHAIN], axis=1).astype(np.intp)
        slots = np.stack([states(patches, "fx1"), states(patches, "fx2")], axis=1)
        total = np.log(model.chain.probability(chain)) + np.log(model.effects.probability(slots))
        for column, (_, module) in enumerate(SLOTS):
            idle = model.modules[column].probability(patches[:, DIVA.index(module)])
            total += np.where(slots[:, column] > 0, 0.0, np.log(idle))
        for given in (*model.given, *model.processors):
            for state, here in by_state(patches, given.context, len(given.by_state)):
                chances = given.by_state[state].probability(patches[here, given.place])
                total[here] += np.log(chances)
        for route in model.routes:
            total += _route_log_probability(patches, route)
        if self.constrained:
            total -= np.log(model.accepted[tuple(chain.T)])
        return np.asarray(total)

    def marginal(self, name: str) -> Cells:
        """How the tables spread one parameter over all patches, without constraints.

        Raises:
            UnknownNameError: a parameter that Diva does not have.
        """
        return marginal(self.model, DIVA.index(name))

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "constrained": self.constrained,
            "tables_sha256": tables_sha256(),
        }


def _fill(patches: NDArray[np.float64], given: Given, uniform: NDArray[np.float64]) -> None:
    for state, here in by_state(patches, given.context, len(given.by_state)):
        patches[here, given.place] = given.by_state[state].values(uniform[here])


def _fill_route(patches: NDArray[np.float64], route: Route, drawn: NDArray[np.float64]) -> None:
    for state, here in by_state(patches, route.context, len(route.sources)):
        joint = route.sources[state].draw(drawn[route.source, here])
        patches[here, route.source] = joint[:, 0]
        depths = route.depths[state].values(drawn[route.depth, here])
        patches[here, route.depth] = np.where(joint[:, 1] == 0, depths, 0.0)


def _route_log_probability(patches: NDArray[np.float64], route: Route) -> NDArray[np.float64]:
    total = np.zeros(len(patches))
    for state, here in by_state(patches, route.context, len(route.sources)):
        depth = patches[here, route.depth]
        joint = np.stack([patches[here, route.source].astype(np.intp), (depth == 0)], axis=1)
        total[here] = np.log(route.sources[state].probability(joint.astype(np.intp)))
        moved = depth != 0
        total[here[moved]] += np.log(route.depths[state].probability(depth[moved]))
    return total
