"""Which distance is a good judge? Patches with other seeds against patches that were changed.

    python benchmarks/objective_ranking.py [--patches N] [--seed S] [--csv FILE]

Render a patch with another seed and start phases, drift and noise differ: it is the same patch, and
the judge should say so. For each random patch of the 11-parameter space (stack of 2) the table
counts how often a changed patch, also with another seed, lies farther from the first rendering than
the unchanged one does: 0.5 is chance, 1 is perfect. Columns:

- 1.5, 3, 6, 12 %: all seven continuous parameters other than pitch are moved by that much of
  their range, up or down at random;
- the seven, each alone by 6 %, and Tune2 by 1 % (0.6 semitones): some patches hide a parameter (a
  long attack hides decay and sustain), so that even a perfect judge stays below 1;
- contrast: median of distance at 3 % over distance with other seeds.

ms is the time for each candidate, the target's spectra shared by 14 candidates. The standard error
of a share is 0.04 at 0.5 and 0.02 at 0.9 with 128 patches.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import (
    AVERAGED,
    FULL,
    SEARCH,
    AveragedDistance,
    AveragedSettings,
    Distance,
    DistanceSettings,
    SpectralDistance,
)
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

CONTINUOUS = (
    "ENV1.Atk",
    "ENV1.Dec",
    "ENV1.Sus",
    "OSC.Vol1",
    "OSC.Vol2",
    "VCF1.Freq",
    "VCF1.Res",
)
SHIFTS = (0.015, 0.03, 0.06, 0.12)
SINGLE_SHIFTS = dict.fromkeys(CONTINUOUS, 0.06) | {"OSC.Tune2": 0.01}
AUDIBLE = 0.02
"""Peak below which a random patch is left out."""

CHUNK = 16
"""Patches that are held in memory at once."""

Sounds = NDArray[np.float32]
Judge = Callable[[Sounds, int], Distance]


def spectral(settings: DistanceSettings) -> Judge:
    """A judge by the multi-scale spectral distance."""
    return lambda target, rate: SpectralDistance(target, rate, settings)


def averaged(settings: AveragedSettings) -> Judge:
    """A judge by averaged spectra."""
    return lambda target, rate: AveragedDistance(target, rate, settings)


BINS = replace(AVERAGED, bands_weight=0.0)
BANDS = replace(AVERAGED, bins_weight=0.0, bands_weight=1.0)

JUDGES: dict[str, Judge] = {
    "spectral FULL": spectral(FULL),
    "spectral FULL, log only": spectral(replace(FULL, linear_weight=0.0)),
    "spectral FULL, linear only": spectral(replace(FULL, log_weight=0.0)),
    "spectral SEARCH": spectral(SEARCH),
    "spectral SEARCH, log only": spectral(replace(SEARCH, linear_weight=0.0)),
    "bins, 0.07 s": averaged(replace(BINS, windows=(1,))),
    "bins, 0.14 s": averaged(replace(BINS, windows=(2,))),
    "bins, 0.28 s": averaged(replace(BINS, windows=(4,))),
    "bins, 0.56 s": averaged(replace(BINS, windows=(8,))),
    "bins, 1.1 s": averaged(replace(BINS, windows=(16,))),
    "bins, 0.28 + 0.56 + 1.1 s": averaged(replace(BINS, windows=(4, 8, 16))),
    "bins, 0.07 + 0.28 + 1.1 s": averaged(replace(BINS, windows=(1, 4, 16))),
    "48 bands, 0.07 s": averaged(replace(BANDS, windows=(1,))),
    "48 bands, 0.28 s": averaged(replace(BANDS, windows=(4,))),
    "48 bands, 1.1 s": averaged(replace(BANDS, windows=(16,))),
    "level, 0.28 s": averaged(replace(BANDS, windows=(4,), bands_weight=0.0, level_weight=1.0)),
    "bins + 0.3 bands": averaged(replace(AVERAGED, bands_weight=0.3)),
    "bins + 1.0 bands": averaged(replace(AVERAGED, bands_weight=1.0)),
    "bins + 0.1 bands + 0.1 level": averaged(replace(AVERAGED, level_weight=0.1)),
    "default": averaged(AVERAGED),
}


def stack_of_2() -> ParameterSpace:
    """The 11-parameter space around MS-REV1 with two stacked voices."""
    base = DIVA.defaults()
    base[DIVA.index("VCC.Voicing")] = 2.0
    return default_space(base)


def moved(
    space: ParameterSpace,
    points: NDArray[np.float64],
    names: tuple[str, ...],
    shift: float,
    seed: int,
) -> NDArray[np.float64]:
    """Points with some parameters moved up or down at random, inward where the range ends."""
    columns = [space.names.index(name) for name in names]
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (len(points), len(columns)))
    result = points.copy()
    there = points[:, columns] + shift * signs
    back = points[:, columns] - shift * signs
    result[:, columns] = np.where((there < 0.0) | (there > 1.0), back, there)
    return result


def changes(
    space: ParameterSpace, points: NDArray[np.float64]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Each column of the table, and its points."""
    for index, shift in enumerate(SHIFTS):
        yield f"{100 * shift:g} %", moved(space, points, CONTINUOUS, shift, index)
    for index, (name, shift) in enumerate(SINGLE_SHIFTS.items()):
        yield name.split(".")[1], moved(space, points, (name,), shift, 100 + index)


