"""Make the tables of `deepdiva.synths.diva.prior` from counts over human presets.

    python scripts/make_prior_tables.py SHARED/facts/presets
    python scripts/make_prior_tables.py accepted

The second command draws from the tables that the first has written, and notes by chain which share
keeps the musical constraints.

The counts say how 1,448 presets are spread: each parameter over all of them (frequent values,
quantiles), the panel's parameters also by oscillator, high-pass and filter model (most frequent
value, quantiles), and which sources modulate what. They say nothing of two parameters at once
otherwise. What is written is the distribution of greatest entropy that meets them: cells (single
values, and intervals between the values that the counts name) are scaled until all counts hold,
by the row-action method of Censor and Lent (J. Optim. Theory Appl. 34, 1981).
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.parameters import Parameter
from deepdiva.synths.diva import DIVA

TARGET = Path("deepdiva/synths/diva/prior")
PRESETS = 1448
SWEEPS = 3000
CHAIN = ("OSC.Model", "HPF.Model", "VCF1.Model")
SIZES = (5, 4, 5)
CONTEXT_OF_SECTION = {"OSC": "osc", "HPF": "hpf", "VCF1": "vcf"}

# Presets that a set of modules can play, counted as modules were added one by one: oscillators,
# high-passes and filters that are in the set, and the share of presets, %.
PLAYABLE = (
    ((3,), (3,), (3,), 3.2),
    ((0, 3), (0, 3), (0, 3), 26.7),
    ((0, 3), (0, 3), (0, 2, 3), 36.3),
    ((0, 1, 3), (0, 3), (0, 2, 3), 44.2),
    ((0, 1, 3), (0, 3), (0, 1, 2, 3), 52.3),
    ((0, 1, 3), (0, 2, 3), (0, 1, 2, 3), 72.5),
    ((0, 1, 3), (0, 1, 2, 3), (0, 1, 2, 3), 82.3),
    ((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3), 95.2),
    ((0, 1, 2, 3, 4), (0, 1, 2, 3), (0, 1, 2, 3), 97.3),
)

EFFECTS = ("Chrs", "Phase", "Plate", "Delay", "Rtary")
ACTIVE_1 = (457, 152, 198, 166, 73)  # presets in which the first slot is on, by effect
ACTIVE_2 = (89, 56, 440, 310, 37)
EITHER = (528, 206, 604, 464, 107)  # presets with the effect in either slot
DRY = 262
PAIRS = {(1, 3): 148, (1, 0): 137, (1, 4): 123, (4, 3): 92}  # 0 off, 1 chorus, 2 phaser, ...

# Modulation: source, depth, name in the counts, and the models under which it acts (None: all).
ROUTES = (
    ("OSC.TM1Src", "OSC.TM1Dpt", "tune1", None),
    ("OSC.TM2Src", "OSC.TM2Dpt", "tune2", (1, 2, 3, 4)),
    ("OSC.PWMSrc", "OSC.PWMDpt", "pw", (1, 2, 3, 4)),
    ("OSC.Sh1Src", "OSC.Sh1Dpt", "shape", (0, 4)),
    ("OSC.FmSrc", "OSC.FmDpt", "fm", (0, 1, 4)),
    ("OSC.NoisSrc", "OSC.NoisDpt", "noise/mix", None),
    ("HPF.FMSrc", "HPF.FMDpt", "hpf", (2, 3)),
    ("VCF1.FMSrc", "VCF1.FMDpt", "vcf1", None),
    ("VCF1.FM2Src", "VCF1.FM2Dpt", "vcf2", None),
    ("VCF1.ResSrc", "VCF1.ResDpt", "res", None),
    ("VCF1.FfmSrc", "VCF1.FfmDpt", "ffm", None),
    ("VCF1.FbSrc", "VCF1.FbDpt", "feedback", None),
    ("VCF1.SMSrc", "VCF1.SMDpt", "uhbie mix", (4,)),
    ("VCA1.ModSrc", "VCA1.ModDpt", "vca", None),
    ("VCA1.PanSrc", "VCA1.PanDpt", "pan", None),
    ("LFO1.DMS1", "LFO1.DMD1", "lfo1 depth", None),
    ("LFO2.DMS1", "LFO2.DMD1", "lfo2 depth", None),
    ("LFO1.FMS1", "LFO1.FMD1", "lfo1 rate", None),
    ("LFO2.FMS1", "LFO2.FMD1", "lfo2 rate", None),
)

# Parameters that one model alone has, and that model's number: how much more often they are moved
# there than elsewhere says how much more often a knob that acts is moved.
OWN_KNOBS = {
    **dict.fromkeys(("OSC.Shape1", "OSC.Shape2", "OSC.Shape3", "OSC.Tune3"), (0,)),
    **dict.fromkeys(("OSC.PWShp", "OSC.SawShp", "OSC.SubShp"), (2,)),
    **dict.fromkeys(("OSC.Wave1", "OSC.Wave2"), (3,)),
    **dict.fromkeys(("HPF.Freq", "HPF.Res"), (3,)),
    **dict.fromkeys(("HPF.PFreq",), (1,)),
    **dict.fromkeys(("VCF1.SvfMode",), (2,)),
    **dict.fromkeys(("VCF1.SkRev",), (3,)),
}

# Choices that were counted in one model, %: the Multimode's responses.
KNOWN_CHOICES = {("VCF1.SvfMode", 2): (48, 35, 6, 11)}

Row = dict[str, str]


@dataclass
class Fit:
    """A distribution over cells, scaled until sums of some of them hold.

    Attributes:
        counts: of each cell, first the reference.
        rules: cells, and the least and the greatest sum that they may have.
    """

    counts: NDArray[np.float64]
    rules: list[tuple[NDArray[np.intp], float, float]] = field(default_factory=list)

    def hold(self, cells: NDArray[np.bool_], low: float, high: float | None = None) -> None:
        """Ask for a sum; without `high` for one value."""
        high = low if high is None else high
        where = np.flatnonzero(cells)
        if high <= 0:
            self.counts.ravel()[where] = 0.0
        elif len(where):
            self.rules.append((where, max(low, 1e-9), high))

    def solve(self, name: str) -> NDArray[np.float64]:
        """Scale; print what cannot be met to within two presets."""
        flat = self.counts.ravel()
        duals = np.zeros(len(self.rules))
        for _ in range(SWEEPS):
            furthest = 0.0
            for number, (where, low, high) in enumerate(self.rules):
                total = max(float(flat[where].sum()), 1e-300)
                up, down = math.log(high / total), math.log(low / total)
                step = sorted((float(duals[number]), up, down))[1]
                step = max(-3.0, min(3.0, step))
                if step:
                    flat[where] *= math.exp(step)
                    duals[number] -= step
                    furthest = max(furthest, abs(step) * total)
            if furthest < 0.01:
                break
        worst = max(
            (
                max(low - flat[where].sum(), flat[where].sum() - high)
                for where, low, high in self.rules
            ),
            default=0.0,
        )
        if worst > 2.0:
            print(f"{name}: off by {worst:.1f} presets")
        return self.counts


@dataclass
class Cells:
    """Where a parameter's values lie: single values (low == high) and open intervals."""

    parameter: Parameter
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, parameter: Parameter, atoms: Sequence[float], edges: Sequence[float]) -> Cells:
        """Single values, and the intervals between them and further edges."""
        if parameter.choices:
            values = parameter.choice_values
            return cls(parameter, values, values)
        marks = np.unique([parameter.minimum, parameter.maximum, *atoms, *edges])
        single = np.unique(atoms)
        low = np.concatenate([single, marks[:-1]])
        high = np.concatenate([single, marks[1:]])
        order = np.lexsort((high, low))
        return cls(parameter, low[order], high[order])

    def at(self, value: float) -> NDArray[np.bool_]:
        """The cell of a single value."""
        if self.parameter.choices:
            value = float(self.parameter.to_unit(self.parameter.to_normalised(value)))
        return np.asarray((self.low == value) & (self.high == value))

    def below(self, value: float) -> NDArray[np.bool_]:
        """Cells of lesser values."""
        return np.asarray((self.high <= value) & ~((self.low == value) & (self.high == value)))

    def up_to(self, value: float) -> NDArray[np.bool_]:
        """Cells of this and lesser values."""
        return np.asarray(self.high <= value)


