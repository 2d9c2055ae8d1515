"""The distribution of patches: laws of probability, and a posterior known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from deepdiva.models.encoder import EncoderSettings
from deepdiva.models.posterior import FlowSettings, Noise, PosteriorNetwork
from deepdiva.models.representation import Representation
from deepdiva.models.representation_settings import RepresentationSettings
from deepdiva.note import Note

SMALL_VIEWS = RepresentationSettings(
    line_samples=1024, bins_per_octave=6, frames=8, frame_samples=512, mel_bands=16, segments=8
)
SMALL_ENCODER = EncoderSettings(
    harmonics=2,
    line_channels=(8, 8, 8),
    band_channels=(8, 8, 8),
    reduced=4,
    hidden=16,
    encoding=6,
)


def small_network(class_counts: tuple[int, ...], continuous: int) -> PosteriorNetwork:
    torch.manual_seed(0)
    hear = Representation(Note(render_seconds=0.2, sample_rate=8000), SMALL_VIEWS)
    flow = FlowSettings(transforms=2, bins=6, hidden=32, head=16)
    return PosteriorNetwork(hear, class_counts, continuous, SMALL_ENCODER, flow)


def disturbed(network: PosteriorNetwork) -> PosteriorNetwork:
    """Weights far from their start, so that densities are far from uniform."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return network


def test_the_density_of_values_integrates_to_one_over_the_unit_square() -> None:
    network = disturbed(small_network((3,), 2))
    points = 400
    axis = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    grid = torch.cartesian_prod(axis, axis)
    encoding = torch.randn(1, 6).expand(len(grid), -1)
    with torch.no_grad():
        for number in range(3):
            numbers = torch.full((len(grid), 1), number)
            _, density = network.log_density(encoding, numbers, grid)
            assert float(density.exp().mean()) == pytest.approx(1.0, abs=0.02)


def test_class_probabilities_of_a_chain_sum_to_one() -> None:
    network = disturbed(small_network((3, 4), 0))
    every = torch.cartesian_prod(torch.arange(3), torch.arange(4))
    encoding = torch.randn(1, 6).expand(len(every), -1)
    with torch.no_grad():
        classes, values = network.log_density(encoding, every, torch.zeros(len(every), 0))
    assert float(classes.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    assert torch.all(values == 0.0)


def test_draws_follow_the_density_that_they_report() -> None:
    network = disturbed(small_network((3,), 2))
    encoding = torch.randn(1, 6)
    numbers, values, reported = network.sample(encoding, Noise.draw(1, 4000, 1, 2, seed=1))
    with torch.no_grad():
        classes, density = network.log_density(encoding.expand(4000, -1), numbers[0], values[0])
        shares = network.heads[0](encoding)[0].double().softmax(-1).numpy()
    torch.testing.assert_close(reported[0], classes + density)
    drawn = np.bincount(numbers[0, :, 0].numpy(), minlength=3)
    assert stats.chisquare(drawn, 4000 * shares / shares.sum()).pvalue > 0.001
    # Importance weighting by the inverse density must give back the uniform cube: the mean of
    # 1 / density over draws is the volume of its support.
    inverse = (-density.double()).exp()
    assert float(inverse.mean()) == pytest.approx(1.0, abs=0.15)


def test_marginals_are_the_frequencies_of_the_draws() -> None:
    network = disturbed(small_network((3, 4), 1))
    encoding = torch.randn(2, 6)
    numbers, _, _ = network.sample(encoding, Noise.draw(2, 5000, 2, 1, seed=3))
    for column, marginal in enumerate(network.class_probabilities(encoding, numbers)):
        torch.testing.assert_close(marginal.sum(-1), torch.ones(2))
        for row in range(2):
            drawn = torch.bincount(numbers[row, :, column], minlength=marginal.shape[1]) / 5000
            torch.testing.assert_close(drawn, marginal[row], atol=0.03, rtol=0)


def test_the_same_seed_gives_the_same_draws_whatever_the_batch() -> None:
    network = disturbed(small_network((3, 4), 3))
    encoding = torch.randn(4, 6)
    together = network.sample(encoding, Noise.draw(4, 20, 2, 3, seed=5))
    alone = network.sample(encoding[2:3], Noise.draw(1, 20, 2, 3, seed=5))
    assert torch.equal(alone[0][0], together[0][2])
    torch.testing.assert_close(alone[1][0], together[1][2], atol=1e-5, rtol=0)
    other = network.sample(encoding[2:3], Noise.draw(1, 20, 2, 3, seed=6))
    assert not torch.equal(alone[1], other[1])


def test_a_trained_flow_knows_a_posterior_that_is_known_in_closed_form() -> None:
    """theta uniform on [0, 1] seen through normal noise: a normal cut off at the edges."""
    network = small_network((), 1)
    sigma = 0.15
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        theta = torch.rand(count, 1, generator=generator)
        seen = theta + sigma * torch.randn(count, 1, generator=generator)
        return theta, torch.cat([seen, torch.zeros(count, 5)], dim=1)

    nothing = torch.zeros(512, 0, dtype=torch.int64)
    for _ in range(500):
        theta, encoding = draw(512)
        optimizer.zero_grad()
        (-network.log_density(encoding, nothing, theta)[1].mean()).backward()
        optimizer.step()

    theta, encoding = draw(512)
    seen = encoding[:, :1].numpy()
    exact = stats.truncnorm((0 - seen) / sigma, (1 - seen) / sigma, seen, sigma)
    with torch.no_grad():
        found = float(network.log_density(encoding, nothing, theta)[1].mean())
    assert found == pytest.approx(exact.logpdf(theta.numpy()).mean(), abs=0.05)

    _, values, _ = network.sample(encoding, Noise.draw(512, 400, 0, 1, seed=9))
    ranks = (values[:, :, 0] < theta).double().mean(dim=1).numpy()
    assert stats.kstest(ranks, "uniform").pvalue > 0.01  # simulation-based calibration
    for level in (0.5, 0.9):
        inside = np.mean(np.abs(ranks - 0.5) < level / 2)
        assert inside == pytest.approx(level, abs=0.06)
