"""Two networks that answer together: the whole panel, and a few parameters of one kind of patch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.models.panel.predictor import PanelPredictor
from deepdiva.models.predictor import Candidates, Predictor, check_sounds
from deepdiva.models.transposition import TransposedPredictor
from deepdiva.note import Note

_EVERY = 4
"""One candidate of so many comes from the smaller network."""


class JointPredictor(Predictor):
    """The answers of the whole panel, every fourth of them given up for one of a smaller network.

    What is said of modules and values is the panel's; a candidate of the smaller network has no
    density, as it is a density of other things.

    Args:
        panel: answers everything.
        other: answers a few parameters around a base patch of its own.
    """

    name = "panel"
    whole = True

    def __init__(self, panel: PanelPredictor, other: Predictor) -> None:
        self.space, self.note = panel.space, panel.note
        self._panel, self._other = panel, other

    def of_note(self, note: Note, base: NDArray[np.float64] | None = None) -> JointPredictor:
        """The same networks for sounds of another note, around another base patch.

        Raises:
            InvalidValueError: a note that the panel's network cannot hear.
        """
        return JointPredictor(self._panel.of_note(note, base), self._other)

    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        answers = self._panel.predict(sounds, note)
        own = self._other
        try:
            heard = own if note == own.note else TransposedPredictor(own, note)
        except InvalidValueError:  # too little of the note for the smaller network
            return answers
        others = heard.predict(sounds, note)
        return [self._merged(*pair) for pair in zip(answers, others, strict=True)]

    def _merged(self, answer: Candidates, other: Candidates) -> Candidates:
        x = self.space.normalised(self._other.space.patches(other.x))
        taken = np.arange(1, len(answer), _EVERY)[: len(x)]
        merged, density = answer.x.copy(), answer.log_density.copy()
        merged[taken], density[taken] = x[: len(taken)], np.nan
        return replace(answer, x=merged, log_density=density)
