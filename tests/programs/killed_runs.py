"""Make a data set in child processes that are killed at random moments, and then to its end.

    python killed_runs.py FOLDER KILLS SEED

Writes, as JSON, how many kills struck a run, how many batches were complete after each, and how
often a data set that was complete too early was compared and begun anew.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from deepdiva.cluster import Workers
from deepdiva.data.corpora.dataset_settings import DatasetSettings
from deepdiva.data.corpora.description import Description
from deepdiva.data.corpora.generate import generate
from deepdiva.note import Note
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

SETTINGS = DatasetSettings(
    default_space(), sample_size=48, note=Note(length_seconds=0.2, render_seconds=0.25), seed=11
)
BATCHES = 40


def make(folder: Path) -> None:
    """Make the data set, or what is missing of it, with two workers."""
    generate(folder, SETTINGS, PanelRenderer(), BATCHES, workers=Workers(jobs=2))


def tree(folder: Path) -> dict[str, bytes]:
    """All files and their bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def struck(folder: Path, seconds: float) -> bool:
    """Begin a run in a child process and kill it; whether it was still at work."""
    child = os.fork()
    if child == 0:
        make(folder)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def complete_batches(folder: Path) -> int:
    """Batches that the description of a data set counts."""
    return len(Description.read(folder).records) if (folder / "dataset.json").exists() else 0


def run(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Kill until enough runs were struck, then finish; compare with a run that nobody killed.

    Kills come at random within a window that adapts to how fast the machine happens to be: wider
    when a run got nowhere, narrower when it got through.
    """
    whole, broken = folder / "whole", folder / "broken"
    make(folder / "warm-up")  # compiles the engine before the clock and the first fork
    began = time.perf_counter()
    make(whole)
    window = (time.perf_counter() - began) / 8
    expected = tree(whole)
    chance = random.Random(seed)
    complete: list[int] = []
    restarts = 0
    while len(complete) < kills:
        before = complete_batches(broken)
        if struck(broken, chance.uniform(0.0, window)):
            complete.append(complete_batches(broken))
            window *= 1.3 if complete[-1] == before else 0.9
        else:
            restarts += 1
            assert tree(broken) == expected
            shutil.rmtree(broken)
            window *= 0.6
    make(broken)
    assert tree(broken) == expected
    return {"kills": len(complete), "complete": complete, "restarts": restarts}


if __name__ == "__main__":
    json.dump(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), sys.stdout)
