"""Whether key, tuning, onset and release are heard rightly.

    python benchmarks/hearing.py [--instruments FOLDER] [--recordings FOLDER=KEY ...]

Instruments are files whose names end in `_k` and the key, each held for 2 s from the file's
beginning; they are heard with their names and without. Beside them stand 200 sounds of the embedded
engine over keys 24 to 96, of two kinds: musical patches (oscillators in unison, octaves, fifths and
fourths, 20 to 100 in level, filter open enough for the key) and patches drawn uniformly over the 11
parameters of the 2021 project, where two oscillators are anything from 0 to 54 semitones apart and
no key is the right one: there, either oscillator's pitch counts. `mixes` are synthesised: narrow
pulses, fifths, sub-oscillators, ring modulation, noise as loud as the tone. `human` are patches of
the whole panel as human presets are spread, those whose key is audible.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.hearing import understand
from deepdiva.hearing.key import find_key, find_partials, track_pitch
from deepdiva.note import Note
from deepdiva.synths import synthesizer_of
from deepdiva.synths.diva import DIVA, default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.prior.registry import prior_for

RATE = 44100
COUNT = 100

Sound = tuple[list[float], NDArray[np.float32]]


def musical(count: int, seed: int) -> list[Sound]:
    """Engine sounds whose two oscillators belong together: true pitches, and audio."""
    space, rng = default_space(), np.random.default_rng(seed)
    synth = PanelRenderer()
    found: list[Sound] = []
    names = list(space.names)
    while len(found) < count:
        key = int(rng.integers(24, 97))
        patch = space.patches(space.random(rng, 1))[0]
        values = dict(zip(names, space.columns, strict=True))
        patch[values["OSC.Tune1"]] = 0.0
        apart = float(rng.choice([0.0, 12.0, 7.0, -12.0, 5.0]))
        patch[values["OSC.Tune2"]] = apart + rng.normal(0.0, 0.03)
        patch[values["OSC.Vol1"]] = rng.uniform(50.0, 100.0)
        patch[values["OSC.Vol2"]] = rng.uniform(0.0, 80.0)
        patch[values["OSC.Wave1"]] = rng.integers(1, 4)
        patch[values["OSC.Wave2"]] = rng.integers(1, 4)
        patch[values["VCF1.Freq"]] = rng.uniform(max(60.0, key), 140.0)
        audio = _render(synth, patch, key, len(found))
        if audio is not None:
            found.append(([float(key), key + min(apart, 0.0)], audio))
    return found


def uniform(count: int, seed: int) -> list[Sound]:
    """Engine sounds of patches drawn uniformly; either oscillator's pitch is true."""
    space, rng = default_space(), np.random.default_rng(seed)
    synth = PanelRenderer()
    found: list[Sound] = []
    tunes = [space.table.index(name) for name in ("OSC.Tune1", "OSC.Tune2")]
    while len(found) < count:
        key = int(rng.integers(24, 97))
        patch = space.patches(space.random(rng, 1))[0]
        audio = _render(synth, patch, key, len(found))
        if audio is not None:
            found.append(([float(key + patch[tune]) for tune in tunes], audio))
    return found


def human(count: int, seed: int) -> list[Sound]:
    """Engine sounds of the whole panel, drawn as human presets are spread; any oscillator counts.

    Not every such patch has a key that can be heard: noise, ring modulation, a filter that whistles
    by itself, LFOs at audible rates. The key is audible where the spectrum moves with it by a
    semitone when the next key is played, and where the fundamental of an oscillator lies within
    20 dB of the strongest line; other patches are left out.
    """
    prior, synth, rng = prior_for("human"), PanelRenderer(), np.random.default_rng(seed)
    note = Note(length_seconds=1.5, render_seconds=1.5)
    found: list[Sound] = []
    for number, patch in enumerate(prior.sample(4 * count, seed, note)):
        key = int(rng.integers(24, 97))
        audio = _render(synth, patch, key, number)
        above = None if audio is None else _render(synth, patch, key + 1, number)
        if audio is None or above is None or not moves_with_key(audio, above):
            continue
        lines = find_partials(audio[round(0.1 * RATE) :], RATE)
        strong = 69.0 + 12.0 * np.log2(lines.hertz[lines.levels_db > -20.0] / 440.0)
        true = [key + semitones for semitones in oscillators(patch)]
        if any(len(strong) and np.abs(strong - pitch).min() < 0.4 for pitch in true):
            found.append((true, audio))
        if len(found) == count:
            break
    return found


