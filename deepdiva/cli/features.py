"""`deepdiva features`: mel spectrograms and MFCCs of stored sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deepdiva.cli._common import console, force_option, json_option, print_json, workers_options
from deepdiva.cli._tables import echo
from deepdiva.cluster import Workers
from deepdiva.errors import InvalidValueError
from deepdiva.features import MelSettings, MfccSettings, usual_fmax

if TYPE_CHECKING:
    from rich.progress import Progress

_HOPS = {"spectrogram": MelSettings().hop_length, "mfcc": MfccSettings().mel.hop_length}


def axes(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Read the scale axes: whole numbers, separated by blanks or commas."""
    try:
        return tuple(int(word) for word in value.replace(",", " ").split())
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: write whole numbers such as '0' or '0 1'.") from error


@click.command("features")
@click.option(
    "--feature",
    type=click.Choice(["spectrogram", "mfcc"], case_sensitive=False),
    required=True,
    help="Which feature.",
)
@click.option(
    "--data-path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("./data/dataset"),
    show_default=True,
    help="Folder of the data set.",
)
@click.option(
    "--data-file",
    metavar="FILE",
    help="Array of sounds in that folder, a .npy file.  [default: all batches of the data set]",
)
@click.option(
    "--file-prefix",
    metavar="TEXT",
    help="What the names of the feature files begin with.  [default: as in the data set]",
)
@click.option(
    "--saved-scaler/--no-saved-scaler",
    default=False,
    show_default=True,
    help="Scale MFCCs with a saved scaler, as other sets than the training set need it.",
)
@click.option(
    "--scaler-file",
    metavar="FILE",
    help="Scaler to read, or to save.  [default: PREFIXmfcc_scaling.json]",
)
@click.option(
    "--scale-axis",
    "scale_axes",
    default="0",
    show_default=True,
    callback=axes,
    help="Axes to take minimum and maximum over: '0' scales each cell of the MFCCs on its own, "
    "'0 1' each coefficient over all frames.",
)
@click.option(
    "--n-fft", type=int, default=MelSettings.n_fft, show_default=True, help="Fourier transform."
)
@click.option("--win-length", type=int, help="Hann window.  [default: as long as the transform]")
@click.option(
    "--hop-length",
    type=int,
    help="Samples from frame to frame.  [default: "
    f"{_HOPS['spectrogram']} for spectrogram, {_HOPS['mfcc']} for mfcc]",
)
@click.option(
    "--n-mels", type=int, default=MelSettings.n_mels, show_default=True, help="Mel bands."
)
@click.option(
    "--n-mfcc", type=int, default=MfccSettings.n_mfcc, show_default=True, help="Coefficients."
)
@click.option(
    "--sample-rate",
    type=int,
    help="Of the sounds.  [default: as the data set says, or 44100]",
)
@click.option(
    "--fmin", type=float, default=MelSettings.fmin, show_default=True, help="Lowest frequency, Hz."
)
@click.option(
    "--fmax",
    type=float,
    help="Highest frequency, Hz.  "
    f"[default: {MelSettings.fmax:g}, or half the sample rate if that is lower]",
)
@click.option(
    "--time-major/--no-time-major",
    default=True,
    show_default=True,
    help="MFCCs of one sound as (time, n_mfcc) or (n_mfcc, time).",
)
@workers_options
@force_option
@json_option
def command(
    feature: str,
    data_path: Path,
    data_file: str | None,
    file_prefix: str | None,
    saved_scaler: bool,
    scaler_file: str | None,
    scale_axes: tuple[int, ...],
    n_fft: int,
    win_length: int | None,
    hop_length: int | None,
    n_mels: int,
    n_mfcc: int,
    sample_rate: int | None,
    fmin: float,
    fmax: float | None,
    time_major: bool,
    workers: Workers,
    force: bool,
    as_json: bool,
) -> None:
    """Compute the features of stored sounds.

    PREFIXmelspectrogram.npy holds mel spectrograms in [0, 1], float32 of shape (sounds, n_mels,
    time, 1), low frequencies in the last row. PREFIXmfcc.npy holds MFCCs, (sounds, time, n_mfcc),
    scaled to [0, 1] by a scaler that is fitted on the training set and saved beside them. A .json
    file beside each says how it was made.
    """
    from deepdiva.data.corpora.feature_files import open_sounds, write_melspectrograms, write_mfccs
    from deepdiva.features import Scaler

    source = open_sounds(data_path, data_file)
    prefix = source.file_prefix if file_prefix is None else file_prefix
    rate = sample_rate
    if rate is None:
        rate = source.sample_rate or MelSettings.sample_rate
    mel = MelSettings(
        sample_rate=rate,
        n_fft=n_fft,
        win_length=win_length,
        hop_length=_HOPS[feature] if hop_length is None else hop_length,
        n_mels=n_mels,
        fmin=fmin,
        fmax=usual_fmax(rate) if fmax is None else fmax,
    )
    with progress_bar() as progress:
        task = progress.add_task("Computing", total=source.sounds)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if feature == "spectrogram":
            target = data_path / f"{prefix}melspectrogram.npy"
            shape = write_melspectrograms(
                source, mel, target, workers=workers, force=force, on_progress=on_progress
            )
            scaler_path = None
        else:
            target = data_path / f"{prefix}mfcc.npy"
            scaler_path = data_path / (scaler_file or f"{prefix}mfcc_scaling.json")
            if saved_scaler and scaler_file is None:
                raise InvalidValueError(
                    "--saved-scaler needs --scaler-file: the scaler that was saved with the "
                    "training set's MFCCs."
                )
            shape = write_mfccs(
                source,
                MfccSettings(mel, n_mfcc, time_major),
                target,
                scaler=Scaler.read(scaler_path) if saved_scaler else None,
                scaler_path=None if saved_scaler else scaler_path,
                axes=scale_axes,
                workers=workers,
                force=force,
                on_progress=on_progress,
            )
    if as_json:
        print_json({"file": target, "shape": shape, "scaler": scaler_path})
    else:
        echo(f"{target}: {' x '.join(map(str, shape))}")


def progress_bar() -> Progress:
    """Sounds done and time left, on stderr."""
    from rich import progress as rich_progress

    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeRemainingColumn(),
        console=console(),
        transient=True,
    )
