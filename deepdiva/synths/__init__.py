"""Synthesizers: a folder for each holds all that is known of one alone.

`synthesizer_of` finds what is known of the synthesizer of a parameter table. A second synthesizer
is one more folder and one more row of `KNOWN`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepdiva.parameters import ParameterTable
    from deepdiva.synths.synthesizer import Synthesizer

KNOWN = {"diva": "deepdiva.synths.diva"}
"""Name of a table to the folder of its synthesizer; imported on use.

The folder's module `synthesizer` holds a `SYNTHESIZER`; its module `plugin` has a function `bind`,
which gives a `PluginBinding` for the synthesizer's plug-in and None for others.
"""


def find_synthesizer(name: str) -> Synthesizer:
    """The synthesizer of a name.

    Raises:
        UnknownNameError: none of `KNOWN`.
    """
    from deepdiva.errors import UnknownNameError

    if name not in KNOWN:
        raise UnknownNameError(
            f"synthesizer {name!r}: it must be one of {', '.join(KNOWN)}; others are known by "
            "their plug-in."
        )
    found: Synthesizer = import_module(f"{KNOWN[name]}.synthesizer").SYNTHESIZER
    return found


def synthesizer_of(table: ParameterTable) -> Synthesizer:
    """What is known of the synthesizer of a table: of one that is not `KNOWN`, its parameters."""
    from deepdiva.synths.synthesizer import Synthesizer

    if table.name in KNOWN:
        found = find_synthesizer(table.name)
        if found.table == table:
            return found
    return Synthesizer(table)
