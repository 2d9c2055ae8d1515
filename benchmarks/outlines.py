"""How far is the engine from outlines of real Diva sounds, of which nothing else is left?

    python benchmarks/outlines.py FOLDER [--worst 8] [--picture worst.png]

FOLDER holds `outlines.npz` (`peak`: largest |sample| of each 10 ms), `outlines.csv` (positions of
the parameters that vary, as a host sees them) and `parameters.csv`, whose first row gives all
others. No outline was ever fitted. Distance: mean |difference| in dB down to 40 dB below the
largest, one gain taken out. Recordings start up to 0.1 s late, so the best of such shifts counts;
outlines that are drawn twice count once.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.trimmers import Trimmers

NOTE = Note(pitch=60, velocity=127, length_seconds=3.0, render_seconds=4.0)
STEP_SECONDS = 0.01
FLOOR_DB = -40.0
LATEST = 10
"""Steps by which a recording may begin late."""

Array = NDArray[np.float64]


def patches_of(folder: Path) -> Array:
    """(outlines, 281), in the units of `DIVA`."""
    by_host = {p.host_name: p for p in DIVA}
    with (folder / "parameters.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    base = np.array([float(first[p.name] or p.default) for p in DIVA])
    patches = []
    with (folder / "outlines.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            patch = base.copy()
            for column, text in row.items():
                if column in by_host:
                    parameter = by_host[column]
                    patch[parameter.index] = parameter.to_unit(float(text))
            patches.append(patch)
    return np.array(patches)


def outline(sound: NDArray[np.float32]) -> Array:
    """Largest |sample| of each 10 ms."""
    step = round(STEP_SECONDS * NOTE.sample_rate)
    whole = len(sound) // step * step
    return np.asarray(np.abs(sound[:whole]).reshape(-1, step).max(axis=1), np.float64)


def distance(target: Array, other: Array) -> float:
    """See the module."""
    return min(_shifted(target[late:], other) for late in range(LATEST + 1))


def _shifted(target: Array, other: Array) -> float:
    count = min(len(target), len(other))
    floor = target.max() * 10.0 ** (FLOOR_DB / 20.0)
    # Thin spots between drawn points read 0.
    drawn = target[:count] > 0.0
    a = 20.0 * np.log10(np.maximum(target[:count], floor))
    b = 20.0 * np.log10(np.maximum(other[:count], 1e-9))
    heard = drawn & (target[:count] > floor)
    b = np.maximum(b + np.median((a - b)[heard]), 20.0 * np.log10(floor))
    return float(np.abs(a - b)[drawn].mean())


def main() -> None:
    """Print mean, median and the worst."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=8)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    peaks = np.load(options.folder / "outlines.npz")["peak"].astype(np.float64)
    _, once = np.unique(peaks.round(3), axis=0, return_index=True)
    once.sort()
    patches = patches_of(options.folder)[once]
    engine = PanelRenderer(np.zeros((8, 3)), trimmers=Trimmers(oscillator_reset=True), threads=2)
    played = [outline(sound) for sound in engine.render(patches, NOTE)]
    found = np.array([distance(peaks[k], own) for k, own in zip(once, played, strict=True)])
    print(f"{len(found)} outlines: mean {found.mean():.2f} dB, median {np.median(found):.2f} dB")
    worst = np.argsort(-found)[: options.worst]
    names = ("VCF1.Freq", "VCF1.Res", "VCF1.Fback", "VCF1.FMDpt", "VCF1.FM2Dpt", "VCF1.FFM")
    for k in worst:
        values = ", ".join(f"{name} {patches[k, DIVA.index(name)]:.1f}" for name in names)
        print(f"  {once[k]:3d}  {found[k]:5.2f} dB  {values}")
    if options.picture:
        _draw(options.picture, [(int(once[k]), found[k], peaks[once[k]], played[k]) for k in worst])


def _draw(path: Path, worst: list[tuple[int, float, Array, Array]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(worst), 1, figsize=(9, 1.8 * len(worst)), squeeze=False)
    for axis, (number, decibels, target, own) in zip(axes[:, 0], worst, strict=True):
        for line, label in ((target, "real"), (own, "engine")):
            level = 20.0 * np.log10(np.maximum(line / line.max(), 1e-3))
            axis.plot(np.arange(len(level)) * STEP_SECONDS, level, label=label, linewidth=1)
        axis.set_title(f"outline {number}: {decibels:.2f} dB", fontsize=9)
        axis.set_ylim(-60, 3)
    axes[0, 0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
