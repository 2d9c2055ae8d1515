"""Opening sound files: by libsndfile, by libsndfile with a mended header, or by another decoder.

A `SoundFile` is read front to back in blocks, as often as wanted, so that neither the length of a
recording nor a format that cannot be searched matters to who reads it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import AudioError, MissingFileError
from deepdiva.riff import mended, read_chunks

BLOCK_FRAMES = 1 << 16
"""Frames that are decoded at once."""

DECODED_SUFFIXES = (".aac", ".m4a", ".mp4", ".webm", ".wma")
"""Endings of files that libsndfile does not know, and ffmpeg or the system's decoder does."""

_LOSSY = ("MPEG", "OGG")
_LEAD_SECONDS = 1.0


class SoundFile(ABC):
    """A sound file that can be read.

    Attributes:
        sample_rate: frames per second.
        channels: samples of a frame.
        frames: as the header says; the file may hold fewer.
        remarks: what was done to open it, one sentence each.
    """

    def __init__(
        self, sample_rate: int, channels: int, frames: int, remarks: tuple[str, ...] = ()
    ) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.frames = frames
        self.remarks = remarks

    @abstractmethod
    def blocks(self, first: int, frames: int) -> Iterator[NDArray[np.float32]]:
        """Read a part, shape (up to `BLOCK_FRAMES`, channels) a block, full scale 1.

        Args:
            first: frame to begin with.
            frames: how many; fewer come where the file ends before.

        Raises:
            AudioError: the file breaks off in the middle of a frame, or changed meanwhile.
        """


