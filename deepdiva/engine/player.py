"""Plays lanes: control program, source stage, filter stage, segment by segment."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine import control_program as c
from deepdiva.engine.chain import LIGHT, PLAIN, LaneInputs
from deepdiva.engine.envelope_curves import ATTACK, CURVE, DECAY, play_envelopes
from deepdiva.engine.lane_rows import (
    SCRATCH,
    bring_noise,
    deliver,
    deliver_panned,
    sharpen,
    sharpen_lines,
)
from deepdiva.engine.module import Module
from deepdiva.engine.noise import noise_tables
from deepdiva.engine.stages import (
    coefficients_of,
    filter_stage,
    plain_source_stage,
    source_stage,
)

LANES: Final = 32
"""Distance between rows of the lane arrays: lanes that play side by side at most."""

_VECTOR: Final = 16
"""Lanes that are worked on at once: two vectors of AVX2. Fewer take as long."""

BLOCK: Final = 64
"""Samples between two looks at the controls where something moves."""

STATIC_BLOCK: Final = 256
"""The same where nothing but the amplifier's envelope and drift moves."""

SEGMENT: Final = 2048
"""Samples that a stage works on before the next stage takes over; a multiple of both blocks."""


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


@dataclass(frozen=True, eq=False)
class Part:
    """Lanes of a group that one step of one oscillator panel plays.

    Attributes:
        lanes: whole patches, in ascending order.
        step: `PLAIN`, `LIGHT` or `FULL`.
        column: of the first lane among those of the group.
    """

    lanes: LaneInputs
    step: int
    column: int

    @property
    def columns(self) -> int:
        """How many it takes; lanes with states fill whole vectors."""
        count = len(self.lanes.patch)
        return count if self.step == PLAIN else _whole(count)


@dataclass(frozen=True, eq=False)
class Group:
    """Lanes that are played together: whole patches of one high-pass, filter and amplifier.

    Attributes:
        parts: side by side, of any oscillator panel, in at most `LANES` columns.
        moving: whether any of them moves; none or all patches do.
    """

    parts: tuple[Part, ...]
    moving: bool

    @property
    def patches(self) -> NDArray[np.int64]:
        """Numbers of its patches, ascending."""
        return np.unique(np.concatenate([part.lanes.patch for part in self.parts]))

    @property
    def width(self) -> int:
        """Columns of its rows, whole vectors."""
        return _whole(self.parts[-1].column + self.parts[-1].columns)


