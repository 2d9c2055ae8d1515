"""Does the plug-in renderer cost anything? Its patches per second against bare DawDreamer loops.

    python benchmarks/hosts.py [--plugin PATH] [--patches N] [--rounds N]

A *bare loop* is what one would write without this project: a process that loads the plug-in and
then sets a patch, renders the note, takes the audio, and does not look at it. Two of them run side
by side. The renderer does the same patches in mode `reuse` with 2 workers, in batches as a search
asks for them, and beside that plays silence between the notes, checks every render, and brings the
audio back into one process. It can come out ahead: what the last note left sounding costs the bare
loop time.

Both start their processes before the clock runs, and take turns, each being the first in every
other round, so that other load on the machine meets both. The target is 90 %.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.hosts.loading import normalised
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.hosts.settings import PluginSettings
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.space import ParameterSpace

FREE = (
    "amp_attack",
    "amp_decay",
    "amp_sustain",
    "filter_cutoff",
    "filter_decay",
    "filter_env_amount",
    "filter_resonance",
    "osc_mix",
)
WORKERS = 2
BATCH = RefineSettings.population  # patches of one call


def bare_loop(plugin: str, note: Note, rows: NDArray[np.float64], line: Connection) -> None:
    """Render rows with nothing but DawDreamer, once for each message on the line."""
    import dawdreamer

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    engine = dawdreamer.RenderEngine(note.sample_rate, 512)
    processor = engine.make_plugin_processor("plugin", plugin)
    engine.load_graph([(processor, [])])
    processor.add_midi_note(note.pitch, note.velocity, 0.0, note.length_seconds)
    patches = [list(enumerate(row.tolist())) for row in rows]
    engine.render(note.render_seconds)
    line.send("ready")
    while line.recv() == "go":
        for patch in patches:
            processor.set_patch(patch)
            engine.render(note.render_seconds)
            engine.get_audio()
        line.send("done")


def patches_near_default(table: ParameterTable, count: int) -> NDArray[np.float64]:
    """Random values of the free parameters that the plug-in has, around its default."""
    free = tuple(name for name in FREE if name in table) or table.names
    space = ParameterSpace(table, table.defaults(), free)
    return space.patches(space.random(np.random.default_rng(0), count))


def seconds(action: Callable[[], None]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plugin", type=Path, default=Path("/usr/lib/vst/amsynth_vst.so"))
    parser.add_argument("--patches", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()

    for note in (Note(), Note(length_seconds=2.0, render_seconds=4.0)):
        print(f"{arguments.plugin.name}, note of {note.length_seconds:g} s in ", end="")
        print(f"{note.render_seconds:g} s of audio, {arguments.patches} patches, {WORKERS} workers")
        compare(arguments.plugin, note, arguments.patches, arguments.rounds)


def compare(plugin: Path, note: Note, count: int, rounds: int) -> None:
    """Print patches per second of both, round by round and in the median."""
    renderer = PluginRenderer(PluginSettings(plugin, workers=WORKERS))
    patches = patches_near_default(renderer.table, count)
    # Silent patches are put aside and would not be rendered again: that would flatter.
    patches = patches[renderer.render_checked(patches, note).played]
    count = len(patches)
    rows = normalised(renderer.table, patches)
    context = multiprocessing.get_context("spawn")
    lines, processes = [], []
    for part in np.array_split(rows, WORKERS):
        here, there = context.Pipe()
        process = context.Process(target=bare_loop, args=(str(plugin), note, part, there))
        process.start()
        lines.append(here)
        processes.append(process)
    for line in lines:
        line.recv()

    print(f"{'round':>8} {'bare loops':>12} {'renderer':>12} {'ratio':>8}")
    figures = []

    def loops() -> None:
        for line in lines:
            line.send("go")
        for line in lines:
            line.recv()

    def batches() -> None:
        for start in range(0, count, BATCH):
            renderer.render(patches[start : start + BATCH], note)

    for turn in range(rounds):
        if turn % 2:
            ours, bare = count / seconds(batches), count / seconds(loops)
        else:
            bare, ours = count / seconds(loops), count / seconds(batches)
        figures.append((bare, ours, ours / bare))
        print(f"{turn + 1:>8} {bare:>10.1f}/s {ours:>10.1f}/s {ours / bare:>8.1%}")
    bare, ours, ratio = np.median(figures, axis=0)
    print(f"{'median':>8} {bare:>10.1f}/s {ours:>10.1f}/s {ratio:>8.1%}\n")

    for line in lines:
        line.send("stop")
    for process in processes:
        process.join()
    renderer.close()


if __name__ == "__main__":
    main()
