"""What a patch asks for and the engine does not do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepdiva.renderer import Ignored
from deepdiva.synths.diva import DIVA

_MODULES = (
    ("OSC.Model", 3, "the engine plays the Dual VCO Eco only"),
    ("HPF.Model", 3, "the engine's high-pass is the Bite only"),
    ("VCF1.Model", 3, "the engine's filter is the Bite only"),
    ("main.#FX1", 0, "the engine has no effects"),
    ("main.#FX2", 0, "the engine has no effects"),
    ("ARP.OnOff", 0, "the engine has no arpeggiator"),
    ("VCC.MTunS", 0, "the engine plays in equal temperament"),
    ("ENV1.Trig", 0, "what the other triggers do is unknown"),
    ("ENV2.Trig", 0, "what the other triggers do is unknown"),
    ("VCA1.Mode", 0, "what the other modes do is unknown"),
)


def ignored(patch: NDArray[np.float64]) -> tuple[Ignored, ...]:
    """What one patch asks for and the engine does not do, in the order of the table.

    Args:
        patch: (281,) in the units of `DIVA`.

    Parameters that cannot be heard in one held note (polyphony, pitch bend, the panel's light)
    are never among them.
    """
    found = [
        Ignored(name, reason)
        for name, expected, reason in _MODULES
        if round(float(patch[DIVA.index(name)])) != expected
    ]
    offset = DIVA["VCA1.Offset"]
    if abs(patch[offset.index] - offset.default) > 0.005:
        found.append(Ignored(offset.name, "what the offset does is unknown"))
    return tuple(sorted(found, key=lambda entry: DIVA.index(entry.parameter)))
