"""How fast does the embedded engine render? Everything that its speed is judged by, in one run.

    python benchmarks/engine.py [--rounds N] [--shared FOLDER]

- renders a second of 1, 16 and 256 random patches of the default space, stack of 2, at 1x and 2x
  oversampling on 1 and 2 cores, and of 256 patches in which everything moves;
- the engine's time against that of the prototype of its facts (`prototype/voice_lanes.py` in the
  folder that --shared or DEEPDIVA_SHARED names), in turns, same patches, 1 core;
- milliseconds for each candidate of both forms of the spectral distance, and of auraloss,
  torch.stft and the prototype for the same spectra (more rows: benchmarks/distance.py);
- peak memory of a process that renders 1,000 patches (Linux);
- how long a fresh process takes to its first render, with the kernel on disk.

A row counts its best round: other load on the machine can only slow it down. Targets: at most 0.75
of the prototype's time, 4 ms for a single patch, a search form below 0.6 of a render, 1 GiB.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from distance import library_rows, prototype_rows
from numpy.typing import NDArray

from deepdiva.distance import FULL, SEARCH, SpectralDistance
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

NOTE = Note()
SHARED = Path(__file__).resolve().parents[2] / "shared"
_MEMORY = """
import sys
from pathlib import Path
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
sys.path.insert(0, {folder!r})
from engine import NOTE, random_patches
from deepdiva.synths.diva.panel_renderer import PanelRenderer
patches = random_patches(1000)
PanelRenderer().render(patches[:1], NOTE)
before = peak()
PanelRenderer().render(patches, NOTE)
print(before, peak())
"""
_FIRST = """
from time import perf_counter
began = perf_counter()
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
imported = perf_counter()
PanelRenderer().render(DIVA.defaults()[None], Note())
print(imported - began, perf_counter() - imported)
"""


def random_patches(count: int, moving: bool = False) -> NDArray[np.float64]:
    """Random points of the default space on a stack of 2; moving: LFO 2 on cutoff and pitch."""
    base = DIVA.defaults()
    base[DIVA.index("VCC.Voicing")] = 2
    if moving:
        for name, value in (("VCF1.FMDpt", 20.0), ("VCF1.FMSrc", 17.0), ("OSC.TM1Dpt", 1.0)):
            base[DIVA.index(name)] = value
        base[DIVA.index("OSC.TM1Src")] = 17.0
    space = default_space(base)
    return space.patches(space.random(np.random.default_rng(0), count))


def best_seconds(compute: Callable[[], object], rounds: int) -> float:
    """Shortest of some rounds, after one that does not count."""
    compute()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        compute()
        times.append(time.perf_counter() - began)
    return min(times)


def print_speed(rounds: int) -> float:
    """Renders a second; returns the seconds of a render in a batch of 256 on one core at 1x."""
    print(f"{'renders a second':28}" + "".join(f"{f'{n} patches':>16}" for n in (1, 16, 256)))
    reference = 0.0
    for oversampling in (1, 2):
        for threads in (1, 2):
            engine = PanelRenderer(oversampling=oversampling, threads=threads)
            cells = []
            for count in (1, 16, 256):
                patches = random_patches(count)
                turns = rounds if count == 256 else 4 * rounds
                seconds = best_seconds(partial(engine.render, patches, NOTE), turns) / count
                cells.append(f"{1 / seconds:7.0f} {1000 * seconds:5.2f} ms")
                reference = reference or (seconds if count == 256 else 0.0)
            name = f"{oversampling}x, {threads} core{'s' if threads > 1 else ''}"
            print(f"{name:28}" + "".join(f"{cell:>16}" for cell in cells))
    patches = random_patches(256, moving=True)
    seconds = best_seconds(lambda: PanelRenderer().render(patches, NOTE), rounds) / 256
    print(f"{'1x, 1 core, moving':28}{f'{1 / seconds:7.0f} {1000 * seconds:5.2f} ms':>48}\n")
    return reference


def prototype_render(path: Path, patches: NDArray[np.float64]) -> Callable[[], object] | None:
    """One call renders these patches with the prototype, if there is one."""
    spec = importlib.util.spec_from_file_location("prototype_voice", path)
    if not path.exists() or spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = "ENV1.Atk ENV1.Dec ENV1.Sus OSC.Tune1 OSC.Tune2 OSC.Vol1 OSC.Vol2 OSC.Wave1 OSC.Wave2"
    columns = [DIVA.index(name) for name in (*names.split(), "VCF1.Freq", "VCF1.Res")]
    told = np.array([module.map_patch(*row[columns]) for row in patches])
    render, *_ = module.make(1)
    out = np.zeros((len(patches), NOTE.samples), np.float32)
    return lambda: render(told, module.CD, module.NOISE, out)


def print_ratio(shared: Path, rounds: int) -> None:
    """The engine against the prototype, in turns."""
    patches = random_patches(256)
    prototype = prototype_render(shared / "prototype" / "voice_lanes.py", patches)
    if prototype is None:
        print(f"no prototype in {shared}\n")
        return
    engine = PanelRenderer()
    prototype()
    engine.render(patches, NOTE)
    turns = []
    for _ in range(max(5, rounds)):
        marks = [time.perf_counter()]
        prototype()
        marks.append(time.perf_counter())
        engine.render(patches, NOTE)
        marks.append(time.perf_counter())
        turns.append(np.diff(marks) / len(patches) * 1000)
    theirs, ours = np.min(turns, axis=0)
    median = np.median([turn[1] / turn[0] for turn in turns])
    print(f"prototype {theirs:.3f} ms, engine {ours:.3f} ms a render, batch of 256, 1 core, 1x")
    print(f"engine / prototype: {ours / theirs:.2f} (best turns), {median:.2f} (median turn)\n")


def print_distances(render_seconds: float, shared: Path, rounds: int) -> None:
    """Milliseconds for each candidate."""
    sounds = PanelRenderer().render(random_patches(17), NOTE, np.arange(17))
    target, candidates, few = sounds[0], sounds[1:], sounds[1:3]
    rows: dict[str, tuple[Callable[[], object], int]] = {}
    for name, form in (("search", SEARCH), ("full", FULL)):
        distance = SpectralDistance(target, NOTE.sample_rate, form)
        rows[f"spectral distance, {name} form"] = (partial(distance, candidates), 16)
    others = library_rows(target, few) | prototype_rows(
        shared / "prototype" / "distance.py", target, few
    )
    rows |= {name: (compute, len(few)) for name, compute in others.items()}
    print(f"{'a candidate of 2 s, 1 core':44}{'ms':>8}{'/ render':>10}")
    for name, (compute, count) in rows.items():
        seconds = best_seconds(compute, rounds) / count
        print(f"{name:44}{1000 * seconds:8.3f}{seconds / render_seconds:10.2f}")
    print()


def run(program: str) -> list[float]:
    """The numbers that a program prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="of each row")
    parser.add_argument(
        "--shared", type=Path, default=Path(os.environ.get("DEEPDIVA_SHARED", SHARED))
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    render_seconds = print_speed(options.rounds)
    print_ratio(options.shared, options.rounds)
    print_distances(render_seconds, options.shared, options.rounds)
    imported, first = run(_FIRST)
    print(f"fresh process: {imported:.2f} s to import, {first:.2f} s to the first render")
    if sys.platform == "linux":
        before, peak = run(_MEMORY.format(folder=str(Path(__file__).parent)))
        print(f"1,000 patches: {peak:.0f} MiB at most, {before:.0f} MiB before the render")


if __name__ == "__main__":
    main()
