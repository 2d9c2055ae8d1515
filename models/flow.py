"""The conditional neural spline flow of the posterior (Durkan et al. 2019, arXiv:1906.04032).

It is zuko's, whose layers let values, context and splines be of different leading dimensions. Here
they have the same, and nothing is broadcast: for that, torch loads sympy, which takes longer than
all that the network computes for a sound.
"""

from __future__ import annotations

from functools import partial

import torch
import zuko
from torch import Tensor, nn
from torch.distributions import Transform
from zuko.flows.autoregressive import MaskedAutoregressiveTransform


class _Spline(zuko.transforms.MonotonicRQSTransform):  # type: ignore[misc]
    """A spline for each value."""

    def bin(self, k: Tensor) -> tuple[Tensor, ...]:
        """The knots to the left and right of each value.

        Args:
            k: number of the piece, shape (..., features); out of range beyond the ends.

        Returns:
            Whether the value lies inside, positions, heights and derivatives at both knots, and
            the slope between them, each of the shape of `k`.
        """
        inside = (k >= 0) & (k < self.bins)
        left = (k % self.bins)[..., None]
        ends = torch.cat((left, left + 1), dim=-1)
        x0, x1 = self.horizontal.gather(-1, ends).unbind(-1)
        y0, y1 = self.vertical.gather(-1, ends).unbind(-1)
        d0, d1 = self.derivatives.gather(-1, ends).unbind(-1)
        return inside, x0, x1, y0, y1, d0, d1, (y1 - y0) / (x1 - x0)


class _Layer(MaskedAutoregressiveTransform):  # type: ignore[misc]
    """An autoregressive layer of such splines."""

    def meta(self, c: Tensor | None, x: Tensor) -> Transform:
        known = x if c is None else torch.cat((x, c), dim=-1)
        transform: Transform = super().meta(None, known)
        return transform


def spline_flow(
    features: int, context: int, transforms: int, bins: int, hidden: int
) -> zuko.flows.Flow:
    """`zuko.flows.NSF` for values and context of the same leading dimensions.

    Weights have the same names, and densities and draws are the same to the bit.

    Args:
        features: values whose density is learned.
        context: numbers that it is conditioned on.
        transforms: autoregressive layers, in alternating order.
        bins: pieces of each spline.
        hidden: width of each layer's two hidden layers.
    """
    orders = torch.arange(features), torch.arange(features).flip(0)
    layers = [
        _Layer(
            features=features,
            context=context,
            order=orders[layer % 2],
            univariate=partial(_Spline, slope=1e-3),
            shapes=[(bins,), (bins,), (bins - 1,)],
            hidden_features=(hidden, hidden),
            activation=nn.SiLU,
        )
        for layer in range(transforms)
    ]
    base = zuko.lazy.UnconditionalDistribution(
        zuko.distributions.DiagNormal,
        loc=torch.zeros(features),
        scale=torch.ones(features),
        buffer=True,
    )
    return zuko.flows.Flow(layers, base)
