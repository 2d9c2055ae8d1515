"""`dataset.json`: how a data set describes itself, and by which a run goes on where it stopped.

It is written when a run begins and after every batch, as a whole each time. It holds nothing that
differs between two runs of the same settings: no time, no machine, no path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from deepdiva.data.corpora.batch_maker import BatchRecord
from deepdiva.data.corpora.dataset_settings import DatasetSettings
from deepdiva.errors import FileExistsAlreadyError, MissingFileError
from deepdiva.files import atomic_write
from deepdiva.names import check_name, check_prefix
from deepdiva.renderer import RendererInfo
from deepdiva.state_files import KINDS

FILE_NAME = "dataset.json"
FORMAT = "deepdiva-dataset"
FORMAT_VERSION = 1

_LAYOUT = {
    "patches": "float32 (sounds, free parameters): normalised positions, ordered as space.free",
    "samples": "record (sounds,): render seed, redraws, faults (sum of 1 silent, 2 clipping, 4 not "
    "finite, 8 failed), peak and rms of full scale",
    "audio": "float32 or float16 (sounds, samples): mono, full scale 1.0",
    "melspectrogram": "float32 (sounds, n_mels, time, 1): instead of audio, in [0, 1]",
    "mfcc_unscaled": "float32 (sounds, time, n_mfcc): instead of audio",
}


@dataclass(frozen=True)
class Description:
    """The content of a `dataset.json`.

    Attributes:
        settings: `DatasetSettings.to_dict()`.
        renderer: `RendererInfo.to_dict()`, and whether it repeats itself.
        batches: how many batches the data set is to have.
        records: of the batches that are complete, by number.
    """

    settings: dict[str, Any]
    renderer: dict[str, Any]
    batches: int
    records: dict[int, BatchRecord]

    @classmethod
    def begin(cls, settings: DatasetSettings, renderer: RendererInfo, batches: int) -> Description:
        """Describe a data set of which nothing is made yet."""
        about = {**renderer.to_dict(), "repeatable": renderer.repeatable}
        # Through JSON and back, so that it compares with what a file holds.
        plain = json.loads(json.dumps(settings.to_dict()))
        return cls(plain, about, batches, {})

    @classmethod
    def read(cls, folder: Path) -> Description:
        """Read the description of a data set.

        Raises:
            MissingFileError: the folder holds none.
            InvalidValueError: it is not one, or a later version of one, or lacks a field.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise MissingFileError(
                f"{path} does not exist: {folder} is no data set. Name the folder that deepdiva "
                "dataset has made."
            )
        return KINDS["dataset"].read(path, cls._checked)

    @classmethod
    def _checked(cls, values: dict[str, Any]) -> Description:
        """The content of a file that fits its schema.

        Raises:
            InvalidValueError: a name that leads out of the folder.
        """
        batches, renderer = values["batches"], values["renderer"]
        check_prefix(values["file_prefix"])
        records = {int(key): BatchRecord(**value) for key, value in batches["made"].items()}
        for record in records.values():
            for file in record.files.values():
                check_name("file", file["name"])
        other = ("format", "format_version", "batches", "renderer", "totals", "layout")
        settings = {key: value for key, value in values.items() if key not in other}
        return cls(settings, renderer, batches["planned"], records)

    def to_json(self) -> str:
        """The text of the file."""
        made = [self.records[number] for number in sorted(self.records)]
        totals = {
            "sounds": sum(record.sounds for record in made),
            "kept": _sum([record.kept for record in made]),
            "redrawn": _sum([record.redrawn for record in made]),
        }
        return json.dumps(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "renderer": self.renderer,
                **self.settings,
                "layout": _LAYOUT,
                "totals": totals,
                "batches": {
                    "planned": self.batches,
                    "made": {
                        str(number): asdict(self.records[number]) for number in sorted(self.records)
                    },
                },
            },
            indent=1,
        )

    def write(self, folder: Path) -> None:
        """Write the file, over the former one."""
        atomic_write(folder / FILE_NAME, self.to_json().encode(), force=True)

    def with_record(self, batch: int, record: BatchRecord) -> Description:
        """The description after one more batch."""
        return replace(self, records={**self.records, batch: record})

    def continued(self, former: Description, folder: Path) -> Description:
        """This description with the batches that a former run of the same settings made.

        Args:
            former: what the folder says of itself.
            folder: of the data set, for the message.

        Raises:
            FileExistsAlreadyError: the folder holds a data set of other settings, which are named.
        """
        mine = {"renderer": self.renderer, **self.settings}
        theirs = {"renderer": former.renderer, **former.settings}
        different = differences(theirs, mine)
        if different:
            shown = "; ".join(different[:6]) + ("; ..." if len(different) > 6 else "")
            raise FileExistsAlreadyError(
                f"{folder} holds a data set of other settings: {shown}. Choose another "
                "--folder-name, or give the settings that it was begun with."
            )
        return replace(self, batches=max(self.batches, former.batches), records=former.records)


def differences(there: Any, here: Any, path: str = "") -> list[str]:
    """Where two trees of JSON differ, one sentence for each place."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        lines: list[str] = []
        for key in [*there, *(key for key in here if key not in there)]:
            below = f"{path}.{key}" if path else str(key)
            lines += differences(there.get(key), here.get(key), below)
        return lines
    return [] if there == here else [f"{path} is {_short(there)} there and {_short(here)} here"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    names = counts[0] if counts else {}
    return {name: sum(count[name] for count in counts) for name in names}
