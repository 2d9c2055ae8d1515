"""Sounds from files, and back.

A target is read as a musician expects: mixed to mono, trimmed of the silence before the note,
brought to the note's sample rate, cut or padded to the note's length. Levels are never changed.
Whatever was done is said in plain sentences. Formats are those of libsndfile: wav, flac, mp3,
ogg, opus, aiff, caf and more.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import AudioError, InvalidValueError, MissingFileError
from deepdiva.note import Note

LONGEST_SECONDS = 600.0
"""Longest stretch of sound that is read."""

SILENCE = 1e-5
"""Half the way between lowest and highest sample below which a recording is silent: -100 dBFS."""

ONSET_DB = -60.0
"""Level below the recording's peak at which the sound begins."""

PRE_ROLL_SECONDS = 0.003
"""What is kept before the onset: the first cycle of an attack may lie below `ONSET_DB`."""

SHORTEST_LEAD_SECONDS = 0.02
"""A shorter silence before the sound is left alone: it may be the attack."""

CUT_FADE_SECONDS = 0.002
"""Fade at the end of a recording that was cut, against the click."""

FADED_DB = 40.0
"""A recording that ends by less than this below its peak has not faded: it breaks off."""

_MOST_VALUES = round(LONGEST_SECONDS) * 192_000 * 2
_BLOCK_SECONDS = 0.01
_END_SECONDS = 0.02
_MATCH_SUFFIXES = (".h2p", ".fxp", ".vstpreset")
_HISS_DB = -40.0
_HISS_BLOCKS = 10
SOUND_SUFFIXES = (
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64"),
    *(".snd", ".w64", ".wav", ".wave"),
)
"""Endings of the files that are taken from a folder, in lower case."""


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


