"""The input features of the posterior network: three compact views of one sound.

A patch shows itself in three ways that no single spectrogram resolves together, so there are three
views, all in decibels of a full-scale sine and scaled to about [-1, 1]:

- `lines`: two long spectra on a logarithmic frequency axis, an early and a late one. Tuning needs
  resolution: a quarter of a semitone apart is what the bands are, and the level ratio of
  neighbours places a line much finer than that.
- `bands`: a mel spectrogram of short frames that stand close together at the start of the note and
  far apart at its end, because an attack may take milliseconds and a decay seconds.
- `level`: the loudness over time on the same stretched axis, but finer.

Rows of a batch never influence each other. Level is kept: it tells of the oscillators' volumes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from deepdiva.models.representation_settings import (
    BLOCK,
    RepresentationSettings,
    stretched_positions,
)
from deepdiva.note import Note


class Views(NamedTuple):
    """A batch of input features.

    Attributes:
        lines: shape (batch, line_windows, line bands).
        bands: shape (batch, mel_bands, frames).
        level: shape (batch, segments).
    """

    lines: Tensor
    bands: Tensor
    level: Tensor


def hann_window(samples: int) -> Tensor:
    """Periodic Hann window whose sum is 2, so that a full-scale sine has magnitude 1 at its line.

    Returns:
        Shape (samples,) float32.
    """
    window = torch.hann_window(samples, dtype=torch.float64)
    return (window * (2.0 / window.sum())).float()


def mel_filters(sample_rate: int, window: int, bands: int, highest_hz: float) -> Tensor:
    """Triangular filters of unit peak, equally spaced in mel (O'Shaughnessy 1987).

    Peaks of height 1 (and not of equal area) keep a sine's level the same in every band.

    Returns:
        Shape (window // 2 + 1, bands) float32. A band so narrow that it falls between two bins of
        the spectrum hears the nearer one.
    """

    def to_mel(hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))

    edges_mel = np.linspace(to_mel(20.0), to_mel(highest_hz), bands + 2)
    edges = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins = np.arange(window // 2 + 1) * sample_rate / window
    rising = (bins[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - bins[:, None]) / np.diff(edges)[None, 1:]
    filters = np.clip(np.minimum(rising, falling), 0.0, None)
    deaf = np.flatnonzero(filters.max(axis=0) < 0.1)
    filters[np.rint(edges[1:-1][deaf] * window / sample_rate).astype(int), deaf] = 1.0
    return torch.from_numpy(filters.astype(np.float32))


def _power(sounds: Tensor, starts: tuple[int, ...], window: Tensor) -> Tensor:
    """Power spectra of the frames that start at `starts`: (batch, frames, window // 2 + 1)."""
    length = len(window)
    frames = torch.stack([sounds[:, start : start + length] for start in starts], dim=1)
    spectrum: Tensor = torch.fft.rfft(frames * window)
    return spectrum.real.square() + spectrum.imag.square()


class Representation(nn.Module):
    """Turns a batch of sounds into `Views`. It has nothing to learn.

    Args:
        note: the recording's length, rate and key.
        settings: how the views are cut.

    Shape:
        (batch, note.samples) float32 -> `Views`.
    """

    line_window: Tensor
    line_edges: Tensor
    line_scale: Tensor
    frame_window: Tensor
    filters: Tensor
    segment_edges: Tensor
    segment_samples: Tensor

    def __init__(self, note: Note, settings: RepresentationSettings) -> None:
        super().__init__()
        self.note = note
        self.settings = settings
        rate, samples = note.sample_rate, note.samples
        highest = min(settings.highest_hz, 0.45 * rate)

        self.line_samples = min(settings.line_samples, samples)
        first = min(round(0.1 * rate), samples - self.line_samples)
        last = samples - self.line_samples
        starts = np.linspace(first, last, settings.line_windows).round().astype(np.int64)
        self.line_starts = tuple(int(start) for start in starts)
        lowest = note.frequency_hz * 2.0 ** (settings.lowest_semitones / 12)
        self.line_bands = max(1, int(settings.bins_per_octave * math.log2(highest / lowest)))
        centres = np.arange(self.line_bands + 1) - 0.5
        edges = lowest * 2.0 ** (centres / settings.bins_per_octave)
        edges_bins = edges * self.line_samples / rate + 0.5  # bin k covers [k, k + 1] here
        self._buffer("line_window", hann_window(self.line_samples))
        self._buffer("line_edges", torch.from_numpy(edges_bins))
        # A full-scale Hann line holds a power of 1 at its peak and of 1.5 (bins) altogether.
        self._buffer("line_scale", torch.from_numpy(1.0 / np.minimum(np.diff(edges_bins), 1.5)))

        window = min(settings.frame_samples, samples)
        frame_starts = (
            stretched_positions(samples - window, settings.frames, 256.0 * rate / 44100)
            if samples > window
            else np.zeros(settings.frames, dtype=np.int64)
        )
        self._buffer("frame_window", hann_window(window))
        self.frame_starts = tuple(int(start) for start in frame_starts)
        self._buffer("filters", mel_filters(rate, window, settings.mel_bands, highest))

        blocks = samples // BLOCK
        segment_edges = stretched_positions(blocks, settings.segments + 1, 1.0)
        self._buffer("segment_edges", torch.from_numpy(segment_edges))
        self._buffer("segment_samples", torch.from_numpy(BLOCK * np.diff(segment_edges)))

    def _buffer(self, name: str, value: Tensor) -> None:
        """Keep a constant that moves between devices and is not stored with the weights."""
        self.register_buffer(name, value, persistent=False)

    def _decibels(self, power: Tensor) -> Tensor:
        """Power relative to a full-scale sine -> about [-1, 1]; the floor is exactly -1."""
        floor = self.settings.floor_db
        level = 10.0 * torch.log10(power.float().clamp_min(10.0 ** (floor / 10.0)))
        return level * (-2.0 / floor) + 1.0

    def forward(self, sounds: Tensor) -> Views:
        return Views(self._lines(sounds), self._bands(sounds), self._level(sounds))

    def _lines(self, sounds: Tensor) -> Tensor:
        power = _power(sounds, self.line_starts, self.line_window)
        # The power up to a fractional bin, by linear interpolation: bands of any width are then
        # one subtraction, and double precision keeps quiet bands above loud ones.
        total = F.pad(power.cumsum(-1, dtype=torch.float64), (1, 0))
        below = self.line_edges.floor().long().clamp_max(total.shape[-1] - 2)
        share = self.line_edges - below
        until = total[..., below] * (1.0 - share) + total[..., below + 1] * share
        return self._decibels(until.diff(dim=-1).clamp_min(0.0) * self.line_scale)

    def _bands(self, sounds: Tensor) -> Tensor:
        power = _power(sounds, self.frame_starts, self.frame_window)
        return self._decibels(power @ self.filters).transpose(1, 2).contiguous()

    def _level(self, sounds: Tensor) -> Tensor:
        blocks = sounds.shape[1] // BLOCK
        power = sounds[:, : blocks * BLOCK].square()
        energy = power.view(len(sounds), blocks, BLOCK).sum(-1).double().cumsum(-1)
        until = F.pad(energy, (1, 0))[:, self.segment_edges]
        # Twice the mean square is the squared amplitude of a sine.
        return self._decibels(2.0 * until.diff(dim=-1).clamp_min(0.0) / self.segment_samples)
