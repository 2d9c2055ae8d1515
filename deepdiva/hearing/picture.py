"""A picture of what was heard: waveform and spectrogram, with onset, release and key marked."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepdiva.audio import open_recording
from deepdiva.files import atomic_write
from deepdiva.hearing.heard import LONGEST_NOTE_SECONDS, Heard
from deepdiva.picture import MATCH_COLOUR, TARGET_COLOUR, draw_spectrogram, printable
from deepdiva.units import key_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAD_SECONDS = 0.3
_POINTS = 2000


def heard_picture(
    path: Path | str,
    heard: Heard,
    *,
    start_seconds: float = 0.0,
    length_seconds: float | None = None,
    channel: int | None = None,
    force: bool = False,
) -> None:
    """Draw a recording around its note.

    Args:
        path: PNG file to be written, atomically.
        heard: what was understood of the recording.
        start_seconds: where in the file to begin, as it was understood.
        length_seconds: how much of it was taken.
        channel: which channel was taken.
        force: overwrite an existing file.

    Raises:
        AudioError: the recording cannot be read any more.
        FileExistsAlreadyError: the picture exists, without `force`.
    """
    from matplotlib.figure import Figure

    recording = open_recording(
        heard.path, start_seconds=start_seconds, length_seconds=length_seconds, channel=channel
    )
    rate = recording.scan.sample_rate
    begin = max(0.0, heard.onset_seconds - _LEAD_SECONDS)
    shown = min(heard.end_seconds + _LEAD_SECONDS, begin + LONGEST_NOTE_SECONDS) - begin
    audio = recording.read(round(begin * rate), math.ceil(shown * rate))
    figure = Figure(figsize=(12.0, 7.0), dpi=100, layout="constrained")
    what = heard.kind if heard.key is None else f"{heard.kind}, key {heard.key}"
    name = "" if heard.key is None else f" ({key_name(heard.key)})"
    figure.suptitle(f"{printable(heard.path.name)}: {what}{name}", fontsize=14, parse_math=False)
    above, below = figure.subplots(2, 1, height_ratios=[1.0, 1.6])
    step = max(1, len(audio) // _POINTS)
    whole = audio[: len(audio) // step * step].reshape(-1, step)
    seconds = begin + np.arange(len(whole)) * step / rate
    above.fill_between(
        seconds, whole.min(axis=1), whole.max(axis=1), color=TARGET_COLOUR, linewidth=0.5
    )
    above.set_xlim(begin, begin + len(audio) / rate)
    above.set_ylabel("full scale 1")
    draw_spectrogram(below, audio, rate)
    if heard.key is not None:
        hertz = 440.0 * 2.0 ** ((heard.key - 69) / 12)
        below.axhline(hertz, color="white", linewidth=1.0, linestyle=":")
        below.annotate(
            f"key {heard.key}", (0.995, hertz), xycoords=("axes fraction", "data"), color="white",
            ha="right", va="bottom",
        )  # fmt: skip
    for axis, offset in ((above, 0.0), (below, begin)):
        _mark(axis, heard.onset_seconds - offset, "onset")
        if heard.release_seconds is not None:
            _mark(axis, heard.release_seconds - offset, "release")
        _mark(axis, heard.end_seconds - offset, "end")
    below.set_xlabel(f"seconds from {begin:.3f} s on" if begin else "seconds")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    atomic_write(path, buffer.getvalue(), force=force)


def _mark(axis: Axes, seconds: float, name: str) -> None:
    """A vertical line with a name."""
    axis.axvline(seconds, color=MATCH_COLOUR, linewidth=1.2)
    axis.annotate(
        name, (seconds, 0.98), xycoords=("data", "axes fraction"), color=MATCH_COLOUR,
        rotation=90, ha="right", va="top", fontsize=9,
    )  # fmt: skip
