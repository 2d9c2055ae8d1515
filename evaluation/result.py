"""What is kept of one method's answer to one sound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from deepdiva.errors import InvalidValueError

Status = Literal["ok", "silent", "failed"]


@dataclass(frozen=True)
class Result:
    """One cell of the table of sounds and methods.

    Attributes:
        key: digest of everything that the result depends on; see `deepdiva.evaluation.run`.
        sound: name of the sound.
        method: name of the method.
        status: `silent` if the preset makes no sound, `failed` if there is no preset or it could
            not be played; both are scored as silence.
        error: what went wrong, in one line, for `failed`.
        seconds: wall time from sound to preset, with preparation left out.
        renders: candidates that the method rendered; None for `failed`.
        scores: measure key to value, the mean over the realizations; None where undefined.
        realizations: the primary metric of each realization.
        realization_spread: mean primary distance of the first realization and the others: what
            start phases, drift and noise alone do to this preset. None with a single realization,
            or for `failed`.
        values: name of each free parameter to its value in units; empty for `failed`.
        errors: name of each free parameter to its error; empty where the truth is unknown.
        elsewhere: other note to measure to value: see `deepdiva.evaluation.other_notes`; empty
            where the target is known on no other note.
        exchanged: the errors are those of the match with its oscillators exchanged.
    """

    key: str
    sound: str
    method: str
    status: Status
    error: str | None
    seconds: float
    renders: int | None
    scores: dict[str, float | None]
    realizations: list[float]
    realization_spread: float | None
    values: dict[str, float]
    errors: dict[str, float]
    exchanged: bool
    elsewhere: dict[str, dict[str, float | None]]

    def to_json(self) -> bytes:
        """The result as UTF-8 JSON."""
        return json.dumps(asdict(self), indent=1, allow_nan=False).encode()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Result:
        """Rebuild a stored result.

        Raises:
            InvalidValueError: fields missing or unknown; the file is of another version.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise InvalidValueError(
                f"A stored result differs in {', '.join(sorted(names ^ set(values)))} from this "
                "version's: evaluate again into a new folder."
            )
        return cls(**values)
