"""How fast does the embedded engine render? All that its speed is judged by, in one run.

    python benchmarks/engine.py [--before COMMIT] [--turns N] [--torchsynth "PYTHON SCRIPT"]

Rows, each the shortest of several turns in which all sides take their turn one after the other:

- *static*: 256 patches, the 11 parameters of the default space at random, stack of 2, 2 s, 2
  threads;
- *moving*: the same with LFO 2 on cutoff and pitch;
- *triple*: the same voices with Triple VCO, feedback and Ladder;
- *chains*: 256 patches of random chains, dry; *sorted*: the same patches chain by chain;
- *effects*: the static patches with both effect slots on;
- *single*: one patch;
- *first*: a fresh process to its first sound, with an empty cache (*cold*) and with a filled one
  (*warm*);
- *memory*: what a process holds at most while it renders 1,000 patches (Linux).

`--before` checks another commit out into a temporary folder and runs the rows that it can play
beside these. `--torchsynth` is a command that prints "N renders a second" (torchsynth's Voice, 2
threads).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, default_space, panel

ROOT = Path(__file__).resolve().parents[1]
NOTE = Note()
COUNT = 256
EVERYWHERE = ("static", "moving", "single")
"""Rows that an engine of Dual VCO Eco and Bite alone plays too."""

_WORKER = """
import json, sys, time
import numpy as np
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
rows = np.load(sys.argv[1])
single, note = make_renderer(), Note()
engine = type(single)(threads=2)
for line in sys.stdin:
    name = line.strip()
    patches, player = rows[name], single if name == "single" else engine
    seeds = np.arange(len(patches))
    player.render(patches, note, seeds)
    best = float("inf")
    for _ in range(20 if name == "single" else 2):
        began = time.perf_counter()
        player.render(patches, note, seeds)
        best = min(best, time.perf_counter() - began)
    print(json.dumps(best), flush=True)
"""
_FIRST = """
from time import perf_counter
began = perf_counter()
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.synths.diva import DIVA
engine = make_renderer()
imported = perf_counter()
engine.render(DIVA.defaults()[None], Note())
print(imported - began, perf_counter() - imported)
"""
_MEMORY = """
import sys
from pathlib import Path
import numpy as np
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
patches = np.load(sys.argv[1])["static"][np.arange(1000) % 256]
make_renderer().render(patches, Note())
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0)
"""


def rows() -> dict[str, NDArray[np.float64]]:
    """The patches of each row, (count, 281)."""
    rng = np.random.default_rng(0)
    space = default_space()
    static = space.patches(space.random(rng, COUNT))
    static[:, DIVA.index("VCC.Voicing")] = 2
    moving, triple, effects = static.copy(), static.copy(), static.copy()
    for name, value in (
        ("VCF1.FMSrc", 17),
        ("VCF1.FMDpt", 20),
        ("OSC.TM1Src", 17),
        ("OSC.TM1Dpt", 1),
    ):
        moving[:, DIVA.index(name)] = value
    chain = (("OSC.Model", 0), ("HPF.Model", 0), ("VCF1.Model", 0), ("VCF1.Fback", 30))
    for name, value in chain:
        triple[:, DIVA.index(name)] = value
    triple[:, DIVA.index("OSC.Shape1")] = rng.uniform(1, 10, COUNT)
    for name in ("main.#FX1", "main.#FX2"):
        effects[:, DIVA.index(name)] = 1
    for name in ("FX1.Module", "FX2.Module"):
        effects[:, DIVA.index(name)] = rng.integers(0, 5, COUNT)
    chains = static.copy()
    for name in panel.MODELS:
        chains[:, DIVA.index(name)] = rng.integers(0, round(DIVA[name].maximum) + 1, COUNT)
    models = chains[:, [DIVA.index(name) for name in panel.MODELS]]
    return {
        "static": static,
        "moving": moving,
        "triple": triple,
        "chains": chains,
        "sorted": chains[np.lexsort(models.T)],
        "effects": effects,
        "single": static[:1],
    }


class Side:
    """A process that renders with one version of the engine."""

    def __init__(self, name: str, source: Path, cache: Path, patches: Path) -> None:
        self.name = name
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(source),
            "DEEPDIVA_CACHE": str(cache / name),
            "NUMBA_CACHE_DIR": str(cache / f"{name}-numba"),
            "OMP_NUM_THREADS": "1",
        }
        self.patches = patches
        self._worker = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORKER, str(patches)],
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def seconds(self, row: str) -> float:
        """Of the better of two renders of a row."""
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        print(row, file=self._worker.stdin, flush=True)
        return float(json.loads(self._worker.stdout.readline()))

    def run(self, program: str, **variables: str) -> list[float]:
        """The numbers that a program prints in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, str(self.patches)],
            env={**self.environment, **variables}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [float(word) for word in done.stdout.split()]

    def close(self) -> None:
        """End the worker."""
        self._worker.terminate()
        self._worker.wait()


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Another commit in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run(
            [*git, "add", "--detach", str(where), commit], check=True, capture_output=True
        )
        try:
            yield where
        finally:
            subprocess.run([*git, "remove", "--force", str(where)], check=True)


