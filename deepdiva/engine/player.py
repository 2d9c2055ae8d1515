"""Plays lanes of one chain: control program, source stage, filter stage, segment by segment."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.compiled_code import njit
from deepdiva.engine import control_program as c
from deepdiva.engine.chain import LaneInputs
from deepdiva.engine.envelope_curves import ATTACK, CURVE, DECAY, play_envelopes
from deepdiva.engine.module import Module
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

_TILE: Final = 64
"""Samples of 32 lanes that stay in the nearest cache while lanes are taken from them one by one."""

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
def _hiss(tables, pink, noisy, place, begin, samples, lanes, rows):  # type: ignore[no-untyped-def]
    """Into rows of `lanes` numbers, a piece of the white or the pink table for each noisy lane."""
    for early in range(0, samples, _TILE):
        late = min(samples, early + _TILE)
        for n in range(place.shape[0]):
            if noisy[n]:
                start = (place[n] + begin) % (tables.shape[1] - samples)
                table = tables[pink[n], start + early : start + late]
                column = rows[early * lanes + n : late * lanes]
                for i in range(late - early):
                    column[i * lanes] = table[i]


@njit(cache=True, **_FAST)
def _deliver(rows, lanes, samples, gains, panned, owner, begin, out):  # type: ignore[no-untyped-def]
    """Write the sum of each patch's lanes, by their gains, to its row of `out`."""
    for early in range(0, samples, _TILE):
        late = min(samples, early + _TILE)
        n = 0
        while n < owner.shape[0]:
            row = out[owner[n], begin + early : begin + late]
            voice = rows[early * lanes + n : late * lanes]
            gain = np.float32(gains[n])
            if panned[n]:
                n += 1
            elif n + 1 < owner.shape[0] and owner[n + 1] == owner[n]:
                other = np.float32(gains[n + 1])
                added = n > 0 and owner[n - 1] == owner[n]
                if added:
                    for i in range(late - early):
                        row[i] += gain * voice[i * lanes] + other * voice[i * lanes + 1]
                else:
                    for i in range(late - early):
                        row[i] = gain * voice[i * lanes] + other * voice[i * lanes + 1]
                n += 2
            else:
                if n > 0 and owner[n - 1] == owner[n]:
                    for i in range(late - early):
                        row[i] += gain * voice[i * lanes]
                else:
                    for i in range(late - early):
                        row[i] = gain * voice[i * lanes]
                n += 1


