"""Distance over evaluations: the hybrid search against Nevergrad's optimizers, at equal budgets.

    python benchmarks/search_budgets.py [--sounds N] [--recordings FOLDER] [--take N] [--seeds N]
        [--budgets 50,200,1000] [--methods hybrid,CMA] [--results FILE] [--picture FILE]

Sounds are those of random audible patches of the embedded engine, and recordings, which are matched
with two stacked voices (the 2021 project's have them). An evaluation is a candidate, rendered and
scored. Methods:

- hybrid: `deepdiva refine` as it comes, the network's answer as start; *auto*: the same without;
- CMA, DE, TwoPointsDE, PSO, NGOpt, RandomSearch: Nevergrad's, from scratch, as one flat array with
  scores for classes, in batches of 64, by the distances that `refine --optimizer` minimises;
- nearest + CMA: Nevergrad's CMA from the 16 nearest of 10,000 stored random patches. What it took
  to store them is not counted.

The hybrid plans by its budget and keeps a fifth of it for start phases, and NGOpt chooses by it:
each of their budgets is a run of its own. The others know no budget and have all of it; one run to
the largest gives the rest of the curve.

What is scored is the patch, rendered again: *as reported*, by the multi-scale spectral distance and
with the seed of the search, as `refine` reports it; *with other seeds*, the mean over 32 seeds that
no search has met, which rewards nobody for lucky phases. By single frames, though, a match that
does not beat at all is often nearer to a beating target than the true patch, with other seeds. So
that mean is also taken *by averaged spectra*, which beats hardly move.

Runs are stored in FILE as they are done; a benchmark that was broken off goes on. All methods at
all budgets over 45 sounds and 3 seeds take long; what was run is kept in
`benchmarks/search_budgets.jsonl`, which is FILE unless another is named. Where some methods have
done more searches than others, tables come twice: of all methods, over the searches that all
have done, and of those that have done most. Records hold for the version of the engine that they
name. After a change of the search, those of the hybrid have to be taken out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search_runs import (
    Record,
    Results,
    Sound,
    WithoutRealizations,
    known_sounds,
    network_start,
    over_seeds,
    recorded_sounds,
    side_by_side,
    table,
)

from deepdiva.distance import AVERAGED, FULL, AveragedDistance, SpectralDistance
from deepdiva.evaluation.statistics import bootstrap
from deepdiva.models.baselines import NearestPredictor
from deepdiva.note import Note
from deepdiva.search.optimizers import AUTO
from deepdiva.search.refine import RefineResult, refine
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva.panel_renderer import PanelRenderer

BUDGETS = (50, 200, 1000, 5000, 20000)
HYBRID, NEAREST = "hybrid", "nearest + CMA"
FROM_SCRATCH = ("CMA", "DE", "TwoPointsDE", "PSO", "NGOpt", "RandomSearch")
METHODS = (HYBRID, AUTO, NEAREST, *FROM_SCRATCH)
PLANNERS = (HYBRID, AUTO, "NGOpt")
"""Methods that search otherwise if they know that they may go on for longer."""

FIELDS = {
    "again": "with other seeds",
    "averaged": "with other seeds, by averaged spectra",
    "reported": "as reported",
}
COMPARED = 1000
"""The hybrid's budget that is compared with the largest of the others."""

NEAREST_ANSWERS = 16
ENGINE = PanelRenderer().info.version
SEED = 2
"""Of the engine's sounds."""

KEPT = Path(__file__).with_suffix(".jsonl")
"""What was run so far."""


@dataclass(frozen=True)
class Run:
    """One search, which gives one or more points of a curve.

    Attributes:
        sound: that is matched.
        method: one of `METHODS`.
        seed: of the search.
        budgets: evaluations at which it is scored, ascending; it ends at the last.
        nearest: start of `nearest + CMA`.
    """

    sound: Sound
    method: str
    seed: int
    budgets: tuple[int, ...]
    nearest: Start | None = None


def point(sound: Sound, method: str, seed: int) -> Record:
    """What tells the records of a run from others, but for the budget."""
    return {"engine": ENGINE, "sound": sound.name, "method": method, "seed": seed}


