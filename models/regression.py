"""The 2021 project's networks: one patch per sound, by regression of the normalised values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepdiva.errors import InvalidValueError
from deepdiva.features import MelSettings, MelSpectrogram, Mfcc, MfccSettings, Scaler
from deepdiva.models.cnn import ConvolutionalNetwork
from deepdiva.models.learner import Learner, plain
from deepdiva.models.losses import measure
from deepdiva.models.lstm import RecurrentNetwork
from deepdiva.models.predictor import Candidates, Predictor, check_sounds
from deepdiva.models.training_batches import Tensors
from deepdiva.note import Note
from deepdiva.space import ParameterSpace


class Features(ABC):
    """How a regression network hears."""

    @abstractmethod
    def __call__(self, sounds: NDArray[np.float32]) -> Tensor:
        """Sounds, shape (batch, samples) -> features, batch first."""

    @abstractmethod
    def network(self, samples: int, outputs: int) -> nn.Module:
        """The untrained network that belongs to these features.

        Args:
            samples: length of the sounds.
            outputs: numbers that it answers.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; `features_from` is the way back."""


class MelFeatures(Features):
    """Mel spectrograms for the `cnn`."""

    def __init__(self, settings: MelSettings | None = None) -> None:
        self._mel = MelSpectrogram(settings)

    def __call__(self, sounds: NDArray[np.float32]) -> Tensor:
        return self._mel(sounds)

    def network(self, samples: int, outputs: int) -> nn.Module:
        return ConvolutionalNetwork(self._mel.settings.shape(samples), outputs)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "melspectrogram", **self._mel.settings.to_dict()}


class MfccFeatures(Features):
    """Scaled MFCCs for the `lstm`.

    Args:
        scaler: as it was fitted on the training set, with its MFCC settings.

    Raises:
        InvalidValueError: MFCCs that are not time-major.
    """

    def __init__(self, scaler: Scaler) -> None:
        if not scaler.settings.time_major:
            raise InvalidValueError(
                "The lstm reads MFCCs frame by frame: make them with `deepdiva features "
                "--time-major`."
            )
        self._scaler = scaler
        self._mfcc = Mfcc(scaler.settings)

    def __call__(self, sounds: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(self._scaler.scale(self._mfcc(sounds).numpy()))

    def network(self, samples: int, outputs: int) -> nn.Module:
        self._scaler.check(self._scaler.settings, samples)
        shape = self._scaler.settings.shape(samples)
        return RecurrentNetwork((shape[0], shape[1]), outputs)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "mfcc",
            "mfcc": self._scaler.settings.to_dict(),
            "samples": self._scaler.samples,
            "axes": list(self._scaler.axes),
            "minimum": self._scaler.minimum.tolist(),
            "span": self._scaler.span.tolist(),
        }


def features_from(description: dict[str, Any]) -> Features:
    """The features that described themselves so."""
    values = {name: value for name, value in description.items() if name != "kind"}
    if description["kind"] == "melspectrogram":
        return MelFeatures(MelSettings(**values))
    return MfccFeatures(
        Scaler(
            np.asarray(values["minimum"], np.float32),
            np.asarray(values["span"], np.float32),
            tuple(values["axes"]),
            MfccSettings.from_dict(values["mfcc"]),
            values["samples"],
        )
    )


class RegressionLearner(Learner):
    """A network that answers every free parameter's normalised value, classes included.

    Args:
        name: `cnn` or `lstm`.
        space: the parameters that are answered.
        note: what the sounds are recordings of.
        features: how they are heard; decides the network.
        loss: name in `losses`.
        metrics: names in `losses`.
        precision: `float32` or `bfloat16`, of the network's arithmetic in training.
    """

    def __init__(
        self,
        name: str,
        space: ParameterSpace,
        note: Note,
        features: Features,
        loss: str = "rmse",
        metrics: tuple[str, ...] = ("mean_absolute_error",),
        precision: str = "float32",
    ) -> None:
        self.name, self.space, self.note = name, space, note
        self.features = features
        self.network = features.network(note.samples, space.dimensions)
        self._loss = measure(loss)[1]
        self._metrics = dict(measure(metric) for metric in metrics)
        self._precision = precision

    def featurize(self, sounds: NDArray[np.float32]) -> Tensors:
        return (self.features(sounds),)

    def encode(self, x: NDArray[np.float64], rng: np.random.Generator) -> Tensors:  # noqa: ARG002
        return (torch.from_numpy(x.astype(np.float32)),)

    def loss(self, inputs: Tensors, targets: Tensors) -> Tensor:
        return self._loss(self._answer(inputs[0]), targets[0])

    def metrics(self, inputs: Tensors, targets: Tensors) -> dict[str, float]:
        answer = self._answer(inputs[0])
        return {name: float(metric(answer, targets[0])) for name, metric in self._metrics.items()}

    def _answer(self, heard: Tensor) -> Tensor:
        with torch.autocast(
            heard.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"
        ):
            answer: Tensor = self.network(heard)
        return answer.float()

    def kept(self, state: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        return plain(state)

    def features_description(self) -> dict[str, Any]:
        return self.features.to_dict()

    def network_description(self) -> dict[str, Any]:
        return {}


class RegressionPredictor(Predictor):
    """Answers each sound with one patch.

    Args:
        learner: network and features.
        device: where the network runs.
    """

    def __init__(self, learner: RegressionLearner, device: str = "cpu") -> None:
        self.name, self.space, self.note = learner.name, learner.space, learner.note
        self._learner, self._device = learner, device
        self._network = learner.network.to(device).eval()

    @torch.no_grad()
    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        answers = []
        for start in range(0, len(sounds), 64):
            (heard,) = self._learner.featurize(np.ascontiguousarray(sounds[start : start + 64]))
            points = self._network(heard.to(self._device)).cpu().double().numpy()
            answers += [point_candidate(point, self.space) for point in points]
        return answers


def point_candidate(x: NDArray[np.float64], space: ParameterSpace) -> Candidates:
    """One position as `Candidates`: inside the cube, classes at their nearest position."""
    point = np.clip(x, 0.0, 1.0)
    probabilities = {}
    for dimension in space.classes:
        nearest = int(np.abs(dimension.positions - point[dimension.position]).argmin())
        point[dimension.position] = dimension.positions[nearest]
        certain = np.zeros(len(dimension.positions))
        certain[nearest] = 1.0
        probabilities[dimension.parameter.name] = certain
    return Candidates(point[None], np.full(1, np.nan), probabilities)
