"""How good is the network of the whole panel? The tables of `models/README.md`.

    python benchmarks/panel.py [--weights FILE] [--sounds N] [--stored N] [--candidates K]
        [--recordings FOLDER ...]

Fresh patches of the human prior, played at keys 36 to 84, each note held for 1.5 s and recorded for
2 s; nobody has trained on them. A method's answer is played again with start phases and noise
that no candidate was chosen by, at the level of the target, and that sound is scored.

`nearest` holds stored patches of the same prior, played at each of the keys. The true patch, with
other seeds, says what no answer can be expected to fall below. Intervals are those of the median,
from 1,000 bootstrap samples. Recordings are answered by `deepdiva predict`, by both networks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import sound_files
from deepdiva.distance import AveragedDistance
from deepdiva.errors import DeepDivaError
from deepdiva.evaluation.hayes import hayes_mss
from deepdiva.level import at_reference
from deepdiva.models.panel.predictor import CHAIN_VARIABLES, PanelPredictor
from deepdiva.models.panel.views import Played, split, views
from deepdiva.models.predictor import Candidates
from deepdiva.models.registry import load_predictor
from deepdiva.models.selection import choose
from deepdiva.models.weights import PANEL_WEIGHTS
from deepdiva.note import Note
from deepdiva.pipeline.options import Listener
from deepdiva.pipeline.predict import TASKS, Job, PredictOptions, prepared
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_code import canonical
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.prior.registry import prior_for

KEYS = (36, 48, 60, 72, 84)
CHOOSING_SEED, SCORING_SEED, SOUND_SEED, STORED_SEED = 0, 1, 2**40 + 1, 2**40 + 2
LEVELS = (0.5, 0.9)
FEWEST_DRAWS = 16
"""In which a value must act for its interval to be judged."""

Patches = NDArray[np.float64]


@dataclass(frozen=True)
class Test:
    """Sounds of one key, and the patches behind them."""

    note: Note
    patches: Patches
    sounds: NDArray[np.float32]


def tests_of(count: int) -> list[Test]:
    """Fresh sounds; those that cannot be heard are left out."""
    found = []
    for number, key in enumerate(KEYS):
        note = Note(key, 100, 1.5, 2.0)
        size = len(range(number, count, len(KEYS)))
        patches = prior_for("human").sample(size, SOUND_SEED + key, note)
        sounds = PanelRenderer().render(patches, note, np.arange(size) + 1000 * key)
        loud = np.sqrt(np.mean(np.square(sounds, dtype=np.float64), axis=1)) > 1e-4
        found.append(Test(note, patches[loud], at_reference(sounds[loud])[0]))
    return found


def score(test: Test, row: int, patch: Patches) -> tuple[float, float]:
    """Averaged distance and MSS of a patch, played anew."""
    played = at_reference(PanelRenderer().render(patch[None], test.note, SCORING_SEED))[0]
    target, rate = test.sounds[row], test.note.sample_rate
    near = float(AveragedDistance(target, rate)(played)[0])
    return near, float(hayes_mss(target, played[0], rate))


def mean_patch() -> Patches:
    """The middle of the prior: means of continuous parameters, the most frequent choices."""
    patches = prior_for("human").sample(4096, STORED_SEED)
    found = np.empty(len(DIVA))
    for place, parameter in enumerate(DIVA):
        column = patches[:, place]
        values, counts = np.unique(column, return_counts=True)
        found[place] = values[counts.argmax()] if parameter.choices else column.mean()
    return found


def picture(sound: NDArray[np.float32], note: Note) -> NDArray[np.float32]:
    """What `nearest` compares: the mel picture, by mean absolute difference."""
    vector = views(sound, Played(note.pitch, note.velocity, note.length_seconds))
    return np.asarray(split(vector[None])["picture"][0].ravel())


def nearest_of(test: Test, stored: int) -> Patches:
    """For each sound the nearest of stored patches."""
    patches = prior_for("human").sample(stored, STORED_SEED + test.note.pitch, test.note)
    features = np.empty((stored, 64 * 48), np.float32)
    for start in range(0, stored, 64):
        some = patches[start : start + 64]
        played = PanelRenderer().render(some, test.note, np.arange(start, start + len(some)))
        features[start : start + len(some)] = [picture(sound, test.note) for sound in played]
    wanted = [picture(sound, test.note) for sound in test.sounds]
    return np.stack([patches[np.abs(features - one).mean(axis=1).argmin()] for one in wanted])


@dataclass(frozen=True)
class Answers:
    """What the network said of the sounds of one key."""

    candidates: list[Candidates]
    patches: list[Patches]


def answers_of(network: PanelPredictor, test: Test) -> Answers:
    """Draws for each sound, the likeliest first."""
    predictor = network.of_note(test.note)
    both = [predictor.answer(sound) for sound in test.sounds]
    return Answers([one for one, _ in both], [patches for _, patches in both])


def interval(values: NDArray[np.float64]) -> str:
    """Median, mean and the interval of the median."""
    rng = np.random.default_rng(0)
    drawn = np.median(rng.choice(values, (1000, len(values))), axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.median(values):.3f} ({low:.3f} to {high:.3f}) | {values.mean():.3f}"


def distance_rows(
    tests: list[Test], answers: list[Answers], stored: int, listened: int
) -> Iterator[str]:
    """One row for each method."""
    middle = mean_patch()
    found: dict[str, list[tuple[float, float]]] = {}
    for test, answer in zip(tests, answers, strict=True):
        near = nearest_of(test, stored)
        for row, sound in enumerate(test.sounds):
            drawn = answer.patches[row][:listened]
            chosen = choose(sound, drawn, PanelRenderer(), test.note, seed=CHOOSING_SEED).patch
            for name, patch in (
                ("mean preset", middle),
                (f"nearest of {stored:,}", near[row]),
                ("panel K=1", answer.patches[row][0]),
                (f"panel K={listened}", chosen),
                ("the true patch, with other realizations", test.patches[row]),
            ):
                found.setdefault(name, []).append(score(test, row, patch))
    for name, pairs in found.items():
        averaged, mss = np.array(pairs).T
        yield f"| {name} | {interval(averaged)} | {interval(mss)} |"


def chain_rows(tests: list[Test], answers: list[Answers], network: PanelPredictor) -> Iterator[str]:
    """How often oscillator, filter and high-pass are right, by their own probabilities."""
    names = network.code.names[:CHAIN_VARIABLES]
    for name in (*names, "all three"):
        right, third, often = [], [], []
        for test, answer in zip(tests, answers, strict=True):
            for row, candidates in enumerate(answer.candidates):
                wanted = [test.patches[row][DIVA.index(each)] for each in names]
                shares: dict[tuple[float, ...], float] = {}
                for chain in candidates.chains:
                    values = tuple(chain.values.values())
                    key = values if name == "all three" else (chain.values[name],)
                    shares[key] = shares.get(key, 0.0) + chain.probability
                ranked = sorted(shares, key=lambda key: -shares[key])
                one = tuple(wanted) if name == "all three" else (wanted[names.index(name)],)
                right.append(ranked[0] == one)
                third.append(one in ranked[:3])
                often.append(one)
        most = max(set(often), key=often.count)
        yield (
            f"| {name} | {100 * np.mean(right):.0f} % | {100 * np.mean(third):.0f} % | "
            f"{100 * often.count(most) / len(often):.0f} % |"
        )


def value_rows(tests: list[Test], answers: list[Answers], network: PanelPredictor) -> Iterator[str]:
    """Accuracy, error and coverage over the values that act in the true patch."""
    rng = np.random.default_rng(0)
    medians, usual, classes, frequent = [], [], [], []
    inside: dict[str, list[list[bool]]] = {}
    middle = mean_patch()
    for test, answer in zip(tests, answers, strict=True):
        same, present = canonical(test.patches)
        for row, every in enumerate(answer.patches):
            there = canonical(every)[1]
            for entry in network.code.variables:
                place, parameter = DIVA.index(entry.name), DIVA[entry.name]
                if not present[row, place]:
                    continue
                truth, values = same[row, place], every[there[:, place], place]
                if len(values) < FEWEST_DRAWS:
                    values = every[:, place]
                if parameter.choices:
                    found, counts = np.unique(values, return_counts=True)
                    classes.append(found[counts.argmax()] == truth)
                    frequent.append(middle[place] == truth)
                    continue
                span = parameter.maximum - parameter.minimum
                medians.append(abs(float(np.median(values)) - truth) / span)
                usual.append(abs(middle[place] - truth) / span)
                if there[:, place].sum() < FEWEST_DRAWS:
                    continue
                below, equal = int((values < truth).sum()), int((values == truth).sum())
                rank = (below + rng.random() * (equal + 1)) / (len(values) + 1)
                inside.setdefault(entry.name, []).append(
                    [abs(rank - 0.5) <= level / 2 for level in LEVELS]
                )
    yield f"| active choices right | {np.mean(classes):.3f} | {np.mean(frequent):.3f} |"
    yield f"| error of active values | {np.mean(medians):.3f} | {np.mean(usual):.3f} |"
    pairs_of_all = np.array([pair for pairs in inside.values() for pair in pairs])
    for column, level in enumerate(LEVELS):
        often = {
            name: np.mean(pairs, axis=0)[column]
            for name, pairs in inside.items()
            if len(pairs) >= 50
        }
        worst = max(often, key=lambda name: abs(often[name] - level), default=None)
        yield (
            f"| inside the {100 * level:.0f} % interval | {pairs_of_all[:, column].mean():.3f} | "
            f"{f'farthest: {worst} {often[worst]:.2f}' if worst else ''} |"
        )


def recording_rows(folders: list[Path]) -> Iterator[str]:
    """Averaged distance of what `deepdiva predict` answers, by both networks."""
    for folder in folders:
        files = list(sound_files([folder]))
        for task in (None, *TASKS):
            near, seconds, failed = [], 0.0, 0
            for file in files:
                began = time.perf_counter()
                try:
                    with prepared(
                        [Job.of(file, Path(), picture=False)], PredictOptions(task=task), Listener()
                    ) as found:
                        [one] = found
                except DeepDivaError:
                    failed += 1
                    continue
                seconds += time.perf_counter() - began
                target = at_reference(one.target.audio[None])[0][0]
                patch = one.answer.chosen.patch
                played = at_reference(PanelRenderer().render(patch[None], one.note, SCORING_SEED))[
                    0
                ]
                near.append(float(AveragedDistance(target, one.note.sample_rate)(played)[0]))
            values = np.array(near)
            yield (
                f"| {folder.name} ({len(near)}, {failed} refused) | {task} | {interval(values)} | "
                f"{seconds / max(1, len(near)):.1f} s |"
            )


def print_rows(title: str, heading: str, rows: Iterator[str]) -> None:
    """A table in Markdown, row by row."""
    columns = heading.count("|") - 1
    print(f"\n{title}\n\n{heading}\n|{'---|' * columns}")
    for row in rows:
        print(row, flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", type=Path, default=PANEL_WEIGHTS)
    parser.add_argument("--sounds", type=int, default=1000)
    parser.add_argument("--stored", type=int, default=20_000, help="for each of the five keys")
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument("--recordings", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    network, _ = load_predictor(options.weights, draws=max(64, options.candidates))
    assert isinstance(network, PanelPredictor)
    tests = tests_of(options.sounds)
    answers = [answers_of(network, test) for test in tests]
    total = sum(len(test.sounds) for test in tests)
    print_rows(
        f"Modules, {total:,} sounds",
        "| choice | right | among the first three | the most frequent one |",
        chain_rows(tests, answers, network),
    )
    print_rows("Values", "| measure | network | mean preset |", value_rows(tests, answers, network))
    print_rows(
        "Distances",
        "| method | averaged: median | mean | MSS: median | mean |",
        distance_rows(tests, answers, options.stored, options.candidates),
    )
    if options.recordings:
        print_rows(
            "Recordings",
            "| set | network | averaged: median | mean | time |",
            recording_rows(options.recordings),
        )


if __name__ == "__main__":
    main()
