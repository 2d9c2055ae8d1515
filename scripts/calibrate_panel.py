"""Fit constants of the panel engine to real sounds whose parameters are known.

    python scripts/calibrate_panel.py fit SOUNDS [--constants NAME ...] [--steps 4]
    python scripts/calibrate_panel.py cross SOUNDS [--groups n0,n7,rec]
    python scripts/calibrate_panel.py show SOUNDS

SOUNDS holds recordings and `parameters.csv`, whose column `wav` names them and whose others hold
values of Diva's parameters in units. The sounds were played on key 60, held 3 s, 4 s long, with
oscillators that are reset and detune pots at 0.

Patches are held as given; only constants that all sounds share are moved, by Gauss-Newton steps on
the levels in 40 bands over time, weighted so that the mean of absolute differences falls. `cross`
fits with one group of sounds left out in turn: it shows how far each constant is known, which a
covariance would not, because neighbouring bands and frames of one sound are no independent
witnesses. Drift and slop are switched off: what they were in the recordings is not known.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import stft

from deepdiva.engine.voice_constants import VOICE_CONSTANTS
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer

Array = NDArray[np.float64]
RATE = 22050
NOTE = Note(pitch=60, velocity=127, length_seconds=3.0, render_seconds=4.0)
STILL = {"cutoff_slop_semitones": 0.0, "time_slop": 0.0}
USUAL = [
    "filter.ladder.shift",
    "filter.ladder.feedback_gain",
    "filter.ladder.feedback_power",
    "filter.ladder.drive",
    "filter.ladder.offset",
    "filter.ladder.fade",
    "amplifier.vca.drive",
    "amplifier.vca.coupling",
    "oscillator.triple_vco.fm_octaves",
    "oscillator.triple_vco.level_gain",
    "oscillator.triple_vco.level_power",
    "attack_longest",
    "attack_power",
    "attack_curve",
    "decay_longest",
    "decay_power",
    "decay_shortest",
    "release_longest",
    "release_power",
    "release_undershoot",
    "release_shortest",
    "feedback_gain",
    "cutoff_depth",
    "key_pivot",
    "filter_fm_ladder_semitones",
]


def constants() -> dict[str, tuple[float, float, float]]:
    """Value, low and high of every constant by name."""
    found = {entry.name: (entry.value, entry.low, entry.high) for entry in VOICE_CONSTANTS}
    for module in panel.modules():
        for entry in module.constants:
            name = f"{module.full_name}.{entry.name}"
            found[name] = (entry.value, entry.low, entry.high)
    return found


def bands() -> NDArray[np.bool_]:
    """(40, bins): which bins of the spectrum make a band."""
    hertz = np.fft.rfftfreq(2048, 1.0 / RATE)
    edges = np.geomspace(60.0, 9000.0, 41)
    rows = []
    for low, high in pairwise(edges):
        row = (hertz >= low) & (hertz < high)
        if not row.any():
            row = np.arange(len(hertz)) == np.argmin(np.abs(hertz - np.sqrt(low * high)))
        rows.append(row)
    return np.array(rows)


BANDS = bands().astype(np.float64)


def picture(sound: Array) -> Array:
    """(40, frames): power in bands over time."""
    _, _, spectrum = stft(sound, RATE, nperseg=2048, noverlap=1024, boundary=None)
    return np.asarray(BANDS @ np.abs(spectrum) ** 2)


def from_onset(sound: Array) -> Array:
    """The sound from its first sample above a hundredth of its peak."""
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    return sound[loud[0] :] if loud.size else sound


@dataclass(frozen=True)
class Known:
    """Recordings and their patches."""

    names: list[str]
    patches: Array
    sounds: list[Array]

    @classmethod
    def read(cls, folder: Path) -> Known:
        """Read `parameters.csv` and what it names."""
        with (folder / "parameters.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        usual = DIVA.defaults()
        patches = np.array([[float(row[p.name] or usual[p.index]) for p in DIVA] for row in rows])
        patches[:, DIVA.index("OSC.Drift")] = 0.0
        sounds = []
        for row in rows:
            audio, rate = soundfile.read(folder / row["wav"], always_2d=True)
            mono = audio.mean(axis=1)
            sounds.append(from_onset(mono if rate == RATE else soxr.resample(mono, rate, RATE)))
        return cls([row["wav"] for row in rows], patches, sounds)

    def some(self, rows: list[int]) -> Known:
        """Some of the sounds."""
        return Known(
            [self.names[k] for k in rows], self.patches[rows], [self.sounds[k] for k in rows]
        )


def differences(known: Known, values: dict[str, float]) -> list[Array]:
    """Level differences in dB, (40, frames) for each sound, one gain taken out."""
    engine = PanelRenderer(
        np.zeros((8, 3)), values, os.cpu_count() or 1, panel.Start(reset=True)
    )
    found = []
    for target, render in zip(known.sounds, engine.render(known.patches, NOTE), strict=True):
        played = from_onset(soxr.resample(render.astype(np.float64), NOTE.sample_rate, RATE))
        length = min(len(target), len(played))
        wanted, got = picture(target[:length]), picture(played[:length])
        floor = 1e-6 * wanted.max()
        a = 10.0 * np.log10(np.maximum(wanted, floor))
        b = 10.0 * np.log10(np.maximum(got, 1e-30))
        b = np.maximum(b + np.median((a - b)[wanted > floor]), 10.0 * np.log10(floor))
        found.append(a - b)
    return found


def mean_distance(found: list[Array]) -> float:
    """Mean over sounds of the mean absolute difference, dB."""
    return float(np.mean([np.abs(one).mean() for one in found]))


def residuals(found: list[Array]) -> Array:
    """All differences in one vector, three frames together, every sound of the same weight."""
    rows = []
    for one in found:
        frames = one.shape[1] // 3 * 3
        short = one[:, :frames].reshape(len(one), -1, 3).mean(axis=2)
        rows.append(short.ravel() / np.sqrt(short.size))
    return np.concatenate(rows)


def fit(known: Known, names: list[str], steps: int, start: dict[str, float]) -> dict[str, float]:
    """Gauss-Newton with reweighting and a damping that gives way; prints each step."""
    table = constants()
    values = dict(start)
    found = differences(known, {**STILL, **values})
    best, here = mean_distance(found), residuals(found)
    print(f"start {best:.4f} dB", flush=True)
    scale = {name: 0.1 * (table[name][2] - table[name][1]) for name in names}
    for step in range(steps):
        columns = []
        for name in names:
            moved = {**STILL, **values, name: values[name] + scale[name]}
            columns.append(residuals(differences(known, moved)) - here)
        slopes = np.array(columns).T
        weights = 1.0 / np.maximum(np.abs(here), 0.5 * np.median(np.abs(here)))
        normal = slopes.T @ (weights[:, None] * slopes)
        gradient = slopes.T @ (weights * here)
        for damping in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
            damped = normal + damping * np.diag(np.diag(normal) + 1e-12)
            move = np.clip(-np.linalg.solve(damped, gradient), -6.0, 6.0)
            tried = dict(values)
            for name, part in zip(names, move, strict=True):
                tried[name] = values[name] + scale[name] * float(part)
            found = differences(known, {**STILL, **tried})
            if mean_distance(found) < best - 1e-4:
                best, here, values = mean_distance(found), residuals(found), tried
                break
        else:
            break
        print(f"step {step + 1}: {best:.4f} dB", flush=True)
    return values


def main() -> None:
    """Fit, cross-validate or show."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", choices=("fit", "cross", "show"))
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--constants", nargs="+", default=USUAL)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument(
        "--groups", default="n0,n7,rec", help="beginnings of names, left out in turn"
    )
    options = parser.parse_args()
    known = Known.read(options.sounds)
    start = {name: constants()[name][0] for name in options.constants}
    if options.task == "show":
        found = differences(known, STILL)
        for name, one in sorted(zip(known.names, found, strict=True), key=lambda row: row[0]):
            print(f"{np.abs(one).mean():6.2f} dB  {name}")
        print(f"mean {mean_distance(found):.3f} dB")
    elif options.task == "fit":
        for name, value in fit(known, options.constants, options.steps, start).items():
            print(f"{name:40}{value:12.4f}")
    else:
        folds = []
        for group in options.groups.split(","):
            inside = [k for k, name in enumerate(known.names) if not name.startswith(group)]
            outside = [k for k, name in enumerate(known.names) if name.startswith(group)]
            values = fit(known.some(inside), options.constants, options.steps, start)
            left = mean_distance(differences(known.some(outside), {**STILL, **values}))
            print(f"{group} left out: {left:.3f} dB on it")
            folds.append(values)
        for name in options.constants:
            line = " ".join(f"{values[name]:10.4f}" for values in folds)
            print(f"{name:40}{start[name]:10.4f} | {line}")


if __name__ == "__main__":
    main()
