"""Plays the posterior network with numpy alone: the same numbers as PyTorch's within 1e-4.

What the network is stands in `posterior`, `encoder`, `representation` and `flow`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.fft
import scipy.special
from numpy.typing import NDArray

from deepdiva.models.arithmetic import Array, convolve, group_norm, layer_norm, silu, softmax
from deepdiva.models.predictor import Candidates, Predictor, check_sounds
from deepdiva.models.representation_settings import (
    BLOCK,
    RepresentationSettings,
    stretched_positions,
)
from deepdiva.models.targets import TargetCode
from deepdiva.note import Note
from deepdiva.space import ParameterSpace

EDGE = 1e-5
"""Values nearer than this to 0 or 1 are treated as this near: the spline's box ends at 5 sigma."""

_BOUND, _SLOPE = 5.0, 1e-3
"""Of the splines, as in `flow`."""


def noise(draws: int, classes: int, continuous: int, seed: int) -> tuple[Array, Array]:
    """What draws are made of: uniform (1, draws, classes) and normal (1, draws, continuous)."""
    rng = np.random.default_rng(seed)
    uniform = rng.random((1, draws, classes), dtype=np.float32)
    return uniform, rng.standard_normal((1, draws, continuous), dtype=np.float32)


class PosteriorPlayer(Predictor):
    """Draws patches for each sound from the network's posterior.

    Args:
        space: the parameters that are answered.
        note: what the sounds are recordings of.
        features: how sounds are heard, as a weights file describes it.
        arrays: weights by their names in PyTorch.
        draws: patches per sound, the densest first.
        seed: of the draws; the same seed gives the same answers.
    """

    name = "posterior"

    def __init__(
        self,
        space: ParameterSpace,
        note: Note,
        features: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        draws: int = 64,
        seed: int = 0,
    ) -> None:
        self.space, self.note, self.draws, self.seed = space, note, draws, seed
        settings = {name: value for name, value in features.items() if name != "kind"}
        self._views = PosteriorViews(note, RepresentationSettings(**settings))
        self._code = TargetCode(space)
        self._arrays = {
            name: array.astype(np.float32) if array.dtype == np.float16 else array
            for name, array in arrays.items()
        }
        kept = arrays["encoder.lines.0.weight"].shape[1] // self._views.line_windows
        self._shifts = self._views.shifts(kept)
        names = [name for name in arrays if name.endswith("hyper.0.weight")]
        self._flow = [_Layer(self._arrays, k) for k in range(len(names))]

    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        return [self._answer(sound) for sound in sounds]

    def encode(self, sound: Array) -> Array:
        """The vector of a sound, (samples,) to (encoding,)."""
        lines, bands, level = self._views(sound)
        plain = lines.reshape(1, -1)
        stacked = self._views.stacked(lines, self._shifts)[None]
        merged = (
            self._dense("encoder.from_lines", self._branch("encoder.lines", stacked))
            + self._dense("encoder.plain", plain)
            + self._dense("encoder.from_bands", self._branch("encoder.bands", bands[None, None]))
            + self._dense("encoder.level", level[None])
        )
        for number in (0, 1):
            at = f"encoder.together.{number}"
            inner = layer_norm(merged, *self._layer(f"{at}.norm"))
            inner = silu(self._dense(f"{at}.dense1", inner))
            merged = merged + self._dense(f"{at}.dense2", inner)
        normed = layer_norm(merged, *self._layer("encoder.together.2"))
        return np.asarray(self._dense("encoder.together.3", normed)[0])

    def _branch(self, name: str, x: Array) -> Array:
        """Convolutions of a view, flat."""
        weight, bias = self._layer(f"{name}.0")
        x = convolve(x, weight, bias, 1 if x.ndim == 3 else 2)
        for stage in (1, 2):
            at = f"{name}.{stage}"
            inner = silu(group_norm(x, *self._layer(f"{at}.norm1")))
            inner = convolve(inner, self._arrays[f"{at}.conv1.weight"], 0.0, 2)
            inner = silu(group_norm(inner, *self._layer(f"{at}.norm2")))
            inner = convolve(inner, *self._layer(f"{at}.conv2"), 1)
            x = convolve(x, *self._layer(f"{at}.short"), 2) + inner
        x = silu(group_norm(x, *self._layer(f"{name}.3")))
        return np.asarray(convolve(x, *self._layer(f"{name}.5"), 1).reshape(len(x), -1))

    def _answer(self, sound: Array) -> Candidates:
        code = self._code
        uniform, normal = noise(
            self.draws, len(code.class_counts), len(code.continuous_names), self.seed
        )
        context = np.repeat(self.encode(sound)[None], self.draws, axis=0)
        numbers = np.empty((self.draws, len(code.class_counts)), np.int64)
        density, marginals = np.zeros(self.draws), {}
        for column, count in enumerate(code.class_counts):
            hidden = silu(self._dense(f"heads.{column}.0", context))
            shares = softmax(self._dense(f"heads.{column}.2", hidden))
            ends, wanted = np.cumsum(shares, axis=1), uniform[0, :, column, None]
            numbers[:, column] = np.minimum((ends < wanted).sum(axis=1), count - 1)
            density += np.log(shares[np.arange(self.draws), numbers[:, column]])
            marginals[code.class_names[column]] = shares.mean(axis=0)
            chosen = np.eye(count, dtype=np.float32)[numbers[:, column]]
            context = np.concatenate([context, chosen], axis=1)
        values = np.zeros((self.draws, 0))
        if self._flow:
            z = normal[0]
            for layer in reversed(self._flow):
                z = layer.inverse(z, context)
            values = scipy.special.ndtr(z.astype(np.float64))
            density += self._value_density(values, context)
        order = np.argsort(-density, kind="stable")
        x = code.join(numbers[order], values[order])
        return Candidates(x, density[order], marginals)

    def _value_density(self, values: NDArray[np.float64], context: Array) -> NDArray[np.float64]:
        """Log density of values in the unit cube, shape (draws,)."""
        z = scipy.special.ndtri(np.clip(values, EDGE, 1.0 - EDGE)).astype(np.float32)
        total, moved = 0.5 * np.sum(z.astype(np.float64) ** 2, axis=1), z
        for layer in self._flow:
            moved, slopes = layer.forward(moved, context)
            total = total + np.log(slopes.astype(np.float64)).sum(axis=1)
        return np.asarray(total - 0.5 * np.sum(moved.astype(np.float64) ** 2, axis=1))

    def _layer(self, name: str) -> tuple[Array, Array]:
        return self._arrays[f"{name}.weight"], self._arrays[f"{name}.bias"]

    def _dense(self, name: str, x: Array) -> Array:
        weight, bias = self._layer(name)
        return np.asarray(x @ weight.T + bias, dtype=np.float32)


