"""Plays lanes of one chain: control program, source stage, filter stage, segment by segment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.compiled_code import njit
from deepdiva.engine import control_program as c
from deepdiva.engine.chain import LaneInputs
from deepdiva.engine.envelope_curves import ATTACK, CURVE, DECAY
from deepdiva.engine.lanes import interleave, separate
from deepdiva.engine.noise import noise_tables
from deepdiva.engine.stages import coefficients_of, filter_stage, source_stage

LANES: Final = 32
"""Distance between rows of the lane arrays: lanes that play side by side at most."""

BLOCK: Final = 64
"""Samples between two looks at the controls where something moves."""

STATIC_BLOCK: Final = 256
"""The same where nothing but the amplifier's envelope and drift moves."""

SEGMENT: Final = 2048
"""Samples that a stage works on before the next stage takes over; a multiple of both blocks."""

_REACH: Final = 4
_POLE = math.sqrt(3.0) - 2.0
_TAPS = np.array([math.sqrt(3.0) * _POLE ** abs(k) for k in range(_REACH + 1)])
_TAPS /= _TAPS[0] + 2.0 * _TAPS[1:].sum()
_T0, _T1, _T2, _T3, _T4 = (np.float32(tap) for tap in _TAPS)
_FAST = {"error_model": "numpy", "fastmath": True, "nogil": True}


@njit(cache=True, **_FAST)
def _sharpen(rows, lanes, samples, flat):  # type: ignore[no-untyped-def]
    """Undo the splines' droop, sinc(f/fs)^4, by the inverse of the sampled spline, (2 + cos w)/3.

    Together they are the cardinal spline, flat within 1 dB to 16 kHz at 44.1 kHz. `rows` begins
    with the last 8 rows of the segment before; what comes out is 4 samples late.
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
    for i in range(8 * lanes):
        rows[i] = rows[count + i]


@njit(cache=True, **_FAST)
def _hiss(tables, pink, place, begin, samples, deck):  # type: ignore[no-untyped-def]
    """Lane after lane, a piece of the white or the pink noise table for each."""
    for n in range(place.shape[0]):
        start = (place[n] + begin) % (tables.shape[1] - samples)
        row = deck[n * samples : (n + 1) * samples]
        for i in range(samples):
            row[i] = tables[pink[n], start + i]


@njit(cache=True, **_FAST)
def _deliver(deck, samples, gains, panned, owner, begin, out):  # type: ignore[no-untyped-def]
    """Write the sum of each patch's lanes, by their gains, to its row of `out`."""
    for n in range(owner.shape[0]):
        if panned[n]:
            continue
        row = out[owner[n], begin : begin + samples]
        voice = deck[n * samples : (n + 1) * samples]
        gain = np.float32(gains[n])
        if n > 0 and owner[n - 1] == owner[n]:
            for i in range(samples):
                row[i] += gain * voice[i]
        else:
            for i in range(samples):
                row[i] = gain * voice[i]


