"""The presets of a folder, each rendered once at a few keys."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.cluster import Workers
from deepdiva.cluster.crew import Crew, Outcome
from deepdiva.errors import DeepDivaError, InvalidValueError, MissingFileError
from deepdiva.files import files_below
from deepdiva.library import cache
from deepdiva.library.fingerprint import (
    HELD_SECONDS,
    RELEASED_SECONDS,
    Fingerprint,
    fingerprint,
)
from deepdiva.note import Note
from deepdiva.renderers import make_renderer
from deepdiva.synths.diva.preset import Preset

PRESET_SUFFIX = ".h2p"
"""Of the presets that a library holds."""

KEYS = (36, 48, 60, 72)
"""Keys at which presets are rendered: C2 to C5."""

NOTE = Note(
    velocity=100,
    length_seconds=HELD_SECONDS[-1],
    render_seconds=HELD_SECONDS[-1] + RELEASED_SECONDS[-1],
)
"""What is played at each key."""

_VERSION = 1

HERE = Workers()


@dataclass(frozen=True)
class Unplayed:
    """A preset that is left out.

    Attributes:
        path: its file.
        reason: one sentence.
    """

    path: Path
    reason: str


@dataclass(frozen=True, eq=False)
class Library:
    """Presets with their fingerprints.

    Attributes:
        paths: of the presets.
        prints: shape (presets, len(KEYS), SPANS, BANDS).
        unplayed: presets that cannot be read or rendered, or that are silent.
        rendered: how many were rendered now; the others came from the cache.
    """

    paths: tuple[Path, ...]
    prints: Fingerprint = field(repr=False)
    unplayed: tuple[Unplayed, ...]
    rendered: int

    @property
    def keys(self) -> NDArray[np.int64]:
        """The keys at which presets were rendered, rising."""
        return np.array(KEYS, np.int64)


def play(preset: Preset, note: Note, seed: int = 0) -> NDArray[np.float32]:
    """A preset as the embedded engine plays it, with its own pots and trimmers.

    Returns:
        Shape (note.samples,), mono.
    """
    with contextlib.closing(make_renderer(preset=preset)) as renderer:
        sound: NDArray[np.float32] = renderer.render(preset.values()[None], note, seed)[0]
    return sound


def open_library(
    folder: Path | str,
    *,
    workers: Workers = HERE,
    cached_in: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Library:
    """Render the presets of a folder, or take what is known of them from the cache.

    Each preset is kept as soon as it was rendered: interrupted, the next call goes on. A damaged
    entry is rendered again, and a cache that cannot be written is done without. What is kept
    depends on the preset's content, not on its name or place.

    Args:
        folder: presets below it count.
        workers: who renders; threads where nothing else is said.
        cached_in: folder of the cache; the user's if None.
        on_progress: is told how many presets are done, of how many.

    Raises:
        ClusterError: the cluster is gone, or its workers do not fit.
        MissingFileError: there is no such folder.
        InvalidValueError: it holds no preset, or none that can be played.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is no folder: name one that holds .h2p presets.")
    paths = files_below(folder, [PRESET_SUFFIX])
    if not paths:
        raise InvalidValueError(f"{folder} holds no .h2p preset: name a folder that holds some.")
    place, about = cached_in or cache.cache_folder(), _about()
    found: dict[Path, _Found] = {}
    missing: list[_Entry] = []
    for path in paths:
        known = _known(path, place, about)
        if isinstance(known, _Found):
            found[path] = known
        else:
            missing.append(known)
        if on_progress is not None:
            on_progress(len(found), len(paths))
    if missing:
        with (
            Crew(prints_of, None, workers, usual="threading", most=len(missing)) as crew,
            closing(crew.each(entry.read() for entry in missing)) as outcomes,
        ):
            for outcome in outcomes:
                entry = missing[outcome.number]
                found[entry.path] = _kept(entry, outcome)
                if on_progress is not None:
                    on_progress(len(found), len(paths))
    played = [(path, one) for path in paths if (one := found[path]).prints is not None]
    unplayed = [Unplayed(path, found[path].reason) for path in paths if found[path].prints is None]
    if not played:
        raise InvalidValueError(
            f"Of {len(paths)} presets in {folder} none can be played: {unplayed[0].path}: "
            f"{unplayed[0].reason}"
        )
    prints = np.stack([one.prints for _, one in played if one.prints is not None])
    return Library(
        tuple(path for path, _ in played),
        prints,
        tuple(unplayed),
        sum(one.rendered for one in found.values()),
    )


@dataclass(frozen=True)
class _Entry:
    """A preset that the cache does not hold.

    Attributes:
        path: its file.
        place: of the entry that it will become.
    """

    path: Path
    place: Path

    def read(self) -> tuple[bytes, str]:
        """What a worker needs: content and name of the preset."""
        return self.path.read_bytes(), str(self.path)


@dataclass(frozen=True, eq=False)
class _Found:
    """What is known of one preset: fingerprints, or why there are none."""

    prints: Fingerprint | None
    reason: str = ""
    rendered: bool = False


def _about() -> str:
    info = make_renderer().info
    return f"{_VERSION} {info.name} {info.version} {KEYS} {sorted(NOTE.to_dict().items())}"


def _known(path: Path, folder: Path, about: str) -> _Found | _Entry:
    """What the cache knows of a preset, or where its entry will lie."""
    try:
        place = cache.entry(folder, path.read_bytes(), about)
        prints = cache.load(place, len(KEYS))
    except (DeepDivaError, OSError) as error:
        return _Found(None, str(error))
    return _Entry(path, place) if prints is None else _heard(prints)


def prints_of(state: None, preset: tuple[bytes, str]) -> Fingerprint:  # noqa: ARG001
    """Fingerprints of one preset, given by content and name."""
    return _rendered(Preset.from_bytes(*preset))


def _kept(entry: _Entry, outcome: Outcome[Fingerprint]) -> _Found:
    """What became of a preset, which the cache holds from now on; a fault becomes a reason."""
    if outcome.failure and isinstance(outcome.error, DeepDivaError | None):
        return _Found(None, outcome.failure)
    prints = outcome.result
    with contextlib.suppress(OSError):
        cache.store(entry.place, prints)
    return _heard(prints, rendered=True)


def _heard(prints: Fingerprint, *, rendered: bool = False) -> _Found:
    if not np.nanmax(prints) > 0.0:
        return _Found(None, "It is silent at every key.", rendered)
    return _Found(prints, rendered=rendered)


def _rendered(preset: Preset) -> Fingerprint:
    notes = [
        Note(key, NOTE.velocity, NOTE.length_seconds, NOTE.render_seconds, NOTE.sample_rate)
        for key in KEYS
    ]
    with contextlib.closing(make_renderer(preset=preset)) as renderer:
        patch = preset.values()[None]
        return np.stack([fingerprint(renderer.render(patch, note)[0], note) for note in notes])