def print_rows(sides: list[Side], turns: int, torchsynth: list[str]) -> None:
    """Milliseconds of each row and side, and what the bounds are about."""
    best: dict[tuple[str, str], float] = {}
    voice = []
    for _ in range(turns):
        for row in rows():
            for side in sides:
                if side is sides[0] or row in EVERYWHERE:
                    key = (side.name, row)
                    best[key] = min(best.get(key, np.inf), side.seconds(row))
        if torchsynth:
            done = subprocess.run(torchsynth, capture_output=True, text=True, check=True)
            voice.append(float(done.stdout.split()[0]))
    here = sides[0].name
    print(f"{'row':10}" + "".join(f"{side.name:>14}" for side in sides) + f"{'ratio':>9}")
    for row in rows():
        cells = [best.get((side.name, row)) for side in sides]
        line = f"{row:10}" + "".join(f"{1e3 * c:11.1f} ms" if c else f"{'':14}" for c in cells)
        ratio = cells[0] / cells[1] if len(cells) > 1 and cells[0] and cells[1] else None
        print(line + (f"{ratio:9.2f}" if ratio else ""))
    static = best[here, "static"]
    for row in ("moving", "triple", "chains", "effects"):
        print(f"{row} / static: {best[here, row] / static:.2f}")
    print(f"chains / sorted: {best[here, 'chains'] / best[here, 'sorted']:.2f}")
    if voice:
        theirs = float(np.median(voice))
        print(f"static / torchsynth's Voice, renders a second: {COUNT / static / theirs:.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", help="commit to compare with")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--torchsynth", default="", help="command that prints renders a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        patches = cache / "patches.npz"
        np.savez(patches, allow_pickle=False, **rows())
        with checkout(options.before) if options.before else nullcontext(ROOT) as other:
            sides = [Side("now", ROOT, cache, patches)]
            if options.before:
                sides.append(Side("before", other, cache, patches))
            try:
                print_rows(sides, options.turns, shlex.split(options.torchsynth))
            finally:
                for side in sides:
                    side.close()
            for side in sides:
                empty = {"DEEPDIVA_CACHE": str(cache / f"{side.name}-cold"),
                         "NUMBA_CACHE_DIR": str(cache / f"{side.name}-cold-numba")}  # fmt: skip
                imported, cold = side.run(_FIRST, **empty)
                _, warm = side.run(_FIRST, **empty)
                line = f"{side.name}: {imported:.2f} s to import, first sound {cold:.1f} s cold, "
                line += f"{warm:.2f} s warm"
                if sys.platform == "linux":
                    line += f"; 1,000 patches: {side.run(_MEMORY)[0]:.0f} MiB"
                print(line)


if __name__ == "__main__":
    main()