def oscillators(patch: NDArray[np.float64]) -> list[float]:
    """Pitches of the oscillators that a patch lets through, in semitones above the key."""

    def value(name: str) -> float:
        return float(patch[DIVA.index(name)])

    first = 12.0 * float(np.clip(np.rint(value("OSC.Tune1") / 12.0), -2, 2))
    model = int(value("OSC.Model"))
    volumes = [value(f"OSC.Vol{number}") for number in (1, 2, 3)]
    tunes = [first, value("OSC.Tune2"), value("OSC.Tune3")]
    if model in (1, 4):
        volumes = [100.0 - value("OSC.OscMix"), value("OSC.OscMix")]
    elif model == 2:  # the sub-oscillator is one or two octaves below
        volumes, tunes = [100.0, 100.0, 100.0], [first, first - 12.0, first - 24.0]
    elif model == 3:
        volumes = [volumes[k] * (value(f"OSC.Wave{k + 1}") < 4.0) for k in range(2)]
    transposed = synthesizer_of(DIVA).transposition(patch)
    loud = 0.1 * max(*volumes, 1.0)
    return [transposed + t for t, v in zip(tunes, volumes, strict=False) if v > max(loud, 2.0)]


def moves_with_key(audio: NDArray[np.float32], above: NDArray[np.float32]) -> bool:
    """Whether a spectrum on an axis of semitones moves by one of them with the next key."""
    here, there = _by_semitones(audio), _by_semitones(above)

    def alike(shift: int) -> float:
        one, two = here[: len(here) - shift], there[shift:]
        return float((one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum() + 1e-9))

    moved = max(alike(3), alike(4), alike(5))
    return moved > 0.8 and moved > alike(0) + 0.1


def _by_semitones(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    """Levels above -45 dB of quarters of a semitone from 16 Hz on."""
    part = audio[round(0.1 * RATE) :]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 16)) ** 2
    edges = np.maximum(1, (16.0 * 2.0 ** (np.arange(481) / 48.0) * (1 << 16) / RATE).astype(int))
    bands = [power[i : max(j, i + 1)].max() for i, j in pairwise(edges)]
    levels = 10.0 * np.log10(np.array(bands) + 1e-20)
    return np.asarray(np.maximum(levels - levels.max() + 45.0, 0.0))


