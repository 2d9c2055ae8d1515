"""The panel network: a sound's views to a vector, and from it the classes of a patch in order.

The patch part is a neural autoregressive distribution estimator (NADE: Uria et al. 2016,
arXiv:1605.02226): a state starts as the sound's vector and gains an embedding of each class that is
decided; the logits of a variable are a layer over the state and a direct term of the sound. A
variable that does not act adds nothing to the state and nothing to the loss.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from deepdiva.models.panel.views import LAYOUT, PITCHES, harmonic_shifts

_SMALL = 8
"""Variables of at most so many classes are worked on together."""

_NORM_GROUPS = 8

_PACE = 0.3
"""How much slower the layers of continuous values learn: what cannot be heard is noise to them."""


@dataclass(frozen=True)
class PanelSettings:
    """Sizes of the network. Stored with the weights.

    Attributes:
        harmonics: partials of a pitch that are brought together.
        line_channels: of the three stages over the lines, multiples of 8.
        channels: of the three stages over the mel picture, multiples of 8.
        hidden: width of the layers that bring the views together.
        blocks: residual layers of that width.
        encoding: length of a sound's vector.
        state: width of the autoregressive state.
        waves: cosines that the bins of a continuous variable share.
        dropout: share of a sound's vector that is hidden in training.
    """

    harmonics: int = 8
    line_channels: tuple[int, int, int] = (32, 48, 64)
    channels: tuple[int, int, int] = (16, 32, 64)
    hidden: int = 640
    blocks: int = 3
    encoding: int = 512
    state: int = 256
    waves: int = 12
    dropout: float = 0.1

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON; `from_dict` is the way back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> PanelSettings:
        """The way back from JSON."""
        tupled = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**tupled)  # type: ignore[arg-type]


class Block(nn.Module):
    """Two dense layers beside a shortcut, normalised first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dense1 = nn.Linear(width, width)
        self.dense2 = nn.Linear(width, width)
        nn.init.zeros_(self.dense2.weight)
        nn.init.zeros_(self.dense2.bias)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = x + self.dense2(F.silu(self.dense1(self.norm(x))))
        return output


