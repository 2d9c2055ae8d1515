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
    """One cell of the table of sounds and contenders.

    Attributes:
        key: digest of everything that the result depends on; see `deepdiva.evaluation.run`.
        sound: name of the sound.
        contender: name of the contender.
        status: `silent` if the preset makes no sound, `failed` if there is no preset or it could
            not be played; both are scored as silence.
        error: what went wrong, in one line, for `failed`.
        seconds: wall time from sound to preset, with preparation left out.
        renders: candidates that the contender rendered; None for `failed`.
        scores: measure key to value, the mean over the strikes; None where undefined.
        strikes: the primary metric of each strike.
        restrike: mean primary distance of the first strike and the others: what start phases,
            drift and noise alone do to this preset. None with a single strike, or for `failed`.
        values: name of each free parameter to its value in units; empty for `failed`.
        errors: name of each free parameter to its error; empty where the truth is unknown.
        elsewhere: other note to measure to value: see `deepdiva.evaluation.other_notes`; empty
            where the target is known on no other note.
        exchanged: the errors are those of the match with its oscillators exchanged.
    """

    key: str
    sound: str
    contender: str
    status: Status
    error: str | None
    seconds: float
    renders: int | None
    scores: dict[str, float | None]
    strikes: list[float]
    restrike: float | None
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
