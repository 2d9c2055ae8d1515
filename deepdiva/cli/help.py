"""`deepdiva help`: topics, from the text of the documentation, and the help of commands."""

from __future__ import annotations

import sys
from importlib.resources import files

import click

from deepdiva.cli import COMMANDS, main
from deepdiva.cli._common import json_option, print_json
from deepdiva.errors import UnknownNameError

TOPICS = {
    "producer": "From a recording to a preset in five minutes.",
    "researcher": "Sounds with known patches, a network, an evaluation: in five minutes, too.",
    "grades": "What good, fair, poor and failed mean, and what they rest on.",
    "messages": "What DeepDiva says, and what to do.",
}


@click.command("help")
@click.argument("topic", required=False)
@json_option
def command(topic: str | None, as_json: bool) -> None:
    """Explain a TOPIC, or a command; without one, list them.

    The text is that of the documentation.
    """
    if topic is None:
        _list(as_json=as_json)
    elif topic in TOPICS:
        text = topic_text(topic)
        if as_json:
            print_json({"topic": topic, "text": text})
        else:
            _show(text)
    elif topic in COMMANDS:
        main.main([topic, "--help"], prog_name="deepdiva", standalone_mode=False)
    else:
        raise UnknownNameError(
            f"There is no help on {topic!r}: topics are {', '.join(TOPICS)}, and every command is "
            "one."
        )


def topic_text(topic: str) -> str:
    """The text of a topic, Markdown."""
    return (files("deepdiva.cli") / "topics" / f"{topic}.md").read_text("utf-8")


def _list(*, as_json: bool) -> None:
    """Print the topics and the commands."""
    if as_json:
        commands = {name: entry.short_help for name, entry in COMMANDS.items()}
        print_json({"topics": TOPICS, "commands": commands})
        return
    formatter = click.HelpFormatter()
    with formatter.section("Topics"):
        formatter.write_dl(list(TOPICS.items()))
    with formatter.section("Commands"):
        formatter.write_dl([(name, entry.short_help) for name, entry in COMMANDS.items()])
    click.echo(formatter.getvalue(), nl=False)


def _show(text: str) -> None:
    """Print a text: laid out on a terminal, as it is elsewhere."""
    if not sys.stdout.isatty():
        click.echo(text, nl=False)
        return
    from rich.markdown import Markdown

    from deepdiva.cli._tables import results_console

    results_console().print(Markdown(text))
