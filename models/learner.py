"""What the training loop knows of a network: nothing but this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from deepdiva.models.training_batches import Tensors


class Learner(ABC):
    """A network, its input features, its targets, and its loss.

    Attributes:
        name: `cnn`, `lstm`, `posterior` or `panel`.
        network: what is trained.
    """

    name: str
    network: nn.Module

    @abstractmethod
    def featurize(self, sounds: NDArray[np.float32]) -> Tensors:
        """Sounds -> the network's inputs. May be called from any thread.

        Args:
            sounds: shape (batch, samples).
        """

    @abstractmethod
    def encode(self, x: NDArray[np.float64], rng: np.random.Generator) -> Tensors:
        """Positions in the parameter space -> the network's targets.

        Args:
            x: shape (batch, dimensions), in [0, 1].
            rng: for what is drawn at random on the way.
        """

    @abstractmethod
    def loss(self, inputs: Tensors, targets: Tensors) -> Tensor:
        """What training makes small: a scalar, the mean over the batch."""

    @abstractmethod
    def metrics(self, inputs: Tensors, targets: Tensors) -> dict[str, float]:
        """What is reported beside the loss, means over the batch; the same names each time."""

    @abstractmethod
    def kept(self, state: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        """What a weights file holds of a state of the network.

        Args:
            state: as `network.state_dict()` gave it.
        """

    @abstractmethod
    def features_description(self) -> dict[str, Any]:
        """How sounds become inputs, for the header of the weights; JSON."""

    @abstractmethod
    def network_description(self) -> dict[str, Any]:
        """Sizes of the network, for the header of the weights; JSON."""


def plain(state: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Tensors as arrays of numpy."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
