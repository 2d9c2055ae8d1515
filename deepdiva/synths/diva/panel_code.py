"""Patches of the whole panel as classes, drawn one after the other, each absent unless it acts.

Every parameter is a categorical variable. Stepped ones keep their choices. A continuous one has
*atoms*, values that human presets hold again and again (rest, ends, whole octaves), and *bins*
between them that are about as likely as each other, uniform inside. So a network can say that a
knob is exactly at rest, and its answer is the probability of a patch as a preset file spells it.

The order of the variables is chain, what switches others on, effects and sources of modulations,
models of envelopes, other switches, values. Whether a variable acts follows from those before it.

Patches that sound alike are one: a modulation without source or depth has neither, and an input of
something that nobody listens to is none (`canonical`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import Parameter
from deepdiva.synths.diva.acting import acts, routes_of
from deepdiva.synths.diva.prior.base import STEP, Prior, as_spelled, places_of
from deepdiva.synths.diva.prior.cells import Cells
from deepdiva.synths.diva.space import whole_panel
from deepdiva.synths.diva.table import DIVA

ABSENT = -1
"""Class of a variable that does not act."""

STAGES = 6
"""Groups of variables; what acts in one follows from the groups before it."""

_CHAIN = ("OSC.Model", "VCF1.Model", "HPF.Model")
_GATES = ("main.#FX1", "main.#FX2", "VCA1.VCA", "ARP.OnOff", "VCC.Voicing", "OSC.VtoD")
_EFFECTS = ("FX1.Module", "FX2.Module")
_ENVELOPES = ("ENV1.Model", "ENV2.Model")
_SOURCES = (
    "VCF1.FMSrc", "VCF1.FM2Src", "VCF1.ResSrc", "VCF1.FfmSrc", "VCF1.FbSrc", "VCF1.SMSrc",
    "HPF.FMSrc", "OSC.TM1Src", "OSC.TM2Src", "OSC.PWMSrc", "OSC.Sh1Src", "OSC.FmSrc",
    "OSC.NoisSrc", "VCA1.ModSrc", "VCA1.PanSrc",
)  # fmt: skip
_INNER = {
    "LFO1.DMS1": "LFO1.DMD1", "LFO1.FMS1": "LFO1.FMD1",
    "LFO2.DMS1": "LFO2.DMD1", "LFO2.FMS1": "LFO2.FMD1",
}  # fmt: skip
"""Modulations of a low-frequency oscillator itself: a depth acts there without a source, too."""
_PROCESSORS = (
    "MOD.RSrc", "MOD.ISrc", "MOD.QSrc", "MOD.LSrc", "MOD.A1Src", "MOD.A2Src", "MOD.M1Src",
    "MOD.M2Src",
)  # fmt: skip
_SECTIONS = ("OSC", "VCF1", "HPF", "VCA1", "ENV1", "ENV2", "LFO1", "LFO2", "MOD", "VCC", "OPT")
"""In the order in which their values are drawn; the others follow."""

Patches = NDArray[np.float64]
Mask = NDArray[np.bool_]
Classes = NDArray[np.int16]


def canonical(patches: Patches) -> tuple[Patches, Mask]:
    """Patches that sound the same in one spelling, and which variables of each are present.

    Args:
        patches: shape (batch, 281), in units.

    Returns:
        Shape (batch, 281) both; the mask is true where a parameter acts, or is the source of a
        modulation that its chain has.
    """
    spelled = as_spelled(np.asarray(patches, dtype=np.float64))
    present = np.zeros(spelled.shape, dtype=bool)
    for patch, mask in zip(spelled, present, strict=True):
        routes = routes_of(patch)
        for source, depth in (*routes.items(), *_INNER.items()):
            s, d = DIVA.index(source), DIVA.index(depth)
            if patch[d] == 0.0:
                patch[s] = 0.0
            elif patch[s] == 0.0 and source in routes:
                patch[d] = 0.0
        found = acts(patch)
        for name in (*_INNER, *_PROCESSORS):
            if name not in found:
                patch[DIVA.index(name)] = 0.0
        mask[[DIVA.index(name) for name in found]] = True
        mask[[DIVA.index(name) for name in (*routes, *_INNER, *_PROCESSORS)]] = True
    return spelled, present


@dataclass(frozen=True, eq=False)
class Variable:
    """One parameter as classes.

    Attributes:
        name: of the parameter.
        stage: the group that it is drawn in, 0 to 5.
        low: smallest value of each class, shape (classes,), in units.
        high: largest value of each class; equal to `low` for a choice or an atom.
    """

    name: str
    stage: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def parameter(self) -> Parameter:
        """Whose values they are."""
        return DIVA[self.name]

    @cached_property
    def single(self) -> Mask:
        """Which classes are one value, shape (classes,)."""
        return np.asarray(self.low == self.high)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Values that a preset file can spell in each class, atoms inside a bin left out."""
        counts = np.rint((self.high - self.low) / STEP).astype(np.int64) + 1
        atoms = self.low[self.single]
        inside = (atoms >= self.low[:, None] - 1e-6) & (atoms <= self.high[:, None] + 1e-6)
        return np.where(self.single, 1, counts - inside.sum(axis=1))

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """Where each class lies among the bins, 0 to 1, shape (classes,); NaN for choices."""
        bins = np.flatnonzero(~self.single)
        found = np.full(len(self.low), np.nan)
        if not len(bins):
            return found
        found[bins] = (np.arange(len(bins)) + 0.5) / len(bins)
        atoms = np.flatnonzero(self.single)
        ends = np.append(self.low[bins], self.high[bins][-1])
        shares = np.arange(len(bins) + 1) / len(bins)
        found[atoms] = np.interp(self.low[atoms], ends, shares)
        return found

    @cached_property
    def middle(self) -> NDArray[np.float64]:
        """Middle of each class, shape (classes,), in units."""
        return np.asarray((self.low + self.high) / 2.0)

    def classify(self, values: NDArray[np.float64]) -> NDArray[np.int16]:
        """Class of spelled values, shape (batch,)."""
        atoms, bins = np.flatnonzero(self.single), np.flatnonzero(~self.single)
        if not len(bins):
            order = atoms[np.argsort(self.low[atoms])]
            edges = (self.low[order][1:] + self.low[order][:-1]) / 2.0
            return order[np.searchsorted(edges, values)].astype(np.int16)
        found = bins[np.searchsorted(self.low[bins][1:] - STEP / 2, values, "right")]
        distance = np.abs(values[:, None] - self.low[atoms])
        if len(atoms):
            nearest = distance.argmin(axis=1)
            at_atom = distance[np.arange(len(values)), nearest] < STEP / 2
            found = np.where(at_atom, atoms[nearest], found)
        return found.astype(np.int16)

    def values(self, classes: NDArray[np.integer], uniform: NDArray[np.float64]) -> Patches:
        """Values of classes, shape (batch,); `uniform` in [0, 1) places them inside bins."""
        low, high = self.low[classes], self.high[classes]
        if self.parameter.choices:
            return np.asarray(low)
        values = low + np.floor(uniform * self.counts[classes]) * STEP
        for atom in np.sort(self.low[self.single]):  # a bin has all values but the atoms
            inside = (low < high) & (atom > low - STEP / 2) & (atom < values + STEP / 2)
            values = np.where(inside, values + STEP, values)
        return np.asarray(np.round(values, 2) + 0.0)


