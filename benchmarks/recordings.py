"""Matches of real recordings beside silence and the best of 1,000 random patches.

    deepdiva refine RECORDINGS --lock VCC.Voicing=2 --output MATCHED --json > MATCHED.json
    python benchmarks/recordings.py RECORDINGS MATCHED.json [--lock VCC.Voicing=2]

Prints a line for each sound with the preview's distance (the whole sound, from its start), its
ratios to the other two, and the seconds that the search took; then means and medians.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from deepdiva.audio import load_target
from deepdiva.distance import FULL, SpectralDistance
from deepdiva.note import Note
from deepdiva.space import parse_lock
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer

RANDOM_PATCHES = 1000


def main() -> None:
    """Read what refine wrote, and play random patches against the same targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("recordings", type=Path)
    parser.add_argument("matches", type=Path, help="what refine --json printed")
    parser.add_argument("--lock", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    note = Note()
    space = default_space().locked(dict(parse_lock(DIVA, text) for text in options.lock))
    rng = np.random.default_rng(0)
    patches = space.patches(space.random(rng, RANDOM_PATCHES))
    engine = PanelRenderer(threads=2)
    seeds = np.arange(RANDOM_PATCHES)
    sounds = engine.render(patches, note, seeds)
    rows = []
    print(f"{'sound':22} match  silence  random  match/silence  match/random  seconds")
    for match in json.loads(options.matches.read_text()):
        name = Path(match["sound"]).stem
        target = load_target(options.recordings / Path(match["sound"]).name, note).audio
        distance = SpectralDistance(target, note.sample_rate, FULL)
        nearest = float(distance(sounds).min())
        silence = float(distance(np.zeros((1, note.samples), np.float32))[0])
        row = (match["preview_distance"], silence, nearest, match["seconds"])
        rows.append(row)
        print(
            f"{name:22} {row[0]:5.3f}  {silence:7.3f}  {nearest:6.3f}  {row[0] / silence:13.2f}"
            f"  {row[0] / nearest:12.2f}  {row[3]:7.1f}",
            flush=True,
        )
    table = np.array(rows)
    for label, figures in (("mean", table.mean(axis=0)), ("median", np.median(table, axis=0))):
        print(f"{label:22} {figures[0]:5.3f}  {figures[1]:7.3f}  {figures[2]:6.3f}", end="")
        print(f"{'':33}{figures[3]:7.1f}")


if __name__ == "__main__":
    main()
