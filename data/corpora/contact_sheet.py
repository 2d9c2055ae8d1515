"""Many sounds of a data set on one picture."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

from deepdiva.data.corpora.dataset import Dataset
from deepdiva.features import MelSettings, MelSpectrogram, usual_fmax

COLUMNS = 6

_HIGHEST = 1e6
"""Full scales; larger numbers have powers beyond float32, and no spectrogram."""


def contact_sheet(dataset: Dataset, count: int = 36) -> bytes:
    """Mel spectrograms of sounds evenly spaced over the data set, as a PNG.

    Each is scaled to its own loudest cell and shows 80 dB; number and peak stand above it. Samples
    that are not finite are left out of the picture.

    Args:
        dataset: audio, or stored mel spectrograms.
        count: how many, at least 1.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    numbers = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(int))
    pictures = _spectrograms(dataset, numbers)
    rows = -(-len(numbers) // COLUMNS)
    figure = Figure(figsize=(2.1 * COLUMNS, 1.75 * rows + 0.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{dataset.folder.resolve().name}: {len(numbers)} of {len(dataset)} sounds")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, number, picture in zip(axes, numbers, pictures, strict=False):
        peak = float(dataset.samples["peak"][number])
        axis.imshow(picture, aspect="auto", cmap="magma", vmin=0.0, vmax=1.0)
        axis.set_title(f"{number}  {level_in_words(peak)}", fontsize=7, pad=2)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def level_in_words(peak: float) -> str:
    """What stands above a picture.

    Args:
        peak: of the sound, full scale; infinity and NaN are allowed.
    """
    if not math.isfinite(peak):
        return "not finite"
    return f"{round(20 * math.log10(peak))} dB" if peak > 0 else "silent"


def _spectrograms(dataset: Dataset, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
    """Pictures of some sounds, shape (count, bands, time), low frequencies in the last row."""
    if "audio" in dataset.kinds:
        rate = dataset.note.sample_rate
        settings = MelSettings(sample_rate=rate, n_mels=64, hop_length=1024, fmax=usual_fmax(rate))
        sounds = dataset.rows("audio")[numbers].astype(np.float32)
        sounds = np.nan_to_num(sounds, posinf=0.0, neginf=0.0).clip(-_HIGHEST, _HIGHEST)
        found: NDArray[np.float32] = MelSpectrogram(settings)(sounds).numpy()
    else:
        found = dataset.rows("melspectrogram")[numbers]
    return found[..., 0]
