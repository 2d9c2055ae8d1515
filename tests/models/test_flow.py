"""The posterior's flow is zuko's, to the bit."""

from __future__ import annotations

import pytest
import torch
import zuko
from torch import nn

from deepdiva.models.flow import spline_flow

FEATURES, CONTEXT = 5, 7


@pytest.fixture
def flows() -> tuple[zuko.flows.Flow, zuko.flows.Flow]:
    torch.manual_seed(0)
    ours = spline_flow(FEATURES, CONTEXT, transforms=3, bins=6, hidden=32)
    theirs = zuko.flows.NSF(
        FEATURES, CONTEXT, transforms=3, bins=6, hidden_features=(32, 32), activation=nn.SiLU
    )
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_densities_and_gradients(flows):
    x = 3 * torch.randn(200, FEATURES)  # some lie beyond the splines' box
    context = torch.randn(200, CONTEXT)
    densities = [flow(context).log_prob(x) for flow in flows]
    assert torch.equal(*densities)
    for density in densities:
        density.sum().backward()
    for one, other in zip(*(flow.parameters() for flow in flows), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_draws(flows):
    base, context = torch.randn(100, FEATURES), torch.randn(100, CONTEXT)
    drawn = [flow(context).transform.inv(base) for flow in flows]
    assert torch.equal(*drawn)
    torch.testing.assert_close(flows[0](context).transform(drawn[0]), base, atol=1e-4, rtol=1e-4)
