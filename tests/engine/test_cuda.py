"""The kernels of a graphics card: they compile without one, and equal the processor's sound."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deepdiva.engine.backends import cuda, cuda_text
from deepdiva.engine.chain import FULL, LIGHT, PLAIN
from deepdiva.engine.module import Slot
from deepdiva.engine.stages import generated
from deepdiva.errors import InvalidValueError, MissingFeatureError
from deepdiva.synths.diva import DIVA, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer

PROGRAM = Path(__file__).with_name("cuda_sim.py")


def of(slot):
    return [module for module in panel.modules() if module.slot is slot]


def steps(module):
    wanted = [PLAIN] if module.along_time else []
    return [*wanted, *([LIGHT] if module.light else []), FULL]


def kernels():
    """All that a card may be asked to play."""
    yield from cuda_text.control_texts()
    yield from cuda_text.rest_texts()
    for module in panel.modules():
        effect = module.slot is Slot.EFFECT
        yield cuda_text.effect_text(module) if effect else cuda_text.coefficients_text(module)
    for moving in (False, True):
        for module in of(Slot.OSCILLATOR):
            yield from (cuda.source_text(module, step, moving) for step in steps(module))
        highpasses = of(Slot.HIGHPASS)
        for k, module in enumerate(of(Slot.FILTER)):
            for j in range(2 if k == 0 else 1):
                highpass = highpasses[(k + 2 * j) % len(highpasses)]
                yield cuda_text.filter_text(highpass, module, *of(Slot.AMPLIFIER), moving)


def assembled(ptx, folder):
    """Put PTX through the assembler of CUDA's toolkit, where its package is installed."""
    nvidia = pytest.importorskip("nvidia.cuda_nvcc")
    (folder / "kernel.ptx").write_text(ptx)
    ptxas = Path(nvidia.__path__[0]) / "bin" / "ptxas"
    command = [ptxas, "-arch=sm_80", folder / "kernel.ptx", "-o", folder / "kernel.cubin"]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


@pytest.fixture(scope="module")
def compiler():
    """A skip without the compiler for cards; in continuous integration a failure."""
    if importlib.util.find_spec("numba_cuda") is None:
        missing = "numba-cuda is not installed: pip install 'deepdiva[cuda]'"
        pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(4))
@pytest.mark.usefixtures("compiler")
def test_every_kernel_compiles_to_ptx(part, tmp_path, monkeypatch):
    from numba import cuda as nvidia
    from numba.core import sigutils

    # Functions of the card ask the current one for its generation, and there may be none.
    generation = (8, 0)
    card = SimpleNamespace(compute_capability=generation)
    monkeypatch.setattr("numba.cuda.dispatcher.get_current_device", lambda: card)
    count, doubles = 0, []
    for kernel in list(kernels())[part::4]:
        play = generated(kernel.text, kernel.title).play
        types = sigutils.normalize_signature(kernel.signature)[0]
        ptx, _ = nvidia.compile_ptx(play.py_func, types, cc=generation, opt=False)
        assert ".entry" in ptx, kernel.title
        sampled = "static" in kernel.title or "moving" in kernel.title
        if sampled and ".f64" in ptx:
            doubles.append(kernel.title)
        if count % 6 == 0 or "plate" in kernel.title:
            done = assembled(ptx, tmp_path)
            assert done.returncode == 0, f"{kernel.title}: {done.stderr}"
        count += 1
    assert count > 12
    assert doubles == []  # what happens once a sample is float32, as on the processor


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.usefixtures("compiler")
def test_a_simulated_card_equals_the_processor(moving, tmp_path):
    rng = np.random.default_rng(5)
    low = np.array([parameter.minimum for parameter in DIVA])
    high = np.array([parameter.maximum for parameter in DIVA])
    patches = low + rng.random((5, len(DIVA))) * (high - low) if moving else DIVA.defaults()
    patches = np.array(np.broadcast_to(patches, (5, len(DIVA))))
    patches[:, DIVA.index("ARP.OnOff")] = 0.0
    for k, patch in enumerate(patches):
        patch[[DIVA.index(name) for name in panel.MODELS]] = (k % 5, k % 4, 2 * k % 5)
    np.save(tmp_path / "patches.npy", patches)
    command = [sys.executable, "-W", "ignore", PROGRAM, tmp_path / "patches.npy", "0.008", "0.012"]
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    mono, mono_level, stereo, stereo_level = map(np.array, json.loads(done.stdout))
    assert np.median(mono_level) > 1e-4
    assert np.median(stereo_level) > 1e-4
    assert mono.max() < -90.0, mono
    assert stereo.max() < -90.0, stereo


def test_a_device_that_is_none_is_refused(monkeypatch):
    with pytest.raises(InvalidValueError, match=r"'gpu': it must be cpu or cuda"):
        PanelRenderer(device="gpu")
    monkeypatch.setenv(cuda.DEVICE_VARIABLE, "tpu")
    with pytest.raises(InvalidValueError, match="DEEPDIVA_DEVICE"):
        PanelRenderer()


def test_a_card_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba_cuda", None)
    with pytest.raises(MissingFeatureError, match=r"deepdiva\[cuda\].*DEEPDIVA_DEVICE=cpu"):
        PanelRenderer(device="cuda")
