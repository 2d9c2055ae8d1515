"""The course of a search as a picture."""

from __future__ import annotations

import io
from itertools import groupby

import numpy as np

from deepdiva.search.history import History

_COLUMNS = 8.0
"""Width in inches."""


def history_picture(history: History, title: str) -> bytes:
    """Draw the best match over the evaluations: its reported distance, and its parameters.

    Parameters stand one above the other, each in a lane of its own whose height is its range;
    classes show as steps.

    Args:
        history: of one search, with a generation at least.
        title: of the picture.

    Returns:
        A PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    leaders = history.progress()
    ends = np.cumsum([len(generation.points) for generation in history.generations])
    distances = [leader.scores.full for leader in leaders]
    points = np.array([leader.points[leader.scores.best] for leader in leaders])
    names = history.space.names

    figure = Figure(figsize=(_COLUMNS, 3.0 + 0.32 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 0.32 * len(names) + 0.4])
    upper.step(ends, distances, where="post", color="tab:blue")
    upper.set_yscale("log")
    upper.set_ylabel("distance of the best")
    upper.set_title(title.replace("$", r"\$"))
    for lane in range(len(names)):
        lower.step(ends, 0.9 * points[:, lane] + lane + 0.05, where="post", linewidth=1.2)
        lower.axhline(lane, color="0.85", linewidth=0.6, zorder=0)
    lower.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=8)
    lower.set_ylim(0, len(names))
    lower.tick_params(axis="y", length=0)
    lower.set_xlabel("evaluations")
    begin = 0
    for stage, rows in groupby(
        zip(history.generations, ends, strict=True), key=lambda row: row[0].stage
    ):
        end = int(list(rows)[-1][1])
        for axis in (upper, lower):
            axis.axvline(end, color="0.8", linewidth=0.8, zorder=0)
        upper.text(
            (begin + end) / 2, 1.0, stage, ha="center", va="top", fontsize=8, color="0.4",
            transform=upper.get_xaxis_transform(), clip_on=True,
        )  # fmt: skip
        begin = end
    lower.set_xlim(0, int(ends[-1]))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()
