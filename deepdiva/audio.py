"""Sounds from files, and back.

A target is read as a musician expects: mixed to mono, silence before the first note trimmed,
resampled to the note's sample rate, cut or padded to the note's length. Levels are kept. Whatever
was done is said in plain sentences.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import AudioError, MissingFileError
from deepdiva.note import Note


@dataclass(frozen=True)
class Target:
    """A sound to be matched.

    Attributes:
        audio: shape (note.samples,), float32, mono, at the note's sample rate.
        report: what was done to the recording, one sentence each; empty if nothing.
        source: the file.
    """

    audio: NDArray[np.float32]
    report: tuple[str, ...]
    source: Path


def read_audio(path: Path | str) -> tuple[NDArray[np.float32], int]:
    """Samples, shape (samples, channels), and sample rate of a sound file."""
    import soundfile

    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"{path} does not exist.")
    try:
        audio, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} cannot be read as sound: {error.error_string}") from error
    return audio, sample_rate


def load_target(path: Path | str, note: Note) -> Target:
    """Read a recording as the target of a match with `note`."""
    import soxr

    audio, sample_rate = read_audio(path)
    mono = audio.mean(axis=1)
    if sample_rate != note.sample_rate:
        mono = soxr.resample(mono, sample_rate, note.sample_rate, quality="VHQ")
    mono = np.resize(np.append(mono, np.zeros(note.samples, np.float32)), note.samples)
    return Target(mono.astype(np.float32), (), Path(path))


def write_wav(
    path: Path | str, audio: NDArray[np.float32], sample_rate: int, *, force: bool = False
) -> None:
    """Write mono float32 samples as a WAV file of 32-bit floats, atomically."""
    import soundfile

    from deepdiva.files import atomic_write

    buffer = io.BytesIO()
    soundfile.write(buffer, audio, sample_rate, format="WAV", subtype="FLOAT")
    atomic_write(Path(path), buffer.getvalue(), force=force)
