"""The transform of 32 frames at once, held against numpy's; and that it runs on vectors."""

import platform
import re

import numba
import numpy as np
import pytest

from deepdiva.distance import kernels
from deepdiva.distance.plan import LANES, fourier_plan

SIZES = [64, 128, 256, 512, 1024, 2048, 4096]
SAMPLES = 20000
STRETCH = 2048


def noise(seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, SAMPLES).astype(np.float32)


def learnt(sound, plan):
    size = plan.window.size
    groups, bins = STRETCH // plan.hop, size // 2 + 1
    rows = np.empty((STRETCH + size) * LANES, np.float32)
    kernels.lay_out(sound, STRETCH, rows)
    linear = np.empty((groups, bins * LANES), np.float32)
    logarithmic = np.empty_like(linear)
    total = np.full(bins * LANES, np.nan, np.float32)
    floor_power = np.float32(1e-8)
    scratch = np.full(kernels.scan_scratch(size), np.nan, np.float32)
    kernels.scan(
        *(rows, SAMPLES, STRETCH, plan, floor_power, True, linear, logarithmic, total, scratch)
    )
    shape = (groups, bins, LANES)
    return linear.reshape(shape), logarithmic.reshape(shape), total.reshape(shape[1:])


def spectra(sound, plan):
    """Amplitudes by numpy in float64, shape (frames, bins)."""
    size = plan.window.size
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), size)[:: plan.hop]
    window = np.hanning(size + 1)[:-1]
    return np.abs(np.fft.rfft(frames * window, axis=1)) * 2 / window.sum()


@pytest.mark.parametrize("length", [1, 31, 5000, 32 * 64, 32 * 64 - 1])
def test_the_layout(length):
    sound = np.arange(1, length + 1, dtype=np.float32)
    stretch = max(64, -(-length // 32))
    rows = np.empty((stretch * 3 + 7) * LANES, np.float32)
    kernels.lay_out(sound, stretch, rows)
    padded = np.pad(sound, (0, 40 * stretch))
    for lane in range(LANES):
        begin = lane * stretch
        wanted = padded[begin : begin + 3 * stretch + 7]
        assert np.array_equal(rows[lane::LANES], wanted)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [1, 2, 4])
def test_every_frame_and_bin_is_numpys(size, share):
    sound = noise()
    plan = fourier_plan(size, min(size // share, STRETCH))
    linear, logarithmic, _ = learnt(sound, plan)
    wanted = np.sqrt(spectra(sound, plan) ** 2 + 1e-8)
    assert sorted(plan.bins) == list(range(size // 2 + 1))
    groups = len(linear)
    seen = 0
    for frame in range(groups * LANES):
        lane, group = divmod(frame, groups)
        got = linear[group, :, lane]
        if frame < len(wanted):
            assert np.abs(got - wanted[frame, plan.bins]).max() < 3e-7
            seen += 1
        else:
            assert np.allclose(got, 1e-4, rtol=1e-6)
    assert seen == len(wanted)
    assert np.abs(logarithmic - 2 * np.log2(linear.astype(np.float64))).max() < 3e-6


def test_a_quiet_frame_beside_a_loud_one():
    """Two frames share a complex transform: the loud one may leave only rounding in the other."""
    sound = np.zeros(SAMPLES, np.float32)
    sound[:STRETCH] = noise()[:STRETCH]
    linear, _, _ = learnt(sound, fourier_plan(1024, 1024))
    frames = linear.transpose(2, 0, 1).reshape(-1, 513)[: SAMPLES // 1024]
    assert np.abs(frames[4:] - 1e-4).max() < 1e-7


def test_the_total_is_the_sum_of_the_powers():
    linear, _, total = learnt(noise(), fourier_plan(256, 128))
    assert np.allclose(total, (linear.astype(np.float64) ** 2).sum(axis=0), rtol=1e-5)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 vectors")
def test_the_kernels_run_on_vectors():
    """A small change can make the compiler fall back to single numbers, five times slower."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": kernels.FASTMATH}
    scan = numba.njit(**options)(kernels.scan.py_func)
    plan = fourier_plan(64, 64)
    rows = np.zeros((64 + 64) * LANES, np.float32)
    table = np.zeros((1, 33 * LANES), np.float32)
    total = np.zeros(33 * LANES, np.float32)
    scratch = np.empty(kernels.scan_scratch(64), np.float32)
    scan(rows, 2048, 64, plan, np.float32(1e-8), False, table, table, total, scratch)
    assembly = "\n".join(scan.inspect_asm().values())
    wide = len(re.findall(r"\tv(?:add|sub|mul|fn?m(?:add|sub)\d*)ps\t[^\n]*%[yz]mm", assembly))
    single = len(re.findall(r"\tv(?:add|sub|mul|fn?m(?:add|sub)\d*)ss\t", assembly))
    assert wide > 300
    # Single numbers remain where fewer lanes than a vector are left over.
    assert wide > single / 4
