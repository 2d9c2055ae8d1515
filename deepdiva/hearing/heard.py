"""What a recording holds, understood before anything is searched."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import Target, begin_before, cut_target, open_recording
from deepdiva.hearing.key import (
    Candidate,
    Partials,
    Track,
    find_key,
    find_partials,
    track_pitch,
)
from deepdiva.hearing.kind import (
    CLEAR,
    Motion,
    falls_in_pitch,
    is_speech,
    keys_together,
    motion_of,
)
from deepdiva.hearing.naming import Stated, stated_by
from deepdiva.hearing.steady import steady_part
from deepdiva.hearing.time import CUT_DB, Span, find_release, main_span, spans
from deepdiva.note import Note
from deepdiva.scan import Scan
from deepdiva.units import key_name

LONGEST_NOTE_SECONDS = 30.0
"""More of a recording than this is not listened to, from the onset on."""

_RATE = 44100
_LOUD_DB = -60.0
_AGREE = 0.6
_SHORTEST_RELEASE = 25
_SHORTEST_SECONDS = 0.1
_REST_SECONDS = 0.05
_RISE_DB = -70.0
_HISS_DB = 3.0
_LOOP_HITS = 4
_LONG_TAIL_SECONDS = 1.5
_SPEECH = (
    "Speech: no preset says words. What is matched is the colour and the envelope of its first "
    "sound; --start and --length choose a vowel that is held."
)


@dataclass(frozen=True)
class Heard:
    """All that was understood of a recording.

    Attributes:
        path: the file.
        seconds: its length, or that of the part that was taken.
        sample_rate: of the file.
        channels: of the file.
        kind: "note", "noise", "drum", "chord", "melody", "hits", "loop", "speech", "glide",
            "sweep", "vibrato" or "reverberant".
        key: MIDI note number; None for what has no key.
        key_source: where it was taken from: "its name", "its smpl chunk" or "the sound".
        candidates: keys by the sound alone, the likeliest first.
        velocity: 1 to 127; None where the file does not say.
        cents: how far the sound is out of tune with the key, -50 to 50; None without a key.
        onset_seconds: from the beginning of the part.
        release_seconds: when the key was released; None where that is not heard.
        end_seconds: when the sound has faded, or breaks off.
        is_cut: whether it breaks off.
        peak_db: highest sample, dBFS.
        rms_db: root mean square of the note, dBFS, a sine of full scale -3.
        offset: constant offset, full scale 1.
        clipped: samples that lie flat at the highest level.
        vibrato_hz: 0 without one.
        steady: seconds from the beginning of the part between which nothing changes; None where
            the note is short or never steady.
        remarks: what a person would say of it, one sentence each.
    """

    path: Path
    seconds: float
    sample_rate: int
    channels: int
    kind: str
    key: int | None
    key_source: str
    candidates: tuple[Candidate, ...]
    velocity: int | None
    cents: float | None
    onset_seconds: float
    release_seconds: float | None
    end_seconds: float
    is_cut: bool
    peak_db: float
    rms_db: float
    offset: float
    clipped: int
    vibrato_hz: float = 0.0
    steady: tuple[float, float] | None = None
    remarks: tuple[str, ...] = field(default=())

    @property
    def begin_seconds(self) -> float:
        """Where the target begins, from the beginning of the part: a moment before the onset."""
        return begin_before(self.onset_seconds)

    def note(self, usual: Note | None = None) -> Note:
        """The note to be played for it: key, velocity, time held and time recorded.

        A sound that has faded is followed by a moment of rest, so that a match ends, too; of one
        that is cut, no release is played.

        Args:
            usual: sample rate, and whatever is not heard; the defaults if None.
        """
        usual = usual or Note()
        heard = self.end_seconds - self.begin_seconds
        steps = math.floor(100.0 * heard) if self.is_cut else math.ceil(100.0 * heard)
        render = 0.01 * steps + (0.0 if self.is_cut else _REST_SECONDS)
        render = min(LONGEST_NOTE_SECONDS, max(_SHORTEST_SECONDS, render))
        held = render
        if self.release_seconds is not None:
            held = max(0.01, self.release_seconds - self.begin_seconds)
        return Note(
            pitch=usual.pitch if self.key is None else self.key,
            velocity=usual.velocity if self.velocity is None else self.velocity,
            length_seconds=round(min(held, render), 3),
            render_seconds=round(render, 3),
            sample_rate=usual.sample_rate,
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        values = asdict(self)
        values["path"] = str(self.path)
        values["candidates"] = [
            {"key": c.key, "cents": round(c.cents, 1), "weight": round(c.weight, 3)}
            for c in self.candidates
        ]
        values["remarks"] = list(self.remarks)
        values["note"] = self.note().to_dict()
        return values


def hear_target(
    heard: Heard,
    note: Note,
    *,
    start_seconds: float = 0.0,
    length_seconds: float | None = None,
    channel: int | None = None,
    begin_seconds: float,
    steady: tuple[float, float] | None = None,
    says_fit: bool = True,
) -> Target:
    """The target of a match of a recording that was understood.

    Args:
        heard: what was understood.
        note: what is played.
        start_seconds: where in the file the part begins that was understood.
        length_seconds: its length; None: to the end.
        channel: as it was asked for.
        begin_seconds: where the target begins, from the beginning of the part.
        steady: seconds from there on that are left out, and that `note` does not hold either.
        says_fit: whether to report what is done to bring it to the note's length.

    Raises:
        AudioError: a file that cannot be read any more.
    """
    recording = open_recording(
        heard.path, start_seconds=start_seconds, length_seconds=length_seconds, channel=channel
    )
    report = list(recording.report)
    if start_seconds:
        report.append(f"Began at {start_seconds:g} s.")
    if begin_seconds:
        report.append(f"Trimmed {begin_seconds:.3f} s before the sound begins.")
    frame = round(begin_seconds * heard.sample_rate)
    return cut_target(
        recording,
        frame,
        note,
        report,
        offset=heard.offset,
        without=steady,
        says_fit=says_fit,
    )


def understand(
    path: Path | str,
    *,
    start_seconds: float = 0.0,
    length_seconds: float | None = None,
    channel: int | None = None,
    pitch: int | None = None,
    transposed: float = 0.0,
) -> Heard:
    """Listen to a recording.

    Args:
        path: a sound file.
        start_seconds: where in the file to begin.
        length_seconds: how much to take; None: to the end.
        channel: which channel, from 1 on; None: find out.
        pitch: MIDI note number that the user gives, which is believed; None: find out.
        transposed: semitones by which the patch that will play it transposes the key.

    Raises:
        MissingFileError: no such file.
        AudioError: it cannot be read, or is silent.
        InvalidValueError: a part or channel that is not there.
    """
    recording = open_recording(
        path, start_seconds=start_seconds, length_seconds=length_seconds, channel=channel
    )
    remarks = list(recording.report)
    scan, index = recording.scan, recording.index
    rate = scan.sample_rate
    peak = float(scan.peaks(index).max())
    offset = _offset(scan, index)
    levels = scan.levels_db(index, offset)
    found = spans(levels)
    chosen = main_span(found)
    span = found[chosen]
    if chosen:
        remarks.append(
            f"Something short or soft comes before the note ({_seconds(found[0].begin)} s): the "
            f"note begins at {_seconds(span.begin)} s (--start takes another place)."
        )
    longest = round(LONGEST_NOTE_SECONDS * rate)
    lead = max(0, _rise(levels, span.begin, found[chosen - 1].end if chosen else 0) - 2)
    first = lead * scan.block
    audio = recording.read(first, longest + round(rate)) - np.float32(offset)
    onset = _onset(audio, rate, has_lead=lead > 0) + first
    note = audio[onset - first :]
    last = _last(found, chosen, levels)
    end = min(last * scan.block, onset + longest)
    is_cut = end >= scan.frames - scan.block and _ends_loud(levels, scan.frames, scan.block)
    release = _release(levels[onset // scan.block :], last - onset // scan.block, is_cut=is_cut)
    whole = note[: 6 * rate]
    note = note[: max(1, end - onset)]
    heard = _listen(note, rate, transposed)
    hits = _hits(levels, found, chosen)
    kind, sentence = _kind(heard, levels[onset // scan.block : last], hits)
    if kind not in ("noise", "chord", "sweep") and _speaks(whole, rate):
        kind, sentence = "speech", _SPEECH
    elif kind == "note" and release is not None:
        kind, sentence = _rings(release * 0.01, (end - onset) / rate, sentence)
    remarks += [sentence] if sentence else []
    stated = stated_by(path)
    key, source = _key(pitch, stated, heard, kind, remarks)
    cents = _cents(key, _middle(heard) if kind == "vibrato" else heard.candidates)
    if cents is not None and abs(cents) >= 8.0:
        remarks.append(f"It is {cents:+.0f} cents off the keyboard.")
    if is_cut:
        remarks.append(
            "It breaks off before it has faded: its release is not heard, and nothing after "
            f"{(end - onset) / rate:.2f} s is matched."
        )
    clipped = int(scan.clipped[: scan.channels].max())
    if clipped > max(8, 0.0005 * scan.frames) and peak > 0.98:
        remarks.append(
            f"It is clipped at {clipped:,} samples: what is flat there is matched as drive."
        )
    if offset:
        remarks.append(f"A constant offset of {offset:+.3f} was left out.")
    power = float(np.mean(np.square(note, dtype=np.float64)))
    held_seconds = len(note) / rate if release is None else release * 0.01
    steady = steady_part(note, rate, held_seconds)
    if steady is not None:
        remarks.append(
            f"Nothing changes for {steady[1] - steady[0]:.1f} s of it: this part is left out of "
            "the match, and costs no time."
        )
    return Heard(
        path=Path(path),
        seconds=recording.seconds,
        sample_rate=rate,
        channels=scan.channels,
        kind=kind,
        key=key,
        key_source=source,
        candidates=heard.candidates,
        velocity=stated.velocity,
        cents=cents,
        onset_seconds=onset / rate,
        release_seconds=None if release is None else onset / rate + release * 0.01,
        end_seconds=end / rate,
        is_cut=is_cut,
        peak_db=20.0 * math.log10(max(peak, 1e-9)),
        rms_db=10.0 * math.log10(max(power, 1e-18)),
        offset=offset,
        clipped=clipped,
        vibrato_hz=heard.motion.rate_hz,
        steady=steady and (onset / rate + steady[0], onset / rate + steady[1]),
        remarks=tuple(remarks),
    )


@dataclass(frozen=True)
class _Listened:
    """What the note itself tells."""

    candidates: tuple[Candidate, ...]
    track: Track
    lines: Partials
    motion: Motion
    keys: tuple[int, ...]
    falls: bool


def _listen(note: NDArray[np.float32], rate: int, transposed: float) -> _Listened:
    """Pitch, partials and motion of a note, at most 4 s of it, at 44.1 kHz; keys as played."""
    note = note[: 4 * rate]
    if rate != _RATE:
        import soxr

        note = np.asarray(soxr.resample(note, rate, _RATE), np.float32)
    falls = falls_in_pitch(note, _RATE)
    steady = note[min(round(0.08 * _RATE), len(note) // 4) :]
    loud = np.flatnonzero(np.abs(steady) > 0.03 * np.abs(steady).max())
    steady = steady[: loud[-1] + 1] if len(loud) else steady
    if len(steady) < 64:
        steady = np.pad(steady, (0, 64 - len(steady)))
    track = track_pitch(steady, _RATE)
    levels = _levels_of(steady, track)
    lines = find_partials(steady[: round(1.5 * _RATE)], _RATE)
    return _Listened(
        tuple(
            replace(candidate, hertz=candidate.hertz * 2.0 ** (-transposed / 12.0))
            for candidate in find_key(steady, _RATE, track)
        ),
        track,
        lines,
        motion_of(track, levels),
        keys_together(lines),
        falls,
    )


def _levels_of(sound: NDArray[np.float32], track: Track) -> NDArray[np.float64]:
    """Level of each frame of a track, dB, over 0.1 s; of a sound at 44.1 kHz."""
    window = round(0.1 * _RATE)
    centres = np.minimum((track.seconds * _RATE).astype(int), len(sound))
    squares = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    ends = np.minimum(centres + window // 2, len(sound))
    begins = np.maximum(centres - window // 2, 0)
    powers = (squares[ends] - squares[begins]) / np.maximum(ends - begins, 1)
    return np.asarray(10.0 * np.log10(powers + 1e-20))


def _offset(scan: Scan, index: int) -> float:
    """A recorder's constant offset: what its quietest blocks and the whole have in common."""
    mean = float(scan.total[:, index].sum() / scan.frames)
    means = scan.total[:, index] / scan.counts[:, 0]
    spread = np.sqrt(np.maximum(scan.powers(index) - means**2, 0.0))
    quiet = int(np.argmin(spread))
    is_constant = spread[quiet] < 0.1 * abs(mean) and abs(means[quiet] - mean) < 0.2 * abs(mean)
    return mean if is_constant and abs(mean) > 1e-4 else 0.0


