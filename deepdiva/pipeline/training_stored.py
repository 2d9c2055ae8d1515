"""Data sets on disk to train a network on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.pipeline.training_data import TrainingData, make_learner, usual_features
from deepdiva.state_files import KINDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.data.corpora.dataset import Dataset
    from deepdiva.models.regression import Features
    from deepdiva.models.training_batches import Rows, Source
    from deepdiva.models.training_settings import TrainingSettings

_KIND = {"cnn": "melspectrogram", "lstm": "mfcc"}
_TARGETS_AT_ONCE = 65536
_HELD_BACK = 0.1


@dataclass(frozen=True)
class SetChoice:
    """One of the two sets, as the user named it.

    Attributes:
        folder: of the data set.
        features: feature file in it; None hears the sounds.
        target: file of normalised patches in it; None takes the data set's own.
    """

    folder: Path
    features: str | None
    target: str | None


@dataclass(frozen=True)
class OpenSet:
    """One of the two sets, memory-mapped.

    Attributes:
        rows: features, or sounds if `features` is None.
        x: normalised patches.
        features: how the rows were made of sounds.
    """

    rows: Rows
    x: Rows
    features: Features | None


@dataclass(frozen=True)
class StoredChoice:
    """What the user said about data sets.

    Attributes:
        train: training set.
        test: test set; None holds a tenth of the training set back.
        scaler_file: scaler that goes with feature files of MFCCs; None takes the usual name.
    """

    train: SetChoice
    test: SetChoice | None
    scaler_file: str | None

    def prepare(self, model: str, settings: TrainingSettings, folder: Path) -> TrainingData:  # noqa: ARG002
        """Open the data sets and make the network.

        Raises:
            MissingFileError: no data set, or a file that is not there.
            InvalidValueError: sets of different parameters, notes or features, or features that do
                not go with the network.
        """
        import numpy as np
        import torch

        from deepdiva.data.corpora.dataset import Dataset
        from deepdiva.models.training_batches import StoredSource

        dataset = Dataset.open(self.train.folder)
        space, note = dataset.space(), dataset.note
        train = self._open(self.train, dataset, model)
        learner = make_learner(
            model,
            space,
            note,
            settings,
            lambda: train.features or _fitted(model, dataset),
        )
        last = len(train.x) - max(1, round(_HELD_BACK * len(train.x)))
        if self.test is None and not last:
            raise InvalidValueError(
                f"{self.train.folder} holds {len(train.x)} sound, which is held back to test the "
                "network: make more with deepdiva dataset, or name others with --test-path."
            )
        parts: tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]
        if self.test is None:
            test = train
            parts = np.arange(last), np.arange(last, len(train.x))
        else:
            test = self._open_test(dataset, train, model)
            parts = None, None

        def source(of: OpenSet, subset: NDArray[np.int64] | None, shuffle: bool) -> Source:
            stored = of.features is not None
            return StoredSource(
                of.rows,
                of.x,
                (lambda rows: (torch.from_numpy(rows),)) if stored else learner.featurize,
                learner.encode,
                settings.batch_size,
                settings.seed,
                shuffle,
                subset,
                origin=self.train.folder.resolve().name,
            )

        judged = source(test, parts[1], shuffle=False)
        about = dataset.description.renderer
        return TrainingData(
            learner,
            source(train, parts[0], shuffle=True),
            [judged.batch(step) for step in range(judged.steps_per_epoch)],
            space,
            note,
            {key: value for key, value in about.items() if key != "repeatable"},
        )

    def _open_test(self, dataset: Dataset, train: OpenSet, model: str) -> OpenSet:
        """The test set, if it goes with the training set."""
        from deepdiva.data.corpora.dataset import Dataset

        assert self.test is not None
        other = Dataset.open(self.test.folder)
        if other.free != dataset.free or other.note != dataset.note:
            raise InvalidValueError(
                f"{self.test.folder} holds {other.note} with {', '.join(other.free)} free, and "
                f"{self.train.folder} {dataset.note} with {', '.join(dataset.free)}: train and "
                "test on sets of the same."
            )
        test = self._open(self.test, other, model)
        described = [of.features.to_dict() if of.features else None for of in (train, test)]
        if described[0] != described[1]:
            raise InvalidValueError(
                "The training features and the test features were cut differently: compute both "
                "with the same options."
            )
        return test

    def _open(self, choice: SetChoice, dataset: Dataset, model: str) -> OpenSet:
        x: Rows = dataset.patches
        if choice.target is not None:
            x = _target(choice.folder / choice.target, len(dataset.free))
        if choice.features is not None:
            rows = _array(choice.folder / choice.features)
            features = self._described(choice.folder / choice.features, model)
            return OpenSet(rows, x, features)
        if "audio" in dataset.kinds:
            return OpenSet(dataset.rows("audio"), x, None)
        return _kept_instead(dataset, x, model)

    def _described(self, path: Path, model: str) -> Features:
        """How the features of a file were made, as the description beside it says.

        Raises:
            MissingFileError: no description, or no scaler.
            InvalidValueError: features that the network does not hear, or that the scaler of the
                training set has not scaled.
        """
        from deepdiva.features import MelSettings, MfccSettings, Scaler
        from deepdiva.models.regression import MelFeatures, MfccFeatures

        beside = path.with_suffix(".json")
        if not beside.is_file():
            raise MissingFileError(
                f"{beside} does not exist, and without it nobody knows how {path.name} was cut: "
                "compute the features with deepdiva features."
            )
        about = KINDS["features"].read(beside, dict)
        if about.get("feature") != _KIND.get(model):
            raise InvalidValueError(
                f"{path} holds {about.get('feature')!r}, and the {model} hears "
                f"{_KIND.get(model, 'sounds, not features')}."
            )
        if model == "cnn":
            return MelFeatures(MelSettings(**_fields(MelSettings, about)))
        stem = Path(self.train.features or path).stem
        usual = f"{stem.removesuffix('mfcc')}mfcc_scaling.json"
        scaler_path = self.train.folder / (self.scaler_file or usual)
        scaler = Scaler.read(scaler_path)
        try:
            scaler.check(MfccSettings.from_dict(_fields(MfccSettings, about)), scaler.samples)
        except InvalidValueError as error:
            raise InvalidValueError(f"{path} does not go with {scaler_path}. {error}") from error
        its_own = {"scaler_digest": scaler.digest, "scale_axes": list(scaler.axes)}
        # Files of earlier versions do not say all of it.
        if any(about.get(name, value) != value for name, value in its_own.items()):
            raise InvalidValueError(
                f"{path} was scaled by another scaler than {scaler_path}: MFCCs to train and test "
                "with need one scaler. Name it with --scaler-file, or compute this file anew with "
                "deepdiva features --feature mfcc --saved-scaler --scaler-file "
                f"{scaler_path.resolve()} --force."
            )
        return MfccFeatures(scaler)


def _kept_instead(dataset: Dataset, x: Rows, model: str) -> OpenSet:
    """Features of a data set that keeps no sounds."""
    from deepdiva.features import MelSettings
    from deepdiva.models.regression import MelFeatures

    if model != "cnn":
        raise MissingFileError(
            f"{dataset.folder} keeps no audio, which the {model} learns from: make a data set with "
            "--store float32, or train on fresh sounds with --online."
        )
    settings = MelSettings(**dataset.description.settings["features"]["mel"])
    return OpenSet(dataset.rows("melspectrogram"), x, MelFeatures(settings))


def _fitted(model: str, dataset: Dataset) -> Features:
    """Features that are computed from the sounds of the training set."""
    import numpy as np

    audio = dataset.rows("audio")
    return usual_features(
        model, dataset.note, lambda: (np.array(chunk, np.float32) for chunk in audio.chunks())
    )


def _fields(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The part of a description that are fields of a dataclass."""
    return {name: values[name] for name in kind.__dataclass_fields__}


def _target(path: Path, dimensions: int) -> NDArray[np.float32]:
    """A file of patches as positions.

    Raises:
        InvalidValueError: another shape, or numbers outside [0, 1].
    """
    x = _array(path)
    if x.ndim != 2 or x.shape[1] != dimensions:
        raise InvalidValueError(
            f"{path} has shape {x.shape}: it must be (sounds, {dimensions}), a column for each "
            "free parameter of the data set."
        )
    for start in range(0, len(x), _TARGETS_AT_ONCE):
        few = x[start : start + _TARGETS_AT_ONCE]
        if not ((few >= 0.0) & (few <= 1.0)).all():
            raise InvalidValueError(
                f"{path} holds numbers outside 0 to 1: targets are normalised positions, such as "
                "those in the data set's own _patches.npy."
            )
    return x


def _array(path: Path) -> NDArray[np.float32]:
    """A `.npy` file, memory-mapped."""
    import numpy as np

    if not path.is_file():
        raise MissingFileError(f"{path} does not exist.")
    try:
        array: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvalidValueError(f"{path} is no .npy file of numbers: {error}.") from error
    return array
