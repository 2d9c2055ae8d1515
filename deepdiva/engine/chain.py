"""A chain: which modules a voice is made of, and the inputs that it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine.control_program import ENV_1, ENV_2, SOURCE_LIMIT
from deepdiva.engine.module import Module

Array = NDArray[np.float64]

PLAIN: Final = 0
"""No oscillator changes the course of another: a step without states, along time."""
LIGHT: Final = 1
"""The panel's lighter step."""
FULL: Final = 2
"""All that the panel can do."""


@dataclass(frozen=True)
class Chain:
    """The modules of a voice in the order of the signal, with the feedback round and filter FM.

    Its inputs are the oscillators' MIDI pitches, then those of the modules as `slot.name`, then
    `mixer.feedback`, `mixer.filter_fm` and `mixer.pan` (-1 left, 1 right).
    """

    oscillator: Module
    highpass: Module
    filter: Module
    amplifier: Module

    @property
    def modules(self) -> tuple[Module, ...]:
        """Oscillator panel, high-pass, filter, amplifier."""
        return self.oscillator, self.highpass, self.filter, self.amplifier

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of all inputs."""
        names = [f"pitch{k + 1}" for k in range(self.oscillator.oscillators)]
        for module in self.modules:
            names += [f"{module.slot}.{entry.name}" for entry in module.inputs]
        return (*names, "mixer.feedback", "mixer.filter_fm", "mixer.pan")

    def index(self, name: str) -> int:
        """Position of an input."""
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.inputs)}

    def span(self, module: Module) -> slice:
        """Where the inputs of a module lie."""
        if not module.inputs:
            return slice(0, 0)
        first = self.index(f"{module.slot}.{module.inputs[0].name}")
        return slice(first, first + len(module.inputs))


@dataclass
class LaneInputs:
    """All lanes of one chain: one voice of one patch each, voices of a patch side by side.

    Attributes:
        chain: what they play.
        base: (lanes, inputs) float64, where the knobs stand.
        route_inputs: (routes,) int64, the input that each route of the matrix moves.
        sources: (lanes, routes) int64.
        depths: (lanes, routes) float64, in the input's unit.
        inner_sources: (lanes, INNER) int64; see `control_program`.
        inner_depths: (lanes, INNER) float64.
        static: (lanes, SOURCES) float64, sources that stand still.
        lfos: (lanes, 2, LFO_FIELDS) float64.
        extras: (lanes, EXTRAS) float64.
        shapes: (lanes, 3, 3, 3) float64, envelopes 1, 2 and the amplifier's.
        glide: (lanes, oscillators, 2) float64: semitones that an oscillator starts from beside its
            pitch, and samples until it is there.
        drift: (lanes, oscillators, nodes) float64, semitones.
        drift_samples: between two nodes.
        phase: (lanes, oscillators) float64, start phases, cycles.
        noise: (lanes,) float64, where in the noise a voice starts, 0..1.
        pan: (lanes, 2) float64, gains of the left and right channel where the knob stands.
        patch: (lanes,) int64, ascending.
    """

    chain: Chain
    base: Array
    route_inputs: NDArray[np.int64]
    sources: NDArray[np.int64]
    depths: Array
    inner_sources: NDArray[np.int64]
    inner_depths: Array
    static: Array
    lfos: Array
    extras: Array
    shapes: Array
    glide: Array
    drift: Array
    drift_samples: int
    phase: Array
    noise: Array
    pan: Array
    patch: NDArray[np.int64]

    def rows(self, rows: NDArray[np.int64]) -> LaneInputs:
        """Some of the lanes."""
        picked: dict[str, Any] = {}
        for name, value in vars(self).items():
            keep = name in ("chain", "route_inputs", "drift_samples")
            picked[name] = value if keep else np.ascontiguousarray(value[rows])
        return LaneInputs(**picked)

    @property
    def panned(self) -> NDArray[np.bool_]:
        """(lanes,): modulation moves the lane between left and right."""
        routes = self.route_inputs == self.chain.index("mixer.pan")
        active = (self.sources != 0) & (self.depths != 0.0)
        return np.asarray(active[:, routes].any(axis=1))

    @property
    def moving(self) -> NDArray[np.bool_]:
        """(lanes,): something but the amplifier's envelope and drift moves, or filter FM is on."""
        routed = ((self.sources != 0) & (self.depths != 0.0)).any(axis=1)
        return np.asarray(routed | (self.base[:, self.chain.index("mixer.filter_fm")] != 0.0))

    @property
    def fed(self) -> NDArray[np.bool_]:
        """(lanes,): the feedback is open or a route may open it."""
        place = self.chain.index("mixer.feedback")
        routes = self.route_inputs == place
        routed = ((self.sources != 0) & (self.depths != 0.0))[:, routes].any(axis=1)
        return np.asarray(routed | (self.base[:, place] != 0.0))

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """(lanes,): which lanes may want noise."""
        oscillator = self.chain.oscillator
        return np.asarray(oscillator.noisy(self.highest[:, self.chain.span(oscillator)]))

    @property
    def moved(self) -> NDArray[np.bool_]:
        """(inputs,): which inputs of the chain some route moves in some lane."""
        active = ((self.sources != 0) & (self.depths != 0.0)).any(axis=0)
        moved = np.zeros(len(self.chain.inputs), np.bool_)
        moved[self.route_inputs[active]] = True
        return moved

    @property
    def heard_envelopes(self) -> NDArray[np.bool_]:
        """(3,): which of envelopes 1 and 2 a route or a processor of some lane reads, and True."""
        routed = (self.sources != 0) & (self.depths != 0.0)
        inner = self.inner_sources
        return np.array(
            [
                bool((routed & (self.sources == source)).any() or (inner == source).any())
                for source in (ENV_1, ENV_2)
            ]
            + [True]
        )

    @property
    def steps(self) -> NDArray[np.int64]:
        """(lanes,): which step of the panel each lane needs: `PLAIN`, `LIGHT` or `FULL`."""
        module = self.chain.oscillator
        highest = self.highest

        def sets(names: tuple[str, ...]) -> NDArray[np.bool_]:
            columns = [self.chain.index(f"{module.slot}.{name}") for name in names]
            return np.asarray((highest[:, columns] > 0.0).any(axis=1))

        linked = LIGHT if module.light else FULL
        least = PLAIN if module.along_time else linked
        return np.where(sets(module.heavy), FULL, np.where(sets(module.linked), linked, least))

    @property
    def highest(self) -> Array:
        """(lanes, inputs): as far up as routes with a source and a depth may take the inputs."""
        highest = self.base.copy()
        reach = SOURCE_LIMIT * np.abs(self.depths) * (self.sources != 0)
        np.add.at(highest.T, self.route_inputs, reach.T)
        return highest