@dataclass
class Counted:
    """What the counts say of one parameter."""

    parameter: Parameter
    overall: Row
    by_state: dict[int, Row]
    modulating: dict[int, int] = field(default_factory=dict)
    """Presets in which each source at least is chosen, as the counts of modulations say."""

    @property
    def frequent(self) -> dict[float, int]:
        """The ten most frequent values and how many presets have them."""
        pairs = (pair.split(":") for pair in self.overall["top10_values"].split())
        return {float(value): int(count) for value, count in pairs}

    def quantiles(self, row: Row) -> list[tuple[float, float]]:
        """Levels and values."""
        return [
            (int(key[1:]) / 100, float(row[key]))
            for key in ("p1", "p5", "p25", "p50", "p75", "p95", "p99")
            if key in row
        ]

    def distribution(self) -> tuple[Cells, NDArray[np.float64], list[int]]:
        """Cells, counts of shape (states, cells), and the states (empty: one for all)."""
        states = sorted(self.by_state)
        cells = self._cells()
        sizes = np.array(
            [int(self.by_state[state]["n"]) for state in states] or [PRESETS], dtype=float
        )
        fit = Fit(np.outer(sizes / PRESETS, self._reference(cells)))
        self._hold_frequent(fit, cells)
        self._hold_quantiles(fit, cells, None, self.overall, PRESETS)
        for number, state in enumerate(states):
            self._hold_state(fit, cells, number, self.by_state[state])
        for (name, state), shares in KNOWN_CHOICES.items():
            if name == self.parameter.name:
                for place, share in enumerate(shares):
                    size = float(self.by_state[state]["n"]) / 100
                    chosen = within(fit, states.index(state), only(cells, place))
                    fit.hold(chosen, (share - 0.5) * size, (share + 0.5) * size)
        if not states:
            fit.hold(within(fit, None, np.ones(len(cells.low), dtype=bool)), PRESETS)
        return cells, fit.solve(self.parameter.name), states

    def _ends(self) -> dict[float, float]:
        """Shares of the least and the greatest value."""
        return {
            self.parameter.minimum: float(self.overall["share_at_min"]),
            self.parameter.maximum: float(self.overall["share_at_max"]),
        }

    def _cells(self) -> Cells:
        """Single values are those that the counts name as such, or that hold two quantiles."""
        rows = list(self.by_state.values())
        edges = [value for row in (self.overall, *rows) for _, value in self.quantiles(row)]
        atoms = {*self.frequent, *(float(row["mode"]) for row in rows)}
        for row in (self.overall, *rows):
            values = [value for _, value in self.quantiles(row)]
            atoms |= {value for value in values if values.count(value) > 1}
        atoms |= {value for value, share in self._ends().items() if share > 0}
        return Cells.of(self.parameter, sorted(atoms), edges)

    @property
    def _rest(self) -> int:
        """Presets with other than the ten most frequent values."""
        return PRESETS - sum(self.frequent.values())

    def _reference(self, cells: Cells) -> NDArray[np.float64]:
        """Counts before anything is asked: frequent values as counted, the rest by length."""
        single = cells.low == cells.high
        reference = np.where(single, 0.3, cells.high - cells.low)
        if (~single).any():
            reference[~single] *= max(self._rest, 0.5) / reference[~single].sum()
        for value, count in self.frequent.items():
            reference[cells.at(value)] = count
        for source, count in self.modulating.items():
            if source not in self.frequent:
                reference[cells.at(float(source))] += count
        return reference

    def _hold_frequent(self, fit: Fit, cells: Cells) -> None:
        """Counts of the frequent values and of the ends, over all presets."""
        frequent, single = self.frequent, cells.low == cells.high
        grouped: dict[int, int] = {}
        for value, count in frequent.items():
            place = int(np.flatnonzero(cells.at(value))[0])
            grouped[place] = grouped.get(place, 0) + count
        exact = self._rest == 0  # all distinct values are listed
        listed = np.isin(np.arange(len(cells.low)), list(grouped))
        # where values lie between the choices, those that are not listed may belong to any
        on_grid = bool(self.parameter.on_grid(list(frequent)).all())
        slack = 0.0 if on_grid or exact else float(self._rest)
        for place, count in grouped.items():
            fit.hold(within(fit, None, only(cells, place)), float(count), count + slack)
        if exact:
            fit.hold(within(fit, None, ~listed), 0.0)
        for place in map(int, np.flatnonzero(single & ~listed)):
            known = float(self.modulating.get(int(cells.low[place]), 0))
            most = max(known, float(min(frequent.values()))) + 0.5
            fit.hold(within(fit, None, only(cells, place)), known, most)
        for value, share in self._ends().items():
            if not self.parameter.choices and value not in frequent and share > 0:
                count_here = share * PRESETS
                chosen = within(fit, None, cells.at(value))
                fit.hold(chosen, count_here - 0.1, count_here + 0.1)

    def _hold_state(self, fit: Fit, cells: Cells, number: int, row: Row) -> None:
        """Size, most frequent value and quantiles of the presets in one state."""
        size = int(row["n"])
        fit.hold(within(fit, number, np.ones(len(cells.low), dtype=bool)), float(size))
        share, half = float(row["share_at_mode"]), 0.0005
        most = (share + half) * size if share + half < 1 else float(size)
        mode = within(fit, number, cells.at(float(row["mode"])))
        fit.hold(mode, (share - half) * size, most)
        if share == 1.0 and half * size < 1:  # not even one preset has another value
            fit.hold(within(fit, number, ~cells.at(float(row["mode"]))), 0.0)
        self._hold_quantiles(fit, cells, number, row, size)

    def _hold_quantiles(
        self, fit: Fit, cells: Cells, number: int | None, row: Row, size: int
    ) -> None:
        """Level p of n values lies between those of ranks floor and ceil of p (n - 1)."""
        for level, value in self.quantiles(row):
            rank = level * (size - 1)
            up_to, below = cells.up_to(value), cells.below(value)
            fit.hold(within(fit, number, up_to), float(math.floor(rank)), float(size))
            fit.hold(within(fit, number, below), 0.0, max(math.ceil(rank), 0.3))


