"""How good are the predictors? The tables of `models/README.md`.

    python benchmarks/predictors.py --real FOLDER [--posterior WEIGHTS] [--cnn WEIGHTS]
        [--lstm WEIGHTS] [--sounds N] [--stored N] [--csv FILE]

Two tests: fresh sounds of the embedded engine, whose patches are known, and real recordings. Each
predictor's answer is rendered again with start phases and noise that no candidate was chosen by,
and that render is scored, so that a choice among 64 gains nothing by luck. Real recordings are
answered around a base with a stack of two voices, which the 2021 project's recordings have.

Two distances stand side by side: the multi-scale spectral distance, for which start phases count,
and the averaged one, for which they hardly do. The true patch, with other realizations, says what
no answer can be expected to fall below.

Networks that are not named are left out; the posterior is then the one that comes with deepdiva.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from deepdiva.audio import load_target, sound_files
from deepdiva.distance import AveragedDistance, SpectralDistance
from deepdiva.models.answers import Matcher
from deepdiva.models.baselines import MeanPredictor, NearestPredictor
from deepdiva.models.interval_coverage import coverage, ranks
from deepdiva.models.predictor import Predictor
from deepdiva.models.registry import load_predictor
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.preset import Preset

CHOOSING_SEED, SCORING_SEED, SOUND_SEED = 0, 1, 2
COVERAGE_DRAWS = 200


@dataclass(frozen=True)
class Method:
    """A predictor, and how many of its candidates are rendered."""

    name: str
    predictor: Predictor
    listened: int


@dataclass(frozen=True)
class Outcome:
    """What a method did on one set of sounds.

    Attributes:
        distance: spectral distance of each answer, shape (sounds,).
        averaged: averaged distance of each answer, shape (sounds,).
        x: answered positions, shape (sounds, dimensions).
        seconds: for each sound, mean.
    """

    distance: NDArray[np.float64]
    averaged: NDArray[np.float64]
    x: NDArray[np.float64]
    seconds: float


def methods(options: argparse.Namespace, space: ParameterSpace, note: Note) -> list[Method]:
    """All predictors of the run, baselines first."""
    engine = PanelRenderer()
    found = [
        Method("mean", MeanPredictor(space, note), 1),
        Method(
            f"nearest of {options.stored:,}",
            NearestPredictor(space, note, engine, options.stored),
            1,
        ),
    ]
    for weights in (options.cnn, options.lstm):
        if weights is not None:
            predictor, _ = load_predictor(weights, engine.info)
            found.append(Method(predictor.name, predictor, 1))
    posterior, _ = load_predictor(options.posterior, engine.info)
    return [
        *found,
        Method("posterior K=1", posterior, 1),
        Method("posterior K=64", posterior, 64),
    ]


def outcome(method: Method, sounds: list[NDArray[np.float32]], locks: dict[str, float]) -> Outcome:
    """Answer all sounds, and score fresh renders of the answers."""
    note, space = method.predictor.note, method.predictor.space
    renderer = PanelRenderer()
    matcher = Matcher(
        method.predictor,
        Preset.template(),
        renderer,
        method.listened,
        locks,
        jobs=torch.get_num_threads(),
        seed=CHOOSING_SEED,
    )
    began = time.perf_counter()
    patches = np.stack([answer.chosen.patch for answer in matcher.answers(sounds)])
    seconds = (time.perf_counter() - began) / len(sounds)
    return Outcome(*score(sounds, patches, note), space.normalised(patches), seconds)


def score(
    sounds: list[NDArray[np.float32]], patches: NDArray[np.float64], note: Note
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spectral and averaged distance of each patch, played anew, to its sound: (sounds,) each."""
    renderer = PanelRenderer()
    scores = []
    for sound, patch in zip(sounds, patches, strict=True):
        played = renderer.render(patch[None], note, SCORING_SEED)
        forms = SpectralDistance(sound, note.sample_rate), AveragedDistance(sound, note.sample_rate)
        scores.append([form(played)[0] for form in forms])
    spectral, averaged = np.array(scores).T
    return spectral, averaged


def engine_sounds(
    space: ParameterSpace, note: Note, count: int
) -> tuple[list[NDArray[np.float32]], NDArray[np.float64]]:
    """Fresh sounds and their positions; no training and no baseline has met them."""
    rng = np.random.default_rng([SOUND_SEED, 2**31])
    x = space.random(rng, count)
    seeds = rng.integers(2**31, size=count)
    return list(PanelRenderer().render(space.patches(x), note, seeds)), x