def sound_files(paths: Iterable[Path | str]) -> tuple[Path, ...]:
    """Put the sound files of each folder, in the order of their names, in the folder's place.

    Files are passed on as they are, each once. A folder's sub-folders and hidden files are left
    out, and the previews of earlier matches: `bass.wav` beside `bass.mp3` and `bass.h2p`.

    Raises:
        MissingFileError: a path that does not exist.
        AudioError: a folder without a sound file.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(_existing(path))
            continue
        inside = _without_previews(
            sorted(
                entry
                for entry in path.iterdir()
                if entry.suffix.lower() in SOUND_SUFFIXES
                and entry.is_file()
                and entry.name[0] != "."
            )
        )
        if not inside:
            raise AudioError(
                f"The folder {path} holds no sound file: none of its files ends in "
                f"{', '.join(SOUND_SUFFIXES)}."
            )
        found += inside
    return tuple(dict.fromkeys(found))


def _without_previews(sounds: list[Path]) -> list[Path]:
    """The sounds of a folder without the previews that matches of the others have left there."""
    others = {sound.stem for sound in sounds if sound.suffix.lower() != ".wav"}
    return [
        sound
        for sound in sounds
        if sound.suffix != ".wav"
        or sound.stem not in others
        or not any(sound.with_suffix(suffix).exists() for suffix in _MATCH_SUFFIXES)
    ]


def read_audio(
    path: Path | str, start_seconds: float = 0.0, length_seconds: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """Read a sound file, or a part of it.

    Args:
        path: the file.
        start_seconds: where to begin, 0 or more.
        length_seconds: how much to read, above 0; None: to the end. A part may be shorter if the
            file ends before.

    Returns:
        Samples, shape (samples, channels), full scale 1; and the sample rate, per second.

    Raises:
        MissingFileError: no such file.
        AudioError: a folder, a file that is no sound or holds no samples, more than 10 minutes, a
            start after the end, or samples that are not finite.
        InvalidValueError: a start or length outside its range.
    """
    import soundfile

    path = _existing(Path(path))
    if path.is_dir():
        raise AudioError(f"{path} is a folder: name a sound file in it.")
    _check_part(start_seconds, length_seconds)
    try:
        # As bytes, names of any encoding are found; Windows has but one.
        with soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path)) as file:
            first, frames = _part(path, file, start_seconds, length_seconds)
            file.seek(first)
            audio = file.read(frames, dtype="float32", always_2d=True)
            sample_rate = int(file.samplerate)
    except (soundfile.LibsndfileError, OSError) as error:
        # libsndfile's own words name the file once more, as bytes.
        reason = getattr(error, "error_string", error)
        raise AudioError(
            f"{path} cannot be read as sound ({reason}): use wav, flac, mp3, ogg or aiff."
        ) from error
    if not len(audio):
        raise AudioError(f"{path} holds no samples: record it again, or choose another file.")
    finite = np.isfinite(audio).all(axis=1)
    if not finite.all():
        at = start_seconds + int(np.argmin(finite)) / sample_rate
        raise AudioError(
            f"{path} holds samples that are not finite numbers, the first at {at:.3f} s: export "
            "it again, or cut them off (deepdiva refine takes a part with --start and --length)."
        )
    return audio, sample_rate


def load_target(
    path: Path | str,
    note: Note,
    *,
    start_seconds: float | None = None,
    length_seconds: float | None = None,
) -> Target:
    """Read a recording as the target of a match with `note`.

    Channels are averaged. What lies before the onset is trimmed, but for 3 ms: the onset is the
    first sample less than 60 dB below the peak, or, after a steady hiss that stays 40 dB below
    the loudest moment, the first 10 ms at twice the level of the hiss. A silence of less than
    20 ms stays, and with it the beginning of an attack that takes seconds. Then the sound is
    brought to the note's sample rate (soxr, very high quality), and cut, with a fade of 2 ms, or
    padded with zeros to the note's length. One that breaks off before, less than 40 dB below its
    peak, is named in the report.

    Args:
        path: a sound file, any sample rate, any number of channels.
        note: gives sample rate and length.
        start_seconds: where the sound begins; then nothing is trimmed. None: find out.
        length_seconds: how much of the file to read, from `start_seconds`; None: all of it.

    Raises:
        MissingFileError: no such file.
        AudioError: a recording that cannot be read (see `read_audio`), is silent, or lasts less
            than a sample.
        InvalidValueError: a start or length outside its range.
    """
    path = Path(path)
    if start_seconds is not None:
        _check_part(start_seconds, length_seconds)
        # Enough for the note and for the resampler's filter to see what follows.
        wanted = note.render_seconds + 1.0
        length_seconds = wanted if length_seconds is None else min(length_seconds, wanted)
    channels, sample_rate = read_audio(path, start_seconds or 0.0, length_seconds)
    report: list[str] = []
    mono = _mix(path, channels, report)
    if start_seconds is None:
        mono = _trim(mono, sample_rate, report)
    else:
        report.append(f"Began at {start_seconds:g} s.")
    mono = _resample(mono, sample_rate, note, report)
    if not len(mono):
        raise AudioError(
            f"{path} lasts {len(channels) / sample_rate:.2g} s, less than a sample at "
            f"{note.sample_rate:,} Hz: choose a longer recording."
        )
    return Target(_fit(mono, note, report), tuple(report), path)


def write_wav(
    path: Path | str, audio: NDArray[np.float32], sample_rate: int, *, force: bool = False
) -> None:
    """Write a WAV file of 32-bit floats, atomically: peaks above full scale stay as they are.

    The same samples give the same bytes.

    Args:
        path: file to be written.
        audio: shape (samples,) or (samples, channels), finite.
        sample_rate: samples per second.
        force: overwrite an existing file.

    Raises:
        InvalidValueError: samples that are not finite, or of another shape.
        FileExistsAlreadyError: the file exists, without `force`.
        MissingFileError: its folder does not exist.
    """
    from scipy.io import wavfile

    from deepdiva.files import atomic_write

    samples = np.asarray(audio, np.float32)
    if samples.ndim not in (1, 2) or not np.isfinite(samples).all():
        raise InvalidValueError(
            f"Audio of shape {samples.shape} cannot be written to {path}: it must be finite, of "
            "shape (samples,) or (samples, channels)."
        )
    # soundfile would add the time of writing to the header.
    buffer = io.BytesIO()
    wavfile.write(buffer, sample_rate, samples)
    atomic_write(Path(path), buffer.getvalue(), force=force)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise MissingFileError(f"{path} does not exist: check the name and the folder.")
    return path


def _check_part(start_seconds: float, length_seconds: float | None) -> None:
    if not math.isfinite(start_seconds) or start_seconds < 0.0:
        raise InvalidValueError(f"--start is {start_seconds!r}: it must be 0 seconds or more.")
    if length_seconds is not None and not 0.0 < length_seconds <= LONGEST_SECONDS:
        raise InvalidValueError(
            f"--length is {length_seconds!r}: it must be above 0 and at most "
            f"{LONGEST_SECONDS:g} seconds."
        )


def _part(
    path: Path, file: Any, start_seconds: float, length_seconds: float | None
) -> tuple[int, int]:
    """First frame and number of frames to read, judged by the header alone."""
    first = round(start_seconds * file.samplerate)
    if 0 < file.frames <= first:
        raise AudioError(
            f"{path} lasts {_duration(file.frames / file.samplerate)}: --start {start_seconds:g} "
            "lies after its end."
        )
    frames = max(0, file.frames - first)
    if length_seconds is not None:
        frames = min(frames, max(1, round(length_seconds * file.samplerate)))
    most = min(LONGEST_SECONDS, _MOST_VALUES / (file.channels * file.samplerate))
    if frames > most * file.samplerate:
        raise AudioError(
            f"{path} lasts {_duration(frames / file.samplerate)}: of {file.channels} channel(s) at "
            f"{file.samplerate:,} Hz at most {_duration(most)} are read. Cut the file, or take a "
            "part of it (deepdiva refine --start SECONDS --length SECONDS)."
        )
    return first, frames


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def _mix(path: Path, channels: NDArray[np.float32], report: list[str]) -> NDArray[np.float32]:
    """Mean of the channels; the loudest one where they cancel each other out."""
    if np.ptp(channels, axis=0).max() < 2.0 * SILENCE:
        raise AudioError(
            f"{path} is silent: no sample lies above {20 * math.log10(SILENCE):.0f} dBFS. Check "
            "the recording."
        )
    count = channels.shape[1]
    if count == 1:
        return channels[:, 0].copy()
    mono: NDArray[np.float32] = channels.mean(axis=1, dtype=np.float64).astype(np.float32)
    deviation = channels.std(axis=0, dtype=np.float64)
    loudest = int(np.argmax(deviation))
    if mono.std(dtype=np.float64) < 0.1 * deviation[loudest]:
        report.append(
            f"The {count} channels cancel each other out: took channel {loudest + 1}, the loudest."
        )
        return channels[:, loudest].copy()
    report.append(f"Took the mean of {count} channels.")
    return mono


def _trim(mono: NDArray[np.float32], sample_rate: int, report: list[str]) -> NDArray[np.float32]:
    """Drop what lies before the onset."""
    # A recorder's constant offset is no sound. A pulse may begin as flat, but has no offset.
    offset = np.median(mono[: max(1, round(_BLOCK_SECONDS * sample_rate))])
    is_constant = abs(mono.mean(dtype=np.float64) - offset) < 0.5 * abs(offset)
    moved = mono - offset if is_constant else mono
    peak = float(np.abs(moved).max())
    onset = int(np.argmax(np.abs(moved) > peak * 10.0 ** (ONSET_DB / 20.0)))
    begin = max(onset, _end_of_hiss(moved, sample_rate)) - round(PRE_ROLL_SECONDS * sample_rate)
    if begin < SHORTEST_LEAD_SECONDS * sample_rate:
        return mono
    report.append(f"Trimmed {begin / sample_rate:.3f} s before the sound begins.")
    return mono[begin:]


def _end_of_hiss(mono: NDArray[np.float32], sample_rate: int) -> int:
    """Sample at which a steady noise before the sound ends; 0 if there is none.

    Steady means within 6 dB of its own beginning for at least 0.1 s without rising, so that a
    slow attack is not taken for it.
    """
    block = max(1, round(_BLOCK_SECONDS * sample_rate))
    count = len(mono) // block
    if count <= _HISS_BLOCKS:
        return 0
    powers = np.square(mono[: count * block], dtype=np.float64).reshape(count, block).mean(axis=1)
    levels = 10.0 * np.log10(powers + 1e-30)
    opening = float(np.median(levels[: _HISS_BLOCKS // 2]))
    left = np.abs(levels - opening) > 6.0
    steady = int(np.argmax(left)) if left.any() else 0
    if steady < _HISS_BLOCKS or opening > levels.max() + _HISS_DB or levels[steady] < opening:
        return 0
    half = steady // 2
    rise = float(levels[half : 2 * half].mean() - levels[:half].mean())
    return steady * block if rise < 1.5 else 0


def _resample(
    mono: NDArray[np.float32], sample_rate: int, note: Note, report: list[str]
) -> NDArray[np.float32]:
    """Bring a sound to the note's sample rate."""
    if sample_rate == note.sample_rate:
        return mono
    import soxr

    report.append(f"Resampled from {sample_rate:,} to {note.sample_rate:,} Hz.")
    needed = math.ceil((note.render_seconds + 1.0) * sample_rate)
    resampled: NDArray[np.float32] = soxr.resample(
        mono[:needed], sample_rate, note.sample_rate, quality="VHQ"
    )
    return resampled


