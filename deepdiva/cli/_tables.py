"""Tables on stdout, shared by the commands that show parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from deepdiva.parameters import Parameter


def results_console() -> Console:
    """Rich console on stdout, which shows text as it is: no markup, no highlighting."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def table_of(*headings: str) -> Table:
    """An empty table with these headings, as narrow as its content allows."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading else "right", overflow="fold")
    return table


def by_section(parameters: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    """Parameters by section; late additions to the plug-in join the others of theirs."""
    sections: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        sections.setdefault(parameter.section, []).append(parameter)
    return sections
