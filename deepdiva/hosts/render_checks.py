"""What counts as audio, and what as a plug-in gone wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RenderChecks:
    """The checks that every render of a plug-in must pass.

    Attributes:
        quiet_dbfs: a lower peak is silence, dB of full scale.
        loud_dbfs: a higher peak is a filter or feedback that ran away, dB of full scale.
    """

    quiet_dbfs: float = -80.0
    loud_dbfs: float = 40.0

    def fault(self, audio: NDArray[np.float32], samples: int) -> str:
        """Why a render cannot be used; empty if it can.

        Args:
            audio: what the plug-in returned, mono.
            samples: length that was asked for.
        """
        if audio.shape != (samples,):
            return f"returned {audio.shape} samples instead of {samples}"
        # One pass over the samples: NaN and infinity survive both extremes.
        peak = max(float(audio.max()), -float(audio.min()))
        if not math.isfinite(peak):
            return "returned values that are not finite"
        level_dbfs = 20.0 * math.log10(max(peak, 1e-12))
        if level_dbfs < self.quiet_dbfs:
            return f"is silent (below {self.quiet_dbfs:g} dBFS)"
        if level_dbfs > self.loud_dbfs:
            return f"ran away (above {self.loud_dbfs:+g} dBFS)"
        return ""
