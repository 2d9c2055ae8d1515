"""The presets of a library that are nearest to a sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance import AveragedDistance
from deepdiva.errors import DeepDivaError
from deepdiva.level import at_reference
from deepdiva.library.fingerprint import fingerprint, spectral_gaps, transposed
from deepdiva.library.rendered import Library, play
from deepdiva.note import Note
from deepdiva.synths.diva.preset import Preset
from deepdiva.workers import WorkerPool, worker_count

ALL_KEYS = range(24, 97)
"""Keys that are tried where none is known: C1 to C7."""

SHORTLIST = 30
"""Presets that are rendered at the very note of the target."""

LONGEST_SECONDS = 4.0
"""More of a target than this is not compared."""

VELOCITIES = (64, 100)
"""Velocities that are tried where none is known."""

_KEYS_EACH = 2


@dataclass(frozen=True, eq=False)
class Nearest:
    """A preset that is near a sound.

    Attributes:
        path: the preset.
        key: MIDI note number at which it is.
        distance: averaged-spectra distance to the target, both at one level; 1 stands for 20 dB.
        sound: what it sounds like at the level of the target, shape (samples,).
    """

    path: Path
    key: int
    distance: float
    sound: NDArray[np.float32] = field(repr=False)


def nearest_presets(
    library: Library,
    target: NDArray[np.float32],
    note: Note,
    *,
    keys: Sequence[int] = ALL_KEYS,
    velocities: Sequence[int] = VELOCITIES,
    count: int = 10,
    jobs: int | None = None,
) -> list[Nearest]:
    """Find the presets that are nearest to a sound, whatever its level.

    All presets are compared by what the library knows of them, at each of some keys; those that
    are left, `SHORTLIST` or twice `count`, are rendered at the note of the target at the two keys
    that suit each best, and ranked by the averaged-spectra distance.

    Args:
        library: where to look.
        target: shape (note.samples,), mono, not silent.
        note: what was played, but for key and velocity.
        keys: at which presets may be played.
        velocities: at which presets are rendered; the one that suits a preset best counts.
        count: presets at most.
        jobs: threads; None for one for each core.

    Returns:
        Each preset once, the nearest first.
    """
    coarse = _gaps(library, target, note, keys)
    best = coarse.min(axis=1)
    chosen = np.argsort(best, kind="stable")[: max(SHORTLIST, 2 * count)]
    heard = replace(note, render_seconds=min(note.render_seconds, LONGEST_SECONDS))
    audio = at_reference(target[None, : heard.samples])[0][0]
    work = _Work(heard, AveragedDistance(audio, heard.sample_rate))
    tried = [
        (library.paths[index], int(keys[key]), velocity)
        for index in chosen
        for key in np.argsort(coarse[index], kind="stable")[:_KEYS_EACH]
        for velocity in velocities
    ]
    with WorkerPool(_scored, work, "threading", worker_count(jobs)) as pool:
        found = [one for one in pool.map(tried) if one is not None]
    ranked: dict[Path, Nearest] = {}
    for one in sorted(found, key=lambda each: each.distance):
        ranked.setdefault(one.path, one)
    rms = float(np.sqrt(np.mean(np.square(target[: heard.samples], dtype=np.float64))))
    own = np.float32(rms / float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)))))
    return [replace(one, sound=one.sound * own) for one in list(ranked.values())[:count]]


def _gaps(
    library: Library, target: NDArray[np.float32], note: Note, keys: Sequence[int]
) -> NDArray[np.float64]:
    """Distances by fingerprints, shape (presets, keys)."""
    wanted = fingerprint(target, note)
    gaps = np.empty((len(library.paths), len(keys)))
    for column, key in enumerate(keys):
        gaps[:, column] = spectral_gaps(transposed(library.keys, library.prints, key)[1], wanted)
    return gaps


@dataclass(frozen=True, eq=False)
class _Work:
    """What threads share: the note but for its key, and the distance to the target."""

    note: Note
    distance: AveragedDistance


def _scored(work: _Work, item: tuple[Path, int, int]) -> Nearest | None:
    """A preset at a key and velocity, at the reference level; None where it cannot be played."""
    path, key, velocity = item
    try:
        sound = play(Preset.read(path), replace(work.note, pitch=key, velocity=velocity))
    except (DeepDivaError, OSError):
        return None
    levelled = at_reference(sound[None])[0]
    return Nearest(path, key, float(work.distance(levelled)[0]), levelled[0])
