"""The training loop. What is trained, and on what, comes from elsewhere.

The weights are a function of the learner's first weights, the source and the settings: random
numbers of a step are drawn from the seed and the step's number, batches likewise, and a training
that was killed goes on from its last finished epoch to the very same weights. (On the same machine
and with the same number of threads, that is: the order of sums is not the same everywhere.)
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepdiva.errors import InvalidValueError, UnknownNameError
from deepdiva.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from deepdiva.models.devices import to_device
from deepdiva.models.learner import Learner
from deepdiva.models.loss_history import write_curve, write_table
from deepdiva.models.training_batches import Batch, Source, Tensors, prefetch
from deepdiva.models.training_settings import TrainingSettings, learning_rate


@dataclass(frozen=True)
class Progress:
    """Where a training stands; told after every step.

    Attributes:
        step: steps done since the start.
        steps: steps of the whole training.
        epoch: the epoch that the step belongs to, from 1.
        sounds_per_second: training sounds over all the time of this run.
        loss: of the step.
        test_loss: of the last finished epoch; NaN in the first.
    """

    step: int
    steps: int
    epoch: int
    sounds_per_second: float
    loss: float
    test_loss: float


@dataclass(frozen=True)
class TrainingResult:
    """What came out.

    Attributes:
        network: the weights with the smallest test loss.
        metrics: test loss and metrics of these weights.
        epochs: epochs that were trained.
        sounds: training sounds that were seen.
        stopped_early: patience ran out.
    """

    network: dict[str, Tensor]
    metrics: dict[str, float]
    epochs: int
    sounds: int
    stopped_early: bool


_UNFIT = ("Optimizer", "LBFGS", "Muon", "SparseAdam")
"""Classes of `torch.optim` that a plain step over all parameters cannot use."""

_FUSED_ON = {"cpu", "cuda"}
"""Devices on which a step over all parameters is one operation."""

KeepWeights = Callable[[int, dict[str, Tensor], dict[str, float]], None]
"""Called with epoch, weights and metrics whenever weights are to be kept."""


def make_optimizer(learner: Learner, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer that the settings name.

    Raises:
        UnknownNameError: `torch.optim` has none of that name, or one that cannot be used here.
        InvalidValueError: a weight decay for an optimizer that has none.
    """
    optimizers = {
        name.lower(): kind
        for name, kind in vars(torch.optim).items()
        if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer) and name not in _UNFIT
    }
    name = settings.optimizer.lower()
    if name not in optimizers:
        problem = (
            f"The optimizer {settings.optimizer!r} cannot train these networks"
            if name in map(str.lower, _UNFIT)
            else f"There is no optimizer {settings.optimizer!r}"
        )
        raise UnknownNameError(f"{problem}: choose one of {', '.join(sorted(optimizers))}.")
    kind = optimizers[name]
    accepted = inspect.signature(kind).parameters
    options: dict[str, Any] = {"lr": settings.learning_rate}
    if "weight_decay" in accepted:
        options["weight_decay"] = settings.weight_decay
    elif settings.weight_decay:
        raise InvalidValueError(
            f"weight_decay is {settings.weight_decay:g}, and {kind.__name__} has none: leave it "
            "out, or choose another optimizer."
        )
    parameters = list(learner.network.parameters())
    if "fused" in accepted and {entry.device.type for entry in parameters} <= _FUSED_ON:
        options["fused"] = True
    elif "foreach" in accepted:
        options["foreach"] = True
    return kind(parameters, **options)


