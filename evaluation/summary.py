"""The figures of a run: means with intervals, noise floors, pairs of methods, probes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from deepdiva.evaluation import metrics, parameters
from deepdiva.evaluation.folder import RunFolder, RunInfo
from deepdiva.evaluation.measure import Measure
from deepdiva.evaluation.probe import probe_methods
from deepdiva.evaluation.result import Result
from deepdiva.evaluation.statistics import (
    Interval,
    Pairing,
    ShuffleProbe,
    bootstrap,
    compare_paired,
    gap_closed,
    proportion,
)

SECONDS = Measure("seconds", "Time", "s", "lower", 0.0, "Wall time from sound to preset.")
RENDERS = Measure("renders", "Renders", "", "lower", 0.0, "Candidates rendered to find the match.")

MEASURES: tuple[Measure, ...] = (
    *(metric.measure for metric in metrics.PANEL),
    parameters.PARAMETER_ERROR,
    parameters.CLASS_ACCURACY,
    parameters.MODULES,
    SECONDS,
    RENDERS,
)
"""Every column of figures that a result has."""


@dataclass(frozen=True)
class Average:
    """One measure of one method over the sounds.

    Attributes:
        sounds: for how many the measure is defined.
        mean: with its interval.
        median: with its interval.
    """

    sounds: int
    mean: Interval
    median: Interval


@dataclass(frozen=True)
class Elsewhere:
    """The primary metric of one method on other notes than the targets'.

    Attributes:
        sounds: that are known on other notes.
        given: mean at the targets' own notes, of these sounds.
        notes: other note to mean.
        flatters: mean difference between the other notes of a sound and its own, with its
            interval: by so much the match at the given note looks better than it is elsewhere.
    """

    sounds: int
    given: float
    notes: dict[str, float]
    flatters: Interval


@dataclass(frozen=True)
class MethodSummary:
    """One method over all sounds.

    Attributes:
        name: of the method.
        description: what it was; see `Method.describe`.
        counts: sounds by status: `ok`, `silent`, `failed`, and `missing` in an unfinished run.
        averages: measure key to average; measures that are never defined are left out.
        at_floor: share of sounds matched no worse than the noise floor; None without floors.
        gap: share of the way from the mean preset to the noise floor, on the primary metric; None
            where the mean preset does not take part or floors are missing.
        parameter_errors: free parameter to its mean error; empty where no truth is known.
        elsewhere: on other notes; None where no target is known there.
        exchanged: sounds compared with the oscillators exchanged.
        probe: None for an unfinished method, or fewer than two sounds.
    """

    name: str
    description: dict[str, Any]
    counts: dict[str, int]
    averages: dict[str, Average]
    at_floor: Interval | None
    gap: Interval | None
    parameter_errors: dict[str, float]
    elsewhere: Elsewhere | None
    exchanged: int
    probe: ShuffleProbe | None


@dataclass(frozen=True)
class PairSummary:
    """Two methods on the primary metric; the first is seen against the second.

    Attributes:
        first: name of the one with the better median.
        second: name of the other.
        pairing: sound by sound.
        renders: mean renders of both; a comparison on unequal budgets says less.
    """

    first: str
    second: str
    pairing: Pairing
    renders: tuple[float, float]


@dataclass(frozen=True)
class Floor:
    """The least distance that can be expected of a match to one sound.

    Attributes:
        distance: see `deepdiva.evaluation.scoring`; None where nothing could be measured.
        known: measured on the patch that made the target; otherwise on the nearest match.
    """

    distance: float | None
    known: bool


@dataclass(frozen=True)
class Summary:
    """All figures of a run.

    Attributes:
        info: what the run was.
        results: method to sound to result; unfinished cells are missing.
        floors: sound to noise floor.
        methods: best median of the primary metric first.
        pairs: all pairs of methods.
    """

    info: RunInfo
    results: dict[str, dict[str, Result]]
    floors: dict[str, Floor]
    methods: list[MethodSummary]
    pairs: list[PairSummary]

    @property
    def measures(self) -> list[Measure]:
        """Measures that at least one method has."""
        defined = {key for method in self.methods for key in method.averages}
        return [measure for measure in MEASURES if measure.key in defined]

    @property
    def complete(self) -> bool:
        """Every method has answered every sound."""
        return not any(method.counts["missing"] for method in self.methods)


def summarise(folder: RunFolder, *, jobs: int = 1) -> Summary:
    """Read the results of a run and work out its figures.

    Args:
        folder: of a run, finished or not. Results of other settings that still lie there count as
            missing.
        jobs: threads for the shuffle probe.

    Raises:
        MissingFileError: the folder holds no run.
    """
    info = folder.read_info()
    sounds = [sound.name for sound in info.sounds]
    results = {method: cells for method, cells in folder.results(info).items() if cells}
    seed = int(info.settings["seed"])
    floors = {sound.name: _floor(sound.name, sound.floor, results) for sound in info.sounds}
    finished = [name for name, cells in results.items() if len(cells) == len(sounds)]
    probes = probe_methods(folder, sounds, finished, jobs=jobs, seed=seed)
    baseline = next(
        (cells for name, cells in results.items() if info.methods[name].get("kind") == "mean"),
        {},
    )
    methods = [
        _method(name, info, cells, floors, baseline, probes.get(name), seed)
        for name, cells in results.items()
    ]
    methods.sort(key=lambda method: method.averages[metrics.PRIMARY].median.value)
    order = [method.name for method in methods]
    pairs = [
        _pair(first, second, results[first], results[second], seed)
        for first, second in combinations(order, 2)
        if results[first].keys() & results[second].keys()
    ]
    return Summary(info, results, floors, methods, pairs)


def value(result: Result, measure: Measure) -> float | None:
    """A result's figure in one measure."""
    if measure is SECONDS:
        return result.seconds
    if measure is RENDERS:
        return result.renders
    return result.scores.get(measure.key)


