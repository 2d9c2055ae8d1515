"""The README names every part under a copyleft licence that the core and the extras install."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
COPYLEFT = re.compile(r"GPL|General Public|MPL|Mozilla|EPL|EUPL|CDDL")
EXTRAS = ("app", "plugin", "dask", "ray", "evaluation", "optimizers")


def licence(distribution):
    """What the metadata says, without the text of the licence itself."""
    about = distribution.metadata
    said = [about.get("License-Expression") or "", (about.get("License") or "")[:80]]
    said += [line for line in about.get_all("Classifier", []) if line.startswith("License")]
    return " ".join(said)


def installed(requirements):
    """Everything that is installed for the sake of some requirements."""
    found, todo = {}, [(Requirement(text), "") for text in requirements]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = re.sub("[-_.]+", "-", requirement.name).lower()
        if name in found and not requirement.extras:
            continue
        try:
            distribution = importlib.metadata.distribution(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        found[name] = distribution
        for inner in distribution.requires or []:
            todo += [(Requirement(inner), wanted) for wanted in ("", *requirement.extras)]
    return found


def test_copyleft_parts_are_named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = list(project["dependencies"])
    core = {name for name, part in installed(wanted).items() if COPYLEFT.search(licence(part))}
    assert not {"directsearch", "dtw-python", "dawdreamer"} & core
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    parts = {name for name, part in installed(wanted).items() if COPYLEFT.search(licence(part))}
    statement = (ROOT / "README.md").read_text("utf-8").split("## Licence")[1]
    assert parts
    assert {name for name in parts if f"| {name}" not in statement} == set()
