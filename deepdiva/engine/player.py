"""Plays lanes: control program, source stage, filter stage, segment by segment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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

_BANKS: Final = 6
"""Banks that share source stages at most: threads take whole groups."""

SEGMENT: Final = 2048
"""Samples that a stage works on before the next stage takes over; a multiple of both blocks."""


@lru_cache(maxsize=64)
def segment_edges(samples: int, note_off: int, block: int) -> tuple[NDArray[np.int64], ...]:
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
    """Lanes of a bank that one step of one oscillator panel plays.

    Attributes:
        lanes: whole patches, in ascending order.
        step: `PLAIN`, `LIGHT` or `FULL`.
        column: of the first lane among those of the bank.
    """

    lanes: LaneInputs
    step: int
    column: int

    @property
    def span(self) -> slice:
        """Its columns."""
        return slice(self.column, self.column + len(self.lanes.patch))


@dataclass(frozen=True, eq=False)
class Bank:
    """Lanes whose filters play together: whole patches of one high-pass, filter and amplifier.

    Attributes:
        parts: side by side, of any oscillator panel, in at most `LANES` columns.
        fed: whether the amplifier's output comes back in any of them; in none or in all patches.
    """

    parts: tuple[Part, ...]
    fed: bool

    @property
    def width(self) -> int:
        """Columns of its rows, whole vectors."""
        return _whole(self.parts[-1].span.stop)

    @property
    def linked(self) -> Counter[tuple[Module, int]]:
        """Lanes with states, by oscillator panel and step."""
        found: Counter[tuple[Module, int]] = Counter()
        for part in self.parts:
            if part.step != PLAIN:
                found[part.lanes.chain.oscillator, part.step] += len(part.lanes.patch)
        return found


@dataclass(frozen=True, eq=False)
class Group:
    """Banks that are played together, segment by segment, and share the source stages with states.

    Attributes:
        banks: at most `_BANKS`; of one panel and step they have at most `LANES` lanes with states.
        moving: whether any of them moves; none or all patches do.
    """

    banks: tuple[Bank, ...]
    moving: bool

    @property
    def parts(self) -> tuple[Part, ...]:
        """Of all banks."""
        return tuple(part for bank in self.banks for part in bank.parts)

    @property
    def patches(self) -> NDArray[np.int64]:
        """Numbers of its patches, ascending."""
        return np.unique(np.concatenate([part.lanes.patch for part in self.parts]))


def _whole(lanes: int) -> int:
    """Lanes of so many whole vectors as are needed."""
    return -(-lanes // _VECTOR) * _VECTOR


class _Columns:
    """A bank that is being filled."""

    def __init__(self) -> None:
        self._used = 0
        self._parts: dict[tuple[int, int], tuple[LaneInputs, list[int]]] = {}

    def has_room(self, columns: int) -> bool:
        """Whether so many more fit in."""
        return self._used + columns <= LANES

    def add(self, number: int, step: int, lanes: LaneInputs, rows: range) -> None:
        """Some `rows` of the lanes of one chain, which one step plays."""
        self._parts.setdefault((number, step), (lanes, []))[1].extend(rows)
        self._used += len(rows)

    def bank(self, fed: bool) -> Bank:
        """What has been filled in."""
        parts = []
        column = 0
        for (_, step), (lanes, rows) in self._parts.items():
            parts.append(Part(lanes.rows(np.array(rows)), step, column))
            column += len(rows)
        return Bank(tuple(parts), fed)


_Patch = tuple[int, int, LaneInputs, range]
"""A patch that waits for a bank: number of its chain, step, lanes, which of them."""


def groups(inputs: Iterable[LaneInputs]) -> list[Group]:
    """Lanes of all chains in groups that play together.

    A patch's lanes stay together and are played by the least step that suffices for all of them, so
    that what a patch sounds like does not depend on the others.
    """
    waiting: dict[tuple[Module, Module, Module, bool, bool], list[_Patch]] = {}
    for number, lanes in enumerate(inputs):
        chain = lanes.chain
        modules = chain.highpass, chain.filter, chain.amplifier
        first = np.flatnonzero(np.diff(lanes.patch, prepend=-1))
        last = np.append(first[1:], len(lanes.patch))
        moves = np.logical_or.reduceat(lanes.moving, first)
        fed = np.logical_or.reduceat(lanes.fed, first)
        steps = np.maximum.reduceat(lanes.steps, first)
        for k, (begin, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            kind = waiting.setdefault((*modules, bool(moves[k]), bool(fed[k])), [])
            kind.append((number, int(steps[k]), lanes, range(begin, end)))
    return [
        Group(banks, moving)
        for moving in (False, True)
        for banks in _shared(
            [
                bank
                for (*_, moves_too, fed), kind in waiting.items()
                if moves_too == moving
                for bank in _banks(kind, fed)
            ]
        )
    ]


def _banks(waiting: list[_Patch], fed: bool) -> list[Bank]:
    """Banks of patches that share their filters, all with feedback or all without."""
    found: list[_Columns] = []
    for number, step, lanes, patch in sorted(waiting, key=lambda one: (-one[1], one[0])):
        for columns in found:
            if columns.has_room(len(patch)):
                break
        else:
            columns = _Columns()
            found.append(columns)
        columns.add(number, step, lanes, patch)
    return [columns.bank(fed) for columns in found]


def _shared(banks: Sequence[Bank]) -> list[tuple[Bank, ...]]:
    """Banks by groups: those with few lanes that have states come together, to fill vectors."""
    found: list[tuple[list[Bank], Counter[tuple[Module, int]]]] = []
    alone = []
    for bank in banks:
        linked = bank.linked
        if not linked:
            alone.append((bank,))
            continue
        for members, total in found:
            if len(members) < _BANKS and max((total + linked).values()) <= LANES:
                members.append(bank)
                total.update(linked)
                break
        else:
            found.append(([bank], linked))
    return [tuple(members) for members, _ in found] + alone


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
    segments = segment_edges(samples, note_off, BLOCK if group.moving else STATIC_BLOCK)
    most = max(len(edges) for edges in segments)
    longest = min(SEGMENT, samples)
    banks = [
        _Voices(bank, group.moving, number, constants, note_off, rate, most, longest)
        for number, bank in enumerate(group.banks)
    ]
    pools = _pools(banks, group.moving, longest)
    outlets = [
        [_Outlet(part, owner, mono, len(out)) for part in bank.parts] for bank in group.banks
    ]
    start = 0
    for edges in segments:
        for voices in banks:
            voices.advance(edges)
        for pool in pools:
            pool.play(edges, start)
        for voices, own in zip(banks, outlets, strict=True):
            tone = voices.play(edges, start)
            for outlet, controls in zip(own, voices.controls, strict=True):
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
        if self._moving:
            c.modulate(
                lanes.base, lanes.route_inputs, lanes.sources, lanes.depths, lanes.inner_sources,
                lanes.inner_depths, lanes.static, lanes.lfos, lanes.extras, self._reached, edges,
                self._note_off, self._rate, self._begins, self._known, self._cycles, u,
            )  # fmt: skip
            self._coefficients(count)
        elif self._begins:
            u[:] = lanes.base[:, :, None]
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


class _Noise:
    """Brings noise to lanes that want it.

    Args:
        some: lanes of one oscillator panel, side by side.
    """

    def __init__(self, some: Sequence[LaneInputs]) -> None:
        module = some[0].chain.oscillator
        places = np.concatenate([lanes.noise for lanes in some])
        inputs = np.concatenate([lanes.base[:, lanes.chain.span(module)] for lanes in some])
        self.noisy = np.concatenate([lanes.noisy for lanes in some])
        self.any = bool(self.noisy.any())
        self._place = (places * 1048576.0).astype(np.int64) * 40503 % 200000
        self._pink = module.pink(inputs).astype(np.int64)

    def bring(
        self, start: int, length: int, lane: int, sample: int, into: NDArray[np.float32]
    ) -> None:
        """Put white or pink noise where lanes want it; see `lane_rows.bring_noise`."""
        if self.any:
            bring_noise(
                noise_tables(), self._pink, self.noisy, self._place, start, length, lane, sample,
                into,
            )  # fmt: skip


class _AlongTime:
    """The source stage of lanes without states: one after the other, each along time.

    Args:
        part: of a bank.
        moving: whether anything in the group moves.
        longest: samples of a segment at most.
        rows: of the bank.
    """

    def __init__(self, part: Part, moving: bool, longest: int, rows: _Rows) -> None:
        self._kernel = plain_source_stage(part.lanes.chain.oscillator, moving)
        self._column = part.column
        self._rows = rows
        self._noise = _Noise([part.lanes])
        self._count = len(part.lanes.patch)
        self._stride = longest + 8
        self._lines = np.zeros(self._count * self._stride, np.float32)
        self._firsts = np.zeros(self._count * self._stride if moving else 0, np.float32)
        self._whites = np.zeros(self._count * self._stride if self._noise.any else 0, np.float32)
        self._silent = np.zeros(self._count, np.bool_)
        self._tile = np.empty(SCRATCH, np.float32)

    def play(self, controls: _Controls, edges: NDArray[np.int64], start: int, bends: bool) -> None:
        """Play a segment into the rows of the bank.

        Args:
            controls: of this part and segment.
            edges: see `_Controls.advance`.
            start: first sample of the segment.
            bends: whether the first oscillator alone is wanted too.
        """
        rows, column, length = self._rows, self._column, int(edges[-1] - start)
        noisy = self._noise.noisy
        self._noise.bring(start, length, self._stride, 1, self._whites)
        self._kernel(
            self._count, edges, controls.phases, *controls.source, noisy, self._whites,
            self._lines[8:], self._firsts[8:], self._stride, start,
        )  # fmt: skip
        size = self._stride, self._count, length
        place = self._whites, self._tile, rows.width
        sharpen_lines(self._lines, *size, noisy, *place, rows.tone[column:])
        if bends:
            sharpen_lines(self._firsts, *size, self._silent, *place, rows.first[column:])


@dataclass(frozen=True, eq=False)
class _Seat:
    """A part whose lanes have states, at its bank.

    Attributes:
        part: of the bank.
        controls: of the part.
        voices: of the bank.
    """

    part: Part
    controls: _Controls
    voices: _Voices


class _Pool:
    """The source stage of lanes that carry states from sample to sample, of all banks of a group.

    Args:
        number: of this pool in the group.
        seats: parts of one oscillator panel and one step, of at most `LANES` lanes together.
        moving: whether anything in the group moves.
        longest: samples of a segment at most.
    """

    def __init__(self, number: int, seats: Sequence[_Seat], moving: bool, longest: int) -> None:
        some = [seat.part.lanes for seat in seats]
        self._seats = seats
        self._moving = moving
        self._kernel = source_stage(some[0].chain.oscillator, moving, seats[0].part.step == LIGHT)
        self._lane = np.zeros(self._kernel.ROWS * LANES, np.float32)
        self._noise = _Noise(some)
        ends = np.cumsum([len(lanes.patch) for lanes in some]).tolist()
        self._spans = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        width = self._width = _whole(ends[-1])
        name = f"pool {number}"
        cells = (longest + 8) * width
        self._hiss = _scratch(f"{name} hiss", longest * width)
        self._dull = _scratch(f"{name} dull", cells)
        self._dull_first = _scratch(f"{name} dull first", cells if moving else 0)
        if len(seats[0].voices.controls) == 1 and len(seats) == 1:
            self._rows = seats[0].voices.rows
        else:
            self._rows = _Rows(name, width, longest, moving)
        self._phases = np.zeros_like(seats[0].controls.phases)
        self._phases[:, 1::3] = 0.01
        self._source = np.zeros_like(seats[0].controls.source)

    def play(self, edges: NDArray[np.int64], start: int) -> None:
        """Play a segment into the rows of the banks; see `_AlongTime.play`."""
        length, width, rows = int(edges[-1] - start), self._width, self._rows
        bends = any(seat.voices.bends for seat in self._seats)
        phases, source = self._gathered(len(edges), start)
        self._noise.bring(start, length, 1, width, self._hiss)
        self._kernel.play(
            self._lane, width, edges, phases, *source, self._hiss, self._dull[8 * width :],
            self._dull_first[8 * width :] if self._moving else rows.first, start,
        )  # fmt: skip
        hiss = self._noise.any, self._hiss
        sharpen(self._dull, width, length, *hiss, rows.tone)
        if bends:
            sharpen(self._dull_first, width, length, False, self._hiss, rows.first)
        for seat, span in zip(self._seats, self._spans, strict=True):
            into = seat.voices.rows
            if into is not rows:
                for name in ("tone", "first") if seat.voices.bends else ("tone",):
                    columns = getattr(rows, name).reshape(-1, width)[:length, span]
                    getattr(into, name).reshape(-1, into.width)[:length, seat.part.span] = columns

    def _gathered(self, edges: int, start: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Phases and coefficients of all seats, side by side."""
        if len(self._seats) == 1:
            return self._seats[0].controls.phases, self._seats[0].controls.source
        for seat, span in zip(self._seats, self._spans, strict=True):
            count = span.stop - span.start
            self._phases[:edges, :, span] = seat.controls.phases[:edges, :, :count]
            if self._moving or start == 0:
                places = slice(edges if self._moving else 1)
                self._source[:, places, :, span] = seat.controls.source[:, places, :, :count]
        return self._phases, self._source


