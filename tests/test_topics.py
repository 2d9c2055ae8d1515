"""Topics of `deepdiva help`: they are there, links lead somewhere, and the tutorial runs."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from deepdiva.cli import COMMANDS, main
from deepdiva.cli.help import TOPICS, topic_text

ROOT = Path(__file__).parents[1]


def run(*arguments):
    result = CliRunner().invoke(main, [*arguments])
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result.stdout


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_the_text_of_the_documentation(topic):
    assert run("help", topic) == topic_text(topic)
    page = (ROOT / "docs" / "guide" / f"{topic}.md").read_text("utf-8")
    assert page == f'--8<-- "deepdiva/cli/topics/{topic}.md"\n'


def test_without_a_topic_all_are_listed():
    listed = run("help")
    assert all(name in listed for name in (*TOPICS, *COMMANDS))
    assert set(json.loads(run("help", "--json"))["topics"]) == set(TOPICS)
    assert "--fail-below" in run("help", "refine")
    refused = CliRunner().invoke(main, ["help", "nothing"])
    assert refused.exit_code == 2
    assert "topics are producer" in refused.stderr


@pytest.mark.parametrize("topic", TOPICS)
def test_options_that_a_topic_names_exist(topic):
    options = {
        option
        for name in COMMANDS
        for command in [main.get_command(None, name)]
        for one in [command, *getattr(command, "commands", {}).values()]
        for parameter in one.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", topic_text(topic)))
    assert named - options == set()


def test_the_researchers_tutorial_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```sh\n(.*?)```", topic_text("researcher"), re.DOTALL):
        for line in block.splitlines():
            run(*shlex.split(line)[1:])
    assert (tmp_path / "study" / "report" / "report.html").exists()
