"""A few hundred renders of a slow synthesizer: all for the search, or the embedded engine first?

    python benchmarks/search_fidelities.py [--sounds N] [--renders 100,300,1000] [--engine N]
        [--results FILE]

The slow synthesizer is a stand-in whose truth is known: the engine with constants that differ from
the engine's own. Every one of them is drawn from the range that recordings of the real Diva leave
open, another one for each sound. Targets are sounds of the
stand-in. *alone* spends all renders on it, from nothing; *engine first* searches the engine with
`--engine` evaluations and the stand-in with as many renders as *alone* has.

Distances are those of the found patch on the stand-in, averaged over 32 seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search_runs import (
    REALIZATIONS,
    Record,
    Results,
    Sound,
    WithoutRealizations,
    known_sounds,
    side_by_side,
    table,
)

from deepdiva.distance import FULL, SpectralDistance
from deepdiva.note import Note
from deepdiva.search.fidelity import Sketch, start_from
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import MODES, RefineSettings
from deepdiva.synths.diva.panel import draw_constants
from deepdiva.synths.diva.panel_renderer import PanelRenderer

SEED = 3


def slow_synthesizer(number: int) -> PanelRenderer:
    """The stand-in for one sound."""
    rng = np.random.default_rng([SEED, number])
    return PanelRenderer(constants=draw_constants(rng))


@dataclass(frozen=True)
class Comparison:
    """One sound, and the renders that are compared on it."""

    number: int
    sound: Sound
    renders: tuple[int, ...]
    engine: int


def compared(task: Comparison) -> list[Record]:
    """Search one sound in all ways."""
    return list(_ways(task))


def _ways(task: Comparison) -> Iterator[Record]:
    note, space = Note(), task.sound.space
    slow = slow_synthesizer(task.number)
    target = slow.render(task.sound.patch[None], note, 77)[0]
    distance = SpectralDistance(target, note.sample_rate, FULL)

    def record(way: str, renders: int, patch: NDArray[np.float64]) -> Record:
        again = slow.render(
            np.repeat(patch[None], REALIZATIONS, axis=0), note, 5000 + np.arange(REALIZATIONS)
        )
        return {
            "sound": task.sound.name,
            "way": way,
            "renders": renders,
            "engine": task.engine,
            "distance": float(distance(again).mean()),
        }

    plain = WithoutRealizations(slow)
    sketch = Sketch(PanelRenderer(), RefineSettings(evaluations=task.engine, jobs=1))
    sketched = refine(target, sketch.renderer, space, note, sketch.settings, explained=True)
    yield record("true patch", 0, task.sound.patch)
    yield record("engine alone", 0, sketched.patch)
    for renders in task.renders:
        settings = RefineSettings(evaluations=renders, jobs=1)
        yield record("alone", renders, refine(target, plain, space, note, settings).patch)
        start = start_from(sketched, space)
        found = refine(target, plain, space, note, settings, start=start)
        yield record("engine first", renders, found.patch)


def main() -> None:
    """Search what is missing, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sounds", type=int, default=20)
    parser.add_argument("--renders", default="100,300,1000")
    parser.add_argument("--engine", type=int, default=MODES["standard"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("search_fidelities.jsonl"))
    options = parser.parse_args()
    renders = tuple(int(count) for count in options.renders.split(","))
    sounds = known_sounds(options.sounds, SEED, voices=1)
    results = Results(options.results)
    tasks = [
        Comparison(number, sound, renders, options.engine)
        for number, sound in enumerate(sounds)
        if not results.of({"sound": sound.name, "engine": options.engine})
    ]
    for record in side_by_side(compared, tasks, options.processes):
        results.add(record)
        print(record["sound"], record["way"], record["renders"], record["distance"], flush=True)

    rows = []
    names = {sound.name for sound in sounds}
    records = [r for r in results.of({"engine": options.engine}) if r["sound"] in names]
    for way, counts in (
        ("true patch", (0,)),
        ("engine alone", (0,)),
        ("alone", renders),
        ("engine first", renders),
    ):
        for count in counts:
            values = [r["distance"] for r in records if (r["way"], r["renders"]) == (way, count)]
            rows.append([way, f"{count:,}", f"{np.mean(values):.3f}", f"{np.median(values):.3f}"])
    print(f"\n{table(['way', 'renders', 'mean', 'median'], rows)}")


if __name__ == "__main__":
    main()
