"""The distribution of patches that make a given sound (neural posterior estimation).

Several patches sound the same: a decay that never begins, an oscillator that is silent, two
oscillators that change places. A network that answers one patch answers their mean, which sounds
like none of them. This one answers a distribution,

    p(patch | sound) = prod_i p(class_i | class_<i, sound) * p(values | classes, sound),

a chain of classification heads for waves, octaves and switches, then a conditional neural spline
flow (Durkan et al. 2019, arXiv:1906.04032) for the continuous values. It is trained by maximum
likelihood on sounds whose patches are known, which makes it the posterior under the distribution
of the training patches (Papamakarios & Murray 2016, arXiv:1605.06376).

The flow works on probits: a parameter that the sound says nothing about, uniform on [0, 1], is
then exactly the flow's normal base, and no density is lost beyond the edges.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepdiva.models.devices import exact
from deepdiva.models.encoder import Encoder, EncoderSettings
from deepdiva.models.flow import spline_flow
from deepdiva.models.posterior_player import EDGE, noise
from deepdiva.models.representation import Representation, Views


@dataclass(frozen=True)
class FlowSettings:
    """Size of the flow and of the class heads. Stored with the weights.

    Attributes:
        transforms: autoregressive spline layers, in alternating order.
        bins: pieces of each spline.
        hidden: width of the flow's two hidden layers.
        head: width of the hidden layer of each class head.
    """

    transforms: int = 3
    bins: int = 8
    hidden: int = 256
    head: int = 128

    def to_dict(self) -> dict[str, int]:
        """Ready for JSON; `FlowSettings(**values)` is the way back."""
        return asdict(self)


def probit(values: Tensor) -> Tensor:
    """Quantiles of the normal distribution for values in (0, 1), kept `EDGE` away from its ends.

    They lie on the CPU if the values' device has no float64.
    """
    inside = exact(values).clamp(EDGE, 1.0 - EDGE)
    return torch.special.ndtri(inside).float()  # type: ignore[no-any-return]


def normal_log_density(z: Tensor) -> Tensor:
    """Logarithm of the standard normal density, elementwise."""
    return -0.5 * z.square() - 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Noise:
    """The random numbers behind a set of draws.

    Attributes:
        uniform: shape (batch, draws, classes), in [0, 1).
        normal: shape (batch, draws, continuous).
    """

    uniform: Tensor
    normal: Tensor

    @classmethod
    def draw(cls, batch: int, draws: int, classes: int, continuous: int, seed: int) -> Noise:
        """The same numbers for every sound of the batch, so that a batch changes no answer."""
        uniform, normal = map(torch.from_numpy, noise(draws, classes, continuous, seed))
        return cls(uniform.expand(batch, -1, -1), normal.expand(batch, -1, -1))


class PosteriorNetwork(nn.Module):
    """Encoder, class heads and flow.

    Args:
        representation: what the network hears.
        class_counts: classes of each class dimension; may be empty.
        continuous: number of continuous dimensions; may be 0.
        encoder: sizes of the encoder.
        flow: sizes of the rest.
    """

    def __init__(
        self,
        representation: Representation,
        class_counts: tuple[int, ...],
        continuous: int,
        encoder: EncoderSettings,
        flow: FlowSettings,
    ) -> None:
        super().__init__()
        self.class_counts = class_counts
        self.continuous = continuous
        self.encoder = Encoder(representation, encoder)
        known = [sum(class_counts[:i]) for i in range(len(class_counts))]
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(encoder.encoding + before, flow.head),
                nn.SiLU(),
                nn.Linear(flow.head, count),
            )
            for before, count in zip(known, class_counts, strict=True)
        )
        context = encoder.encoding + sum(class_counts)
        self.flow = (
            spline_flow(continuous, context, flow.transforms, flow.bins, flow.hidden)
            if continuous
            else None
        )

    def log_density(
        self, encoding: Tensor, numbers: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log probability of the classes and log density of the values given the classes.

        Args:
            encoding: shape (batch, encoding).
            numbers: shape (batch, classes) int64.
            values: shape (batch, continuous), in (0, 1).

        Returns:
            Two tensors of shape (batch,), in nats; their sum is the density in the unit cube.
        """
        context, classes = encoding, encoding.new_zeros(len(encoding))
        for column, head in enumerate(self.heads):
            logits = head(context)
            classes = classes - F.cross_entropy(logits, numbers[:, column], reduction="none")
            context = self._append(context, numbers[:, column], column)
        if self.flow is None:
            return classes, torch.zeros_like(classes)
        z = probit(values).to(encoding.device)
        density = self.flow(context.float()).log_prob(z) - normal_log_density(z).sum(-1)
        return classes, density

    def forward(self, views: Views, numbers: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """`log_density` of a batch of sounds and their patches."""
        return self.log_density(self.encoder(views), numbers, values)

    @torch.no_grad()
    def sample(self, encoding: Tensor, noise: Noise) -> tuple[Tensor, Tensor, Tensor]:
        """Draw patches for each sound.

        Args:
            encoding: shape (batch, encoding).
            noise: what the draws are made of; the same noise gives the same draws.

        Returns:
            Class numbers (batch, draws, classes) int64, values (batch, draws, continuous) in
            [0, 1], on the CPU if the device has no float64, and log densities (batch, draws).
        """
        batch, draws = noise.uniform.shape[:2]
        context = encoding.repeat_interleave(draws, dim=0)
        uniform = noise.uniform.flatten(0, 1).to(encoding.device)
        numbers = torch.empty(uniform.shape, dtype=torch.int64, device=encoding.device)
        for column, head in enumerate(self.heads):
            cumulative = exact(head(context)).softmax(-1).cumsum(-1)
            number = torch.searchsorted(cumulative, exact(uniform[:, column, None]))[:, 0]
            numbers[:, column] = number.clamp_max(self.class_counts[column] - 1)
            context = self._append(context, numbers[:, column], column)
        values = encoding.new_zeros(batch * draws, self.continuous)
        if self.flow is not None:
            distribution = self.flow(context)
            base = noise.normal.flatten(0, 1).to(encoding.device)
            z = distribution.transform.inv(base)
            values = torch.special.ndtr(exact(z))
        classes, density = self.log_density(
            encoding.repeat_interleave(draws, dim=0), numbers, values
        )
        return (
            numbers.view(batch, draws, -1),
            values.view(batch, draws, -1),
            (classes + density).view(batch, draws),
        )

    @torch.no_grad()
    def class_probabilities(self, encoding: Tensor, numbers: Tensor) -> list[Tensor]:
        """Marginal probability of each class: the heads' mean over draws of the classes before.

        Args:
            encoding: shape (batch, encoding).
            numbers: drawn classes, shape (batch, draws, classes).

        Returns:
            For each class dimension a tensor (batch, classes of the dimension) whose rows sum to 1.
        """
        batch, draws = numbers.shape[:2]
        context, flat = encoding.repeat_interleave(draws, dim=0), numbers.flatten(0, 1)
        marginals = []
        for column, head in enumerate(self.heads):
            probabilities = head(context).softmax(-1).view(batch, draws, -1)
            marginals.append(probabilities.mean(dim=1))
            context = self._append(context, flat[:, column], column)
        return marginals

    @torch.no_grad()
    def likeliest_classes(self, encoding: Tensor) -> Tensor:
        """The likeliest class of each dimension given those before it: (batch, classes)."""
        context, chosen = encoding, []
        for column, head in enumerate(self.heads):
            chosen.append(head(context).argmax(-1))
            context = self._append(context, chosen[-1], column)
        return torch.stack(chosen, dim=-1) if chosen else encoding.new_empty(len(encoding), 0)

    def _append(self, context: Tensor, numbers: Tensor, column: int) -> Tensor:
        """Tell all that follows which class was taken."""
        chosen = F.one_hot(numbers, self.class_counts[column]).to(context.dtype)
        return torch.cat([context, chosen], dim=-1)
