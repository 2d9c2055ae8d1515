"""The engine in processes of its own: what is compiled and kept, what is said, how much memory."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from deepdiva.engine import stages
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.panel_renderer import PanelRenderer

ROOT = Path(__file__).parents[2]
FIRST_RENDER = """
from time import process_time
import numpy as np
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
began = process_time()
audio = PanelRenderer().render(DIVA.defaults()[None], Note(render_seconds=0.1))
print(process_time() - began, audio.tobytes().hex())
"""
PEAK = """
from pathlib import Path
import numpy as np
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.note import Note
from deepdiva.synths.diva import DIVA
patches = DIVA.defaults()[None].repeat(1000, axis=0)
patches[:, DIVA.index("VCC.Voicing")] = 2
audio = PanelRenderer().render(patches, Note())
assert audio.nbytes == 1000 * 88200 * 4
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


def run(program, **variables):
    """Standard output and error of a program in a fresh interpreter."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def test_the_kernels_are_compiled_once_and_say_so(tmp_path):
    """The second process finds them on disk, is silent, compiles nothing, plays the same bits."""
    place = {"NUMBA_CACHE_DIR": str(tmp_path / "numba"), "DEEPDIVA_CACHE": str(tmp_path)}
    cold, said = run(FIRST_RENDER, **place)
    assert re.fullmatch(r"Compiling the embedded engine .*\n", said)
    warm, silence = run(FIRST_RENDER, **place)
    assert silence == ""
    assert warm[1] == cold[1]
    assert float(warm[0]) < 0.1 * float(cold[0])


def test_a_kernel_is_known_by_its_text(monkeypatch, tmp_path):
    """Its file is named after what is in it, so one that a change made is never another's."""
    monkeypatch.setenv("DEEPDIVA_CACHE", str(tmp_path))
    first, second = (stages._load(f"KEY = {k}\n", "trial") for k in (1, 2))
    assert (first.KEY, second.KEY) == (1, 2)
    assert len(list(stages.kernel_folder().glob("*trial*.py"))) == 2


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_kernels_never_lie_where_others_can_write(monkeypatch, tmp_path):
    """The usual temporary folder is taken only where it is this user's and nobody else's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stages._temporary_folder.cache_clear()
    private = stages._temporary_folder()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    private.chmod(0o777)
    stages._temporary_folder.cache_clear()
    other = stages._temporary_folder()
    assert other != private
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    stages._temporary_folder.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_a_thousand_patches_stay_below_a_gibibyte():
    peak, _ = run(PEAK)
    assert int(peak[0]) < 1024 * 1024


def test_a_silent_tail_holds_no_denormal_numbers():
    """Below 1e-38 arithmetic takes many times longer on most processors."""
    rng = np.random.default_rng(0)
    patches = DIVA.defaults()[None].repeat(64, axis=0)
    for name in ("OSC.Vol1", "OSC.Vol2", "OSC.Tune2", "OSC.PW", "VCF1.Freq", "VCF1.Res"):
        patches[:, DIVA.index(name)] = DIVA[name].to_unit(rng.random(64))
    for name in ("ENV1.Model", "OSC.Wave1", "OSC.Wave2"):
        patches[:, DIVA.index(name)] = DIVA[name].to_unit(rng.random(64))
    patches[::4, DIVA.index("OSC.Vol1")] = 0.0
    patches[::8, DIVA.index("OSC.Vol2")] = 0.0
    patches[::16, DIVA.index("ENV1.Sus")] = 0.0
    patches[::16, DIVA.index("ENV1.Dec")] = 0.0
    tail = PanelRenderer().render(patches, Note(length_seconds=0.1, render_seconds=3.0))
    tail = np.abs(tail[:, 44100:])
    assert tail.max() < 1e-12
    assert ((tail > 0) & (tail < np.finfo(np.float32).tiny)).mean() < 1e-4


def test_silence_takes_no_longer_than_sound():
    patches = DIVA.defaults()[None].repeat(16, axis=0)
    engine = PanelRenderer()

    def seconds(note):
        best = np.inf
        for _ in range(5):
            began = time.process_time()
            engine.render(patches, note)
            best = min(best, time.process_time() - began)
        return best

    held = seconds(Note(length_seconds=4.0, render_seconds=4.0))
    released = seconds(Note(length_seconds=0.05, render_seconds=4.0))
    assert released < 2.0 * held
