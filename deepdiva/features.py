"""Mel spectrograms and MFCCs, as the 2021 project's networks take them.

librosa defines the values; here they are computed for a batch at once in PyTorch, within float32
rounding of librosa's and many times faster. Conventions:

- sounds: (batch, samples), float32, mono; frames are centred, the edges padded with zeros;
- power spectra, Hann window, Slaney's mel scale with filters of equal area;
- decibels with a floor 80 dB below the loudest cell of the same sound;
- a row of the result depends on its own sound alone: batch size never matters;
- silence: a mel spectrogram of zeros, and MFCCs of a spectrum at -100 dB.

PyTorch is imported when something is computed; settings and scalers do without.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.state_files import KINDS

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_POWER = 1e-10
"""Power below which everything counts as this (librosa's `amin`): -100 dB."""

DYNAMIC_RANGE_DB = 80.0
"""Distance of the floor from the loudest cell of a sound (librosa's `top_db`)."""

_CACHED_FRAMES = 512
"""Frames that are transformed together on a CPU: few enough to stay in its caches."""

_DEVICE_FRAMES = 16384
"""Frames that are transformed together on any other device."""


@dataclass(frozen=True)
class MelSettings:
    """How a mel spectrogram is cut. The defaults are the 2021 project's.

    Attributes:
        sample_rate: of the sounds, 8,000 to 192,000.
        n_fft: length of the Fourier transform in samples, 16 to 65,536.
        win_length: length of the Hann window, at most `n_fft`, with zeros around it; None: `n_fft`.
        hop_length: samples from one frame to the next, 1 to `n_fft`.
        n_mels: mel bands, 1 to 512.
        fmin: lowest frequency, Hz.
        fmax: highest frequency, Hz, above `fmin` and at most half the sample rate.

    Raises:
        InvalidValueError: a value outside its range.
    """

    sample_rate: int = 44100
    n_fft: int = 2048
    win_length: int | None = None
    hop_length: int = 512
    n_mels: int = 128
    fmin: float = 50.0
    fmax: float = 15000.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("sample_rate", 8000, 192000),
            ("n_fft", 16, 65536),
            ("win_length", 1, self.n_fft),
            ("hop_length", 1, self.n_fft),
            ("n_mels", 1, 512),
        ):
            value = getattr(self, name)
            if name == "win_length" and value is None:
                continue
            if not isinstance(value, int) or not low <= value <= high:
                raise InvalidValueError(
                    f"{name} is {value!r}: it must be a whole number from {low} to {high}."
                )
        if not 0.0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise InvalidValueError(
                f"fmin is {self.fmin!r} and fmax is {self.fmax!r}: they must rise, from 0 to at "
                f"most {self.sample_rate / 2:g} Hz, half the sample rate."
            )

    def frames(self, samples: int) -> int:
        """Frames of a sound of `samples` samples, with half an `n_fft` of zeros on both sides."""
        return 1 + (samples - self.n_fft % 2) // self.hop_length

    def shape(self, samples: int) -> tuple[int, int, int]:
        """Shape of one sound's mel spectrogram, (n_mels, time, 1)."""
        return self.n_mels, self.frames(samples), 1

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; `MelSettings(**values)` is the way back."""
        return asdict(self)


def usual_fmax(sample_rate: int) -> float:
    """`MelSettings.fmax` where nobody chose one: half the sample rate if that is lower, Hz."""
    return min(MelSettings.fmax, sample_rate / 2)


@dataclass(frozen=True)
class MfccSettings:
    """How MFCCs are cut. The defaults are the 2021 project's.

    Attributes:
        mel: the mel spectrogram that they are made of.
        n_mfcc: coefficients that are kept, 1 to `mel.n_mels`.
        time_major: (time, n_mfcc) for one sound if true, (n_mfcc, time) if not.

    Raises:
        InvalidValueError: a value outside its range.
    """

    mel: MelSettings = field(default_factory=lambda: MelSettings(hop_length=1024))
    n_mfcc: int = 13
    time_major: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.n_mfcc <= self.mel.n_mels:
            raise InvalidValueError(
                f"n_mfcc is {self.n_mfcc!r}: it must be a whole number from 1 to {self.mel.n_mels},"
                " the number of mel bands."
            )

    @property
    def sample_rate(self) -> int:
        """Sample rate of the sounds."""
        return self.mel.sample_rate

    def shape(self, samples: int) -> tuple[int, int]:
        """Shape of one sound's MFCCs."""
        frames = self.mel.frames(samples)
        return (frames, self.n_mfcc) if self.time_major else (self.n_mfcc, frames)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; `MfccSettings.from_dict` is the way back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MfccSettings:
        """Undo `to_dict`."""
        return cls(**{**values, "mel": MelSettings(**values["mel"])})


