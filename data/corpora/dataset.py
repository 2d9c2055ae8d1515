"""Reading a data set: memory-mapped, however large it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.data.checksum import file_crc32
from deepdiva.data.corpora.description import Description
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA


class Rows:
    """Arrays, one after the other, as if they were one; usually memory-mapped files.

    Args:
        parts: arrays that differ in their first axis only; at least one.
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole, the rows first."""
        return len(self), *self._parts[0].shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a cell."""
        return self._parts[0].dtype

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Read rows into memory.

        Args:
            rows: a number, a slice, an array of numbers in any order, or a mask.
        """
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        numbers = np.asarray(rows)
        if numbers.dtype == np.bool_:
            numbers = np.flatnonzero(numbers)
        numbers = numbers.astype(np.intp)
        if np.any((numbers < -len(self)) | (numbers >= len(self))):
            raise IndexError(f"There are {len(self)} rows; {rows} reaches beyond them.")
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        if numbers.ndim == 0:
            part = int(np.searchsorted(self._starts, numbers, side="right")) - 1
            return np.array(self._parts[part][int(numbers) - self._starts[part]])
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        owners = np.searchsorted(self._starts, numbers, side="right") - 1
        for part in np.unique(owners):
            mine = owners == part
            found[mine] = self._parts[part][numbers[mine] - self._starts[part]]
        return found

    def chunks(self, size: int = 256) -> Iterator[NDArray[Any]]:
        """All rows in order, at most `size` at a time and never across two arrays."""
        for part in self._parts:
            for start in range(0, len(part), size):
                yield np.asarray(part[start : start + size])


@dataclass(frozen=True)
class Dataset:
    """A data set on disk, its batches one after the other.

    Attributes:
        folder: that holds it.
        description: what `dataset.json` says.
    """

    folder: Path
    description: Description

    @classmethod
    def open(cls, folder: Path | str) -> Dataset:
        """Open a data set.

        Raises:
            MissingFileError: there is none, or a file of it is missing.
            InvalidValueError: its description is damaged, or it has no complete batch.
        """
        folder = Path(folder)
        dataset = cls(folder, Description.read(folder))
        if not dataset.description.records:
            raise InvalidValueError(
                f"{folder} holds no complete batch: let deepdiva dataset finish one."
            )
        for record in dataset.description.records.values():
            for file in record.files.values():
                path = folder / file["name"]
                if not path.is_file() or path.stat().st_size != file["bytes"]:
                    raise MissingFileError(
                        f"{path} is missing or cut short: run deepdiva dataset again with the "
                        "same settings, which makes its batch anew."
                    )
        return dataset

    def __len__(self) -> int:
        return sum(record.sounds for record in self.description.records.values())

    @property
    def note(self) -> Note:
        """What was played."""
        return Note(**self.description.settings["note"])

    @property
    def file_prefix(self) -> str:
        """What the names of its files begin with."""
        return str(self.description.settings["file_prefix"])

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the free parameters: the columns of `patches`."""
        return tuple(entry["name"] for entry in self.description.settings["space"]["free"])

    def space(self, table: ParameterTable = DIVA) -> ParameterSpace:
        """The parameter space of the patches.

        Raises:
            InvalidValueError: the data set was made for another synthesizer.
        """
        return ParameterSpace.from_dict(self.description.settings["space"], table)

    @cached_property
    def patches(self) -> NDArray[np.float32]:
        """Normalised positions of the free parameters, shape (sounds, dimensions)."""
        return np.concatenate(self._arrays("patches"))

    @cached_property
    def samples(self) -> NDArray[np.void]:
        """What is known of each sound, shape (sounds,), type `SAMPLE_DTYPE`."""
        return np.concatenate(self._arrays("samples"))

    def rows(self, kind: str) -> Rows:
        """What is stored of each sound, memory-mapped.

        Args:
            kind: `audio`, `patches` or `samples`; `melspectrogram` or `mfcc_unscaled` where
                features are stored instead of audio.

        Raises:
            MissingFileError: this data set does not keep it.
        """
        return Rows(self._arrays(kind))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is stored of each sound."""
        return tuple(next(iter(self.description.records.values())).files)

    def damaged(self) -> list[Path]:
        """Files whose checksum is not that of the description; reads everything."""
        return [
            self.folder / file["name"]
            for record in self._records
            for file in record.files.values()
            if f"{file_crc32(self.folder / file['name']):08x}" != file["crc32"]
        ]

    @property
    def _records(self) -> list[Any]:
        records = self.description.records
        return [records[number] for number in sorted(records)]

    def _arrays(self, kind: str) -> list[NDArray[Any]]:
        if kind not in self.kinds:
            raise MissingFileError(
                f"{self.folder} keeps no {kind}, only {', '.join(self.kinds)}: make a data set "
                "with another --store."
            )
        return [
            np.load(self.folder / record.files[kind]["name"], mmap_mode="r")
            for record in self._records
        ]
