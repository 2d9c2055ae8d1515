"""`deepdiva app`: the page."""

from __future__ import annotations

from pathlib import Path

import click

from deepdiva.cli._tables import echo
from deepdiva.errors import MissingFeatureError

USUAL_PORT = 8421


@click.command("app")
@click.argument("sounds", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("matched"),
    show_default=True,
    help="Where sounds, presets and searches are kept, made if missing; also one in which deepdiva "
    "refine was at work.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=USUAL_PORT,
    show_default=True,
    help="Where the server listens, on this machine alone; 0 for any that is free.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    help="Candidates that a search tries at most, whatever the page asks for.",
)
@click.option(
    "--no-compile",
    is_flag=True,
    help="Do not compile the rest of the engine in the background, which happens once.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def command(
    sounds: tuple[Path, ...],
    folder: Path,
    port: int,
    evaluations: int | None,
    no_compile: bool,
    no_browser: bool,
) -> None:
    """Open a page that matches sounds: drop one, hear it become a preset.

    The page is served on this machine to this machine, at an address with a key in it. Closing it
    stops nothing; Ctrl-C does, and the next start goes on where the searches stood.
    """
    try:
        from deepdiva.app.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise MissingFeatureError(
            f"The page needs {error.name}: pip install 'deepdiva[app]'."
        ) from error

    def on_open(address: str) -> None:
        echo(f"DeepDiva is open at {address}")
        echo("Ctrl-C ends it.", err=True)
        if not no_browser:
            import webbrowser

            webbrowser.open(address)

    serve(folder, sounds, port, on_open, evaluations, compiles=not no_compile)