def only(cells: Cells, place: int) -> NDArray[np.bool_]:
    """One cell."""
    return np.asarray(np.arange(len(cells.low)) == place)


def within(fit: Fit, number: int | None, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells of one state, or of all."""
    states = np.arange(fit.counts.shape[0])[:, None]
    inside = np.full(states.shape, True) if number is None else states == number
    return np.asarray(inside & chosen)


def chain_shares(counted: dict[str, Counted]) -> NDArray[np.float64]:
    """Shares of oscillator, high-pass and filter together, shape (5, 4, 5)."""
    margins = []
    for name, size in zip(CHAIN, SIZES, strict=True):
        frequent = counted[name].frequent
        margins.append(np.array([frequent[float(model)] for model in range(size)], dtype=float))
    outer = np.einsum("i,j,k->ijk", *margins) / PRESETS**2
    fit = Fit(outer)
    grid = np.indices(SIZES)
    for axis, margin in enumerate(margins):
        for model, count in enumerate(margin):
            fit.hold(grid[axis] == model, count)
    for oscillators, high_passes, filters, share in PLAYABLE:
        inside = (
            np.isin(grid[0], oscillators)
            & np.isin(grid[1], high_passes)
            & np.isin(grid[2], filters)
        )
        fit.hold(inside, (share - 0.05) / 100 * PRESETS, (share + 0.05) / 100 * PRESETS)
    return fit.solve("chain") / PRESETS


def effect_shares() -> NDArray[np.float64]:
    """Shares of what is in the two slots, shape (6, 6); 0 is off."""
    first = np.array([PRESETS - sum(ACTIVE_1), *ACTIVE_1], dtype=float)
    second = np.array([PRESETS - sum(ACTIVE_2), *ACTIVE_2], dtype=float)
    fit = Fit(np.outer(first, second) / PRESETS)
    one, two = np.indices((6, 6))
    for state in range(6):
        fit.hold(one == state, first[state])
        fit.hold(two == state, second[state])
    for number, either in enumerate(EITHER):
        both = ACTIVE_1[number] + ACTIVE_2[number] - either
        fit.hold((one == number + 1) & (two == number + 1), both)
    fit.hold((one == 0) & (two == 0), DRY)
    for (former, latter), count in PAIRS.items():
        fit.hold((one == former) & (two == latter), count)
    return fit.solve("effects") / PRESETS


def moved_odds(found: dict[str, tuple[Cells, NDArray[np.float64], list[int]]]) -> float:
    """How much greater the odds are that a knob is moved where it acts (geometric mean)."""
    ratios = []
    for name, own in OWN_KNOBS.items():
        cells, counts, states = found[name]
        total = counts.sum(axis=0)
        at_rest = np.arange(len(cells.low)) == int(np.argmax(total))
        inside = np.isin(states, own)
        rest, moved = counts[:, at_rest].sum(axis=1), counts[:, ~at_rest].sum(axis=1)
        inner = moved[inside].sum() / rest[inside].sum()
        outer = moved[~inside].sum() / rest[~inside].sum()
        ratios.append(math.log(inner / outer))
    return math.exp(float(np.mean(ratios)))


def split_by_use(
    counts: NDArray[np.float64], used: float, odds: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares where a parameter acts and where not, so that both together are as counted.

    Args:
        counts: shape (cells,).
        used: share of the presets in which it acts.
        odds: how much greater the odds of being moved are there.
    """
    shares = counts / counts.sum()
    rest = int(np.argmax(shares))
    moved = 1.0 - shares[rest]
    if moved <= 1e-9:
        return shares, shares
    low, high = 0.0, 1.0
    for _ in range(200):
        idle = (low + high) / 2
        acting = odds * idle / (1 - idle + odds * idle)
        low, high = (idle, high) if used * acting + (1 - used) * idle < moved else (low, idle)
    result = []
    for part in (acting, idle):
        changed = shares * part / moved
        changed[rest] = 1.0 - part
        result.append(changed)
    return result[0], result[1]


def uses(effects: NDArray[np.float64]) -> dict[str, tuple[str, tuple[int, ...], float]]:
    """Context, acting states and share of presets, by parameter, where the counts do not say."""
    found: dict[str, tuple[str, tuple[int, ...], float]] = {}
    for slot in (1, 2):
        shares = effects.sum(axis=2 - slot)
        for number, effect in enumerate(EFFECTS):
            for parameter in DIVA:
                if parameter.section == f"{effect}{slot}":
                    found[parameter.name] = (f"fx{slot}", (number + 1,), float(shares[number + 1]))
    for envelope, models in (("ENV1", (458, 786, 204)), ("ENV2", (426, 779, 243))):
        context = envelope.lower()
        found[f"{envelope}.RelOn"] = (context, (0,), models[0] / PRESETS)
        for key in ("Quant", "Crve"):
            found[f"{envelope}.{key}"] = (context, (2,), models[2] / PRESETS)
    for parameter in DIVA:
        if parameter.section in ("ARP", "CLK") and parameter.key != "OnOff":
            found[parameter.name] = ("arp", (1,), 21 / PRESETS)
    return found


STATES = {"osc": 5, "hpf": 4, "vcf": 5, "fx1": 6, "fx2": 6, "env1": 3, "env2": 3, "arp": 2}


def written(cells: Cells, shares: NDArray[np.float64]) -> str:
    """Cells in a line: `VALUE=SHARE` and `LOW..HIGH=SHARE`."""
    words = []
    for low, high, share in zip(cells.low, cells.high, shares / shares.sum(), strict=True):
        if share >= 5e-6:
            where = f"{low:g}" if low == high else f"{low:g}..{high:g}"
            words.append(f"{where}={share:.4g}")
    return " ".join(words)


def route_rows(
    counted: dict[str, Counted],
    found: dict[str, tuple[Cells, NDArray[np.float64], list[int]]],
) -> list[tuple[str, str, str, str, str]]:
    """Sources of each modulation, with a depth and without, by state."""
    result = []
    for source, depth, _, acting in ROUTES:
        depth_cells, depth_counts, _ = found[depth]
        source_counts, states = found[source][1], found[source][2]
        sizes = source_counts.sum(axis=1)
        zero = depth_cells.at(0.0)
        moved = depth_counts[:, ~zero].sum(axis=1) / depth_counts.sum(axis=1) * sizes
        acts = np.isin(states, acting) if acting else np.ones(len(sizes), dtype=bool)
        share = source_counts / sizes[:, None]
        counts = np.stack([share * moved[:, None], share * (sizes - moved)[:, None]], axis=2)
        fit = Fit(counts)  # (states, sources, active or not)
        grid = np.indices(counts.shape)
        for state in range(len(sizes)):
            for model in range(counts.shape[1]):
                cell = (grid[0] == state) & (grid[1] == model)
                fit.hold(cell, float(source_counts[state, model]))
            fit.hold((grid[0] == state) & (grid[2] == 0), float(moved[state]))
        known = counted[source].modulating
        scale = min(1.0, float(moved[acts].sum()) / sum(known.values()))
        for model, number in known.items():
            cell = acts[grid[0]] & (grid[1] == model) & (grid[2] == 0)
            here = float(source_counts[acts, model].sum())
            number_here = min(number * scale, here)
            fit.hold(cell, max(number_here - 0.5, 0.0), max(number_here, 0.01) + 0.5)
        solved = fit.solve(f"{source} and {depth}")
        context = CONTEXT_OF_SECTION.get(DIVA[source].section, "")
        for number in range(len(sizes)):
            total = solved[number].sum()
            words = [
                f"{model}={solved[number, model, 0] / total:.4g}/"
                f"{solved[number, model, 1] / total:.4g}"
                for model in range(counts.shape[1])
                if solved[number, model].sum() / total >= 5e-6
            ]
            label = str(states[number]) if states else ""
            result.append((source, depth, context if states else "", label, " ".join(words)))
    return result


def rows_of(path: Path) -> list[Row]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)
    print(f"{path}: {len(rows)} rows")