def train(
    learner: Learner,
    source: Source,
    test: list[Batch],
    settings: TrainingSettings,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    keep: KeepWeights | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train a network. Seeds PyTorch's global random generator at every step.

    Args:
        learner: the network.
        source: training batches.
        test: batches that judge each epoch.
        settings: how.
        folder: gets the checkpoint, the table of losses and their curve; must exist.
        resume: go on from the folder's checkpoint.
        device: where the arithmetic is done.
        workers: threads that make batches ahead.
        keep: gets the weights every `save_every` epochs.
        on_progress: told after every step.

    Returns:
        The best weights and their metrics.

    Raises:
        InvalidValueError: a checkpoint of other settings, a weight decay for an optimizer that has
            none, or a loss that is not a number.
        MissingFileError: nothing to resume.
        UnknownNameError: no such optimizer.
    """
    run = _Run(learner, source, test, settings, folder, device)
    run.start(resume)
    began, seen = time.perf_counter(), 0
    steps = source.steps_per_epoch
    todo = range(run.state.epoch * steps, settings.epochs * steps)
    try:
        with prefetch(source, todo, workers, 2 * workers) as batches:
            while run.state.epoch < settings.epochs and not run.out_of_patience():
                losses = []
                for step, loss, size in run.epoch(batches):
                    losses.append((loss, size))
                    seen += size
                    if on_progress is not None:
                        rate = seen / (time.perf_counter() - began)
                        on_progress(run.progress(step, rate, loss))
                run.finish_epoch(losses, time.perf_counter() - began)
                if keep is not None and run.state.epoch % settings.save_every == 0:
                    keep(run.state.epoch, run.state.network, _metrics(run.state.history[-1]))
    finally:
        run.draw()
    best = run.state.history[run.state.best_epoch - 1]
    return TrainingResult(
        run.state.best_network,
        _metrics(best),
        run.state.epoch,
        round(run.state.history[-1]["sounds"]),
        run.out_of_patience(),
    )


def _metrics(row: dict[str, float]) -> dict[str, float]:
    """The part of a row of the loss table that says how good the weights are."""
    return {name: value for name, value in row.items() if name.startswith("test_")}


class _Run:
    """A training between its first and its last step; `state` is what a checkpoint holds."""

    def __init__(
        self,
        learner: Learner,
        source: Source,
        test: list[Batch],
        settings: TrainingSettings,
        folder: Path,
        device: str,
    ) -> None:
        self._learner, self._source, self._test = learner, source, test
        self._settings, self._folder, self._device = settings, folder, device
        learner.network.to(device)
        self._optimizer = make_optimizer(learner, settings)
        self.state = Checkpoint(settings.to_dict(), 0, {}, {}, math.inf, 0, {}, [])

    def start(self, resume: bool) -> None:
        """Take over the checkpoint, if there is one to resume."""
        if not resume:
            return
        found = read_checkpoint(self._folder)
        wanted = self._settings.to_dict()
        different = sorted(
            name
            for name in wanted
            if name != "patience" and found.settings.get(name) != wanted[name]
        )
        if different:
            raise InvalidValueError(
                f"The training in {self._folder} was started with "
                + ", ".join(f"{name} {found.settings.get(name)!r}" for name in different)
                + ": it can only be resumed with the same."
            )
        self.state = found
        self._learner.network.load_state_dict(found.network)
        self._optimizer.load_state_dict(found.optimizer)

    def out_of_patience(self) -> bool:
        """Whether the test loss has not fallen for too long."""
        waited = self.state.epoch - self.state.best_epoch
        return 0 < self._settings.patience <= waited

    def progress(self, step: int, rate: float, loss: float) -> Progress:
        """Where the training stands after a step."""
        history = self.state.history
        return Progress(
            step + 1,
            self._settings.epochs * self._source.steps_per_epoch,
            self.state.epoch + 1,
            rate,
            loss,
            history[-1]["test_loss"] if history else math.nan,
        )

    def epoch(self, batches: Iterator[Batch]) -> Iterator[tuple[int, float, int]]:
        """Train for one epoch; yields step, loss and batch size after every step."""
        network = self._learner.network
        network.train()
        steps = self._source.steps_per_epoch
        total = self._settings.epochs * steps
        for step in range(self.state.epoch * steps, (self.state.epoch + 1) * steps):
            batch = next(batches)
            torch.manual_seed((self._settings.seed << 32) + step + 1)
            for group in self._optimizer.param_groups:
                group["lr"] = learning_rate(self._settings, step, total)
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._learner.loss(*self._on_device(batch))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), self._settings.gradient_norm)
            self._optimizer.step()
            value = float(loss.detach())
            self._check(value, step)
            yield step, value, len(batch.inputs[0])

    def _check(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise InvalidValueError(
                f"The loss became {loss} at step {step + 1}: lower the learning rate (it is "
                f"{self._settings.learning_rate:g}) and start again."
            )

    def draw(self) -> None:
        """Draw the losses so far."""
        if self.state.history:
            title = f"{self._learner.name}, epoch {self.state.epoch}"
            write_curve(self._folder, self.state.history, title)

    def finish_epoch(self, losses: list[tuple[float, int]], seconds: float) -> None:
        """Judge the weights by the test sounds and write the checkpoint and the losses."""
        state = self.state
        before = state.history[-1] if state.history else {"sounds": 0.0, "step": 0.0}
        sounds = sum(size for _, size in losses)
        state.epoch += 1
        state.network = _copy(self._learner.network.state_dict())
        state.optimizer = self._optimizer.state_dict()
        state.history.append(
            {
                "epoch": float(state.epoch),
                "step": before["step"] + len(losses),
                "sounds": before["sounds"] + sounds,
                "learning_rate": self._optimizer.param_groups[0]["lr"],
                "train_loss": sum(loss * size for loss, size in losses) / sounds,
                **self._judge(),
                "seconds": seconds,
            }
        )
        self._check(state.history[-1]["test_loss"], round(state.history[-1]["step"]))
        if state.history[-1]["test_loss"] < state.best_loss:
            state.best_loss = state.history[-1]["test_loss"]
            state.best_epoch = state.epoch
            state.best_network = state.network
        write_checkpoint(self._folder, state)
        write_table(self._folder, state.history)

    @torch.no_grad()
    def _judge(self) -> dict[str, float]:
        """Test loss and metrics, means over all test sounds."""
        self._learner.network.eval()
        sums: dict[str, float] = {}
        sounds = 0
        for batch in self._test:
            inputs, targets = self._on_device(batch)
            size = len(inputs[0])
            row = {"loss": float(self._learner.loss(inputs, targets))}
            row.update(self._learner.metrics(inputs, targets))
            for name, value in row.items():
                sums[name] = sums.get(name, 0.0) + value * size
            sounds += size
        return {f"test_{name}": total / sounds for name, total in sums.items()}

    def _on_device(self, batch: Batch) -> tuple[Tensors, Tensors]:
        inputs = tuple(to_device(tensor, self._device) for tensor in batch.inputs)
        return inputs, tuple(to_device(tensor, self._device) for tensor in batch.targets)


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are now, on the CPU; later steps do not change them."""
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
