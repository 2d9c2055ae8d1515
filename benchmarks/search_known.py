"""Does the search find patches that are known? Engine sounds, rendered with other seeds.

    python benchmarks/search_known.py [--mode thorough | --evaluations N] [--sounds N] [--voices N]
        [--no-predict] [--processes N] [--results FILE]

Each sound is a random audible patch of the 11-parameter space, rendered once. It is searched with
the network's answer as start, one process for each sound. Nothing that was rendered in the search
is scored: patches are rendered with 32 seeds that neither the target nor the search has.

- *floor*: distances between the target and its own patch, with other seeds. That is as near as a
  patch can be expected to come whose phases nobody knows.
- *match*: mean distance between the target and the found patch, with other seeds.
- *within*: the match is at most the floor's mean plus one standard deviation over its seeds; a
  single one of the true patch stays below that in about five cases of six. *below*: at most the
  floor's mean itself, which a patch that is right to the last digit reaches in half of the cases.
- *with fitted phases*: distance of the found patch with start phases fitted to the target, as
  `refine` reports it; *fitted* sounds have it below the floor's mean.
- Waves and octaves count where they are audible: where every other choice, all else equal, lies
  farther from the target by the averaged distance, in the mean over seeds, than the true patch
  in the farthest of its realizations.

Searches are stored in FILE as they are done; a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search_runs import (
    REALIZATIONS,
    Record,
    Results,
    Sound,
    known_sounds,
    network_start,
    over_seeds,
    side_by_side,
    table,
)

from deepdiva.distance import AVERAGED, FULL, AveragedDistance, SpectralDistance
from deepdiva.note import Note
from deepdiva.search.refine import refine
from deepdiva.search.refine_settings import DEFAULT_MODE, MODES, RefineSettings
from deepdiva.search.start import Start
from deepdiva.space import ClassDimension
from deepdiva.synths.diva.panel_renderer import PanelRenderer

Starting = Callable[[Sound], Start | None]


@dataclass(frozen=True)
class Search:
    """A sound and how it is searched."""

    sound: Sound
    evaluations: int
    predicted: bool

    def key(self) -> Record:
        """What tells its record from others."""
        return {
            "sound": self.sound.name,
            "evaluations": self.evaluations,
            "predicted": self.predicted,
            "patch": self.sound.patch.tolist(),
        }


def searched(weights: Path | None, search: Search) -> list[Record]:
    """Search one sound, alone in its process."""
    sound, note = search.sound, Note()
    start = network_start(sound, weights) if search.predicted else None
    settings = RefineSettings(evaluations=search.evaluations, jobs=1)
    result = refine(sound.audio, PanelRenderer(), sound.space, note, settings, start=start)
    distance = SpectralDistance(sound.audio, note.sample_rate, FULL)
    return [
        {
            **search.key(),
            "found": result.patch.tolist(),
            "distance": result.distance,
            "fitted": result.preview_distance,
            "match": over_seeds(result.patch, distance).tolist(),
            "floor": over_seeds(sound.patch, distance).tolist(),
            "seconds": result.seconds,
            "classes": {
                dimension.parameter.name: audible(sound, dimension)
                for dimension in sound.space.classes
            },
        }
    ]


def audible(sound: Sound, dimension: ClassDimension) -> bool:
    """Whether every other choice of a class moves the sound clearly farther than chance does."""
    note, engine = Note(), PanelRenderer()
    distance = AveragedDistance(sound.audio, note.sample_rate, AVERAGED)
    column = sound.space.table.index(dimension.parameter.name)

    def distances_at(value: float) -> NDArray[np.float64]:
        patches = np.repeat(sound.patch[None], REALIZATIONS, axis=0)
        patches[:, column] = value
        return distance(engine.render(patches, note, 2_000_000 + np.arange(REALIZATIONS)))

    own = float(sound.patch[column])
    reach = distances_at(own).max()
    others = dimension.parameter.choice_values
    return all(distances_at(float(value)).mean() > reach for value in others if value != own)


def row(record: Record, sound: Sound) -> list[str]:
    """A line of the table."""
    floor, match = np.array(record["floor"]), np.array(record["match"])
    names = sound.space.table.names
    wrong = [
        f"{name}{'' if heard else ' (inaudible)'}"
        for name, heard in record["classes"].items()
        if record["found"][names.index(name)] != record["patch"][names.index(name)]
    ]
    return [
        record["sound"],
        f"{match.mean():.3f}",
        f"{floor.mean():.3f} ± {floor.std():.3f}",
        f"{record['fitted']:.3f}",
        "yes" if within(record) else "no",
        ", ".join(wrong),
        f"{record['seconds']:.0f}",
    ]


def within(record: Record) -> bool:
    """Whether a match lies within what chance does to the true patch."""
    floor = np.array(record["floor"])
    return bool(np.mean(record["match"]) <= floor.mean() + floor.std())


def shares(records: list[Record], sound: Sound) -> str:
    """The sums."""
    count = len(records)
    names = sound.space.table.names

    def share(part: float, of: int) -> str:
        return f"{part:.0f} of {of} ({100 * part / max(1, of):.0f} %)"

    below = sum(np.mean(r["match"]) <= np.mean(r["floor"]) for r in records)
    fitted = sum(r["fitted"] <= np.mean(r["floor"]) for r in records)
    lines = [
        f"within the floor: {share(sum(map(within, records)), count)}",
        f"below its mean: {share(below, count)}",
        f"fitted, with fitted phases: {share(fitted, count)}",
    ]
    for name in records[0]["classes"]:
        heard = [r for r in records if r["classes"][name]]
        right = sum(r["found"][names.index(name)] == r["patch"][names.index(name)] for r in heard)
        lines.append(f"{name} right where audible: {share(right, len(heard))}")
    seconds = [r["seconds"] for r in records]
    lines.append(f"seconds on one core: mean {np.mean(seconds):.1f}, longest {max(seconds):.1f}")
    return "\n".join(f"- {line}" for line in lines)


def main() -> None:
    """Search what is missing, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", choices=list(MODES), default=DEFAULT_MODE)
    parser.add_argument("--evaluations", type=int, help="instead of a mode's")
    parser.add_argument("--sounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--voices", type=int, default=1, help="that are stacked")
    parser.add_argument("--predict", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--model-file", type=Path, help="weights of the network")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("search_known.jsonl"))
    options = parser.parse_args()

    evaluations = options.evaluations or MODES[options.mode]
    sounds = known_sounds(options.sounds, options.seed, options.voices)
    searches = [Search(sound, evaluations, options.predict) for sound in sounds]
    results = Results(options.results)
    missing = [search for search in searches if not results.of(search.key())]
    work = partial(searched, options.model_file)
    for number, record in enumerate(side_by_side(work, missing, options.processes), start=1):
        results.add(record)
        print(f"{number} of {len(missing)}: {record['sound']}", flush=True)

    found = [results.of(search.key())[0] for search in searches]
    heading = ["sound", "match", "floor", "with fitted phases", "within", "wrong", "seconds"]
    rows = [row(record, sound) for record, sound in zip(found, sounds, strict=True)]
    print(f"\n{table(heading, rows)}\n\n{shares(found, sounds[0])}")


if __name__ == "__main__":
    main()
