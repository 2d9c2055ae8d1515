"""The wheel holds all of the package and nothing else, and what it needs is declared."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import deepdiva

ROOT = Path(__file__).parents[1]
ROOMS = ("search", "models", "data", "evaluation")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def sources():
    """Files of the five folders, relative to the root; what git ignores is left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        [*command, "deepdiva", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            yield Path(name)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what the wheel is made from, so that the build leaves nothing in the work tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in (Path("pyproject.toml"), Path("README.md"), Path("LICENSE"), *sources()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for room in ROOMS:
        (copy / "deepdiva" / room).symlink_to(Path("..", room))
    return copy


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, tree]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (file,) = folder.iterdir()
    return file


def files_to_ship():
    """Modules and data files of the tree, under the names they are installed by."""
    for path in sources():
        if path.suffix != ".md" or path.parent.name == "topics":
            yield (path if path.parts[0] == "deepdiva" else "deepdiva" / path).as_posix()


def test_wheel_holds_every_module_and_data_file_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - metadata == set(files_to_ship())
    assert "deepdiva/py.typed" in names


def test_wheel_puts_one_package_into_site_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    assert top == {"deepdiva", f"deepdiva-{deepdiva.__version__}.dist-info"}


def test_wheel_works_without_the_work_tree(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import deepdiva
assert deepdiva.__file__.startswith({str(tmp_path)!r}), deepdiva.__file__
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset
assert Preset.template().values().shape == (len(DIVA),) == (281,)
import deepdiva.search, deepdiva.models, deepdiva.data, deepdiva.evaluation
deepdiva.search.__file__.startswith({str(tmp_path)!r})
"""
    subprocess.run([sys.executable, "-I", "-c", program], check=True, cwd=tmp_path)


def test_every_package_of_the_tree_is_listed():
    packages = {"deepdiva"}
    for name in files_to_ship():
        if name.endswith("/__init__.py"):
            packages.add(name.removesuffix("/__init__.py").replace("/", "."))
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_linked_and_mapped(room):
    link = ROOT / "deepdiva" / room
    assert link.is_symlink()
    assert link.readlink() == Path("..", room)
    assert PROJECT["tool"]["setuptools"]["package-dir"][f"deepdiva.{room}"] == room


def canonical(requirement):
    """The name of a requirement, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def declared():
    project = PROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return {canonical(line) for line in [*project["dependencies"], *extras]} - {"deepdiva"}


def test_every_library_that_is_imported_is_declared():
    distributions = importlib.metadata.packages_distributions()
    imported = set()
    for path in sources():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    # librenderman is built by its users and stands in no index.
    foreign = imported - sys.stdlib_module_names - {"deepdiva", "librenderman"}
    undeclared = {
        name
        for name in foreign
        if not declared() & {canonical(owner) for owner in distributions.get(name, [name])}
    }
    assert undeclared == set()


def test_every_declared_library_is_pinned():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {canonical(line) for line in lines if not line.startswith("#")}
    assert declared() - pinned == set()


def test_version_stands_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## {re.escape(deepdiva.__version__)}\b", changelog, re.MULTILINE)
