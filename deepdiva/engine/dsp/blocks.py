"""Delay lines and slow waves for effects, which work on blocks along time.

A line is a ring of `size` cells, a multiple of the block, with `GUARD` cells behind it that repeat
its beginning: a block is written and read in one piece, so that loops become SIMD. What is read
must lie at least a block behind what is written where a loop runs through the line.

Functions take whole arrays and a place in them, never a piece of an array: numba would count
references to each piece that is handed on, which costs more than the work.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

BLOCK: Final = 64
"""Samples that an effect works on at once; whole sounds are padded to a multiple of it."""

GUARD: Final = 128
"""Cells behind a ring: a block, what interpolation reads beyond it, rounded up to blocks."""


def ring(longest: float) -> float:
    """Cells that a line needs without its guard.

    Args:
        longest: delay, samples.
    """
    return float(BLOCK * (math.ceil(longest / BLOCK) + 3))


def put(cells, first, size, at, x, begin, gain, n):
    """Write x[begin:] at `at`, a multiple of n.

    The gain also keeps compilers from calling memmove, which takes longer than the loop.
    """
    source = x[begin : begin + n]
    row = cells[first + at : first + at + n]
    for i in range(n):
        row[i] = gain * source[i]
    if at < 128:
        row = cells[first + size + at : first + size + at + n]
        for i in range(n):
            row[i] = gain * source[i]


def start(size, at, delay):
    """Where a block begins that was written `delay` samples before `at`."""
    place = at - delay
    return place + size if place < 0 else place


def onward(size, at, n):
    """Where the next block is written."""
    return 0 if at + n >= size else at + n


def allpass(cells, first, size, at, delay, gain, x, begin, n):
    """Schroeder's all-pass, in place on x[begin:]: (g + z^-d) / (1 + g z^-d)."""
    place = first + start(size, at, delay)
    old = cells[place : place + n]
    new = cells[first + at : first + at + n]
    y = x[begin : begin + n]
    for i in range(n):
        v = y[i] - gain * old[i]
        y[i] = old[i] + gain * v
        new[i] = v
    if at < 128:
        row = cells[first + size + at : first + size + at + n]
        for i in range(n):
            row[i] = new[i]


def glide(cells, first, size, at, begin, end, n, out, to):
    """Read a delay that moves straight from `begin` to `end` over the block, into out[to:].

    Linear interpolation, as a sum of hats over four neighbours where the delay crosses a whole
    number: no gather. Delays may move by 2 samples in 16 at most.
    """
    slope = (end - begin) / n
    step = np.float32(slope)
    low = np.floor(at - begin)
    if low == np.floor(at - end):
        # Two neighbours are enough while no whole number is crossed.
        away = np.float32(at - begin - low)
        place = int(low)
        place = first + (place + size if place < 0 else place)
        x = cells[place : place + n + 1]
        y = out[to : to + n]
        for i in range(n):
            y[i] = x[i] + (away - step * np.float32(np.int32(i))) * (x[i + 1] - x[i])
    else:
        for j in range(0, n, 16):
            here = at + j - (begin + slope * j)
            low = np.floor(min(here, here - 16.0 * slope))
            away = np.float32(here - low)
            place = int(low)
            place = first + (place + size if place < 0 else place)
            x = cells[place : place + 19]
            y = out[to + j : to + j + 16]
            for i in range(16):
                d = away - step * np.float32(np.int32(i))
                y[i] = (
                    max(0.0, 1.0 - abs(d)) * x[i]
                    + max(0.0, 1.0 - abs(d - 1.0)) * x[i + 1]
                    + max(0.0, 1.0 - abs(d - 2.0)) * x[i + 2]
                    + max(0.0, 1.0 - abs(d - 3.0)) * x[i + 3]
                )


def smooth(cells, begin, pole, last, out, n):
    """One-pole low-pass of cells[begin:] into `out`; takes and gives its last sample.

    Four samples at once wait for one multiplication: y_3 = p^4 y_-1 + (what x adds).
    """
    x = cells[begin : begin + n]
    y = out[:n]
    gain = 1.0 - pole
    pole2 = pole * pole
    pole3 = pole2 * pole
    pole4 = pole2 * pole2
    for j in range(0, n, 4):
        a = gain * x[j]
        b = pole * a + gain * x[j + 1]
        c = pole * b + gain * x[j + 2]
        d = pole * c + gain * x[j + 3]
        y[j] = a + pole * last
        y[j + 1] = b + pole2 * last
        y[j + 2] = c + pole3 * last
        last = d + pole4 * last
        y[j + 3] = last
    return quiet(last)


def sine(cycles):
    """sin(2 pi x) within 1e-5."""
    x = cycles - np.floor(cycles + 0.5)
    away = abs(x)
    m = 6.283185307179586 * min(away, 0.5 - away)
    z = m * m
    y = m * (1.0 - z * (1.0 - z * (1.0 - z * (1.0 - z * 0.013888889) * 0.023809524) * 0.05) / 6.0)
    return y if x >= 0.0 else -y


def triangle(cycles):
    """-1 at whole numbers, 1 between them."""
    return 4.0 * abs(cycles - np.floor(cycles + 0.5)) - 1.0


def quiet(x):
    """0 for what is too small to be heard: states that fade never become slow subnormal numbers."""
    return x if abs(x) > 1e-15 else 0.0
