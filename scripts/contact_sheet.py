"""Draws a folder of presets as the engine plays them: spectrogram, level over time, and chain.

    python scripts/contact_sheet.py PRESETS SHEET.png [--note-pitch 60] [--seconds 2] [--page 24]

Each preset becomes a panel: its spectrogram over three octaves a decade (80 dB below its own
loudest cell), the level of both channels below it, and above it name, peak and chain. A sheet with
more than `--page` presets is continued in SHEET-2.png and so on. What is not supported, silent or
above full scale stands in red.
"""

from __future__ import annotations

import argparse
import io
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.files import atomic_write, check_target, collect_files
from deepdiva.note import Note
from deepdiva.picture import draw_spectrogram
from deepdiva.synths.diva import DIVA, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset
from deepdiva.workers import worker_count

COLUMNS = 4
FLOOR_DB = -70.0
FRAME_SECONDS = 0.01


@dataclass(frozen=True)
class Panel:
    """One preset as it sounds.

    Attributes:
        name: of the file.
        chain: modules and effects, in the order of the signal.
        sound: (2, samples) float32.
        unsupported: parameters that were passed over.
    """

    name: str
    chain: str
    sound: NDArray[np.float32]
    unsupported: tuple[str, ...]

    @property
    def peak_db(self) -> float:
        """Highest sample, dBFS."""
        return 20.0 * math.log10(max(1e-9, float(np.abs(self.sound).max())))


def chain_of(patch: NDArray[np.float64]) -> str:
    """The modules of a patch in a line."""
    chain = panel.chain_of(*panel.played_models(patch))
    highpass = [chain.highpass] if chain.highpass.name != "none" else []
    order = [chain.filter, *highpass] if chain.highpass.after_filter else [*highpass, chain.filter]
    effects = [fitting.module for fitting in panel.played_effects(patch)]
    arpeggio = ["arp"] if patch[DIVA.index("ARP.OnOff")] > 0.5 else []
    names = [chain.oscillator.name, *(module.name for module in (*order, *effects)), *arpeggio]
    return " > ".join(name.replace("_", " ") for name in names)


def play(path: Path, note: Note, seed: int) -> Panel:
    """Render one preset."""
    preset = Preset.read(path)
    engine = PanelRenderer.of_preset(preset)
    patch = preset.values()
    sound = engine.render_stereo(patch[None], note, seed)[:, 0]
    unsupported = tuple(entry.parameter for entry in engine.unsupported(patch))
    return Panel(path.stem, chain_of(patch), sound, unsupported)


def levels(sound: NDArray[np.float32], frame: int) -> NDArray[np.float64]:
    """RMS of each frame, dBFS: (channels, frames)."""
    frames = sound[:, : sound.shape[1] // frame * frame].reshape(len(sound), -1, frame)
    power = np.mean(frames.astype(np.float64) ** 2, axis=2)
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-12)))


def draw(sheet: Path, panels: list[Panel], note: Note, *, force: bool) -> None:
    """One page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(4.4 * COLUMNS, 3.0 * rows), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    for cell, heard in zip(
        figure.subfigures(rows, COLUMNS, squeeze=False).ravel(), panels, strict=False
    ):
        _draw_panel(cell, heard, note)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    atomic_write(sheet, buffer.getvalue(), force=force)


def _draw_panel(cell: Any, heard: Panel, note: Note) -> None:
    above, below = cell.subplots(2, 1, sharex=True, height_ratios=[2.5, 1.0])
    strange = heard.unsupported or not -60.0 < heard.peak_db < 12.0
    title = f"{heard.name[:44]}   {heard.peak_db:.1f} dBFS\n{heard.chain}"
    if heard.unsupported:
        title += f"\nunsupported: {', '.join(heard.unsupported)}"
    above.set_title(title, fontsize=7, color="red" if strange else "black", parse_math=False)
    if heard.peak_db > -150.0:
        draw_spectrogram(above, heard.sound.mean(axis=0), note.sample_rate)
    frame = round(FRAME_SECONDS * note.sample_rate)
    for level, colour in zip(levels(heard.sound, frame), ("#0072B2", "#D55E00"), strict=True):
        below.plot(np.arange(len(level)) * FRAME_SECONDS, level, linewidth=0.8, color=colour)
    below.set_ylim(FLOOR_DB, 6.0)
    below.axvline(note.length_seconds, color="grey", linewidth=0.5)
    for axis in (above, below):
        axis.tick_params(labelsize=5)
        axis.set_xlabel("")
        axis.set_ylabel("")


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description="Draw a folder of presets as the engine plays it.")
    parser.add_argument("presets", nargs="+", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--note-pitch", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=2.0, help="the key is held, as long again")
    parser.add_argument("--page", type=int, default=24, help="presets of a page")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--force", action="store_true", help="overwrite sheets that exist")
    options = parser.parse_args()
    note = Note(
        pitch=options.note_pitch,
        velocity=100,
        length_seconds=options.seconds,
        render_seconds=2.0 * options.seconds,
    )
    files = collect_files(options.presets, [".h2p"])
    pages = [files[k : k + options.page] for k in range(0, len(files), options.page)]
    sheets = [
        options.sheet.with_stem(options.sheet.stem + (f"-{k + 1}" if k else ""))
        for k in range(len(pages))
    ]
    for sheet in sheets:
        check_target(sheet, options.force)
    with ThreadPoolExecutor(worker_count(options.jobs)) as pool:
        for sheet, page in zip(sheets, pages, strict=True):
            panels = list(pool.map(lambda path: play(path, note, options.seed), page))
            draw(sheet, panels, note, force=options.force)
            strange = [p.name for p in panels if p.unsupported or not -60.0 < p.peak_db < 12.0]
            print(f"{sheet}: {len(panels)} presets", f"look at {strange}" if strange else "")


if __name__ == "__main__":
    main()
