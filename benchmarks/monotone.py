"""Whether more evaluations ever give a worse match, and whether an interrupted search goes on.

    python benchmarks/monotone.py SOUNDS... --results FILE.jsonl [--seeds N] [--jobs N]
        [--evaluations N ...] [--free SET]

Each sound is matched with each seed three ways, by `deepdiva refine` in folders of its own: with
each number of evaluations anew; in one folder with one number after the other (`--resume
--evaluations MORE`); and with the largest number, interrupted at 95 %, then resumed. Of each the
reported distances are written: of the match, of the nearest answer, and of silence. A rise of the
match is an error, and so is a resumed match that differs from an unbroken one.

A run that was broken off goes on; the table stands at the end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deepdiva.cluster import Workers
from deepdiva.errors import NoMatchError
from deepdiva.pipeline.match import MatchOptions, prepared
from deepdiva.pipeline.options import Listener, SearchChoice, SpaceChoice

EXACT = 1e-6
"""Distances that differ by less are equal."""

BROKEN_AT = 0.95


def matched(
    sound: Path, folder: Path, options: argparse.Namespace, seed: int, evaluations: int,
    *, resume: bool = False, broken: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Match a sound, and say how far it is."""

    def watch(progress: Any) -> None:
        if broken and progress.share >= BROKEN_AT:
            raise KeyboardInterrupt

    quiet = Listener(lambda _: None, lambda _: None)
    choice = MatchOptions(
        SearchChoice(None, evaluations),
        space=SpaceChoice(free=options.free),
        seed=seed,
        workers=Workers(jobs=options.jobs),
    )
    with prepared([sound], folder, choice, quiet, resume=resume) as run:
        try:
            result = run.one(0, watch).result
        except NoMatchError as error:
            return {"distance": None, "nearest": None, "silence": None, "said": str(error)}
    nearest = min([result.distance, *(answer.distance for answer in result.answers)])
    return {"distance": result.distance, "nearest": nearest, "silence": result.silence}


def rows(sound: Path, seed: int, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All matches of a sound with a seed."""
    budgets, most = sorted(options.evaluations), max(options.evaluations)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number in budgets:
            found = matched(sound, folder / f"anew{number}", options, seed, number)
            yield {"how": "anew", "evaluations": number, **found}
        if options.free is None:
            for number in budgets:
                found = matched(sound, folder / "longer", options, seed, number, resume=True)
                yield {"how": "longer", "evaluations": number, **found}
        broken = matched(sound, folder / "broken", options, seed, most, broken=True)
        yield {"how": "broken", "evaluations": round(BROKEN_AT * most), **broken}
        found = matched(sound, folder / "broken", options, seed, most, resume=True)
        yield {"how": "resumed", "evaluations": most, **found}


def rises(found: list[dict[str, Any]], key: str) -> list[str]:
    """Where more evaluations gave a worse match."""
    said = []
    for how in ("anew", "longer"):
        last: dict[str, Any] | None = None
        for row in found:
            if row["how"] != how or row[key] is None:
                continue
            if last is not None and row[key] > last[key] + EXACT:
                said.append(
                    f"{how}: {last[key]:.4f} after {last['evaluations']:,}, {row[key]:.4f} after "
                    f"{row['evaluations']:,}"
                )
            last = row
    return said


def differs(found: list[dict[str, Any]]) -> list[str]:
    """Where a search that was interrupted or went on ends elsewhere than an unbroken one."""
    anew = {row["evaluations"]: row["distance"] for row in found if row["how"] == "anew"}
    return [
        f"{row['how']}: {row['distance']}, unbroken {anew[row['evaluations']]}"
        for row in found
        if row["how"] in ("longer", "resumed") and row["distance"] != anew[row["evaluations"]]
    ]


def main() -> None:
    """Match what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sounds", type=Path, nargs="+")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[250, 1000, 4000])
    parser.add_argument("--free", default=None)
    options = parser.parse_args()
    done: dict[tuple[str, int], list[dict[str, Any]]] = {}
    if options.results.exists():
        for line in options.results.read_text().splitlines():
            row = json.loads(line)
            done[row["sound"], row["seed"]] = row["matches"]
    for seed in range(options.seeds):
        for sound in options.sounds:
            if (sound.name, seed) in done:
                continue
            found = list(rows(sound, seed, options))
            done[sound.name, seed] = found
            with options.results.open("a") as file:
                file.write(json.dumps({"sound": sound.name, "seed": seed, "matches": found}) + "\n")
    counted = {"match rises": 0, "nearest answer rises": 0, "resumed elsewhere": 0, "beyond": 0}
    print("| sound | seed |", " | ".join(f"{n:,}" for n in sorted(options.evaluations)), "|")
    print("|---|---|" + "---|" * len(options.evaluations))
    for (sound, seed), found in done.items():
        anew = [row for row in found if row["how"] == "anew"]
        cells = ["none" if row["distance"] is None else f"{row['distance']:.4f}" for row in anew]
        print(f"| {sound} | {seed} |", " | ".join(cells), "|")
        for name, said in (
            ("match rises", rises(found, "distance")),
            ("nearest answer rises", rises(found, "nearest")),
            ("resumed elsewhere", differs(found)),
        ):
            counted[name] += len(said)
            for one in said:
                print(f"  {name}: {one}")
        counted["beyond"] += sum(
            row["distance"] is not None and row["distance"] > row["silence"] for row in found
        )
    print(", ".join(f"{name}: {count}" for name, count in counted.items()))


if __name__ == "__main__":
    main()
