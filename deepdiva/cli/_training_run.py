"""What `deepdiva train` shows: progress, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deepdiva.cli._common import console, print_json
from deepdiva.cli._tables import echo
from deepdiva.pipeline.train import Training, TrainRequest
from deepdiva.units import counted

if TYPE_CHECKING:
    from deepdiva.models.training import Progress


def run(folder: Path, request: TrainRequest, *, resume: bool, as_json: bool = False) -> None:
    """Prepare, train, and say what came out.

    Args:
        folder: of the training.
        request: what is to be trained.
        resume: go on from the folder's checkpoint, if it was reached.
        as_json: say it in JSON.
    """
    with console().status("Making ready"):
        training = Training.prepare(folder, request, resume=resume)
    try:
        with _shown(training.settings.epochs) as on_progress:
            result = training.run(on_progress)
    except KeyboardInterrupt:
        console().print(f"Finished epochs are kept; --resume {folder} goes on with them.")
        raise
    if as_json:
        print_json(
            {
                "model_file": training.written,
                "epochs": result.epochs,
                "sounds": result.sounds,
                "stopped_early": result.stopped_early,
                "metrics": dict(result.metrics),
            }
        )
        return
    stopped = ", stopped early" if result.stopped_early else ""
    epochs = counted(result.epochs, "epoch")
    echo(f"{epochs}, {counted(result.sounds, 'sound')}{stopped}.")
    for name, value in result.metrics.items():
        echo(f"{name:>32} {value:9.4f}")
    echo(str(training.written))


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