class Residual(nn.Module):
    """Two convolutions beside a shortcut, with normalisation first (He et al. 2016).

    Args:
        dimensions: 1 along frequency, 2 over frequency and time.
        channels_in: of what comes in.
        channels: of what comes out, a multiple of 8.
        width: of the convolutions, odd.
    """

    def __init__(self, dimensions: int, channels_in: int, channels: int, width: int) -> None:
        super().__init__()
        convolution = nn.Conv1d if dimensions == 1 else nn.Conv2d
        self.norm1 = nn.GroupNorm(_NORM_GROUPS, channels_in)
        self.conv1 = convolution(channels_in, channels, width, 2, width // 2)
        self.norm2 = nn.GroupNorm(_NORM_GROUPS, channels)
        self.conv2 = convolution(channels, channels, width, 1, width // 2)
        self.short = convolution(channels_in, channels, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        output: Tensor = self.short(x) + self.conv2(F.silu(self.norm2(y)))
        return output


class PanelEncoder(nn.Module):
    """Views of sounds, (batch, WIDTH), to vectors, (batch, settings.encoding).

    The partials of every pitch are brought together before the lines are convolved (harmonic CQT:
    Bittner et al., ISMIR 2017).
    """

    def __init__(self, settings: PanelSettings) -> None:
        super().__init__()
        windows, bands = LAYOUT["lines"]
        high, wide = LAYOUT["picture"]
        a, b, c = settings.line_channels
        self.shifts, self.pitches = harmonic_shifts(settings.harmonics), PITCHES
        self._beyond = max(0, self.shifts[-1] + self.pitches - bands)
        self.lines_in = nn.Conv1d(windows * len(self.shifts), a, 5, 2, 2)
        self.lines_1, self.lines_2 = Residual(1, a, b, 5), Residual(1, b, c, 5)
        self.lines_norm = nn.GroupNorm(_NORM_GROUPS, c)
        self.from_lines = nn.Linear(c * math.ceil(self.pitches / 8), settings.hidden)
        a, b, c = settings.channels
        self.picture_in = nn.Conv2d(1, a, 5, 2, 2)
        self.picture_1, self.picture_2 = Residual(2, a, b, 3), Residual(2, b, c, 3)
        self.picture_norm = nn.GroupNorm(_NORM_GROUPS, c)
        flat = c * math.ceil(high / 8) * math.ceil(wide / 8)
        self.from_picture = nn.Linear(flat, settings.hidden)
        width = sum(math.prod(shape) for shape in LAYOUT.values())
        self.plain = nn.Linear(width, settings.hidden)
        self.blocks = nn.ModuleList(Block(settings.hidden) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(settings.hidden)
        self.out = nn.Linear(settings.hidden, settings.encoding)

    def forward(self, vectors: Tensor) -> Tensor:
        size, (high, wide) = math.prod(LAYOUT["lines"]), LAYOUT["picture"]
        lines = vectors[:, :size].reshape(-1, *LAYOUT["lines"])
        lines = F.pad(lines, (0, self._beyond), value=-1.0)
        x = torch.cat([lines[..., at : at + self.pitches] for at in self.shifts], dim=1)
        x = self.lines_2(self.lines_1(self.lines_in(x)))
        merged = self.plain(vectors) + self.from_lines(F.silu(self.lines_norm(x)).flatten(1))
        picture = vectors[:, size : size + high * wide].reshape(-1, 1, high, wide)
        x = self.picture_2(self.picture_1(self.picture_in(picture)))
        merged = merged + self.from_picture(F.silu(self.picture_norm(x)).flatten(1))
        for block in self.blocks:
            merged = block(merged)
        encoding: Tensor = F.silu(self.out(self.norm(merged)))
        return encoding


class _SumBefore(torch.autograd.Function):
    """Sum of all earlier rows and a first one; faster than `cumsum` along a leading axis."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, rows: Tensor) -> Tensor:  # noqa: ARG004
        total = torch.empty_like(rows)
        total[0] = first
        for k in range(1, len(rows)):
            torch.add(total[k - 1], rows[k - 1], out=total[k])
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG004
        (gradient,) = gradients
        after = torch.empty_like(gradient)
        after[-1] = 0.0
        for k in range(len(gradient) - 1, 0, -1):
            torch.add(after[k], gradient[k], out=after[k - 1])
        return after[0] + gradient[0], after


class Group(nn.Module):
    """The layers of variables with about as many classes, padded to the most.

    What a class has of its own is a row; what bins of a continuous variable have is a sum of
    cosines over their ranks, so that neighbours share what they learn and a narrow peak is a
    parabola.

    Args:
        code: of all variables.
        columns: of these.
        settings: sizes of the network.
    """

    columns: Tensor
    padded: Tensor
    alone: Tensor
    waves: Tensor

    def __init__(self, code: Classes, columns: list[int], settings: PanelSettings) -> None:
        super().__init__()
        sizes = [code.sizes[k] for k in columns]
        most, count = max(sizes), len(columns)
        starts = [sum(code.sizes[:k]) for k in columns]
        padded = torch.ones(count, most, dtype=torch.bool)
        alone, ranks = torch.zeros(count, most, 1), torch.zeros(count, most)
        waved = torch.zeros(count, most, 1)
        for row, (start, size) in enumerate(zip(starts, sizes, strict=True)):
            padded[row, :size] = False
            alone[row, :size, 0] = torch.from_numpy(code.free[start : start + size]).float()
            found = torch.from_numpy(code.ranks[start : start + size])
            waved[row, :size, 0] = (~found.isnan()).float()
            ranks[row, :size] = found.nan_to_num(0.0).float()
        waves = torch.cos(math.pi * ranks[..., None] * torch.arange(1, settings.waves + 1))
        self.has_waves = bool(waved.any())
        self.pace = _PACE if self.has_waves else 1.0
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.register_buffer("padded", padded, persistent=False)
        self.register_buffer("alone", alone, persistent=False)
        self.register_buffer("waves", waves * waved, persistent=False)
        self.rows = [
            (k, start, size) for k, start, size in zip(columns, starts, sizes, strict=True)
        ]
        state, encoding = settings.state, settings.encoding
        self.bias = nn.Parameter(torch.zeros(count, most))
        self.embedding = nn.Parameter(torch.randn(count, most, state) * (0.05 / self.pace))
        self.readout = nn.Parameter(
            torch.randn(count, most, state) * (0.1 / math.sqrt(state) / self.pace)
        )
        self.direct = nn.Parameter(torch.zeros(count, most, encoding))
        if self.has_waves:
            shape = (count, settings.waves)
            self.embedding_waves = nn.Parameter(torch.randn(*shape, state) * (0.05 / self.pace))
            self.readout_waves = nn.Parameter(torch.zeros(*shape, state))
            self.direct_waves = nn.Parameter(torch.zeros(*shape, encoding))

    def tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Embedding, readout and direct weights of each class: (variables, most, width)."""
        found = []
        for name in ("embedding", "readout", "direct"):
            table = getattr(self, name) * self.alone
            if self.has_waves:
                table = table + torch.bmm(self.waves, getattr(self, f"{name}_waves"))
            found.append(table * self.pace)
        return found[0], found[1], found[2]


class Classes(Protocol):
    """What the network knows of the variables; `PanelCode` is one."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Classes of each variable."""

    @property
    def ranks(self) -> NDArray[np.float64]:
        """Where each class lies among the bins of its variable, or NaN."""

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which classes are one value."""


class PanelNetwork(nn.Module):
    """Encoder and autoregressive classes.

    Args:
        code: the variables, in the order in which they are drawn.
        settings: sizes of the network.
    """

    def __init__(self, code: Classes, settings: PanelSettings) -> None:
        super().__init__()
        self.sizes, self.settings = code.sizes, settings
        self.encoder = PanelEncoder(settings)
        self.to_state = nn.Linear(settings.encoding, settings.state)
        self.gain = nn.Parameter(1.0 + 0.1 * torch.randn(len(code.sizes), settings.state))
        self.shift = nn.Parameter(0.1 * torch.randn(len(code.sizes), settings.state))
        self.dropout = nn.Dropout(settings.dropout)
        starts = np.concatenate([[0], np.cumsum(code.sizes)])
        waved = [bool(np.isfinite(code.ranks[a:b]).any()) for a, b in pairwise(starts)]
        kinds = [
            2 if wave else int(size > _SMALL) for size, wave in zip(code.sizes, waved, strict=True)
        ]
        members = [[k for k, kind in enumerate(kinds) if kind == group] for group in range(3)]
        self.groups = nn.ModuleList(Group(code, some, settings) for some in members if some)

    @property
    def _groups(self) -> list[Group]:
        return cast("list[Group]", list(self.groups))

    def start_at(self, counts: Tensor) -> None:
        """Let the network begin at the shares of classes: counts of each, shape (classes,)."""
        with torch.no_grad():
            for group in self._groups:
                for row, (_, start, size) in enumerate(group.rows):
                    some = counts[start : start + size].double() + 0.3
                    group.bias[row, :size] = (some / some.sum()).log().float()

    def losses(self, vectors: Tensor, classes: Tensor) -> Tensor:
        """Negative log probability, nats, of each variable: (batch, variables); 0 where absent.

        Args:
            vectors: shape (batch, WIDTH).
            classes: shape (batch, variables), -1 where absent.
        """
        encoding = self.dropout(self.encoder(vectors))
        present = (classes >= 0).t()
        classes = classes.t()  # (variables, batch) from here
        tables = [group.tables() for group in self._groups]
        told = encoding.new_zeros(len(self.sizes), len(vectors), self.settings.state)
        for group, (embedding, _, _) in zip(self._groups, tables, strict=True):
            rows, most = embedding.shape[:2]
            tokens = (
                classes[group.columns] + most * torch.arange(rows, device=classes.device)[:, None]
            )
            tokens = torch.where(present[group.columns], tokens, rows * most)
            table = F.pad(embedding.reshape(rows * most, -1), (0, 0, 0, 1))
            told = told.index_copy(0, group.columns, F.embedding(tokens, table).to(told.dtype))
        first = self.to_state(encoding).to(told.dtype)
        state = _SumBefore.apply(first, told)  # type: ignore[no-untyped-call]
        hidden = F.silu(torch.addcmul(self.shift[:, None], state, self.gain[:, None]))
        losses = torch.zeros(len(self.sizes), len(vectors), device=vectors.device)
        for group, (_, readout, direct) in zip(self._groups, tables, strict=True):
            rows, most = direct.shape[:2]
            wanted = classes[group.columns].clamp_min(0)
            logits = torch.bmm(hidden[group.columns], readout.transpose(1, 2)).float()
            heard = F.linear(encoding, direct.reshape(rows * most, -1)).float()
            logits = logits + heard.reshape(-1, rows, most).transpose(0, 1) + group.bias[:, None]
            logits = logits.masked_fill(group.padded[:, None], -1e4)
            chosen = logits.gather(2, wanted[..., None])[..., 0]
            losses = losses.index_copy(0, group.columns, logits.logsumexp(2) - chosen)
        return (losses * present).t()

    @torch.no_grad()
    def played(self) -> dict[str, NDArray[np.float32]]:
        """Weights as `deepdiva.models.panel.player` plays them: one row for each class."""
        found = {
            name: tensor
            for name, tensor in self.state_dict().items()
            if not name.startswith("groups.")
        }
        total = sum(self.sizes)
        widths = (self.settings.state, self.settings.state, self.settings.encoding)
        flat = [torch.zeros(total, width) for width in widths]
        bias = torch.zeros(total)
        for group in self._groups:
            for row, (_, start, size) in enumerate(group.rows):
                bias[start : start + size] = group.bias[row, :size]
            for table, padded in zip(flat, group.tables(), strict=True):
                for row, (_, start, size) in enumerate(group.rows):
                    table[start : start + size] = padded[row, :size].cpu()
        found |= {"embedding": flat[0], "readout": flat[1], "direct.weight": flat[2]}
        found["direct.bias"] = bias
        return {name: tensor.cpu().float().numpy().copy() for name, tensor in found.items()}