def _fit(mono: NDArray[np.float32], note: Note, report: list[str]) -> NDArray[np.float32]:
    """Cut or pad a sound to the note's length."""
    wanted = note.samples
    if len(mono) > wanted:
        audio = mono[:wanted].copy()
        fade = min(wanted, max(1, round(CUT_FADE_SECONDS * note.sample_rate)))
        audio[wanted - fade :] *= np.linspace(1.0, 0.0, fade + 1, dtype=np.float32)[1:]
        report.append(
            f"Cut to {_duration(note.render_seconds)}, with a fade of "
            f"{1000 * CUT_FADE_SECONDS:g} ms."
        )
        return audio
    audio = np.zeros(wanted, np.float32)
    audio[: len(mono)] = mono
    missing = (wanted - len(mono)) / note.sample_rate
    if missing >= 0.001:
        report.append(f"Added {missing:.3f} s of silence at the end.")
        end = mono[-round(_END_SECONDS * note.sample_rate) :]
        peaks = [float(np.abs(part).max()) for part in (mono, end)]
        fall_db = 20.0 * math.log10(peaks[0] / max(peaks[1], 1e-9 * peaks[0]))
        if fall_db < FADED_DB:
            report.append(
                f"The recording breaks off {fall_db:.0f} dB below its peak, and the silence "
                "after it is matched, too: deepdiva refine --render-length "
                f"{len(mono) / note.sample_rate:.3f} leaves it out."
            )
    return audio
