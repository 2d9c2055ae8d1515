"""From the options of `deepdiva train` to the folder of a training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva import __version__
from deepdiva.cli._common import console
from deepdiva.cli._training_online import OnlineChoice
from deepdiva.cli._training_stored import SetChoice, StoredChoice
from deepdiva.errors import (
    FileExistsAlreadyError,
    InvalidValueError,
    MissingFileError,
)
from deepdiva.files import alone_in, atomic_write
from deepdiva.models.settings import TrainingSettings
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice

if TYPE_CHECKING:
    from torch import Tensor

    from deepdiva.cli._training import TrainingData
    from deepdiva.models.training import Progress, TrainingResult
    from deepdiva.models.weights import WeightsHeader

RECORD = "training.json"
FINAL = "final_model.safetensors"
LOCK_NAME = ".training.lock"
"""Empty file in the folder of a training, which locks it. It stays there, for the next one."""


def new_folder(model_path: Path, name: str | None) -> Path:
    """Make the folder of a new training, and keep others out of it until the command ends.

    Args:
        model_path: in which the folder is made.
        name: of the folder; None takes the time, and a number if another training has that.

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
        if folder.exists() and any(path.name not in nothing for path in folder.iterdir()):
            raise FileExistsAlreadyError(
                f"{folder} holds something already: choose another --folder-name, or go on with "
                f"--resume {folder}."
            )
        folder.mkdir(parents=True, exist_ok=True)
    _lock(folder)
    return folder


def _folder_of_now(model_path: Path) -> Path:
    """A new folder called after the time, whatever else begins in the same second."""
    name = f"training_{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
    for number in count(1):
        folder = model_path / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
    return folder


def _lock(folder: Path) -> None:
    """Keep other trainings out of a folder until the command ends, however it ends.

    Raises:
        StorageError: another training is at work in it.
    """
    way_out = "training: wait for it, or choose another --folder-name."
    click.get_current_context().with_resource(alone_in(folder, LOCK_NAME, way_out))


def record(folder: Path, params: dict[str, Any]) -> None:
    """Keep what was said, for `--resume`. Paths are made absolute."""
    plain = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in params.items()
        if name != "resume"
    }
    text = json.dumps({"version": __version__, "options": plain}, indent=1)
    atomic_write(folder / RECORD, text.encode(), force=True)


def recalled(
    folder: Path, changes: dict[str, Any]
) -> tuple[Note, SpaceChoice, RendererChoice, dict[str, Any]]:
    """What was said when the training in a folder was begun; others are kept out of it.

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
    _lock(folder)
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["version"] != __version__:
        raise InvalidValueError(
            f"The training in {folder} was begun with deepdiva {kept['version']}, and this is "
            f"{__version__}: go on with that version, or start anew."
        )
    options = {**kept["options"], **changes}
    for name in ("data_path", "test_path", "model_path", "base", "plugin"):
        options[name] = None if options[name] is None else Path(options[name])

    def taken(kind: Any) -> Any:
        return kind(**{field.name: options.pop(field.name) for field in fields(kind)})

    return taken(Note), taken(SpaceChoice), taken(RendererChoice), options


def run(
    folder: Path,
    note: Note,
    space: SpaceChoice,
    renderer: RendererChoice,
    options: dict[str, Any],
    *,
    resume: bool,
) -> None:
    """Prepare, train, and write what came out.

    Args:
        folder: of the training.
        note: of fresh sounds.
        space: of fresh sounds.
        renderer: of fresh sounds.
        options: all other options of the command, by name.
        resume: go on from the folder's checkpoint, if it was reached.
    """
    import torch

    from deepdiva.models.checkpoint import NAME as CHECKPOINT
    from deepdiva.models.devices import check_device
    from deepdiva.models.training import train
    from deepdiva.workers import worker_count

    settings = TrainingSettings.from_dict(
        {
            field.name: options[field.name]
            for field in fields(TrainingSettings)
            if field.name in options
        }
    )
    check_device(options["device"])
    cores = worker_count()
    torch.set_num_threads(options["threads"] or (1 if options["online"] else cores))
    choice = (
        OnlineChoice(
            note,
            space,
            renderer,
            options["epoch_sounds"],
            options["test_sounds"],
            options["engine_width"],
            tuple(options["vary"]),
            options["recording"],
        )
        if options["online"]
        else _stored(options)
    )
    screen = console()
    with screen.status("Making ready"):
        data = choice.prepare(options["model"], settings)
        _check_data(folder, data.digest(), resume)

    def keep(epoch: int, weights: dict[str, Tensor], metrics: dict[str, float]) -> None:
        from deepdiva.models.weights import write_weights

        header = _header(data, settings, metrics, {"epochs": epoch})
        write_weights(folder / f"cp-{epoch:04d}.safetensors", header, weights, force=True)

    with _shown(settings.epochs) as on_progress:
        result = train(
            data.learner,
            data.source,
            data.test,
            settings,
            folder,
            resume=resume and (folder / CHECKPOINT).exists(),
            device=options["device"],
            workers=options["jobs"] or max(1, cores - 1),
            keep=keep if options["save_weights"] else None,
            on_progress=on_progress,
        )
    _finish(folder, data, settings, result, save=options["save_model"])


def _check_data(folder: Path, digest: str, resume: bool) -> None:
    """Note what a training learns from.

    Raises:
        InvalidValueError: a training that is resumed was begun with other data.
    """
    kept = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    before = kept.get("data")
    if resume and before not in (None, digest):
        raise InvalidValueError(
            f"The training in {folder} was begun with other data: the data set has grown, say, or "
            "the base preset was edited. Bring them back as they were, or start anew."
        )
    text = json.dumps({**kept, "data": digest}, indent=1)
    atomic_write(folder / RECORD, text.encode(), force=True)


def _stored(options: dict[str, Any]) -> StoredChoice:
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


@contextmanager
def _shown(epochs: int) -> Iterator[Callable[[Progress], None]]:
    """Progress on the screen: epoch, losses, speed, time left."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.3f}, test {task.fields[test]:.3f}"),
        TextColumn("{task.fields[rate]:.0f} sounds/s"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console()) as shown:
        task = shown.add_task("", epoch=1, epochs=epochs, loss=0.0, test=0.0, rate=0.0)

        def on_progress(progress: Progress) -> None:
            shown.update(
                task,
                completed=progress.step,
                total=progress.steps,
                epoch=progress.epoch,
                loss=progress.loss,
                test=progress.test_loss,
                rate=progress.sounds_per_second,
            )

        yield on_progress


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


def _finish(
    folder: Path,
    data: TrainingData,
    settings: TrainingSettings,
    result: TrainingResult,
    *,
    save: bool,
) -> None:
    """Write the best weights and say how good they are."""
    from deepdiva.models.weights import write_weights

    if save:
        extent = {"epochs": result.epochs, "sounds": result.sounds}
        header = _header(data, settings, result.metrics, extent)
        write_weights(folder / FINAL, header, result.network, force=True)
    stopped = ", stopped early" if result.stopped_early else ""
    epochs = f"{result.epochs} epoch{'s' * (result.epochs > 1)}"
    click.echo(f"{epochs}, {result.sounds:,} sounds{stopped}.")
    for name, value in result.metrics.items():
        click.echo(f"{name:>32} {value:9.4f}")
    click.echo(str(folder / FINAL) if save else str(folder))
