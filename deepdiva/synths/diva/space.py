"""Parameter spaces: that of the 2021 project, and the whole panel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from deepdiva.space import ParameterSpace
from deepdiva.synths.diva.table import DIVA

SEED_PROJECT_FREE = (
    "ENV1.Atk",
    "ENV1.Dec",
    "ENV1.Sus",
    "OSC.Tune1",
    "OSC.Tune2",
    "OSC.Vol1",
    "OSC.Vol2",
    "OSC.Wave1",
    "OSC.Wave2",
    "VCF1.Freq",
    "VCF1.Res",
)
"""The 11 parameters of the 2021 project: indices 33 34 35 86 87 97 98 131 132 148 149."""

MS_REV1_POTS = (
    (0.00, 50.61),
    (-5.59, 100.00),
    (-2.85, 28.41),
    (10.00, 20.98),
    (10.00, 64.40),
    (-4.88, 59.47),
    (-5.80, 0.00),
    (0.68, 76.13),
)
"""Detune pots of MS-REV1, for each voice those of oscillators 1 and 2."""

VOLUMES = ("VCA1.Vol", "main.CcOp")
"""The amplifier's volume, and the output behind it."""

RELEASES = ("ENV1.Rel",)
"""The release of the envelope that opens the amplifier."""

VOICE_STACK = "VCC.Voicing"
"""How many voices a key plays; each has start phases and pots of its own."""

USUAL_VARIETY: Mapping[str, tuple[float, ...]] = MappingProxyType({VOICE_STACK: (1.0, 2.0)})
"""What recordings of one patch differ in: no sound says how many voices are stacked."""

EXAMPLE_FREE = "VCF1.Freq VCF1.Res"
EXAMPLE_LOCK = "OSC.Wave1=2"
EXAMPLE_HELD = f"{VOICE_STACK}=2"
EXAMPLE_CHAIN = "Triple VCO + Ladder"
"""What the command line's help shows."""


def default_space(base: NDArray[np.float64] | None = None) -> ParameterSpace:
    """The 11 free parameters of the 2021 project.

    Args:
        base: Diva patch that holds the others, shape (281,), in units; MS-REV1 if None.
    """
    return ParameterSpace(DIVA, DIVA.defaults() if base is None else base, SEED_PROJECT_FREE)


def whole_panel(base: NDArray[np.float64] | None = None) -> ParameterSpace:
    """All parameters that can shape one key that is struck while the wheels rest.

    The volumes are not among them: the level of a sound solves them. Neither is what only a wheel,
    a controller or a table of tunings brings out.

    Args:
        base: Diva patch that holds the others, shape (281,), in units; MS-REV1 if None.
    """
    return ParameterSpace(DIVA, DIVA.defaults() if base is None else base, _panel_names())


@lru_cache(maxsize=1)
def _panel_names() -> tuple[str, ...]:
    """Names of the whole panel's parameters, in the order of the table."""
    from deepdiva.synths.diva import acting, panel

    unheard = {*VOLUMES, *acting.PLAYED_ONLY, *panel.ROTARY_SPEEDS}
    return tuple(name for name in DIVA.names if name in acting.known() - unheard)
