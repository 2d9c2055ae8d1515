"""Values of parameters in words: a choice's name, the knob, and Hz or seconds where known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepdiva.parameters import Parameter
    from deepdiva.synths.synthesizer import Patch, Synthesizer
    from deepdiva.units import Reading

BAR_WIDTH = 8
"""Cells of a bar that is full."""


def value_text(
    parameter: Parameter, value: float, synthesizer: Synthesizer, patch: Patch, key: int
) -> str:
    """A value as the preset holds it: `Triangle`, `-12 semitones`, `93.2 (1.2 kHz)`.

    Args:
        parameter: whose value it is.
        value: in its unit.
        synthesizer: that has the parameter.
        patch: shape (len(table),), in units.
        key: that is played.
    """
    held = round(value, 2) if parameter.spelling == "%.2f" else value
    found = synthesizer.reading(patch, parameter.name, held, key)
    return parameter.label(held) if found is None else f"{held:g} ({found.text})"


def range_text(
    parameter: Parameter,
    ends: tuple[float, float],
    synthesizer: Synthesizer,
    patch: Patch,
    key: int,
) -> str:
    """A range of values: `79 to 82.5`, `88 to 95 (0.9 to 1.4 kHz)`; takes what `value_text` does.

    Args:
        parameter: whose values they are.
        ends: lowest and highest, in its unit.
        synthesizer: that has the parameter.
        patch: shape (len(table),), in units.
        key: that is played.
    """
    low, high = (_short(end) for end in ends)
    knob = low if low == high else f"{low} to {high}"
    readings = [synthesizer.reading(patch, parameter.name, end, key) for end in ends]
    if readings[0] is None or readings[1] is None:
        return f"{knob} {parameter.unit}".rstrip()
    return f"{knob} ({_between(readings[0], readings[1])})"


def bar(share: float, encoding: str | None) -> str:
    """A share of 0 to 1 as a bar; at least a mark where it is more than nothing.

    Args:
        share: what of the bar is full.
        encoding: of what it is shown on; where that has no blocks, there are signs.
    """
    cells = round(BAR_WIDTH * min(1.0, max(0.0, share)))
    cells = max(cells, 1) if share > 0.0 else 0
    block = "█" if (encoding or "").lower().replace("-", "") == "utf8" else "#"
    return block * cells


def _short(value: float) -> str:
    """Four digits at most."""
    return f"{value:.4g}" if abs(value) >= 0.1 or value == 0.0 else f"{value:.2f}"


def _between(low: Reading, high: Reading) -> str:
    """Two readings, with one unit where both have it."""
    first, second = low.text, high.text
    if first == second:
        return first
    number, unit = first.split(" ")
    return f"{number} to {second}" if second.endswith(f" {unit}") else f"{first} to {second}"
