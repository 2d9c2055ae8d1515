"""The 2021 project's convolutional network, as a baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepdiva.errors import InvalidValueError


class ConvolutionalNetwork(nn.Module):
    """Four blocks of 3x3 convolution and 2x2 max pooling, then three dense layers.

    Filters 32, 64, 128, 128 with ReLU, dense 128 and 64 with ReLU and dropout 0.3, linear output.
    Pooling comes before the ReLU, which gives the same numbers from a quarter of the work, and
    channels lie innermost in memory, as processors like them.

    Args:
        shape: one mel spectrogram, (bands, frames, 1), each at least 16.
        outputs: numbers that come out.

    Shape:
        (batch, bands, frames, 1) -> (batch, outputs).

    Raises:
        InvalidValueError: a spectrogram too small to be halved four times.
    """

    def __init__(self, shape: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        bands, frames, channels = shape
        if bands < 16 or frames < 16:
            raise InvalidValueError(
                f"A mel spectrogram of {bands} bands and {frames} frames is too small for the cnn, "
                "which needs 16 of each: take more bands, a shorter hop or a longer note."
            )
        blocks: list[nn.Module] = []
        for filters in (32, 64, 128, 128):
            blocks += [
                nn.Conv2d(channels, filters, 3, padding=1),
                nn.MaxPool2d(2),
                nn.ReLU(inplace=True),
            ]
            channels = filters
        self.convolutions = nn.Sequential(*blocks, nn.Flatten())
        for module in self.convolutions:
            if isinstance(module, nn.Conv2d):
                module.weight.data = module.weight.data.contiguous(
                    memory_format=torch.channels_last
                )
        self.dense = nn.Sequential(
            nn.Linear((bands // 16) * (frames // 16) * channels, 128),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(64, outputs),
        )

    def forward(self, spectrogram: Tensor) -> Tensor:
        output: Tensor = self.dense(self.convolutions(spectrogram.permute(0, 3, 1, 2)))
        return output
