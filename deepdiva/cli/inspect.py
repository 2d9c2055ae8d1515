"""`deepdiva inspect`: what a preset holds, and how two presets differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import console, json_option, print_json
from deepdiva.cli._tables import by_section, echo, results_console, table_of
from deepdiva.names import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.parameters import Parameter
    from deepdiva.synths.diva.preset import Preset

ABSENT = "-"

KEY = 60
"""Key for which frequencies and times are given, which may follow the keyboard."""


@click.command("inspect")
@click.argument("preset", type=click.Path(path_type=Path))
@click.option(
    "--diff",
    "other",
    type=click.Path(path_type=Path),
    metavar="OTHER",
    help="Show only what differs from this preset.",
)
@json_option
def command(preset: Path, other: Path | None, as_json: bool) -> None:
    """Show the parameters of a preset, with the names of choices and units.

    PRESET is a .h2p file of Diva. Where it is known what a value is in Hz or seconds, at key 60,
    that stands beside it. The last column holds the value of MS-REV1 where it is another.
    With --diff, the values of both presets stand side by side: parameters, then other lines of the
    file, then the words at its top.
    """
    from deepdiva.synths.diva.preset import Preset

    first = Preset.read(preset)
    second = None if other is None else Preset.read(other)
    warn(first)
    if second is None:
        if as_json:
            print_json(described(first))
        else:
            show(first)
        return
    warn(second)
    differences = compared(first, second)
    if as_json:
        print_json(differences)
    else:
        show_differences(first, second, differences)


def warn(preset: Preset) -> None:
    """Say on stderr what is unusual about a file."""
    for note in preset.notes:
        text = printable(f"{preset.source}: {note}")
        console().print(text, style="yellow", markup=False, soft_wrap=True)


def show(preset: Preset) -> None:
    """Print a preset as a table, section by section."""
    from deepdiva.synths.diva import DIVA

    screen = results_console()
    screen.print(printable(preset.source), style="bold", soft_wrap=True)
    for key, text in preset.meta.items():
        screen.print(printable(f"{key}: {text}"), soft_wrap=True)
    values = preset.values()
    table = table_of("", "Parameter", "Title", "Value", "MS-REV1")
    for section, parameters in by_section(DIVA).items():
        table.add_section()
        for parameter in parameters:
            if preset.get(section, parameter.key) is None:
                continue
            plain = parameter.label(parameter.default)
            shown = in_words(parameter, values)
            row = (str(parameter.index), parameter.name, parameter.title, shown)
            if parameter.label(float(values[parameter.index])) == plain:
                table.add_row(*row)
            else:
                table.add_row(*row, plain, style="bold")
    screen.print(table)


def in_words(parameter: Parameter, values: NDArray[np.float64]) -> str:
    """A value of a preset with its unit, and what it is at `KEY`: `93 semitones (1.2 kHz)`.

    Args:
        parameter: one of Diva's.
        values: of the preset, shape (len(table),), in units.
    """
    from deepdiva.synths.diva.synthesizer import SYNTHESIZER

    value = float(values[parameter.index])
    reading = SYNTHESIZER.reading(values, parameter.name, value, KEY)
    label = parameter.label(value)
    return label if reading is None else f"{label} ({reading.text})"


def show_differences(first: Preset, second: Preset, differences: dict[str, Any]) -> None:
    """Print what `compared` found."""
    from deepdiva.synths.diva import DIVA

    table = table_of("", "Parameter", "Title", "A", "B")
    for parameters in by_section(DIVA[name] for name in differences["parameters"]).values():
        table.add_section()
        for parameter in parameters:
            shown = [in_words(parameter, preset.values()) for preset in (first, second)]
            table.add_row(str(parameter.index), parameter.name, parameter.title, *shown)
    for part in ("lines", "meta"):
        table.add_section()
        for name, texts in differences[part].items():
            shown = [ABSENT if text is None else printable(text) for text in texts]
            table.add_row("", printable(name), "", *shown)
    if not table.row_count:
        echo("The presets hold the same values and the same words.")
        return
    screen = results_console()
    for letter, preset in (("A", first), ("B", second)):
        screen.print(printable(f"{letter}: {preset.source}"), style="bold", soft_wrap=True)
    screen.print(table)


def described(preset: Preset) -> dict[str, Any]:
    """A preset for `--json`."""
    from deepdiva.synths.diva import DIVA

    values = named_values(preset)
    return {
        "preset": preset.source,
        "version": preset.version,
        "meta": preset.meta,
        "notes": list(preset.notes),
        "values": values,
        "labels": {name: DIVA[name].label(value) for name, value in values.items()},
        "words": {name: in_words(DIVA[name], preset.values()) for name in values},
    }


def compared(first: Preset, second: Preset) -> dict[str, Any]:
    """How two presets differ, as pairs: the first preset's value, then the second's.

    Returns:
        `parameters`: values in units by name. `lines`: texts by SECTION.KEY of other lines, and of
        parameters that one file has no line for; None stands for the line that is not there.
        `meta`: texts by entry, likewise.
    """
    parameters: dict[str, list[float]] = {}
    lines: dict[str, list[str | None]] = {}
    values = (named_values(first), named_values(second))
    for section, key in dict.fromkeys(first.keys + second.keys):
        name = f"{section}.{key}"
        texts = [preset.get(section, key) for preset in (first, second)]
        if name in values[0] and None not in texts:
            pair = [one[name] for one in values]
            if pair[0] != pair[1]:
                parameters[name] = pair
        elif texts[0] != texts[1]:
            lines[name] = texts
    return {
        "preset": first.source,
        "other": second.source,
        "parameters": parameters,
        "lines": lines,
        "meta": {
            key: [first.meta.get(key), second.meta.get(key)]
            for key in first.meta | second.meta
            if first.meta.get(key) != second.meta.get(key)
        },
    }


def named_values(preset: Preset) -> dict[str, float]:
    """Values of all parameters by name, in units."""
    from deepdiva.synths.diva import DIVA

    return dict(zip(DIVA.names, preset.values().tolist(), strict=True))
