"""What a module is: one circuit, one file, always the same parts.

A voice is a chain of modules: an oscillator panel, a high-pass, a filter, an amplifier. Each module
says which inputs it has (what a knob or a modulation sets), how they become coefficients once a
block (`controls`), and what happens once a sample (`step`). Nothing else of the engine knows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError


class Slot(StrEnum):
    """The place that a module takes in a chain."""

    OSCILLATOR = "oscillator"
    HIGHPASS = "highpass"
    FILTER = "filter"
    AMPLIFIER = "amplifier"
    EFFECT = "effect"


class Confidence(StrEnum):
    """How well a value or a law is known.

    `HIGH`, `MEDIUM` and `LOW` were fitted to sounds of the real synthesizer; `GUESS` comes from
    documents or from the circuit, and no sound has judged it: it is uncalibrated.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    GUESS = "guess"


@dataclass(frozen=True)
class Input:
    """What a knob, or modulation on top of it, sets.

    Attributes:
        name: of the input, unique in its module.
        unit: of its values; "" for a plain number.
        low: least value that the module is asked to play.
        high: greatest value.
        meaning: in words.
        default: where it rests when nothing sets it.
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
    default: float = 0.0


@dataclass(frozen=True)
class Constant:
    """A number that belongs to the circuit and stands on no panel.

    Attributes:
        name: unique in its module.
        value: the best one known.
        low: bound of what the evidence leaves open; training draws from it.
        high: the other bound.
        unit: of the value; "" for a plain number.
        confidence: how well it is known.
        meaning: in words.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    confidence: Confidence
    meaning: str


def _none(inputs: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.zeros(len(inputs), bool)


@dataclass(frozen=True, eq=False)
class Module:
    """One circuit. There is one object of each, which is equal to itself alone.

    Attributes:
        slot: where it stands in a chain.
        name: lower case, unique in its slot.
        version: counts changes that a listener or a network could notice.
        inputs: what sets it, in the order in which `controls` takes them. All of them are
            destinations of modulation.
        constants: in the order in which `controls` takes them.
        coefficients: names of what `controls` returns and `step` takes.
        states: names of what `step` carries from sample to sample; all start at 0.
        controls: `(u, c, rate) -> coefficients`, once a block. `u` are the inputs at the block's
            end, `c` the constants, `rate` samples per second; all are float64.
        step: `(x, p, s) -> (y, s)`, once a sample: pure, floats and tuples, no arrays, no branch
            but the conditional expression. See the slot's package for what x and y are. Of an
            effect: `(left, right, p, memory, s)`, a whole sound in place, with loops and arrays;
            its length is a multiple of 64 samples, and what is carried on stands in `memory`
            (float32) and `s` (float64), so that a sound may come in pieces.
        confidence: of the module as a whole.
        circuit: `(t, y, x, p, c) -> (output, dy/dt)`, the circuit's differential equation in
            float64 for tests: t counts samples, x is the input at t, p the coefficients; None
            where the module is no such circuit.
        bend: of a filter: `(p, factor) -> p`, the coefficients with the cutoff multiplied, once a
            sample, for filter FM.
        after_filter: of a high-pass: it stands behind the main filter, not before it.
        light: a cheaper step with the same arguments, results and states, for lanes that set none
            of the inputs in `heavy`; None where there is no such form.
        heavy: inputs that need `step`: a lane does where its knobs, or a route with a source and a
            depth, may raise one of them above 0. Voices of a patch are played alike, each by the
            least step that suffices, so what a patch sounds like does not depend on its batch.
        plain: of an oscillator panel: a step that needs no states, `(x, p, ()) -> (y, ())`, for
            lanes that set none of the inputs in `linked` or `heavy`; None where there is no such
            form. It runs along time, lane by lane. A `step` without states does so itself.
        linked: inputs through which one oscillator changes the course of another.
        noisy: of an oscillator panel: which lanes of these inputs, (lanes, inputs), want noise;
            (lanes,) bool. Where none is wanted, `step` gets 0 or a gain of 0 times anything.
        pink: of an oscillator panel: which lanes of these inputs want it pink; (lanes,) bool.
        oscillators: how many phases an oscillator panel runs.
        memory: of an effect: `(p) -> cells` that its delay lines take.
    """

    slot: Slot
    name: str
    version: int
    inputs: tuple[Input, ...]
    constants: tuple[Constant, ...]
    coefficients: tuple[str, ...]
    states: tuple[str, ...]
    controls: Callable[..., Any]
    step: Callable[..., Any]
    confidence: Confidence = Confidence.GUESS
    circuit: Callable[..., Any] | None = None
    bend: Callable[..., Any] | None = None
    after_filter: bool = False
    light: Callable[..., Any] | None = None
    heavy: tuple[str, ...] = ()
    plain: Callable[..., Any] | None = None
    linked: tuple[str, ...] = ()
    noisy: Callable[..., NDArray[np.bool_]] = _none
    pink: Callable[..., NDArray[np.bool_]] = _none
    oscillators: int = 0
    memory: Callable[..., int] | None = None

    def __post_init__(self) -> None:
        for name in (*self.heavy, *self.linked):
            self.input_index(name)
        for kind in ("inputs", "constants"):
            names = [entry.name for entry in getattr(self, kind)]
            if len(set(names)) != len(names):
                raise InvalidValueError(f"{self.name} has two {kind} of one name: {names}.")
            for entry in getattr(self, kind):
                value = entry.default if kind == "inputs" else entry.value
                if not entry.low <= value <= entry.high:
                    raise InvalidValueError(
                        f"{self.name}.{entry.name} is {value}: outside {entry.low}..{entry.high}."
                    )

    @property
    def full_name(self) -> str:
        """`filter.ladder`."""
        return f"{self.slot}.{self.name}"

    @property
    def along_time(self) -> Callable[..., Any] | None:
        """The step that needs no states, if there is one."""
        return self.plain or (None if self.states else self.step)

    def input_index(self, name: str) -> int:
        """Position of an input.

        Raises:
            InvalidValueError: there is none of this name.
        """
        names = [entry.name for entry in self.inputs]
        if name not in names:
            raise InvalidValueError(f"{self.full_name} has no input {name!r}; it has {names}.")
        return names.index(name)


NO_INPUTS: Final[tuple[Input, ...]] = ()
