"""Predictors by the name or the weights file that a user gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepdiva.errors import DeepDivaError, InvalidValueError, MissingFeatureError
from deepdiva.models.predictor import Predictor
from deepdiva.models.weights import DEFAULT_WEIGHTS, Arrays, WeightsHeader, read_weights
from deepdiva.names import one_line
from deepdiva.note import Note
from deepdiva.renderer import RendererInfo
from deepdiva.space import ParameterSpace
from deepdiva.state_files import KINDS

if TYPE_CHECKING:
    from deepdiva.models.learner import Learner


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
        MissingFeatureError: PyTorch is not installed.
    """
    _check_model(model)
    check_torch()
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
        device: where the network runs; of a network that is played without PyTorch, `cpu`.

    Returns:
        The predictor, and what the file says of itself.

    Raises:
        MissingFileError: no such file.
        InvalidValueError: a file that does not fit its own description, this version, or the
            renderer, or a device that this machine does not have.
        MissingFeatureError: a network that needs PyTorch, which is not installed.
    """
    path = DEFAULT_WEIGHTS if path is None else path
    if device != "cpu":
        check_torch()
        from deepdiva.models.devices import check_device

        check_device(device)
    header, arrays = read_weights(path)
    if renderer is not None:
        header.check_engine(renderer, path)
    try:
        _check_model(header.model)
        return NETWORKS[header.model].predictor(header, arrays, path, draws, seed, device), header
    except MissingFeatureError:
        raise
    except DeepDivaError as error:
        if isinstance(error, _UnfitWeightsError):
            raise
        raise KINDS["weights"].damaged(path, str(error)) from error
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        raise KINDS["weights"].damaged(path, f"{type(error).__name__}: {error}") from error


class _UnfitWeightsError(InvalidValueError):
    """Arrays that are not those of the network that the header describes."""


def check_torch() -> None:
    """Refuse what needs PyTorch where it is not installed.

    Raises:
        MissingFeatureError: it is not.
    """
    if find_spec("torch") is None:
        raise MissingFeatureError(
            "This needs PyTorch, which is not installed: pip install 'deepdiva[train]'. Predicting "
            "with the networks that come with deepdiva works without it."
        )


def _check_model(model: str) -> None:
    if model not in NETWORKS:
        raise InvalidValueError(f"There is no model {model!r}: choose {', '.join(NETWORKS)}.")


def _filled(header: WeightsHeader, arrays: Arrays, path: Path) -> Any:
    """The learner that a header describes, with its weights."""
    import torch

    space, note = header.parameter_space(), header.played_note()
    learner = learner_from(header.model, space, note, header.features, header.network)
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    try:
        learner.network.load_state_dict(tensors)
    except RuntimeError as error:
        raise _UnfitWeightsError(_unfit(path, str(error))) from error
    return learner


def _posterior_learner(
    model: str,  # noqa: ARG001
    space: ParameterSpace,
    note: Note,
    features: dict[str, Any],
    network: dict[str, Any],
) -> Learner:
    from deepdiva.models.estimation import PosteriorLearner

    return PosteriorLearner.from_description(space, note, features, network)


def _posterior(
    header: WeightsHeader, arrays: Arrays, path: Path, draws: int, seed: int, device: str
) -> Predictor:
    if device != "cpu":
        from deepdiva.models.estimation import PosteriorPredictor

        return PosteriorPredictor(_filled(header, arrays, path), draws, seed, device)
    from deepdiva.models.posterior_player import PosteriorPlayer

    space, note = header.parameter_space(), header.played_note()

    try:
        network = PosteriorPlayer(space, note, header.features, arrays, draws, seed)
    except (LookupError, ValueError) as error:
        raise _UnfitWeightsError(_unfit(path, f"{type(error).__name__}: {error}")) from error
    _try(network, note, path)
    return network


def _regression_learner(
    model: str,
    space: ParameterSpace,
    note: Note,
    features: dict[str, Any],
    network: dict[str, Any],  # noqa: ARG001
) -> Learner:
    from deepdiva.models.regression import RegressionLearner, features_from

    return RegressionLearner(model, space, note, features_from(features))


def _regression(
    header: WeightsHeader,
    arrays: Arrays,
    path: Path,
    draws: int,  # noqa: ARG001
    seed: int,  # noqa: ARG001
    device: str,
) -> Predictor:
    from deepdiva.models.regression import RegressionPredictor

    return RegressionPredictor(_filled(header, arrays, path), device)


def _panel_learner(
    model: str,  # noqa: ARG001
    space: ParameterSpace,  # noqa: ARG001
    note: Note,  # noqa: ARG001
    features: dict[str, Any],  # noqa: ARG001
    network: dict[str, Any],
) -> Learner:
    from deepdiva.models.panel.learner import PanelLearner

    return PanelLearner.from_description(network)


def _panel(
    header: WeightsHeader,
    arrays: Arrays,
    path: Path,
    draws: int,
    seed: int,
    device: str,  # noqa: ARG001
) -> Predictor:
    from deepdiva.models.panel.predictor import PanelPredictor

    note = header.played_note()
    network = PanelPredictor.of_weights(arrays, header.network, note, 1, seed)
    _try(network, note, path)
    return network.drawing(draws)


def _try(network: Predictor, note: Note, path: Path) -> None:
    """Hear a moment of silence: arrays that do not fit each other are noticed.

    Raises:
        _UnfitWeightsError: they do not.
    """
    try:
        network.predict(np.zeros((1, note.samples), np.float32), note)
    except (LookupError, ValueError) as error:
        raise _UnfitWeightsError(_unfit(path, f"{type(error).__name__}: {error}")) from error


def _unfit(path: Path, reason: str) -> str:
    return (
        f"The weights in {path} do not fit the network that its header describes "
        f"({one_line(reason)}): the file is damaged, or another version of deepdiva wrote it."
    )


@dataclass(frozen=True)
class Network:
    """A kind of network that `deepdiva train` makes.

    Attributes:
        learner: the untrained network, of the arguments of `learner_from`.
        predictor: of a weights file's header, arrays and path, the number of draws, a seed and a
            device.
    """

    learner: Callable[[str, ParameterSpace, Note, dict[str, Any], dict[str, Any]], Learner]
    predictor: Callable[[WeightsHeader, Arrays, Path, int, int, str], Predictor]


NETWORKS: dict[str, Network] = {
    "panel": Network(_panel_learner, _panel),
    "posterior": Network(_posterior_learner, _posterior),
    "cnn": Network(_regression_learner, _regression),
    "lstm": Network(_regression_learner, _regression),
}
"""Networks by name: one row a kind. The name stands in the header of weights files."""
