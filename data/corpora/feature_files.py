"""The features of stored sounds, as `.npy` files with a description beside each.

Sounds are read, and features written, a few hundred at a time: memory stays flat. A file appears
only when it is complete.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.cluster import Workers
from deepdiva.cluster.crew import Crew
from deepdiva.data.corpora.dataset import Dataset, Rows
from deepdiva.data.corpora.description import FILE_NAME
from deepdiva.data.npy import NpyFile, sync_folder
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.features import MelSettings, MelSpectrogram, Mfcc, MfccSettings, Scaler
from deepdiva.files import atomic_write, check_target
from deepdiva.workers import single_thread

if TYPE_CHECKING:
    from torch import Tensor

OnProgress = Callable[[int, int], None]

HERE = Workers()


@dataclass(frozen=True)
class Kept:
    """Features that a data set keeps instead of audio.

    Attributes:
        settings: with which they were cut, as in `dataset.json`.
        rows: of all sounds.
    """

    settings: dict[str, Any]
    rows: Rows


@dataclass(frozen=True)
class SoundSource:
    """Sounds on disk, and what is known of them.

    Attributes:
        sounds: how many.
        samples: length of each.
        sample_rate: None if nothing says it.
        audio: shape (sounds, samples); None where only features are kept.
        kept: features kept instead of audio, `mel` and `mfcc`; empty where there is audio.
        about: what the description of the features says of the sounds.
        file_prefix: of the data set; empty if it is none.
    """

    sounds: int
    samples: int
    sample_rate: int | None
    audio: Rows | None
    kept: dict[str, Kept]
    about: dict[str, Any]
    file_prefix: str


def open_sounds(folder: Path, data_file: str | None) -> SoundSource:
    """Find the sounds in a folder.

    Args:
        folder: of a data set, or any that holds `data_file`.
        data_file: array file of shape (sounds, samples) in the folder; None takes all batches of
            the data set.

    Raises:
        MissingFileError: no such file, or neither a file nor a data set.
        InvalidValueError: the file is no array of sounds.
    """
    dataset = Dataset.open(folder) if (folder / FILE_NAME).is_file() else None
    if data_file is not None:
        audio = Rows([_load(folder / data_file)])
        return SoundSource(
            sounds=len(audio),
            samples=audio.shape[1],
            sample_rate=dataset.note.sample_rate if dataset else None,
            audio=audio,
            kept={},
            about={"file": Path(data_file).name, "sounds": len(audio)},
            file_prefix=dataset.file_prefix if dataset else "",
        )
    if dataset is None:
        raise MissingFileError(
            f"{folder} is no data set (it holds no {FILE_NAME}): name the file with the sounds, "
            "--data-file audio.npy."
        )
    return _dataset_sounds(dataset)


def _dataset_sounds(dataset: Dataset) -> SoundSource:
    """The sounds of a data set, or the features that it keeps instead."""
    settings = dataset.description.settings
    has_audio = "audio" in dataset.kinds
    kept = (
        {}
        if has_audio
        else {
            "mel": Kept(settings["features"]["mel"], dataset.rows("melspectrogram")),
            "mfcc": Kept(settings["features"]["mfcc"], dataset.rows("mfcc_unscaled")),
        }
    )
    files = {
        file["name"]: file["crc32"]
        for record in dataset.description.records.values()
        for file in record.files.values()
    }
    return SoundSource(
        sounds=len(dataset),
        samples=dataset.note.samples,
        sample_rate=dataset.note.sample_rate,
        audio=dataset.rows("audio") if has_audio else None,
        kept=kept,
        about={"dataset_crc32": files, "sounds": len(dataset)},
        file_prefix=dataset.file_prefix,
    )


def write_melspectrograms(
    source: SoundSource,
    settings: MelSettings,
    path: Path,
    *,
    workers: Workers = HERE,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> tuple[int, ...]:
    """Write the mel spectrograms of all sounds.

    Args:
        source: the sounds.
        settings: how they are cut.
        path: of the `.npy` file, float32 of shape (sounds, n_mels, time, 1).
        workers: who computes; threads where nothing else is said.
        force: overwrite it.
        on_progress: told of sounds that are done, and of all.

    Returns:
        Shape of what was written.

    Raises:
        FileExistsAlreadyError: it exists, without `force`.
        InvalidValueError: sounds of another sample rate, or features stored with other settings.
        OSError: the system refuses to write.
    """
    _check_rate(source, settings.sample_rate)
    batches = _features(source, "mel", settings, workers)
    shape = (source.sounds, *settings.shape(source.samples))
    description = {"feature": "melspectrogram", **settings.to_dict(), "source": source.about}
    _write(path, shape, batches(), description, force, on_progress)
    return shape


def write_mfccs(
    source: SoundSource,
    settings: MfccSettings,
    path: Path,
    *,
    scaler: Scaler | None = None,
    scaler_path: Path | None = None,
    axes: tuple[int, ...] = (0,),
    workers: Workers = HERE,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> tuple[int, ...]:
    """Write the MFCCs of all sounds, scaled.

    Args:
        source: the sounds.
        settings: how they are cut.
        path: of the `.npy` file, float32 of shape (sounds, time, n_mfcc) if time-major.
        scaler: as it was fitted on a training set; None fits one on these sounds, which computes
            them twice over rather than holding them.
        scaler_path: where a scaler that is fitted here is saved.
        axes: over which it is fitted.
        workers: who computes; threads where nothing else is said.
        force: overwrite files.
        on_progress: told of sounds that are done, and of all.

    Returns:
        Shape of what was written.

    Raises:
        FileExistsAlreadyError: a file exists, without `force`.
        InvalidValueError: sounds of another sample rate or length than the scaler's, features
            stored with other settings, or axes without 0.
        OSError: the system refuses to write.
    """
    _check_rate(source, settings.sample_rate)
    for target in (path, _beside(path), scaler_path):
        if target is not None:
            check_target(target, force)
    unscaled = _features(source, "mfcc", settings, workers)
    if scaler is None:
        scaler = Scaler.fit(unscaled(), settings, source.samples, axes)
        if scaler_path is not None:
            atomic_write(scaler_path, scaler.to_json().encode(), force)
    scaler.check(settings, source.samples)
    shape = (source.sounds, *settings.shape(source.samples))
    description = {
        "feature": "mfcc",
        **settings.to_dict(),
        "scale_axes": list(scaler.axes),
        "scaler_digest": scaler.digest,
        "source": source.about,
    }
    scaled = (scaler.scale(batch) for batch in unscaled())
    _write(path, shape, scaled, description, force, on_progress)
    return shape


def _features(
    source: SoundSource, name: str, settings: MelSettings | MfccSettings, workers: Workers
) -> Callable[[], Iterator[NDArray[np.float32]]]:
    """What goes through the features of all sounds, in batches, as often as it is called."""
    audio = source.audio
    if audio is not None:
        return lambda: _computed(audio, settings, workers)
    kept = source.kept[name]
    if kept.settings != settings.to_dict():
        raise InvalidValueError(
            f"The data set keeps no audio, only features of these settings: {kept.settings}. Use "
            "them, or make a data set with --store float32."
        )
    return kept.rows.chunks


def _computed(
    audio: Rows, settings: MelSettings | MfccSettings, workers: Workers
) -> Iterator[NDArray[np.float32]]:
    """Features of all sounds, in their order: 256 sounds are a task, whoever computes."""
    # Each on one thread: products of matrices are summed in the same order on any machine. What is
    # to be limited must be loaded.
    with suppress(ImportError):
        import torch  # noqa: F401
    with single_thread(), Crew(compute, settings, workers, usual="threading") as crew:
        chunks = (_float32(chunk) for chunk in audio.chunks())
        with closing(crew.each(chunks, ordered=True)) as outcomes:
            for outcome in outcomes:
                yield outcome.result


def compute(
    settings: MelSettings | MfccSettings, sounds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Features of some sounds, shape (sounds, samples)."""
    return _computer(settings)(sounds).numpy()


