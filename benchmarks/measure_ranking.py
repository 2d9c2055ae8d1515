"""Which measures of the evaluation rank known changes of known patches rightly.

Patches of the test set `panel200` are played, changed a little, and played again with other start
phases, drift and noise. A measure is right where a changed patch is farther away than the same
patch played again (`same < ...`), where a change twice as large is farther (`3 % < 6 %`), and
where a change of 6 % is farther than what nobody hears: a delay of 5 ms, 3 dB less. Each share is
over all sounds and pairs of realizations; one half is a coin. The mean of the shares ranks.

- 3 %, 6 %: every continuous parameter that acts is moved by that share of its range, up or down.
- switch: one switch or model that acts gets another of its choices.
- module: one module gets all its settings from another patch.

A change that nobody could hear, less than 30 dB below the sound when all else is alike, is no
change: another one is drawn.

    python benchmarks/measure_ranking.py --sounds 60 --seed 0
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray

from deepdiva import __version__
from deepdiva.data.testsets import panel200
from deepdiva.data.testsets.make_testset import PlannedSound
from deepdiva.evaluation.metrics import PANEL, evaluate, is_silent
from deepdiva.files import atomic_write
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.acting import acts
from deepdiva.synths.diva.front_panel import front_panel, modules_in_use
from deepdiva.synths.diva.panel_renderer import PanelRenderer

Array = NDArray[np.float64]
Change = Callable[[Array, Array, np.random.Generator], Array]

REALIZATIONS = 2
"""Realizations of each changed patch, and of the same."""

AUDIBLE = 10 ** (-30 / 20)
ATTEMPTS = 20
DELAY_SECONDS = 0.005
QUIETER = 10 ** (-3 / 20)


def moved(share: float) -> Change:
    """All continuous parameters that act, each by a share of its range, up or down."""

    def change(patch: Array, other: Array, rng: np.random.Generator) -> Array:
        del other
        found = patch.copy()
        names = acts(patch)
        for parameter in DIVA:
            if parameter.is_class or parameter.name not in names:
                continue
            sign = 1.0 if rng.random() < 0.5 else -1.0
            [at] = parameter.to_normalised([patch[parameter.index]])
            to = at + sign * share
            to = at - sign * share if not 0.0 <= to <= 1.0 else to
            [found[parameter.index]] = parameter.to_unit(np.clip([to], 0.0, 1.0))
        return np.round(found, 2)

    return change


def switched(patch: Array, other: Array, rng: np.random.Generator) -> Array:
    """One switch that acts gets another of its choices."""
    del other
    names = acts(patch)
    open_switches = [p for p in DIVA if p.is_class and p.name in names and len(p.choices) > 1]
    parameter = open_switches[int(rng.integers(len(open_switches)))]
    values = [c.value for c in parameter.choices if c.value != patch[parameter.index]]
    found = patch.copy()
    found[parameter.index] = values[int(rng.integers(len(values)))]
    return found


def exchanged(patch: Array, other: Array, rng: np.random.Generator) -> Array:
    """One module that is in use in both patches gets all its settings from the other."""
    shared = [title for title in modules_in_use(patch) if title in modules_in_use(other)]
    title = shared[int(rng.integers(len(shared)))]
    [module] = [module for module in front_panel() if module.title == title]
    names = {*module.names, module.selector, module.switch, *sum(module.choices.values(), ())}
    columns = [DIVA.index(name) for name in names if name]
    found = patch.copy()
    found[columns] = other[columns]
    return found


CHANGES: dict[str, Change] = {
    "3 %": moved(0.03),
    "6 %": moved(0.06),
    "switch": switched,
    "module": exchanged,
}

SHARES = (
    ("same", "3 %"),
    ("same", "6 %"),
    ("same", "switch"),
    ("same", "module"),
    ("3 %", "6 %"),
    ("5 ms late", "6 %"),
    ("3 dB less", "6 %"),
)
"""Pairs of which the first has to be nearer."""


@dataclass(frozen=True)
class Judged:
    """What the measures say of one sound: kind of change to (realizations, measures)."""

    values: dict[str, Array]


def judged(sound: PlannedSound, other: PlannedSound, seed: int) -> Judged | None:
    """Play and change one patch; None where some change could not be heard."""
    renderer = PanelRenderer()
    note = sound.note or panel200.NOTE
    rng = np.random.default_rng([seed, sound.seed])
    seeds = [
        int(value) for value in rng.integers(2**31, size=1 + REALIZATIONS * (1 + len(CHANGES)))
    ]
    [target] = renderer.render(sound.patch[np.newaxis], note, seeds[0])
    if is_silent(target):
        return None
    changed = {}
    directions = int(rng.integers(2**31))
    for name, change in CHANGES.items():
        found = _audible(renderer, note, sound.patch, other.patch, change, target, seeds[0],
                         np.random.default_rng(directions if "%" in name else rng))  # fmt: skip
        if found is None:
            return None
        changed[name] = found
    values = {}
    place = 1
    for name, patch in (("same", sound.patch), *changed.items()):
        own = seeds[place : place + REALIZATIONS]
        place += REALIZATIONS
        renders = renderer.render(np.tile(patch, (REALIZATIONS, 1)), note, own)
        values[name] = np.array([measured(target, one, note.sample_rate) for one in renders])
    shift = round(DELAY_SECONDS * note.sample_rate)
    late = np.concatenate([np.zeros(shift, np.float32), target[:-shift]])
    for name, one in (("5 ms late", late), ("3 dB less", target * np.float32(QUIETER))):
        values[name] = np.array([measured(target, one, note.sample_rate)])
    return Judged(values)


def _audible(
    renderer: PanelRenderer,
    note: Note,
    patch: Array,
    other: Array,
    change: Change,
    target: NDArray[np.float32],
    seed: int,
    rng: np.random.Generator,
) -> Array | None:
    """A changed patch that differs where phases, drift and noise are the same."""
    for _ in range(ATTEMPTS):
        found = change(patch, other, rng)
        [render] = renderer.render(found[np.newaxis], note, seed)
        difference = np.sqrt(np.mean((render - target) ** 2.0))
        if difference > AUDIBLE * np.sqrt(np.mean(target**2.0)) and not is_silent(render):
            return found
    return None


def measured(target: NDArray[np.float32], match: NDArray[np.float32], rate: int) -> Array:
    """Every metric of the panel, lower is better; NaN where it is undefined."""
    scores = evaluate(target, match, rate)
    return np.array(
        [
            np.nan if (value := scores[metric.key]) is None else metric.measure.sign * value
            for metric in PANEL
        ]
    )


def shares(sounds: list[Judged]) -> Array:
    """(measures, pairs): how often the first of a pair is nearer; ties count one half."""
    table = np.full((len(PANEL), len(SHARES)), np.nan)
    for column, (near, far) in enumerate(SHARES):
        rows = []
        for sound in sounds:
            first, second = sound.values[near][:, np.newaxis], sound.values[far][np.newaxis]
            right = (first < second) + 0.5 * (first == second)
            right = np.where(np.isfinite(first) & np.isfinite(second), right, np.nan)
            rows.append(right.reshape(-1, len(PANEL)).mean(axis=0))
        table[:, column] = np.nanmean(rows, axis=0)
    return table


def intervals(sounds: list[Judged], seed: int) -> Array:
    """(measures, 2): 95 % interval of the mean of the shares, by bootstrap over the sounds."""
    rng = np.random.default_rng(seed)
    means = [
        shares([sounds[k] for k in rng.integers(len(sounds), size=len(sounds))]).mean(axis=1)
        for _ in range(200)
    ]
    return np.asarray(np.quantile(means, [0.025, 0.975], axis=0).T, np.float64)


def main() -> None:
    """Judge, rank, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, help="write the table there as Markdown")
    options = parser.parse_args()
    _, listed = panel200.listed()
    # A step of 7 goes through all notes and never meets a sound twice.
    chosen = [listed[7 * k % len(listed)] for k in range(min(options.sounds, len(listed)))]
    pairs = zip(chosen, [*chosen[1:], chosen[0]], strict=True)
    found = joblib.Parallel(n_jobs=options.jobs, verbose=5)(
        joblib.delayed(judged)(sound, other, options.seed) for sound, other in pairs
    )
    sounds = [one for one in found if one is not None]
    table, ends = shares(sounds), intervals(sounds, options.seed)
    mean = table.mean(axis=1)
    header = ["measure", *(f"{near} < {far}" for near, far in SHARES), "mean", "95 %"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in np.argsort(-mean):
        cells = [f"{value:.0%}" for value in (*table[row], mean[row])]
        low, high = ends[row]
        lines.append(
            f"| `{PANEL[row].key}` | " + " | ".join(cells) + f" | {low:.0%} to {high:.0%} |"
        )
    text = "\n".join(lines) + "\n"
    print(f"{len(sounds)} of {len(chosen)} sounds, deepdiva {__version__}")
    print(text)
    if options.output is not None:
        atomic_write(options.output, text.encode(), force=True)


if __name__ == "__main__":
    main()