def audible(
    space: ParameterSpace, renderer: PanelRenderer, count: int, seed: int
) -> NDArray[np.float64]:
    """Random points whose patches can be heard, shape (count, dimensions)."""
    rng = np.random.default_rng(seed)
    found: list[NDArray[np.float64]] = []
    while len(found) < count:
        points = space.random(rng, CHUNK)
        sounds = renderer.render(space.patches(points), Note(), seeds=np.arange(CHUNK))
        found += list(points[np.abs(sounds).max(axis=1) > AUDIBLE])
    return np.stack(found[:count])


def judged(
    space: ParameterSpace,
    renderer: PanelRenderer,
    points: NDArray[np.float64],
    columns: dict[str, NDArray[np.float64]],
    milliseconds: dict[str, float],
) -> dict[str, NDArray[np.float64]]:
    """Distances by every judge, shape (points, 2 + columns): two with other seeds first."""
    rate = Note().sample_rate
    found: dict[str, list[NDArray[np.float64]]] = {title: [] for title in JUDGES}
    for first in range(0, len(points), CHUNK):
        part = slice(first, first + CHUNK)
        seeds = np.arange(first, first + len(points[part]))
        targets = renderer.render(space.patches(points[part]), Note(), seeds=seeds)
        others = [points[part], points[part], *(there[part] for there in columns.values())]
        sounds = [
            renderer.render(space.patches(there), Note(), seeds=seeds + 10_000 * (1 + index))
            for index, there in enumerate(others)
        ]
        for target, batch in zip(targets, np.stack(sounds, axis=1), strict=True):
            for title, judge in JUDGES.items():
                began = time.perf_counter()
                found[title].append(judge(target, rate)(batch))
                milliseconds[title] += 1000 * (time.perf_counter() - began) / len(batch)
    return {title: np.stack(scores) for title, scores in found.items()}


def main() -> None:
    """Render, judge, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--patches", type=int, default=128)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--csv", type=Path, help="write the table here as well")
    options = parser.parse_args()

    space, renderer = stack_of_2(), PanelRenderer()
    points = audible(space, renderer, options.patches, options.seed)
    columns = dict(changes(space, points))
    milliseconds = dict.fromkeys(JUDGES, 0.0)
    scores = judged(space, renderer, points, columns, milliseconds)

    print(f"{len(points)} patches; share of pairs where the changed one is farther")
    print(f"{'judge':30s}" + "".join(f"{name:>7s}" for name in columns) + "  contrast    ms")
    table: list[list[str | float]] = [["judge", *columns, "contrast", "ms"]]
    for title, found in scores.items():
        again, changed = found[:, :2], found[:, 2:]
        shares = (changed[:, :, None] > again[:, None, :]).mean(axis=(0, 2))
        contrast = float(np.median(changed[:, list(columns).index("3 %")] / again[:, 0]))
        cost = milliseconds[title] / len(points)
        cells = "".join(f"{share:7.2f}" for share in shares)
        print(f"{title:30s}{cells}{contrast:10.2f}{cost:6.2f}")
        table.append([title, *shares.tolist(), contrast, cost])
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows(table)


if __name__ == "__main__":
    main()
