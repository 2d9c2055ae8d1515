"""The recipes that the page of clusters names are there, and are what they say they are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "examples" / "clusters"


def test_the_page_names_every_recipe():
    page = (ROOT / "docs" / "clusters.md").read_text("utf-8")
    assert {path.name for path in RECIPES.iterdir()} <= set(re.findall(r"`([\w.]+)`", page))


@pytest.mark.parametrize("name", ["dask.yaml", "ray.yaml"])
def test_manifests_are_whole(name):
    for document in yaml.safe_load_all((RECIPES / name).read_text("utf-8")):
        assert {"apiVersion", "kind", "metadata", "spec"} == set(document)


def test_programs_are_written_without_slips():
    compile((RECIPES / "slurm.py").read_text("utf-8"), "slurm.py", "exec")
    bash = shutil.which("bash")
    if bash is not None:
        subprocess.run([bash, "-n", RECIPES / "ssh.sh"], check=True)
        usage = subprocess.run([bash, RECIPES / "ssh.sh"], capture_output=True, check=False)
        assert usage.returncode == 2