class _Layer:
    """One autoregressive layer of rational-quadratic splines (Durkan et al. 2019)."""

    def __init__(self, arrays: dict[str, NDArray[Any]], number: int) -> None:
        at = f"flow.transform.transforms.{number}.hyper"
        self._weights = [
            (arrays[f"{at}.{k}.weight"] * arrays[f"{at}.{k}.mask"], arrays[f"{at}.{k}.bias"])
            for k in (0, 2, 4)
        ]

    def forward(self, x: Array, context: Array) -> tuple[Array, Array]:
        """Values, (batch, features), through the splines, and the slopes there."""
        knots = self._knots(x, context)
        inside, x0, x1, y0, y1, d0, d1 = _pieces(knots, x, 0)
        s = (y1 - y0) / (x1 - x0)
        z = np.where(inside, (x - x0) / (x1 - x0), 0.0)
        below = s + (d0 + d1 - 2.0 * s) * z * (1.0 - z)
        y = y0 + (y1 - y0) * (s * z**2 + d0 * z * (1.0 - z)) / below
        above = d1 * z**2 + 2.0 * s * z * (1.0 - z) + d0 * (1.0 - z) ** 2
        slopes = np.where(inside, s**2 * above / below**2, 1.0)
        return np.where(inside, y, x).astype(np.float32), slopes.astype(np.float32)

    def inverse(self, y: Array, context: Array) -> Array:
        """Back; as many passes as there are features."""
        x = np.zeros_like(y)
        for _ in range(y.shape[1]):
            knots = self._knots(x, context)
            inside, x0, x1, y0, y1, d0, d1 = _pieces(knots, y, 1)
            s = (y1 - y0) / (x1 - x0)
            above = np.where(inside, y - y0, 0.0)
            a = (y1 - y0) * (s - d0) + above * (d0 + d1 - 2.0 * s)
            b = (y1 - y0) * d0 - above * (d0 + d1 - 2.0 * s)
            c = -s * above
            z = 2.0 * c / (-b - np.sqrt(b**2 - 4.0 * a * c))
            x = np.where(inside, x0 + z * (x1 - x0), y).astype(np.float32)
        return x

    def _knots(self, x: Array, context: Array) -> tuple[Array, Array, Array]:
        """Positions, heights and slopes of the knots: (batch, features, knots) each."""
        hidden = np.concatenate([x, context], axis=1)
        for number, (weight, bias) in enumerate(self._weights):
            hidden = hidden @ weight.T + bias
            if number < 2:
                hidden = silu(hidden)
        phi = hidden.reshape(*x.shape, -1)
        bins = (phi.shape[-1] + 1) // 3
        limit = math.log(_SLOPE)
        ends = []
        for part in (phi[..., :bins], phi[..., bins : 2 * bins]):
            shares = softmax(part / (1.0 + np.abs(2.0 * part / limit)))
            total = np.cumsum(np.pad(shares, ((0, 0), (0, 0), (1, 0))), axis=-1)
            ends.append((_BOUND * (2.0 * total - 1.0)).astype(np.float32))
        slopes = phi[..., 2 * bins :]
        slopes = np.pad(slopes / (1.0 + np.abs(slopes / limit)), ((0, 0), (0, 0), (1, 1)))
        return ends[0], ends[1], np.exp(slopes)


