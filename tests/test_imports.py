"""Imports point one way, and importing does nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each room may import besides itself; the command line is a room of its own here.
CORE = "core"
ALLOWED = {
    CORE: set(),
    "search": {CORE},
    "models": {CORE},
    "data": {CORE},
    "evaluation": {CORE, "search", "models", "data"},
    "pipeline": {CORE, "search", "models", "data", "evaluation"},
    "app": {CORE, "search", "models", "data", "evaluation", "pipeline"},
    "cli": {CORE, "search", "models", "data", "evaluation", "pipeline", "app"},
    # What `import deepdiva` offers; nothing inside imports it.
    "api": {CORE, "pipeline"},
}
# Plug-in hosts, and whatever takes a tenth of a second or more to import.
HEAVY = {
    "cmaes",
    "dask",
    "dawdreamer",
    "distributed",
    "librenderman",
    "librosa",
    "matplotlib",
    "nevergrad",
    "numba",
    "pandas",
    "pooch",
    "pyloudnorm",
    "ray",
    "scipy",
    "soundfile",
    "starlette",
    "torch",
    "uvicorn",
    "zuko",
}


def sources():
    """(module, path) of every source file, under the names it is imported by."""
    for folder in ("deepdiva", "search", "models", "data", "evaluation"):
        for path in (ROOT / folder).rglob("*.py"):
            if folder == "deepdiva" and path.resolve() != path:
                continue  # a room, seen through its link
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield module if folder == "deepdiva" else f"deepdiva.{module}", path


def room_of(module):
    second = module.split(".")[1:2]
    if second == ["__main__"]:
        return "cli"
    if second == ["__init__"]:
        return "api"
    return second[0] if second and second[0] in ALLOWED else CORE


def imported(path):
    """(line, module) of every import of the package in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "deepdiva":
                yield node.lineno, name


def test_rooms_import_only_what_lies_below_them():
    strays = []
    for module, path in sources():
        room = room_of(module)
        for line, name in imported(path):
            if room_of(name) not in ALLOWED[room] | {room}:
                strays.append(f"{path.relative_to(ROOT)}:{line} ({room}) imports {name}")
    assert strays == []


def test_walk_sees_every_room():
    assert {room_of(module) for module, _ in sources()} == set(ALLOWED)


def loaded_by(*lines):
    """Top-level modules that a fresh interpreter holds after running some lines."""
    program = "\n".join(
        [*lines, "import sys", "print('LOADED', *{name.split('.')[0] for name in sys.modules})"]
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_help_loads_click_and_nothing_heavy():
    loaded = loaded_by(
        "import deepdiva.cli",
        "deepdiva.cli.main(['--help'], standalone_mode=False)",
    )
    assert "click" in loaded
    assert loaded & (HEAVY | {"numpy", "rich", "joblib"}) == set()


def test_help_of_every_command_loads_nothing_heavy():
    loaded = loaded_by(
        "import deepdiva.cli",
        "for name in deepdiva.cli.COMMANDS:",
        "    deepdiva.cli.main([name, '--help'], standalone_mode=False)",
    )
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    "module",
    ["note", "errors", "renderer", "parameters", "space", "synths.diva.preset", "audio", "files"],
)
def test_core_modules_load_nothing_heavy(module):
    assert loaded_by(f"import deepdiva.{module}") & HEAVY == set()
