"""From the three views of a sound to one vector."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepdiva.models.representation import Representation, Views


@dataclass(frozen=True)
class EncoderSettings:
    """Size of the encoder. Stored with the weights.

    Attributes:
        harmonics: partials that are stacked as channels of the line spectra.
        line_channels: channels of the three stages over the line spectra.
        band_channels: channels of the three stages over the mel spectrogram.
        reduced: channels of both that remain before the dense layers.
        hidden: width of the layers that bring the views together.
        encoding: length of the vector that comes out.
    """

    harmonics: int = 10
    line_channels: tuple[int, int, int] = (32, 48, 64)
    band_channels: tuple[int, int, int] = (16, 32, 64)
    reduced: int = 32
    hidden: int = 512
    encoding: int = 256

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON, which has lists for tuples; `from_dict` is the way back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> EncoderSettings:
        """The way back from JSON, whose lists are tuples here."""
        tupled = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**tupled)  # type: ignore[arg-type]


def _norm(channels: int) -> nn.GroupNorm:
    """Normalisation that does not depend on the other sounds of a batch."""
    return nn.GroupNorm(math.gcd(8, channels), channels)


class Residual1d(nn.Module):
    """Two convolutions along frequency beside a shortcut, with normalisation first (He 2016)."""

    def __init__(self, channels_in: int, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels_in)
        self.conv1 = nn.Conv1d(channels_in, channels, width, stride, width // 2, bias=False)
        self.norm2 = _norm(channels)
        self.conv2 = nn.Conv1d(channels, channels, width, 1, width // 2)
        self.short = nn.Conv1d(channels_in, channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        output: Tensor = self.short(x) + self.conv2(F.silu(self.norm2(y)))
        return output


class Residual2d(nn.Module):
    """The same over frequency and time."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm2 = _norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.short = nn.Conv2d(channels_in, channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        output: Tensor = self.short(x) + self.conv2(F.silu(self.norm2(y)))
        return output


class ResidualDense(nn.Module):
    """A dense layer beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dense1 = nn.Linear(width, width)
        self.dense2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = x + self.dense2(F.silu(self.dense1(self.norm(x))))
        return output


class HarmonicStack(nn.Module):
    """Brings the partials of every pitch together: channel k of band f is the band of k times f.

    On a logarithmic axis a partial is a constant shift, so a convolution that follows sees a whole
    harmonic series at one place (harmonic CQT: Bittner et al., ISMIR 2017).

    Shape:
        (batch, windows, bands) -> (batch, windows * harmonics, pitches).
    """

    def __init__(self, bands: int, bins_per_octave: int, harmonics: int) -> None:
        super().__init__()
        shifts = [round(bins_per_octave * math.log2(k)) for k in range(1, harmonics + 1)]
        self.shifts = [shift for shift in shifts if shift < bands]
        # Five octaves and a bit hold every tuning of an oscillator (+-30 semitones).
        self.pitches = min(bands, round(bins_per_octave * 65 / 12))

    def forward(self, lines: Tensor) -> Tensor:
        longest = self.shifts[-1] + self.pitches
        padded = F.pad(lines, (0, max(0, longest - lines.shape[-1])), value=-1.0)
        return torch.cat([padded[..., s : s + self.pitches] for s in self.shifts], dim=1)


class Encoder(nn.Module):
    """Three branches, one for each view, and dense layers that bring them together.

    Args:
        representation: whose views come in.
        settings: sizes.

    Shape:
        `Views` of a batch -> (batch, settings.encoding).
    """

    def __init__(self, representation: Representation, settings: EncoderSettings) -> None:
        super().__init__()
        views = representation.settings
        self.stack = HarmonicStack(
            representation.line_bands, views.bins_per_octave, settings.harmonics
        )
        a, b, c = settings.line_channels
        channels = views.line_windows * len(self.stack.shifts)
        self.lines = nn.Sequential(
            nn.Conv1d(channels, a, 5, 1, 2),
            Residual1d(a, b, 5, 2),
            Residual1d(b, c, 5, 2),
            _norm(c),
            nn.SiLU(),
            nn.Conv1d(c, settings.reduced, 1),
            nn.Flatten(),
        )
        # What no harmonic series explains is in the plain spectrum: noise, ring modulation, filter.
        self.plain = nn.Linear(views.line_windows * representation.line_bands, settings.hidden)
        a, b, c = settings.band_channels
        self.bands = nn.Sequential(
            nn.Conv2d(1, a, 5, 2, 2),
            Residual2d(a, b, 2),
            Residual2d(b, c, 2),
            _norm(c),
            nn.SiLU(),
            nn.Conv2d(c, settings.reduced, 1),
            nn.Flatten(),
        )
        self.level = nn.Linear(views.segments, settings.hidden)
        with torch.no_grad():
            silence = torch.zeros(1, representation.note.samples)
            heard = representation(silence)
            line_width = self.lines(self.stack(heard.lines)).shape[1]
            band_width = self.bands(heard.bands[:, None]).shape[1]
        self.from_lines = nn.Linear(line_width, settings.hidden)
        self.from_bands = nn.Linear(band_width, settings.hidden)
        self.together = nn.Sequential(
            ResidualDense(settings.hidden),
            ResidualDense(settings.hidden),
            nn.LayerNorm(settings.hidden),
            nn.Linear(settings.hidden, settings.encoding),
        )

    def forward(self, views: Views) -> Tensor:
        merged = (
            self.from_lines(self.lines(self.stack(views.lines)))
            + self.plain(views.lines.flatten(1))
            + self.from_bands(self.bands(views.bands[:, None]))
            + self.level(views.level)
        )
        encoding: Tensor = self.together(merged)
        return encoding
