"""`deepdiva doctor`: what is installed, which plug-ins work, how fast, and what to do if not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deepdiva.cli._common import (
    console,
    force_option,
    json_option,
    note_options,
    print_json,
    renderer_options,
)
from deepdiva.cli._tables import echo
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice

if TYPE_CHECKING:
    from rich.console import Console

    from deepdiva.hosts.check import Check
    from deepdiva.hosts.plugin_renderer import PluginRenderer

EXIT_PROBLEM = 1

_MARKS = {
    "fine": "[green]fine[/green]",
    "note": "[yellow]note[/yellow]",
    "problem": "[red]problem[/red]",
}


@click.command("doctor")
@note_options
@renderer_options
@click.option(
    "--install",
    "presets",
    multiple=True,
    metavar="PRESET",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Only put a preset where Diva's browser finds it; may be given again.",
)
@click.option(
    "--compile",
    "compiles",
    is_flag=True,
    help="Compile the embedded engine for all chains, once for this installation; takes minutes.",
)
@force_option
@json_option
@click.pass_context
def command(
    context: click.Context, note: Note, renderer: RendererChoice, presets: tuple[Path, ...],
    compiles: bool, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Examine what rendering needs, and play a few notes.

    Looks at the packages, the plug-in hosts, the usual plug-in folders and the embedded engine; and
    loads Diva where it is found, or the plug-in of --plugin. Plug-ins run in processes of their
    own: one that crashes is a finding. The exit code is 1 if there is a problem.
    """
    if presets:
        install(presets, force=force, as_json=as_json)
        return
    screen = console()
    if compiles:
        seconds = compile_all(screen)
        if as_json:
            print_json({"compiled_seconds": round(seconds, 1)})
        else:
            echo(f"Compiled in {seconds:.0f} s: every command starts warm from now on.")
        return
    checks = []
    with screen.status("Looking") as status:
        for check in examine(note, renderer):
            checks.append(check)
            status.update(f"{check.topic}: {check.subject}")
    problems = sum(check.status == "problem" for check in checks)
    if as_json:
        print_json({"problems": problems, "checks": [asdict(check) for check in checks]})
    else:
        show(checks)
    if problems:
        context.exit(EXIT_PROBLEM)


def install(presets: tuple[Path, ...], *, force: bool, as_json: bool) -> None:
    """Copy presets into Diva's folder of user presets, and say where they lie."""
    from deepdiva.synths.diva.user_folder import install_preset

    installed = [install_preset(preset, force=force) for preset in presets]
    if as_json:
        print_json({"installed": installed})
    for path in () if as_json else installed:
        echo(f"{path}: in Diva's browser below User, after a rescan.")


def compile_all(screen: Console) -> float:
    """Compile whatever a search may need; what is on disk already takes no time.

    Returns:
        Seconds.
    """
    from deepdiva.cli._refine_report import Bar
    from deepdiva.synths.diva.warmth import mark_warm, warm_steps

    began = time.monotonic()
    steps = warm_steps()
    with Bar(screen, "compiling", len(steps)) as bar:
        for number, step in enumerate(steps, start=1):
            step()
            bar.part(number, len(steps))
    mark_warm()
    return time.monotonic() - began


def examine(note: Note, choice: RendererChoice) -> Iterator[Check]:
    """All checks, in the order in which one thing rests upon another."""
    from deepdiva.hosts import checkup
    from deepdiva.hosts.discovery import find_plugins
    from deepdiva.renderers import make_renderer

    yield from checkup.check_packages()
    engine = make_renderer(constants=choice.constants)
    yield from checkup.check_renderer("embedded engine", engine, note)
    yield check_constants(choice)
    yield from checkup.check_hosts()
    plugins = find_plugins()
    yield from checkup.check_folders(plugins)
    renderer = chosen(choice, any(plugin.looks_like_diva for plugin in plugins))
    if renderer is not None:
        try:
            yield from checkup.check_plugin(renderer, note)
        finally:
            renderer.close()


def check_constants(choice: RendererChoice) -> Check:
    """Whose constants the embedded engine plays with."""
    from deepdiva.hosts.check import Check
    from deepdiva.synths.diva.own_constants import chosen_constants, constants_file

    topic, subject = "embedded engine", "constants"
    own = chosen_constants(choice.constants)
    if own is None:
        return Check(topic, subject, "fine", "its own; deepdiva calibrate fits them to your Diva")
    quality = own.plugin.get("quality", "")
    finding = (
        f"{len(own.values)} fitted to {own.title}{f', {quality}' if quality else ''}: "
        f"{constants_file(choice.constants)}"
    )
    return Check(topic, subject, "fine", finding)


def chosen(choice: RendererChoice, has_diva: bool) -> PluginRenderer | None:
    """The plug-in to examine: the user's, or Diva; None where there is neither.

    Raises:
        MissingFileError: the user named a plug-in that does not exist.
    """
    from deepdiva.hosts.settings import HOSTS
    from deepdiva.renderers import make_plugin_renderer, renderer_kind

    if choice.plugin is None and not has_diva:
        return None
    named = choice.name if choice.name in HOSTS else None
    kind = renderer_kind(named, choice.plugin or "")
    return make_plugin_renderer(kind, choice.plugin, quality=choice.quality)


def show(checks: list[Check]) -> None:
    """Print the findings as a table, and below it what to do."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from deepdiva.cli._tables import safe_console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "Looked at", "Found"):
        table.add_column(heading, overflow="fold")
    topic = ""
    for check in checks:
        if check.topic != topic:
            topic = check.topic
            table.add_section()
            table.add_row("", f"[bold]{escape(topic)}[/bold]", "")
        found = escape(check.finding)
        if check.remedy:
            found += f"\n[cyan]-> {escape(check.remedy)}[/cyan]"
        table.add_row(_MARKS[check.status], escape(check.subject), found)
    screen = safe_console(emoji=False)
    screen.print(table)
    problems = sum(check.status == "problem" for check in checks)
    screen.print("No problem found." if not problems else f"[red]{problems} to mend.[/red]")
