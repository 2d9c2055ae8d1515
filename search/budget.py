"""How much of the search is spent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deepdiva.search.refine_settings import RefineSettings

_FIRST_GUESS = 500.0
"""Evaluations per second that are expected before any was seen."""


@dataclass
class Budget:
    """Evaluations and seconds, spent and allowed.

    Attributes:
        settings: the limits.
        evaluations: spent so far.
        seconds: spent so far.
    """

    settings: RefineSettings
    evaluations: int = 0
    seconds: float = 0.0

    @property
    def share(self) -> float:
        """The part that is spent, 0 to 1, of the limit that is nearer."""
        shares = []
        if self.settings.evaluations is not None:
            shares.append(self.evaluations / self.settings.evaluations)
        if self.settings.seconds is not None:
            shares.append(self.seconds / self.settings.seconds)
        return min(1.0, max(shares))

    @property
    def rate(self) -> float:
        """Evaluations per second so far."""
        if self.evaluations == 0 or self.seconds <= 0:
            return _FIRST_GUESS
        return self.evaluations / self.seconds

    def until(self, share: float) -> int:
        """Evaluations that are left until a share of the whole is spent, at least 0.

        Exact where the limit is in evaluations; at the rate so far where it is in seconds.
        """
        left = math.inf
        if self.settings.evaluations is not None:
            left = math.ceil(self.settings.evaluations * share) - self.evaluations
        if self.settings.seconds is not None:
            left = min(left, (self.settings.seconds * share - self.seconds) * self.rate)
        return max(0, int(left))

    @property
    def left_seconds(self) -> float:
        """Time that the rest will take at the rate so far."""
        left = math.inf
        if self.settings.evaluations is not None:
            left = (self.settings.evaluations - self.evaluations) / self.rate
        if self.settings.seconds is not None:
            left = min(left, self.settings.seconds - self.seconds)
        return max(0.0, left)