@dataclass(frozen=True, eq=False)
class PanelCode:
    """All variables, in the order in which they are drawn."""

    variables: tuple[Variable, ...]

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """Of each variable in a patch, shape (variables,)."""
        return np.array([DIVA.index(entry.name) for entry in self.variables], dtype=np.intp)

    @cached_property
    def stages(self) -> NDArray[np.intp]:
        """Of each variable, shape (variables,), rising."""
        return np.array([entry.stage for entry in self.variables], dtype=np.intp)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Classes of each variable."""
        return tuple(len(entry.low) for entry in self.variables)

    @cached_property
    def ranks(self) -> NDArray[np.float64]:
        """`Variable.ranks` of all classes, shape (sum of sizes,)."""
        return np.concatenate([entry.ranks for entry in self.variables])

    @cached_property
    def free(self) -> NDArray[np.bool_]:
        """Which classes are one value, shape (sum of sizes,)."""
        return np.concatenate([entry.single for entry in self.variables])

    @cached_property
    def never(self) -> NDArray[np.bool_]:
        """Classes that no canonical patch has: a modulation with a source and a depth of 0."""
        return np.concatenate(
            [
                (entry.low == 0.0) & entry.single & (entry.name in _DEPTHS)
                for entry in self.variables
            ]
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Parameters, in the order in which they are drawn."""
        return tuple(entry.name for entry in self.variables)

    def encode(self, patches: Patches, present: Mask) -> Classes:
        """Classes of canonical patches.

        Args:
            patches: shape (batch, 281), as `canonical` gives them.
            present: the same.

        Returns:
            Shape (batch, variables), `ABSENT` where a variable is.
        """
        classes = np.full((len(patches), len(self.variables)), ABSENT, dtype=np.int16)
        for column, entry in enumerate(self.variables):
            place = self.places[column]
            here = np.flatnonzero(present[:, place])
            classes[here, column] = entry.classify(patches[here, place])
        return classes

    def decode(
        self, classes: NDArray[np.integer], base: Patches, uniform: NDArray[np.float64]
    ) -> Patches:
        """Patches of classes; the other parameters come from `base`.

        Args:
            classes: shape (batch, variables).
            base: shape (281,).
            uniform: in [0, 1), shape (batch, variables): where in a bin.
        """
        patches = np.tile(np.asarray(base, dtype=np.float64), (len(classes), 1))
        for column, entry in enumerate(self.variables):
            here = np.flatnonzero(classes[:, column] != ABSENT)
            patches[here, self.places[column]] = entry.values(
                classes[here, column], uniform[here, column]
            )
        return patches

    def log_volume(self, classes: Classes) -> NDArray[np.float64]:
        """Logarithm of how many spelled patches share the classes of one, shape (batch,)."""
        total = np.zeros(len(classes))
        for column, entry in enumerate(self.variables):
            here = np.flatnonzero(classes[:, column] != ABSENT)
            total[here] += np.log(entry.counts[classes[here, column]])
        return total

    def present_at(self, classes: NDArray[np.integer], stage: int, base: Patches) -> Mask:
        """Which variables of a stage act, given those of the stages before it.

        Args:
            classes: shape (batch, variables); later stages are not read.
            stage: 0 to 5.
            base: patch of all else, shape (281,).

        Returns:
            Shape (batch, variables of the stage).
        """
        columns = np.flatnonzero(self.stages == stage)
        if stage == 0:
            return np.ones((len(classes), len(columns)), dtype=bool)
        known = np.where(self.stages < stage, classes, ABSENT)
        distinct, back = np.unique(
            known[:, self.stages < min(stage, 5)], axis=0, return_inverse=True
        )
        rows = np.full((len(distinct), len(self.variables)), ABSENT, dtype=np.int16)
        rows[:, self.stages < min(stage, 5)] = distinct
        patches = self.decode(rows, quiet(base), np.full(rows.shape, 0.5))
        present = np.zeros((len(rows), len(columns)), dtype=bool)
        for row, patch in enumerate(patches):
            names = _present(patch, stage)
            present[row] = [self.variables[column].name in names for column in columns]
        return present[back.ravel()]

    def to_dict(self) -> list[dict[str, Any]]:
        """Ready for JSON; `from_dict` is the way back."""
        return [
            {
                "name": entry.name,
                "stage": entry.stage,
                "low": [round(float(value), 4) for value in entry.low],
                "high": [round(float(value), 4) for value in entry.high],
            }
            for entry in self.variables
        ]

    @classmethod
    def from_dict(cls, rows: Sequence[Mapping[str, Any]]) -> PanelCode:
        """The code that `to_dict` described."""
        return cls(
            tuple(
                Variable(
                    row["name"],
                    int(row["stage"]),
                    np.array(row["low"], dtype=np.float64),
                    np.array(row["high"], dtype=np.float64),
                )
                for row in rows
            )
        )


