"""Which encoder hears best? The posterior network with three encoders, on the same sounds.

    python benchmarks/encoders.py [--sounds N] [--epochs N] [--seed N]

Sounds are rendered once, as `deepdiva train --online` renders them, and heard once. Then each
encoder is trained on the same sounds, in the same order, for as many steps, with the same heads,
flow and learning rates, and judged by the negative log likelihood of the true patches of sounds
that it has not met.

- `three views` is what the shipped network has: line spectra with stacked partials, mel bands and
  level, each with residual convolutions of its own.
- `mel only` is the residual network over the mel spectrogram and the level, without line spectra.
- `transformer` reads the three views as a row of tokens: every mel frame, every octave of the line
  spectra, and the level (Vaswani et al. 2017, normalisation first; cf. Gong et al., "AST", 2021).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from deepdiva.models.encoder import Encoder, EncoderSettings
from deepdiva.models.estimation import PosteriorLearner
from deepdiva.models.online import DomainRandomization, FreshSounds, embedded_renderers
from deepdiva.models.representation import Representation, Views
from deepdiva.models.training_batches import Tensors
from deepdiva.note import Note
from deepdiva.synths.diva import default_space

BATCH = 256
TEST_SOUNDS = 2048
LEARNING_RATE = 2e-3
SIZES = EncoderSettings()


class MelOnly(Encoder):
    """The shipped encoder, deaf to the line spectra."""

    def forward(self, views: Views) -> Tensor:
        encoding: Tensor = super().forward(views._replace(lines=torch.full_like(views.lines, -1.0)))
        return encoding


class Transformer(nn.Module):
    """Frames, octaves and level as tokens; a further token collects what they say."""

    def __init__(self, representation: Representation, width: int = 160, layers: int = 4) -> None:
        super().__init__()
        heard = representation(torch.zeros(1, representation.note.samples))
        self.octave = representation.settings.bins_per_octave
        octaves = -(-heard.lines.shape[2] // self.octave)
        tokens = 2 + heard.bands.shape[2] + heard.lines.shape[1] * octaves
        self.from_frame = nn.Linear(heard.bands.shape[1], width)
        self.from_octave = nn.Linear(self.octave, width)
        self.from_level = nn.Linear(heard.level.shape[1], width)
        self.collect = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.end = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, SIZES.encoding))

    def forward(self, views: Views) -> Tensor:
        missing = -views.lines.shape[2] % self.octave
        lines = nn.functional.pad(views.lines, (0, missing), value=-1.0)
        parts = [
            self.collect.expand(len(lines), -1, -1),
            self.from_frame(views.bands.transpose(1, 2)),
            self.from_octave(lines.unflatten(2, (-1, self.octave)).flatten(1, 2)),
            self.from_level(views.level)[:, None],
        ]
        encoding: Tensor = self.end(self.layers(torch.cat(parts, dim=1) + self.place)[:, 0])
        return encoding


ENCODERS: dict[str, Callable[[Representation], nn.Module]] = {
    "three views": lambda heard: Encoder(heard, SIZES),
    "mel only": lambda heard: MelOnly(heard, SIZES),
    "transformer": Transformer,
}


def featurize(
    learner: PosteriorLearner, count: int, seed: int, stream: int
) -> tuple[Tensors, Tensors]:
    """Views and targets of `count` fresh sounds, rounded up to whole batches."""
    fresh = FreshSounds(
        embedded_renderers(0.4),
        learner.space,
        learner.note,
        DomainRandomization(),
        BATCH,
        seed,
        stream,
    )
    views, targets = [], []
    for step in range(-(-count // BATCH)):
        sounds, x = fresh.sounds(step)
        views.append(learner.featurize(sounds))
        targets.append(learner.encode(x, fresh.rng(step, purpose=1)))
    joined = [tuple(map(torch.cat, zip(*parts, strict=True))) for parts in (views, targets)]
    return joined[0], joined[1]


def rows(tensors: Tensors, which: Tensor) -> Tensors:
    """Some rows of all tensors."""
    return tuple(tensor[which] for tensor in tensors)


def train(
    learner: PosteriorLearner, views: Tensors, targets: Tensors, epochs: int, seed: int
) -> float:
    """Train the learner's network; seconds for each 1,000 sounds."""
    network = learner.network.train()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
    steps = epochs * (len(views[0]) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(seed)
    began = time.perf_counter()
    for _ in range(epochs):
        for which in torch.randperm(len(views[0]), generator=order).split(BATCH):
            loss = learner.loss(rows(views, which), rows(targets, which))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
    return (time.perf_counter() - began) / (steps * BATCH) * 1000


@torch.no_grad()
def judge(learner: PosteriorLearner, views: Tensors, targets: Tensors) -> dict[str, float]:
    """Losses and accuracies on sounds that were not met, means over batches."""
    learner.network.eval()
    found = []
    for which in torch.arange(len(views[0])).split(BATCH):
        some = rows(views, which), rows(targets, which)
        found.append({"loss": float(learner.loss(*some)), **learner.metrics(*some)})
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def main() -> None:
    """Train and print a line for each encoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=int, default=49152, help="to learn from")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    space, note = default_space(), Note()
    plain = PosteriorLearner(space, note)
    views, targets = featurize(plain, options.sounds, options.seed, stream=0)
    test_views, test_targets = featurize(plain, TEST_SOUNDS, options.seed, stream=1)
    print(
        f"{len(views[0]):,} sounds, {options.epochs} epochs, {len(test_views[0]):,} test sounds\n"
    )
    print("| encoder | weights | test loss | of it values | Tune1 | Wave1 | Wave2 | s per 1,000 |")
    print("|---|---|---|---|---|---|---|---|")
    for name, make in ENCODERS.items():
        torch.manual_seed(options.seed)
        learner = PosteriorLearner(space, note)
        learner.network.encoder = make(learner.representation)  # type: ignore[assignment]
        seconds = train(learner, views, targets, options.epochs, options.seed)
        found = judge(learner, test_views, test_targets)
        weights = sum(p.numel() for p in learner.network.encoder.parameters())
        right = " | ".join(
            f"{found[f'accuracy_{code}']:.3f}" for code in ("OSC.Tune1", "OSC.Wave1", "OSC.Wave2")
        )
        print(
            f"| {name} | {weights / 1e6:.1f} M | {found['loss']:.2f} | {found['value_loss']:.2f} | "
            f"{right} | {seconds:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
