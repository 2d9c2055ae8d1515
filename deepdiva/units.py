"""Numbers in the units that a musician thinks in."""

from __future__ import annotations

from dataclasses import dataclass

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Reading:
    """What a knob stands for.

    Attributes:
        value: in the unit.
        unit: `Hz` or `s`.
    """

    value: float
    unit: str

    @property
    def text(self) -> str:
        """Two or three digits with a unit of fitting size: `840 Hz`, `1.2 kHz`, `35 ms`."""
        value, unit = self.value, self.unit
        if unit == "s" and value < 0.9995:
            value, unit = 1000.0 * value, "ms"
        elif unit == "Hz" and value >= 999.5:
            value, unit = 0.001 * value, "kHz"
        return f"{_short(value)} {unit}"


def _short(value: float) -> str:
    """Two digits, or the three of a whole number."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:.2g}"


def hertz_of(pitch: float) -> float:
    """Frequency of a MIDI pitch, Hz: 69 is 440."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def key_name(key: int) -> str:
    """Name of a key in scientific pitch notation: 60 is C4."""
    return f"{_NAMES[key % 12]}{key // 12 - 1}"


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 sound`, `1,200 sounds`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
