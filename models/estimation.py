"""The default network: how its posterior is trained, and how it answers sounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepdiva.models.encoder import EncoderSettings
from deepdiva.models.learner import Learner, plain
from deepdiva.models.posterior import FlowSettings, Noise, PosteriorNetwork
from deepdiva.models.predictor import Candidates, Predictor, check_sounds
from deepdiva.models.representation import Representation, Views
from deepdiva.models.representation_settings import RepresentationSettings
from deepdiva.models.targets import TargetCode
from deepdiva.models.training_batches import Tensors
from deepdiva.note import Note
from deepdiva.space import ParameterSpace

_SOUNDS_AT_ONCE = 16
"""Sounds that are transformed together: few enough to stay in the processor's caches."""


class PosteriorLearner(Learner):
    """Maximum likelihood: the loss is the negative log density of the true patch, in nats.

    Args:
        space: the parameters that are answered.
        note: what the sounds are recordings of.
        representation: how sounds are heard.
        encoder: sizes of the encoder.
        flow: sizes of heads and flow.
        precision: `float32` or `bfloat16`, of the encoder's arithmetic in training.
    """

    name = "posterior"
    network: PosteriorNetwork

    def __init__(
        self,
        space: ParameterSpace,
        note: Note,
        representation: RepresentationSettings | None = None,
        encoder: EncoderSettings | None = None,
        flow: FlowSettings | None = None,
        precision: str = "float32",
    ) -> None:
        self.space, self.note = space, note
        self.code = TargetCode(space)
        self._representation = representation or RepresentationSettings()
        self._encoder = encoder or EncoderSettings()
        self._flow = flow or FlowSettings()
        self._precision = precision
        self.representation = Representation(note, self._representation)
        self.network = PosteriorNetwork(
            self.representation,
            self.code.class_counts,
            len(self.code.continuous_names),
            self._encoder,
            self._flow,
        )

    @torch.no_grad()
    def featurize(self, sounds: NDArray[np.float32]) -> Tensors:
        parts = [
            self.representation(torch.from_numpy(sounds[start : start + _SOUNDS_AT_ONCE]))
            for start in range(0, len(sounds), _SOUNDS_AT_ONCE)
        ]
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    def encode(self, x: NDArray[np.float64], rng: np.random.Generator) -> Tensors:
        numbers, values = self.code.split(x, rng)
        return torch.from_numpy(numbers), torch.from_numpy(values)

    def loss(self, inputs: Tensors, targets: Tensors) -> Tensor:
        classes, values = self._log_density(inputs, targets)
        return -(classes + values).mean()

    def metrics(self, inputs: Tensors, targets: Tensors) -> dict[str, float]:
        classes, values = self._log_density(inputs, targets)
        found = {"class_loss": -float(classes.mean()), "value_loss": -float(values.mean())}
        likeliest = self.network.likeliest_classes(self.network.encoder(Views(*inputs)))
        right = (likeliest == targets[0]).cpu().double().mean(dim=0)
        found.update(
            (f"accuracy_{name}", float(share))
            for name, share in zip(self.code.class_names, right, strict=True)
        )
        return found

    def _log_density(self, inputs: Tensors, targets: Tensors) -> tuple[Tensor, Tensor]:
        views, (numbers, values) = Views(*inputs), targets
        with torch.autocast(
            views.lines.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"
        ):
            encoding = self.network.encoder(views)
        return self.network.log_density(encoding.float(), numbers, values)

    def kept(self, state: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        return plain(state)

    def features_description(self) -> dict[str, Any]:
        return {"kind": "views", **self._representation.to_dict()}

    def network_description(self) -> dict[str, Any]:
        return {"encoder": self._encoder.to_dict(), "flow": self._flow.to_dict()}

    @classmethod
    def from_description(
        cls, space: ParameterSpace, note: Note, features: dict[str, Any], network: dict[str, Any]
    ) -> PosteriorLearner:
        """The learner that the two descriptions were made by, with fresh weights."""
        views = {name: value for name, value in features.items() if name != "kind"}
        return cls(
            space,
            note,
            RepresentationSettings(**views),
            EncoderSettings.from_dict(network["encoder"]),
            FlowSettings(**network["flow"]),
        )


class PosteriorPredictor(Predictor):
    """Draws patches for each sound from the network's posterior.

    Args:
        learner: network and everything around it.
        draws: patches per sound, the densest first.
        seed: of the draws; the same seed gives the same answers.
        device: where the network runs.
    """

    name = "posterior"

    def __init__(
        self, learner: PosteriorLearner, draws: int = 64, seed: int = 0, device: str = "cpu"
    ) -> None:
        self.space, self.note = learner.space, learner.note
        self.draws, self.seed = draws, seed
        self._learner, self._device = learner, device
        self._network = learner.network.to(device).eval()

    @torch.no_grad()
    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        answers: list[Candidates] = []
        for start in range(0, len(sounds), _SOUNDS_AT_ONCE):
            answers += self._predict_few(sounds[start : start + _SOUNDS_AT_ONCE])
        return answers

    def _predict_few(self, sounds: NDArray[np.float32]) -> list[Candidates]:
        code = self._learner.code
        heard = self._learner.featurize(np.ascontiguousarray(sounds))
        views = Views(*(view.to(self._device) for view in heard))
        encoding = self._network.encoder(views)
        noise = Noise.draw(
            len(sounds),
            self.draws,
            len(code.class_counts),
            len(code.continuous_names),
            self.seed,
        )
        numbers, values, density = self._network.sample(encoding, noise)
        marginals = self._network.class_probabilities(encoding, numbers)
        numbers, values, density = numbers.cpu(), values.cpu(), density.cpu()
        answers = []
        for row in range(len(sounds)):
            order = torch.argsort(density[row], descending=True, stable=True)
            answers.append(
                Candidates(
                    code.join(
                        numbers[row, order].numpy(),
                        values[row, order].double().numpy(),
                    ),
                    density[row, order].double().numpy(),
                    {
                        name: marginal[row].cpu().double().numpy()
                        for name, marginal in zip(code.class_names, marginals, strict=True)
                    },
                )
            )
        return answers
