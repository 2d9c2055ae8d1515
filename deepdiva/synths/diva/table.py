"""The 281 parameters of u-he Diva.

`parameters.csv` declares them in the order in which the VST2 plug-in counts them; the VST3
plug-in counts otherwise, so hosts go by `host_name`. Ranges and positions are those of the plug-in,
which the 2021 project had wrong in places: the cutoff spans 30..150 (not 0..150), the voice stack
1..6, the arpeggio 1..4 octaves, pitch bend jumps from 24 to 36 and 48, the noise level is
continuous. `choices.csv` holds the classes, each list once.

The defaults are the patch MS-REV1, after which the 2021 project made its sounds. Three settings
that only Diva's extended preset format holds (VCC.MuCore, OPT.Acc, OPT.OffAcc) have none there and
stand at their first choice.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import cast

from deepdiva.parameters.parameter import Choice, Kind, Parameter, Spacing, Spelling
from deepdiva.parameters.table import ParameterTable


def _rows(name: str) -> Iterator[dict[str, str]]:
    with files("deepdiva.synths.diva").joinpath(name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _choice_lists() -> dict[str, tuple[Choice, ...]]:
    lists: dict[str, tuple[Choice, ...]] = {}
    for row in _rows("choices.csv"):
        choice = Choice(value=float(row["value"]), label=row["label"])
        lists[row["choices"]] = (*lists.get(row["choices"], ()), choice)
    return lists


def _parameter(row: Mapping[str, str], lists: Mapping[str, tuple[Choice, ...]]) -> Parameter:
    minimum, maximum = float(row["minimum"]), float(row["maximum"])
    choices: tuple[Choice, ...] = ()
    if row["choices"]:
        choices = lists[row["choices"]]
    elif row["kind"] == "int":
        counts = range(int(minimum), int(maximum) + 1)
        choices = tuple(Choice(value=float(count), label=str(count)) for count in counts)
    return Parameter(
        index=int(row["index"]),
        name=f"{row['section']}.{row['key']}",
        section=row["section"],
        key=row["key"],
        title=row["title"],
        host_name=f"{row['section']}: {row['title']}",
        kind=cast(Kind, row["kind"]),
        minimum=minimum,
        maximum=maximum,
        unit=row["unit"],
        choices=choices,
        spacing=cast(Spacing, row["spacing"] or "even"),
        default=float(row["default"]),
        spelling=cast(Spelling, row["spelling"]) if row["spelling"] else None,
        description=row["description"],
    )


def _load() -> ParameterTable:
    lists = _choice_lists()
    return ParameterTable(
        name="diva",
        parameters=tuple(_parameter(row, lists) for row in _rows("parameters.csv")),
    )


DIVA = _load()
