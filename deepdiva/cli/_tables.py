"""Tables on stdout, shared by the commands that show parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from deepdiva.names import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from deepdiva.parameters import Parameter


def safe_console(**options: Any) -> Console:
    """Rich console that shows no letter that could upset a terminal (`printable`).

    Args:
        options: of `rich.console.Console`.
    """
    from rich.console import Console

    class SafeConsole(Console):
        """Every text passes here, of cells of tables, too."""

        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

    return SafeConsole(highlight=False, **options)


def results_console() -> Console:
    """Rich console on stdout, which shows text as it is: no markup, no highlighting."""
    return safe_console(markup=False, emoji=False)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line without what could upset a terminal."""
    click.echo(printable(text), err=err)


def table_of(*headings: str) -> Table:
    """An empty table with these headings, as narrow as its content allows."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading else "right", overflow="fold")
    return table


def plain_table(*headings: str) -> Table:
    """A table without lines, two spaces between its columns."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def by_section(parameters: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    """Parameters by section; late additions to the plug-in join the others of theirs."""
    sections: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        sections.setdefault(parameter.section, []).append(parameter)
    return sections
