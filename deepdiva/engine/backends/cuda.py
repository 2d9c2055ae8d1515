"""The engine on a graphics card: the same steps, one thread a lane, all stages on the card.

Voices of all patches of one chain that need the same step play at once, in the segments and blocks
of the processor's player, so that both differ by rounding alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.engine import control_program as c
from deepdiva.engine.backends import cuda_text
from deepdiva.engine.chain import LIGHT, PLAIN, LaneInputs
from deepdiva.engine.effects import Setting, padded
from deepdiva.engine.envelope_curves import ATTACK, CURVE, DECAY
from deepdiva.engine.module import Module
from deepdiva.engine.noise import noise_tables
from deepdiva.engine.player import BLOCK, STATIC_BLOCK, segment_edges
from deepdiva.engine.stages import generated
from deepdiva.errors import InvalidValueError, MissingFeatureError

DEVICE_VARIABLE: Final = "DEEPDIVA_DEVICE"
DEVICES: Final = ("cpu", "cuda")
THREADS: Final = 64
"""Of a block: few, so that a small batch is spread over the card."""

_MOST_LANES: Final = 4096
"""Lanes that play at once at most: with 4 s of 44.1 kHz some 10 GB of the card."""


def chosen_device(name: str | None) -> str:
    """`cpu` or `cuda`: as named, or by the variable `DEEPDIVA_DEVICE`, or the processor.

    Raises:
        InvalidValueError: neither.
        MissingFeatureError: `cuda` without numba-cuda or without a card.
    """
    wanted = name or os.environ.get(DEVICE_VARIABLE) or "cpu"
    if wanted not in DEVICES:
        raise InvalidValueError(
            f"The engine's device is {wanted!r}: it must be cpu or cuda. Set {DEVICE_VARIABLE} to "
            "one of them, or leave it out for the processor."
        )
    if wanted == "cuda":
        _check()
    return wanted


def _check() -> None:
    way_out = f"Set {DEVICE_VARIABLE}=cpu, or leave it out, to play on the processor."
    try:
        import numba_cuda  # noqa: F401

        os.environ.setdefault("NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS", "0")
        from numba import cuda
    except ImportError as error:
        raise MissingFeatureError(
            f"The device is cuda, which needs numba-cuda: pip install 'deepdiva[cuda]'. {way_out}"
        ) from error
    if not cuda.is_available():
        raise MissingFeatureError(
            "The device is cuda, which needs an NVIDIA card and its driver: none was found. "
            f"{way_out}"
        )


@cache
def _kernel(text: cuda_text.KernelText) -> Any:
    return generated(text.text, text.title)


@cache
def _common() -> dict[str, Any]:
    texts = (*cuda_text.control_texts(), *cuda_text.rest_texts())
    return {text.title.removeprefix("cuda_"): _kernel(text).play for text in texts}


@cache
def _coefficients(module: Module) -> Any:
    return _kernel(cuda_text.coefficients_text(module)).play


@cache
def _source(module: Module, step: int, moving: bool) -> Any:
    return _kernel(source_text(module, step, moving))


def source_text(module: Module, step: int, moving: bool) -> cuda_text.KernelText:
    """The source stage of a panel; `step` is `PLAIN`, `LIGHT` or `FULL`."""
    kinds = {PLAIN: ("plain", module.along_time), LIGHT: ("light", module.light or module.step)}
    kind, function = kinds.get(step, ("full", module.step))
    assert function is not None
    return cuda_text.source_text(module, function, moving, kind)


@cache
def _filter(highpass: Module, lowpass: Module, amplifier: Module, moving: bool) -> Any:
    return _kernel(cuda_text.filter_text(highpass, lowpass, amplifier, moving))


@cache
def _effect(module: Module) -> Any:
    return _kernel(cuda_text.effect_text(module)).play


def _card() -> Any:
    from numba import cuda

    return cuda


def _launch(kernel: Any, threads: int, *arguments: Any) -> None:
    kernel[max(1, -(-threads // THREADS)), THREADS](*arguments)


def _to_card(values: NDArray[Any], lanes_first: bool = False) -> Any:
    """A copy on the card; arrays whose first axis are lanes get them side by side."""
    order = np.asfortranarray if lanes_first else np.ascontiguousarray
    return _card().to_device(order(values))


@dataclass(frozen=True)
class Batch:
    """Whole patches of one chain that play alike.

    Attributes:
        lanes: of these patches.
        moving: whether they move.
        step: `PLAIN`, `LIGHT` or `FULL`.
    """

    lanes: LaneInputs
    moving: bool
    step: int


def batches(inputs: Iterable[LaneInputs]) -> Iterator[Batch]:
    """Lanes of all chains, by what plays them; see `player.groups`."""
    for lanes in inputs:
        first = np.flatnonzero(np.diff(lanes.patch, prepend=-1))
        sizes = np.diff(np.append(first, len(lanes.patch)))
        moves = np.repeat(np.logical_or.reduceat(lanes.moving, first), sizes)
        steps = np.repeat(np.maximum.reduceat(lanes.steps, first), sizes)
        for moving in (False, True):
            for step in np.unique(steps):
                rows = np.flatnonzero((moves == moving) & (steps == step))
                while len(rows):
                    end = len(rows)
                    if end > _MOST_LANES:
                        end = int(
                            np.searchsorted(lanes.patch[rows], lanes.patch[rows[_MOST_LANES]])
                        )
                    yield Batch(lanes.rows(rows[:end]), moving, int(step))
                    rows = rows[end:]


def play_batch(
    batch: Batch,
    settings: Sequence[Sequence[Setting]],
    gains: Sequence[float],
    constants: Mapping[str, NDArray[np.float64]],
    rate: float,
    note_off: int,
    out: NDArray[np.float32],
) -> None:
    """Play patches with their effects.

    Args:
        batch: that is played.
        settings: effects of every patch, by its number.
        gains: of the output knobs behind effects, by the same number.
        constants: values of the modules' constants by full name.
        rate: samples per second.
        note_off: sample of the key's release.
        out: (channels, patches, samples) float32; the rows of these patches are overwritten.
    """
    channels, _, samples = out.shape
    patches, begins = np.unique(batch.lanes.patch, return_index=True)
    sides = 2 if channels == 2 or any(settings[k] for k in patches) else 1
    mono = np.array([channels == 1 and not settings[k] for k in patches])
    both = _card().to_device(np.zeros((sides, padded(samples), len(patches)), np.float32))
    _Voices(batch, constants, rate, note_off, samples, begins, mono, both).play()
    for place in range(max(len(settings[k]) for k in patches)):
        _play_effects(place, patches, settings, constants, rate, both)
    shares = np.zeros((channels, sides, len(patches)), np.float32)
    for m, k in enumerate(patches):
        gain = gains[k] if settings[k] else 1.0
        if channels == 2:
            shares[0, 0, m] = shares[1, 1, m] = gain
        elif settings[k]:
            shares[0, :, m] = 0.5 * gain
        else:
            shares[0, 0, m] = 1.0
    result = _card().device_array((channels, len(patches), samples), np.float32)
    _launch(_common()["outlet"], len(patches) * samples, both, _to_card(shares), result)
    out[:, patches] = result.copy_to_host()


def _play_effects(
    place: int,
    patches: NDArray[np.int64],
    settings: Sequence[Sequence[Setting]],
    constants: Mapping[str, NDArray[np.float64]],
    rate: float,
    both: Any,
) -> None:
    """Those in one slot of all patches, each kind at once."""
    kinds: dict[Module, list[int]] = {}
    for m, k in enumerate(patches):
        if len(settings[k]) > place:
            kinds.setdefault(settings[k][place][0], []).append(m)
    for module, members in kinds.items():
        given = tuple(constants[module.full_name])
        p = [
            [float(v) for v in module.controls(settings[patches[m]][place][1], given, rate)]
            for m in members
        ]
        assert module.memory is not None
        cells = max(module.memory(tuple(one)) for one in p)
        _launch(
            _effect(module), len(members), both, _to_card(np.array(members, np.int64)),
            _to_card(np.array(p).T), _card().to_device(np.zeros((cells, len(p)), np.float32)),
            _card().to_device(np.zeros((len(module.states), len(p)))),
        )  # fmt: skip


@cache
def _noise_on_card() -> Any:
    return _to_card(noise_tables())


class _Voices:
    """All voices of a batch, and what they need on the card.

    Args:
        batch: that is played.
        constants: see `play_batch`.
        rate: likewise.
        note_off: likewise.
        samples: of the note.
        begins: (patches,), first lane of each patch.
        mono: (patches,), which get the mean of both channels' gains.
        both: (sides, samples, patches) float32 on the card, overwritten.
    """

    def __init__(
        self, batch: Batch, constants: Mapping[str, NDArray[np.float64]], rate: float,
        note_off: int, samples: int, begins: NDArray[np.int64], mono: NDArray[np.bool_], both: Any,
    ) -> None:  # fmt: skip
        lanes, chain = batch.lanes, batch.lanes.chain
        count = self._count = len(lanes.patch)
        self._moving, self._chain, self._both = batch.moving, chain, both
        self._rate, self._note_off = rate, note_off
        self._drift_samples = lanes.drift_samples
        self._segments = segment_edges(samples, note_off, BLOCK if batch.moving else STATIC_BLOCK)
        most = max(len(edges) for edges in self._segments)
        longest = max(int(edges[-1] - edges[0]) for edges in self._segments)
        start = lanes.extras[:, c.START_ENV_1 : c.START_AMPLIFIER + 1]
        oscillator = chain.oscillator
        self._routes = tuple(
            _to_card(values, first)
            for values, first in (
                (lanes.base, True), (lanes.route_inputs, False), (lanes.sources, True),
                (lanes.depths, True), (lanes.inner_sources, True), (lanes.inner_depths, True),
                (lanes.static, True), (lanes.lfos, True), (lanes.extras, True),
            )
        )  # fmt: skip
        quantised = lanes.extras[:, [c.STEPS_ENV_1, c.STEPS_ENV_2, c.STEPS_ENV_1]]
        self._shapes = _to_card(lanes.shapes, True), _to_card(lanes.heard_envelopes)
        self._quantised = _to_card(quantised, True)
        self._levels = _to_card(start, True)
        self._stages = _to_card(np.where(start >= 1.0, DECAY, ATTACK).astype(np.int64), True)
        self._reached = _to_card(np.zeros((count, 2, most)), True)
        self._known = _to_card(np.zeros((count, c.SOURCES)), True)
        self._cycles = _to_card(np.zeros((count, 2)), True)
        self._u = _to_card(np.repeat(lanes.base[:, :, None], most, axis=2), True)
        self._glide, self._drift = _to_card(lanes.glide, True), _to_card(lanes.drift, True)
        self._phase = _to_card(lanes.phase, True)
        self._curves = _to_card(np.zeros((most, CURVE, count), np.float32))
        self._phases = _to_card(np.zeros((most, 3 * oscillator.oscillators, count), np.float32))
        order = [chain.highpass, chain.filter]
        if chain.highpass.after_filter:
            order.reverse()
        rows, self._rows = 2, {}
        for module in (*order, chain.amplifier):
            self._rows[module] = rows
            rows += len(module.coefficients)
        self._rows[oscillator] = 0
        self._constants = {m: _to_card(constants[m.full_name]) for m in chain.modules}
        self._to_filter = self._table(most, rows), self._table(most, rows)
        width = max(1, len(oscillator.coefficients))
        self._to_source = self._table(most, width), self._table(most, width)
        noise = (lanes.noise * 1048576.0).astype(np.int64) * 40503 % 200000
        pink = oscillator.pink(lanes.base[:, chain.span(oscillator)]).astype(np.int64)
        self._noise = _to_card(pink), _to_card(lanes.noisy), _to_card(noise)
        cells = longest * count
        self._mix, self._white = (_to_card(np.zeros(cells, np.float32)) for _ in range(2))
        self._first = _to_card(np.zeros(cells if batch.moving else 1, np.float32))
        self._source = _source(oscillator, batch.step, batch.moving)
        self._filter = _filter(chain.highpass, chain.filter, chain.amplifier, batch.moving)
        self._source_state = _to_card(np.zeros((self._source.ROWS, count), np.float32))
        self._filter_state = _to_card(np.zeros((self._filter.ROWS, count), np.float32))
        owner = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, count)))
        mean = lanes.pan.mean(axis=1)
        own = mono[owner]
        levels = np.array([np.where(own, mean, lanes.pan[:, k]) for k in range(len(both))])
        self._pan = _to_card(lanes.panned), _to_card(own), _to_card(levels)
        self._side_levels = _to_card(np.zeros((most, len(both), count), np.float32))
        self._begins = _to_card(np.append(begins, count).astype(np.int64))

    def _table(self, most: int, rows: int) -> Any:
        return _to_card(np.zeros((most, rows, self._count), np.float32))

    def play(self) -> None:
        """Play the whole note."""
        common, count = _common(), self._count
        for edges in self._segments:
            start, length = int(edges[0]), int(edges[-1] - edges[0])
            marks = _to_card(edges)
            self._control(marks, len(edges), start == 0)
            _launch(
                common["noise"], length * count, _noise_on_card(), *self._noise, start, length,
                count, self._white,
            )  # fmt: skip
            _launch(
                self._source.play, count, count, marks, self._phases, *self._to_source,
                self._white, self._mix, self._first, start, self._source_state,
            )  # fmt: skip
            _launch(
                self._filter.play, count, count, marks, self._curves, *self._to_filter, self._mix,
                self._white, self._first, start, self._filter_state,
            )  # fmt: skip
            patches = self._both.shape[2]
            _launch(
                common["deliver"], patches * (len(edges) - 1), self._mix, count, marks,
                self._side_levels, self._begins, start, self._both,
            )  # fmt: skip

    def _control(self, marks: Any, edges: int, begins: bool) -> None:
        """Envelopes, matrix, coefficients and pitches of a segment."""
        common, count, chain = _common(), self._count, self._chain
        _launch(
            common["play_envelopes"], count, *self._shapes, self._quantised, marks, self._note_off,
            self._levels, self._stages, self._reached, self._curves,
        )  # fmt: skip
        if self._moving or begins:
            _launch(
                common["modulate"], count, *self._routes, self._reached, marks, self._note_off,
                self._rate, begins, self._known, self._cycles, self._u,
            )  # fmt: skip
            wanted = edges if self._moving else 1
            for module in chain.modules:
                table = (self._to_source if module is chain.oscillator else self._to_filter)[0]
                _launch(
                    _coefficients(module), count, self._u, chain.span(module).start,
                    self._constants[module], self._rate, wanted, table, self._rows[module],
                )  # fmt: skip
            mixer = chain.index("mixer.feedback"), chain.index("mixer.filter_fm")
            _launch(common["mixer"], count, self._u, *mixer, wanted, self._to_filter[0])
        pan = chain.index("mixer.pan")
        _launch(
            common["pan"], count, self._u, pan, *self._pan, edges,
            self._side_levels,
        )  # fmt: skip
        if self._moving:
            for tables in (self._to_source, self._to_filter):
                _launch(common["slopes"], count, tables[0], marks, tables[1])
        oscillators = chain.oscillator.oscillators
        _launch(
            common["play_pitches"], count, self._u, oscillators, marks, self._rate,
            self._glide, self._drift, self._drift_samples, self._phase, self._phases,
        )  # fmt: skip
