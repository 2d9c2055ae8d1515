"""Averaged spectra of a note that can be compared over keys, lengths and levels.

A fingerprint holds mean power spectra of ten spans of a note in bands a semitone apart. Played
a semitone higher, partials move by one band, whatever the key: a preset that was rendered at a few
keys can be compared with a target at any other.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepdiva.distance.plan import logarithmic_bands
from deepdiva.note import Note

BANDS = 113
"""One for each semitone from 29 Hz to 18.8 kHz."""

HELD_SECONDS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.1, 1.5, 2.0)
"""Ends of the spans from the onset on, while the key is held."""

RELEASED_SECONDS = (0.0, 0.15, 0.4, 0.8)
"""Ends of the spans from the release on."""

SPANS = len(HELD_SECONDS) + len(RELEASED_SECONDS) - 2

_LOWEST_HZ = 27.5
_SIZE = 4096
_HOP = 1024
_FLOOR = 1e-7
"""Power below the note's mean at which all is silence: 70 dB."""

Fingerprint = NDArray[np.float32]


def fingerprint(sound: NDArray[np.float32], note: Note) -> Fingerprint:
    """Mean power spectra of the spans of a note.

    Args:
        sound: shape (samples,), mono.
        note: what was played; says when the key was released.

    Returns:
        Shape (SPANS, BANDS), power, full scale 1; NaN in spans that the sound does not hold.
    """
    rate = note.sample_rate
    padded = np.pad(np.asarray(sound, np.float32), (_SIZE // 2, _SIZE))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::_HOP]
    frames = frames[: 1 + (len(sound) - 1) // _HOP]
    window = np.hanning(_SIZE + 1)[:-1].astype(np.float32)
    spectra = np.fft.rfft(frames * (window * np.float32(2.0 / window.sum())))
    bands = (np.square(spectra.real) + np.square(spectra.imag)) @ _filters(rate).T
    seconds = np.arange(len(frames)) * _HOP / rate
    release = min(note.length_seconds, note.render_seconds)
    found = np.full((SPANS, BANDS), np.nan, np.float32)
    held = itertools.pairwise(HELD_SECONDS)
    released = itertools.pairwise(RELEASED_SECONDS)
    spans = [(begin, end, release) for begin, end in held]
    spans += [(release + begin, release + end, note.render_seconds) for begin, end in released]
    for row, (begin, end, last) in enumerate(spans):
        inside = (seconds >= begin) & (seconds < end)
        # The first span of a note that is shorter still counts.
        if inside.any() and (end <= last + 1e-6 or row == 0):
            found[row] = bands[inside].mean(axis=0)
    return found


def spectral_gaps(prints: Fingerprint, target: Fingerprint) -> NDArray[np.float64]:
    """Distance of fingerprints to a target's, whatever the level of each.

    All are brought to one mean power over the spans that all hold. The distance is the mean
    difference of log10 amplitudes over spans and bands, above a floor 70 dB below the mean, and as
    much again of that of the spans' levels.

    Args:
        prints: shape (count, SPANS, BANDS).
        target: shape (SPANS, BANDS).

    Returns:
        Shape (count,); 1 stands for 20 dB.
    """
    common = np.isfinite(target[:, 0]) & np.isfinite(prints[:, :, 0]).all(axis=0)
    wanted = _levelled(target[None, common])
    found = _levelled(prints[:, common])
    bands = np.abs(np.log10(found / wanted)).mean(axis=(1, 2))
    levels = np.abs(np.log10(found.sum(axis=2) / wanted.sum(axis=2))).mean(axis=1)
    return np.asarray(0.25 * (bands + levels), np.float64)


def transposed(
    keys: NDArray[np.int64], prints: Fingerprint, key: int
) -> tuple[NDArray[np.int64], Fingerprint]:
    """Fingerprints as they would be at another key.

    Those of the two nearest keys are moved by as many bands as there are semitones between, and
    averaged in dB, the nearer one counting more: partials follow the key, and what follows it half
    way or not at all lies about half way between.

    Args:
        keys: at which the presets were rendered, rising, shape (keys,).
        prints: shape (count, keys, SPANS, BANDS).
        key: the wanted one.

    Returns:
        Indices of the keys that were used, and fingerprints, shape (count, SPANS, BANDS).
    """
    above = int(np.clip(np.searchsorted(keys, key), 1, len(keys) - 1)) if len(keys) > 1 else 0
    used = np.unique([max(0, above - 1), above])
    exact = np.flatnonzero(keys == key)
    if len(exact) or key < keys[0] or key > keys[-1]:
        used = exact if len(exact) else np.array([0 if key < keys[0] else len(keys) - 1])
    moved = [_moved(prints[:, index], key - int(keys[index])) for index in used]
    if len(moved) == 1:
        return used, moved[0]
    share = (key - keys[used[0]]) / (keys[used[1]] - keys[used[0]])
    lower, upper = (np.log(part + 1e-15) for part in moved)
    return used, np.exp(lower + np.float32(share) * (upper - lower))


def _moved(prints: Fingerprint, semitones: int) -> Fingerprint:
    """Fingerprints some bands higher; what comes in from outside is silence."""
    if semitones == 0:
        return prints
    out = np.where(np.isfinite(prints), np.float32(0.0), prints)
    if semitones > 0:
        out[..., semitones:] = prints[..., :-semitones]
    else:
        out[..., :semitones] = prints[..., -semitones:]
    return out


def _levelled(prints: Fingerprint) -> Fingerprint:
    """At a mean power of 1, with the floor; shape as given."""
    power = prints.sum(axis=2).mean(axis=1)[:, None, None]
    return np.asarray(prints / np.maximum(power, 1e-12) + np.float32(_FLOOR), np.float32)


@lru_cache(maxsize=4)
def _filters(sample_rate: int) -> NDArray[np.float32]:
    """Weights of the bins in the bands, shape (BANDS, bins)."""
    highest = _LOWEST_HZ * 2.0 ** ((BANDS + 1) / 12)
    bands = logarithmic_bands(_SIZE, sample_rate, BANDS, _LOWEST_HZ, highest)
    return bands.astype(np.float32)
