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
import cProfile
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import CodeType

from search_runs import known_sounds, network_start, table

from deepdiva.audio import Target, load_target
from deepdiva.engine import EmbeddedRenderer
from deepdiva.note import Note
from deepdiva.preset import Preset
from deepdiva.search.matching import Match, Outputs, Task, match_sound
from deepdiva.search.settings import DEFAULT_MODE, MODES, RefineSettings
from deepdiva.search.start import Start
from deepdiva.search.writing import DivaWriter
from deepdiva.space import default_space

PARTS = {
    "rendering": (("engine/renderer.py", "render"),),
    "scoring": (("search/objective.py", "score"),),
    "strategies": tuple(
        (f"search/{file}.py", function)
        for file in ("differential", "race", "given")
        for function in ("ask", "tell")
    ),
    "journal": (("search/journal.py", "record"),),
    "presets, pictures, history": (("search/matching.py", "_write"),),
}
"""Functions that stand for each part: ends of file names, and names."""


def matched(
    target: Target, start: Start | None, evaluations: int, jobs: int, folder: Path
) -> Match:
    """Match a sound as `deepdiva refine` does."""
    writer = DivaWriter(Preset.template())
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
    return match_sound(task, EmbeddedRenderer(), start)


def seconds_in(profile: cProfile.Profile, part: str) -> float:
    """Seconds in the functions of a part and in all that they call."""
    return sum(
        entry.totaltime
        for entry in profile.getstats()
        if isinstance(entry.code, CodeType)
        and any(
            Path(entry.code.co_filename).as_posix().endswith(file) and entry.code.co_name == name
            for file, name in PARTS[part]
        )
    )


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
        profile = cProfile.Profile()
        began = time.perf_counter()
        profile.runcall(matched, target, start, evaluations, 1, folder)
        whole = time.perf_counter() - began
    print(
        f"{target.source.name}, {options.mode}, {match.result.evaluations:,} evaluations: "
        f"{waited:.1f} s with {options.jobs} workers, of which the search "
        f"{match.result.seconds:.1f} s; distance {match.result.distance:.3f}"
    )
    seconds = {part: seconds_in(profile, part) for part in PARTS}
    seconds["the rest"] = whole - sum(seconds.values())
    rows = [
        [part, f"{spent:.2f}", f"{100 * spent / whole:.1f} %"] for part, spent in seconds.items()
    ]
    print(f"\n{table(['with one worker', 'seconds', 'share'], rows)}")


if __name__ == "__main__":
    main()
