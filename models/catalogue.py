"""Predictors by the name or the weights file that a user gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdiva.errors import InvalidValueError
from deepdiva.models.devices import check_device
from deepdiva.models.learner import Learner
from deepdiva.models.predictor import Predictor
from deepdiva.models.weights import DEFAULT_WEIGHTS, WeightsHeader, read_weights
from deepdiva.note import Note
from deepdiva.renderer import RendererInfo
from deepdiva.space import ParameterSpace

if TYPE_CHECKING:
    from torch import Tensor

TRAINED = ("posterior", "cnn", "lstm")
"""Kinds of network that `deepdiva train` makes."""


def learner_from(
    model: str,
    space: ParameterSpace,
    note: Note,
    features: dict[str, Any],
    network: dict[str, Any],
) -> Learner:
    """An untrained network of a kind, as its descriptions say.

    Args:
        model: one of `TRAINED`.
        space: the parameters that are answered.
        note: what sounds are recordings of.
        features: as `Learner.features_description` gave it.
        network: as `Learner.network_description` gave it.

    Raises:
        InvalidValueError: a kind that does not exist.
    """
    if model == "posterior":
        from deepdiva.models.estimation import PosteriorLearner

        return PosteriorLearner.from_description(space, note, features, network)
    if model in TRAINED:
        from deepdiva.models.regression import RegressionLearner, features_from

        return RegressionLearner(model, space, note, features_from(features))
    raise InvalidValueError(f"There is no model {model!r}: choose {', '.join(TRAINED)}.")


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
    learner = learner_from(
        header.model,
        header.parameter_space(),
        header.played_note(),
        header.features,
        header.network,
    )
    _fill(learner, tensors, path)
    return _PREDICTORS[header.model](learner, draws, seed, device), header


def _fill(learner: Learner, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        learner.network.load_state_dict(tensors)
    except RuntimeError as error:
        raise InvalidValueError(
            f"The weights in {path} do not fit the network that its header describes ({error}): "
            "the file is damaged, or another version of deepdiva wrote it."
        ) from error


def _posterior(learner: Any, draws: int, seed: int, device: str) -> Predictor:
    from deepdiva.models.estimation import PosteriorPredictor

    return PosteriorPredictor(learner, draws, seed, device)


def _regression(learner: Any, draws: int, seed: int, device: str) -> Predictor:  # noqa: ARG001
    from deepdiva.models.regression import RegressionPredictor

    return RegressionPredictor(learner, device)


_PREDICTORS: dict[str, Callable[[Any, int, int, str], Predictor]] = {
    "posterior": _posterior,
    "cnn": _regression,
    "lstm": _regression,
}
