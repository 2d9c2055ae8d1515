"""The presets of a folder, each rendered once at a few keys."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
from deepdiva.workers import WorkerPool, worker_count

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
_TOGETHER = 16


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
    jobs: int | None = None,
    cached_in: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Library:
    """Render the presets of a folder, or take what is known of them from the cache.

    Each preset is kept as soon as it was rendered: interrupted, the next call goes on. A damaged
    entry is rendered again, and a cache that cannot be written is done without. What is kept
    depends on the preset's content, not on its name or place.

    Args:
        folder: presets below it count.
        jobs: threads; None for one for each core.
        cached_in: folder of the cache; the user's if None.
        on_progress: is told how many presets are done, of how many.

    Raises:
        MissingFileError: there is no such folder.
        InvalidValueError: it holds no preset, or none that can be played.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is no folder: name one that holds .h2p presets.")
    paths = files_below(folder, [PRESET_SUFFIX])
    if not paths:
        raise InvalidValueError(f"{folder} holds no .h2p preset: name a folder that holds some.")
    work = _Work(cached_in or cache.cache_folder(), _about())
    found: list[_Found] = []
    with WorkerPool(_prints_of, work, "threading", worker_count(jobs)) as pool:
        for begin in range(0, len(paths), _TOGETHER):
            found += pool.map(paths[begin : begin + _TOGETHER])
            if on_progress is not None:
                on_progress(len(found), len(paths))
    played = [(path, one) for path, one in zip(paths, found, strict=True) if one.prints is not None]
    unplayed = [
        Unplayed(path, one.reason)
        for path, one in zip(paths, found, strict=True)
        if one.prints is None
    ]
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
        sum(one.rendered for one in found),
    )


@dataclass(frozen=True)
class _Work:
    """What threads share: the folder of the cache, and what entries depend on beside presets."""

    folder: Path
    about: str


@dataclass(frozen=True, eq=False)
class _Found:
    """What is known of one preset: fingerprints, or why there are none."""

    prints: Fingerprint | None
    reason: str = ""
    rendered: bool = False


def _about() -> str:
    info = make_renderer().info
    return f"{_VERSION} {info.name} {info.version} {KEYS} {sorted(NOTE.to_dict().items())}"


def _prints_of(work: _Work, path: Path) -> _Found:
    """Fingerprints of one preset; whatever is wrong with it becomes a reason."""
    try:
        content = path.read_bytes()
        place = cache.entry(work.folder, content, work.about)
        prints = cache.load(place, len(KEYS))
        rendered = prints is None
        if prints is None:
            prints = _rendered(Preset.from_bytes(content, str(path)))
            with contextlib.suppress(OSError):
                cache.store(place, prints)
    except (DeepDivaError, OSError) as error:
        return _Found(None, str(error))
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