def _rise(levels: NDArray[np.float64], begin: int, earliest: int) -> int:
    """Block in which a note begins to rise to the level at which it is found.

    Args:
        levels: of blocks, dB.
        begin: where it is found.
        earliest: where what lies before it ends.
    """
    bottom = float(levels.max()) + _RISE_DB
    block = begin
    while block > earliest and levels[block - 1] > bottom:
        block -= 1
    # A hiss before the note is steady; an attack rises.
    half = (begin - block) // 2
    if half >= 5 and levels[begin - half : begin].mean() < levels[block:begin].mean() + _HISS_DB:
        return begin
    return block


def _onset(audio: NDArray[np.float32], rate: int, *, has_lead: bool) -> int:
    """First sample above -60 dB of the first half second's peak, and above what lies before."""
    magnitudes = np.abs(audio)
    peak = float(magnitudes[: rate // 2].max())
    before = float(magnitudes[: round(0.005 * rate)].max()) if has_lead else 0.0
    threshold = max(peak * 10.0 ** (_LOUD_DB / 20.0), 1.5 * before if before < 0.1 * peak else 0.0)
    return int(np.argmax(magnitudes > threshold))


def _last(found: tuple[Span, ...], chosen: int, levels: NDArray[np.float64]) -> int:
    """Block at which the note has faded: its own span, and the tail down to -60 dB."""
    end = int(found[chosen].end)
    limit = int(found[chosen + 1].begin) if chosen + 1 < len(found) else len(levels)
    bottom = max(float(levels.max()) - 60.0, float(np.percentile(levels, 3.0)) + 6.0)
    while end < limit and levels[end] > bottom:
        end += 1
    return end


def _release(levels: NDArray[np.float64], last: int, *, is_cut: bool) -> int | None:
    """Block at which the key was released, from the onset on, which a level of -60 dB follows."""
    if last < _SHORTEST_RELEASE:
        return None
    part = levels[: last + 20]
    found = find_release(part)
    if found is None and not is_cut and levels[max(0, last - 3)] > levels.max() - 30.0:
        # It stops within a moment, as recordings do that were gated.
        found = find_release(np.append(levels[:last], np.full(60, -300.0)))
    return found if found is None or found < last else None


def _ends_loud(levels: NDArray[np.float64], frames: int, block: int) -> bool:
    """Whether the last blocks that are whole are still loud."""
    whole = levels[: frames // block] if frames >= block else levels
    return bool(whole[-2:].mean() > whole.max() + CUT_DB)


def _hits(levels: NDArray[np.float64], found: tuple[Span, ...], chosen: int) -> int:
    """How many notes there are: stretches that rise by 20 dB to within 15 dB of the first."""
    main = found[chosen]
    top = float(levels[main.begin : main.end].max())
    count = 1
    for before, span in zip(found[chosen:], found[chosen + 1 :], strict=False):
        rest = float(levels[before.end : span.begin].min())
        peak = float(levels[span.begin : span.end].max())
        count += peak > top - 15.0 and peak > rest + 20.0 and span.end - span.begin >= 3
    return count


def _kind(heard: _Listened, levels: NDArray[np.float64], hits: int) -> tuple[str, str]:
    """The kind of a sound, and what a musician would say of it."""
    seconds = len(levels) * 0.01
    motion = heard.motion
    falls = bool(
        levels[: max(1, len(levels) // 4)].mean() > levels[-len(levels) // 4 :].mean() + 10
    )
    if hits >= _LOOP_HITS:
        return "loop", (
            f"A loop or a phrase: {hits} hits with rests between them. The first is matched, and "
            "the others are not heard; --start and --length take another."
        )
    if hits > 1:
        return "hits", (
            f"Several hits or notes: {hits} with rests between them. The first is matched; --start "
            "and --length take another."
        )
    if heard.falls and falls and seconds < 1.0:
        return "sweep", (
            "A falling sweep, as of a kick drum: matched as a pitch envelope where the engine has "
            "one (--note-pitch gives the key that it ends on)."
        )
    if not heard.candidates:
        if falls and seconds < 1.0:
            return "drum", (
                "A drum or a click of noise without a key: matched as noise with its envelope "
                "(--note-pitch gives a key)."
            )
        return "noise", (
            "Noise: it has no key, and is matched by its colour and envelope (--note-pitch gives a "
            "key)."
        )
    if motion.kind == "melody":
        return "melody", (
            f"A melody, from {key_name(round(motion.low))} to {key_name(round(motion.high))}: one "
            "note is matched; --start and --length choose it."
        )
    if motion.kind == "glide":
        return "glide", (
            f"A glide from {key_name(round(motion.first))} to {key_name(round(motion.last))}: the "
            "key at its end is matched (--start takes the steady part)."
        )
    if len(heard.keys) >= 3 and motion.kind != "vibrato":
        names = " ".join(key_name(key) for key in heard.keys)
        return "chord", (
            f"A chord ({names}): one preset plays one key, so its lowest note is matched; play the "
            "notes one by one for more."
        )
    if motion.kind == "vibrato":
        return "vibrato", (
            f"A vibrato of {motion.rate_hz:.1f} Hz: matched as an LFO on the pitch where that is "
            "free."
        )
    if len(heard.keys) == 2 and (heard.keys[1] - heard.keys[0]) % 12:
        low, high = heard.keys
        return "note", (
            f"Two pitches, {key_name(low)} and {key_name(high)}: matched as one patch with two "
            "oscillators."
        )
    return "note", ""


def _speaks(whole: NDArray[np.float32], rate: int) -> bool:
    """Whether a recording, from its onset on, is speech."""
    if len(whole) < 0.25 * rate:
        return False
    if rate != _RATE:
        import soxr

        whole = np.asarray(soxr.resample(whole, rate, _RATE), np.float32)
    track = track_pitch(whole, _RATE)
    return len(track.seconds) > 8 and is_speech(track, _levels_of(whole, track))


def _rings(held: float, lasts: float, otherwise: str) -> tuple[str, str]:
    """Kind and sentence of a note that is held for some seconds and lasts longer.

    Args:
        held: seconds from onset to release.
        lasts: seconds from onset to end.
        otherwise: sentence of a plain note.
    """
    tail = lasts - held
    if tail < _LONG_TAIL_SECONDS or tail < 2.0 * held:
        return "note", otherwise
    return "reverberant", (
        f"It rings for {tail:.1f} s after a note of {held:.1f} s, as with much reverberation or a "
        "long release: that is matched by the release, and by effects where they are searched "
        "(--length takes the note alone)."
    )


def _key(
    pitch: int | None, stated: Stated, heard: _Listened, kind: str, remarks: list[str]
) -> tuple[int | None, str]:
    """The key to play and where it is from: the user, the file, then the sound."""
    candidates = heard.candidates
    if pitch is not None:
        _say_disagreement(pitch, "you say", candidates, kind, remarks)
        return pitch, "--note-pitch"
    agrees = any(abs(c.pitch - k) < _AGREE for c in candidates for k in stated.keys)
    if stated.keys and (agrees or not stated.is_guess):
        key = stated.keys[0]
        if len(stated.keys) > 1:
            near = [k for k in stated.keys if any(abs(c.pitch - k) < _AGREE for c in candidates)]
            key = near[0] if near else key
            convention = "C4" if key == stated.keys[0] else "C3"
            remarks.append(
                f"The name says {stated.text}: key {key}, the middle C being {convention}."
            )
        _say_disagreement(key, f"{stated.source} says", candidates, kind, remarks)
        return key, stated.source
    if not candidates or kind in ("noise", "drum", "sweep"):
        return None, ""
    if kind == "chord":
        return heard.keys[0], "the sound"
    if kind in ("glide", "melody"):
        pitch_heard = heard.motion.last if kind == "glide" else heard.motion.first
        return min(127, max(0, round(pitch_heard))), "the sound"
    others = [c for c in candidates[1:] if c.weight > 0.2]
    if others:
        names = ", ".join(f"{c.key} ({key_name(c.key)})" for c in others)
        remarks.append(
            f"Its key is not certain: {candidates[0].key} ({key_name(candidates[0].key)}) is the "
            f"likeliest, {names} may be meant (--note-pitch says which)."
        )
    return candidates[0].key, "the sound"


def _say_disagreement(
    key: int, who: str, candidates: tuple[Candidate, ...], kind: str, remarks: list[str]
) -> None:
    """Say so if the sound seems to be of another key than was given."""
    if not candidates or kind in ("noise", "drum", "sweep", "chord", "melody"):
        return
    if all(abs(c.pitch - key) > _AGREE for c in candidates):
        heard = candidates[0]
        octaves = abs((heard.pitch - key + 6.0) % 12.0 - 6.0) < _AGREE
        remarks.append(
            f"It sounds like key {heard.key} ({key_name(heard.key)}), and {who} {key}: "
            + ("an octave that an oscillator may add." if octaves else "check which is meant.")
        )


def _middle(heard: _Listened) -> tuple[Candidate, ...]:
    """The pitch in whose both directions a vibrato goes."""
    clear = heard.track.clarity > CLEAR
    middle = float(np.median(heard.track.hertz[clear & np.isfinite(heard.track.hertz)]))
    return (Candidate(middle, 1.0),)


def _cents(key: int | None, candidates: tuple[Candidate, ...]) -> float | None:
    """How far the sound is from its key, octaves aside; None if it seems to be of another key."""
    if key is None:
        return None
    for candidate in candidates:
        away = (candidate.pitch - key + 6.0) % 12.0 - 6.0
        if abs(away) <= _AGREE:
            return 100.0 * away
    return None


def _seconds(block: int) -> str:
    return f"{block * 0.01:.2f}"
