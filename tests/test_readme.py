"""What the documents tell the reader to type exists."""

import re
import shlex
from pathlib import Path

import click
import pytest

from deepdiva.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def typed(name):
    """Words of every shell line in a document, comments left out."""
    text = (ROOT / name).read_text("utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            # posix=False: a Windows path keeps its backslashes
            words = shlex.split(line, comments=True, posix=False)
            if words:
                yield words


def lines_of(program):
    lines = [words for name in DOCUMENTS for words in typed(name) if words[0] == program]
    assert lines, f"no document shows {program}"
    return lines


def test_commands_and_their_options_exist():
    context = click.Context(main)
    for _, name, *arguments in lines_of("deepdiva"):
        assert name in COMMANDS
        command = main.get_command(context, name)
        if isinstance(command, click.Group) and arguments[0] in command.commands:
            command = command.commands[arguments[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("-")} <= options


def test_every_command_is_shown():
    assert {words[1] for words in lines_of("deepdiva")} == set(COMMANDS)


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for words in lines_of("make"):
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words


@pytest.mark.parametrize("name", [*DOCUMENTS, "CHANGELOG.md"])
def test_links_inside_the_repository_lead_somewhere(name):
    text = (ROOT / name).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_files_that_are_named_exist():
    text = "\n".join((ROOT / name).read_text("utf-8") for name in DOCUMENTS)
    named = set(re.findall(r"\b(?:deepdiva|tests|scripts|examples)/[\w/]+\.\w+", text))
    assert "examples/amsynth_brass.flac" in named
    assert {path for path in named if not (ROOT / path).exists()} == set()
