"""A picture of what a calibration did: the distance of each module's probes, before and after."""

from __future__ import annotations

import io
from pathlib import Path

from deepdiva.calibration.own import Calibration
from deepdiva.files import atomic_write
from deepdiva.picture import MATCH_COLOUR, TARGET_COLOUR

_COLUMNS = 4
_WIDTH, _HEIGHT = 3.6, 2.4
"""Inches of a module's part."""


def draw(calibration: Calibration, path: Path, title: str = "", force: bool = False) -> None:
    """Draw every module's probes, before and after, from the farthest to the nearest.

    Args:
        calibration: that was made.
        path: PNG file to be written, atomically.
        title: above all.
        force: overwrite a file.

    Raises:
        FileExistsAlreadyError: it exists, without `force`.
    """
    from matplotlib.figure import Figure

    count = max(1, len(calibration.modules))
    rows = -(-count // _COLUMNS)
    figure = Figure((_COLUMNS * _WIDTH, rows * _HEIGHT + 0.5), layout="constrained")
    if title:
        figure.suptitle(title)
    for place, result in enumerate(calibration.modules):
        axes = figure.add_subplot(rows, _COLUMNS, place + 1)
        order = result.distances_before.argsort()[::-1]
        across = range(1, len(order) + 1)
        axes.plot(across, result.distances_before[order], ".-", color=TARGET_COLOUR, label="before")
        axes.plot(across, result.distances[order], ".-", color=MATCH_COLOUR, label="after")
        axes.set_ylim(bottom=0.0)
        axes.set_title(f"{result.module.name}: {result.verdict}", fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_ylabel("dB", fontsize=8)
        if place == 0:
            axes.legend(fontsize=7)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    atomic_write(path, data.getvalue(), force)
