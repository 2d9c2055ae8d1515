"""From lanes along time to lanes side by side, and back.

Rows hold the same sample of all lanes side by side; a line holds the samples of one lane. What is
kept on disk here calls nothing of another file: numba compares the file of the outermost function
alone.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from deepdiva.compiled_code import njit

_TILE: Final = 64
"""Samples of 32 lanes that stay in the nearest cache while they are turned; a multiple of 8."""

_SIDE: Final = 8
"""Rows and columns that are turned at once, in vectors."""

SCRATCH: Final = _SIDE * _TILE
"""Numbers that a tile takes."""

_REACH: Final = 4
_POLE = math.sqrt(3.0) - 2.0
_TAPS = np.array([math.sqrt(3.0) * _POLE ** abs(k) for k in range(_REACH + 1)])
_TAPS /= _TAPS[0] + 2.0 * _TAPS[1:].sum()
_T0, _T1, _T2, _T3, _T4 = (np.float32(tap) for tap in _TAPS)
_FAST = {"error_model": "numpy", "fastmath": True, "nogil": True}


@intrinsic
def _turn(typingctx, source, begin, stride, target, at, step):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Turn 8 times 8 numbers: target[at + j * step + k] = source[begin + k * stride + j].

    A loop would move them one by one: compilers do not find the three rounds of shuffles.
    """
    numbers = (types.int64,) * 2
    signature = types.void(source, *numbers, target, *numbers)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, vector = ir.FloatType(), ir.VectorType(ir.FloatType(), _SIDE)
        source_type, _, _, target_type, _, _ = signature.args
        source, begin, stride, target, at, step = arguments
        cells = context.make_array(source_type)(context, builder, source).data
        into = context.make_array(target_type)(context, builder, target).data

        def place(base: Any, first: Any, distance: Any, k: int) -> Any:
            offset = builder.add(first, builder.mul(distance, ir.Constant(distance.type, k)))
            cell = builder.gep(base, [offset], source_etype=number)
            return builder.bitcast(cell, vector.as_pointer())

        rows = [
            builder.load(place(cells, begin, stride, k), align=4, typ=vector) for k in range(_SIDE)
        ]
        for half in (4, 2, 1):
            # Blocks of `half` rows change places with what lies `half` columns beside them.
            low = [j if not j & half else _SIDE + j - half for j in range(_SIDE)]
            high = [j + half if not j & half else _SIDE + j for j in range(_SIDE)]
            masks = [
                ir.Constant(ir.VectorType(ir.IntType(32), _SIDE), some) for some in (low, high)
            ]
            for k in range(_SIDE):
                if not k & half:
                    pair = rows[k], rows[k + half]
                    rows[k], rows[k + half] = (builder.shuffle_vector(*pair, m) for m in masks)
        for k, row in enumerate(rows):
            builder.store(row, place(into, at, step, k), align=4)
        return context.get_dummy_value()

    return signature, code


def sharpening_taps() -> tuple[float, ...]:
    """Taps at distances of 0 to 4 samples that undo the splines' droop; see `sharpen`."""
    return tuple(float(tap) for tap in _TAPS)


@njit(cache=True, **_FAST)
def sharpen(rows, lanes, samples, hissing, hiss, flat):  # type: ignore[no-untyped-def]
    """Undo the splines' droop, sinc(f/fs)^4, by the inverse of the sampled spline, (2 + cos w)/3.

    Together they are the cardinal spline, flat within 1 dB to 16 kHz at 44.1 kHz. `rows` begins
    with the last 8 rows of the segment before; what comes out is 4 samples late. Where `hissing` is
    true, `hiss` is added to it.
    """
    count = samples * lanes
    r0, r1, r2 = rows[:count], rows[lanes:], rows[2 * lanes :]
    r3, r4, r5 = rows[3 * lanes :], rows[4 * lanes :], rows[5 * lanes :]
    r6, r7, r8 = rows[6 * lanes :], rows[7 * lanes :], rows[8 * lanes :]
    for i in range(count):
        flat[i] = (
            _T0 * r4[i]
            + _T1 * (r3[i] + r5[i])
            + _T2 * (r2[i] + r6[i])
            + _T3 * (r1[i] + r7[i])
            + _T4 * (r0[i] + r8[i])
        )
    if hissing:
        for i in range(count):
            flat[i] += hiss[i]
    for i in range(8 * lanes):
        rows[i] = rows[count + i]


@njit(cache=True, **_FAST)
def sharpen_lines(  # type: ignore[no-untyped-def]
    lines, stride, lanes, samples, noisy, whites, tile, width, flat
):  # fmt: skip
    """The same for lines of `stride` samples, one for each lane; puts them side by side.

    Args:
        lines: lanes * stride numbers; each line begins with the last 8 of the segment before.
        stride: see `lines`.
        lanes: how many.
        samples: of the segment.
        noisy: (lanes,) bool, lanes to which noise is added.
        whites: lanes * stride numbers, the noise; nothing where no lane is noisy.
        tile: (`SCRATCH`,) float32, scratch.
        width: distance between two samples of a lane in `flat`.
        flat: overwritten.
    """
    for early in range(0, samples, _TILE):
        count = min(samples - early, _TILE)
        for first in range(0, lanes, _SIDE):
            many = min(lanes - first, _SIDE)
            for k in range(many):
                begin = (first + k) * stride + early
                x = lines[begin : begin + count + 8]
                piece = tile[k * _TILE : k * _TILE + count]
                for i in range(count):
                    piece[i] = (
                        _T0 * x[i + 4]
                        + _T1 * (x[i + 3] + x[i + 5])
                        + _T2 * (x[i + 2] + x[i + 6])
                        + _T3 * (x[i + 1] + x[i + 7])
                        + _T4 * (x[i] + x[i + 8])
                    )
                if noisy[first + k]:
                    white = whites[begin : begin + count]
                    for i in range(count):
                        piece[i] += white[i]
            whole = count // _SIDE * _SIDE if many == _SIDE else 0
            for i in range(0, whole, _SIDE):
                _turn(tile, i, _TILE, flat, (early + i) * width + first, width)
            for k in range(many):
                for i in range(whole, count):
                    flat[(early + i) * width + first + k] = tile[k * _TILE + i]
    for n in range(lanes):
        for i in range(8):
            lines[n * stride + i] = lines[n * stride + samples + i]