def _pools(banks: Sequence[_Voices], moving: bool, longest: int) -> list[_Pool]:
    """One for each oscillator panel and step with states; arguments as of `_Pool`."""
    seats: dict[tuple[Module, int], list[_Seat]] = {}
    for voices in banks:
        for part, controls in zip(voices.parts, voices.controls, strict=True):
            if part.step != PLAIN:
                key = part.lanes.chain.oscillator, part.step
                seats.setdefault(key, []).append(_Seat(part, controls, voices))
    return [_Pool(k, some, moving, longest) for k, some in enumerate(seats.values())]


class _Voices:
    """What a bank plays: its controls, the source stages without states, the filter stage.

    Args:
        bank: that is played.
        moving: whether anything in the group moves.
        number: of the bank in its group.
        constants: see `play_group`.
        note_off: likewise.
        rate: likewise.
        most: edges of a segment at most.
        longest: samples of a segment at most.

    Attributes:
        parts: of the bank.
        width: lanes in a row, whole vectors; those beyond the bank's are silent.
        controls: of each part.
        rows: what the source stages fill and the filter stage plays.
        bends: whether filter FM is heard in any lane.
    """

    def __init__(
        self,
        bank: Bank,
        moving: bool,
        number: int,
        constants: Mapping[str, NDArray[np.float64]],
        note_off: int,
        rate: float,
        most: int,
        longest: int,
    ) -> None:
        chain = bank.parts[0].lanes.chain
        self.parts = bank.parts
        self.width = bank.width
        self.controls = [
            _Controls(part.lanes, moving, constants, note_off, rate, most) for part in bank.parts
        ]
        self.bends = any(controls.bends for controls in self.controls)
        self.rows = _Rows(f"bank {number}", self.width, longest, moving)
        self._moving = moving
        self._sources = [
            (_AlongTime(part, moving, longest, self.rows), controls)
            for part, controls in zip(bank.parts, self.controls, strict=True)
            if part.step == PLAIN
        ]
        self._filter = filter_stage(chain.highpass, chain.filter, chain.amplifier, moving, bank.fed)
        self._filter_lane = np.zeros(self._filter.ROWS * LANES, np.float32)
        self._curves = np.zeros_like(self.controls[0].curves)
        self._coefficients = np.zeros_like(self.controls[0].filter)

    def advance(self, edges: NDArray[np.int64]) -> None:
        """Work out the controls of a segment; see `_Controls.advance`."""
        for controls in self.controls:
            controls.advance(edges)

    def play(self, edges: NDArray[np.int64], start: int) -> NDArray[np.float32]:
        """Play a segment whose controls are there, and the lanes with states in the rows.

        Args:
            edges: see `_Controls.advance`.
            start: first sample of the segment.

        Returns:
            (samples * width,) float32, the same sample of all lanes side by side.
        """
        rows = self.rows
        for source, controls in self._sources:
            source.play(controls, edges, start, self.bends)
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
        for controls, part in zip(self.controls, self.parts, strict=True):
            count = part.span.stop - part.span.start
            self._curves[:edges, :, part.span] = controls.curves[:edges, :, :count]
            if fresh:
                places = slice(edges if self._moving else 1)
                self._coefficients[:, places, :, part.span] = controls.filter[:, places, :, :count]
        return self._curves, self._coefficients