def _pieces(
    knots: tuple[Array, Array, Array], values: Array, along: int
) -> tuple[NDArray[np.bool_], Array, Array, Array, Array, Array, Array]:
    """Whether values lie inside the box, and the two knots around each: x, y and slopes."""
    number = (knots[along] < values[..., None]).sum(axis=-1) - 1
    bins = knots[0].shape[-1] - 1
    inside = (number >= 0) & (number < bins)
    left = (number % bins)[..., None]
    ends = [
        np.take_along_axis(array, left + step, axis=-1)[..., 0]
        for array in knots
        for step in (0, 1)
    ]
    return inside, ends[0], ends[1], ends[2], ends[3], ends[4], ends[5]


class PosteriorViews:
    """The three views of a sound; see `representation`.

    Args:
        note: the recording's length, rate and key.
        settings: how the views are cut.
    """

    def __init__(self, note: Note, settings: RepresentationSettings) -> None:
        self._settings = settings
        rate, samples = note.sample_rate, note.samples
        highest = min(settings.highest_hz, 0.45 * rate)
        length = min(settings.line_samples, samples)
        first, last = min(round(0.1 * rate), samples - length), samples - length
        self._line_starts = np.linspace(first, last, settings.line_windows).round().astype(int)
        lowest = note.frequency_hz * 2.0 ** (settings.lowest_semitones / 12)
        bands = max(1, int(settings.bins_per_octave * math.log2(highest / lowest)))
        edges = lowest * 2.0 ** ((np.arange(bands + 1) - 0.5) / settings.bins_per_octave)
        self._edges = edges * length / rate + 0.5  # bin k covers [k, k + 1] here
        self._scale = 1.0 / np.minimum(np.diff(self._edges), 1.5)
        self._line_window = _hann(length)
        window = min(settings.frame_samples, samples)
        self._frame_window = _hann(window)
        self._frame_starts = (
            stretched_positions(samples - window, settings.frames, 256.0 * rate / 44100)
            if samples > window
            else np.zeros(settings.frames, dtype=np.int64)
        )
        self._filters = _mel_filters(rate, window, settings.mel_bands, highest)
        self._segments = stretched_positions(samples // BLOCK, settings.segments + 1, 1.0)

    def __call__(self, sound: Array) -> tuple[Array, Array, Array]:
        """Lines (windows, bands), bands (bands, frames) and level (segments,)."""
        lines = []
        for start in self._line_starts:
            total = np.zeros(len(self._line_window) // 2 + 2)
            part = sound[start : start + len(self._line_window)]
            np.cumsum(_power(part * self._line_window), out=total[1:])
            below = np.minimum(np.floor(self._edges).astype(np.int64), len(total) - 2)
            share = self._edges - below
            until = total[below] * (1.0 - share) + total[below + 1] * share
            lines.append(self._decibels(np.maximum(np.diff(until), 0.0) * self._scale))
        places = self._frame_starts[:, None] + np.arange(len(self._frame_window))
        bands = self._decibels(_power(sound[places] * self._frame_window) @ self._filters).T
        blocks = len(sound) // BLOCK
        energy = np.square(sound[: blocks * BLOCK]).reshape(blocks, BLOCK).sum(axis=1)
        total = np.concatenate([[0.0], np.cumsum(energy, dtype=np.float64)])[self._segments]
        level = self._decibels(2.0 * np.diff(total) / (BLOCK * np.diff(self._segments)))
        return np.stack(lines), np.ascontiguousarray(bands), level

    @property
    def line_windows(self) -> int:
        """How many long spectra there are."""
        return self._settings.line_windows

    def shifts(self, harmonics: int) -> list[int]:
        """How many bands above a pitch each of its partials stands, as far as bands go."""
        per_octave, bands = self._settings.bins_per_octave, len(self._scale)
        shifts = [round(per_octave * math.log2(k)) for k in range(1, harmonics + 1)]
        return [shift for shift in shifts if shift < bands]

    def stacked(self, lines: Array, shifts: list[int]) -> Array:
        """The partials of every pitch together; see `encoder.HarmonicStack`."""
        bands = lines.shape[1]
        pitches = min(bands, round(self._settings.bins_per_octave * 65 / 12))
        beyond = max(0, shifts[-1] + pitches - bands)
        padded = np.pad(lines, ((0, 0), (0, beyond)), constant_values=-1.0)
        return np.concatenate([padded[:, at : at + pitches] for at in shifts])

    def _decibels(self, power: NDArray[np.floating]) -> Array:
        floor = self._settings.floor_db
        level = 10.0 * np.log10(np.maximum(power, 10.0 ** (floor / 10.0)))
        return np.asarray(level * (-2.0 / floor) + 1.0, dtype=np.float32)


def _power(frames: Array) -> Array:
    spectrum = scipy.fft.rfft(frames, axis=-1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def _hann(samples: int) -> Array:
    """As `representation.hann_window`."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(samples) / samples)
    return np.asarray(window * (2.0 / window.sum()), dtype=np.float32)


def _mel_filters(rate: int, window: int, bands: int, highest_hz: float) -> Array:
    """As `representation.mel_filters`."""
    mel = 2595.0 * np.log10(1.0 + np.array([20.0, highest_hz]) / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(mel[0], mel[1], bands + 2) / 2595.0) - 1.0)
    bins = np.arange(window // 2 + 1) * rate / window
    rising = (bins[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - bins[:, None]) / np.diff(edges)[None, 1:]
    filters = np.clip(np.minimum(rising, falling), 0.0, None)
    deaf = np.flatnonzero(filters.max(axis=0) < 0.1)
    filters[np.rint(edges[1:-1][deaf] * window / rate).astype(int), deaf] = 1.0
    return np.asarray(filters, dtype=np.float32)
