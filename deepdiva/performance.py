"""How a note is played beyond key and velocity: tempo, wheels, chord, tuning."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from deepdiva.errors import InvalidValueError
from deepdiva.tuning import Tuning

SLOWEST_TEMPO, FASTEST_TEMPO = 20.0, 400.0


@dataclass(frozen=True)
class Performance:
    """What stands beside a `Note`. The defaults are one key, struck from silence, wheels at rest.

    Wheels and controllers stand still for the whole note.

    Attributes:
        tempo: beats per minute, 20 to 400.
        wheel: modulation wheel, 0 to 1.
        pressure: channel pressure, 0 to 1.
        bend: pitch wheel, -1 (down) to 1 (up); the patch says how many semitones that is.
        control_a: first assignable controller (breath, usually), 0 to 1.
        control_b: second assignable controller (expression, usually), 0 to 1.
        chord: further keys, 0 to 127, that are held with the note's, in the order of playing.
        glide_from: the key that is held when the note is struck: pitch glides from it where the
            patch says so. None: nothing was held.
        tuning: pitches of the keys; None for equal temperament, or what the preset brings.

    Raises:
        InvalidValueError: a value outside its range, or a key twice.
    """

    tempo: float = 120.0
    wheel: float = 0.0
    pressure: float = 0.0
    bend: float = 0.0
    control_a: float = 0.0
    control_b: float = 0.0
    chord: tuple[int, ...] = ()
    glide_from: int | None = None
    tuning: Tuning | None = None

    def __post_init__(self) -> None:
        for name, low, high, unit in (
            ("tempo", SLOWEST_TEMPO, FASTEST_TEMPO, " beats per minute"),
            ("wheel", 0.0, 1.0, ""),
            ("pressure", 0.0, 1.0, ""),
            ("bend", -1.0, 1.0, ""),
            ("control_a", 0.0, 1.0, ""),
            ("control_b", 0.0, 1.0, ""),
        ):
            value = getattr(self, name)
            if not math.isfinite(value) or not low <= value <= high:
                raise InvalidValueError(
                    f"{name} is {value!r}: it must be {low:g} to {high:g}{unit}."
                )
        held = () if self.glide_from is None else (self.glide_from,)
        for key in (*self.chord, *held):
            if not isinstance(key, int) or not 0 <= key <= 127:
                raise InvalidValueError(f"key {key!r}: it must be a whole number from 0 to 127.")
        if len(set(self.chord)) < len(self.chord):
            raise InvalidValueError(f"chord is {self.chord}: each key can be held once.")

    def keys(self, pitch: int) -> tuple[int, ...]:
        """All keys that are held, the note's first.

        Args:
            pitch: of the note, a MIDI key.
        """
        return (pitch, *(key for key in self.chord if key != pitch))

    def to_dict(self) -> dict[str, object]:
        """All values, ready for JSON; of a tuning its name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "chord": list(self.chord), "tuning": self.tuning and self.tuning.name}

    @property
    def beat_seconds(self) -> float:
        """Length of a beat."""
        return 60.0 / self.tempo


AT_REST = Performance()
"""One key, struck from silence, at 120 beats per minute, with all wheels at rest."""
