"""A network hears another note as its own: lower and slower, as from a tape, and some octaves off.

A network knows the one note that its sounds were played with. A sound of another key is played
slower or faster until it stands on that key, or whole octaves from it; then the answer is brought
back: cutoffs follow the speed, times and rates too, and octaves become those of the oscillators.
What that does to a sound is not all that a patch of another key would do, but an answer that is
nearly right is what a search starts from (`python benchmarks/other_notes.py`).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.models.predictor import Candidates, Predictor, check_sounds
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths import synthesizer_of

LEAST_HEARD, LEAST_HELD = 0.7, 0.5
"""Parts of the network's note that have to be heard before the sound ends and the key is let go;
where its own key is let go, that may be as much later as it may be earlier."""

_OCTAVE = 12


def for_note(
    predictor: Predictor, note: Note, patch: NDArray[np.float64] | None = None
) -> Predictor:
    """A predictor for a note: the given one, if that sounds as its own, or one that transposes.

    Args:
        predictor: that is asked.
        note: what is played.
        patch: what plays it where the predictor answers nothing, shape (len(space.table),), in
            units; None for the predictor's own base. It may transpose the key.

    Raises:
        InvalidValueError: of the note too little is heard, or something else of it; the message is
            a sentence without a way out, which callers add.
    """
    if predictor.whole:
        return predictor.of_note(note, patch)
    raised = 0 if patch is None else _raised(predictor.space, patch)
    if note == predictor.note and not raised:
        return predictor
    return TransposedPredictor(predictor, note, raised)


class TransposedPredictor(Predictor):
    """A predictor that hears a note as another predictor's own.

    Args:
        predictor: that is asked.
        note: what is played.
        raised: semitones by which the patches that play it transpose the key further than the
            predictor's base does.

    Attributes:
        note: what is played.
        shift: semitones by which sounds are heard lower than they are; negative: higher.
        octaves: that it is then above the predictor's own key, and oscillators seem to be higher
            than they are; negative: below.

    Raises:
        InvalidValueError: a note of which the predictor would hear too little, or another release
            than it has learned; or a synthesizer of which nobody knows what follows the key.
    """

    def __init__(self, predictor: Predictor, note: Note, raised: int = 0) -> None:
        self.name, self.space, self.note = predictor.name, predictor.space, note
        self.whole = predictor.whole
        self._predictor = predictor
        own = predictor.note
        steps = note.pitch + raised - own.pitch
        self._rules = synthesizer_of(self.space.table).key_rules
        tuned = self._rules is not None and self._rules.octave_shifters <= set(self.space.free)
        self.octaves = _octaves(steps) if tuned else 0
        self.shift = steps - _OCTAVE * self.octaves
        self._stretch = 2.0 ** (self.shift / _OCTAVE)
        if self._rules is None and steps:
            raise InvalidValueError(
                f"The network knows key {own.pitch} only, and how {self.space.table.name} is "
                "transposed is not known"
            )
        self._check_length()

    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        switch = self._rules.octave_switch if self._rules else None
        answers = self._predictor.predict(self.heard(sounds), self._predictor.note)
        return [
            replace(
                answer,
                x=self.answered(answer.x),
                class_probabilities={
                    name: self._moved(probabilities) if name == switch else probabilities
                    for name, probabilities in answer.class_probabilities.items()
                },
            )
            for answer in answers
        ]

    def heard(self, sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the predictor gets to hear.

        Args:
            sounds: shape (count, note.samples).

        Returns:
            Shape (count, samples of the predictor's note): lower by `shift`, cut or padded with
            zeros.
        """
        own = self._predictor.note
        rate = own.sample_rate * self._stretch
        slowed = sounds
        if not math.isclose(rate, self.note.sample_rate):
            import soxr

            # A tenth of a second more: the resampler's filter sees what follows.
            needed = round((own.render_seconds / self._stretch + 0.1) * self.note.sample_rate)
            slowed = soxr.resample(
                sounds[:, :needed].T, self.note.sample_rate, rate, quality="VHQ"
            ).T
        count = min(own.samples, slowed.shape[1])
        heard = np.zeros((len(sounds), own.samples), np.float32)
        heard[:, :count] = slowed[:, :count]
        return heard

    def answered(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Answers to what was heard, as answers to what was played; both (count, dimensions)."""
        space, rules = self.space, self._rules
        if rules is None:  # nothing was transposed
            return space.normalised(space.patches(x))
        keys = self.note.pitch - self._predictor.note.pitch
        patches = space.patches(x)
        for name in space.free:
            column = space.table.index(name)
            parameter, values = space.table[name], patches[:, column]
            if name in rules.pitches:
                values = values - _OCTAVE * self.octaves
                # The pitch class stays where the octave cannot.
                for limit, turn in ((parameter.maximum, -_OCTAVE), (parameter.minimum, _OCTAVE)):
                    beyond = np.maximum(0.0, (limit - values) * np.sign(turn))
                    values = values + turn * np.ceil(beyond / _OCTAVE)
            elif name in rules.cutoffs:
                values = values + self.shift - self._share(rules.cutoffs[name]) * keys
            elif name in rules.times:
                follow = 2.0 ** (self._share(rules.times[name]) * keys / _OCTAVE)
                values = rules.slower(name, values, follow / self._stretch)
            elif name in rules.rates:
                values = values + self.shift / _OCTAVE
            patches[:, column] = np.clip(values, parameter.minimum, parameter.maximum)
        return space.normalised(patches)

    def _check_length(self) -> None:
        """Refuse a note that ends too early, or is released when the network's is not."""
        own, note = self._predictor.note, self.note
        heard = note.render_seconds * self._stretch
        held = min(note.length_seconds, note.render_seconds) * self._stretch
        own_held = min(own.length_seconds, own.render_seconds)
        released = own.length_seconds < own.render_seconds
        if (
            heard < LEAST_HEARD * own.render_seconds
            or held < LEAST_HELD * own_held
            or (released and held > own_held / LEAST_HELD)
        ):
            raise InvalidValueError(
                f"The network knows notes of {own.render_seconds:g} s that are held for "
                f"{own_held:g} s, and would hear {heard:.3g} s of this one, held for {held:.3g} s"
            )

    def _moved(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of octaves heard, as those of octaves played; the last ones hold more."""
        places = np.clip(np.arange(len(probabilities)) - self.octaves, 0, len(probabilities) - 1)
        moved = np.zeros(len(probabilities))
        np.add.at(moved, places, probabilities)
        return moved

    def _share(self, name: str) -> float:
        """A percentage of the base patch, 0 to 1."""
        return float(self.space.base[self.space.table.index(name)]) / 100.0


def _raised(space: ParameterSpace, patch: NDArray[np.float64]) -> int:
    """Semitones by which a patch transposes the key further than the base of a space does.

    Cents are left out: one oscillator has no fine tuning. So is what the space answers itself.
    """
    synthesizer = synthesizer_of(space.table)
    patch = patch.copy()
    patch[space.columns] = space.base[space.columns]
    return round(synthesizer.transposition(patch) - synthesizer.transposition(space.base))


def _octaves(steps: int) -> int:
    """Octaves that are left to the oscillators, of so many semitones above the network's key.

    Octaves lose patches: of a key an octave up, the highest of five switch positions is beyond
    what the network knows. Slowness loses the end of the sound. Downward, a sound that is heard
    faster would end too early. Measured on keys 24 to 72 (`benchmarks/other_notes.py`).
    """
    return min(0, steps // _OCTAVE) + max(0, (steps - 8) // _OCTAVE)