def searched(weights: Path | None, run: Run) -> list[Record]:
    """Search, alone in a process, and score the match at each budget."""
    planned = run.method in (HYBRID, AUTO)
    start = run.nearest
    if run.method == HYBRID:
        start = network_start(run.sound, weights)
    optimizer = {HYBRID: AUTO, NEAREST: "CMA"}.get(run.method, run.method)
    settings = RefineSettings(
        optimizer=optimizer, evaluations=run.budgets[-1], seed=run.seed, jobs=1
    )
    engine = PanelRenderer() if planned else WithoutRealizations(PanelRenderer())
    result = refine(run.sound.audio, engine, run.sound.space, Note(), settings, start=start)
    reported, averaged = judges(run.sound)
    records = []
    for budget in run.budgets:
        patch = result.patch if planned else incumbent(result, budget, run.sound.space)
        again = PanelRenderer().render(patch[None], Note(), run.seed)
        records.append(
            {
                **point(run.sound, run.method, run.seed),
                "budget": budget,
                "patch": patch[run.sound.space.columns].tolist(),
                "reported": float(reported(again)[0]),
                "again": float(over_seeds(patch, reported).mean()),
                "averaged": float(over_seeds(patch, averaged).mean()),
                "fitted": result.preview_distance if planned else None,
                "seconds": result.seconds,
            }
        )
    return records


def judges(sound: Sound) -> tuple[SpectralDistance, AveragedDistance]:
    """The distances to a sound by which matches are compared."""
    rate = Note().sample_rate
    return SpectralDistance(sound.audio, rate, FULL), AveragedDistance(sound.audio, rate, AVERAGED)


def incumbent(result: RefineResult, budget: int, space: ParameterSpace) -> NDArray[np.float64]:
    """The best patch, shape (len(space.table),), after so many evaluations of a search."""
    if budget >= result.evaluations:
        return result.patch
    # By the distance that the optimizer was told; only the last choice is made by a finer one.
    told = result.history.wide()
    row = int(told.distances[:budget].argmin())
    patch: NDArray[np.float64] = space.patches(told.points[[row]])[0]
    # As a preset file holds it.
    patch[space.columns] = np.round(patch[space.columns], 2)
    return patch


def nearest_starts(sounds: Sequence[Sound], stored: int) -> list[Start]:
    """Where `nearest + CMA` begins, for each sound."""
    engine = PanelRenderer(threads=2)
    libraries: dict[bytes, NearestPredictor] = {}
    starts = []
    for sound in sounds:
        base = sound.space.base.tobytes()
        if base not in libraries:
            libraries[base] = NearestPredictor(
                sound.space, Note(), engine, stored, answers=NEAREST_ANSWERS
            )
        [answer] = libraries[base].predict(sound.audio[None], Note())
        starts.append(
            Start.predicted(sound.space, sound.space.names, answer.x, answer.class_probabilities)
        )
    return starts


def missing_runs(
    sounds: Sequence[Sound], options: argparse.Namespace, results: Results
) -> list[Run]:
    """Searches of which a point is not stored yet.

    All of one sound and seed stand together, engine sounds and recordings by turns: what is broken
    off leaves whole comparisons.
    """
    runs = []
    for method in options.methods:
        longest = options.longest.get(method, max(options.budgets))
        budgets = tuple(budget for budget in options.budgets if budget <= longest)
        groups = [(budget,) for budget in budgets] if method in PLANNERS else [budgets]
        runs += [
            Run(sound, method, seed, group)
            for sound in sounds
            for seed in range(options.seeds)
            for group in groups
            if not all(results.of({**point(sound, method, seed), "budget": b}) for b in group)
        ]
    near = {run.sound.name: run.sound for run in runs if run.method == NEAREST}
    starts = nearest_starts(list(near.values()), options.stored)
    known = dict(zip(near, starts, strict=True))
    runs = [
        replace(run, nearest=known[run.sound.name]) if run.method == NEAREST else run
        for run in runs
    ]
    kinds = [[s.name for s in sounds if bool(len(s.patch)) == known] for known in (True, False)]
    turn = {name: place for names in kinds for place, name in enumerate(names)}
    return sorted(runs, key=lambda run: (run.seed, turn[run.sound.name]))


@dataclass(frozen=True)
class Comparison:
    """Records of methods that did the same searches.

    Attributes:
        methods: in their usual order.
        records: of all of them with all their budgets.
    """

    methods: tuple[str, ...]
    records: list[Record]

    def of(self, sounds: Sequence[Sound]) -> Comparison:
        """The records of some sounds."""
        names = {sound.name for sound in sounds}
        return replace(self, records=[r for r in self.records if r["sound"] in names])

    @property
    def searches(self) -> set[tuple[str, int]]:
        """Sounds and seeds."""
        return {(record["sound"], record["seed"]) for record in self.records}


