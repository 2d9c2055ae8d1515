"""Is every sound finite and bounded? Random patches over the whole panel, for as long as one likes.

    python benchmarks/soak.py RECORD.jsonl [--patches 100000] [--jobs 2] [--seed 0]

Each batch holds patches of one chain, drawn uniformly over all 281 parameters, and is played at a
rate of 22.05 to 96 kHz with a key of 0 to 127, alone or in a chord, with wheels somewhere. A line
of RECORD holds what came out; a run that was stopped goes on after its last whole line. Ends with 1
if any sound was not finite or above `LIMIT`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from deepdiva.note import Note
from deepdiva.performance import Performance
from deepdiva.synths.diva import DIVA, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer

BATCH = 20  # so that 2,000 patches play every chain
LIMIT = 30.0
"""Full scales: far above any sound that a user would keep, far below one that runs away."""

RATES = (22050, 32000, 44100, 48000, 88200, 96000)


def chains() -> list[tuple[int, int, int]]:
    """Every choice of oscillator, high-pass and filter."""
    return [(o, h, f) for o in panel.OSCILLATORS for h in panel.HIGHPASSES for f in panel.FILTERS]


def play(number: int, seed: int, threads: int) -> dict[str, Any]:
    """One batch: what was played, and what came out."""
    rng = np.random.default_rng((seed, number))
    order = np.random.default_rng(seed).permutation(len(chains()))
    model = chains()[order[number % len(order)]]
    low = np.array([parameter.minimum for parameter in DIVA])
    high = np.array([parameter.maximum for parameter in DIVA])
    patches = low + rng.random((BATCH, len(DIVA))) * (high - low)
    patches[:, [DIVA.index(name) for name in panel.MODELS]] = model
    patches[:, DIVA.index("ARP.OnOff")] = rng.random(BATCH) < 0.1
    keys = rng.choice(128, size=3, replace=False)
    note = Note(
        pitch=int(keys[0]),
        velocity=int(rng.integers(1, 128)),
        length_seconds=0.25,
        render_seconds=0.4,
        sample_rate=int(rng.choice(RATES)),
    )
    performance = Performance(
        tempo=float(rng.uniform(40.0, 300.0)),
        wheel=float(rng.random()),
        pressure=float(rng.random()),
        bend=float(rng.uniform(-1.0, 1.0)),
        chord=tuple(int(key) for key in keys[1:]) if number % 8 == 0 else (),
    )
    engine = PanelRenderer(performance=performance, threads=threads)
    sounds = engine.render(patches, note, np.arange(BATCH) + number * BATCH)
    peaks = np.abs(sounds).max(axis=1)
    bad = np.flatnonzero(~np.isfinite(peaks) | (peaks > LIMIT))
    return {
        "batch": number,
        "chain": list(model),
        "key": note.pitch,
        "rate": note.sample_rate,
        "patches": BATCH,
        "peak": float(np.nan_to_num(peaks, nan=np.inf).max()) if not len(bad) else None,
        "bad": [{"row": int(row), "peak": repr(float(peaks[row]))} for row in bad],
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def lines(record: Path) -> Iterator[dict[str, Any]]:
    """What a record holds; a line that was cut off counts for nothing."""
    if not record.exists():
        return
    with record.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def whole_lines(record: Path) -> None:
    """Cut off what a killed run left of its last line."""
    if record.exists():
        data = record.read_bytes()
        record.write_bytes(data[: data.rfind(b"\n") + 1])


def main() -> int:
    """Parse the command line, play, and say what was found."""
    parser = argparse.ArgumentParser(description="Random patches over the whole panel.")
    parser.add_argument("record", type=Path)
    parser.add_argument("--patches", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    whole_lines(options.record)
    done = {line["batch"] for line in lines(options.record)}
    count = -(-options.patches // BATCH)
    began = time.monotonic()
    with options.record.open("a", encoding="utf-8") as file:
        for number in range(count):
            if number in done:
                continue
            file.write(json.dumps(play(number, options.seed, options.jobs)) + "\n")
            file.flush()
    found = [line for line in lines(options.record) if line["batch"] < count]
    bad = [line for line in found if line["bad"]]
    for line in bad:
        print(f"batch {line['batch']}, chain {line['chain']}, {line['rate']} Hz: {line['bad']}")
    memory = [line["memory_mib"] for line in found]
    played = sum(line["patches"] for line in found)
    kinds = len({str(line["chain"]) for line in found})
    print(
        f"{played} patches, {kinds} chains: {sum(len(line['bad']) for line in bad)} bad, highest "
        f"peak {max(line['peak'] or np.inf for line in found):.2f}, "
        f"memory {memory[0]} to {memory[-1]} MiB, {time.monotonic() - began:.0f} s"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
