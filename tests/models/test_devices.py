"""Devices that are not there are refused; where there is no float64, nothing asks for it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from deepdiva.errors import InvalidValueError
from deepdiva.features import Mfcc, MfccSettings, Scaler
from deepdiva.models import devices
from deepdiva.models.estimation import PosteriorLearner, PosteriorPredictor
from deepdiva.models.learner import Learner
from deepdiva.models.posterior import EDGE, probit
from deepdiva.models.predictor import Predictor
from deepdiva.models.registry import load_predictor
from deepdiva.models.regression import (
    MelFeatures,
    MfccFeatures,
    RegressionLearner,
    RegressionPredictor,
)
from deepdiva.models.training import train
from deepdiva.models.training_batches import StoredSource
from deepdiva.models.training_settings import TrainingSettings
from deepdiva.note import Note
from deepdiva.synths.diva import default_space

NOTE = Note(render_seconds=0.4)
SPACE = default_space()
SOUNDS = np.random.default_rng(0).standard_normal((6, NOTE.samples)).astype(np.float32)
X = SPACE.random(np.random.default_rng(1), 6)

_aten = torch.ops.aten


class Pretended(TorchDispatchMode):
    """PyTorch's `meta` device as if it were one that computes, and that has no float64.

    It keeps shapes and types and no numbers: copied to the CPU, or read as a number, everything
    on it is 1.
    """

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        here = args and isinstance(args[0], torch.Tensor) and args[0].device.type == "meta"
        if here and func is _aten._local_scalar_dense.default:
            return torch.ones((), dtype=args[0].dtype).item()
        if here and func is _aten._to_copy.default and kwargs.get("device") == torch.device("cpu"):
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype", args[0].dtype))
        out = func(*args, **kwargs)
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor) and leaf.device.type == "meta":
                assert leaf.dtype != torch.float64, f"{func} makes float64"
        return out


def regression(name: str) -> RegressionLearner:
    if name == "cnn":
        return RegressionLearner("cnn", SPACE, NOTE, MelFeatures())
    mfcc = Mfcc(MfccSettings())
    scaler = Scaler.fit([mfcc(SOUNDS).numpy()], mfcc.settings, NOTE.samples)
    return RegressionLearner("lstm", SPACE, NOTE, MfccFeatures(scaler))


@pytest.mark.parametrize("name", ["posterior", "cnn", "lstm"])
def test_networks_train_and_answer_where_there_is_no_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", ("meta",))
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # meta has none
    learner: Learner
    predictor: Predictor
    if name == "posterior":
        learner = posterior = PosteriorLearner(SPACE, NOTE)
    else:
        learner = regressor = regression(name)
    settings = TrainingSettings(epochs=1, batch_size=3)
    source = StoredSource(SOUNDS, X, learner.featurize, learner.encode, 3, 0)
    with Pretended():
        result = train(learner, source, [source.batch(0)], settings, tmp_path, device="meta")
        assert {p.device.type for p in learner.network.parameters()} == {"meta"}
        if name == "posterior":
            predictor = PosteriorPredictor(posterior, draws=5, device="meta")
        else:
            predictor = RegressionPredictor(regressor, device="meta")
        answers = predictor.predict(SOUNDS, NOTE)
    assert result.epochs == 1
    assert [len(answer) for answer in answers] == [5 if name == "posterior" else 1] * 6


def test_targets_in_float32_are_the_same_to_its_precision() -> None:
    values = torch.linspace(0.0, 1.0, 10001, dtype=torch.float64)
    slope = 1.0 / float(torch.exp(-0.5 * probit(torch.tensor([EDGE])).square()))  # steepest
    torch.testing.assert_close(
        probit(values.float()), probit(values), rtol=0, atol=3.0 * slope * 2.0**-24
    )


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    if (torch.cuda if device.startswith("cuda") else torch.backends.mps).is_available():
        pytest.skip(f"{device} is there")
    with pytest.raises(InvalidValueError, match=rf"{device}: this machine.*has none\. Use cpu"):
        load_predictor(device=device)