def parameter_rows(
    space: ParameterSpace, outcomes: dict[str, Outcome], truth: NDArray[np.float64]
) -> Iterator[list[str]]:
    """One row for each parameter: mean error in its unit, or share of right classes."""
    for position, parameter in enumerate(space.parameters):
        row = [parameter.name]
        for result in outcomes.values():
            found, right = (parameter.to_unit(x[:, position]) for x in (result.x, truth))
            if parameter.is_class:
                row.append(f"{100 * np.mean(found == right):.0f} % right")
            else:
                row.append(f"{np.mean(np.abs(found - right)):.2f}")
        yield row


def coverage_rows(
    weights: Path | None, sounds: list[NDArray[np.float32]], truth: NDArray[np.float64]
) -> Iterator[list[str]]:
    """One row for each continuous parameter: how often central intervals hold the truth."""
    posterior, _ = load_predictor(weights, draws=COVERAGE_DRAWS, seed=CHOOSING_SEED)
    space = posterior.space
    answers = posterior.predict(np.stack(sounds), posterior.note)
    rank = ranks(answers, truth)[:, space.continuous]
    inside = {level: coverage(rank, level) for level in (0.5, 0.9)}
    for column, position in enumerate(space.continuous):
        shares = [f"{100 * inside[level][column]:.0f} %" for level in inside]
        yield [space.parameters[position].name, *shares]
    yield ["all", *(f"{100 * values.mean():.1f} %" for values in inside.values())]


def print_table(title: str, heading: list[str], rows: list[list[str]]) -> None:
    """A table in Markdown."""
    print(f"\n{title}\n\n| {' | '.join(heading)} |\n|{'---|' * len(heading)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def distance_rows(
    engine: dict[str, Outcome], real: dict[str, Outcome], nearest: str
) -> Iterator[list[str]]:
    """One row for each method."""
    for name, result in engine.items():
        row = [name, *means(result)]
        if real:
            # The true patches of recordings are not known.
            row += means(real[name]) if name in real else ["", "", ""]
            wins = int(np.sum(real[name].distance < real[nearest].distance)) if name in real else 0
            row.append(f"{wins} of {len(real[name].distance)}" if name in real else "")
        yield [*row, f"{1000 * result.seconds:.0f}"]


def means(result: Outcome) -> list[str]:
    """Mean and median of the spectral distance, mean of the averaged one."""
    return [
        f"{result.distance.mean():.3f}",
        f"{np.median(result.distance):.3f}",
        f"{result.averaged.mean():.3f}",
    ]


def write_csv(path: Path, real: dict[str, Outcome], files: list[Path]) -> None:
    """Distances of all real sounds."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sound", *real])
        for row, sound in enumerate(files):
            writer.writerow([sound.name, *(f"{r.distance[row]:.4f}" for r in real.values())])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, help="folder with real recordings")
    parser.add_argument("--posterior", type=Path, help="weights")
    parser.add_argument("--cnn", type=Path, help="weights")
    parser.add_argument("--lstm", type=Path, help="weights")
    parser.add_argument("--sounds", type=int, default=1000, help="engine sounds")
    parser.add_argument("--stored", type=int, default=10_000, help="patches that `nearest` stores")
    parser.add_argument("--csv", type=Path, help="file for the distances of the real sounds")
    options = parser.parse_args()

    note, space = Note(), default_space()
    field = methods(options, space, note)
    sounds, truth = engine_sounds(space, note, options.sounds)
    engine = {c.name: outcome(c, sounds, {}) for c in field}
    files = list(sound_files([options.real])) if options.real else []
    recordings = [load_target(file, note).audio for file in files]
    real = {c.name: outcome(c, recordings, {"VCC.Voicing": 2.0}) for c in field} if files else {}

    scores = score(sounds, space.patches(truth), note)
    floor = {"the true patch, with other realizations": Outcome(*scores, truth, 0.0)}
    heading = ["predictor", "engine: mean distance", "median", "mean averaged distance"]
    if real:
        heading += ["real: mean distance", "median", "mean averaged distance", "beats `nearest`"]
    rows = list(distance_rows({**engine, **floor}, real, field[1].name))
    title = f"{len(sounds):,} engine sounds" + (f", {len(files)} real ones" if files else "")
    print_table(title, [*heading, "ms per sound"], rows)
    print_table(
        "Errors on engine sounds, in the parameter's unit",
        ["parameter", *engine],
        list(parameter_rows(space, engine, truth)),
    )
    print_table(
        "How often the posterior's central intervals hold the true value (engine sounds)",
        ["parameter", "50 % interval", "90 % interval"],
        list(coverage_rows(options.posterior, sounds, truth)),
    )
    if options.csv and files:
        write_csv(options.csv, real, files)


if __name__ == "__main__":
    main()