def quiet(base: Patches) -> Patches:
    """A patch without any modulation, from which prefixes of patches are built."""
    patch = np.array(base, dtype=np.float64)
    for source in (*_SOURCES, *_INNER, *_PROCESSORS):
        patch[DIVA.index(source)] = 0.0
    for depth in (*_DEPTHS, *_INNER.values(), "OSC.VtoD"):
        patch[DIVA.index(depth)] = 0.0
    return patch


_DEPTHS = tuple(name[: -len("Src")] + "Dpt" for name in _SOURCES)


def _present(patch: Patches, stage: int) -> frozenset[str]:
    """Names that act in a patch of which the stages before one are known."""
    routes = routes_of(patch)
    for source, depth in (*routes.items(), *_INNER.items()):
        if patch[DIVA.index(source)] != 0.0:
            patch[DIVA.index(depth)] = 1.0  # a depth of no source is drawn later, and never 0
    found = acts(patch)
    if stage <= 2:
        return found | {*routes, *_INNER, *_PROCESSORS}
    return found


def panel_code(prior: Prior, bins: int = 28, atoms: int = 16, least: float = 0.01) -> PanelCode:
    """The code whose bins are about as likely as each other under a prior.

    Args:
        prior: with a `marginal` for each parameter, as the human one.
        bins: between the atoms of a continuous parameter.
        atoms: at most.
        least: share of the patches that makes a value an atom.
    """
    names = [name for name in whole_panel().names if name not in ("LFO2.Polar", "HPF.KeyScl")]
    sources = (*_EFFECTS, *_SOURCES, *_INNER, *_PROCESSORS)
    early = (_CHAIN, _GATES, sources, _ENVELOPES)
    drawn = {name for group in early for name in group}
    later = sorted((name for name in names if name not in drawn), key=_rank)
    switches = tuple(name for name in later if DIVA[name].choices)
    values = tuple(name for name in later if not DIVA[name].choices)
    variables = []
    for stage, group in enumerate((*early, switches, values)):
        for name in group:
            parameter = DIVA[name]
            if parameter.choices:
                choices = np.array(parameter.choice_values, dtype=np.float64)
                variables.append(Variable(name, stage, choices, choices))
            else:
                low, high = _classes(prior.marginal(name), bins, atoms, least)  # type: ignore[attr-defined]
                variables.append(Variable(name, stage, low, high))
    return PanelCode(tuple(variables))


def _rank(name: str) -> tuple[int, int]:
    section = name.split(".")[0]
    place = _SECTIONS.index(section) if section in _SECTIONS else len(_SECTIONS)
    return place, DIVA.index(name)


def _classes(
    cells: Cells, bins: int, atoms: int, least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest value of each class: the atoms first, both groups rising."""
    parameter = cells.parameter
    grid = np.round(parameter.minimum + STEP * np.arange(places_of(parameter)), 2)
    mass = cells.probability(grid)
    common = np.sort(np.argsort(-mass, kind="stable")[:atoms])
    common = common[mass[common] >= least]
    rest = mass.copy()
    rest[common] = 0.0
    total = np.cumsum(rest)
    cuts = np.searchsorted(total, total[-1] * np.arange(1, bins) / bins)
    starts = np.unique(np.concatenate([[0], np.clip(cuts + 1, 0, len(grid) - 1)]))
    ends = np.append(starts[1:] - 1, len(grid) - 1)
    wide = ends > starts  # a bin of one value alone joins the one before it
    starts = starts[wide | (starts == 0)]
    ends = np.append(starts[1:] - 1, len(grid) - 1)
    return np.concatenate([grid[common], grid[starts]]), np.concatenate([grid[common], grid[ends]])
