"""The 2021 project's recurrent network, as a baseline."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Highway(nn.Module):
    """A gated mix of a dense layer and its input (Srivastava et al. 2015, arXiv:1505.00387).

    The gate starts at sigmoid(-1), mostly open for the input, and is thinned by dropout.

    Args:
        width: size of input and output.
        dropout: share of the gate's outputs that are set to 0 in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.gate = nn.Linear(width, width)
        nn.init.constant_(self.gate.bias, -1.0)
        self.transform = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.dropout(torch.sigmoid(self.gate(x)))
        return gate * F.elu(self.transform(x)) + (1.0 - gate) * x


class RecurrentNetwork(nn.Module):
    """Bidirectional LSTM, a dense layer, six highway layers, a dense output.

    LSTM 128 each way and dropout 0.2, dense 128 with ELU, highway layers with ELU and dropout 0.2,
    output with ELU and small random weights. The original also punished large activations of the
    dense layers; that is left out.

    Args:
        shape: one set of MFCCs, (frames, coefficients).
        outputs: numbers that come out.

    Shape:
        (batch, frames, coefficients) -> (batch, outputs).
    """

    def __init__(self, shape: tuple[int, int], outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(shape[1], 128, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.dense = nn.Linear(256, 128)
        self.highways = nn.Sequential(*(Highway(128, 0.2) for _ in range(6)))
        self.output = nn.Linear(128, outputs)
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.normal_(self.output.bias, std=0.01)

    def forward(self, mfcc: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mfcc)
        both_ends = torch.cat([hidden[0], hidden[1]], dim=-1)
        x = F.elu(self.dense(self.dropout(both_ends)))
        return F.elu(self.output(self.highways(x)))