def _floor(sound: str, known: float | None, results: dict[str, dict[str, Result]]) -> Floor:
    if known is not None:
        return Floor(known, known=True)
    cells = [
        cells[sound]
        for cells in results.values()
        if sound in cells and cells[sound].realization_spread is not None
    ]
    if not cells:
        return Floor(None, known=False)
    best = min(cells, key=lambda result: result.scores[metrics.PRIMARY] or 0.0)
    return Floor(best.realization_spread, known=False)


def _method(
    name: str,
    info: RunInfo,
    cells: dict[str, Result],
    floors: dict[str, Floor],
    baseline: dict[str, Result],
    probe: ShuffleProbe | None,
    seed: int,
) -> MethodSummary:
    averages = {}
    for measure in MEASURES:
        figures = [f for result in cells.values() if (f := value(result, measure)) is not None]
        if figures:
            averages[measure.key] = Average(
                sounds=len(figures),
                mean=bootstrap(figures, np.mean, seed=seed),
                median=bootstrap(figures, np.median, seed=seed),
            )
    counts = {
        status: sum(result.status == status for result in cells.values())
        for status in ("ok", "silent", "failed")
    }
    counts["missing"] = len(info.sounds) - len(cells)
    reached = [
        distance <= floor
        for sound, result in cells.items()
        if (floor := floors[sound].distance) is not None
        and (distance := result.scores[metrics.PRIMARY]) is not None
    ]
    errors = [result.errors for result in cells.values() if result.errors]
    return MethodSummary(
        name=name,
        description=info.methods[name],
        counts=counts,
        averages=averages,
        at_floor=proportion(sum(reached), len(reached)) if reached else None,
        gap=_gap(cells, baseline, floors, seed),
        parameter_errors={
            parameter: float(np.mean([each[parameter] for each in errors]))
            for parameter in (errors[0] if errors else {})
        },
        elsewhere=_elsewhere(list(cells.values()), seed),
        exchanged=sum(result.exchanged for result in cells.values()),
        probe=probe,
    )


def _elsewhere(results: list[Result], seed: int) -> Elsewhere | None:
    rows = []
    notes: dict[str, list[float]] = {}
    for result in results:
        given = result.scores[metrics.PRIMARY]
        there = {
            note: value
            for note, scores in result.elsewhere.items()
            if (value := scores.get(metrics.PRIMARY)) is not None
        }
        if given is None or not there:
            continue
        rows.append((given, float(np.mean(list(there.values())))))
        for note, value in there.items():
            notes.setdefault(note, []).append(value)
    if not rows:
        return None
    given_all, there_all = np.array(rows).T
    return Elsewhere(
        sounds=len(rows),
        given=float(given_all.mean()),
        notes={note: float(np.mean(values)) for note, values in notes.items()},
        flatters=bootstrap(there_all - given_all, np.mean, seed=seed),
    )


def _gap(
    cells: dict[str, Result], baseline: dict[str, Result], floors: dict[str, Floor], seed: int
) -> Interval | None:
    rows = [
        (far, near, floor)
        for sound, result in cells.items()
        if sound in baseline
        and (far := baseline[sound].scores[metrics.PRIMARY]) is not None
        and (near := result.scores[metrics.PRIMARY]) is not None
        and (floor := floors[sound].distance) is not None
    ]
    return gap_closed(*zip(*rows, strict=True), seed=seed) if rows else None


def _pair(
    first: str,
    second: str,
    first_cells: dict[str, Result],
    second_cells: dict[str, Result],
    seed: int,
) -> PairSummary:
    shared = [sound for sound in first_cells if sound in second_cells]
    scores = [
        np.array([cells[sound].scores[metrics.PRIMARY] for sound in shared], dtype=np.float64)
        for cells in (first_cells, second_cells)
    ]
    renders = [
        float(np.mean([cells[sound].renders or 0 for sound in shared]))
        for cells in (first_cells, second_cells)
    ]
    return PairSummary(
        first=first,
        second=second,
        pairing=compare_paired(scores[1], scores[0], sign=metrics.PRIMARY_MEASURE.sign, seed=seed),
        renders=(renders[0], renders[1]),
    )
