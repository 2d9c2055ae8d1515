"""What a real recording differs in from an engine's: level, noise, start, bandwidth, glide.

The strengths are small on purpose: brightness carries the cutoff, and a network that has learned to
ignore it does not answer that. The level of a recording says nothing of a patch, so all sounds are
brought to the one at which they are compared (`deepdiva.level`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from deepdiva.compiled_code import njit
from deepdiva.level import at_reference


@dataclass(frozen=True)
class Augmentation:
    """How far recordings differ. All draws are independent for each sound.

    Attributes:
        levelled: sounds are brought to the level at which a recording is heard, before all else.
        gain_db: standard deviation of the level.
        noise_db: lowest and highest level of white noise that is added, root mean square relative
            to full scale.
        noise_share: share of the sounds that get any noise.
        shift_seconds: a start is early or late by at most this.
        glide_seconds: longest time over which a sound fades in from another one. Diva glides from
            the patch it played before.
        glide_share: share of the sounds that do.
        band_limits_hz: highest frequencies left by a recording at a lower rate.
        band_limit_share: share of the sounds that are so limited.
    """

    levelled: bool = True
    gain_db: float = 0.3
    noise_db: tuple[float, float] = (-100.0, -60.0)
    noise_share: float = 0.5
    shift_seconds: float = 0.004
    glide_seconds: float = 0.07
    glide_share: float = 0.6
    band_limits_hz: tuple[float, ...] = (8000.0, 11025.0, 16000.0)
    band_limit_share: float = 0.05

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)


NONE = Augmentation(
    levelled=False,
    gain_db=0.0,
    noise_share=0.0,
    shift_seconds=0.0,
    glide_share=0.0,
    band_limit_share=0.0,
)
"""Leaves sounds as they are."""


@njit(nogil=True, cache=True, error_model="numpy")
def _record(  # type: ignore[no-untyped-def]
    sounds, others, gains, noise_levels, noise_starts, noise, shifts, glides
):  # pragma: no cover  (compiled)
    """One pass over each sound, in place; see `augment` for what the arguments are."""
    samples = sounds.shape[1]
    delayed = np.empty(samples, np.float32)
    for i in range(sounds.shape[0]):
        shift = shifts[i]
        first, last = max(0, shift), min(samples, samples + shift)
        delayed[:first] = 0
        delayed[last:] = 0
        delayed[first:last] = sounds[i, first - shift : last - shift]
        length = glides[i]
        for t in range(length):
            share = np.float32(t) / np.float32(length)
            delayed[t] = share * delayed[t] + (np.float32(1) - share) * others[i, t]
        gain, level, start = gains[i], noise_levels[i], noise_starts[i]
        for t in range(samples):
            sounds[i, t] = gain * delayed[t] + level * noise[start + t]


def white_noise(samples: int) -> NDArray[np.float32]:
    """A stock of noise from which pieces are cut: twice `samples` values, variance 1."""
    return np.random.default_rng(0).standard_normal(2 * samples, dtype=np.float32)


def augment(
    sounds: NDArray[np.float32],
    sample_rate: int,
    settings: Augmentation,
    noise: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Make recordings of rendered sounds, in place.

    Args:
        sounds: shape (batch, samples), contiguous.
        sample_rate: of the sounds.
        settings: how far recordings differ.
        noise: as `white_noise` makes it.
        rng: decides all.
    """
    count, samples = sounds.shape
    if settings.levelled:
        sounds[:] = at_reference(sounds)[0]
    gains = 10.0 ** (settings.gain_db * rng.standard_normal(count) / 20.0)
    noise_levels = np.where(
        rng.random(count) < settings.noise_share,
        10.0 ** (rng.uniform(*settings.noise_db, count) / 20.0),
        0.0,
    )
    noise_starts = rng.integers(0, len(noise) - samples, count)
    reach = min(round(settings.shift_seconds * sample_rate), samples - 1)
    shifts = rng.integers(-reach, reach + 1, count)
    longest = min(round(settings.glide_seconds * sample_rate), samples)
    glides = np.where(
        rng.random(count) < settings.glide_share, rng.integers(0, longest + 1, count), 0
    )
    starts = rng.integers(0, samples - longest + 1, count)
    before = rng.permutation(count)
    others = np.stack([sounds[b, s : s + longest] for b, s in zip(before, starts, strict=True)])
    limited = np.flatnonzero(rng.random(count) < settings.band_limit_share)
    limits = rng.choice(np.asarray(settings.band_limits_hz), len(limited))
    for row, limit_hz in zip(limited, limits, strict=True):
        sounds[row] = band_limited(sounds[row], sample_rate, limit_hz)
    _record(
        sounds,
        others,
        gains.astype(np.float32),
        noise_levels.astype(np.float32),
        noise_starts,
        noise,
        shifts,
        glides,
    )


def band_limited(
    sound: NDArray[np.float32], sample_rate: int, limit_hz: float
) -> NDArray[np.float32]:
    """A sound without what lies above `limit_hz`; half a cosine, 5 % wide, leads down to it."""
    spectrum = scipy.fft.rfft(sound)
    frequencies = np.arange(len(spectrum)) * sample_rate / len(sound)
    slope = np.clip((limit_hz - frequencies) / (0.05 * limit_hz), 0.0, 1.0)
    spectrum *= (0.5 - 0.5 * np.cos(np.pi * slope)).astype(np.float32)
    return np.asarray(scipy.fft.irfft(spectrum, len(sound)), dtype=np.float32)
