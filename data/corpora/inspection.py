"""What is in a data set, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepdiva.data.corpora.dataset import Dataset
from deepdiva.data.corpora.faults import FAULT_NAMES
from deepdiva.parameters import Parameter
from deepdiva.synths import KNOWN, find_synthesizer

HISTOGRAM_BINS = 24
LEVELS_DB = (-80.0, -60.0, -40.0, -30.0, -20.0, -10.0, 0.0)
"""Edges of the histogram of peaks, dB of full scale; the outer bins are open."""


@dataclass(frozen=True)
class ParameterHistogram:
    """How the values of one free parameter are spread.

    Attributes:
        name: of the parameter.
        labels: of the bins: the label of a choice, or the normalised position in a bin's middle.
        counts: sounds in each bin.
    """

    name: str
    labels: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Inspection:
    """Counts and levels of a data set.

    Attributes:
        sounds: in all complete batches.
        batches: complete ones.
        planned: batches that there are to be.
        kept: faulty sounds in it, by fault.
        redrawn: draws that were refused, by fault.
        peak_db: quantiles 0, 0.05, 0.5, 0.95 and 1 of the peaks that are not silent, dB of full
            scale; empty if all are silent.
        level_counts: sounds by peak, one more than `LEVELS_DB` has edges.
        parameters: one histogram for each free parameter.
    """

    sounds: int
    batches: int
    planned: int
    kept: dict[str, int]
    redrawn: dict[str, int]
    peak_db: tuple[float, ...]
    level_counts: tuple[int, ...]
    parameters: tuple[ParameterHistogram, ...]


def inspect(dataset: Dataset) -> Inspection:
    """Count; no sound is read."""
    samples = dataset.samples
    faults = samples["faults"]
    redrawn = {
        name: sum(record.redrawn[name] for record in dataset.description.records.values())
        for name in FAULT_NAMES.values()
    }
    peaks = samples["peak"][np.isfinite(samples["peak"])].astype(np.float64)
    with np.errstate(divide="ignore"):
        peaks_db = 20.0 * np.log10(peaks)
    audible = peaks_db[peaks_db >= LEVELS_DB[0]]
    quantiles = np.quantile(audible, (0.0, 0.05, 0.5, 0.95, 1.0)) if len(audible) else ()
    edges = np.searchsorted(LEVELS_DB, peaks_db, side="right")
    name = dataset.description.settings["space"]["table"]
    table = find_synthesizer(name).table if name in KNOWN else None
    return Inspection(
        sounds=len(dataset),
        batches=len(dataset.description.records),
        planned=dataset.description.batches,
        kept={
            name: int(np.count_nonzero(faults & fault.value)) for fault, name in FAULT_NAMES.items()
        },
        redrawn=redrawn,
        peak_db=tuple(float(value) for value in quantiles),
        level_counts=tuple(np.bincount(edges, minlength=len(LEVELS_DB) + 1).tolist()),
        parameters=tuple(
            _histogram(table[name] if table else None, name, dataset.patches[:, column])
            for column, name in enumerate(dataset.free)
        ),
    )


def _histogram(
    parameter: Parameter | None, name: str, positions: NDArray[np.float32]
) -> ParameterHistogram:
    """Spread of one column: by choice where the parameter has few, else over [0, 1]."""
    if parameter is not None and 0 < len(parameter.choices) <= HISTOGRAM_BINS:
        values = parameter.to_unit(positions)
        counts = [int(np.count_nonzero(values == choice.value)) for choice in parameter.choices]
        labels = tuple(choice.label for choice in parameter.choices)
        return ParameterHistogram(name, labels, tuple(counts))
    spread, edges = np.histogram(positions, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    middles = (edges[:-1] + edges[1:]) / 2
    return ParameterHistogram(
        name, tuple(f"{middle:.2f}" for middle in middles), tuple(spread.tolist())
    )
