"""The course of a search as a picture."""

from __future__ import annotations

import io
from itertools import groupby

import numpy as np

from deepdiva.picture import printable
from deepdiva.search.search_history import History

_WIDTH, _UPPER, _LANE = 8.0, 2.2, 0.32
"""Inches: of the picture, of the distances' height, and of each parameter's."""

_TOP, _GAP, _BOTTOM, _RIGHT = 0.35, 0.15, 0.5, 0.15
_LETTER = 0.068
"""Inches that a letter of a parameter's name takes."""


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

    # Measured by hand: matplotlib's own layout takes as long as all the drawing.
    lanes = _LANE * len(names)
    height = _TOP + _UPPER + _GAP + lanes + _BOTTOM
    left = max(0.95, 0.2 + _LETTER * max(len(name) for name in names))
    figure = Figure(figsize=(_WIDTH, height))
    FigureCanvasAgg(figure)
    width = (_WIDTH - left - _RIGHT) / _WIDTH
    low = (_BOTTOM + lanes + _GAP) / height
    upper = figure.add_axes((left / _WIDTH, low, width, _UPPER / height))
    box = (left / _WIDTH, _BOTTOM / height, width, lanes / height)
    lower = figure.add_axes(box, sharex=upper)
    upper.tick_params(axis="x", labelbottom=False)
    upper.step(ends, distances, where="post", color="tab:blue")
    upper.set_ylabel("distance of the best")
    upper.set_title(printable(title).replace("$", r"\$"))
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
            (begin + end) / 2, 0.97, stage, ha="center", va="top", fontsize=8, color="0.4",
            transform=upper.get_xaxis_transform(), clip_on=True,
        )  # fmt: skip
        begin = end
    lower.set_xlim(0, int(ends[-1]))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()