@njit(cache=True, **_FAST)
def _deliver_panned(  # type: ignore[no-untyped-def]
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


class _Scratch(threading.local):
    """Memory that a thread keeps for its next group: fresh pages cost more than what fills them."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.float32]] = {}

    def __call__(self, name: str, cells: int) -> NDArray[np.float32]:
        """So many zeros, until this thread asks for this name again."""
        kept = self._kept.get(name)
        if kept is None or len(kept) < cells:
            kept = self._kept[name] = np.empty(cells, np.float32)
        found = kept[:cells]
        found[:] = 0.0
        return found


_scratch = _Scratch()


def groups(lanes: LaneInputs) -> list[tuple[LaneInputs, bool]]:
    """Lanes that play together: whole patches, at most `LANES` lanes.

    Those that want noise stand together, because a group costs less without.

    Returns:
        Groups in which none or all lanes move, and none or all are heavy; and whether they move.
    """
    first = np.flatnonzero(np.diff(lanes.patch, prepend=-1))
    last = np.append(first[1:], len(lanes.patch))
    moves = np.logical_or.reduceat(lanes.moving, first)
    weighs = np.logical_or.reduceat(lanes.heavy, first)
    hisses = np.logical_or.reduceat(lanes.noisy, first)
    found = []
    for moving, heavy in ((False, False), (False, True), (True, False), (True, True)):
        rows: list[int] = []
        members = np.flatnonzero((moves == moving) & (weighs == heavy))
        for k in members[np.argsort(hisses[members], kind="stable")]:
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
    segments = _edges(samples, note_off, BLOCK if moving else STATIC_BLOCK)
    most = max(len(edges) for edges in segments)
    controls = _Controls(lanes, moving, constants, note_off, rate, most)
    voices = _Voices(lanes, moving, min(SEGMENT, samples))
    gains = [np.where(mono, lanes.pan.mean(axis=1), lanes.pan[:, k]) for k in range(len(out))]
    panned = lanes.panned
    gain = np.zeros(SEGMENT if panned.any() else 0, np.float32)
    start = 0
    for edges in segments:
        controls.advance(edges)
        rows = voices.play(controls, edges, start)
        length = int(edges[-1] - start)
        for channel in range(len(out)):
            _deliver(rows, voices.width, length, gains[channel], panned, owner, start, out[channel])
        if panned.any():
            _deliver_panned(
                rows, voices.width, length, controls.pan(len(edges)), mono, panned, edges, gain,
                owner, start, out,
            )  # fmt: skip
        start = int(edges[-1])


class _Controls:
    """What moves once a block: envelopes, the matrix, pitches, the modules' coefficients.

    Args:
        lanes: of one group.
        moving: whether any of them moves.
        constants: see `play_group`.
        note_off: likewise.
        rate: likewise.
        most: edges of a segment at most.

    Attributes:
        curves: (blocks, CURVE, LANES) float32, the amplifier's envelope.
        phases: (blocks, 3 * oscillators, LANES) float32; see `control_program.play_pitches`.
        source: coefficients of the oscillator panel at the edges, and their growth per sample.
        filter: the same of mixer, high-pass, filter and amplifier in the order of the signal.
    """

    def __init__(
        self,
        lanes: LaneInputs,
        moving: bool,
        constants: Mapping[str, NDArray[np.float64]],
        note_off: int,
        rate: float,
        most: int,
    ) -> None:
        chain = lanes.chain
        count = len(lanes.patch)
        self._lanes, self._moving, self._constants = lanes, moving, constants
        self._note_off, self._rate = note_off, rate
        self._begins = True
        self._heard = lanes.heard_envelopes
        self._moved = lanes.moved
        self._levels = lanes.extras[:, c.START_ENV_1 : c.START_AMPLIFIER + 1].copy()
        self._stages = np.where(self._levels >= 1.0, DECAY, ATTACK).astype(np.int64)
        self._quantised = lanes.extras[:, [c.STEPS_ENV_1, c.STEPS_ENV_2, c.STEPS_ENV_1]]
        self._reached = np.zeros((count, 2, most))
        self._known = np.zeros((count, c.SOURCES))
        self._cycles = np.zeros((count, 2))
        self._phase = lanes.phase.copy()
        self._u = np.zeros((count, len(chain.inputs), most))
        self.curves = np.zeros((most, CURVE, LANES), np.float32)
        self.phases = np.zeros((most, 3 * chain.oscillator.oscillators, LANES), np.float32)
        self.phases[:, 1::3] = 0.01
        order = [chain.highpass, chain.filter]
        if chain.highpass.after_filter:
            order.reverse()
        self._parts: list[tuple[Module, bool, slice]] = []
        row = 2  # behind the mixer's feedback and filter FM
        for module in (*order, chain.amplifier):
            self._parts.append((module, False, slice(row, row + len(module.coefficients))))
            row += len(module.coefficients)
        width = len(chain.oscillator.coefficients)
        self._parts.append((chain.oscillator, True, slice(0, width)))
        self.source = np.zeros((2, most, width, LANES), np.float32)
        self.filter = np.zeros((2, most, row, LANES), np.float32)

    @property
    def bends(self) -> bool:
        """Whether filter FM is heard in any lane."""
        column = self._lanes.chain.index("mixer.filter_fm")
        return bool(self._moving and (self._moved[column] or self._lanes.base[:, column].any()))

    def pan(self, edges: int) -> NDArray[np.float64]:
        """(lanes, edges), -1 left, 1 right."""
        column = self._lanes.chain.index("mixer.pan")
        return np.ascontiguousarray(self._u[:, column, :edges])

    def advance(self, edges: NDArray[np.int64]) -> None:
        """Work out a segment.

        Args:
            edges: (blocks + 1,) int64, first samples of its blocks and the end of the last.
        """
        lanes, u, count = self._lanes, self._u, len(edges)
        play_envelopes(
            lanes.shapes, self._heard, self._quantised, edges, self._note_off, self._levels,
            self._stages, self._reached, self.curves,
        )  # fmt: skip
        if self._moving or self._begins:
            c.modulate(
                lanes.base, lanes.route_inputs, lanes.sources, lanes.depths, lanes.inner_sources,
                lanes.inner_depths, lanes.static, lanes.lfos, lanes.extras, self._reached, edges,
                self._note_off, self._rate, self._begins, self._known, self._cycles, u,
            )  # fmt: skip
            if not self._moving:
                # A segment with the key's release in it has a block more than the first one.
                u[:, :, count:] = u[:, :, count - 1 : count]
            self._coefficients(count)
        c.play_pitches(
            u[:, :, :count], lanes.chain.oscillator.oscillators, edges, self._rate, lanes.glide,
            lanes.drift, lanes.drift_samples, self._phase, self.phases,
        )  # fmt: skip
        if self._moving:
            c.slopes(self.source[0], edges, self.source[1])
            c.slopes(self.filter[0], edges, self.filter[1])
        self._begins = False

    def _coefficients(self, edges: int) -> None:
        """At the edges of a segment; of modules that nothing moves, once for all segments."""
        chain = self._lanes.chain
        for k, name in enumerate(("mixer.feedback", "mixer.filter_fm")):
            self.filter[0, :edges, k, : len(self._u)] = self._u[:, chain.index(name), :edges].T
        for module, sounds, span in self._parts:
            p = (self.source if sounds else self.filter)[0]
            inputs = chain.span(module)
            moves = self._moving and bool(self._moved[inputs].any())
            if moves or self._begins:
                places = edges if moves else 1
                coefficients_of(module)(
                    self._u[:, inputs, :places], self._constants[module.full_name], self._rate,
                    p[:places, span],
                )  # fmt: skip
                if not moves:
                    p[1:, span] = p[:1, span]


class _Voices:
    """What moves once a sample: the source stage and the filter stage.

    Args:
        lanes: of one group.
        moving: whether any of them moves.
        longest: samples of a segment at most.

    Attributes:
        width: lanes in a row, 8, 16 or 32; those beyond the group's are silent.
    """

    def __init__(self, lanes: LaneInputs, moving: bool, longest: int) -> None:
        chain = lanes.chain
        light = chain.oscillator.light is not None and not lanes.heavy.any()
        self.width = next(width for width in (8, 16, 32) if len(lanes.patch) <= width)
        self._moving = moving
        self._source = source_stage(chain.oscillator, moving, light)
        self._filter = filter_stage(chain.highpass, chain.filter, chain.amplifier, moving)
        self._source_lane = np.zeros(self._source.ROWS * LANES, np.float32)
        self._filter_lane = np.zeros(self._filter.ROWS * LANES, np.float32)
        cells, before = longest * self.width, 8 * self.width
        self._rows = _scratch("rows", before + cells)
        self._first_rows = _scratch("first rows", before + (cells if moving else 0))
        self._tone = _scratch("tone", cells)
        self._first = _scratch("first", cells if moving else 0)
        self._hiss = _scratch("hiss", cells)
        self._tables = noise_tables()
        self._noisy = lanes.noisy
        self._place = (lanes.noise * 1048576.0).astype(np.int64) * 40503 % 200000
        pink = chain.oscillator.pink(lanes.base[:, chain.span(chain.oscillator)])
        self._pink = pink.astype(np.int64)

    def play(
        self, controls: _Controls, edges: NDArray[np.int64], start: int
    ) -> NDArray[np.float32]:
        """Play a segment.

        Args:
            controls: of this segment.
            edges: see `_Controls.advance`.
            start: first sample of the segment.

        Returns:
            (samples * width,) float32, the same sample of all lanes side by side.
        """
        length, width = int(edges[-1] - start), self.width
        tone, first, hiss = self._tone, self._first, self._hiss
        if self._noisy.any():
            _hiss(self._tables, self._pink, self._noisy, self._place, start, length, width, hiss)
        self._source.play(
            self._source_lane, width, edges, controls.phases, *controls.source, hiss,
            self._rows[8 * width :], self._first_rows[8 * width :] if self._moving else first,
            start,
        )  # fmt: skip
        _sharpen(self._rows, width, length, tone)
        if controls.bends:
            _sharpen(self._first_rows, width, length, first)
        self._filter.play(
            self._filter_lane, width, edges, controls.curves, *controls.filter, tone, hiss, first,
            start,
        )  # fmt: skip
        return tone
