"""Sounds of the whole panel to learn from, made in numbered pieces (shards).

A shard is a function of its number, the stream and the seed, so many processes can make them in any
order, and a training that is resumed makes or reads the very same ones. Each patch is played once
and heard several times, as recordings that differ: noise, room, bandwidth, start, end, channels.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from deepdiva.files import atomic_write
from deepdiva.models.augmentation import band_limited
from deepdiva.models.panel.views import RATE, WIDTH, Played, views
from deepdiva.note import Note

Sound = NDArray[np.float32]
DrawPatches = Callable[[int, int, list[Note]], NDArray[np.float64]]
"""Patches of a count, a seed and a note for each."""
PlayGroup = Callable[[NDArray[np.float64], Note, NDArray[np.int64], np.random.Generator], Sound]
"""Both channels, (2, batch, samples), of patches, a note, seeds and what draws the constants."""
Encode = Callable[[NDArray[np.float64]], NDArray[np.int16]]
"""Classes of patches."""

_QUIETEST_RMS = 1e-4


@dataclass(frozen=True)
class SoundSettings:
    """What is played, and what recordings of it differ in.

    Attributes:
        patches: in a shard.
        heard: recordings of each patch.
        group: patches that share a note and the engine's constants.
        keys: lowest and highest key; most lie between 36 and 84.
        engine_width: how far the engine's uncertain constants vary, 0 to 1.
        usual_share: share of the groups that hold and record for `usual_seconds`.
        usual_seconds: as the 2021 project did.
        held_seconds: shortest and longest of the other notes, log-uniform.
        tail_seconds: the same of what is recorded after the key.
        tail_share: share of the other notes that have any.
        stereo_share: share of the recordings that are not mixed to mono.
        noise_share: share with white noise.
        noise_db: lowest and highest level of it, relative to the sound.
        room_share: share with a room.
        room_db: lowest and highest level of it.
        cut_share: share that ends early.
        shift_seconds: a start is early or late by at most this.
        glide_share: share that fades in from another sound, as Diva does from its last patch.
        glide_seconds: longest such time.
        band_limit_share: share from a lower sampling rate.
        band_limits_hz: highest frequencies of these.
    """

    patches: int = 512
    heard: int = 2
    group: int = 128
    keys: tuple[int, int] = (24, 96)
    engine_width: float = 0.5
    usual_share: float = 0.25
    usual_seconds: float = 2.0
    held_seconds: tuple[float, float] = (0.25, 2.5)
    tail_seconds: tuple[float, float] = (0.15, 1.2)
    tail_share: float = 0.6
    stereo_share: float = 0.4
    noise_share: float = 0.5
    noise_db: tuple[float, float] = (-80.0, -35.0)
    room_share: float = 0.1
    room_db: tuple[float, float] = (-26.0, -10.0)
    cut_share: float = 0.12
    shift_seconds: float = 0.004
    glide_share: float = 0.3
    glide_seconds: float = 0.07
    band_limit_share: float = 0.05
    band_limits_hz: tuple[float, ...] = (8000.0, 11025.0, 16000.0)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Shard:
    """Recordings, and the patches behind them.

    Attributes:
        vectors: `views` of the recordings, shape (patches * heard, WIDTH), float16; those of one
            patch lie `patches` rows apart.
        classes: of the patches, shape (patches, variables), int16.
    """

    vectors: NDArray[np.float16]
    classes: NDArray[np.int16]

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        buffer = io.BytesIO()
        np.savez(buffer, vectors=self.vectors, classes=self.classes)
        atomic_write(path, buffer.getvalue(), force=True)

    @classmethod
    def read(cls, path: Path) -> Shard:
        """Read what `write` wrote."""
        with np.load(path) as content:
            return cls(content["vectors"], content["classes"])


def draw_note(settings: SoundSettings, rng: np.random.Generator) -> Note:
    """A note to play a group of patches with."""
    low, high = settings.keys
    if rng.random() < 0.8:
        low, high = max(low, 36), min(high, 84)
    pitch = int(rng.integers(low, high + 1))
    velocity = 127 if rng.random() < 0.3 else int(rng.integers(30, 128))
    if rng.random() < settings.usual_share:
        seconds = settings.usual_seconds
        return Note(pitch, velocity, seconds, seconds, RATE)
    held = _log_uniform(rng, *settings.held_seconds)
    tail = _log_uniform(rng, *settings.tail_seconds) if rng.random() < settings.tail_share else 0.0
    return Note(pitch, velocity, held, held + tail, RATE)


def make_shard(
    number: int,
    settings: SoundSettings,
    seed: int,
    stream: int,
    draw: DrawPatches,
    play: PlayGroup,
    encode: Encode,
) -> Shard:
    """Make the shard of a number.

    Args:
        number: 0 or more.
        settings: of the sounds.
        seed: of all draws.
        stream: 0 for training; another number gives sounds that training never meets.
        draw: patches.
        play: plays them.
        encode: makes classes of them.
    """
    rng = np.random.default_rng([seed, stream, number])
    groups = math.ceil(settings.patches / settings.group)
    notes = [draw_note(settings, rng) for _ in range(groups)]
    owner = np.arange(settings.patches) // settings.group
    patches = draw(settings.patches, int(rng.integers(2**62)), [notes[k] for k in owner])
    seeds = rng.integers(0, 2**31, settings.patches)
    vectors = np.zeros((settings.heard, settings.patches, WIDTH), np.float16)
    usable = np.zeros(settings.patches, dtype=bool)
    for group, note in enumerate(notes):
        rows = np.flatnonzero(owner == group)
        sounds = play(patches[rows], note, seeds[rows], rng)
        loud = np.sqrt(np.mean(np.square(sounds.mean(axis=0)), axis=-1))
        usable[rows] = np.isfinite(sounds).all(axis=(0, 2)) & (loud > _QUIETEST_RMS)
        for place, row in enumerate(rows):
            other = sounds[:, int(rng.integers(len(rows)))]
            if not usable[row] or not np.isfinite(other).all():
                continue
            for turn in range(settings.heard):
                recorded, played = record(sounds[:, place], other, note, settings, rng)
                vectors[turn, row] = views(recorded, played)
    classes = encode(patches)
    good = np.flatnonzero(usable)
    for row in np.flatnonzero(~usable):  # a silent patch gives way to another of the shard
        taken = good[int(rng.integers(len(good)))]
        vectors[:, row], classes[row] = vectors[:, taken], classes[taken]
    return Shard(vectors.reshape(-1, WIDTH), classes)


def record(
    sound: Sound, other: Sound, note: Note, settings: SoundSettings, rng: np.random.Generator
) -> tuple[Sound, Played]:
    """A recording of a sound, and how it was played as far as a listener knows.

    Args:
        sound: shape (2, samples).
        other: another sound of that shape, from which it may fade in.
        note: that was played.
        settings: what recordings differ in.
        rng: decides all.

    Returns:
        Shape (2, samples) or (samples,), and key, velocity and length.
    """
    chances = rng.random(6)
    heard = sound if chances[0] < settings.stereo_share else sound.mean(axis=0, keepdims=True)
    heard = heard * np.float32(0.1 / max(float(np.sqrt(np.mean(np.square(heard)))), 1e-5))
    samples = heard.shape[1]
    if chances[1] < settings.glide_share:
        length = min(int(rng.integers(1, round(settings.glide_seconds * RATE))), samples // 2)
        start = int(rng.integers(0, samples - length + 1))
        before = other[: len(heard), start : start + length]
        before = before * np.float32(0.1 / max(float(np.sqrt(np.mean(np.square(before)))), 1e-2))
        rise = np.linspace(0.0, 1.0, length, dtype=np.float32)
        heard[:, :length] = rise * heard[:, :length] + (1 - rise) * before
    if chances[2] < settings.room_share:
        heard = _in_a_room(heard, settings, rng)
    if chances[3] < settings.band_limit_share:
        limit = float(rng.choice(np.asarray(settings.band_limits_hz)))
        heard = np.stack([band_limited(channel, RATE, limit) for channel in heard])
    if chances[4] < settings.noise_share:
        level = 0.1 * 10.0 ** (rng.uniform(*settings.noise_db) / 20.0)
        stock = _noise()
        for channel in heard:
            start = int(rng.integers(0, len(stock) - samples))
            channel += np.float32(level) * stock[start : start + samples]
    reach = round(settings.shift_seconds * RATE)
    shift = int(rng.integers(-reach, reach + 1))
    if shift > 0:
        heard = np.pad(heard, ((0, 0), (shift, 0)))
    elif shift < 0:
        heard = heard[:, -shift:]
    if chances[5] < settings.cut_share:
        heard = heard[:, : int(rng.uniform(min(0.25 * RATE, samples), samples))]
    held = max(note.length_seconds + float(rng.uniform(-0.01, 0.01)), 0.05)
    if note.length_seconds * RATE >= heard.shape[1] - reach:
        held = note.length_seconds + 1.0  # the recording ends before the key
    played = Played(note.pitch, note.velocity, held)
    return (heard if len(heard) == 2 else heard[0]), played


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


@lru_cache(maxsize=1)
def _noise() -> Sound:
    return np.random.default_rng(0).standard_normal(20 * RATE, dtype=np.float32)


@lru_cache(maxsize=32)
def _room(number: int) -> Sound:
    """Impulse response of a room: noise that decays, of energy 1; (samples,)."""
    rng = np.random.default_rng([1, number])
    decay = _log_uniform(rng, 0.15, 1.2)
    time = np.arange(round(0.8 * decay * RATE)) / RATE
    response = rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay)
    response = scipy.signal.lfilter([0.35], [1.0, -0.65], response)
    return np.asarray(response / np.sqrt(np.sum(response**2)), dtype=np.float32)


def _in_a_room(heard: Sound, settings: SoundSettings, rng: np.random.Generator) -> Sound:
    level = np.float32(10.0 ** (rng.uniform(*settings.room_db) / 20.0))
    response = _room(int(rng.integers(32)))
    samples = heard.shape[1]
    size = scipy.fft.next_fast_len(samples + len(response), real=True)
    spectrum = scipy.fft.rfft(response, size)
    wet = scipy.fft.irfft(scipy.fft.rfft(heard, size, axis=-1) * spectrum, size, axis=-1)
    return np.asarray(heard + level * wet[:, :samples], dtype=np.float32)
