"""Trains a network in a folder of its own, in which a training that was killed goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdiva import __version__
from deepdiva.errors import (
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
)
from deepdiva.files import alone_in, atomic_write, is_leftover
from deepdiva.models.training_settings import TrainingSettings
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice
from deepdiva.pipeline.training_online import OnlineChoice
from deepdiva.pipeline.training_panel import PanelChoice
from deepdiva.pipeline.training_stored import SetChoice, StoredChoice
from deepdiva.state_files import KINDS

if TYPE_CHECKING:
    from torch import Tensor

    from deepdiva.models.checkpoint import Checkpoint
    from deepdiva.models.learner import Learner
    from deepdiva.models.training import Progress, TrainingResult
    from deepdiva.models.weights import WeightsHeader
    from deepdiva.pipeline.training_data import TrainingData

PANEL = "panel"
"""The network of the whole panel."""

USUAL_PRIOR = "human"
"""What it learns from, where nobody says what."""

RECORD = "training.json"
FINAL = "final_model.safetensors"
LOCK_NAME = ".training.lock"
"""Empty file in the folder of a training, which locks it. It stays there, for the next one."""


@dataclass(frozen=True)
class TrainRequest:
    """What is to be trained, and on what.

    Attributes:
        note: of fresh sounds.
        space: of fresh sounds.
        renderer: of fresh sounds.
        options: all other options of `deepdiva train`, by name, as `training.json` keeps them.
    """

    note: Note
    space: SpaceChoice
    renderer: RendererChoice
    options: Mapping[str, Any]

    @property
    def settings(self) -> TrainingSettings:
        """Of the training itself.

        Raises:
            InvalidValueError: a value outside its range.
            UnknownNameError: an optimizer or a loss that does not exist.
        """
        return TrainingSettings.from_dict(
            {
                field.name: self.options[field.name]
                for field in fields(TrainingSettings)
                if field.name in self.options
            }
        )

    @property
    def sounds(self) -> OnlineChoice | StoredChoice | PanelChoice:
        """Where the sounds come from."""
        options = self.options
        if not options["online"]:
            return _stored(options)
        if options["model"] == PANEL:
            return PanelChoice(
                options["prior"] or USUAL_PRIOR,
                options["epoch_sounds"],
                options["test_sounds"],
                options["engine_width"],
                options["jobs"],
            )
        return OnlineChoice(
            self.note,
            self.space,
            self.renderer,
            options["epoch_sounds"],
            options["test_sounds"],
            options["engine_width"],
            tuple(options["vary"]),
            options["recording"],
        )


@contextmanager
def begun(model_path: Path, name: str | None, params: Mapping[str, Any]) -> Iterator[Path]:
    """Make the folder of a new training, and keep others out of it until the end.

    Args:
        model_path: in which the folder is made.
        name: of the folder; None takes the time, and a number if another training has that.
        params: what was said, kept in the folder for `resumed`.

    Raises:
        FileExistsAlreadyError: it exists and holds more than the options of a training that came
            to nothing.
        StorageError: another training is at work in it.
    """
    if name is None:
        folder = _folder_of_now(model_path)
    else:
        folder = model_path / name
        nothing = (RECORD, LOCK_NAME)
        if folder.exists() and any(
            path.name not in nothing and not is_leftover(path) for path in folder.iterdir()
        ):
            raise FileExistsAlreadyError(
                f"{folder} holds something already: choose another --folder-name, or go on with "
                f"--resume {folder}."
            )
        folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder, LOCK_NAME, _WAY_OUT):
        _record(folder, params)
        yield folder


@contextmanager
def resumed(folder: Path, changes: Mapping[str, Any]) -> Iterator[TrainRequest]:
    """What was said when the training in a folder was begun; others are kept out until the end.

    Args:
        folder: of the training.
        changes: options that are different this time.

    Raises:
        MissingFileError: no training was begun there.
        InvalidValueError: it was another version.
        StorageError: it is still at work.
    """
    path = folder / RECORD
    if not path.is_file():
        raise MissingFileError(f"{folder} holds no {RECORD}: no training was begun there.")
    with alone_in(folder, LOCK_NAME, _WAY_OUT):
        kept = KINDS["training"].read(path, dict)
        if kept["version"] != __version__:
            raise InvalidValueError(
                f"The training in {folder} was begun with deepdiva {kept['version']}, and this is "
                f"{__version__}: go on with that version, or start anew."
            )
        yield KINDS["training"].read(path, lambda kept: _request({**kept["options"], **changes}))


def _request(options: dict[str, Any]) -> TrainRequest:
    """What the options of a `training.json` say.

    Raises:
        KeyError, TypeError, InvalidValueError: an option is missing or unfit.
    """
    options.setdefault("begin_with", None)
    for name in ("data_path", "test_path", "model_path", "base", "plugin", "begin_with"):
        options[name] = None if options[name] is None else Path(options[name])
    for name, kinds in _KINDS_OF_OPTIONS.items():
        if not isinstance(options[name], kinds):
            raise TypeError(f"options.{name} is {options[name]!r}")

    def taken(kind: Any) -> Any:
        return kind(**{field.name: options.pop(field.name) for field in fields(kind)})

    request = TrainRequest(taken(Note), taken(SpaceChoice), taken(RendererChoice), options)
    _ = request.settings, request.sounds  # which check themselves
    return request


_KINDS_OF_OPTIONS: Mapping[str, Any] = {
    **dict.fromkeys(("online", "save_model", "save_weights", "recording"), bool),
    **dict.fromkeys(("epoch_sounds", "test_sounds"), int),
    **dict.fromkeys(("jobs", "threads"), int | None),
    **dict.fromkeys(("model", "device"), str),
    **dict.fromkeys(("train_features", "train_target", "test_features"), str | None),
    **dict.fromkeys(("test_target", "scaler_file", "free", "name", "prior"), str | None),
    **dict.fromkeys(("vary", "lock", "metrics"), list | tuple),
    "engine_width": int | float,
}

_WAY_OUT = "training: wait for it, or choose another --folder-name."


def _folder_of_now(model_path: Path) -> Path:
    """A new folder called after the time, whatever else begins in the same second."""
    name = f"training_{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
    for number in count(1):
        folder = model_path / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
    return folder


def _record(folder: Path, params: Mapping[str, Any]) -> None:
    """Keep what was said, for `resumed`. Paths are made absolute."""
    plain = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in params.items()
        if name != "resume"
    }
    text = json.dumps({"version": __version__, "options": plain}, indent=1)
    atomic_write(folder / RECORD, text.encode(), force=True)


def _stored(options: Mapping[str, Any]) -> StoredChoice:
    """The data sets that the options name."""
    train, test = options["data_path"], options["test_path"]
    names_test = options["test_features"] or options["test_target"]
    return StoredChoice(
        SetChoice(train, options["train_features"], options["train_target"]),
        SetChoice(test or train, options["test_features"], options["test_target"])
        if test or names_test
        else None,
        options["scaler_file"],
    )


@dataclass(frozen=True, eq=False)
class Begun:
    """An earlier training, whose weights another begins with.

    Attributes:
        folder: of it.
        checkpoint: its best and its last weights.
    """

    folder: Path
    checkpoint: Checkpoint

    @property
    def sounds(self) -> int:
        """Training sounds that it has seen."""
        history = self.checkpoint.history
        return round(history[-1]["sounds"]) if history else 0

    def take(self, learner: Learner) -> None:
        """Give its best weights to a network.

        Raises:
            InvalidValueError: they are those of another network.
        """
        try:
            learner.network.load_state_dict(self.checkpoint.best_network)
        except RuntimeError as error:
            raise InvalidValueError(
                f"The weights in {self.folder} are not those of a {learner.name} network as this "
                "version makes it: begin with another training, or leave out --begin-with."
            ) from error


@dataclass(frozen=True, eq=False)
class Training:
    """A network that is ready to be trained.

    Attributes:
        folder: of the training.
        options: as in `TrainRequest`.
        settings: of the training.
        data: the network, and what it learns from.
        resume: go on from the folder's checkpoint, if it was reached.
        begun: training at whose best weights this one begins; None for fresh ones.
    """

    folder: Path
    options: Mapping[str, Any]
    settings: TrainingSettings
    data: TrainingData
    resume: bool
    begun: Begun | None = None

    @classmethod
    def prepare(cls, folder: Path, request: TrainRequest, *, resume: bool) -> Training:
        """Make the network and open what it learns from.

        Raises:
            DeepDivaError: whatever does not fit.
        """
        import torch

        from deepdiva.models.checkpoint import read_checkpoint
        from deepdiva.models.devices import check_device
        from deepdiva.workers import worker_count

        options, settings = request.options, request.settings
        check_device(options["device"])
        source = options.get("begin_with")
        begun = None if source is None else Begun(source, read_checkpoint(source))
        threads = options["threads"] or (1 if options["online"] else worker_count())
        torch.set_num_threads(threads)
        data = request.sounds.prepare(options["model"], settings, folder)
        if begun is not None:
            begun.take(data.learner)
        _check_data(folder, data.digest(), resume)
        return cls(folder, options, settings, data, resume, begun)

    def run(self, on_progress: Callable[[Progress], None] | None = None) -> TrainingResult:
        """Train, and write the best weights, if they are to be kept."""
        from deepdiva.models.checkpoint import NAME as CHECKPOINT
        from deepdiva.models.training import train
        from deepdiva.models.weights import write_weights
        from deepdiva.workers import worker_count

        options, folder, data, settings = self.options, self.folder, self.data, self.settings

        def keep(epoch: int, weights: dict[str, Tensor], metrics: dict[str, float]) -> None:
            header = _header(data, settings, metrics, {"epochs": epoch, **self._before()})
            kept = data.learner.kept(weights)
            write_weights(folder / f"cp-{epoch:04d}.safetensors", header, kept, force=True)

        jobs = options["jobs"] or max(1, worker_count() - 1)
        with data.beside(jobs):
            result = train(
                data.learner,
                data.source,
                data.test,
                settings,
                folder,
                resume=self.resume and (folder / CHECKPOINT).exists(),
                device=options["device"],
                workers=1 if options["model"] == PANEL else jobs,
                keep=keep if options["save_weights"] else None,
                on_progress=on_progress,
            )
        if options["save_model"]:
            extent = {"epochs": result.epochs, "sounds": result.sounds, **self._before()}
            header = _header(data, settings, result.metrics, extent)
            kept = data.learner.kept(result.network)
            write_weights(folder / FINAL, header, kept, force=True)
        return result

    def _before(self) -> dict[str, int]:
        """What the weights had learned from before this training."""
        return {} if self.begun is None else {"sounds_before": self.begun.sounds}

    @property
    def written(self) -> Path:
        """The best weights, or the folder where these are not kept."""
        return self.folder / FINAL if self.options["save_model"] else self.folder


def _check_data(folder: Path, digest: str, resume: bool) -> None:
    """Note what a training learns from.

    Raises:
        InvalidValueError: a training that is resumed was begun with other data.
    """
    kept = KINDS["training"].read(folder / RECORD, dict)
    before = kept.get("data")
    if resume and before not in (None, digest):
        raise InvalidValueError(
            f"The training in {folder} was begun with other data: the data set has grown, say, or "
            "the base preset was edited. Bring them back as they were, or start anew."
        )
    text = json.dumps({**kept, "data": digest}, indent=1)
    atomic_write(folder / RECORD, text.encode(), force=True)


def _header(
    data: TrainingData,
    settings: TrainingSettings,
    metrics: dict[str, float],
    extent: dict[str, int],
) -> WeightsHeader:
    """What the weights file says of itself."""
    from deepdiva.models.weights import WeightsHeader, git_commit

    return WeightsHeader(
        model=data.learner.name,
        space=data.space.to_dict(),
        note=data.note.to_dict(),
        features=data.learner.features_description(),
        network=data.learner.network_description(),
        engine=data.engine,
        training={"settings": settings.to_dict(), "data": data.source.describe(), **extent},
        metrics=metrics,
        version=__version__,
        git_commit=git_commit(),
    )
