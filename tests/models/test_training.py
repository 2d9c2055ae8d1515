"""The training loop: it learns, it can be killed and resumed, it stops when nothing gets better."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from deepdiva.errors import InvalidValueError, MissingFileError, UnknownNameError
from deepdiva.models.checkpoint import NAME, read_checkpoint
from deepdiva.models.learner import Learner, plain
from deepdiva.models.losses import MEASURES, measure
from deepdiva.models.training import Progress, make_optimizer, train
from deepdiva.models.training_batches import Batch, StoredSource, Tensors, prefetch
from deepdiva.models.training_settings import TrainingSettings, learning_rate


class Line(Learner):
    """A small network with dropout that learns a linear map: quick, and random enough."""

    name = "line"

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.network = nn.Sequential(nn.Linear(5, 16), nn.ELU(), nn.Dropout(0.1), nn.Linear(16, 2))

    def featurize(self, sounds: NDArray[np.float32]) -> Tensors:
        return (torch.from_numpy(sounds),)

    def encode(self, x: NDArray[np.float64], rng: np.random.Generator) -> Tensors:
        return (torch.from_numpy((x + 1e-3 * rng.standard_normal(x.shape)).astype(np.float32)),)

    def loss(self, inputs: Tensors, targets: Tensors) -> Tensor:
        return F.mse_loss(self.network(inputs[0]), targets[0])

    def metrics(self, inputs: Tensors, targets: Tensors) -> dict[str, float]:
        return {"mean_absolute_error": float(F.l1_loss(self.network(inputs[0]), targets[0]))}

    def kept(self, state: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        return plain(state)

    def features_description(self) -> dict[str, Any]:
        return {}

    def network_description(self) -> dict[str, Any]:
        return {}


def data(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, 5)).astype(np.float32)
    slope = np.linspace(-0.2, 0.2, 10).reshape(5, 2)
    return rows, 0.5 + rows @ slope


def source(learner: Learner, settings: TrainingSettings, count: int = 200) -> StoredSource:
    rows, x = data(count, 1)
    return StoredSource(
        rows, x, learner.featurize, learner.encode, settings.batch_size, settings.seed
    )


def test_batches(learner: Learner) -> list[Batch]:
    rows, x = data(50, 2)
    held = StoredSource(rows, x, learner.featurize, learner.encode, 20, 0, shuffle=False)
    return [held.batch(step) for step in range(held.steps_per_epoch)]


test_batches.__test__ = False  # type: ignore[attr-defined]

SETTINGS = TrainingSettings(
    epochs=6, batch_size=32, learning_rate=0.02, schedule="cosine", warmup_steps=3
)


def run(folder: Path, settings: TrainingSettings = SETTINGS, **options: Any) -> dict[str, Tensor]:
    folder.mkdir(exist_ok=True)
    learner = Line()
    held = test_batches(learner)
    return train(learner, source(learner, settings), held, settings, folder, **options).network


def test_two_hundred_samples_are_learned(tmp_path: Path) -> None:
    learner = Line()
    held = test_batches(learner)
    result = train(learner, source(learner, SETTINGS), held, SETTINGS, tmp_path)
    with (tmp_path / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert float(rows[-1]["test_loss"]) < 0.2 * float(rows[0]["test_loss"])
    assert rows[-1]["sounds"] == "1200"
    assert result.metrics["test_loss"] == pytest.approx(
        min(float(row["test_loss"]) for row in rows), rel=1e-6
    )
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


class KilledError(Exception):
    """Stands for a kill at any step."""


@pytest.mark.parametrize("step", [1, 9, 20, 41])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path: Path, step: int) -> None:
    whole = run(tmp_path / "whole")

    def kill(progress: Progress) -> None:
        if progress.step == step:
            raise KilledError

    with pytest.raises(KilledError):
        run(tmp_path / "killed", on_progress=kill)
    resume = (tmp_path / "killed" / NAME).exists()
    assert resume == (step > 7)  # seven steps make an epoch
    resumed = run(tmp_path / "killed", resume=resume)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    whole_table, killed_table = (
        [line.rpartition(",")[0] for line in (tmp_path / name / "losses.csv").read_text().split()]
        for name in ("whole", "killed")
    )
    assert whole_table == killed_table  # but for the seconds, in the last column


def test_threads_that_make_batches_change_nothing(tmp_path: Path) -> None:
    alone = run(tmp_path / "alone", workers=0)
    helped = run(tmp_path / "helped", workers=3)
    assert all(torch.equal(alone[name], helped[name]) for name in alone)


def test_every_epoch_sees_every_sample_once_in_another_order() -> None:
    learner = Line()
    held = source(learner, SETTINGS)
    epochs = [
        torch.cat([held.batch(epoch * 7 + place).inputs[0] for place in range(7)])
        for epoch in range(2)
    ]
    assert held.steps_per_epoch == 7
    assert not torch.equal(epochs[0], epochs[1])
    rows = data(200, 1)[0]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch.numpy(), axis=0), np.sort(rows, axis=0))


def test_an_error_in_a_thread_reaches_the_training() -> None:
    class Broken(StoredSource):
        def batch(self, step: int) -> Batch:
            if step == 3:
                raise OSError("disk gone")
            return super().batch(step)

    learner = Line()
    broken = Broken(*data(64, 0), learner.featurize, learner.encode, 8, 0)
    with prefetch(broken, range(8), 2, 4) as batches:
        assert [len(next(batches).inputs[0]) for _ in range(3)] == [8, 8, 8]
        with pytest.raises(OSError, match="disk gone"):
            next(batches)


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=50, batch_size=32, learning_rate=1e-12, patience=3)
    learner = Line()
    held = test_batches(learner)
    result = train(learner, source(learner, settings), held, settings, tmp_path)
    assert result.stopped_early
    assert result.epochs < 50
    assert result.epochs - read_checkpoint(tmp_path).best_epoch == 3


def test_weights_are_kept_as_often_as_asked(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=5, batch_size=64, save_every=2)
    kept: list[tuple[Any, ...]] = []
    run(tmp_path, settings, keep=lambda *arguments: kept.append(arguments))
    assert [epoch for epoch, _, _ in kept] == [2, 4]
    assert set(kept[0][2]) == {"test_loss", "test_mean_absolute_error"}


def test_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, TrainingSettings(epochs=1, batch_size=64))
    with pytest.raises(InvalidValueError, match="started with batch_size 64"):
        run(tmp_path, TrainingSettings(epochs=1, batch_size=32), resume=True)


def test_resuming_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nothing can be resumed"):
        run(tmp_path, resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"not a checkpoint")
    with pytest.raises(InvalidValueError, match="cannot be read as a checkpoint"):
        run(tmp_path, resume=True)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    settings = TrainingSettings(
        epochs=3, batch_size=32, optimizer="sgd", learning_rate=1e30, gradient_norm=1e30
    )
    with pytest.raises(InvalidValueError, match="lower the learning rate"):
        run(tmp_path, settings)


@pytest.mark.parametrize("name", ["Adam", "adamw", "SGD", "rmsprop", "nadam", "Adagrad"])
def test_optimizers_are_those_of_torch(tmp_path: Path, name: str) -> None:
    run(tmp_path, TrainingSettings(epochs=1, batch_size=64, optimizer=name))


def offered_optimizers() -> list[str]:
    with pytest.raises(UnknownNameError) as caught:
        make_optimizer(Line(), TrainingSettings(optimizer="adamant"))
    return re.findall(r"\w+", str(caught.value).partition("choose one of")[2])


def test_every_optimizer_that_is_offered_makes_a_step() -> None:
    names = offered_optimizers()
    assert {"adam", "adamw", "rprop", "sgd"} <= set(names)
    for name in names:
        learner = Line()
        before = [parameter.clone() for parameter in learner.network.parameters()]
        optimizer = make_optimizer(learner, TrainingSettings(optimizer=name))
        learner.loss(*source(learner, SETTINGS).batch(0)).backward()
        optimizer.step()
        after = learner.network.parameters()
        assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), name


@pytest.mark.parametrize("name", ["Muon", "lbfgs", "SparseAdam"])
def test_an_optimizer_that_cannot_train_the_network_is_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"'{name}' cannot train.*choose one of.*adamw"):
        make_optimizer(Line(), TrainingSettings(optimizer=name))


def test_without_weight_decay_adamw_is_adam(tmp_path: Path) -> None:
    adam, adamw = (
        run(tmp_path / name, TrainingSettings(epochs=2, batch_size=64, optimizer=name))
        for name in ("adam", "adamw")
    )
    assert all(torch.equal(adam[name], adamw[name]) for name in adam)


def test_a_weight_decay_is_taken_or_refused() -> None:
    for name in offered_optimizers():
        settings = TrainingSettings(optimizer=name, weight_decay=0.25)
        if name == "rprop":
            with pytest.raises(
                InvalidValueError, match=r"weight_decay is 0\.25, and Rprop has none"
            ):
                make_optimizer(Line(), settings)
        else:
            assert make_optimizer(Line(), settings).param_groups[0]["weight_decay"] == 0.25, name


def test_an_unknown_optimizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no optimizer 'adamant': choose one of.*adamw"):
        run(tmp_path, TrainingSettings(optimizer="adamant"))


def test_unknown_losses_and_settings_name_their_neighbour() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'rmse'"):
        measure("rmsee")
    with pytest.raises(InvalidValueError, match="Did you mean 'epochs'"):
        TrainingSettings.from_dict({"epoch": 3})


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"weight_decay": -0.1},
        {"schedule": "linear"},
        {"precision": "float16"},
    ],
)
def test_settings_outside_their_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match=next(iter(values))):
        TrainingSettings(**values)


def test_settings_survive_json() -> None:
    assert TrainingSettings.from_dict(SETTINGS.to_dict()) == SETTINGS


def test_losses_against_numpy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 7, 3)).astype(np.float32)
    expected = {
        "rmse": np.sqrt(np.mean((a - b) ** 2)),
        "mean_squared_error": np.mean((a - b) ** 2),
        "mean_absolute_error": np.mean(np.abs(a - b)),
        "huber": np.mean(
            np.where(np.abs(a - b) < 0.1, 0.5 * (a - b) ** 2, 0.1 * (np.abs(a - b) - 0.05))
        ),
    }
    assert set(expected) == set(MEASURES)
    for name, value in expected.items():
        found = float(MEASURES[name](torch.from_numpy(a), torch.from_numpy(b)))
        assert found == pytest.approx(float(value), rel=1e-5)


def test_the_cosine_falls_from_the_rate_to_a_hundredth_of_it() -> None:
    settings = TrainingSettings(learning_rate=0.1, schedule="cosine", warmup_steps=10)
    rates = [learning_rate(settings, step, 110) for step in range(110)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[10] == pytest.approx(0.1)
    assert rates[60] == pytest.approx(0.1 * (0.01 + 0.99 / 2))
    assert rates[-1] == pytest.approx(0.001, rel=0.05)
    constant = TrainingSettings(learning_rate=0.1)
    assert {learning_rate(constant, step, 110) for step in range(110)} == {0.1}
