"""What many tests share: the measured facts, presets and recordings that lie beside the project.

They are no part of the project. Without them the tests that need them are skipped; in continuous
integration they fail, so that nothing is left out unnoticed.
"""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="session")
def shared():
    """The folder `shared` beside the repository, or the one that DEEPDIVA_SHARED names."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("DEEPDIVA_SHARED", beside))
    if not folder.is_dir():
        reason = f"{folder} does not exist; DEEPDIVA_SHARED may name another folder"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def diva_presets(shared):
    """Paths of the 62 presets: one saved by Diva, 61 by another tool."""
    paths = sorted((shared / "presets").glob("*.h2p"))
    assert len(paths) == 62
    return paths


@pytest.fixture(scope="session")
def ms_rev1_path(shared):
    """Path of the preset MS-REV1 as Diva saved it."""
    return shared / "presets" / "maudgrol__MS-Rev1_deepdiva.h2p"


@pytest.fixture(scope="session")
def diva_recordings(shared):
    """Paths of the 25 recordings of the real Diva, by number."""
    paths = sorted(
        (shared / "diva25").glob("*.wav"), key=lambda path: int(path.stem.rsplit("_", 1)[1])
    )
    assert len(paths) == 25
    return paths