@njit(cache=True, **_FAST)
def bring_noise(tables, pink, noisy, place, begin, samples, lane, sample, into):  # type: ignore[no-untyped-def]
    """A piece of the white or the pink table for each noisy lane.

    Args:
        tables: (2, samples) float32.
        pink: (lanes,) int64, row of `tables`.
        noisy: (lanes,) bool.
        place: (lanes,) int64, where in the tables the note begins.
        begin: samples of the note before this segment.
        samples: of the segment.
        lane: distance between two lanes in `into`.
        sample: likewise between two samples.
        into: float32, overwritten where lanes are noisy.
    """
    for n in range(place.shape[0]):
        if noisy[n]:
            start = (place[n] + begin) % (tables.shape[1] - samples)
            table = tables[pink[n], start : start + samples]
            if sample == 1:
                line = into[n * lane : n * lane + samples]
                for i in range(samples):
                    line[i] = table[i]
            else:
                for i in range(samples):
                    into[n * lane + i * sample] = table[i]


@njit(cache=True, **_FAST)
def deliver(rows, lanes, samples, gains, panned, owner, tile, begin, out):  # type: ignore[no-untyped-def]
    """Write the sum of each patch's lanes, by their gains, to its row of `out`.

    Args:
        rows: samples * lanes numbers or more, which begin at the first lane.
        lanes: in a row.
        samples: of the segment.
        gains: of each lane.
        panned: (lanes,) bool, lanes that `deliver_panned` brings.
        owner: (lanes,) int64, row of `out`.
        tile: (`SCRATCH`,) float32, scratch.
        begin: first sample in `out`.
        out: (rows, samples) float32.
    """
    for early in range(0, samples, _TILE):
        count = min(samples - early, _TILE)
        for first in range(0, owner.shape[0], _SIDE):
            many = min(owner.shape[0] - first, _SIDE)
            whole = count // _SIDE * _SIDE
            if (early + whole - 1) * lanes + first + _SIDE > rows.shape[0]:
                whole = 0
            for i in range(0, whole, _SIDE):
                _turn(rows, (early + i) * lanes + first, lanes, tile, i, _TILE)
            for k in range(many):
                for i in range(whole, count):
                    tile[k * _TILE + i] = rows[(early + i) * lanes + first + k]
            for k in range(many):
                n = first + k
                if panned[n]:
                    continue
                row = out[owner[n], begin + early : begin + early + count]
                voice = tile[k * _TILE : k * _TILE + count]
                gain = np.float32(gains[n])
                if n > 0 and owner[n - 1] == owner[n]:
                    for i in range(count):
                        row[i] += gain * voice[i]
                else:
                    for i in range(count):
                        row[i] = gain * voice[i]


@njit(cache=True, **_FAST)
def deliver_panned(  # type: ignore[no-untyped-def]
    rows, lanes, samples, pan, mono, panned, edges, gain, owner, begin, out
):  # fmt: skip
    """The same for the patches whose lanes move from side to side, and for all channels.

    Args:
        rows: samples * lanes numbers, the same sample of all lanes side by side.
        lanes: in a row.
        samples: of each lane.
        pan: (lanes, blocks + 1) float64, -1 left, 1 right.
        mono: (lanes,) bool, lanes that get the mean of both channels' gains.
        panned: (lanes,) bool, lanes that move, all or none of a patch.
        edges: (blocks + 1,) int64, first samples of the blocks.
        gain: (samples,) float32, scratch.
        owner: (lanes,) int64, row of `out`.
        begin: first sample in `out`.
        out: (channels, rows, samples) float32.
    """
    for n in range(owner.shape[0]):
        if not panned[n]:
            continue
        for channel in range(out.shape[0]):
            here = 0.0
            for b in range(edges.shape[0]):
                angle = min(1.0, max(-1.0, pan[n, b])) * 0.25 * math.pi
                left = math.cos(angle) - math.sin(angle)
                right = math.cos(angle) + math.sin(angle)
                there = math.cos(angle) if mono[n] else (right if channel == 1 else left)
                if b > 0:
                    first = edges[b - 1] - edges[0]
                    count = edges[b] - edges[b - 1]
                    slope = np.float32((there - here) / count)
                    level = np.float32(here)
                    piece = gain[first : first + count]
                    for i in range(count):
                        piece[i] = level + slope * np.float32(np.int32(i))
                here = there
            row = out[channel, owner[n], begin : begin + samples]
            if n > 0 and owner[n - 1] == owner[n]:
                for i in range(samples):
                    row[i] += gain[i] * rows[i * lanes + n]
            else:
                for i in range(samples):
                    row[i] = gain[i] * rows[i * lanes + n]
