"""What many tests share: the measured facts, presets and recordings that lie beside the project.

They are no part of the project. Without them the tests that need them are skipped; in continuous
integration they fail, so that nothing is left out unnoticed.
"""

import importlib.util
import os
import sys
from pathlib import Path

import hypothesis
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many processes as processors test side by side: threads would only wait for each other.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# The engine plays with its own constants, whatever the user of this machine has calibrated.
os.environ["DEEPDIVA_SETTINGS"] = os.devnull

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


def _plugin(path, package):
    """A plug-in that is played in tests, or a skip (in continuous integration, a failure)."""
    missing = "" if path.exists() else f"{path} does not exist; Debian's {package} holds it"
    if importlib.util.find_spec("dawdreamer") is None:
        missing = "DawDreamer is not installed: pip install 'deepdiva[plugin]'"
    if missing and "CI" in os.environ:
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def amsynth():
    """A subtractive synthesizer of 41 parameters, some of them classes."""
    return _plugin(Path("/usr/lib/vst/amsynth_vst.so"), "amsynth")


@pytest.fixture(scope="session")
def nekobi():
    """A bass synthesizer of 8 parameters, 30 times faster than amsynth."""
    return _plugin(Path("/usr/lib/vst/Nekobi-vst.so"), "dpf-plugins-vst")


@pytest.fixture(scope="session")
def kars():
    """A plucked string that is excited by noise: no two renders are alike."""
    return _plugin(Path("/usr/lib/vst/Kars-vst.so"), "dpf-plugins-vst")


@pytest.fixture(scope="session")
def vst3():
    """A VST 3 build of Nekobi, which no package holds; DEEPDIVA_TEST_VST3 names it."""
    if "DEEPDIVA_TEST_VST3" not in os.environ:
        pytest.skip("DEEPDIVA_TEST_VST3 names no VST 3 build of Nekobi (README of dpf-plugins)")
    return _plugin(Path(os.environ["DEEPDIVA_TEST_VST3"]), "dpf-plugins (source)")


@pytest.fixture(scope="session")
def standins():
    """The folder of stand-ins, on the import path of this process and of workers."""
    folder = str(Path(__file__).parent / "standins")
    sys.path.insert(0, folder)
    yield Path(folder)
    sys.path.remove(folder)
