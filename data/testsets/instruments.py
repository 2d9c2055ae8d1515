"""Test sets of instruments: notes of a sound font, or of a folder of recordings.

A sound font is played by the program `fluidsynth` (libre; Debian's package of that name), without
reverb and chorus: FluidSynth's chorus lifts some programs by more than 10 dB. Nothing of a font is
shipped; the set is made where it is used.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import read_audio, write_wav
from deepdiva.data.testsets.testset import FILE_NAME, Further, ListedSound, TestSet
from deepdiva.errors import (
    AudioError,
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
    RenderError,
)
from deepdiva.files import file_sha256
from deepdiva.note import Note
from deepdiva.space import ParameterSpace

PROGRAMS: tuple[tuple[int, str, int], ...] = (
    (0, "piano", 60),
    (4, "electric_piano", 60),
    (6, "harpsichord", 60),
    (11, "vibraphone", 60),
    (12, "marimba", 60),
    (16, "drawbar_organ", 48),
    (19, "church_organ", 48),
    (21, "accordion", 60),
    (24, "nylon_guitar", 48),
    (26, "jazz_guitar", 48),
    (29, "overdriven_guitar", 48),
    (32, "acoustic_bass", 36),
    (33, "finger_bass", 36),
    (38, "synth_bass_1", 36),
    (39, "synth_bass_2", 36),
    (40, "violin", 60),
    (42, "cello", 48),
    (46, "harp", 60),
    (48, "strings", 60),
    (50, "synth_strings", 60),
    (52, "choir", 60),
    (56, "trumpet", 60),
    (60, "horn", 48),
    (62, "synth_brass", 60),
    (65, "alto_sax", 60),
    (71, "clarinet", 60),
    (73, "flute", 60),
    (80, "square_lead", 60),
    (81, "saw_lead", 60),
    (87, "bass_lead", 36),
    (89, "warm_pad", 60),
    (104, "sitar", 60),
)
"""General MIDI program, counted from 0, its name here, and a key in its middle."""

FURTHER = ((-12, 100), (12, 100), (0, 60))
"""Semitones from the key, and velocity, of the further recordings of a program."""

VELOCITY = 100

_TICKS_A_SECOND = 960
_LIMIT_SECONDS = 60.0

OnProgress = Callable[[int, int], None]


def make_from_soundfont(
    folder: Path,
    name: str,
    soundfont: Path,
    note: Note,
    space: ParameterSpace,
    *,
    programs: Sequence[tuple[int, str, int]] = PROGRAMS,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> TestSet:
    """Play programs of a General MIDI sound font into a test set.

    Args:
        folder: made if it does not exist.
        name: of the set.
        soundfont: an `.sf2` file.
        note: gives lengths and sample rate; keys are those of the programs.
        space: what methods are to move.
        programs: see `PROGRAMS`.
        force: overwrite a set that is there.
        on_progress: told of programs that are done, and of all.

    Raises:
        MissingFileError: no such font, or `fluidsynth` is not installed.
        FileExistsAlreadyError: the folder holds a set, without `force`.
        RenderError: FluidSynth failed.
    """
    program_file = shutil.which("fluidsynth")
    if program_file is None:
        raise MissingFileError(
            "fluidsynth is not installed: install it (Debian: apt install fluidsynth), or name a "
            "folder of recordings with --from-recordings."
        )
    if not soundfont.is_file():
        raise MissingFileError(
            f"{soundfont} does not exist: name a sound font, such as FluidR3_GM.sf2 (Debian: apt "
            "install fluid-soundfont-gm)."
        )
    _claim(folder, force)
    sounds = []
    for number, (program, title, key) in enumerate(programs):
        own = replace(note, pitch=key, velocity=VELOCITY)
        stem = f"gm{program:03}_{title}"
        file = f"{stem}_k{key}.wav"
        _play(program_file, soundfont, program, own, folder / file)
        further = []
        for semitones, velocity in FURTHER:
            other = replace(note, pitch=key + semitones, velocity=velocity)
            beside = f"{stem}_k{other.pitch}_v{velocity}.wav"
            _play(program_file, soundfont, program, other, folder / beside)
            further.append(Further(beside, file_sha256(folder / beside), other))
        sounds.append(
            ListedSound(
                Path(file).stem,
                file,
                file_sha256(folder / file),
                note=own,
                further=tuple(further),
            )
        )
        if on_progress is not None:
            on_progress(number + 1, len(programs))
    origin = f"{soundfont.name} played by FluidSynth without reverb and chorus"
    return _written(folder, name, origin, note, space, sounds, force)


def make_from_recordings(
    folder: Path,
    name: str,
    files: Sequence[Path],
    note: Note,
    space: ParameterSpace,
    *,
    force: bool = False,
) -> TestSet:
    """Make a test set of recorded notes; the key is what a file's name or chunks say.

    `NAME@KEY.wav` and `NAME@KEYvVELOCITY.wav` are further recordings of `NAME.wav`, with which a
    match is judged on other keys: `bass@48.wav`, `bass@36v60.wav`.

    Args:
        folder: made if it does not exist.
        name: of the set.
        files: recordings, any format and rate.
        note: of files that do not say theirs; it gives lengths and sample rate to all.
        space: what methods are to move.
        force: overwrite a set that is there.

    Raises:
        InvalidValueError: no recording can be read, or a further one of nothing.
        FileExistsAlreadyError: the folder holds a set, without `force`.
    """
    from deepdiva.audio import load_target
    from deepdiva.hearing.naming import stated_by

    _claim(folder, force)
    main: dict[str, ListedSound] = {}
    further: dict[str, list[Further]] = {}
    for file in files:
        found = _FURTHER_NAME.fullmatch(file.stem)
        if found:
            pitch, velocity = int(found["key"]), int(found["velocity"] or note.velocity)
            own = replace(note, pitch=pitch, velocity=velocity)
        else:
            stated = stated_by(file)
            pitch = stated.keys[0] if stated.keys else note.pitch
            own = replace(note, pitch=pitch, velocity=stated.velocity or note.velocity)
        try:
            audio = load_target(file, own).audio
        except AudioError as error:
            raise InvalidValueError(f"{error} Take it out of the folder.") from error
        copy = f"{file.stem}.wav"
        write_wav(folder / copy, audio, note.sample_rate, force=force)
        sha256 = file_sha256(folder / copy)
        if found:
            further.setdefault(found["name"], []).append(Further(copy, sha256, own))
        else:
            main[file.stem] = ListedSound(file.stem, copy, sha256, note=own)
    alone = sorted(further.keys() - main.keys())
    if alone:
        raise InvalidValueError(
            f"There are further recordings of {alone[0]}, and no {alone[0]} itself: the recording "
            "that is matched has the name without @."
        )
    sounds = [replace(sound, further=tuple(further.get(stem, ()))) for stem, sound in main.items()]
    return _written(folder, name, "recordings of a folder", note, space, sounds, force)


_FURTHER_NAME = re.compile(r"(?P<name>.+)@(?P<key>\d{1,3})(?:v(?P<velocity>\d{1,3}))?")


def midi(program: int, note: Note) -> bytes:
    """A standard MIDI file of one note: program, key and velocity, and a silence to its end.

    Args:
        program: of General MIDI, counted from 0.
        note: that is played.
    """
    held = round(note.length_seconds * _TICKS_A_SECOND)
    rest = round((note.render_seconds + 0.2) * _TICKS_A_SECOND) - held
    track = b"".join(
        (
            b"\x00" + bytes((0xC0, program)),
            b"\x00" + bytes((0x90, note.pitch, note.velocity)),
            _delta(held) + bytes((0x80, note.pitch, 0)),
            _delta(max(0, rest)) + b"\xff\x2f\x00",
        )
    )
    # 480 ticks a quarter at the usual 120 quarters a minute.
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, _TICKS_A_SECOND // 2)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


def _delta(ticks: int) -> bytes:
    """A time as MIDI files write it: seven bits a byte, the highest bit says that more come."""
    groups = [ticks & 0x7F]
    while ticks := ticks >> 7:
        groups.append(0x80 | (ticks & 0x7F))
    return bytes(reversed(groups))


def _play(program_file: str, soundfont: Path, program: int, note: Note, path: Path) -> None:
    """Let FluidSynth play a note into a WAV file, mono, as long as the note says."""
    with tempfile.TemporaryDirectory() as place:
        score, played = Path(place) / "note.mid", Path(place) / "note.wav"
        score.write_bytes(midi(program, note))
        options = [*("-n", "-i", "-q", "-R", "0", "-C", "0", "-g", "0.6"), *("-T", "wav")]
        options += ["-O", "float", "-r", str(note.sample_rate), "-F", str(played)]
        try:
            subprocess.run(
                [program_file, *options, str(soundfont), str(score)],
                check=True,
                capture_output=True,
                timeout=_LIMIT_SECONDS,
            )
            samples, rate = read_audio(played)
        except (subprocess.SubprocessError, OSError, AudioError) as error:
            raise RenderError(
                f"fluidsynth could not play program {program} of {soundfont}: {error}"
            ) from error
    if rate != note.sample_rate:
        raise RenderError(
            f"fluidsynth played at {rate} samples per second, and {note.sample_rate} were asked."
        )
    mono: NDArray[np.float32] = np.zeros(note.samples, np.float32)
    cut = samples[: note.samples].mean(axis=1)
    mono[: len(cut)] = cut
    write_wav(path, mono, note.sample_rate, force=True)


def _claim(folder: Path, force: bool) -> None:
    """Make the folder; nothing may describe a mixture in it."""
    if (folder / FILE_NAME).exists() and not force:
        raise FileExistsAlreadyError(
            f"{folder / FILE_NAME} exists already: choose another folder, or overwrite it with "
            "--force."
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).unlink(missing_ok=True)


def _written(
    folder: Path,
    name: str,
    origin: str,
    note: Note,
    space: ParameterSpace,
    sounds: Sequence[ListedSound],
    force: bool,
) -> TestSet:
    made = TestSet(
        name=name,
        folder=folder,
        origin=origin,
        note=note,
        space=space,
        renderer={},
        sounds=tuple(sounds),
    )
    made.write(force)
    return made
