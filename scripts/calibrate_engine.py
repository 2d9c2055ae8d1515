"""Fit the embedded engine to recordings of Diva, and its constants over all of them.

    python scripts/calibrate_engine.py fit RECORDINGS RUN          each recording, from nothing
    python scripts/calibrate_engine.py constants RECORDINGS RUN    shared constants, by small steps
    python scripts/calibrate_engine.py validate RECORDINGS RUN     the same, in held-out folds
    python scripts/calibrate_engine.py table RECORDINGS RUN        the fits' distances

RECORDINGS is a folder of wav files: note 48, velocity 127, 2 s, the 11 parameters of the 2021
project free, voice stack 2. RUN is a folder for what is found; every command goes on where the
last left off. `constants` writes RUN/constants.csv, which may then replace the engine's own.

A fit looks for the patch and for what stands in no preset: start phases, detune of the second
oscillator, noise, and the level at which the envelope starts. The first 0.1 s, in which a
recording glides in from the sound before, is left out of every score.

1. Pitches of the second oscillator are read off the spectrum's peaks.
2. All waves and octaves are tried with them; the distance of this stage hears lines, not phases.
3. The best few get phases, and CMA-ES on the spectral distance.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cma
import numpy as np
import scipy.fft
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.signal import find_peaks

from deepdiva.audio import read_audio
from deepdiva.distance import FULL, SEARCH, SpectralDistance
from deepdiva.engine import EmbeddedRenderer, EngineConstants, Nuisance
from deepdiva.engine.constants import table as constant_table
from deepdiva.files import atomic_write
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA

Array = NDArray[np.float64]
Sound = NDArray[np.float32]

NOTE = Note()
SKIPPED_SECONDS = 0.1
OCTAVES = (-24.0, -12.0, 0.0, 12.0, 24.0)
STACK = 2

# The continuous variables of a fit, each in [0, 1]: name, and what 0 and 1 mean.
VARIABLES = (
    ("OSC.Vol1", 0.0, 100.0),
    ("OSC.Vol2", 0.0, 100.0),
    ("VCF1.Freq", 30.0, 150.0),
    ("VCF1.Res", 0.0, 100.0),
    ("ENV1.Atk", 0.0, 100.0),
    ("ENV1.Dec", 0.0, 100.0),
    ("ENV1.Sus", 0.0, 100.0),
    ("start_level", 0.0, 1.0),
    ("cents_2", -30.0, 30.0),
    ("spread_2", 0.0, 2.5),
    ("phase_1a", 0.0, 1.0),
    ("phase_1b", 0.0, 1.0),
    ("phase_2a", 0.0, 1.0),
    ("phase_2b", 0.0, 1.0),
    ("noise", 0.0, 1.0),
)
LOW = np.array([low for _, low, _ in VARIABLES])
HIGH = np.array([high for _, _, high in VARIABLES])
KNOBS = 7
PHASES = slice(10, 14)

# Constants that steps are tried on, in this order.
STEPPED = (
    "level_gain",
    "lp_feedback_gain",
    "hp_clip",
    "loop_clip",
    "loop_bias",
    "drive_clip",
    "gain_pulse",
    "gain_square",
    "gain_narrow",
    "gain_triangle",
    "gain_ring",
    "gain_noise",
    "noise_colour",
    "hp_shift",
    "hp_feedback_gain",
    "attack_curve",
    "narrow_high",
    "pulse_50_high",
)


@dataclass(frozen=True)
class Combination:
    """Classes of a fit: both waves, octave of the first oscillator, semitones of the second."""

    wave_1: int
    wave_2: int
    tune_1: float
    tune_2: float

    @property
    def kind(self) -> tuple[int, int, float]:
        """All but the pitch of the second oscillator."""
        return self.wave_1, self.wave_2, self.tune_1


@dataclass
class Fit:
    """The best that was found for one recording: distance from 0.1 s on, classes, variables."""

    distance: float
    combination: Combination
    point: Array

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        chosen = self.combination
        return {
            "distance": self.distance,
            "combination": [chosen.wave_1, chosen.wave_2, chosen.tune_1, chosen.tune_2],
            "point": [float(value) for value in self.point],
        }

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> Fit:
        """The way back."""
        wave_1, wave_2, tune_1, tune_2 = known["combination"]
        return cls(
            known["distance"],
            Combination(int(wave_1), int(wave_2), tune_1, tune_2),
            np.array(known["point"]),
        )


def render(
    engine: EmbeddedRenderer, points: Array, chosen: Sequence[Combination], note: Note = NOTE
) -> Sound:
    """Candidates as sound, (candidates, samples).

    Args:
        engine: with the constants in question.
        points: (candidates, variables) in [0, 1].
        chosen: the classes of each.
        note: pitch and length.
    """
    values = LOW + (HIGH - LOW) * np.clip(points, 0.0, 1.0)
    patches = np.tile(DIVA.defaults(), (len(points), 1))
    patches[:, DIVA.index("VCC.Voicing")] = STACK
    for column in ("OPT.CSlop", "OPT.PSlop", "OPT.ESlop"):
        patches[:, DIVA.index(column)] = 0.0
    for place, (name, _, _) in enumerate(VARIABLES[:KNOBS]):
        patches[:, DIVA.index(name)] = values[:, place]
    patches[:, DIVA.index("OSC.Wave1")] = [c.wave_1 for c in chosen]
    patches[:, DIVA.index("OSC.Wave2")] = [c.wave_2 for c in chosen]
    patches[:, DIVA.index("OSC.Tune1")] = [c.tune_1 for c in chosen]
    patches[:, DIVA.index("OSC.Tune2")] = [c.tune_2 for c in chosen]
    detune = np.zeros((len(points), STACK, 2))
    detune[:, 0, 1] = values[:, 8]
    detune[:, 1, 1] = values[:, 8] + values[:, 9] - 1.02
    phases = values[:, PHASES].reshape(-1, 2, STACK).transpose(0, 2, 1)
    noise = np.stack([values[:, 14], values[:, 14] + 0.37], axis=1)
    nuisance = Nuisance(
        phases=phases, detune_cents=detune, noise=noise, start_level=values[:, 7], drift=False
    )
    return engine.render(patches, note, nuisance=nuisance)


class Lines:
    """A distance that hears spectral lines and level, but neither phases nor beats.

    Mean power spectra of 8,192 samples (and the same over 9 bins), as log magnitudes weighted by
    1 / frequency from 60 Hz on, and the level of twenty stretches.
    """

    SIZE = 8192
    SAMPLES = 40960
    NOTE = replace(NOTE, render_seconds=(4410 + 40960) / 44100)

    def __init__(self, target: Sound) -> None:
        window = np.hanning(self.SIZE + 1)[:-1]
        self._window = (2.0 * window / window.sum()).astype(np.float32)
        hertz = np.fft.rfftfreq(self.SIZE, 1.0 / NOTE.sample_rate)
        weight = 1.0 / np.maximum(hertz, 60.0)
        weight[hertz < 25.0] = 0.0
        self._weight = weight / weight.sum()
        self._target = self._hear(target)

    def _hear(self, sound: Sound) -> tuple[Array, Array, Array]:
        part = sound[4410 : 4410 + self.SAMPLES]
        frames = np.lib.stride_tricks.sliding_window_view(part, self.SIZE)[:: self.SIZE // 2]
        power = np.mean(np.abs(scipy.fft.rfft(frames * self._window, axis=1)) ** 2, axis=0)
        smooth = np.convolve(power, np.ones(9) / 9.0, "same")
        level = np.sqrt(np.mean(part.reshape(20, -1).astype(np.float64) ** 2, axis=1))
        return (
            np.log10(power + 1e-9) / 2.0,
            np.log10(smooth + 1e-9) / 2.0,
            np.log10(level + 1e-3),
        )

    def __call__(self, sounds: Sound) -> Array:
        """(candidates,) distances of (candidates, samples)."""
        fine, smooth, level = self._target
        distances = []
        for sound in sounds:
            heard = self._hear(sound)
            bins = np.abs(heard[0] - fine) + np.abs(heard[1] - smooth)
            distances.append((self._weight * bins).sum() + 0.5 * np.abs(heard[2] - level).mean())
        return np.array(distances)


Score = Callable[[Array, Sequence[Combination]], Array]


def scorer(engine: EmbeddedRenderer, distance: Callable[[Sound], Array], note: Note) -> Score:
    """Distances of candidates, rendered 256 at a time."""

    def score(points: Array, chosen: Sequence[Combination]) -> Array:
        parts = [
            distance(render(engine, points[at : at + 256], chosen[at : at + 256], note))
            for at in range(0, len(points), 256)
        ]
        return np.concatenate(parts)

    return score


def descend(
    score: Score, fit: Fit, sigma: float, evaluations: int, spreads: Array, seed: int
) -> Fit:
    """CMA-ES over the variables of one combination; never worse than where it started."""
    options = {
        "bounds": [0, 1],
        "popsize": 16,
        "verbose": -9,
        "seed": seed + 1,
        "maxfevals": evaluations,
        "CMA_stds": list(spreads),
        "tolfun": 1e-7,
        "tolx": 1e-7,
    }
    strategy = cma.CMAEvolutionStrategy(np.clip(fit.point, 1e-3, 1.0 - 1e-3), sigma, options)
    best = Fit(float(score(fit.point[None], [fit.combination])[0]), fit.combination, fit.point)
    while not strategy.stop():
        points = strategy.ask()
        distances = score(np.array(points), [fit.combination] * len(points))
        strategy.tell(points, list(distances))
        place = int(np.argmin(distances))
        if distances[place] < best.distance:
            best = Fit(float(distances[place]), fit.combination, np.array(points[place]))
    return best


WIDE = np.array([1.0] * 8 + [0.1, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0])
NARROW = np.array([0.4] * 8 + [0.06, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0])


def second_pitches(target: Sound) -> list[float]:
    """Semitones from the key at which the second oscillator may stand: peaks, and their parts."""
    size = 65536
    window = np.hanning(size)
    spectrum = np.abs(np.fft.rfft(target[4410 : 4410 + size] * window, 2 * size))
    hertz = np.fft.rfftfreq(2 * size, 1.0 / NOTE.sample_rate)
    spectrum[(hertz < 20.0) | (hertz > 6000.0)] = 0.0
    peaks, _ = find_peaks(spectrum, height=0.003 * spectrum.max(), distance=int(8.0 / hertz[1]))
    strongest = np.sort(peaks[np.argsort(-spectrum[peaks])][:12])
    found: list[float] = []
    for peak in strongest:
        for part in (1, 2, 3, 5):
            pitch = 12.0 * np.log2(hertz[peak] / part / NOTE.frequency_hz)
            if abs(pitch) <= 30.0 and all(abs(pitch - known) > 0.07 for known in found):
                found.append(float(pitch))
    return found or [0.0]


def combinations(pitches: Sequence[float]) -> list[Combination]:
    """All waves and octaves with all pitches; noise has no octave unless it is in the ring."""
    return [
        Combination(wave_1, wave_2, tune_1, tune_2)
        for wave_1 in (1, 2, 3, 4)
        for wave_2 in (1, 2, 3, 4)
        for tune_1 in (OCTAVES if wave_1 != 4 or wave_2 == 4 else (0.0,))
        for tune_2 in pitches
    ]


def at_random(rng: np.random.Generator, count: int) -> Array:
    """Random points, the pitch of the second oscillator where the spectrum has it."""
    points = rng.random((count, len(VARIABLES)))
    points[:, 4] = np.sqrt(rng.uniform(0.0, 1.0, count)) * rng.random(count)
    points[:, 8] = 0.5
    points[:, 9] = np.clip(rng.normal(0.42, 0.12, count), 0.02, 1.0)
    return points


def wide_search(score: Score, pitches: Sequence[float], rng: np.random.Generator) -> list[Fit]:
    """The eight most promising combinations, best first, by the distance of lines."""
    tries = [choice for choice in combinations(pitches) for _ in range(7)]
    points = at_random(rng, len(tries))
    distances = score(points, tries)
    fits: list[Fit] = []
    seen: dict[Combination, int] = {}
    crowd: dict[tuple[int, int, float], int] = {}
    for place in np.argsort(distances):
        choice = tries[place]
        if choice in seen or crowd.get(choice.kind, 0) >= 3:
            continue
        seen[choice] = 1
        crowd[choice.kind] = crowd.get(choice.kind, 0) + 1
        fits.append(Fit(float(distances[place]), choice, points[place]))
        if len(fits) == 60:
            break
    for kept, evaluations, sigma in ((24, 96, 0.3), (12, 192, 0.2), (8, 320, 0.12)):
        fits = [descend(score, fit, sigma, evaluations, WIDE, 0) for fit in fits]
        fits = sorted(fits, key=lambda fit: fit.distance)[:kept]
    return fits


def fit_recording(path: Path, changes: dict[str, float], seed: int) -> Fit:
    """One recording from nothing."""
    rng = np.random.default_rng([seed, *path.stem.encode()])
    engine = EmbeddedRenderer(constants=changes)
    target = load(path)
    lines = scorer(engine, Lines(target), Lines.NOTE)
    coarse = scorer(engine, distance(target, full=False), NOTE)
    struck: list[Fit] = []
    for fit in wide_search(lines, second_pitches(target), rng):
        points = np.repeat(fit.point[None], 480, axis=0)
        points[:, PHASES] = rng.random((480, 4))
        points[:, 14] = rng.random(480)
        points[:, 9] = np.clip(rng.normal(0.42, 0.12, 480), 0.02, 1.0)
        points[:, 8] = np.clip(points[:, 8] + rng.normal(0.0, 0.01, 480), 0.0, 1.0)
        distances = coarse(points, [fit.combination] * 480)
        for place in np.argsort(distances)[:3]:
            start = Fit(float(distances[place]), fit.combination, points[place])
            struck.append(descend(coarse, start, 0.08, 320, NARROW, seed))
    struck.sort(key=lambda fit: fit.distance)
    longer = [descend(coarse, fit, 0.05, 1600, NARROW, seed) for fit in struck[:2]]
    return polish(path, min(longer, key=lambda fit: fit.distance), changes, 640, 0.02, seed)


def polish(
    path: Path, fit: Fit, changes: dict[str, float], evaluations: int, sigma: float, seed: int
) -> Fit:
    """Go on from a fit, on the full distance."""
    target = load(path)
    score = scorer(EmbeddedRenderer(constants=changes), distance(target, full=True), NOTE)
    return descend(score, fit, sigma, evaluations, NARROW, seed)


def refit(path: Path, fit: Fit, changes: dict[str, float], evaluations: int) -> float:
    """Distance of a fit after a short way under other constants."""
    target = load(path)
    score = scorer(EmbeddedRenderer(constants=changes), distance(target, full=False), NOTE)
    return descend(score, fit, 0.03, evaluations, NARROW, 0).distance


def load(path: Path) -> Sound:
    """A recording, mono, as long as the note."""
    audio, rate = read_audio(path)
    if rate != NOTE.sample_rate:
        raise SystemExit(f"{path} has {rate} samples a second: 44,100 are needed.")
    mono = audio.mean(axis=1)
    return np.ascontiguousarray(mono[: NOTE.samples], dtype=np.float32)


def distance(target: Sound, *, full: bool) -> SpectralDistance:
    """The reported distance or that of the search, from 0.1 s on."""
    form = replace(FULL if full else SEARCH, start_seconds=SKIPPED_SECONDS)
    return SpectralDistance(target, NOTE.sample_rate, form)


class Run:
    """The folder of a calibration: `fits/NAME.json` and `changes.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "fits").mkdir(parents=True, exist_ok=True)

    def fit(self, name: str) -> Fit | None:
        """The fit of a recording, if there is one."""
        path = self.folder / "fits" / f"{name}.json"
        return Fit.from_dict(json.loads(path.read_text())) if path.exists() else None

    def keep(self, name: str, fit: Fit) -> None:
        """Write a fit, if it is nearer than what is there."""
        known = self.fit(name)
        if known is None or fit.distance < known.distance:
            text = json.dumps(fit.to_dict(), indent=1)
            atomic_write(self.folder / "fits" / f"{name}.json", text.encode(), force=True)

    @property
    def changes(self) -> dict[str, float]:
        """Constants that the run has moved away from the engine's table."""
        path = self.folder / "changes.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def change(self, changes: dict[str, float]) -> None:
        """Write them."""
        text = json.dumps(changes, indent=1)
        atomic_write(self.folder / "changes.json", text.encode(), force=True)


def step_constants(
    paths: Sequence[Path],
    fits: dict[str, Fit],
    changes: dict[str, float],
    evaluations: int,
    jobs: int,
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Try each constant a step down and a step up; keep what is nearer by over two of its errors.

    Returns:
        The changes after it, and for each constant the range that costs less than one standard
        error of the mean distance.
    """
    workers = Parallel(n_jobs=jobs)

    def mean(tried: dict[str, float]) -> Array:
        return np.array(
            workers(delayed(refit)(path, fits[path.stem], tried, evaluations) for path in paths)
        )

    open_ranges: dict[str, tuple[float, float]] = {}
    here = mean(changes)
    for name in STEPPED:
        row = constant_table()[name]
        value = changes.get(name, row.value)
        steps = [value + 0.5 * (row.low - value), value + 0.5 * (row.high - value)]
        low, high = row.low, row.high
        best = (0.0, value, here)
        for step in steps:
            if abs(step - value) < 1e-9:
                continue
            there = mean({**changes, name: step})
            gain = float((here - there).mean())
            error = float((here - there).std() / np.sqrt(len(paths)))
            print(f"  {name} {value:.4g} -> {step:.4g}: {-gain:+.4f} ({error:.4f})", flush=True)
            if gain > max(best[0], 2.0 * error):
                best = (gain, step, there)
            if -gain > error:
                low, high = (step, high) if step < value else (low, step)
        if best[1] != value:
            changes = {**changes, name: best[1]}
            here = best[2]
            print(f"  {name} is now {best[1]:.4g}: mean {here.mean():.4f}", flush=True)
        open_ranges[name] = (min(low, best[1]), max(high, best[1]))
    return changes, open_ranges


def write_constants(
    path: Path, changes: dict[str, float], ranges: dict[str, tuple[float, float]]
) -> None:
    """The engine's table with the run's values and ranges."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "value", "low", "high", "unit", "confidence", "meaning"])
    for row in constant_table().values():
        value = changes.get(row.name, row.value)
        low, high = ranges.get(row.name, (row.low, row.high))
        numbers = [f"{number:.6g}" for number in (value, low, high)]
        writer.writerow([row.name, *numbers, row.unit, row.confidence, row.meaning])
    atomic_write(path, text.getvalue().encode(), force=True)


def command_fit(paths: Sequence[Path], run: Run, options: argparse.Namespace) -> None:
    """Fit each recording that has no fit yet, or go on with all of them."""

    def work(path: Path) -> None:
        known = run.fit(path.stem)
        if known is None or options.again:
            found = fit_recording(path, run.changes, options.seed)
        else:
            found = polish(path, known, run.changes, options.evaluations, 0.03, options.seed)
        run.keep(path.stem, found)
        print(f"{path.stem} {found.distance:.4f} {found.combination}", flush=True)

    Parallel(n_jobs=options.jobs)(delayed(work)(path) for path in paths)
    command_table(paths, run, options)


def known_fits(paths: Sequence[Path], run: Run) -> dict[str, Fit]:
    """All fits of a run; there must be one for each recording."""
    fits = {path.stem: run.fit(path.stem) for path in paths}
    missing = [name for name, fit in fits.items() if fit is None]
    if missing:
        raise SystemExit(f"No fit of {', '.join(missing)} yet: run `fit` first.")
    return {name: fit for name, fit in fits.items() if fit is not None}


def command_constants(paths: Sequence[Path], run: Run, options: argparse.Namespace) -> None:
    """One round of steps over the constants, on all recordings."""
    fits = known_fits(paths, run)
    changes, ranges = step_constants(paths, fits, run.changes, options.evaluations, options.jobs)
    run.change(changes)
    write_constants(run.folder / "constants.csv", changes, ranges)


def command_validate(paths: Sequence[Path], run: Run, options: argparse.Namespace) -> None:
    """Constants from some recordings, scored on the others: distances before and after."""
    fits = known_fits(paths, run)
    before: list[float] = []
    after: list[float] = []
    workers = Parallel(n_jobs=options.jobs)
    for fold in range(options.folds):
        held_out = list(paths[fold :: options.folds])
        rest = [path for path in paths if path not in held_out]
        print(f"fold {fold + 1}: {', '.join(path.stem for path in held_out)}", flush=True)
        changes, _ = step_constants(rest, fits, run.changes, options.evaluations, options.jobs)
        for moved, scores in ((run.changes, before), (changes, after)):
            scores += workers(
                delayed(refit)(path, fits[path.stem], moved, options.evaluations)
                for path in held_out
            )
    gain = np.array(before) - np.array(after)
    error = gain.std() / np.sqrt(len(gain))
    print(f"held out: {np.mean(before):.4f} -> {np.mean(after):.4f}, gain {gain.mean():.4f}")
    print(f"          standard error {error:.4f}; nearer {np.sum(gain > 0)} of {len(gain)}")


def command_table(paths: Sequence[Path], run: Run, _options: argparse.Namespace) -> None:
    """Distances of all fits, with mean and median."""
    distances = []
    for path in paths:
        fit = run.fit(path.stem)
        if fit is None:
            continue
        distances.append(fit.distance)
        c = fit.combination
        print(f"{path.stem:20} {fit.distance:.3f}  waves {c.wave_1} {c.wave_2}", end="")
        print(f"  Tune1 {c.tune_1:+.0f}  Tune2 {c.tune_2:+.2f}")
    print(f"mean {np.mean(distances):.4f}  median {np.median(distances):.4f}")


def main() -> None:
    """Read the command line and do what it says."""
    commands = {
        "fit": command_fit,
        "constants": command_constants,
        "validate": command_validate,
        "table": command_table,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=commands)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--only", nargs="*", default=(), help="names of recordings, without .wav")
    parser.add_argument("--again", action="store_true", help="fit from nothing what has a fit")
    parser.add_argument("--evaluations", type=int, default=320, help="of each descent that goes on")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = sorted(options.recordings.glob("*.wav"))
    if options.only:
        paths = [path for path in paths if path.stem in options.only]
    if not paths:
        raise SystemExit(f"{options.recordings} holds no wav file of those names.")
    EngineConstants(Run(options.run).changes)
    commands[options.command](paths, Run(options.run), options)


if __name__ == "__main__":
    main()
