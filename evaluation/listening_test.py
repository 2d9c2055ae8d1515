"""A listening test of a run: one page that holds its sounds, and what listeners answered.

The method is that of ITU-R BS.1534-3 (MUSHRA) as far as a page can keep it: on each trial the
target is given as the reference, and the matches, the target itself (hidden) and an anchor are
rated from 0 to 100 in an order of their own. The anchor is the target through a low-pass of
3.5 kHz. All sounds
of a trial are brought to one loudness, so that a match is not judged by its volume. Listeners who
rate the hidden reference below 90 on more than 15 % of the trials are left out, as the
recommendation asks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import read_audio
from deepdiva.errors import InvalidValueError
from deepdiva.evaluation import media
from deepdiva.evaluation.folder import RunFolder, RunInfo
from deepdiva.evaluation.loudness import loudness_lufs
from deepdiva.evaluation.statistics import Interval, Pairing, bootstrap, compare_paired
from deepdiva.files import atomic_write
from deepdiva.names import html_text
from deepdiva.state_files import KINDS

Audio = NDArray[np.float32]

PAGE = "listening.html"
FORMAT = "deepdiva-listening"
FORMAT_VERSION = 1

REFERENCE, ANCHOR = "(hidden reference)", "(anchor)"
"""Names of the two sounds of each trial that nobody made; no method can be called so."""

ANCHOR_HZ = 3500.0
LOUDNESS_LUFS = -23.0
SOUNDS = 12
"""Trials of a test, unless told otherwise: twenty minutes for a listener."""

REFERENCE_AT_LEAST = 90.0
MOST_MISSED = 0.15


def write_page(folder: RunFolder, count: int = SOUNDS, seed: int = 0) -> Path:
    """Write `listening.html` into the folder of a run.

    Args:
        folder: of a run in which every method answered the sounds that are drawn.
        count: trials; all sounds where there are fewer.
        seed: of the draw of sounds.

    Raises:
        InvalidValueError: no sound has an answer of every method.
        MissingFileError: the folder holds no run.
    """
    info = folder.read_info()
    results = folder.results(info)
    methods = [name for name, cells in results.items() if cells]
    answered = [
        sound.name
        for sound in info.sounds
        if methods and all(_sounds(folder, name, sound.name, results) for name in methods)
    ]
    if not answered:
        raise InvalidValueError(
            f"{folder.path}: no sound has an audible answer of every method, so there is "
            "nothing to compare. Run the evaluation to its end, or name fewer methods."
        )
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.permutation(len(answered))[:count])
    trials = [_trial(folder, answered[place], methods) for place in chosen]
    text = Template(_asset("listening.html")).substitute(
        title=html_text(f"Listening test on {info.test_set}"),
        style=_asset("listening.css"),
        script=_asset("listening.js"),
        data=json.dumps(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "run": identity(info),
                "test_set": info.test_set,
                "trials": trials,
            }
        ).replace("</", "<\\/"),
    )
    path = folder.path / PAGE
    atomic_write(path, text.encode(), force=True)
    return path


def identity(info: RunInfo) -> str:
    """What results of a test must share to be compared: 16 hexadecimal digits of the run."""
    import hashlib

    keys = [info.key(name, sound.fingerprint) for name in info.methods for sound in info.sounds]
    return hashlib.sha256("".join(keys).encode()).hexdigest()[:16]


def anchor(target: Audio, sample_rate: int) -> Audio:
    """The target through a low-pass of 3.5 kHz (Butterworth of order 8, forwards and backwards).

    Args:
        target: shape (samples,).
        sample_rate: samples per second.
    """
    from scipy.signal import butter, sosfiltfilt

    sections = butter(8, ANCHOR_HZ, fs=sample_rate, output="sos")
    return np.asarray(sosfiltfilt(sections, target.astype(np.float64)), np.float32)


def level_matched(sounds: Sequence[Audio], sample_rate: int) -> list[Audio]:
    """Sounds at one loudness, none of which clips.

    Args:
        sounds: each (samples,), not silent.
        sample_rate: samples per second.
    """
    gains = [10 ** ((LOUDNESS_LUFS - loudness_lufs(sound, sample_rate)) / 20) for sound in sounds]
    peak = max(float(np.abs(sound).max()) * gain for sound, gain in zip(sounds, gains, strict=True))
    common = min(1.0, 0.98 / peak)
    return [(sound * np.float32(gain * common)) for sound, gain in zip(sounds, gains, strict=True)]


def _trial(folder: RunFolder, sound: str, methods: Sequence[str]) -> dict[str, Any]:
    target, rate = _read(folder.target_path(sound))
    named = {REFERENCE: target, ANCHOR: anchor(target, rate)}
    named |= {name: _read(folder.preview_path(name, sound))[0] for name in methods}
    played = level_matched(list(named.values()), rate)
    return {
        "sound": sound,
        "stimuli": [
            {"name": name, "audio": base64.b64encode(media.mp3(audio, rate)).decode()}
            for name, audio in zip(named, played, strict=True)
        ],
    }


def _sounds(folder: RunFolder, name: str, sound: str, results: Mapping[str, Any]) -> bool:
    """Whether a method has an audible answer to a sound."""
    cell = results[name].get(sound)
    return cell is not None and cell.status == "ok" and folder.preview_path(name, sound).exists()


def _read(path: Path) -> tuple[Audio, int]:
    audio, rate = read_audio(path)
    return audio[:, 0], rate


def _asset(name: str) -> str:
    return files("deepdiva.evaluation").joinpath("assets", name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Rating:
    """One sound of one trial as a listener rated it.

    Attributes:
        sound: of the trial.
        stimulus: a method, `REFERENCE` or `ANCHOR`.
        value: 0 to 100.
    """

    sound: str
    stimulus: str
    value: float


@dataclass(frozen=True)
class Answers:
    """What one listener answered.

    Attributes:
        listener: as they called themselves; it may be empty.
        run: identity of the run.
        test_set: of the run.
        ratings: all that they gave.
    """

    listener: str
    run: str
    test_set: str
    ratings: tuple[Rating, ...]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Answers:
        """Rebuild the content of a file that a page wrote, as its schema has checked it."""
        ratings = tuple(
            Rating(trial["sound"], rating["stimulus"], float(rating["value"]))
            for trial in values["trials"]
            for rating in trial["ratings"]
        )
        return cls(values["listener"], values["run"], values["test_set"], ratings)

    @property
    def is_reliable(self) -> bool:
        """Whether the hidden reference was heard often enough to believe the rest."""
        hidden = [rating.value for rating in self.ratings if rating.stimulus == REFERENCE]
        missed = sum(value < REFERENCE_AT_LEAST for value in hidden)
        return bool(hidden) and missed <= MOST_MISSED * len(hidden)


@dataclass(frozen=True)
class Heard:
    """The ratings of several listeners.

    Attributes:
        listeners: who count.
        left_out: who missed the hidden reference too often.
        trials: that all listeners together rated.
        means: stimulus to mean rating with its interval, best first.
        pairs: two methods, the better one first, and how they compare trial by trial.
    """

    listeners: int
    left_out: tuple[str, ...]
    trials: int
    means: dict[str, Interval]
    pairs: tuple[tuple[str, str, Pairing], ...]


def is_answers(path: Path) -> bool:
    """Whether a file says that it holds a listener's answers."""
    try:
        with path.open(encoding="utf-8") as file:
            return FORMAT in file.read(256)
    except (OSError, UnicodeDecodeError):
        return False