def mixes(count: int, seed: int) -> list[Sound]:
    """Synthesised sounds that trackers get wrong."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(1.5 * RATE)) / RATE
    found = []
    for number in range(count):
        key = float(rng.integers(24, 97) + rng.uniform(-0.4, 0.4))

        def wave(pitch: float, width: float = 0.0) -> NDArray[np.float64]:
            hertz = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
            numbers = np.arange(1, max(2, int(12000 / hertz)))
            levels = np.sin(np.pi * numbers * width) / numbers if width else 1.0 / numbers
            total: NDArray[np.float64] = np.zeros(len(times))
            for n, level in zip(numbers, levels, strict=True):
                total += level * np.sin(2 * np.pi * n * hertz * times)
            return total / max(float(total.std()), 1e-9)

        kind = number % 5
        true = [key]
        if kind == 0:
            audio = wave(key, float(rng.uniform(0.03, 0.12)))
        elif kind == 1:
            audio = wave(key) + 0.8 * wave(key + 7.02)
        elif kind == 2:
            audio = wave(key, 0.3) + 0.5 * wave(key - 12.0, 0.5)
            true = [key, key - 12.0]
        elif kind == 3:
            audio = wave(key) + 0.3 * wave(key) * wave(key + 19.0, 0.5)
        else:
            audio = wave(key) + rng.standard_normal(len(times))
        found.append((true, (0.1 * audio).astype(np.float32)))
    return found


def _render(
    synth: PanelRenderer, patch: NDArray[np.float64], key: int, seed: int
) -> NDArray[np.float32] | None:
    """A second and a half of a patch; None if it is hardly audible."""
    note = Note(pitch=key, length_seconds=1.5, render_seconds=1.5)
    audio = synth.render(patch[None], note, seed)[0]
    return audio if float(np.sqrt(np.mean(np.square(audio)))) > 1e-3 else None


def by_combination(audio: NDArray[np.float32]) -> float | None:
    """The estimator that is used."""
    found = find_key(audio, RATE)
    return found[0].pitch if found else None


def by_periodicity(audio: NDArray[np.float32]) -> float | None:
    """Normalised square differences alone."""
    track = track_pitch(audio, RATE)
    heard = track.pitches[np.isfinite(track.hertz) & (track.clarity > 0.5)]
    return float(np.median(heard)) if len(heard) else None


def by_lowest_line(audio: NDArray[np.float32]) -> float | None:
    """The lowest strong line of the spectrum."""
    lines = find_partials(audio, RATE)
    strong = lines.hertz[lines.levels_db > -30.0]
    return 69.0 + 12.0 * float(np.log2(strong[0] / 440.0)) if len(strong) else None


def by_swift_f0(audio: NDArray[np.float32]) -> float | None:
    """swift-f0, if it is installed."""
    import soxr
    from swift_f0 import SwiftF0

    result = SwiftF0(threads=1).detect(soxr.resample(audio, RATE, 16000), 16000)
    heard = np.asarray(result.pitch_hz)[np.asarray(result.confidence) > 0.5]
    return 69.0 + 12.0 * float(np.log2(np.median(heard) / 440.0)) if len(heard) else None


def by_pyin(audio: NDArray[np.float32]) -> float | None:
    """Probabilistic YIN of librosa, frame 4096."""
    import librosa

    hertz, voiced, _ = librosa.pyin(
        audio.astype(np.float64), fmin=22.0, fmax=4500.0, sr=RATE, frame_length=4096
    )
    heard = hertz[voiced & np.isfinite(hertz)]
    return 69.0 + 12.0 * float(np.log2(np.median(heard) / 440.0)) if len(heard) else None


ESTIMATORS = {
    "combination": by_combination,
    "periodicity": by_periodicity,
    "lowest line": by_lowest_line,
    "swift-f0": by_swift_f0,
    "pyin": by_pyin,
}


def score(sounds: Sequence[Sound], name: str) -> str:
    """How often an estimator is right, off by octaves, or silent; and its error where right."""
    right = octaves = silent = 0
    errors = []
    for true, audio in sounds:
        heard = ESTIMATORS[name](audio[round(0.1 * RATE) :])
        if heard is None:
            silent += 1
            continue
        away = np.array([heard - pitch for pitch in true])
        if np.abs(away).min() < 0.5:
            right += 1
            errors.append(100.0 * float(np.abs(away).min()))
        elif np.abs((away + 6.0) % 12.0 - 6.0).min() < 0.5:
            octaves += 1
    cents = f"{np.median(errors):.1f}" if errors else "-"
    return f"{right}/{len(sounds)} | {octaves} | {silent} | {cents}"


def instruments(folder: Path) -> None:
    """Print what is heard in instruments, with their names and without."""
    print("| instrument | by name | by sound | cents | onset ms | own onset ms | release s |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for number, path in enumerate(sorted(folder.glob("*_k*.*"))):
            key = int(path.stem.rsplit("_k", 1)[1])
            anonymous = Path(place) / f"sound-{chr(97 + number)}{path.suffix}"
            shutil.copyfile(path, anonymous)
            named, alone = understand(path), understand(anonymous)
            release = "" if alone.release_seconds is None else f"{alone.release_seconds:.2f}"
            print(
                f"| {path.stem} | {named.key == key} | {alone.key == key} "
                f"| {alone.cents or 0:+.1f} "
                f"| {1000 * alone.onset_seconds:.1f} | {1000 * own_onset(path):.1f} | {release} |"
            )


def own_onset(path: Path) -> float:
    """First sample of the channels' mean above -60 dB of the peak, seconds."""
    import soundfile

    audio, rate = soundfile.read(path, always_2d=True)
    mono = np.abs(audio.mean(axis=1))
    return float(np.argmax(mono > 1e-3 * mono[: rate // 2].max())) / float(rate)


def recordings(folder: Path, key: int) -> None:
    """Print how often the likeliest key, or one of the candidates, is that of recordings."""
    files = sorted(folder.glob("*.wav"))
    first = among = octaves = 0
    for path in files:
        found = understand(path).candidates
        first += bool(found) and found[0].key == key
        among += any(candidate.key == key for candidate in found)
        octaves += bool(found) and (found[0].key - key) % 12 == 0
    print(
        f"{folder.name}: of {len(files)}, key {key} first {first}, among the candidates {among}, "
        f"first but for octaves {octaves}"
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=Path)
    parser.add_argument("--recordings", nargs="*", default=[], metavar="FOLDER=KEY")
    parser.add_argument("--estimators", nargs="*", default=list(ESTIMATORS))
    parser.add_argument("--count", type=int, default=COUNT)
    arguments = parser.parse_args()
    if arguments.instruments:
        instruments(arguments.instruments)
    for text in arguments.recordings:
        folder, _, key = text.partition("=")
        recordings(Path(folder), int(key))
    sets = {
        "musical": musical(arguments.count, 1),
        "human": human(arguments.count, 5),
        "uniform": uniform(arguments.count, 2),
        "mixes": mixes(arguments.count, 3),
    }
    print(
        "| sounds | estimator | right | octaves off | none | cents off |\n|---|---|---|---|---|---|"
    )
    for title, sounds in sets.items():
        for name in arguments.estimators:
            print(f"| {title} | {name} | {score(sounds, name)} |", flush=True)


if __name__ == "__main__":
    main()
