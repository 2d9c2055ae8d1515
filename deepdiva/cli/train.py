"""`deepdiva train`: a network that predicts patches."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

from deepdiva.cli._common import (
    jobs_option,
    json_option,
    note_options,
    renderer_options,
    seed_option,
    space_options,
    typed,
)
from deepdiva.cli._training_run import run
from deepdiva.errors import InvalidValueError
from deepdiva.models.training_settings import SCHEDULES, TrainingSettings
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice
from deepdiva.pipeline.train import FINAL, PANEL, USUAL_PRIOR, TrainRequest, begun, resumed
from deepdiva.pipeline.training_online import USUAL_VARIETY

_DEFAULT = {
    field.name: field.default for field in fields(TrainingSettings) if field.default is not MISSING
}
MAY_CHANGE = ("device", "jobs")
"""Options that may differ when a training goes on; the weights do not depend on the jobs."""

_STORED_ONLY = (
    "data_path",
    "test_path",
    "train_features",
    "test_features",
    "train_target",
    "test_target",
    "scaler_file",
)
_PANEL_ONLY = ("prior",)
_NOT_OF_THE_PANEL = (
    *("pitch", "velocity", "length_seconds", "render_seconds", "sample_rate"),
    *("base", "free", "lock", "name", "plugin", "vary", "recording"),
)
_ONLINE_ONLY = (
    *("pitch", "velocity", "length_seconds", "render_seconds", "sample_rate"),
    *("base", "free", "lock", "name", "plugin"),
    *("diva_accuracy", "diva_offline", "diva_multicore"),
    *("epoch_sounds", "test_sounds", "engine_width", "vary", "recording"),
)


@click.command("train")
@click.option(
    "--model",
    type=click.Choice(["posterior", "panel", "cnn", "lstm"], case_sensitive=False),
    default="posterior",
    show_default=True,
    help="Network to train; panel answers all that shapes a sound, of any key and length.",
)
@click.option(
    "--online", is_flag=True, help="Learn from fresh sounds, rendered beside the training."
)
@click.option(
    "--prior",
    metavar="NAME|FOLDER",
    help=f"Panel: how its patches are drawn: human, uniform, or a folder of presets.  [default: "
    f"{USUAL_PRIOR}]",
)
@click.option(
    "--data-path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("./data/dataset"),
    show_default=True,
    help="Data set to learn from, as deepdiva dataset makes it.",
)
@click.option(
    "--test-path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data set to test on.  [default: a tenth of the other, held back]",
)
@click.option("--train-features", metavar="FILE", help="Feature file of the data set (.npy).")
@click.option("--test-features", metavar="FILE", help="Feature file of the test set (.npy).")
@click.option(
    "--train-target", metavar="FILE", help="Normalised patches, if in a file of their own."
)
@click.option("--test-target", metavar="FILE", help="The same for the test set.")
@click.option(
    "--scaler-file",
    metavar="FILE",
    help="Scaler of MFCC files.  [default: PREFIXmfcc_scaling.json]",
)
@click.option(
    "--epoch-sounds",
    type=click.IntRange(min=1),
    default=16384,
    show_default=True,
    help="Online: sounds that make an epoch.",
)
@click.option(
    "--test-sounds",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    help="Online: sounds that judge each epoch.",
)
@click.option(
    "--engine-width",
    type=click.FloatRange(0.0, 1.0),
    default=0.5,
    show_default=True,
    help="Online: how far the engine's uncertain constants vary; 1 is all that is known of them.",
)
@click.option(
    "--vary",
    multiple=True,
    metavar="NAME=VALUE,VALUE",
    help="Online: let a fixed parameter differ from sound to sound; may be given again. 'none' "
    f"keeps all.  [default: {' '.join(USUAL_VARIETY)}, unless the base preset, --free or --lock "
    "say otherwise]",
)
@click.option(
    "--recording/--no-recording",
    default=True,
    show_default=True,
    help="Online: disturb sounds as recordings are, by level, noise, start, bandwidth and glide.",
)
@note_options
@space_options
@renderer_options
@click.option(
    "--model-path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("./models/"),
    show_default=True,
    help="Folder in which the training gets a folder.",
)
@click.option("--folder-name", help="Name of that folder.  [default: training_DATE_TIME]")
@click.option(
    "--batch-size",
    "--batch_size",
    type=int,
    default=_DEFAULT["batch_size"],
    show_default=True,
    help="Sounds per step.",
)
@click.option("--epochs", type=int, default=_DEFAULT["epochs"], show_default=True, help="Passes.")
@click.option(
    "--save-model/--no-save-model", default=True, show_default=True, help=f"Write {FINAL}."
)
@click.option(
    "--save-weights/--no-save-weights",
    default=True,
    show_default=True,
    help="Also keep the weights of every n-th epoch.",
)
@click.option(
    "--save-freq",
    "--save_freq",
    "save_every",
    type=int,
    default=_DEFAULT["save_every"],
    show_default=True,
    help="That n.",
)
@click.option(
    "--optimizer",
    default=_DEFAULT["optimizer"],
    show_default=True,
    help="A class of torch.optim.",
)
@click.option(
    "--learning-rate",
    type=float,
    default=_DEFAULT["learning_rate"],
    show_default=True,
    help="Highest step size.",
)
@click.option(
    "--weight-decay",
    type=float,
    default=_DEFAULT["weight_decay"],
    show_default=True,
    help="Of the optimizer.",
)
@click.option(
    "--schedule",
    type=click.Choice(SCHEDULES),
    default=_DEFAULT["schedule"],
    show_default=True,
    help="Of the learning rate.",
)
@click.option(
    "--warmup-steps",
    type=int,
    default=_DEFAULT["warmup_steps"],
    show_default=True,
    help="Steps in which the learning rate rises.",
)
@click.option(
    "--loss",
    default=_DEFAULT["loss"],
    show_default=True,
    help="Of cnn and lstm; the posterior has its own.",
)
@click.option(
    "--metrics",
    multiple=True,
    default=_DEFAULT["metrics"],
    show_default=True,
    help="Of cnn and lstm, for the test sounds; may be given again.",
)
@click.option(
    "--patience",
    type=int,
    default=_DEFAULT["patience"],
    show_default=True,
    help="Epochs without a better test loss after which it stops; 0 never.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default=_DEFAULT["precision"],
    show_default=True,
    help="Of all but the flow's arithmetic; bfloat16 is faster where the processor knows it.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "mps"]),
    default="cpu",
    show_default=True,
    help="Where the network is trained.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads of one arithmetic operation.  [default: 1 online, else one for each core]",
)
@jobs_option
@seed_option
@click.option(
    "--begin-with",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Begin at the best weights of the training in a folder, of a network of the same kind.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Go on with the training in a folder; beside it only --device and --jobs may be said.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    note: Note,
    space: SpaceChoice,
    renderer: RendererChoice,
    resume: Path | None,
    **options: Any,
) -> None:
    """Train a network that predicts patches from sounds.

    It learns from a data set of deepdiva dataset, or with --online from fresh sounds that nobody
    stores. The folder of the training gets the weights, the losses as a table and a curve, and a
    checkpoint after every epoch, with which a training that was killed goes on to the same weights.

    \b
    deepdiva train --online --epochs 60 --batch-size 256 --schedule cosine
    deepdiva train --online --model panel --prior human --batch-size 128 --epochs 40
    deepdiva train --data-path data/train --test-path data/test --model cnn
    deepdiva train --resume models/training_2026-05-01_10-30-00
    deepdiva train --begin-with models/training_2026-05-01_10-30-00 --online --seed 1
    """  # noqa: D301  (click's mark for lines that stay as they are)
    # How results are shown is no part of what is trained.
    as_json = context.params.pop("as_json")
    del options["as_json"]
    given = {name for name in context.params if typed(name)}
    if resume is not None:
        others = sorted(given - {"resume", *MAY_CHANGE})
        if others:
            raise InvalidValueError(
                f"{', '.join(others)}: a training goes on as it was begun. Leave all options but "
                "--resume, --device and --jobs out."
            )
        changes = {name: context.params[name] for name in given & set(MAY_CHANGE)}
        with resumed(resume, changes) as request:
            run(resume, request, resume=True, as_json=as_json)
        return
    _refuse(given, options["online"])
    _refuse_for_panel(given, options["model"] == PANEL, options["online"])
    request = TrainRequest(note, space, renderer, options)
    with begun(options["model_path"], options["folder_name"], context.params) as folder:
        run(folder, request, resume=False, as_json=as_json)


def _refuse_for_panel(given: set[str], panel: bool, online: bool) -> None:
    """Options that say nothing about the network of the whole panel, or only about it.

    Raises:
        InvalidValueError: there are some, or it is not trained online.
    """
    idle = sorted(given & set(_NOT_OF_THE_PANEL if panel else _PANEL_ONLY))
    if idle:
        raise InvalidValueError(
            f"{', '.join(idle)}: {'not with' if panel else 'only with'} --model panel."
            + (" It learns all keys, lengths and parameters." if panel else "")
        )
    if panel and not online:
        raise InvalidValueError("--model panel learns from fresh sounds: say --online.")


def _refuse(given: set[str], online: bool) -> None:
    """Options that say nothing about this kind of training.

    Raises:
        InvalidValueError: there are some.
    """
    idle = sorted(given & set(_STORED_ONLY if online else _ONLINE_ONLY))
    if idle:
        raise InvalidValueError(
            f"{', '.join(idle)}: {'not with' if online else 'only with'} --online. "
            + (
                "Fresh sounds come from no data set."
                if online
                else "A data set says itself what is free and what was played."
            )
        )
