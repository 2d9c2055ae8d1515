"""What both kinds of training data have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.models.learner import Learner
    from deepdiva.models.regression import Features
    from deepdiva.models.training_batches import Batch, Source
    from deepdiva.models.training_settings import TrainingSettings
    from deepdiva.note import Note
    from deepdiva.space import ParameterSpace


def _nothing(jobs: int) -> AbstractContextManager[object]:  # noqa: ARG001
    return nullcontext()


@dataclass(frozen=True)
class TrainingData:
    """A network that is ready to be trained, and the batches to do it with.

    Attributes:
        learner: the network.
        source: training batches.
        test: batches that judge it.
        space: the parameters that it answers.
        note: what its sounds are recordings of.
        engine: name and version of the renderer that made them.
        beside: what runs beside the training, of a number of processes.
    """

    learner: Learner
    source: Source
    test: list[Batch]
    space: ParameterSpace
    note: Note
    engine: dict[str, str]
    beside: Callable[[int], AbstractContextManager[object]] = _nothing

    def digest(self) -> str:
        """What a training learns from, as 16 hexadecimal digits.

        Sounds are not in it, which other processors render with other roundings: the parameters and
        their base, the note, the renderer, where the batches come from, and the test patches.
        """
        about = [self.space.to_dict(), self.note.to_dict(), self.engine, self.source.describe()]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for batch in self.test:
            for targets in batch.targets:
                digest.update(targets.numpy().tobytes())
        return digest.hexdigest()[:16]


def make_learner(
    model: str,
    space: ParameterSpace,
    note: Note,
    settings: TrainingSettings,
    features: Callable[[], Features],
) -> Learner:
    """A network with weights that the seed decides.

    Args:
        model: `posterior`, `cnn` or `lstm`.
        space: the parameters that it answers.
        note: what its sounds are recordings of.
        settings: of the training.
        features: makes what a regression network hears; not called for the posterior.
    """
    import torch

    if model == "posterior":
        from deepdiva.models.estimation import PosteriorLearner

        torch.manual_seed(settings.seed)
        return PosteriorLearner(space, note, precision=settings.precision)
    from deepdiva.models.regression import RegressionLearner

    heard = features()
    torch.manual_seed(settings.seed)
    return RegressionLearner(
        model, space, note, heard, settings.loss, settings.metrics, settings.precision
    )


def usual_features(
    model: str, note: Note, sounds: Callable[[], Iterable[NDArray[np.float32]]]
) -> Features:
    """The 2021 project's features for a network; `lstm` gets a scaler fitted on sounds.

    Args:
        model: `cnn` or `lstm`.
        note: what the sounds are recordings of.
        sounds: gives batches of training sounds.
    """
    from deepdiva.features import MelSettings, Mfcc, MfccSettings, Scaler, usual_fmax
    from deepdiva.models.regression import MelFeatures, MfccFeatures

    mel = MelSettings(sample_rate=note.sample_rate, fmax=usual_fmax(note.sample_rate))
    if model == "cnn":
        return MelFeatures(mel)
    settings = MfccSettings(
        MelSettings(sample_rate=mel.sample_rate, hop_length=1024, fmax=mel.fmax)
    )
    mfcc = Mfcc(settings)
    batches = (mfcc(batch).numpy() for batch in sounds())
    return MfccFeatures(Scaler.fit(batches, settings, note.samples))
