"""Every high-pass and filter of the panel against its circuit and its limits."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from deepdiva.compiled_code import njit
from deepdiva.engine import stages
from deepdiva.engine.backends import plain
from deepdiva.engine.backends.compiled import FAST
from deepdiva.engine.module import Module, Slot
from deepdiva.engine.modules.amplifiers import vca
from deepdiva.engine.modules.filters import uhbie
from deepdiva.synths.diva import panel

FILTERS = [m for m in panel.modules() if m.slot in (Slot.HIGHPASS, Slot.FILTER)]
CIRCUITS = [m for m in FILTERS if m.circuit is not None]


def _ids(module: Module) -> str:
    return module.full_name


def _point(module: Module, resonance: float) -> dict[str, float]:
    wanted = {"cutoff": 75.0, "resonance": resonance, "position": 2.0}
    return {entry.name: wanted[entry.name] for entry in module.inputs if entry.name in wanted}


def _solved(module: Module, point: dict[str, float], rate: float, drive, samples: int):
    """Output of the circuit at whole samples."""
    p = plain.coefficients(module, point, rate)
    count = len(module.circuit(0.0, np.zeros(8), 0.0, p, ())[1])
    solved = solve_ivp(
        lambda t, y: module.circuit(t, y, drive(t), p, ())[1],
        (0.0, samples - 1.0), np.zeros(count), t_eval=np.arange(samples),
        rtol=1e-8, atol=1e-10, max_step=8.0,
    )  # fmt: skip
    return np.array(
        [
            module.circuit(t, y, drive(t), p, ())[0]
            for t, y in zip(solved.t, solved.y.T, strict=True)
        ]
    )


@pytest.mark.parametrize("module", CIRCUITS, ids=_ids)
@pytest.mark.parametrize(("level", "resonance"), [(1e-3, 0.5), (1.5, 0.4)])
def test_step_follows_the_circuit(module: Module, level: float, resonance: float) -> None:
    rate, samples = 768000.0, 6000

    def drive(t):
        return level * np.sin(2.0 * np.pi * 300.0 * t / rate)

    point = _point(module, resonance)
    got = plain.play(module, drive(np.arange(samples)), point, rate)
    wanted = _solved(module, point, rate, drive, samples)
    assert np.abs(got - wanted).max() < 0.01 * np.abs(wanted).max()


@pytest.mark.parametrize("module", CIRCUITS, ids=_ids)
def test_small_inputs_meet_the_linear_response(module: Module) -> None:
    """Impulse response against C (zI - A)^-1 B + D of the linearised circuit, bilinear."""
    # A step that mixes in `zero` is not the bilinear circuit near Nyquist: it is asked far below.
    rate = 768000.0 if "zero" in module.coefficients else 96000.0
    samples, tiny = 8192 * round(rate / 96000.0), 1e-6
    point = _point(module, 0.3)
    p = plain.coefficients(module, point, rate)
    count = len(module.circuit(0.0, np.zeros(8), 0.0, p, ())[1])

    def both(y, x):
        out, slope = module.circuit(0.0, y, x, p, ())
        return np.array([*slope, out])

    zero = np.zeros(count)
    a = [(both(tiny * e, 0.0) - both(-tiny * e, 0.0)) / (2 * tiny) for e in np.eye(count)]
    b = (both(zero, tiny) - both(zero, -tiny)) / (2 * tiny)
    a = np.array(a).T
    pulse = np.zeros(samples)
    pulse[0] = 1e-4
    got = np.fft.rfft(plain.play(module, pulse, point, rate)) / 1e-4
    for k in (10, 40, 100, 300):  # 117 Hz to 3.5 kHz, far below Nyquist
        s = 2j * np.tan(np.pi * k / samples)
        state = np.linalg.solve(s * np.eye(count) - a[:count], b[:count])
        wanted = a[count] @ state + b[count]
        assert abs(got[k] - wanted) < 0.02 * max(abs(wanted), 0.01)


@pytest.mark.parametrize("module", FILTERS, ids=_ids)
@pytest.mark.parametrize("rate", [22050.0, 96000.0])
def test_bounded_over_the_cube_of_inputs(module: Module, rate: float) -> None:
    drawn = np.random.default_rng(20)
    for _ in range(12):
        point = {e.name: float(drawn.uniform(e.low, e.high)) for e in module.inputs}
        if "resonance" in point and drawn.uniform() < 0.5:
            point["resonance"] = 1.0
        y = plain.play(module, drawn.normal(0.0, 1.0, 1500), point, rate)
        assert np.isfinite(y).all()
        assert np.abs(y).max() < 60.0


@pytest.mark.parametrize("module", FILTERS, ids=_ids)
def test_silence_stays_silent(module: Module) -> None:
    y = plain.play(module, np.zeros(500), _point(module, 0.3), 44100.0)
    assert np.abs(y).max() < 1e-9


@pytest.mark.parametrize("module", FILTERS, ids=_ids)
def test_every_input_acts(module: Module) -> None:
    x = np.random.default_rng(3).normal(0.0, 0.5, 800)
    middle = {"mix": 0.5} if any(entry.name == "mix" for entry in module.inputs) else {}
    for entry in module.inputs:
        point = {**_point(module, 0.6), **middle}
        ends = [
            plain.play(module, x, {**point, entry.name: value}, 44100.0)
            for value in (entry.low, entry.high)
        ]
        assert np.abs(ends[0] - ends[1]).max() > 1e-3, entry.name


@pytest.mark.parametrize("module", FILTERS, ids=_ids)
def test_compiled_kernel_is_single_precision(module: Module) -> None:
    highpass = module if module.slot is Slot.HIGHPASS else panel.HIGHPASSES[0].module
    lowpass = module if module.slot is Slot.FILTER else panel.FILTERS[0].module
    stage = stages.filter_stage(highpass, lowpass, vca.MODULE, True, True)
    f4 = [np.zeros(n, np.float32) for n in (stage.ROWS * 32, 64 * 32, 64 * 32)]
    p = np.zeros((2, stage.COEFFICIENTS, 32), np.float32)
    play = stage.play.py_func
    fresh = njit(**FAST)(play)
    fresh(f4[0], 32, np.array([0, 64]), np.zeros((2, 7, 32), np.float32), p, p, *f4[1:], 0)
    text = next(iter(fresh.inspect_llvm().values()))
    assert not re.search(r"\bdouble\b", text)
    if platform.machine() == "x86_64":
        assert re.search(r"<(4|8|16) x float>", text)


def test_the_mix_of_uhbie_leads_through_notch_or_band_pass() -> None:
    """Tones far below, at, and far above the cutoff; the mix at its ends and in the middle."""
    hertz = 1000.0
    cutoff = 69.0 + 12.0 * np.log2(hertz / 440.0) - uhbie.MODULE.constants[0].value
    time = np.arange(4410) / 44100.0

    def gain(mix: float, band: float, tone: float) -> float:
        point = {"cutoff": cutoff, "resonance": 0.0, "mix": mix, "band": band}
        x = 0.01 * np.sin(2.0 * np.pi * tone * time)
        y = plain.play(uhbie.MODULE, x, point, 44100.0)
        return float(np.std(y[2205:]) / np.std(x[2205:]))

    for band in (0.0, 1.0):
        assert gain(0.0, band, 100.0) > 20.0 * gain(0.0, band, 10000.0)
        assert gain(1.0, band, 10000.0) > 20.0 * gain(1.0, band, 100.0)
    assert gain(0.5, 0.0, hertz) < 0.1 * gain(0.5, 0.0, 100.0)
    assert gain(0.5, 1.0, hertz) > 2.0 * gain(0.5, 1.0, 100.0)
