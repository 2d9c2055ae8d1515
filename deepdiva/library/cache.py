"""Fingerprints on disk: one small file for each preset, engine and note."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from deepdiva.files import atomic_write
from deepdiva.library.fingerprint import BANDS, SPANS, Fingerprint

_DIGEST = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """Where fingerprints are kept; the variable `DEEPDIVA_CACHE` moves it."""
    moved = os.environ.get("DEEPDIVA_CACHE")
    base = Path(moved) if moved else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return base / "deepdiva" / "library"


def entry(folder: Path, content: bytes, about: str) -> Path:
    """The file of a preset.

    Args:
        folder: of the cache.
        content: all bytes of the preset.
        about: everything else that the fingerprints depend on.
    """
    name = hashlib.sha256(hashlib.sha256(content).digest() + about.encode()).hexdigest()
    return folder / name[:2] / f"{name}.spectra"


def load(path: Path, keys: int) -> Fingerprint | None:
    """Read fingerprints, shape (keys, SPANS, BANDS); None where there are none, or damaged ones."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
        return None
    if len(data) != _DIGEST + 4 * keys * SPANS * BANDS:
        return None
    return np.frombuffer(data, "<f4", offset=_DIGEST).reshape(keys, SPANS, BANDS)


def store(path: Path, prints: Fingerprint) -> None:
    """Write fingerprints, shape (keys, SPANS, BANDS), whole or not at all.

    Raises:
        OSError: the system refuses: no permission, no space.
    """
    data = np.ascontiguousarray(prints, "<f4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, hashlib.sha256(data).digest() + data, force=True)
