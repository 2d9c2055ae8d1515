"""Install the lowest or the newest versions that `pyproject.toml` allows, and try them.

    python scripts/versions.py lowest              # into .venv-lowest: the demo, then some tests
    python scripts/versions.py newest --tests tests
    python scripts/versions.py lowest --resolve    # only whether pip finds wheels for all of it

The lowest environment holds every direct dependency at the version that its `>=` names, as a wheel.
Warnings are no errors there: neighbours of another age warn of each other.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOUND = ROOT / "examples" / "amsynth_brass.flac"
TESTS = ("tests/test_audio.py", "tests/distance", "tests/promises/test_chain.py")
TEST_EXTRAS = "evaluation"
TOOLS = ("pytest>=8.2", "hypothesis>=6.100", "packaging")


def lowest(extras: tuple[str, ...] = (TEST_EXTRAS,)) -> list[str]:
    """Pins `name==version` of all direct dependencies, of the core and of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    return [re.sub(r">=\s*", "==", requirement) for requirement in wanted]


def run(*command: object) -> None:
    """Run a program; its failure ends this one."""
    print("$", *command, flush=True)
    done = subprocess.run([*map(str, command)], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Make the environment and try it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=("lowest", "newest"))
    parser.add_argument("--tests", nargs="*", default=TESTS, help="What pytest runs.")
    parser.add_argument("--resolve", action="store_true", help="Install nothing.")
    arguments = parser.parse_args()

    folder = ROOT / f".venv-{arguments.which}"
    if not folder.exists():
        venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pins = folder / "pins.txt"
    pins.write_text("\n".join(lowest() if arguments.which == "lowest" else []) + "\n")
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--only-binary", ":all:")
    wheels = ("--constraint", pins, "--no-binary", "deepdiva")
    if arguments.resolve:
        run(*pip, "--dry-run", "--quiet", *wheels, f".[{TEST_EXTRAS}]")
        return
    upgrade = ("--upgrade", "--upgrade-strategy", "eager") if arguments.which == "newest" else ()
    run(*pip, "--quiet", *upgrade, *wheels, f".[{TEST_EXTRAS}]", *TOOLS)
    demo = ("--output", folder / "demo", "--evaluations", "500", "--force")
    run(python, "-m", "deepdiva", "refine", SOUND, *demo)
    if arguments.tests:
        lenient = ("-W", "default") if arguments.which == "lowest" else ()
        run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *lenient, *arguments.tests)


if __name__ == "__main__":
    main()
