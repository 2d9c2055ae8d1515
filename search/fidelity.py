"""Two fidelities: search wide where a render is cheap, then near the best where it is dear.

A plug-in takes a hundred times as long for a sound as the embedded engine, which plays the same
patches a little differently. So the engine is searched first; what it found is the start of a
search with the plug-in, which only has to make up for the difference. Two such fidelities, the
cheap one to choose and the dear one to decide, are an old economy: M. Kennedy and A. O'Hagan,
"Predicting the output from a complex computer code when fast approximations are available",
Biometrika 87(1), 2000.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepdiva.renderer import Renderer
from deepdiva.search.refine import RefineResult
from deepdiva.search.refine_settings import RefineSettings
from deepdiva.search.start import NEAR_SPREAD, UNIFORM_SPREAD, Start
from deepdiva.space import ParameterSpace

COMBINATIONS = 6
"""So many combinations of classes, each by its best point, are tried on the dear renderer."""

SKETCH_SECONDS = 0.2
"""Part of a budget in seconds that the cheap search may take."""

TRUST = 0.9
"""Part of the draws around what the cheap renderer has found."""


@dataclass(frozen=True)
class Sketch:
    """The cheap search that goes first.

    Attributes:
        renderer: of the same table as the dear one.
        settings: of the cheap search.
    """

    renderer: Renderer
    settings: RefineSettings

    def space(self, space: ParameterSpace) -> ParameterSpace:
        """The part of a space that the cheap renderer honours.

        Raises:
            InvalidValueError: it honours none of the free parameters.
        """
        heard = tuple(name for name in space.names if name in self.renderer.supported)
        return replace(space, free=heard)


def start_from(result: RefineResult, space: ParameterSpace) -> Start:
    """What a cheap search says of a larger space around the same base.

    Candidates are its match, the alternatives that it offers, and the best points of other
    combinations of classes.

    Args:
        result: of the cheap search.
        space: of the dear one; its parameters that the cheap one did not have start at the base.
    """
    patches = [result.patch[None]]
    if result.explanation is not None:
        patches.append(result.explanation.alternatives)
    sketched = result.history.space
    patches.append(sketched.patches(result.history.wide().ranked(COMBINATIONS, per_combination=1)))
    points = space.normalised(np.concatenate(patches))
    _, first = np.unique(points, axis=0, return_index=True)
    known = np.isin(space.names, sketched.names)
    spread = np.where(known, NEAR_SPREAD, UNIFORM_SPREAD)
    return Start(space, points[np.sort(first)], spread, trust=TRUST)
