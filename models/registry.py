"""Predictors by the name or the weights file that a user gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdiva.errors import DeepDivaError, InvalidValueError
from deepdiva.models.devices import check_device
from deepdiva.models.learner import Learner
from deepdiva.models.predictor import Predictor
from deepdiva.models.weights import DEFAULT_WEIGHTS, WeightsHeader, read_weights
from deepdiva.names import one_line
from deepdiva.note import Note
from deepdiva.renderer import RendererInfo
from deepdiva.space import ParameterSpace
from deepdiva.state_files import KINDS

if TYPE_CHECKING:
    from torch import Tensor


def learner_from(
    model: str,
    space: ParameterSpace,
    note: Note,
    features: dict[str, Any],
    network: dict[str, Any],
) -> Learner:
    """An untrained network of a kind, as its descriptions say.

    Args:
        model: a key of `NETWORKS`.
        space: the parameters that are answered.
        note: what sounds are recordings of.
        features: as `Learner.features_description` gave it.
        network: as `Learner.network_description` gave it.

    Raises:
        InvalidValueError: a kind that does not exist.
    """
    if model not in NETWORKS:
        raise InvalidValueError(f"There is no model {model!r}: choose {', '.join(NETWORKS)}.")
    return NETWORKS[model].learner(model, space, note, features, network)


def load_predictor(
    path: Path | None = None,
    renderer: RendererInfo | None = None,
    *,
    draws: int = 64,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[Predictor, WeightsHeader]:
    """A trained network from its weights file.

    Args:
        path: the file; None takes the trained default that comes with the package.
        renderer: what will render the answers; None does not ask.
        draws: patches per sound, of a network that answers several.
        seed: of the draws.
        device: where the network runs.

    Returns:
        The predictor, and what the file says of itself.

    Raises:
        MissingFileError: no such file.
        InvalidValueError: a file that does not fit its own description, this version, or the
            renderer, or a device that this machine does not have.
    """
    check_device(device)
    path = DEFAULT_WEIGHTS if path is None else path
    header, tensors = read_weights(path)
    if renderer is not None:
        header.check_engine(renderer, path)
    space, note = header.parameter_space(), header.played_note()
    try:
        learner = learner_from(header.model, space, note, header.features, header.network)
    except DeepDivaError as error:
        raise KINDS["weights"].damaged(path, str(error)) from error
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        raise KINDS["weights"].damaged(path, f"{type(error).__name__}: {error}") from error
    _fill(learner, tensors, path)
    return NETWORKS[header.model].predictor(learner, draws, seed, device), header


def _fill(learner: Learner, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        learner.network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InvalidValueError(
            f"The weights in {path} do not fit the network that its header describes "
            f"({one_line(str(error))}): the file is damaged, or another version of deepdiva wrote "
            "it."
        ) from error


def _posterior_learner(
    model: str,  # noqa: ARG001
    space: ParameterSpace,
    note: Note,
    features: dict[str, Any],
    network: dict[str, Any],
) -> Learner:
    from deepdiva.models.estimation import PosteriorLearner

    return PosteriorLearner.from_description(space, note, features, network)


def _posterior(learner: Any, draws: int, seed: int, device: str) -> Predictor:
    from deepdiva.models.estimation import PosteriorPredictor

    return PosteriorPredictor(learner, draws, seed, device)


def _regression_learner(
    model: str,
    space: ParameterSpace,
    note: Note,
    features: dict[str, Any],
    network: dict[str, Any],  # noqa: ARG001
) -> Learner:
    from deepdiva.models.regression import RegressionLearner, features_from

    return RegressionLearner(model, space, note, features_from(features))


def _regression(learner: Any, draws: int, seed: int, device: str) -> Predictor:  # noqa: ARG001
    from deepdiva.models.regression import RegressionPredictor

    return RegressionPredictor(learner, device)


@dataclass(frozen=True)
class Network:
    """A kind of network that `deepdiva train` makes.

    Attributes:
        learner: the untrained network, of the arguments of `learner_from`.
        predictor: of a trained learner, the number of draws, a seed and a device.
    """

    learner: Callable[[str, ParameterSpace, Note, dict[str, Any], dict[str, Any]], Learner]
    predictor: Callable[[Any, int, int, str], Predictor]


NETWORKS: dict[str, Network] = {
    "posterior": Network(_posterior_learner, _posterior),
    "cnn": Network(_regression_learner, _regression),
    "lstm": Network(_regression_learner, _regression),
}
"""Networks by name: one row a kind. The name stands in the header of weights files."""
