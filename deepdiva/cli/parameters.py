"""`deepdiva parameters`: what can be set, and to what."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deepdiva.cli._common import json_option, print_json
from deepdiva.cli._tables import by_section, results_console, table_of
from deepdiva.errors import InvalidValueError, UnknownNameError

if TYPE_CHECKING:
    from deepdiva.parameters import Parameter, ParameterTable

SHOWN_CHOICES = 4


@click.command("parameters")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option(
    "--plugin",
    "--vst-path",
    "plugin",
    type=click.Path(path_type=Path),
    help="VST plug-in whose parameters are listed instead.",
)
@click.option(
    "--acting",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PRESET",
    help="List only what shapes the sound of this preset, with its values.",
)
@json_option
def command(
    words: tuple[str, ...], plugin: Path | None, acting: Path | None, as_json: bool
) -> None:
    """List Diva's parameters, with their ranges and choices.

    WORD is looked for in names, titles and descriptions; several must all occur. A name or an index
    shows one parameter in full. The defaults are those of the preset MS-REV1, with --plugin those
    that the plug-in loads with.
    """
    table = table_from(plugin)
    found = matching(" ".join(words), table)
    if acting is not None:
        if plugin is not None:
            raise InvalidValueError("--acting reads presets of Diva: leave out --plugin.")
        show_acting(acting, found, as_json=as_json)
    elif as_json:
        print_json([described(parameter) for parameter in found])
    elif len(found) == 1:
        show_one(found[0])
    else:
        show_many(found)


def table_from(plugin: Path | None) -> ParameterTable:
    """Parameters of a plug-in; Diva's without one.

    Raises:
        MissingFileError: there is no such plug-in.
        RenderError: it cannot be loaded.
    """
    from deepdiva.synths.diva import DIVA

    if plugin is None:
        return DIVA
    from deepdiva.renderers import make_renderer

    with closing(make_renderer(None, plugin)) as renderer:
        return renderer.table


def matching(text: str, table: ParameterTable) -> tuple[Parameter, ...]:
    """The parameter of a name or an index, or all in which the words occur.

    Raises:
        UnknownNameError: there is none.
    """
    if text in table:
        return (table[text],)
    if text.isdecimal() and len(text) < 9:
        return (table[int(text)],)
    found = table.search(text)
    if not found:
        raise UnknownNameError(
            f"No parameter of {table.name.title()} has to do with {text!r}: `deepdiva parameters` "
            "without a word lists all."
        )
    return found


def show_acting(path: Path, among: tuple[Parameter, ...], *, as_json: bool) -> None:
    """Print which of some parameters shape the sound of a preset, and their values.

    Raises:
        MissingFileError: there is no such preset.
        PresetError: it is no preset of Diva.
    """
    from deepdiva.cli._values import value_text
    from deepdiva.note import Note
    from deepdiva.synths.diva.acting import acts
    from deepdiva.synths.diva.preset import Preset
    from deepdiva.synths.diva.synthesizer import SYNTHESIZER

    patch = Preset.read(path).values()
    names = acts(patch)
    found = [parameter for parameter in among if parameter.name in names]
    if as_json:
        print_json(
            [
                {**described(parameter), "value": float(patch[parameter.index])}
                for parameter in found
            ]
        )
        return
    table = table_of("Parameter", "Value", "What it does")
    for group in by_section(found).values():
        table.add_section()
        for parameter in group:
            value = float(patch[parameter.index])
            shown = value_text(parameter, value, SYNTHESIZER, patch, Note.pitch)
            table.add_row(parameter.name, shown, parameter.description)
    results_console().print(table)


def show_many(parameters: tuple[Parameter, ...]) -> None:
    """Print a line or two for each parameter."""
    table = table_of("", "Parameter", "Values", "Default", "What it does")
    for group in by_section(parameters).values():
        table.add_section()
        for parameter in group:
            table.add_row(
                str(parameter.index),
                parameter.name,
                choices(parameter, SHOWN_CHOICES),
                parameter.label(parameter.default),
                parameter.description,
            )
    results_console().print(table)


def show_one(parameter: Parameter) -> None:
    """Print everything about one parameter."""
    lines = {
        "index": str(parameter.index),
        "title": parameter.title,
        "host name": parameter.host_name,
        "kind": parameter.kind,
        "values": choices(parameter, len(parameter.choices)),
        "default": parameter.label(parameter.default),
        "in a file": (parameter.spelling or "only in the extended format") if parameter.key else "",
        "what it does": parameter.description,
    }
    screen = results_console()
    screen.print(parameter.name, style="bold")
    for heading, text in lines.items():
        if not text:
            continue
        screen.print(f"{heading:>12}  {text}", soft_wrap=True)


def choices(parameter: Parameter, most: int) -> str:
    """Range or choices in words; of a longer list than `most` the first and the last."""
    if parameter.kind in ("float", "int"):
        return f"{parameter.minimum:g} to {parameter.maximum:g} {parameter.unit}".rstrip()
    labels = [
        f"{choice.value:g}"
        if choice.label == f"{choice.value:g}"
        else f"{choice.value:g} {choice.label}"
        for choice in parameter.choices
    ]
    if len(labels) > most:
        return f"{labels[0]}, {labels[1]} ... {labels[-1]}"
    return ", ".join(labels)


def described(parameter: Parameter) -> dict[str, Any]:
    """A parameter for `--json`; `position` is where a host puts the choice, in [0, 1]."""
    positions = parameter.choice_positions.tolist()
    return {
        "index": parameter.index,
        "name": parameter.name,
        "section": parameter.section,
        "key": parameter.key,
        "title": parameter.title,
        "host_name": parameter.host_name,
        "kind": parameter.kind,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "unit": parameter.unit,
        "choices": [
            {"value": choice.value, "label": choice.label, "position": position}
            for choice, position in zip(parameter.choices, positions, strict=True)
        ],
        "default": parameter.default,
        "spelling": parameter.spelling,
        "description": parameter.description,
    }
