"""What a column of figures is: its name, its unit and which direction is good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """One figure that every match has.

    Attributes:
        key: name in files, unique.
        label: short name in tables.
        unit: "" for a plain number.
        better: the direction of a better match.
        perfect: value of a match that cannot be told from its target.
        summary: one sentence for the reader of a report.
    """

    key: str
    label: str
    unit: str
    better: Literal["lower", "higher"]
    perfect: float
    summary: str

    @property
    def sign(self) -> int:
        """1 where lower is better, -1 where higher is: times it, lower is always better."""
        return 1 if self.better == "lower" else -1

    @property
    def heading(self) -> str:
        """Label with the unit."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label