@lru_cache(maxsize=2)
def _computer(
    settings: MelSettings | MfccSettings,
) -> Callable[[NDArray[np.float32]], Tensor]:
    return Mfcc(settings) if isinstance(settings, MfccSettings) else MelSpectrogram(settings)


def _write(
    path: Path,
    shape: tuple[int, ...],
    batches: Iterable[NDArray[np.float32]],
    description: dict[str, Any],
    force: bool,
    on_progress: OnProgress | None,
) -> None:
    """Write an array batch by batch, then its description beside it."""
    for target in (path, _beside(path)):
        check_target(target, force)
    file = NpyFile.plan(path, shape, np.dtype("<f4"), secrets.token_hex(4))
    done = 0
    pieces = []
    try:
        file.create()
        for batch in batches:
            file.write(done, batch)
            pieces.append((len(batch), file.checksum(batch)))
            done += len(batch)
            if on_progress is not None:
                on_progress(done, shape[0])
        file.publish()
        sync_folder(path.parent)
    finally:
        file.part.unlink(missing_ok=True)
    about = {
        "format": "deepdiva-features",
        "format_version": 1,
        **description,
        "shape": list(shape),
        "crc32": f"{file.combined_checksum(pieces):08x}",
    }
    atomic_write(_beside(path), json.dumps(about, indent=1).encode(), force=True)


def _beside(path: Path) -> Path:
    """Where the description of a feature file stands."""
    return path.with_suffix(".json")


def _check_rate(source: SoundSource, sample_rate: int) -> None:
    if source.sample_rate is not None and source.sample_rate != sample_rate:
        raise InvalidValueError(
            f"The sounds have {source.sample_rate} samples per second, not {sample_rate}: leave "
            "--sample-rate out, or give theirs."
        )


def _load(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvalidValueError(f"{path} is no .npy file of numbers: {error}.") from error
    if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        raise InvalidValueError(
            f"{path} holds {array.dtype} of shape {array.shape}: sounds are floats of shape "
            "(sounds, samples)."
        )
    return np.asanyarray(array)


def _float32(chunk: NDArray[Any]) -> NDArray[np.float32]:
    """A copy in memory: maps of files are read-only, which PyTorch does not take."""
    return np.array(chunk, dtype=np.float32)
