"""Sounds from files, and back.

A target is read as a musician expects: mixed to mono, trimmed of the silence before the note,
brought to the note's sample rate, cut or padded to the note's length. Levels are never changed.
Whatever was done is said in plain sentences. Formats are those of libsndfile: wav, flac, mp3,
ogg, opus, aiff, caf and more; with ffmpeg or a decoder of the system, m4a and others too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import AudioError, InvalidValueError, MissingFileError
from deepdiva.note import Note
from deepdiva.scan import SPIKE, Scan, read_column, scan_sound
from deepdiva.sound_file import DECODED_SUFFIXES, SoundFile, open_sound

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
_END_SECONDS = 0.02
_SEAM_SECONDS = 0.02
_MATCH_SUFFIXES = (".h2p", ".fxp", ".vstpreset")
_HISS_DB = -40.0
_HISS_BLOCKS = 10
SOUND_SUFFIXES = (
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64"),
    *(".snd", ".w64", ".wav", ".wave"),
    *DECODED_SUFFIXES,
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
    path = Path(path)
    _check_part(start_seconds, length_seconds)
    file = open_sound(path)
    first, frames = _part(path, file, start_seconds, length_seconds)
    audio = np.empty((frames, file.channels), np.float32)
    filled = 0
    for block in file.blocks(first, frames):
        audio[filled : filled + len(block)] = block
        filled += len(block)
    audio, sample_rate = audio[:filled], file.sample_rate
    if not len(audio):
        raise _empty(path)
    finite = np.isfinite(audio).all(axis=1)
    if not finite.all():
        raise _not_finite(path, start_seconds + int(np.argmin(finite)) / sample_rate)
    return audio, sample_rate


@dataclass(frozen=True)
class Recording:
    """A sound file whose levels are known, and of which one channel is taken.

    Attributes:
        path: the file.
        file: what reads it.
        scan: its levels over time, from `start_seconds`.
        start_seconds: where in the file the part begins.
        column: the channel that is taken; None: the mean of all.
        report: what was done so far, one sentence each.
    """

    path: Path
    file: SoundFile
    scan: Scan
    start_seconds: float
    column: int | None
    report: tuple[str, ...]

    @property
    def index(self) -> int:
        """Column of `scan` that is taken."""
        return self.scan.channels if self.column is None else self.column

    @property
    def seconds(self) -> float:
        """Length of the part."""
        return self.scan.frames / self.scan.sample_rate

    def read(self, first: int, frames: int) -> NDArray[np.float32]:
        """Read samples, shape (up to `frames`,), counted from the beginning of the part.

        Raises:
            AudioError: the file cannot be read any more.
        """
        frames = min(frames, self.scan.frames - first)
        begin = round(self.start_seconds * self.file.sample_rate) + first
        return read_column(self.file, begin, frames, self.column)


def open_recording(
    path: Path | str,
    *,
    start_seconds: float = 0.0,
    length_seconds: float | None = None,
    channel: int | None = None,
) -> Recording:
    """Open a sound file, measure its levels, and choose the channel that holds the note.

    Takes little memory, whatever the file's length: at most 10 minutes are read.

    Args:
        path: a sound file, any sample rate, any number of channels.
        start_seconds: where in the file to begin.
        length_seconds: how much to take; None: to the end.
        channel: which channel to take, from 1 on; None: the mean of those that hold the note.

    Raises:
        MissingFileError: no such file.
        AudioError: as `read_audio`, and for a recording that is silent.
        InvalidValueError: a start or length outside its range, or a channel that is not there.
    """
    path = Path(path)
    _check_part(start_seconds, length_seconds)
    file = open_sound(path)
    scan = scan_sound(file, *_part(path, file, start_seconds, length_seconds))
    if not scan.frames:
        raise _empty(path)
    if scan.broken is not None:
        raise _not_finite(path, start_seconds + scan.broken / scan.sample_rate)
    if scan.span < 2.0 * SILENCE:
        raise AudioError(
            f"{path} is silent: no sample lies above {20 * math.log10(SILENCE):.0f} dBFS. Check "
            "the recording."
        )
    report = list(file.remarks)
    if scan.spikes:
        report.append(
            f"Left out {scan.spikes} sample{'s' if scan.spikes > 1 else ''} of more than "
            f"{20 * math.log10(SPIKE):.0f} dB above full scale: faults of the file."
        )
    column = scan.choose_channel(channel, report)
    return Recording(path, file, scan, start_seconds, column, tuple(report))


def load_target(
    path: Path | str,
    note: Note,
    *,
    start_seconds: float | None = None,
    length_seconds: float | None = None,
    channel: int | None = None,
) -> Target:
    """Read a recording as the target of a match with `note`.

    Channels are averaged, but for those that do not hold the note (`Scan.choose_channel`). What
    lies before the onset is trimmed, but for 3 ms: the onset is the
    first sample less than 60 dB below the peak, or, after a steady hiss that stays 40 dB below
    the loudest moment, the first 10 ms at twice the level of the hiss. A silence of less than
    20 ms stays, and with it the beginning of an attack that takes seconds. Then the sound is
    brought to the note's sample rate (soxr, very high quality), and cut, with a fade of 2 ms, or
    padded with zeros to the note's length. One that breaks off before, less than 40 dB below its
    peak, is named in the report. The memory that this takes follows the note, not the file.

    Args:
        path: a sound file, any sample rate, any number of channels.
        note: gives sample rate and length.
        start_seconds: where the sound begins; then nothing is trimmed. None: find out.
        length_seconds: how much of the file to read, from `start_seconds`; None: all of it.
        channel: which channel to take, from 1 on; None: find out.

    Raises:
        MissingFileError: no such file.
        AudioError: a recording that cannot be read (see `read_audio`), is silent, or lasts less
            than a sample.
        InvalidValueError: a start or length outside its range, or a channel that is not there.
    """
    path = Path(path)
    if start_seconds is not None:
        _check_part(start_seconds, length_seconds)
        # Enough for the note and for the resampler's filter to see what follows.
        wanted = note.render_seconds + 1.0
        length_seconds = wanted if length_seconds is None else min(length_seconds, wanted)
    recording = open_recording(
        path,
        start_seconds=start_seconds or 0.0,
        length_seconds=length_seconds,
        channel=channel,
    )
    report = list(recording.report)
    begin = 0
    if start_seconds is None:
        begin = _first_sample(recording, report)
    else:
        report.append(f"Began at {start_seconds:g} s.")
    return cut_target(recording, begin, note, report)


def cut_target(
    recording: Recording,
    begin: int,
    note: Note,
    report: list[str],
    *,
    offset: float = 0.0,
    without: tuple[float, float] | None = None,
    says_fit: bool = True,
) -> Target:
    """The part of a recording that is matched with a note.

    Args:
        recording: where it lies.
        begin: its first frame, counted from the beginning of the recording's part.
        note: gives sample rate and length.
        report: gets a sentence for whatever is done.
        offset: constant offset that is taken away.
        without: seconds from `begin` on between which nothing changes, and which are left out.
        says_fit: whether to report what is done to bring it to the note's length.

    Raises:
        AudioError: less than a sample, or a file that cannot be read any more.
    """
    rate = recording.scan.sample_rate
    left_out = 0.0 if without is None else without[1] - without[0]
    # One sample more than fits tells that the recording goes on.
    needed = math.ceil((note.render_seconds + left_out + 1.0) * rate) + 1
    mono = recording.read(begin, needed) - np.float32(offset)
    remains = (recording.scan.frames - begin) / rate
    if without is not None:
        mono = _without(mono, without, rate)
    mono = _resample(mono, rate, note, report)
    if not len(mono):
        raise AudioError(
            f"{recording.path} lasts {remains:.2g} s, less than a sample at "
            f"{note.sample_rate:,} Hz: choose a longer recording."
        )
    audio = _fit(mono, note, report if says_fit else [])
    return Target(audio, tuple(report), recording.path)


def begin_before(onset_seconds: float) -> float:
    """Where a recording is taken from: 3 ms before its onset, or from its beginning.

    A silence of less than 20 ms stays, and with it the beginning of an attack that takes seconds.
    """
    begin = onset_seconds - PRE_ROLL_SECONDS
    return 0.0 if begin < SHORTEST_LEAD_SECONDS else begin


def _without(
    mono: NDArray[np.float32], seconds: tuple[float, float], rate: int
) -> NDArray[np.float32]:
    """A sound without a stretch in which nothing changes, over whose seam it is faded."""
    begin, end = (round(second * rate) for second in seconds)
    fade = max(0, min(round(_SEAM_SECONDS * rate), begin, len(mono) - end))
    rises = np.sin(np.linspace(0.0, np.pi / 2.0, fade, dtype=np.float32))
    # Squares that sum up to 1: the two sides have phases that know nothing of each other.
    seam = mono[begin - fade : begin] * rises[::-1] + mono[end - fade : end] * rises
    return np.concatenate([mono[: begin - fade], seam, mono[end:]])


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

    samples = _checked(path, audio)
    # soundfile would add the time of writing to the header.
    buffer = io.BytesIO()
    wavfile.write(buffer, sample_rate, samples)
    atomic_write(Path(path), buffer.getvalue(), force=force)


def write_flac(
    path: Path | str, audio: NDArray[np.float32], sample_rate: int, *, force: bool = False
) -> float:
    """Write a FLAC file of 24 bits, atomically; what exceeds full scale is made quieter as a whole.

    Takes and raises what `write_wav` does.

    Returns:
        By how many dB it was made quieter; 0 where it fits.
    """
    import soundfile

    from deepdiva.files import atomic_write

    samples = _checked(path, audio)
    peak = float(np.abs(samples).max(initial=0.0))
    highest = 1.0 - 2.0**-23
    if peak > highest:
        samples = samples * np.float32(highest / peak)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_24")
    atomic_write(Path(path), buffer.getvalue(), force=force)
    return 20.0 * math.log10(peak / highest) if peak > highest else 0.0


def _checked(path: Path | str, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    samples = np.asarray(audio, np.float32)
    if samples.ndim not in (1, 2) or not np.isfinite(samples).all():
        raise InvalidValueError(
            f"Audio of shape {samples.shape} cannot be written to {path}: it must be finite, of "
            "shape (samples,) or (samples, channels)."
        )
    return samples


def _empty(path: Path) -> AudioError:
    return AudioError(f"{path} holds no samples: record it again, or choose another file.")


def _not_finite(path: Path, seconds: float) -> AudioError:
    return AudioError(
        f"{path} holds samples that are not finite numbers, the first at {seconds:.3f} s: export "
        "it again, or cut them off (deepdiva refine takes a part with --start and --length)."
    )


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
    path: Path, file: SoundFile, start_seconds: float, length_seconds: float | None
) -> tuple[int, int]:
    """First frame and number of frames to read, judged by the header alone."""
    first = round(start_seconds * file.sample_rate)
    if 0 < file.frames <= first:
        raise AudioError(
            f"{path} lasts {_duration(file.frames / file.sample_rate)}: --start {start_seconds:g} "
            "lies after its end."
        )
    frames = max(0, file.frames - first)
    if length_seconds is not None:
        frames = min(frames, max(1, round(length_seconds * file.sample_rate)))
    most = min(LONGEST_SECONDS, _MOST_VALUES / (file.channels * file.sample_rate))
    if frames > most * file.sample_rate:
        raise AudioError(
            f"{path} lasts {_duration(frames / file.sample_rate)}: of {file.channels} channel(s) "
            f"at {file.sample_rate:,} Hz at most {_duration(most)} are read. Cut the file, or take "
            "a part of it (deepdiva refine --start SECONDS --length SECONDS)."
        )
    return first, frames


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def _first_sample(recording: Recording, report: list[str]) -> int:
    """Sample from which the recording is taken: what lies before the onset is dropped."""
    scan, index = recording.scan, recording.index
    # A recorder's constant offset is no sound. A pulse may begin as flat, but has no offset.
    offset = float(np.median(recording.read(0, scan.block)))
    is_constant = abs(scan.total[:, index].sum() / scan.frames - offset) < 0.5 * abs(offset)
    offset = offset if is_constant else 0.0
    peaks = scan.peaks(index, offset)
    threshold = peaks.max() * 10.0 ** (ONSET_DB / 20.0)
    loud = int(np.argmax(peaks > threshold))
    samples = np.abs(recording.read(loud * scan.block, scan.block) - offset)
    onset = loud * scan.block + int(np.argmax(samples > threshold))
    hiss = _end_of_hiss(scan.levels_db(index, offset)) * scan.block
    begin = round(begin_before(max(onset, hiss) / scan.sample_rate) * scan.sample_rate)
    if not begin:
        return 0
    report.append(f"Trimmed {begin / scan.sample_rate:.3f} s before the sound begins.")
    return begin


def _end_of_hiss(levels: NDArray[np.float64]) -> int:
    """Block at which a steady noise before the sound ends; 0 if there is none.

    Steady means within 6 dB of its own beginning for at least 0.1 s without rising, so that a
    slow attack is not taken for it.

    Args:
        levels: of blocks of 10 ms, dB; the last one may be shorter, and is not heard.
    """
    levels = levels[:-1]
    if len(levels) <= _HISS_BLOCKS:
        return 0
    opening = float(np.median(levels[: _HISS_BLOCKS // 2]))
    left = np.abs(levels - opening) > 6.0
    steady = int(np.argmax(left)) if left.any() else 0
    if steady < _HISS_BLOCKS or opening > levels.max() + _HISS_DB or levels[steady] < opening:
        return 0
    half = steady // 2
    rise = float(levels[half : 2 * half].mean() - levels[:half].mean())
    return steady if rise < 1.5 else 0


def _resample(
    mono: NDArray[np.float32], sample_rate: int, note: Note, report: list[str]
) -> NDArray[np.float32]:
    """Bring a sound to the note's sample rate."""
    if sample_rate == note.sample_rate:
        return mono
    import soxr

    report.append(f"Resampled from {sample_rate:,} to {note.sample_rate:,} Hz.")
    resampled: NDArray[np.float32] = soxr.resample(
        mono, sample_rate, note.sample_rate, quality="VHQ"
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
