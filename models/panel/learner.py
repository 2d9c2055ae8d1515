"""How the panel network is trained: maximum likelihood of the classes that act."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepdiva.errors import InvalidValueError
from deepdiva.models.learner import Learner
from deepdiva.models.panel.network import PanelNetwork, PanelSettings
from deepdiva.models.panel.predictor import CHAIN_VARIABLES, PRIOR
from deepdiva.models.panel.views import LAYOUT
from deepdiva.models.training_batches import Tensors
from deepdiva.synths.diva.panel_code import PanelCode


class PanelLearner(Learner):
    """The loss is the negative log probability of a patch's classes, in nats.

    Args:
        code: the variables; the last stage holds the continuous values.
        settings: sizes of the network.
        counts: of each class in the training data, from which the network begins.
        precision: `float32` or `bfloat16`.
    """

    name = "panel"
    network: PanelNetwork

    def __init__(
        self,
        code: PanelCode,
        settings: PanelSettings | None = None,
        counts: NDArray[np.int64] | None = None,
        precision: str = "float32",
    ) -> None:
        self._settings, self._code = settings or PanelSettings(), code
        self.network = PanelNetwork(code, self._settings)
        self._stages = torch.from_numpy(np.asarray(code.stages, dtype=np.int64))
        self._precision = precision
        self._starts = torch.tensor([0, *code.sizes]).cumsum(0)[:-1]
        self._prior = torch.zeros(sum(code.sizes))
        if counts is not None:
            self.network.start_at(torch.from_numpy(counts))
            self._prior = torch.from_numpy(self.network.played()["direct.bias"])

    def featurize(self, sounds: NDArray[np.float32]) -> Tensors:  # noqa: ARG002
        raise InvalidValueError(
            "The panel network hears sounds with the note that they were played with: make views "
            "of them (deepdiva.models.panel.views)."
        )

    def encode(self, x: NDArray[np.float64], rng: np.random.Generator) -> Tensors:  # noqa: ARG002
        raise InvalidValueError(
            "The panel network learns classes of patches: make them with PanelCode.encode."
        )

    def loss(self, inputs: Tensors, targets: Tensors) -> Tensor:
        return self._losses(inputs, targets).sum(1).mean()

    def metrics(self, inputs: Tensors, targets: Tensors) -> dict[str, float]:
        losses = self._losses(inputs, targets).mean(0).double()
        prior = self._prior_losses(targets[0]).mean(0).double()
        last = int(self._stages.max())
        groups = {
            "chain": torch.arange(len(self._stages)) < CHAIN_VARIABLES,
            "values": self._stages == last,
        }
        groups["switches"] = ~(groups["chain"] | groups["values"])
        found = {f"{name}_loss": float(losses[chosen].sum()) for name, chosen in groups.items()}
        for name, chosen in groups.items():
            gain = float((prior - losses)[chosen].sum())
            found[f"{name}_gain_bits"] = gain / float(np.log(2.0))
        return found

    def _losses(self, inputs: Tensors, targets: Tensors) -> Tensor:
        with torch.autocast(
            inputs[0].device.type, torch.bfloat16, enabled=self._precision == "bfloat16"
        ):
            return self.network.losses(inputs[0].float(), targets[0].long())

    def _prior_losses(self, classes: Tensor) -> Tensor:
        """The same of one who knows how often each class is, and hears nothing."""
        present = classes >= 0
        tokens = classes.long().clamp_min(0) + self._starts.to(classes.device)
        return -self._prior.to(classes.device)[tokens] * present

    def features_description(self) -> dict[str, Any]:
        return {"kind": "panel views", **{name: list(shape) for name, shape in LAYOUT.items()}}

    def network_description(self) -> dict[str, Any]:
        return {"panel": self._settings.to_dict(), "code": self._code.to_dict()}

    @classmethod
    def from_description(cls, network: dict[str, Any]) -> PanelLearner:
        """The learner that the description was made by, with fresh weights."""
        code = PanelCode.from_dict(network["code"])
        return cls(code, PanelSettings.from_dict(network["panel"]))

    def kept(self, state: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        kept = self.network.state_dict()
        copied = {name: tensor.clone() for name, tensor in kept.items()}
        self.network.load_state_dict(state)
        found = self.network.played()
        self.network.load_state_dict(copied)
        found["direct.bias"][self._code.never] = -1e4
        arrays = {**found, PRIOR: self._prior.exp().numpy()}
        return {name: array.astype(np.float16) for name, array in arrays.items()}
