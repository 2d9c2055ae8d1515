"""Pictures of sounds: what the target holds, what the match holds, and where they differ.

matplotlib is imported when something is drawn, without a window or any global state, so that
pictures can be drawn in threads and on machines without a screen.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure, SubFigure

LOWEST_HZ = 30.0
"""Lower end of the frequency axes."""

RANGE_DB = 80.0
"""Span of the colours of a spectrogram, below its ceiling."""

TARGET_COLOUR = "#0072B2"
MATCH_COLOUR = "#D55E00"
"""Blue and vermilion of Okabe and Ito's palette, which colour-blind eyes tell apart."""

_TARGET_LINE: dict[str, Any] = {"color": TARGET_COLOUR, "linewidth": 2.2, "label": "target"}
_MATCH_LINE: dict[str, Any] = {"color": MATCH_COLOUR, "linewidth": 1.2, "label": "match"}
_FRAME_SECONDS = 0.093
_COLUMNS = 400
_ROWS_PER_OCTAVE = 36
_ENVELOPE_FLOOR_DB = -80.0
_DIFFERENCE_DB = 30.0
_COMPARED_DB = 60.0
_LOWEST_NOTE_HZ = 32.0
_TITLE_CHARACTERS = 100
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)


def match_picture(
    path: Path | str,
    target: NDArray[np.float32],
    match: NDArray[np.float32],
    sample_rate: int,
    *,
    title: str = "",
    distance: float | None = None,
    about: str = "",
    force: bool = False,
) -> None:
    """Draw a target beside its match: spectrograms, their difference, mean spectra, envelopes.

    Both spectrograms and spectra share one scale, so that a difference in level is seen as one.

    Args:
        path: PNG file to be written, atomically.
        target: shape (samples,), mono.
        match: shape (samples,), mono.
        sample_rate: of both, samples per second.
        title: what the picture is about, the sound's name say.
        distance: of the match, shown beside the title.
        about: what else is known of the match, shown below the title: grade, key, models.
        force: overwrite an existing file.

    Raises:
        FileExistsAlreadyError: the file exists, without `force`.
        MissingFileError: its folder does not exist.
    """
    figure = match_figure(target, match, sample_rate, title=title, distance=distance, about=about)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    atomic_write(path, buffer.getvalue(), force=force)


def match_figure(
    target: NDArray[np.float32],
    match: NDArray[np.float32],
    sample_rate: int,
    *,
    title: str = "",
    distance: float | None = None,
    about: str = "",
) -> Figure:
    """The figure that `match_picture` saves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16.0, 9.0), dpi=100, layout="constrained")
    heading = printable(title)
    if distance is not None:
        heading = f"{heading} — distance {distance:.3f}".lstrip(" —")
    if about:
        heading = f"{heading}\n{printable(about)}"
    figure.suptitle(heading, fontsize=16, parse_math=False)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.2, 1.0], hspace=0.04)[
        :, 0
    ]
    _draw_spectrograms(above, target, match, sample_rate)
    spectra, envelopes = below.subplots(1, 2)
    _draw_spectra(spectra, target, match, sample_rate)
    _draw_envelopes(envelopes, target, match, sample_rate)
    return figure


def draw_spectrogram(
    axis: Axes,
    audio: NDArray[np.float32],
    sample_rate: int,
    *,
    ceiling_db: float | None = None,
    range_db: float = RANGE_DB,
) -> QuadMesh:
    """Draw the spectrogram of one sound, with a logarithmic frequency axis.

    Args:
        axis: where to draw.
        audio: shape (samples,), mono.
        sample_rate: samples per second.
        ceiling_db: level of the brightest colour, dBFS; None: the loudest cell's. Give the same
            to sounds that are compared.
        range_db: span of the colours below it.

    Returns:
        The image, for a colour bar.
    """
    if ceiling_db is None:
        ceiling_db = loudest_db(audio, sample_rate)
    levels = np.clip(_levels_db(audio, sample_rate), ceiling_db - range_db, ceiling_db)
    return _draw_cells(
        axis, levels, audio.size, sample_rate, "magma", ceiling_db - range_db, ceiling_db
    )


def loudest_db(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Level of a sound's loudest spectrogram cell, dBFS; -120 for silence."""
    return max(-120.0, float(_levels_db(audio, sample_rate).max()))