def comparisons(
    sounds: Sequence[Sound], results: Results, options: argparse.Namespace
) -> list[Comparison]:
    """What can be compared: all methods that have run, and those that have run most.

    A method has done a search when all its budgets are there. Where all have done the same
    searches, the two are one.
    """
    names = {sound.name for sound in sounds}
    kept: dict[str, dict[tuple[str, int], list[Record]]] = {}
    for record in results.of({"engine": ENGINE}):
        name, place = record["method"], (record["sound"], record["seed"])
        longest = options.longest.get(name, max(options.budgets))
        due = record["budget"] in options.budgets and record["budget"] <= longest
        if due and place[0] in names and place[1] < options.seeds:
            kept.setdefault(name, {}).setdefault(place, []).append(record)
    done: dict[str, set[tuple[str, int]]] = {}
    for name in options.methods:
        longest = options.longest.get(name, max(options.budgets))
        due_count = sum(budget <= longest for budget in options.budgets)
        places = {p for p, some in kept.get(name, {}).items() if len(some) == due_count}
        if places:
            done[name] = places
    if not done:
        return []
    most = max(map(len, done.values()))
    found: list[Comparison] = []
    for methods in (tuple(done), tuple(name for name in done if len(done[name]) == most)):
        shared = set.intersection(*(done[name] for name in methods))
        records = [r for name in methods for place in shared for r in kept[name][place]]
        if records and not any(one.methods == methods for one in found):
            found.append(Comparison(methods, records))
    return found


def grid(compared: Comparison, budgets: Sequence[int], field: str) -> str:
    """Mean and median of one field: a line for each method, a column for each budget."""

    def cell(method: str, budget: int) -> str:
        values = curve(compared.records, method, budget, field)
        return f"{np.mean(values):.3g} / {np.median(values):.3g}" if len(values) else ""

    heading = ["mean / median", *(f"{budget:,}" for budget in budgets)]
    rows = [[name, *(cell(name, budget) for budget in budgets)] for name in compared.methods]
    return table(heading, rows)


def means(compared: Comparison, budgets: Sequence[int]) -> str:
    """Both means of matches that were rendered with other seeds, as the documents quote them."""

    def cell(method: str, budget: int) -> str:
        again, averaged = (
            curve(compared.records, method, budget, field) for field in ("again", "averaged")
        )
        return f"{again.mean():.3f}, {averaged.mean():.4f}" if len(again) else ""

    rows = [[name, *(cell(name, budget) for budget in budgets)] for name in compared.methods]
    return table(["", *(f"{budget:,}" for budget in budgets)], rows)


def own_records(records: list[Record], method: str, budget: int) -> list[Record]:
    """Those of a method with a budget, ordered by sound and seed."""
    own = [r for r in records if r["method"] == method and r["budget"] == budget]
    return sorted(own, key=lambda r: (r["sound"], r["seed"]))


def curve(records: list[Record], method: str, budget: int, field: str) -> NDArray[np.float64]:
    """A field of all searches of a method with a budget, ordered by sound and seed."""
    return np.array([record[field] for record in own_records(records, method, budget)])


