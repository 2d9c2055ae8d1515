"""Predicting needs no PyTorch; what does need it says so."""

import subprocess
import sys

import numpy as np
import pytest

from deepdiva.audio import write_wav

PROGRAM = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "zuko"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NotInstalled())
from deepdiva.cli import main
main({arguments!r}, standalone_mode=True)
"""


def run(*arguments):
    program = PROGRAM.format(arguments=list(map(str, arguments)))
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_a_sound_is_answered_without_torch(tmp_path):
    time = np.arange(88200) / 44100
    sound = tmp_path / "tone_k48.wav"
    write_wav(sound, (0.1 * np.sin(2 * np.pi * 130.8128 * time)).astype(np.float32), 44100)
    done = run(
        "predict", sound, "--space", "ms-rev1", "-k", "1", "-o", tmp_path / "a", "--jobs", "1"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a" / "tone_k48.h2p").is_file()


@pytest.mark.parametrize("arguments", [("train", "--online", "--epochs", "1")])
def test_what_needs_torch_says_how_to_get_it(tmp_path, arguments):
    done = run(*arguments, "--model-path", tmp_path)
    assert done.returncode != 0
    assert "deepdiva[train]" in done.stderr
    assert "Traceback" not in done.stderr