def open_sound(path: Path | str) -> SoundFile:
    """Find out how a sound file can be read.

    Args:
        path: any file; a folder, a pipe or a device is refused.

    Raises:
        MissingFileError: no such file.
        AudioError: no sound, or none that is understood here.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise MissingFileError(f"{path} does not exist: check the name and the folder.") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be read as sound ({error.strerror}).") from error
    if stat.S_ISDIR(mode):
        raise AudioError(f"{path} is a folder: name a sound file in it.")
    if not stat.S_ISREG(mode):
        raise AudioError(f"{path} is a pipe or a device: record it into a file first.")
    import soundfile

    try:
        found: SoundFile = _Libsndfile(path)
    except (soundfile.LibsndfileError, OSError) as error:
        return _otherwise(path, error)
    return (
        (_mended(path, "its header says that it is empty") or found) if not found.frames else found
    )


def _otherwise(path: Path, refusal: Exception) -> SoundFile:
    """Read what libsndfile refuses.

    Raises:
        AudioError: nothing reads it.
    """
    # libsndfile's own words name the file once more, as bytes.
    reason = str(getattr(refusal, "error_string", refusal))
    if isinstance(refusal, OSError):
        raise AudioError(f"{path} cannot be read as sound ({reason}).") from refusal
    repaired = _mended(path, "its header is damaged")
    if repaired is not None:
        return repaired
    with contextlib.suppress(*_decoder_errors()):
        return _Decoded(path)
    if path.suffix.lower() in DECODED_SUFFIXES:
        raise AudioError(
            f"{path} is of a kind that needs a decoder of its own: install ffmpeg, or save it as "
            "wav, flac, mp3, ogg or aiff."
        ) from refusal
    raise AudioError(
        f"{path} cannot be read as sound ({reason}): use wav, flac, mp3, ogg or aiff."
    ) from refusal


def _mended(path: Path, why: str) -> SoundFile | None:
    """A RIFF file by its format and its data alone; None if that does not help."""
    import soundfile

    try:
        if not any(chunk.name == b"data" and chunk.size for chunk in read_chunks(path)):
            return None
        remark = f"The file is not quite as it should be ({why}): what it holds was read."
        found = _Libsndfile(path, repair=True, remarks=(remark,))
    except (soundfile.LibsndfileError, OSError):
        return None
    return found if found.frames else None


class _Libsndfile(SoundFile):
    """A file that libsndfile reads."""

    def __init__(self, path: Path, *, repair: bool = False, remarks: tuple[str, ...] = ()) -> None:
        self._path, self._repair = path, repair
        with self._opened() as file:
            self._seekable = file.seekable() and file.subtype != "GSM610"
            self._lossy = file.format in _LOSSY or file.subtype.startswith("MPEG")
            super().__init__(int(file.samplerate), int(file.channels), int(file.frames), remarks)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        import soundfile

        if not self._repair:
            # As bytes, names of any encoding are found; Windows has but one.
            name = self._path if os.name == "nt" else os.fsencode(self._path)
            with soundfile.SoundFile(name) as file:
                yield file
            return
        mend = mended(self._path)
        if mend is None:
            raise OSError("no samples")
        with mend, soundfile.SoundFile(mend) as file:
            yield file

    def blocks(self, first: int, frames: int) -> Iterator[NDArray[np.float32]]:
        import soundfile

        try:
            with self._opened() as file:
                # What a lossy decoder gives right after a jump is not yet the sound.
                lead = round(_LEAD_SECONDS * self.sample_rate) if self._lossy else 0
                skip = first if not self._seekable else min(first, lead)
                if first > skip:
                    file.seek(first - skip)
                yield from _part(self._decoded(file), skip, frames)
        except (soundfile.LibsndfileError, OSError) as error:
            reason = getattr(error, "error_string", error)
            raise AudioError(
                f"{self._path} cannot be read as sound ({reason}): use wav, flac, mp3, ogg or aiff."
            ) from error

    def _decoded(self, file: Any) -> Iterator[NDArray[np.float32]]:
        while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            yield block


class _Decoded(SoundFile):
    """A file that ffmpeg or the system's decoder reads, as `audioread` finds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as file:
            rate, channels, seconds = int(file.samplerate), int(file.channels), float(file.duration)
            remark = f"Decoded by {type(file).__module__.rpartition('.')[2]}."
        super().__init__(
            rate, channels, round(seconds * rate), (remark.replace("ff", "ffmpeg", 1),)
        )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        with warnings.catch_warnings():
            # It looks for modules that Python 3.13 no longer has.
            warnings.simplefilter("ignore")
            import audioread

            # Its reader of plain WAVE and AIFF knows less than libsndfile.
            backends = [
                backend
                for backend in audioread.available_backends()
                if backend.__name__ != "RawAudioFile"
            ]
            opened = audioread.audio_open(os.fspath(self._path), backends)
        with opened as file:
            yield file

    def blocks(self, first: int, frames: int) -> Iterator[NDArray[np.float32]]:
        try:
            with self._opened() as file:
                yield from _part(self._samples(file), first, frames)
        except _decoder_errors() as error:
            raise AudioError(f"{self._path} cannot be read as sound ({error}).") from error

    def _samples(self, file: Any) -> Iterator[NDArray[np.float32]]:
        rest = b""
        for buffer in file:
            data = rest + bytes(buffer)
            whole = len(data) - len(data) % (2 * self.channels)
            rest = data[whole:]
            samples = np.frombuffer(data[:whole], "<i2").astype(np.float32) / 32768.0
            yield samples.reshape(-1, self.channels)


def _decoder_errors() -> tuple[type[BaseException], ...]:
    """What is raised where no decoder reads a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import audioread
        except ImportError:
            return (ImportError, OSError)
    return (audioread.DecodeError, OSError, EOFError)


def _part(
    blocks: Iterator[NDArray[np.float32]], skip: int, frames: int
) -> Iterator[NDArray[np.float32]]:
    """Blocks without the first `skip` frames, and at most `frames` of what follows."""
    for block in blocks:
        if skip >= len(block):
            skip -= len(block)
            continue
        part = block[skip : skip + frames]
        skip = 0
        frames -= len(part)
        if len(part):
            yield part
        if frames <= 0:
            return