def sound_means(names: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over the seeds of each sound: seeds of one sound are no sounds of their own."""
    _, rows = np.unique(names, return_inverse=True)
    means: NDArray[np.float64] = np.bincount(rows, values) / np.bincount(rows)
    return means


def against(compared: Comparison, budget: int) -> str:
    """The hybrid at a small budget against each method from scratch at its largest.

    Differences come with intervals of 95 %, by bootstrap over the sounds.
    """
    lines = []
    records = compared.records
    for method in compared.methods:
        if method in (HYBRID, AUTO) or HYBRID not in compared.methods:
            continue
        most = max(r["budget"] for r in records if r["method"] == method)
        parts = []
        for field in ("again", "averaged"):
            hybrid = curve(records, HYBRID, budget, field)
            other = curve(records, method, most, field)
            if len(hybrid) != len(other):
                break
            names = [r["sound"] for r in own_records(records, HYBRID, budget)]
            apart = bootstrap(sound_means(names, hybrid - other))
            parts.append(
                f"{FIELDS[field]} {hybrid.mean():.3g} and {other.mean():.3g} in the mean, "
                f"nearer in {(hybrid < other).sum()} of {len(other)}, "
                f"difference {apart.low:+.3g} to {apart.high:+.3g}"
            )
        else:
            heading = f"- hybrid at {budget:,} against {method} at {most:,}"
            lines.append(f"{heading}: {'; '.join(parts)}")
    return "\n".join(lines)


def picture(compared: Comparison, path: Path) -> None:
    """Draw the curves: mean distances, with other seeds, over evaluations."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    fields = ("again", "averaged")
    figure = Figure(figsize=(10.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, field in zip(figure.subplots(1, len(fields)), fields, strict=True):
        for method in compared.methods:
            own = [r for r in compared.records if r["method"] == method]
            budgets = sorted({record["budget"] for record in own})
            distances = [np.mean([r[field] for r in own if r["budget"] == b]) for b in budgets]
            width = 2.8 if method == HYBRID else 1.2
            axis.plot(budgets, distances, marker="o", markersize=3, linewidth=width, label=method)
        axis.set_title(FIELDS[field], loc="left", fontsize=10)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.25)
        axis.set_xlabel("evaluations")
    figure.axes[0].set_ylabel("mean distance")
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=120)


def limits(text: str) -> dict[str, int]:
    """`CMA=20000,DE=1000`, for each method the largest budget."""
    pairs = (part.rsplit("=", 1) for part in text.split(",") if part)
    return {name.strip(): int(budget) for name, budget in pairs}


def main() -> None:
    """Search what is missing, print the tables, draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ",".join(METHODS)
    parser.add_argument("--sounds", type=int, default=20, help="of the engine")
    parser.add_argument("--recordings", type=Path, help="folder")
    parser.add_argument("--take", type=int, help="so many of the recordings, spread evenly")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)))
    parser.add_argument("--methods", default=names, help=f"of {names}")
    parser.add_argument(
        "--longest", type=limits, default={}, help="largest budget of some: DE=1000,PSO=1000"
    )
    parser.add_argument("--stored", type=int, default=10_000, help="patches that `nearest` knows")
    parser.add_argument("--model-file", type=Path, help="weights of the network")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=KEPT)
    parser.add_argument("--picture", type=Path, help="PNG file")
    parser.add_argument("--only-print", action="store_true", help="search nothing more")
    options = parser.parse_args()
    options.budgets = sorted(int(budget) for budget in options.budgets.split(","))
    options.methods = options.methods.split(",")
    if not set(options.methods) <= set(METHODS):
        parser.error(f"methods are {names}")

    sounds = known_sounds(options.sounds, SEED, voices=1)
    if options.recordings:
        sounds += recorded_sounds(options.recordings, options.take)
    results = Results(options.results)
    missing = [] if options.only_print else missing_runs(sounds, options, results)
    work = partial(searched, options.model_file)
    for record in side_by_side(work, missing, options.processes):
        results.add(record)
        print(
            f"{record['sound']}, {record['method']} at {record['budget']:,}: "
            f"{record['again']:.3f} in {record['seconds']:.0f} s",
            flush=True,
        )
    engine = [sound for sound in sounds if len(sound.patch)]
    recorded = [sound for sound in sounds if not len(sound.patch)]
    found = comparisons(sounds, results, options)
    for compared in found:
        report(compared, options.budgets, engine, recorded)
    if options.picture and found:
        picture(found[0], options.picture)


def report(
    compared: Comparison,
    budgets: Sequence[int],
    engine: Sequence[Sound],
    recorded: Sequence[Sound],
) -> None:
    """Print all tables of a comparison."""
    for title, some in (("engine sounds", engine), ("recordings", recorded)):
        own = compared.of(some)
        count = len({name for name, _ in own.searches})
        for field in FIELDS if count else ():
            how = f"{len(own.searches)} searches of each method, {FIELDS[field]}"
            print(f"\n{count} {title}, {how}:\n\n{grid(own, budgets, field)}")
    heard = {name for name, _ in compared.searches}
    true = [sound for sound in engine if sound.name in heard]
    for field, judge in (("again", 0), ("averaged", 1)) if true else ():
        floor = [over_seeds(sound.patch, judges(sound)[judge]).mean() for sound in true]
        print(f"\nThe true patches, {FIELDS[field]}: {np.mean(floor):.3g} / {np.median(floor):.3g}")
    how = f"{len(compared.searches)} searches of each method, both means"
    print(f"\nAll {len(heard)} sounds, {how}:\n\n{means(compared, budgets)}")
    print(f"\n{against(compared, COMPARED)}")


if __name__ == "__main__":
    main()