def printable(text: str, characters: int = _TITLE_CHARACTERS) -> str:
    """Make a name fit to be drawn: one line, not too long, no sign that the font lacks."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    text = "".join(c if ord(c) in known else "\N{WHITE SQUARE}" for c in " ".join(text.split()))
    if len(text) <= characters:
        return text
    half = (characters - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def _draw_spectrograms(
    figure: SubFigure,
    target: NDArray[np.float32],
    match: NDArray[np.float32],
    sample_rate: int,
) -> None:
    """Target and match on one scale; match minus target, where what is below it is equal."""
    left, right, bar, difference, difference_bar = figure.subplots(
        1, 5, width_ratios=[1.0, 1.0, 0.03, 1.0, 0.03]
    )
    ceiling_db = _ceiling_db(target, match, sample_rate)
    draw_spectrogram(left, target, sample_rate, ceiling_db=ceiling_db)
    image = draw_spectrogram(right, match, sample_rate, ceiling_db=ceiling_db)
    figure.colorbar(image, cax=bar, label="dBFS")
    samples = min(target.size, match.size)
    gap = _gap_db(target[:samples], match[:samples], sample_rate, ceiling_db - _COMPARED_DB)
    image = _draw_cells(
        difference, gap, samples, sample_rate, "RdBu_r", -_DIFFERENCE_DB, _DIFFERENCE_DB
    )
    figure.colorbar(image, cax=difference_bar, label="dB", extend="both")
    for axis, title in ((left, "Target"), (right, "Match"), (difference, "Match minus target")):
        axis.set_title(title, loc="left")
    right.set_ylabel("")
    difference.set_ylabel("")


def _gap_db(
    target: NDArray[np.float32], match: NDArray[np.float32], sample_rate: int, lowest: float
) -> NDArray[np.float64]:
    """Match minus target, dB, shape (rows, columns).

    What lies below `lowest` dBFS counts as that. Where the target has faded both count as equal:
    how a preview ends is no property of the match.
    """
    wanted = np.maximum(_levels_db(target, sample_rate), lowest)
    got = np.maximum(_levels_db(match, sample_rate), lowest)
    gap = got - wanted
    sounding = np.flatnonzero(wanted.max(axis=0) > lowest)
    gap[:, int(sounding[-1]) + 1 if len(sounding) else 0 :] = 0.0
    return gap


def _draw_spectra(
    axis: Axes,
    target: NDArray[np.float32],
    match: NDArray[np.float32],
    sample_rate: int,
) -> None:
    """Mean power spectra."""
    ceiling_db = _ceiling_db(target, match, sample_rate)
    edges_hz = _row_edges(sample_rate)
    centres_hz = np.sqrt(edges_hz[1:] * edges_hz[:-1])
    for sound, style in ((target, _TARGET_LINE), (match, _MATCH_LINE)):
        mean = _power(sound, sample_rate).mean(axis=0, keepdims=True)
        axis.semilogx(centres_hz, _rows_db(mean, sample_rate)[:, 0], **style)
    axis.set_ylim(ceiling_db - RANGE_DB - 10.0, ceiling_db + 5.0)
    axis.set_ylabel("dBFS")
    _label_frequencies(axis, "x", sample_rate)
    _dress(axis, "Mean spectra")


def _draw_envelopes(
    axis: Axes, target: NDArray[np.float32], match: NDArray[np.float32], sample_rate: int
) -> None:
    """Levels over time, RMS under a Hann window in which the lowest notes do not ripple."""
    for sound, style in ((target, _TARGET_LINE), (match, _MATCH_LINE)):
        seconds, levels = envelope_db(sound, sample_rate)
        axis.plot(seconds, np.maximum(levels, _ENVELOPE_FLOOR_DB), **style)
    axis.set_xlim(0.0, max(target.size, match.size) / sample_rate)
    axis.set_ylim(_ENVELOPE_FLOOR_DB, max(0.0, axis.get_ylim()[1]))
    axis.set_xlabel("seconds")
    axis.set_ylabel("dBFS, RMS")
    _dress(axis, "Envelopes")


def envelope_db(
    sound: NDArray[np.float32], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Level over time, as an ear follows it.

    The window is a Hann window of two periods of the lowest note, 32 Hz, which has zeros at that
    and all its harmonics; of sounds shorter than half a second it is an eighth.

    Args:
        sound: shape (samples,).
        sample_rate: samples per second.

    Returns:
        Seconds and dBFS, both of shape (at most `_COLUMNS` + 1,).
    """
    longest = min(2.0 / _LOWEST_NOTE_HZ, sound.size / sample_rate / 8.0)
    size = max(1, round(longest * sample_rate))
    window = np.hanning(size + 2)[1:-1]
    squares = np.square(sound.astype(np.float64))
    step = max(1, sound.size // _COLUMNS)
    # What of the window lies within the sound counts.
    padded = np.pad(squares, size // 2)
    covered = np.pad(np.ones(sound.size), size // 2)
    starts = np.arange(0, sound.size, step)
    starts = starts[starts + size <= padded.size]
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    weights = np.lib.stride_tricks.sliding_window_view(covered, size)[starts] @ window
    levels = 10.0 * np.log10(frames @ window / np.maximum(weights, 1e-9) + 1e-20)
    return starts / sample_rate, np.asarray(levels)


def _ceiling_db(target: NDArray[np.float32], match: NDArray[np.float32], sample_rate: int) -> float:
    """Level of the loudest cell of both sounds, dBFS."""
    return max(loudest_db(target, sample_rate), loudest_db(match, sample_rate))


def _dress(axis: Axes, title: str) -> None:
    """Title to the left and legend to the right, both above the lines."""
    axis.set_title(title, loc="left")
    axis.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, frameon=False, ncols=2
    )
    axis.grid(alpha=0.25)


def _draw_cells(
    axis: Axes,
    cells: NDArray[np.float64],
    samples: int,
    sample_rate: int,
    colours: str,
    lowest: float,
    highest: float,
) -> QuadMesh:
    """Draw values over time and logarithmic frequency, shape (frequencies, columns)."""
    edges_seconds = np.linspace(0.0, samples / sample_rate, cells.shape[1] + 1)
    image = axis.pcolormesh(
        edges_seconds,
        _row_edges(sample_rate),
        cells,
        cmap=colours,
        vmin=lowest,
        vmax=highest,
        rasterized=True,
    )
    axis.set_yscale("log")
    _label_frequencies(axis, "y", sample_rate)
    axis.set_xlabel("seconds")
    return image


def _label_frequencies(axis: Axes, which: str, sample_rate: int) -> None:
    """Name the decades and their 2 and 5 in Hz and kHz."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    line = axis.yaxis if which == "y" else axis.xaxis
    ticks = [hertz for hertz in _TICKS_HZ if hertz < sample_rate / 2]
    line.set_major_locator(FixedLocator(ticks))
    line.set_minor_locator(NullLocator())
    line.set_major_formatter(
        FuncFormatter(lambda hertz, _: f"{hertz / 1000:g}k" if hertz >= 1000 else f"{hertz:g}")
    )
    set_limits = axis.set_ylim if which == "y" else axis.set_xlim
    set_limits(LOWEST_HZ, sample_rate / 2)
    line.set_label_text("Hz")


def _row_edges(sample_rate: int) -> NDArray[np.float64]:
    """Frequencies between the rows of a spectrogram, Hz."""
    octaves = np.log2(sample_rate / 2 / LOWEST_HZ)
    return np.geomspace(LOWEST_HZ, sample_rate / 2, round(octaves * _ROWS_PER_OCTAVE) + 1)


def _levels_db(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Spectrogram on a logarithmic frequency axis, shape (rows, columns), dBFS."""
    return _rows_db(_power(audio, sample_rate), sample_rate)


def _rows_db(power: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Power spectra on a logarithmic frequency axis.

    A row holds the loudest bin between its edges; where rows are narrower than bins, the level
    is interpolated.

    Args:
        power: shape (columns, bins).
        sample_rate: samples per second.

    Returns:
        Shape (rows, columns), dBFS.
    """
    levels = 10.0 * np.log10(power + 1e-20)
    edges = _row_edges(sample_rate) * _frame(sample_rate) / sample_rate
    centres = np.sqrt(edges[1:] * edges[:-1])
    lower = np.minimum(centres.astype(np.intp), levels.shape[1] - 2)
    share = centres - lower
    rows = levels[:, lower] * (1.0 - share) + levels[:, lower + 1] * share
    first, last = np.ceil(edges[:-1]).astype(np.intp), np.ceil(edges[1:]).astype(np.intp)
    for row in np.flatnonzero(last > first):
        rows[:, row] = levels[:, first[row] : last[row]].max(axis=1)
    return np.ascontiguousarray(rows.T)


def _power(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Power spectra, shape (columns, bins); a sine of full scale has power 1.

    Frames of about 93 ms (4,096 samples at 44.1 kHz), centred in at most 400 equal pieces of the
    sound, Hann window.
    """
    audio = np.asarray(audio, np.float64)
    columns = int(np.clip(audio.size * 200 // sample_rate, 1, _COLUMNS))
    centres = ((np.arange(columns) + 0.5) * audio.size / columns).astype(np.intp)
    frame = _frame(sample_rate)
    padded = np.pad(audio, frame // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[centres]
    window = np.hanning(frame + 1)[:-1]
    power: NDArray[np.float64] = np.abs(np.fft.rfft(frames * window * (2.0 / window.sum()))) ** 2
    return power


def _frame(sample_rate: int) -> int:
    """Samples of a spectrogram's frame: the power of two nearest to 93 ms."""
    return 1 << round(math.log2(_FRAME_SECONDS * sample_rate))
