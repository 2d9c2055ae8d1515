"""The plots of a report, as SVG that follows the page's colours, light or dark."""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from deepdiva.evaluation import metrics
from deepdiva.evaluation.summary import SECONDS, Summary
from deepdiva.names import html_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C8C")
"""Okabe and Ito's colours, which colour-blind readers can tell apart; yellow is left out."""

MARKERS = "osD^vP*X"
"""Beyond the colours, shapes tell methods apart."""

EXTREMES = 8
"""How many of the best and of the worst sounds are plotted."""

_TEXT = "#010203"
_LINE = "#040506"
_WIDTH_INCHES = 5.0
_LEAST = 1e-3
"""Axes are logarithmic, since factors are what one hears; a perfect match is drawn here."""
_DISTANCE = metrics.PANEL[0].measure.label.lower()


def colour(place: int) -> str:
    """Colour of the method at a place of the summary."""
    return COLOURS[place % len(COLOURS)]


def marker(place: int) -> str:
    """Shape of the method at a place of the summary."""
    return MARKERS[place // len(COLOURS) % len(MARKERS)]


def distributions(summary: Summary) -> str:
    """Every sound of every method: a dot each, box of the quartiles, line at the median."""
    names = [method.name for method in summary.methods]
    figure, axes = _figure(0.9 + 0.42 * len(names))
    rng = np.random.default_rng(0)
    for row, name in enumerate(names):
        values = _primary(summary, name)
        axes.scatter(
            values, row + rng.uniform(-0.22, 0.22, values.size), s=14, alpha=0.7, linewidths=0,
            color=colour(row), marker=marker(row),
        )  # fmt: skip
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.plot([low, high, high, low, low], row + 0.3 * np.array([-1, -1, 1, 1, -1]),
                  color=_TEXT, linewidth=0.8)  # fmt: skip
        axes.plot([middle, middle], [row - 0.3, row + 0.3], color=_TEXT, linewidth=2)
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.invert_yaxis()
    _logarithmic(axes, "x")
    axes.set_xlabel(_DISTANCE)
    axes.grid(axis="x", color=_LINE, linewidth=0.6)
    return _svg(figure, f"Distribution of {_DISTANCE} for each method")


def distance_against_time(summary: Summary) -> str:
    """Median distance over median seconds, with the interval of the median."""
    figure, axes = _figure(3.3)
    for place, method in enumerate(summary.methods):
        distance = method.averages[metrics.PRIMARY].median
        seconds = max(method.averages[SECONDS.key].median.value, _LEAST)
        middle = max(distance.value, _LEAST)
        spread = [[max(middle - distance.low, 0.0)], [max(distance.high - middle, 0.0)]]
        axes.errorbar(
            [seconds], [middle], yerr=spread, color=colour(place), marker=marker(place),
            markersize=6, linewidth=1.2, capsize=2.5, label=_short(method.name),
        )  # fmt: skip
    axes.margins(x=0.1, y=0.1)
    _logarithmic(axes, "x")
    axes.set_xlabel("median seconds for a sound")
    _logarithmic(axes, "y")
    axes.set_ylabel(_DISTANCE)
    axes.grid(color=_LINE, linewidth=0.6)
    _legend(figure)
    return _svg(figure, f"Median {_DISTANCE} against median time of each method")


def extremes(summary: Summary) -> str:
    """The sounds that the leading method matches best and worst, with everybody's distance."""
    leader = summary.methods[0].name
    cells = summary.results[leader]
    ranked = sorted(cells, key=lambda sound: cells[sound].scores[metrics.PRIMARY] or 0.0)
    shown = ranked if len(ranked) <= 2 * EXTREMES else ranked[:EXTREMES] + ranked[-EXTREMES:]
    figure, axes = _figure(1.1 + 0.21 * len(shown))
    for place, method in enumerate(summary.methods):
        scores = {
            row: score
            for row, sound in enumerate(shown)
            if (result := summary.results[method.name].get(sound)) is not None
            and (score := result.scores[metrics.PRIMARY]) is not None
        }
        axes.scatter(
            [max(score, _LEAST) for score in scores.values()], list(scores), s=22,
            color=colour(place), marker=marker(place), linewidths=0,
            label=_short(method.name), zorder=3,
        )  # fmt: skip
    floors = {
        row: floor
        for row, sound in enumerate(shown)
        if (floor := summary.floors[sound].distance) is not None
    }
    if floors:
        axes.scatter(
            [max(floor, _LEAST) for floor in floors.values()], list(floors), s=60, marker="|",
            color=_TEXT, label="noise floor",
        )  # fmt: skip
    if len(shown) < len(ranked):
        axes.axhline(EXTREMES - 0.5, color=_TEXT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(shown)), [_short(sound) for sound in shown])
    axes.invert_yaxis()
    axes.grid(color=_LINE, linewidth=0.6)
    _logarithmic(axes, "x")
    axes.set_xlabel(_DISTANCE)
    _legend(figure)
    return _svg(figure, f"Sounds that {leader} matches best and worst")


def _primary(summary: Summary, method: str) -> NDArray[np.float64]:
    scores = [r.scores[metrics.PRIMARY] for r in summary.results[method].values()]
    return np.maximum(np.array(scores, dtype=np.float64), _LEAST)


def _style() -> AbstractContextManager[None]:
    """Small type, and texts that stay texts in the SVG."""
    from matplotlib import rc_context

    return rc_context({"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "deepdiva"})


def _logarithmic(axes: Axes, direction: Literal["x", "y"]) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 of each decade, or fewer."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis: Axis
    if direction == "x":
        axes.set_xscale("log")
        axis, (low, high) = axes.xaxis, axes.get_xlim()
    else:
        axes.set_yscale("log")
        axis, (low, high) = axes.yaxis, axes.get_ylim()
    steps = (1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _figure(height_inches: float) -> tuple[Figure, Axes]:
    """A figure without background whose texts and lines take the page's colours."""
    from matplotlib.figure import Figure as NewFigure

    with _style():
        figure = NewFigure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
        axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.tick_params(which="both", colors=_TEXT, length=2)
    axes.xaxis.label.set_color(_TEXT)
    axes.yaxis.label.set_color(_TEXT)
    for side, spine in axes.spines.items():
        spine.set_color(_LINE)
        spine.set_visible(side in ("left", "bottom"))
    axes.set_axisbelow(True)
    return figure, axes


def _legend(figure: Figure) -> None:
    """Names of the methods above the plot."""
    figure.legend(
        loc="outside upper center", ncols=3, frameon=False, labelcolor=_TEXT, handletextpad=0.2,
        columnspacing=1.0, fontsize=9,
    )  # fmt: skip


def _svg(figure: Figure, description: str) -> str:
    """The figure as an inline SVG element."""
    buffer = io.StringIO()
    with _style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Names inside the picture must not meet those of the others on the page.
    prefix = re.sub(r"\W+", "", description.title())[:24]
    svg = re.sub(r'(id="|url\(#|xlink:href="#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace(_TEXT, "currentColor").replace(_LINE, "var(--line)")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html_text(description)}"', 1).strip()


def _short(name: str, most: int = 22) -> str:
    """A name that leaves room for the plot, without what would be read as a formula."""
    short = name if len(name) <= most else f"{name[: most - 1]}…"
    return short.replace("$", r"\$")
