"""Where the time of a search goes, and how long a sound takes.

    python benchmarks/search_profile.py [SOUND] [--mode standard] [--jobs 2]

The sound (a random patch of the embedded engine by default) is matched twice, files and all: once
with `--jobs` workers, for the time that a user waits, and once with one worker under Python's
profiler, for the shares. The profiler slows Python down and leaves compiled loops alone, so the
share of rendering and scoring is rather under- than overstated. Compiling, which happens once on a
machine, comes before both.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from search_runs import known_sounds, network_start, table

from deepdiva.audio import Target, load_target
from deepdiva.note import Note
from deepdiva.patch_writer import PresetWriter
from deepdiva.search import sound_match
from deepdiva.search.differential import MixedDifferentialEvolution
from deepdiva.search.enqueued import EnqueuedPoints
from deepdiva.search.halving import SuccessiveHalving
from deepdiva.search.journal import Journal
from deepdiva.search.objective import Objectives
from deepdiva.search.refine_settings import DEFAULT_MODE, MODES, RefineSettings
from deepdiva.search.sound_match import Match, Outputs, Task, match_sound
from deepdiva.search.start import Start
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

PARTS: dict[str, tuple[tuple[type | ModuleType, str], ...]] = {
    "rendering": ((PanelRenderer, "render"), (PanelRenderer, "render_realizations")),
    "scoring": ((Objectives, "score"),),
    "strategies": tuple(
        (strategy, function)
        for strategy in (MixedDifferentialEvolution, SuccessiveHalving, EnqueuedPoints)
        for function in ("ask", "tell")
    ),
    "journal": ((Journal, "record"),),
    "presets, pictures, history": ((sound_match, "write_match"),),
}
"""Functions that stand for each part. None of them calls another part's."""


@contextmanager
def clocked(seconds: dict[str, float]) -> Iterator[None]:
    """Let each part's functions add their time to `seconds` for a while."""
    inside: set[str] = set()

    def clock(part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def timed(*arguments: Any, **options: Any) -> Any:
            if part in inside:  # one of a part's functions may call another
                return work(*arguments, **options)
            inside.add(part)
            began = time.perf_counter()
            try:
                return work(*arguments, **options)
            finally:
                seconds[part] += time.perf_counter() - began
                inside.discard(part)

        return timed

    with ExitStack() as stack:
        for part, places in PARTS.items():
            seconds[part] = 0.0
            for owner, name in places:
                work = getattr(owner, name)
                stack.callback(setattr, owner, name, work)
                setattr(owner, name, clock(part, work))
        yield


def matched(
    target: Target, start: Start | None, evaluations: int, jobs: int, folder: Path
) -> Match:
    """Match a sound as `deepdiva refine` does."""
    writer = PresetWriter(Preset.template(), ".h2p")
    task = Task(
        target,
        Outputs.of(target.source, folder, writer),
        writer,
        default_space(),
        Note(),
        RefineSettings(evaluations=evaluations, jobs=jobs),
        force=True,
        resume=False,
    )
    return match_sound(task, PanelRenderer(), start)


def main() -> None:
    """Match, profile, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sound", type=Path, nargs="?")
    parser.add_argument("--mode", choices=list(MODES), default=DEFAULT_MODE)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--predict", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()

    [made] = known_sounds(1, seed=1, voices=1)
    target = Target(made.audio, (), Path(f"{made.name}.wav"))
    if options.sound:
        target = load_target(options.sound, Note())
    sound = replace(made, audio=target.audio)
    start = network_start(sound, None) if options.predict else None
    evaluations = MODES[options.mode]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        matched(target, start, 200, 1, folder)
        began = time.perf_counter()
        match = matched(target, start, evaluations, options.jobs, folder)
        waited = time.perf_counter() - began
        seconds: dict[str, float] = {}
        with clocked(seconds):
            began = time.perf_counter()
            matched(target, start, evaluations, 1, folder)
            whole = time.perf_counter() - began
    print(
        f"{target.source.name}, {options.mode}, {match.result.evaluations:,} evaluations: "
        f"{waited:.1f} s with {options.jobs} workers, of which the search "
        f"{match.result.seconds:.1f} s; distance {match.result.distance:.3f}"
    )
    seconds["the rest"] = whole - sum(seconds.values())
    rows = [
        [part, f"{spent:.2f}", f"{100 * spent / whole:.1f} %"] for part, spent in seconds.items()
    ]
    print(f"\n{table(['with one worker', 'seconds', 'share'], rows)}")


if __name__ == "__main__":
    main()
