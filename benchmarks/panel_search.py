"""What the search over the whole panel finds: recordings, renders of Diva, sounds of the engine.

    python benchmarks/panel_search.py --results FILE.jsonl [--instruments FOLDER] [--plain FOLDER]
        [--known FOLDER] [--engine N] [--most N] [--evaluations N] [--free SET] [--no-predict]
        [--seconds S] [--seed N] [--jobs N]

- `--instruments`: recordings of single notes, as `deepdiva refine` hears them.
- `--plain`: renders of Diva with MS-REV1 (key 48, 2 s), whose stack of voices (2) is not told.
- `--known`: renders of Diva (key 60, 3 s of 4 s) with `parameters.csv`, of which only the chain is
  read here. `--engine N`: patches of the human prior, played by the engine at keys 36 to 84.

Of each match: the reported distance of the preset and of its preview, `known` (dB, 40 bands over
time, `evaluation.bands`), the level over time in dB, `old` (the reported distance from 0.1 s on, at
the recording's level), the chain and whether it is right, the stack; of engine sounds the floor:
the reported distance between the target and its own patch played with 16 other seeds (median and
0.9 quantile). `--seconds` cuts targets of the engine.

Each match is one line of FILE; a run that was broken off goes on. Means stand at the end.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

import deepdiva
from deepdiva.audio import write_wav
from deepdiva.distance import FULL, DistanceSettings, SpectralDistance
from deepdiva.evaluation.bands import known, known_level
from deepdiva.level import at_reference
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.synths import find_synthesizer
from deepdiva.synths.structure import Structure

PLAIN = Note()
KNOWN = Note(pitch=60, length_seconds=3.0, render_seconds=4.0)


@dataclass(frozen=True)
class Case:
    """One sound to be matched.

    Attributes:
        group: which of the sets it belongs to.
        path: the file.
        note: what is told; None where it is heard.
        chain: of the true patch, in words; empty where it is not known.
        patch: that the engine played; None of recordings.
    """

    group: str
    path: Path
    note: Note | None = None
    chain: str = ""
    patch: NDArray[np.float64] | None = None


def structure() -> Structure:
    """Of Diva."""
    found = find_synthesizer("diva").structure
    assert found is not None
    return found


def cases(options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """All that was asked for; sounds of the engine are written into a folder."""
    for path in sounds(options.instruments, options.most):
        yield Case("instruments", path)
    for path in sounds(options.plain, options.most):
        yield Case("plain", path, PLAIN)
    if options.known is not None:
        chains = known_chains(options.known / "parameters.csv")
        for path in sounds(options.known, options.most):
            yield Case("known", path, KNOWN, chains.get(path.stem, ""))
    rng = np.random.default_rng(20211)
    for number in range(options.engine):
        length = float(options.seconds)
        note = Note(int(rng.integers(36, 85)), 127, 0.8 * length, length)
        patch = structure().draws(number + 1, 909, note)[number]
        path = folder / f"engine_{number}.wav"
        audio = make_renderer().render(patch[None], note, 5000 + number)[0]
        if np.abs(audio).max() > 1e-3:
            write_wav(path, audio, note.sample_rate, force=True)
            yield Case("engine", path, note, structure().chain_label(patch), patch)


def sounds(folder: Path | None, most: int) -> list[Path]:
    """Sounds of a folder, at most so many, spread over it."""
    if folder is None:
        return []
    found = sorted(path for path in folder.iterdir() if path.suffix in (".wav", ".flac"))
    places = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).astype(int))
    return [found[place] for place in places]


def known_chains(path: Path) -> dict[str, str]:
    """Chains of known patches by name."""
    table = make_renderer().table
    chains = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            patch = table.defaults()
            for name in structure().chain:
                if row.get(name):
                    patch[table.index(name)] = float(row[name])
            name = next(iter(row.values())) or ""
            chains[Path(name).stem] = structure().chain_label(patch)
    return chains


def matched(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """One line of the results."""
    result = deepdiva.match(
        case.path,
        note=case.note,
        evaluations=options.evaluations,
        free=None if options.free is None else [options.free],
        predict=False if options.no_predict else None,
        seed=options.seed,
        jobs=options.jobs,
    )
    details, rate = result.details, result.sample_rate
    target = result.target
    chain = structure().chain_label(details.patch)
    line: dict[str, Any] = {
        "group": case.group,
        "name": case.path.stem,
        "distance": result.distance,
        "preview": result.preview_distance,
        "silence": result.silence,
        "known": known(target, result.preview, rate),
        "level": known_level(target, result.preview, rate),
        "old": float(
            SpectralDistance(target, rate, DistanceSettings(start_seconds=0.1))(
                result.preview[None]
            )[0]
        ),
        "chain": chain,
        "stack": int(result.preset.values()[make_renderer().table.index("VCC.Voicing")]),
        "modules": [len(answer.modules) for answer in details.answers],
        "answers": [[answer.chain, round(answer.distance, 4)] for answer in details.answers],
        "evaluations": details.evaluations,
        "seconds": round(details.seconds, 1),
        "rendering": round(details.rendering / max(details.seconds, 1e-9), 3),
    }
    if case.chain:
        line |= {"true": case.chain, "right": float(chain == case.chain)}
    if case.patch is not None and case.note is not None:
        own = make_renderer().render(
            np.repeat(case.patch[None], 16, axis=0), case.note, 90_000 + np.arange(16)
        )
        reference = at_reference(np.concatenate([target[None], own]))[0]
        floor = SpectralDistance(reference[0], rate, FULL)(reference[1:])
        line["floor"], line["floor90"] = (float(np.quantile(floor, q)) for q in (0.5, 0.9))
        line["within"] = float(result.distance <= line["floor90"])
    return line


def main() -> None:
    """Match, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True)
    for name in ("--instruments", "--plain", "--known"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--engine", type=int, default=0)
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--evaluations", type=int, default=6000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--free")
    parser.add_argument("--no-predict", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    lines = []
    if options.results.exists():
        lines = [json.loads(line) for line in options.results.read_text().splitlines()]
    done = {(line["group"], line["name"]) for line in lines}
    with TemporaryDirectory() as folder:
        for case in cases(options, Path(folder)):
            if (case.group, case.path.stem) in done:
                continue
            lines.append(matched(case, options))
            print(json.dumps(lines[-1]), flush=True)
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    report(lines)


def report(lines: list[dict[str, Any]]) -> None:
    """Means of each group."""
    keys = ("distance", "preview", "known", "level", "old", "right", "within", "seconds")
    for group in dict.fromkeys(line["group"] for line in lines):
        own = [line for line in lines if line["group"] == group]
        means = {key: float(np.mean([line[key] for line in own])) for key in keys if key in own[0]}
        stacks = sum(line["stack"] == 2 for line in own)
        told = "  ".join(f"{key} {value:.3f}" for key, value in means.items())
        print(f"{group}: {len(own)} sounds  {told}  stack 2 in {stacks}")


if __name__ == "__main__":
    main()