def note_accepted() -> None:
    """Estimate which share of the draws of each chain keeps the musical constraints."""
    from deepdiva.synths.diva.prior.human import HumanPrior

    prior = HumanPrior()
    chains = list(product(*map(range, SIZES)))
    shares = [prior.share_accepted(np.array(chain), 10_000, seed=0) for chain in chains]
    rows = [(*map(str, at), f"{share:.4f}") for at, share in zip(chains, shares, strict=True)]
    write(TARGET / "accepted.csv", (*CHAIN, "accepted"), rows)


def main() -> None:
    """Fit and write."""
    if sys.argv[1] == "accepted":
        note_accepted()
        return
    folder, target = Path(sys.argv[1]), TARGET
    by_state: dict[str, dict[int, Row]] = {}
    for row in rows_of(folder / "parameters_by_model.csv"):
        by_state.setdefault(row["name"], {})[int(row["group"][3:])] = row
    counted = {
        row["name"]: Counted(DIVA[row["name"]], row, by_state.get(row["name"], {}))
        for row in rows_of(folder / "parameters.csv")
    }
    labels = {choice.label: int(choice.value) for choice in DIVA["OSC.TM1Src"].choices}
    sources = {target: source for source, _, target, _ in ROUTES}
    for row in rows_of(folder / "routes.csv"):
        modulating = counted[sources[row["target"]]].modulating
        modulating[labels[row["source"]]] = int(row["presets_active"])
    chain = chain_shares(counted)
    effects = effect_shares()
    write(
        target / "chain.csv",
        (*CHAIN, "share"),
        [(*map(str, at), f"{chain[at]:.5g}") for at in np.ndindex(SIZES) if chain[at] >= 5e-6],
    )
    write(
        target / "effects.csv",
        ("slot1", "slot2", "share"),
        [(*map(str, at), f"{effects[at]:.5g}") for at in np.ndindex(6, 6) if effects[at] >= 5e-6],
    )
    found = {name: entry.distribution() for name, entry in counted.items() if name not in CHAIN}
    odds = moved_odds(found)
    print(f"odds of being moved, where a knob acts: {odds:.1f} times")
    in_use = uses(effects)
    rows: list[tuple[str, ...]] = []
    for name, (cells, counts, states) in found.items():
        if name in ("main.#FX1", "main.#FX2"):
            continue
        if name in ("FX1.Module", "FX2.Module"):  # what stands in a slot that is off
            slot = name[:3].lower()
            idle = counts[0] - np.array(ACTIVE_1 if slot == "fx1" else ACTIVE_2)
            rows.append((name, slot, "0", written(cells, idle)))
        elif name in in_use:
            context, acting, used = in_use[name]
            on, off = split_by_use(counts[0], used, odds)
            others = [state for state in range(STATES[context]) if state not in acting]
            rows.append((name, context, " ".join(map(str, acting)), written(cells, on)))
            rows.append((name, context, " ".join(map(str, others)), written(cells, off)))
        elif not states:
            rows.append((name, "", "", written(cells, counts[0])))
        else:
            context = CONTEXT_OF_SECTION[DIVA[name].section]
            for number, state in enumerate(states):
                rows.append((name, context, str(state), written(cells, counts[number])))
    write(target / "values.csv", ("parameter", "context", "states", "cells"), rows)
    write(
        target / "routes.csv",
        ("source", "depth", "context", "state", "cells"),
        route_rows(counted, found),
    )


if __name__ == "__main__":
    main()
