"""The losses of a training as a table and as a curve."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from deepdiva.files import atomic_write

TABLE = "losses.csv"
CURVE = "losses.png"


def write_table(folder: Path, history: list[dict[str, float]]) -> None:
    """One row per epoch; the columns are those of the first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in history)
    atomic_write(folder / TABLE, text.getvalue().encode(), force=True)


def write_curve(folder: Path, history: list[dict[str, float]], title: str) -> None:
    """Training and test loss over the sounds that were seen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    sounds = [row["sounds"] for row in history]
    axes.plot(sounds, [row["train_loss"] for row in history], ".-", label="training sounds")
    axes.plot(sounds, [row["test_loss"] for row in history], ".-", label="test sounds")
    axes.set(xlabel="training sounds seen", ylabel="loss", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    picture = io.BytesIO()
    canvas.print_png(picture)  # type: ignore[no-untyped-call]
    atomic_write(folder / CURVE, picture.getvalue(), force=True)