def read_answers(path: Path) -> Answers:
    """Read what a page wrote.

    Raises:
        MissingFileError: there is no such file.
        InvalidValueError: it is something else, or damaged.
    """
    return KINDS["listening"].read(path, Answers.from_dict)


def summarise_answers(answers: Sequence[Answers], seed: int = 0) -> Heard:
    """Means with intervals, and methods in pairs.

    The unit is the trial of one listener. Intervals are percentile bootstraps over trials; they
    tell what other listeners and sounds of the same kind would say.

    Args:
        answers: of one listener each, all of one run.
        seed: of the resampling.

    Raises:
        InvalidValueError: none, answers of different runs, or no reliable listener.
    """
    if not answers:
        raise InvalidValueError("There are no answers: name at least one file of a listener.")
    runs = {each.run for each in answers}
    if len(runs) > 1:
        raise InvalidValueError(
            "The answers are of different runs: ratings of other sounds do not compare. Name "
            "files of one listening test."
        )
    kept = [each for each in answers if each.is_reliable]
    left_out = tuple(each.listener or "somebody" for each in answers if not each.is_reliable)
    if not kept:
        raise InvalidValueError(
            f"All {len(answers)} listeners rated the hidden reference below "
            f"{REFERENCE_AT_LEAST:g} on more than {MOST_MISSED:.0%} of the trials: their ratings "
            "say nothing. Ask others, in a quieter place or with other headphones."
        )
    rated: dict[str, dict[tuple[int, str], float]] = {}
    for number, each in enumerate(kept):
        for rating in each.ratings:
            rated.setdefault(rating.stimulus, {})[number, rating.sound] = rating.value
    means = {name: bootstrap(list(cells.values()), seed=seed) for name, cells in rated.items()}
    means = dict(sorted(means.items(), key=lambda entry: -entry[1].value))
    methods = [name for name in means if name not in (REFERENCE, ANCHOR)]
    pairs = []
    for place, first in enumerate(methods):
        for second in methods[place + 1 :]:
            shared = [trial for trial in rated[first] if trial in rated[second]]
            if shared:
                values = [[rated[name][trial] for trial in shared] for name in (second, first)]
                pairs.append((first, second, compare_paired(*values, sign=-1, seed=seed)))
    trials = len({trial for cells in rated.values() for trial in cells})
    return Heard(len(kept), left_out, trials, means, tuple(pairs))