@njit(cache=True, **_FAST)
def _deliver_panned(  # type: ignore[no-untyped-def]
    deck, samples, pan, mono, panned, edges, gain, owner, begin, out
):  # fmt: skip
    """The same for the patches whose lanes move from side to side, and for all channels.

    Args:
        deck: one lane's samples after the other's.
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
        voice = deck[n * samples : (n + 1) * samples]
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
                    row[i] += gain[i] * voice[i]
            else:
                for i in range(samples):
                    row[i] = gain[i] * voice[i]


@lru_cache(maxsize=64)
def _edges(samples: int, note_off: int, block: int) -> tuple[NDArray[np.int64], ...]:
    """First samples of the blocks of each segment, and where it ends; the release is an edge."""
    marks = set(range(0, samples, block)) | {samples}
    if 0 < note_off < samples:
        marks.add(note_off)
    edges = np.array(sorted(marks), np.int64)
    segments = []
    for start in range(0, samples, SEGMENT):
        end = min(samples, start + SEGMENT)
        first, last = np.searchsorted(edges, [start, end])
        segments.append(np.ascontiguousarray(edges[first : last + 1]))
    return tuple(segments)


def _width(lanes: int) -> int:
    return next(width for width in (8, 16, 32) if lanes <= width)


def _transpose(
    deck: NDArray[Any], spare: NDArray[Any], rows: NDArray[Any], width: int, back: bool
) -> None:
    if width == 8:
        if back:
            deck[:] = rows.reshape(-1, 8).T.ravel()
        else:
            rows[:] = deck.reshape(8, -1).T.ravel()
    elif back:
        separate(rows, spare, deck, width)
    else:
        interleave(deck, spare, rows, width)


def groups(lanes: LaneInputs) -> list[tuple[LaneInputs, bool]]:
    """Lanes that play together: whole patches, at most `LANES` lanes.

    Returns:
        Groups in which none or all lanes move, and none or all are heavy; and whether they move.
    """
    patches, first = np.unique(lanes.patch, return_index=True)
    last = np.append(first[1:], len(lanes.patch))
    moves = np.logical_or.reduceat(lanes.moving, first)
    weighs = np.logical_or.reduceat(lanes.heavy, first)
    found = []
    for moving, heavy in ((False, False), (False, True), (True, False), (True, True)):
        rows: list[int] = []
        for k in np.flatnonzero((moves[: len(patches)] == moving) & (weighs == heavy)):
            if rows and len(rows) + last[k] - first[k] > LANES:
                found.append((lanes.rows(np.array(rows)), moving))
                rows = []
            rows += range(first[k], last[k])
        if rows:
            found.append((lanes.rows(np.array(rows)), moving))
    return found


def play_group(
    lanes: LaneInputs,
    moving: bool,
    constants: Mapping[str, NDArray[np.float64]],
    samples: int,
    note_off: int,
    rate: float,
    owner: NDArray[np.int64],
    mono: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """Play at most `LANES` lanes and write their sums to the rows of `out`.

    Args:
        lanes: all of one chain; all of them need its panel's `step`, or none (see `Module.heavy`).
        moving: whether any of them moves.
        constants: values of the modules' constants by full name.
        samples: of the note.
        note_off: sample of the key's release.
        rate: samples per second.
        owner: (lanes,) int64, row of `out` of each lane.
        mono: (lanes,), lanes that go to every channel with the mean of both channels' gains.
        out: (channels, rows, samples) float32, one or two channels; these rows are overwritten.
    """
    chain = lanes.chain
    count = len(owner)
    width = _width(count)
    light = chain.oscillator.light is not None and not lanes.heavy.any()
    source = source_stage(chain.oscillator, moving, light)
    stage = filter_stage(chain.highpass, chain.filter, chain.amplifier, moving)
    block = BLOCK if moving else STATIC_BLOCK
    segments = _edges(samples, note_off, block)
    most = max(len(edges) for edges in segments)
    oscillators = chain.oscillator.oscillators

    levels = lanes.extras[:, c.START_ENV_1 : c.START_AMPLIFIER + 1].copy()
    stages = np.where(levels >= 1.0, DECAY, ATTACK).astype(np.int64)
    reached = np.zeros((count, 2, most))
    curves = np.zeros((most, CURVE, LANES), np.float32)
    known = np.zeros((count, c.SOURCES))
    cycles = np.zeros((count, 2))
    phase = lanes.phase.copy()
    phases = np.zeros((most, 3 * oscillators, LANES), np.float32)
    phases[:, 1::3] = 0.01
    source_lane = np.zeros(source.ROWS * LANES, np.float32)
    filter_lane = np.zeros(stage.ROWS * LANES, np.float32)
    u = np.zeros((count, len(chain.inputs), most))
    source_p = np.zeros((most, len(chain.oscillator.coefficients), LANES), np.float32)
    filter_p = np.zeros((most, stage.COEFFICIENTS, LANES), np.float32)
    source_q = np.zeros_like(source_p)
    filter_q = np.zeros_like(filter_p)
    longest = SEGMENT * width
    rows = np.zeros(longest + 8 * width, np.float32)
    first_rows = np.zeros(longest + 8 * width if moving else 8 * width, np.float32)
    tone = np.zeros(longest, np.float32)
    first = np.zeros(longest if moving else 0, np.float32)
    hiss = np.zeros(longest, np.float32)
    deck = np.zeros(longest, np.float32)
    spare = np.zeros(longest, np.float32)
    tables = noise_tables()
    pink = chain.oscillator.pink(lanes.base[:, chain.span(chain.oscillator)]).astype(np.int64)
    place = (lanes.noise * 1048576.0).astype(np.int64) * 40503 % 200000
    white = bool(_noisy(lanes))
    fm = chain.index("mixer.filter_fm")
    feedback = chain.index("mixer.feedback")
    pan = chain.index("mixer.pan")
    panned = lanes.panned
    gains = [np.where(mono, lanes.pan.mean(axis=1), lanes.pan[:, k]) for k in range(len(out))]
    order = (
        [chain.filter, chain.highpass]
        if chain.highpass.after_filter
        else [chain.highpass, chain.filter]
    )

    def coefficients(edges: int) -> None:
        view = u[:, :, :edges]
        coefficients_of(chain.oscillator)(
            view[:, chain.span(chain.oscillator)], constants[chain.oscillator.full_name], rate,
            source_p[:edges],
        )  # fmt: skip
        filter_p[:edges, 0, :count] = view[:, feedback].T
        filter_p[:edges, 1, :count] = view[:, fm].T
        row = 2
        for module in (*order, chain.amplifier):
            size = len(module.coefficients)
            coefficients_of(module)(
                view[:, chain.span(module)], constants[module.full_name], rate,
                filter_p[:edges, row : row + size],
            )  # fmt: skip
            row += size

    start = 0
    for index, edges in enumerate(segments):
        blocks = len(edges) - 1
        length = int(edges[-1] - start)
        c.play_envelopes(
            lanes.shapes, lanes.extras, edges, note_off, levels, stages, reached, curves
        )
        if moving or index == 0:
            c.modulate(
                lanes.base, lanes.route_inputs, lanes.sources, lanes.depths, lanes.inner_sources,
                lanes.inner_depths, lanes.static, lanes.lfos, lanes.extras, reached, edges,
                note_off, rate, index == 0, known, cycles, u,
            )  # fmt: skip
            if not moving:
                # A segment with the key's release in it has a block more than the first one.
                u[:, :, blocks + 1 :] = u[:, :, blocks : blocks + 1]
            coefficients(blocks + 1 if moving else 1)
            if moving:
                c.slopes(source_p, edges, source_q)
                c.slopes(filter_p, edges, filter_q)
        c.play_pitches(
            u[:, :, : blocks + 1], oscillators, edges, rate, lanes.glide, lanes.drift,
            lanes.drift_samples, phase, phases,
        )  # fmt: skip
        if white:
            _hiss(tables, pink, place, start, length, deck)
            _transpose(
                deck[: length * width],
                spare[: length * width],
                hiss[: length * width],
                width,
                False,
            )
        source.play(
            source_lane, width, edges, phases, source_p, source_q, hiss, rows[8 * width :],
            first_rows[8 * width :] if moving else first, start,
        )  # fmt: skip
        _sharpen(rows, width, length, tone)
        if moving:
            _sharpen(first_rows, width, length, first)
        stage.play(filter_lane, width, edges, curves, filter_p, filter_q, tone, hiss, first, start)
        _transpose(
            deck[: length * width], spare[: length * width], tone[: length * width], width, True
        )
        for channel in range(out.shape[0]):
            _deliver(deck, length, gains[channel], panned, owner, start, out[channel])
        if panned.any():
            pans = np.ascontiguousarray(u[:, pan, : blocks + 1])
            _deliver_panned(deck, length, pans, mono, panned, edges, spare, owner, start, out)
        start = int(edges[-1])


def _noisy(lanes: LaneInputs) -> NDArray[np.bool_]:
    """Whether any lane may want noise; modules name the inputs that ask for it."""
    oscillator = lanes.chain.oscillator
    return np.asarray(bool(oscillator.noisy(lanes.highest[:, lanes.chain.span(oscillator)])))
