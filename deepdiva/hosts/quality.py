"""How carefully Diva computes: settings that belong to the instance and to no preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from deepdiva.errors import InvalidValueError

Accuracy = Literal["draft", "fast", "great", "divine"]
OfflineAccuracy = Literal["same", "best"]

ACCURACIES: tuple[Accuracy, ...] = get_args(Accuracy)
OFFLINE_ACCURACIES: tuple[OfflineAccuracy, ...] = get_args(OfflineAccuracy)


@dataclass(frozen=True)
class DivaQuality:
    """Settings of one instance.

    Attributes:
        accuracy: of the oscillators and filters. Diva's own setting while it is played is what
            the user will hear; the finer, the slower.
        offline: `best` lets Diva raise the accuracy in offline renders, which all of ours are;
            `same` keeps to `accuracy`.
        multicore: spread one instance's voices over cores. Off, since patches are already spread
            over processes.

    Raises:
        InvalidValueError: none of the choices.
    """

    accuracy: Accuracy = "great"
    offline: OfflineAccuracy = "same"
    multicore: bool = False

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("accuracy", self.accuracy, ACCURACIES),
            ("offline", self.offline, OFFLINE_ACCURACIES),
        ):
            if value not in choices:
                raise InvalidValueError(
                    f"{name} is {value!r}: it must be one of {', '.join(choices)}."
                )

    def __str__(self) -> str:
        return f"accuracy {self.accuracy}, offline {self.offline}"