def mel_frequencies(count: int, fmin: float, fmax: float) -> NDArray[np.float64]:
    """Frequencies in Hz, equally spaced on Slaney's mel scale.

    The scale is linear up to 1000 Hz (15 mels) and logarithmic above, 27 mels for a factor of 6.4
    (M. Slaney, Auditory Toolbox, Interval Research Technical Report 1998-010).
    """
    hz_per_mel, knee_hz, knee_mel = 200.0 / 3.0, 1000.0, 15.0
    step = math.log(6.4) / 27.0

    def to_mel(hz: float) -> float:
        return hz / hz_per_mel if hz < knee_hz else knee_mel + math.log(hz / knee_hz) / step

    mels = np.linspace(to_mel(fmin), to_mel(fmax), count)
    above = knee_hz * np.exp(step * (mels - knee_mel))
    return np.where(mels < knee_mel, mels * hz_per_mel, above)


def mel_filters(settings: MelSettings) -> NDArray[np.float32]:
    """Triangular filters of equal area, from the bins of a spectrum to mel bands.

    Returns:
        Shape (n_mels, n_fft // 2 + 1).
    """
    edges = mel_frequencies(settings.n_mels + 2, settings.fmin, settings.fmax)
    bins = np.arange(settings.n_fft // 2 + 1) * (settings.sample_rate / settings.n_fft)
    width = np.diff(edges)
    rising = (bins - edges[:-2, None]) / width[:-1, None]
    falling = (edges[2:, None] - bins) / width[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def cosine_transform(count: int, size: int) -> NDArray[np.float32]:
    """The first `count` rows of the orthonormal discrete cosine transform of type 2.

    Returns:
        Shape (count, size).
    """
    rows, columns = np.arange(count)[:, None], np.arange(size)[None, :]
    matrix = np.cos(np.pi * rows * (2 * columns + 1) / (2 * size)) * math.sqrt(2.0 / size)
    matrix[0] *= math.sqrt(0.5)
    return matrix.astype(np.float32)


def _hann(settings: MelSettings) -> NDArray[np.float32]:
    """Periodic Hann window in the middle of a frame of zeros: shape (n_fft,)."""
    length = settings.win_length or settings.n_fft
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    before = (settings.n_fft - length) // 2
    return np.pad(window, (before, settings.n_fft - length - before)).astype(np.float32)


class _MelLevels:
    """Levels in mel bands, the common part of both features."""

    def __init__(self, settings: MelSettings) -> None:
        filters = mel_filters(settings)
        heard = np.flatnonzero(filters.any(axis=0))
        self._bins = slice(int(heard[0]), int(heard[-1]) + 1) if len(heard) else slice(0, 1)
        self._settings = settings
        self._window = _hann(settings)
        self._filters = np.ascontiguousarray(filters[:, self._bins].T)

    def parts(self, audio: NDArray[np.float32] | Tensor) -> Iterator[Tensor]:
        """Decibels of a batch, a few sounds at a time: they stay in the processor's caches.

        Args:
            audio: shape (batch, samples), finite.

        Yields:
            Shape (sounds, time, n_mels); the floor is 80 dB below each sound's maximum.

        Raises:
            InvalidValueError: another shape, or values that are not finite.
        """
        import torch

        sounds = torch.as_tensor(audio)
        if sounds.ndim != 2 or 0 in sounds.shape:
            raise InvalidValueError(
                f"Sounds of shape {tuple(sounds.shape)}: a batch of mono sounds is needed, shape "
                "(batch, samples)."
            )
        window = torch.from_numpy(self._window).to(sounds.device)
        filters = torch.from_numpy(self._filters).to(sounds.device)
        limit = _CACHED_FRAMES if sounds.device.type == "cpu" else _DEVICE_FRAMES
        frames = self._settings.frames(sounds.shape[1])
        for part in sounds.split(max(1, limit // frames)):
            power = self._power(part.to(torch.float32), window, filters, limit)
            level = 10.0 * torch.log10(power.clamp_min_(SMALLEST_POWER))
            loudest = level.amax(dim=(1, 2), keepdim=True)
            if not bool(torch.isfinite(loudest).all()):
                raise InvalidValueError(
                    "Sounds with values that are not finite have no features: leave them out, or "
                    "make the data set with --non-finite redraw."
                )
            yield level.maximum(loudest - DYNAMIC_RANGE_DB)

    def _power(self, sounds: Tensor, window: Tensor, filters: Tensor, limit: int) -> Tensor:
        """Power in mel bands, (sounds, time, n_mels), at most `limit` frames at once."""
        import torch

        n_fft = self._settings.n_fft
        padded = torch.nn.functional.pad(sounds, (n_fft // 2, n_fft // 2))
        pieces = []
        for frames in padded.unfold(1, n_fft, self._settings.hop_length).split(limit, dim=1):
            spectrum = torch.fft.rfft(frames * window)[..., self._bins]
            pieces.append((spectrum.real.square() + spectrum.imag.square()) @ filters)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)


class MelSpectrogram:
    """Decibel mel spectrograms, each scaled to [0, 1], low frequencies in the last row.

    Equals `librosa.feature.melspectrogram`, `librosa.power_to_db(ref=max)`, the shift and scaling
    to [0, 1] by the sound's own minimum and maximum, and the flip of the frequency axis.

    Args:
        settings: how it is cut.
    """

    def __init__(self, settings: MelSettings | None = None) -> None:
        self.settings = settings or MelSettings()
        self._levels = _MelLevels(self.settings)

    def __call__(self, audio: NDArray[np.float32] | Tensor) -> Tensor:
        """Compute a batch on the device that it lies on.

        Args:
            audio: shape (batch, samples), finite.

        Returns:
            Shape (batch, n_mels, time, 1), float32, in [0, 1]; zeros where a sound is silent.

        Raises:
            InvalidValueError: another shape, or values that are not finite.
        """
        import torch

        return torch.cat([self._scaled(level) for level in self._levels.parts(audio)])

    @staticmethod
    def _scaled(level: Tensor) -> Tensor:
        lowest = level.amin(dim=(1, 2), keepdim=True)
        span = level.amax(dim=(1, 2), keepdim=True) - lowest
        scaled = (level - lowest) / span.masked_fill(span == 0.0, 1.0)
        return scaled.transpose(1, 2).flip(1).unsqueeze(-1)


class Mfcc:
    """Mel-frequency cepstral coefficients, unscaled; a `Scaler` brings them to [0, 1].

    Equals `librosa.feature.mfcc`: the orthonormal cosine transform of the decibel mel spectrogram
    (relative to full scale, so that coefficient 0 tells the level).

    Args:
        settings: how they are cut.
    """

    def __init__(self, settings: MfccSettings | None = None) -> None:
        self.settings = settings or MfccSettings()
        self._levels = _MelLevels(self.settings.mel)
        self._transform = cosine_transform(self.settings.n_mfcc, self.settings.mel.n_mels)

    def __call__(self, audio: NDArray[np.float32] | Tensor) -> Tensor:
        """Compute a batch on the device that it lies on.

        Args:
            audio: shape (batch, samples), finite.

        Returns:
            Shape (batch, time, n_mfcc), or (batch, n_mfcc, time) if not `time_major`; float32.

        Raises:
            InvalidValueError: another shape, or values that are not finite.
        """
        import torch

        transform = torch.from_numpy(self._transform).T
        parts = [level @ transform.to(level.device) for level in self._levels.parts(audio)]
        coefficients = torch.cat(parts)
        return coefficients if self.settings.time_major else coefficients.transpose(1, 2)


@dataclass(frozen=True)
class Scaler:
    """Shift and scale that bring the MFCCs of a training set to [0, 1].

    Fitted once on the training set and then used as it is, so that other sets may leave [0, 1].

    Attributes:
        minimum: shape that broadcasts to one batch's MFCCs.
        span: maximum less minimum, the same shape; a cell that never varies has span 0 and is
            scaled to 0.
        axes: the axes of (batch, time, n_mfcc) over which the minimum was taken.
        settings: the MFCCs that it fits.
        samples: length of the sounds that it was fitted on.
    """

    minimum: NDArray[np.float32]
    span: NDArray[np.float32]
    axes: tuple[int, ...]
    settings: MfccSettings
    samples: int

    @classmethod
    def fit(
        cls,
        batches: Iterable[NDArray[np.float32]],
        settings: MfccSettings,
        samples: int,
        axes: tuple[int, ...] = (0,),
    ) -> Scaler:
        """Find minimum and span, one batch in memory at a time.

        Args:
            batches: MFCCs, each of shape (batch, *settings.shape(samples)).
            settings: how the MFCCs were cut.
            samples: length of the sounds.
            axes: axes to take the minimum over; 0 scales each cell on its own, (0, 1) each
                coefficient over all frames (if time-major), (0, 1, 2) everything alike.

        Raises:
            InvalidValueError: no batch, or axes without 0.
        """
        axes = tuple(sorted(set(axes)))
        if 0 not in axes or not set(axes) <= {0, 1, 2}:
            raise InvalidValueError(
                f"Scale axes {axes}: they must hold 0, the sounds, and may hold 1 and 2, the axes "
                "of one sound's MFCCs."
            )
        lowest: NDArray[np.float32] | None = None
        highest: NDArray[np.float32] | None = None
        for batch in batches:
            low, high = batch.min(axis=axes, keepdims=True), batch.max(axis=axes, keepdims=True)
            lowest = low if lowest is None else np.minimum(lowest, low)
            highest = high if highest is None else np.maximum(highest, high)
        if lowest is None or highest is None:
            raise InvalidValueError("A scaler cannot be fitted on no sounds: give at least one.")
        return cls(lowest[0], highest[0] - lowest[0], tuple(sorted(axes)), settings, samples)

    @property
    def digest(self) -> str:
        """SHA-256 of minimum and span, 16 hexadecimal digits: the same scaling, the same digest."""
        digest = hashlib.sha256(repr((self.minimum.shape, self.span.shape)).encode())
        for values in (self.minimum, self.span):
            digest.update(values.astype("<f4").tobytes())
        return digest.hexdigest()[:16]

    def scale(self, mfcc: NDArray[np.float32]) -> NDArray[np.float32]:
        """MFCCs, shape (batch, *settings.shape(samples)), to about [0, 1]."""
        span = np.where(self.span == 0.0, np.float32(np.inf), self.span)
        return np.asarray((mfcc - self.minimum) / span)

    def check(self, settings: MfccSettings, samples: int) -> None:
        """Refuse MFCCs that this scaler was not fitted for.

        Raises:
            InvalidValueError: other settings or another length, named.
        """
        mine = {**self.settings.to_dict(), "samples": self.samples}
        other = {**settings.to_dict(), "samples": samples}
        differing = [
            f"{name} is {other[name]!r} and was {mine[name]!r}"
            for name in mine
            if mine[name] != other[name]
        ]
        if differing:
            raise InvalidValueError(
                f"The scaler was fitted on other MFCCs: {'; '.join(differing)}. Use the same "
                "settings, or fit a new scaler."
            )

    def to_json(self) -> str:
        """The text of a scaler file. float32 values survive the way to JSON and back exactly."""
        return json.dumps(
            {
                "format": "deepdiva-mfcc-scaler",
                "format_version": 1,
                "mfcc": self.settings.to_dict(),
                "samples": self.samples,
                "axes": list(self.axes),
                "minimum": self.minimum.tolist(),
                "span": self.span.tolist(),
            },
            indent=1,
        )

    @classmethod
    def read(cls, path: Path | str) -> Scaler:
        """Read a scaler file.

        Raises:
            MissingFileError: there is none.
            InvalidValueError: it is not one, or a later version of one.
        """
        path = Path(path)
        if not path.exists():
            raise MissingFileError(
                f"{path} does not exist: compute the features of the training set first, which "
                "fits and saves a scaler."
            )
        return KINDS["scaler"].read(path, cls._checked)

    @classmethod
    def _checked(cls, values: dict[str, Any]) -> Scaler:
        minimum, span = (np.asarray(values[name], np.float32) for name in ("minimum", "span"))
        if not (np.isfinite(minimum).all() and np.isfinite(span).all()):
            raise ValueError("minimum and span must be finite")
        return cls(
            minimum=minimum,
            span=span,
            axes=tuple(values["axes"]),
            settings=MfccSettings.from_dict(values["mfcc"]),
            samples=values["samples"],
        )


def in_chunks(audio: NDArray[Any], size: int = 256) -> Iterator[NDArray[np.float32]]:
    """Cut a large, perhaps memory-mapped, array of sounds into batches of float32."""
    for start in range(0, len(audio), size):
        yield np.asarray(audio[start : start + size], dtype=np.float32)
