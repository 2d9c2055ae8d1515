"""The tables of human presets, ready to be drawn from."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import product

import numpy as np
from numpy.typing import NDArray

from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.prior.cells import UNSEEN, Cells

CHAIN = ("OSC.Model", "HPF.Model", "VCF1.Model")
SLOTS = (("main.#FX1", "FX1.Module"), ("main.#FX2", "FX2.Module"))
EFFECTS = ("off", "chorus", "phaser", "plate", "delay", "rotary")
"""States of an effect slot."""

USED_AND_SET = 0.98
"""How likely a modulation processor that something listens to has an input."""

TABLES = ("chain.csv", "effects.csv", "values.csv", "routes.csv", "accepted.csv")
SOURCES = 24
PROCESSORS = {
    "MOD.RSrc": 18,
    "MOD.ISrc": 19,
    "MOD.QSrc": 20,
    "MOD.LSrc": 21,
    "MOD.A1Src": 22,
    "MOD.A2Src": 22,
    "MOD.M1Src": 23,
    "MOD.M2Src": 23,
}
"""Inputs of the modulation processors, and the source that each processor is."""

CONTEXT_PARAMETERS = {
    "osc": "OSC.Model",
    "hpf": "HPF.Model",
    "vcf": "VCF1.Model",
    "env1": "ENV1.Model",
    "env2": "ENV2.Model",
    "arp": "ARP.OnOff",
}


@dataclass(frozen=True)
class Joint:
    """Values of several parameters or slots together, drawn by one number.

    Attributes:
        states: shape (cells, places).
        share: shape (cells,), sum 1.
    """

    states: NDArray[np.intp]
    share: NDArray[np.float64]

    @classmethod
    def of(cls, table: NDArray[np.float64]) -> Joint:
        """From shares by state, mixed with the uniform distribution."""
        mixed = (1.0 - UNSEEN) * table / table.sum() + UNSEEN / table.size
        return cls(np.argwhere(np.ones(table.shape, dtype=bool)), mixed.ravel())

    def draw(self, uniform: NDArray[np.float64]) -> NDArray[np.intp]:
        """States, shape (batch, places)."""
        cell = np.searchsorted(np.cumsum(self.share), uniform, "right")
        return self.states[np.minimum(cell, len(self.share) - 1)]

    def probability(self, states: NDArray[np.intp]) -> NDArray[np.float64]:
        """Of states, shape (batch, places)."""
        sizes = tuple(self.states.max(axis=0) + 1)
        return np.asarray(self.share[np.ravel_multi_index(tuple(states.T), sizes)])


@dataclass(frozen=True)
class Given:
    """The distribution of one parameter, by the state of what it depends on.

    Attributes:
        place: of the parameter in a patch.
        context: what it depends on; empty for nothing.
        by_state: one for each state.
    """

    place: int
    context: str
    by_state: tuple[Cells, ...]


@dataclass(frozen=True)
class Route:
    """One modulation: which source, and how deep.

    Attributes:
        source: place of the source in a patch.
        depth: place of the depth.
        context: as in `Given`.
        sources: joint distribution of source and whether the depth is 0 (second place: 0 it is
            not, 1 it is), one for each state.
        depths: distribution of a depth that is not 0, one for each state.
    """

    source: int
    depth: int
    context: str
    sources: tuple[Joint, ...]
    depths: tuple[Cells, ...]


@dataclass(frozen=True)
class Model:
    """The tables, ready to be drawn from."""

    chain: Joint
    effects: Joint
    given: tuple[Given, ...]
    modules: tuple[Cells, Cells]
    routes: tuple[Route, ...]
    processors: tuple[Given, ...]
    accepted: NDArray[np.float64]


def states(patches: NDArray[np.float64], context: str) -> NDArray[np.intp]:
    """Number of the state of a context in each patch, shape (batch,)."""
    if not context:
        return np.zeros(len(patches), dtype=np.intp)
    if context in ("fx1", "fx2"):
        switch, module = SLOTS[int(context[2]) - 1]
        on, which = patches[:, DIVA.index(switch)], patches[:, DIVA.index(module)]
        return np.where(on > 0, which + 1, 0).astype(np.intp)
    if context.startswith("uses "):
        return _uses(patches, int(context.split()[1])).astype(np.intp)
    return patches[:, DIVA.index(CONTEXT_PARAMETERS[context])].astype(np.intp)


def _uses(patches: NDArray[np.float64], source: int) -> NDArray[np.bool_]:
    """Whether a modulation with a depth has this source."""
    found = np.zeros(len(patches), dtype=bool)
    for route in human_model().routes:
        found |= (patches[:, route.source] == source) & (patches[:, route.depth] != 0)
    return found


def by_state(
    patches: NDArray[np.float64], context: str, count: int
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Patches in each state that occurs."""
    found = states(patches, context)
    for state in range(count):
        here = np.flatnonzero(found == state)
        if len(here):
            yield state, here


