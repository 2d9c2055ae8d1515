"""The command line as a whole: its table of commands, its errors, its exit codes."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

import deepdiva
from deepdiva.cli import COMMANDS, Entry, main
from deepdiva.errors import UnknownNameError

CLI = Path(__file__).parents[2] / "deepdiva" / "cli"


@pytest.fixture
def run(monkeypatch):
    """Runs a function as the command `probe` of the real command line."""

    def run_as_command(function, *arguments, charset="utf-8"):
        module = SimpleNamespace(command=click.command("probe")(function))
        monkeypatch.setitem(sys.modules, "deepdiva_probe", module)
        monkeypatch.setitem(COMMANDS, "probe", Entry("deepdiva_probe", "Probe."))
        return CliRunner(charset=charset).invoke(main, ["probe", *arguments])

    return run_as_command


def test_help_lists_every_command_with_its_short_help():
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.short_help)}", result.output, re.MULTILINE)


def test_table_names_every_module_of_the_folder():
    stems = {path.stem for path in CLI.glob("[a-z]*.py")}
    # `dataset_inspect` holds `deepdiva dataset inspect`.
    tops = {stem for stem in stems if stem.partition("_")[0] not in stems - {stem}}
    assert {entry.module for entry in COMMANDS.values()} == {f"deepdiva.cli.{top}" for top in tops}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {name} ")
    command = main.get_command(click.Context(main), name)
    assert command.name == name
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"deepdiva, version {deepdiva.__version__}\n"


def test_unknown_command_is_a_usage_error():
    result = CliRunner().invoke(main, ["refien"])
    assert result.exit_code == 2
    assert "No such command 'refien'" in result.stderr


def test_error_of_the_user_is_one_red_line_on_stderr(run):
    def probe():
        raise UnknownNameError("There is no VCF9.")

    result = run(probe)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: There is no VCF9.\n"


def test_error_is_red_on_a_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = CliRunner().invoke(main, ["render", "no-such.h2p"], color=True)
    assert result.stderr == click.style("Error: no-such.h2p does not exist.", fg="red") + "\n"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_refusal_of_the_system_is_an_error_of_the_user(run, code):
    def probe():
        raise OSError(code, os.strerror(code), "match.h2p")

    result = run(probe)
    assert result.exit_code == 2
    assert result.stderr == f"Error: match.h2p: {os.strerror(code)}.\n"


@pytest.mark.parametrize("bug", [ZeroDivisionError("1 / 0"), OSError(errno.EBADF, "bad file")])
def test_bug_stays_a_traceback(run, bug):
    def probe():
        raise bug

    assert run(probe).exception is bug


def test_interruption_ends_with_130(run):
    def probe():
        raise KeyboardInterrupt

    result = run(probe)
    assert result.exit_code == 130
    assert result.stderr == "Error: Interrupted.\n"


@pytest.mark.parametrize(
    ("charset", "printed"), [("utf-8", "ö ♭ \\udcf6\n"), ("latin-1", "ö \\u266d \\udcf6\n")]
)
def test_a_name_that_the_terminal_cannot_spell_is_no_error(run, charset, printed):
    def probe():
        click.echo("ö ♭ \udcf6")

    result = run(probe, charset=charset)
    assert result.exit_code == 0, result.exception
    assert result.stdout == printed


def test_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "deepdiva", "render"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: deepdiva render ")
