"""A picture of a sound and of the presets that are nearest to it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.files import atomic_write
from deepdiva.library.nearest import Nearest
from deepdiva.picture import draw_spectrogram, loudest_db, printable

_COLUMNS = 4
_NAME = 34


def nearest_picture(
    path: Path | str,
    target: NDArray[np.float32],
    found: Sequence[Nearest],
    sample_rate: int,
    *,
    title: str,
    force: bool = False,
) -> None:
    """Draw the spectrogram of a target and those of presets, on one scale.

    Args:
        path: PNG file to be written, atomically.
        target: shape (samples,), mono.
        found: the presets, the nearest first.
        sample_rate: of all, samples per second.
        title: what the target is called.
        force: overwrite an existing file.

    Raises:
        FileExistsAlreadyError: the file exists, without `force`.
    """
    from matplotlib.figure import Figure

    from deepdiva.units import key_name

    rows = -(-(len(found) + 1) // _COLUMNS)
    figure = Figure(figsize=(16.0, 0.6 + 3.0 * rows), dpi=100, layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    ceiling_db = loudest_db(target, sample_rate)
    sounds = [(f"Target: {printable(title, _NAME)}", target)]
    for place, one in enumerate(found, start=1):
        name = f"{place}. {printable(one.path.stem, _NAME)}"
        about = f"{key_name(one.key)}, distance {one.distance:.3f}"
        sounds.append((f"{name}\n{about}", one.sound))
    for axis, (name, sound) in zip(axes, sounds, strict=False):
        draw_spectrogram(axis, sound, sample_rate, ceiling_db=ceiling_db)
        axis.set_title(name, loc="left", fontsize=10, parse_math=False)
        axis.set_xlabel("")
        axis.set_ylabel("")
    for axis in axes[len(sounds) :]:
        axis.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    atomic_write(path, buffer.getvalue(), force=force)