def _rows(name: str) -> Iterator[dict[str, str]]:
    with files("deepdiva.synths.diva.prior").joinpath(name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


@lru_cache(maxsize=1)
def tables_sha256() -> str:
    """SHA-256 of the tables, one after the other."""
    digest = hashlib.sha256()
    for name in TABLES:
        digest.update(files("deepdiva.synths.diva.prior").joinpath(name).read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def human_model() -> Model:
    """The tables of the package, read once."""
    chain = _chain_table("chain.csv", "share")
    effects = np.zeros((len(EFFECTS), len(EFFECTS)))
    for row in _rows("effects.csv"):
        effects[int(row["slot1"]), int(row["slot2"])] = float(row["share"])
    given = _given_values()
    modules = tuple(given.pop(module).by_state[0] for _, module in SLOTS)
    routes = _routes(given)
    bare = [given.pop(name) for name in PROCESSORS]
    fixed = [given[name] for name in DIVA.names if name in given]
    ordered = sorted(fixed, key=lambda entry: entry.context != "")  # contexts come first
    joint = Joint.of(chain)
    processors = tuple(
        _processor(entry, source, share_using(source, joint, routes))
        for entry, source in zip(bare, PROCESSORS.values(), strict=True)
    )
    return Model(
        chain=joint,
        effects=Joint.of(effects),
        given=tuple(ordered),
        modules=(modules[0], modules[1]),
        routes=routes,
        processors=processors,
        accepted=_chain_table("accepted.csv", "accepted"),
    )


def _chain_table(name: str, column: str) -> NDArray[np.float64]:
    """A number for each oscillator, high-pass and filter; 1 where the table has no row."""
    table = np.ones(tuple(len(DIVA[model].choices) for model in CHAIN))
    for row in _rows(name):
        table[tuple(int(row[model]) for model in CHAIN)] = float(row[column])
    return table


def _given_values() -> dict[str, Given]:
    rows: dict[str, list[dict[str, str]]] = {}
    for row in _rows("values.csv"):
        rows.setdefault(row["parameter"], []).append(row)
    result = {}
    for name, lines in rows.items():
        cells = {
            int(state): Cells.read(DIVA[name], row["cells"])
            for row in lines
            for state in (row["states"] or "0").split()
        }
        by_state = tuple(cells[state] for state in sorted(cells))
        result[name] = Given(DIVA.index(name), lines[0]["context"], by_state)
    return result


def _routes(given: dict[str, Given]) -> tuple[Route, ...]:
    """Read the modulations; their sources and depths are taken out of `given`."""
    found: dict[tuple[str, str], tuple[str, list[Joint]]] = {}
    for row in _rows("routes.csv"):
        table = np.zeros((SOURCES, 2))
        for word in row["cells"].split():
            source, shares = word.split("=")
            table[int(source)] = [float(share) for share in shares.split("/")]
        key = (row["source"], row["depth"])
        found.setdefault(key, (row["context"], []))[1].append(Joint.of(table))
    routes = []
    for (source, depth), (context, joints) in found.items():
        del given[source]
        depths = tuple(cells.without(0.0) for cells in given.pop(depth).by_state)
        routes.append(Route(DIVA.index(source), DIVA.index(depth), context, tuple(joints), depths))
    return tuple(routes)


def share_using(source: int, chain: Joint, routes: tuple[Route, ...]) -> float:
    """Share of patches in which a modulation with a depth has a source."""
    places = dict(zip(("osc", "hpf", "vcf"), range(3), strict=True))
    unused = np.ones(len(chain.share))
    for route, (number, state) in product(routes, enumerate(chain.states)):
        at = state[places[route.context]] if route.context else 0
        unused[number] *= 1.0 - route.sources[at].share[2 * source]
    return float(1.0 - chain.share @ unused)


def _processor(entry: Given, source: int, used: float) -> Given:
    """The input of a processor: set where something listens, so that all together is as before."""
    (cells,) = entry.by_state
    none = float(cells.probability(np.zeros(1))[0])
    set_share = 1.0 - none
    set_when_used = min(USED_AND_SET, 0.95 * set_share / used)
    set_when_idle = (set_share - used * set_when_used) / (1.0 - used)
    states_of = []
    for chance in (set_when_idle, set_when_used):
        factor = np.where(cells.low == 0.0, (1.0 - chance) / none, chance / set_share)
        states_of.append(Cells(cells.parameter, cells.low, cells.high, cells.share * factor))
    return Given(entry.place, f"uses {source}", tuple(states_of))
