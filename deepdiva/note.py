"""The note that a patch is played with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from deepdiva.errors import InvalidValueError


@dataclass(frozen=True)
class Note:
    """One struck key, and how long the sound is recorded.

    The defaults are those of the 2021 project, with which its 50 recordings of Diva were made.

    Attributes:
        pitch: MIDI note number, 0 to 127; 69 is the a of 440 Hz.
        velocity: MIDI velocity, 1 to 127.
        length_seconds: time from key down to key up, above 0.
        render_seconds: length of the recording, above 0 and at most 600. A recording longer than
            the note holds its release.
        sample_rate: samples per second, 8,000 to 192,000.

    Raises:
        InvalidValueError: a value outside its range.
    """

    pitch: int = 48
    velocity: int = 127
    length_seconds: float = 2.0
    render_seconds: float = 2.0
    sample_rate: int = 44100

    def __post_init__(self) -> None:
        for name, low, high in (
            ("pitch", 0, 127),
            ("velocity", 1, 127),
            ("sample_rate", 8000, 192000),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise InvalidValueError(
                    f"{name} is {value!r}: it must be a whole number from {low} to {high}."
                )
        for name in ("length_seconds", "render_seconds"):
            value = getattr(self, name)
            if not math.isfinite(value) or not 0 < value <= 600:
                raise InvalidValueError(
                    f"{name} is {value!r}: it must be above 0 and at most 600 seconds."
                )

    @property
    def samples(self) -> int:
        """Samples of the recording."""
        return max(1, round(self.render_seconds * self.sample_rate))

    @property
    def frequency_hz(self) -> float:
        """Fundamental of the key in equal temperament, a4 = 440 Hz."""
        return 440.0 * math.exp2((self.pitch - 69) / 12)

    def to_dict(self) -> dict[str, float]:
        """The five values, ready for JSON; `Note(**values)` is the way back."""
        return asdict(self)
