"""The engine's constants: what was fitted to recordings, and how well it is known.

They stand in `constants.csv` and nowhere else: value, the range that the recordings leave open,
unit, confidence (high, medium, low, guess) and meaning. `scripts/calibrate_engine.py` writes it.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from deepdiva.errors import InvalidValueError, UnknownNameError


@dataclass(frozen=True)
class Constant:
    """One row of the table; `low` and `high` bound what the recordings leave open."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    confidence: str
    meaning: str


@lru_cache(maxsize=1)
def table() -> Mapping[str, Constant]:
    """All rows by name, in the order of the file."""
    text = (files("deepdiva.engine") / "constants.csv").read_text(encoding="utf-8")
    return {
        row["name"]: Constant(
            row["name"],
            float(row["value"]),
            float(row["low"]),
            float(row["high"]),
            row["unit"],
            row["confidence"],
            row["meaning"],
        )
        for row in csv.DictReader(text.splitlines())
    }


class EngineConstants:
    """The values that one engine works with: those of the table, or some of them changed.

    Args:
        changes: constants that differ from the table.

    Raises:
        UnknownNameError: a name that is not in the table.
        InvalidValueError: a value that is not finite.
    """

    def __init__(self, changes: Mapping[str, float] | None = None) -> None:
        self._values = {name: constant.value for name, constant in table().items()}
        for name, value in (changes or {}).items():
            if name not in self._values:
                raise UnknownNameError(
                    f"The engine has no constant {name!r}; it has {', '.join(self._values)}."
                )
            if not np.isfinite(value):
                raise InvalidValueError(f"{name} is {value!r}: a constant must be finite.")
            self._values[name] = float(value)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    @property
    def changes(self) -> dict[str, float]:
        """The constants that differ from the table."""
        known = table()
        return {name: v for name, v in self._values.items() if v != known[name].value}

    @property
    def digest(self) -> str:
        """Eight characters that tell these values from others."""
        return hashlib.sha256(repr(sorted(self._values.items())).encode()).hexdigest()[:8]

    @classmethod
    def draw(cls, rng: np.random.Generator, width: float = 1.0) -> EngineConstants:
        """Each constant drawn from what the recordings leave open (domain randomisation).

        A constant is as often below the table's value as above it, also where the range is open to
        one side only: what learns from such engines is not drawn away from the best one.

        Args:
            rng: the source of chance.
            width: share of the range on either side that is drawn from, uniformly; 0 keeps the
                table's values.
        """
        drawn = {}
        for constant in table().values():
            bound = constant.low if rng.random() < 0.5 else constant.high
            drawn[constant.name] = constant.value + width * rng.random() * (bound - constant.value)
        return cls(drawn)
