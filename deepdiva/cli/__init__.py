"""The command line. `deepdiva --help` loads click and nothing heavier.

A command is one file in this package that defines `command`, and one line in `COMMANDS`. Its
module is imported when the command is called, and heavy libraries are imported inside the
functions that use them.
"""

from __future__ import annotations

import errno
import importlib
import io
import sys
from typing import IO, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from deepdiva import __version__
from deepdiva.errors import DeepDivaError
from deepdiva.interruption import exit_code
from deepdiva.names import printable


class Entry(NamedTuple):
    """A row of the table of commands.

    Attributes:
        module: where the command lives; its attribute `command` is a `click.Command`.
        short_help: what `deepdiva --help` says of it.
    """

    module: str
    short_help: str


COMMANDS = {
    "app": Entry("deepdiva.cli.app", "Open a page: drop a sound, hear it become a preset."),
    "refine": Entry("deepdiva.cli.refine", "Search for the patch that sounds like a recording."),
    "predict": Entry("deepdiva.cli.predict", "Predict the patch behind a sound, in a second."),
    "hear": Entry("deepdiva.cli.hear", "Say what a recording holds, before it is matched."),
    "find": Entry("deepdiva.cli.find", "Find the presets of a folder that are nearest to a sound."),
    "render": Entry("deepdiva.cli.render", "Play presets and write what they sound like."),
    "inspect": Entry("deepdiva.cli.inspect", "Show what a preset holds, or how two differ."),
    "parameters": Entry("deepdiva.cli.parameters", "List Diva's parameters and their ranges."),
    "dataset": Entry("deepdiva.cli.dataset", "Make sounds with known patches to learn from."),
    "features": Entry("deepdiva.cli.features", "Compute mel spectrograms or MFCCs of a data set."),
    "train": Entry("deepdiva.cli.train", "Train a network that predicts patches from sounds."),
    "testset": Entry("deepdiva.cli.testset", "List, get or make test sets."),
    "evaluate": Entry("deepdiva.cli.evaluate", "Score predictors and searches on many sounds."),
    "compare": Entry("deepdiva.cli.compare", "Say what changed from one evaluation to the next."),
    "calibrate": Entry(
        "deepdiva.cli.calibrate", "List the engine's constants, or fit them to known sounds."
    ),
    "doctor": Entry("deepdiva.cli.doctor", "Check what is installed, and how plug-ins do."),
    "help": Entry("deepdiva.cli.help", "Explain a topic or a command."),
}

EXIT_USER_ERROR = 2
# Refusals of the operating system that the user, and not the program, can mend.
_ENVIRONMENT = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
        *(errno.ENAMETOOLONG, errno.ENOTDIR),
    }
)


class Failure(click.ClickException):
    """One red line on stderr, no traceback."""

    exit_code = EXIT_USER_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        click.secho(f"Error: {printable(self.message)}", fg="red", file=file, err=True)


_OF_TRAINING = ("torch", "zuko")
"""What only training needs, and networks that came without a player of their own."""


class CommandTable(click.Group):
    """Commands that are imported when they are called, and errors that are shown in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name].module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name].module}.command is no click.Command.")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands that begin so, without importing them."""
        found = [
            CompletionItem(name, help=entry.short_help)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short_help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; errors that the user can mend become one line, bugs stay tracebacks."""
        try:
            return super().invoke(ctx)
        except DeepDivaError as error:
            raise Failure(str(error)) from error
        except ModuleNotFoundError as error:
            if error.name not in _OF_TRAINING:
                raise
            raise Failure(
                f"This needs {error.name}, which is not installed: pip install 'deepdiva[train]'. "
                "Matching and predicting with the networks of deepdiva work without it."
            ) from error
        except OSError as error:
            if error.errno not in _ENVIRONMENT:
                raise
            where = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{where}{error.strerror}.") from error
        except KeyboardInterrupt as error:
            Failure("Interrupted.").show()
            raise click.exceptions.Exit(exit_code(error)) from None


@click.group(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="deepdiva")
def main() -> None:
    """Match the sound of a synthesizer: audio in, a preset for u-he Diva out."""
    # The name of a file that the terminal cannot spell is no reason to stop between two sounds.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