def _whole(lanes: int) -> int:
    """Lanes of so many whole vectors as are needed."""
    return -(-lanes // _VECTOR) * _VECTOR


class _Columns:
    """A group that is being filled."""

    def __init__(self) -> None:
        self._used = 0
        self._closed: list[Part] = []
        self._plain: dict[int, tuple[LaneInputs, list[int]]] = {}

    def has_room(self, columns: int) -> bool:
        """Whether so many more fit in."""
        return self._used + columns <= LANES

    def add_part(self, lanes: LaneInputs, step: int) -> None:
        """Lanes with states, before all that have none."""
        part = Part(lanes, step, self._used)
        self._closed.append(part)
        self._used += part.columns

    def add_plain(self, number: int, lanes: LaneInputs, rows: range) -> None:
        """Some `rows` of the lanes of one chain, without states."""
        self._plain.setdefault(number, (lanes, []))[1].extend(rows)
        self._used += len(rows)

    def group(self, moving: bool) -> Group:
        """What has been filled in."""
        parts = list(self._closed)
        column = sum(part.columns for part in parts)
        for lanes, rows in self._plain.values():
            parts.append(Part(lanes.rows(np.array(rows)), PLAIN, column))
            column += len(rows)
        return Group(tuple(parts), moving)


@dataclass
class _Waiting:
    """Patches of one high-pass, filter and amplifier that all move or all do not.

    Attributes:
        plain: number of a chain, its lanes, and rows of one patch, for patches without states.
        others: the same by step for each chain.
    """

    plain: list[tuple[int, LaneInputs, range]]
    others: dict[tuple[int, int], tuple[LaneInputs, list[range]]]


def groups(inputs: Iterable[LaneInputs]) -> list[Group]:
    """Lanes of all chains in groups that play together.

    A patch's lanes stay together and are played by the least step that suffices for all of them, so
    that what a patch sounds like does not depend on the others.
    """
    waiting: dict[tuple[str, str, str, bool], _Waiting] = {}
    for number, lanes in enumerate(inputs):
        chain = lanes.chain
        names = (chain.highpass.full_name, chain.filter.full_name, chain.amplifier.full_name)
        first = np.flatnonzero(np.diff(lanes.patch, prepend=-1))
        last = np.append(first[1:], len(lanes.patch))
        moves = np.logical_or.reduceat(lanes.moving, first)
        steps = np.maximum.reduceat(lanes.steps, first)
        for k, (begin, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            kind = waiting.setdefault((*names, bool(moves[k])), _Waiting([], {}))
            if steps[k] == PLAIN:
                kind.plain.append((number, lanes, range(begin, end)))
            else:
                own = kind.others.setdefault((number, int(steps[k])), (lanes, []))
                own[1].append(range(begin, end))
    return [
        columns.group(moving) for (*_, moving), kind in waiting.items() for columns in _filled(kind)
    ]


def _filled(waiting: _Waiting) -> list[_Columns]:
    """Columns filled with all that waits: lanes with states first, then the others between them."""
    pieces: list[tuple[LaneInputs, int, list[int]]] = []
    for (_, step), (lanes, patches) in waiting.others.items():
        rows: list[int] = []
        for patch in patches:
            if rows and len(rows) + len(patch) > LANES:
                pieces.append((lanes, step, rows))
                rows = []
            rows = [*rows, *patch]
        pieces.append((lanes, step, rows))
    found: list[_Columns] = []

    def room(columns: int) -> _Columns:
        for one in found:
            if one.has_room(columns):
                return one
        found.append(_Columns())
        return found[-1]

    for lanes, step, rows in sorted(pieces, key=lambda piece: -len(piece[2])):
        room(_whole(len(rows))).add_part(lanes.rows(np.array(rows)), step)
    for number, lanes, patch in waiting.plain:
        room(len(patch)).add_plain(number, lanes, patch)
    return found


def play_group(
    group: Group,
    constants: Mapping[str, NDArray[np.float64]],
    samples: int,
    note_off: int,
    rate: float,
    owner: NDArray[np.int64],
    mono: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """Play a group and write the sums of each patch's lanes to the rows of `out`.

    Args:
        group: of any chains that share their filters.
        constants: values of the modules' constants by full name.
        samples: of the note.
        note_off: sample of the key's release.
        rate: samples per second.
        owner: row of `out` of each patch, by its number.
        mono: by the same number, patches that go to every channel with the mean of both channels'
            gains.
        out: (channels, rows, samples) float32, one or two channels; these rows are overwritten.
    """
    segments = _edges(samples, note_off, BLOCK if group.moving else STATIC_BLOCK)
    most = max(len(edges) for edges in segments)
    voices = _Voices(group, constants, note_off, rate, most, min(SEGMENT, samples))
    outlets = [_Outlet(part, owner, mono, len(out)) for part in group.parts]
    start = 0
    for edges in segments:
        tone = voices.play(edges, start)
        for outlet, controls in zip(outlets, voices.controls, strict=True):
            outlet.deliver(tone, voices.width, controls, edges, start, out)
        start = int(edges[-1])


class _Outlet:
    """Brings the lanes of a part to the rows of their patches."""

    def __init__(
        self, part: Part, owner: NDArray[np.int64], mono: NDArray[np.bool_], channels: int
    ) -> None:
        lanes = part.lanes
        self._column = part.column
        self._owner = np.ascontiguousarray(owner[lanes.patch])
        self._mono = np.ascontiguousarray(mono[lanes.patch])
        mean = lanes.pan.mean(axis=1)
        self._gains = [np.where(self._mono, mean, lanes.pan[:, k]) for k in range(channels)]
        self._panned = lanes.panned
        self._gain = np.zeros(SEGMENT if self._panned.any() else 0, np.float32)
        self._tile = np.empty(SCRATCH, np.float32)

    def deliver(
        self,
        tone: NDArray[np.float32],
        width: int,
        controls: _Controls,
        edges: NDArray[np.int64],
        start: int,
        out: NDArray[np.float32],
    ) -> None:
        """Write a segment; see `play_group` and `_Voices.play`."""
        rows = tone[self._column :]
        length = int(edges[-1] - start)
        for channel, gains in enumerate(self._gains):
            deliver(
                rows, width, length, gains, self._panned, self._owner, self._tile, start,
                out[channel],
            )  # fmt: skip
        if self._panned.any():
            deliver_panned(
                rows, width, length, controls.pan(len(edges)), self._mono, self._panned, edges,
                self._gain, self._owner, start, out,
            )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Program:
    """How the coefficients of one module come about.

    Attributes:
        kernel: see `stages.coefficients_of`.
        u: (lanes, inputs, edges) float64, the module's own inputs.
        constants: of the module.
        p: (edges, coefficients, LANES) float32, overwritten.
        moves: whether something moves an input in some lane.
    """

    kernel: Callable[..., None]
    u: NDArray[np.float64]
    constants: NDArray[np.float64]
    p: NDArray[np.float32]
    moves: bool


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
        bends: whether filter FM is heard in any lane.
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
        self._lanes, self._moving = lanes, moving
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
        spans = {}
        row = 2  # behind the mixer's feedback and filter FM
        for module in (*order, chain.amplifier):
            spans[module] = slice(row, row + len(module.coefficients))
            row += len(module.coefficients)
        width = len(chain.oscillator.coefficients)
        self.source = np.zeros((2, most, width, LANES), np.float32)
        self.filter = np.zeros((2, most, row, LANES), np.float32)
        self._programs = [
            self._program(module, constants, self.filter[0][:, span])
            for module, span in spans.items()
        ]
        self._programs.append(self._program(chain.oscillator, constants, self.source[0]))
        self._mixer = [chain.index(f"mixer.{name}") for name in ("feedback", "filter_fm")]
        self._pan = chain.index("mixer.pan")
        bent = self._mixer[1]
        self.bends = bool(moving and (self._moved[bent] or lanes.base[:, bent].any()))

    def _program(
        self,
        module: Module,
        constants: Mapping[str, NDArray[np.float64]],
        p: NDArray[np.float32],
    ) -> _Program:
        inputs = self._lanes.chain.span(module)
        moves = self._moving and bool(self._moved[inputs].any())
        kernel = coefficients_of(module)
        return _Program(kernel, self._u[:, inputs], constants[module.full_name], p, moves)

    def pan(self, edges: int) -> NDArray[np.float64]:
        """(lanes, edges), -1 left, 1 right."""
        return np.ascontiguousarray(self._u[:, self._pan, :edges])

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
            u, lanes.chain.oscillator.oscillators, edges, self._rate, lanes.glide,
            lanes.drift, lanes.drift_samples, self._phase, self.phases,
        )  # fmt: skip
        if self._moving:
            c.slopes(self.source[0], edges, self.source[1])
            c.slopes(self.filter[0], edges, self.filter[1])
        self._begins = False

    def _coefficients(self, edges: int) -> None:
        """At the edges of a segment; of modules that nothing moves, once for all segments."""
        for k, place in enumerate(self._mixer):
            self.filter[0, :edges, k, : len(self._u)] = self._u[:, place, :edges].T
        for program in self._programs:
            if program.moves or self._begins:
                places = edges if program.moves else 1
                program.kernel(
                    program.u[:, :, :places], program.constants, self._rate, program.p[:places]
                )
                if not program.moves:
                    program.p[1:] = program.p[:1]


class _Rows:
    """Memory of samples side by side, of so many lanes.

    Attributes:
        width: lanes in a row, whole vectors.
        tone: (samples * width,) float32.
        first: the first oscillator alone, where it is wanted.
    """

    def __init__(self, name: str, width: int, longest: int, moving: bool) -> None:
        self.width = width
        cells = longest * width
        self.tone = _scratch(f"{name} tone", cells)
        self.first = _scratch(f"{name} first", cells if moving else 0)

    def put(self, other: _Rows, column: int, length: int, bends: bool) -> None:
        """Take in some columns from rows of their own."""
        span = slice(column, column + other.width)
        names = ("tone", "first") if bends else ("tone",)
        for name in names:
            into = getattr(self, name).reshape(-1, self.width)
            into[:length, span] = getattr(other, name).reshape(-1, other.width)[:length]


class _Source(ABC):
    """The source stage of one part.

    Args:
        part: of a group.
        moving: whether anything in the group moves.
        rows: of the group.
    """

    def __init__(self, part: Part, moving: bool, rows: _Rows) -> None:
        lanes = part.lanes
        self._module = lanes.chain.oscillator
        self._column = part.column
        self._moving = moving
        self._count = len(lanes.patch)
        self._rows = rows
        self._noisy = lanes.noisy
        self._any_noise = bool(self._noisy.any())
        self._place = (lanes.noise * 1048576.0).astype(np.int64) * 40503 % 200000
        pink = self._module.pink(lanes.base[:, lanes.chain.span(self._module)])
        self._pink = pink.astype(np.int64)

    @abstractmethod
    def play(self, controls: _Controls, edges: NDArray[np.int64], start: int, bends: bool) -> None:
        """Play a segment into the rows of the group.

        Args:
            controls: of this part and segment.
            edges: see `_Controls.advance`.
            start: first sample of the segment.
            bends: whether the first oscillator alone is wanted too.
        """

    def _bring_noise(
        self, start: int, length: int, lane: int, sample: int, into: NDArray[np.float32]
    ) -> None:
        """Put white or pink noise where lanes want it; see `lane_rows.bring_noise`."""
        if self._any_noise:
            bring_noise(
                noise_tables(), self._pink, self._noisy, self._place, start, length, lane, sample,
                into,
            )  # fmt: skip


class _AlongTime(_Source):
    """Lanes without states: one after the other, each along time."""

    def __init__(self, part: Part, moving: bool, longest: int, rows: _Rows) -> None:
        super().__init__(part, moving, rows)
        self._kernel = plain_source_stage(self._module, moving)
        self._stride = longest + 8
        self._lines = np.zeros(self._count * self._stride, np.float32)
        self._firsts = np.zeros(self._count * self._stride if moving else 0, np.float32)
        self._whites = np.zeros(self._count * self._stride if self._any_noise else 0, np.float32)
        self._silent = np.zeros(self._count, np.bool_)
        self._tile = np.empty(SCRATCH, np.float32)

    def play(self, controls: _Controls, edges: NDArray[np.int64], start: int, bends: bool) -> None:
        rows, column, length = self._rows, self._column, int(edges[-1] - start)
        self._bring_noise(start, length, self._stride, 1, self._whites)
        self._kernel(
            self._count, edges, controls.phases, *controls.source, self._noisy, self._whites,
            self._lines[8:], self._firsts[8:], self._stride, start,
        )  # fmt: skip
        size = self._stride, self._count, length
        place = self._whites, self._tile, rows.width
        sharpen_lines(self._lines, *size, self._noisy, *place, rows.tone[column:])
        if bends:
            sharpen_lines(self._firsts, *size, self._silent, *place, rows.first[column:])


class _SideBySide(_Source):
    """Lanes that carry states from sample to sample."""

    def __init__(self, part: Part, moving: bool, longest: int, rows: _Rows) -> None:
        super().__init__(part, moving, rows)
        self._kernel = source_stage(self._module, moving, part.step == LIGHT)
        self._lane = np.zeros(self._kernel.ROWS * LANES, np.float32)
        width = part.columns
        alone = width == rows.width
        self._own = rows if alone else _Rows(f"part {part.column}", width, longest, moving)
        cells = (longest + 8) * width
        self._hiss = _scratch(f"part {part.column} hiss", longest * width)
        self._dull = _scratch(f"part {part.column} dull", cells)
        self._dull_first = _scratch(f"part {part.column} dull first", cells if moving else 0)

    def play(self, controls: _Controls, edges: NDArray[np.int64], start: int, bends: bool) -> None:
        own, length = self._own, int(edges[-1] - start)
        width = own.width
        self._bring_noise(start, length, 1, width, self._hiss)
        self._kernel.play(
            self._lane, width, edges, controls.phases, *controls.source, self._hiss,
            self._dull[8 * width :], self._dull_first[8 * width :] if self._moving else own.first,
            start,
        )  # fmt: skip
        sharpen(self._dull, width, length, self._any_noise, self._hiss, own.tone)
        if bends:
            sharpen(self._dull_first, width, length, False, self._hiss, own.first)
        if own is not self._rows:
            self._rows.put(own, self._column, length, bends)


class _Voices:
    """What moves once a sample: the source stages and the filter stage.

    Args:
        group: that is played.
        constants: see `play_group`.
        note_off: likewise.
        rate: likewise.
        most: edges of a segment at most.
        longest: samples of a segment at most.

    Attributes:
        width: lanes in a row, whole vectors; those beyond the group's are silent.
        controls: of each part.
    """

    def __init__(
        self,
        group: Group,
        constants: Mapping[str, NDArray[np.float64]],
        note_off: int,
        rate: float,
        most: int,
        longest: int,
    ) -> None:
        chain = group.parts[0].lanes.chain
        moving = group.moving
        self.width = group.width
        self.controls = [
            _Controls(part.lanes, moving, constants, note_off, rate, most) for part in group.parts
        ]
        self._moving = moving
        self._spans = [
            slice(part.column, part.column + len(part.lanes.patch)) for part in group.parts
        ]
        self._rows = _Rows("group", self.width, longest, moving)
        self._sources = [
            (_AlongTime if part.step == PLAIN else _SideBySide)(part, moving, longest, self._rows)
            for part in group.parts
        ]
        self._filter = filter_stage(chain.highpass, chain.filter, chain.amplifier, moving)
        self._filter_lane = np.zeros(self._filter.ROWS * LANES, np.float32)
        self._curves = np.zeros_like(self.controls[0].curves)
        self._coefficients = np.zeros_like(self.controls[0].filter)

    def play(self, edges: NDArray[np.int64], start: int) -> NDArray[np.float32]:
        """Play a segment.

        Args:
            edges: see `_Controls.advance`.
            start: first sample of the segment.

        Returns:
            (samples * width,) float32, the same sample of all lanes side by side.
        """
        rows = self._rows
        for controls in self.controls:
            controls.advance(edges)
        bends = any(controls.bends for controls in self.controls)
        for source, controls in zip(self._sources, self.controls, strict=True):
            source.play(controls, edges, start, bends)
        curves, coefficients = self._gathered(len(edges), start)
        self._filter.play(
            self._filter_lane, self.width, edges, curves, *coefficients, rows.tone, rows.first,
            start,
        )  # fmt: skip
        return rows.tone

    def _gathered(self, edges: int, start: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Envelopes and coefficients of all parts, side by side."""
        if len(self.controls) == 1:
            return self.controls[0].curves, self.controls[0].filter
        fresh = self._moving or start == 0
        for controls, span in zip(self.controls, self._spans, strict=True):
            count = span.stop - span.start
            self._curves[:edges, :, span] = controls.curves[:edges, :, :count]
            if fresh:
                places = slice(edges if self._moving else 1)
                self._coefficients[:, places, :, span] = controls.filter[:, places, :, :count]
        return self._curves, self._coefficients
