"""The one interface of everything that answers a sound with patches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.space import ParameterSpace


@dataclass(frozen=True)
class ChainShare:
    """How probable one choice of a synthesizer's modules is.

    Attributes:
        values: of the parameters that choose the modules, by name, in units.
        probability: 0 to 1.
    """

    values: Mapping[str, float]
    probability: float


@dataclass(frozen=True)
class Candidates:
    """What a predictor thinks one sound may have been made with, the likeliest first.

    Attributes:
        x: positions in the free parameters' unit cube, shape (count, dimensions), in [0, 1].
        log_density: natural logarithm of the density of each row under the predictor, shape
            (count,), falling; all NaN from a predictor that gives points and no densities.
        class_probabilities: for each class dimension of the space, by parameter name, the
            probability of each class in the order of the parameter's choices, sums 1.
        chains: choices of modules, the likeliest first; empty from a predictor that answers none.
        certainties: for each parameter, by name, 1 if the sound fixes its value and 0 if it tells
            no more than what patches usually have; empty where the spread of the rows says it.
        acting: for each parameter, by name, the share of the rows in which it shapes the sound;
            empty where all do.
    """

    x: NDArray[np.float64]
    log_density: NDArray[np.float64]
    class_probabilities: dict[str, NDArray[np.float64]]
    chains: tuple[ChainShare, ...] = ()
    certainties: Mapping[str, float] = field(default_factory=dict)
    acting: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)


class Predictor(ABC):
    """Answers sounds with candidates.

    Attributes:
        name: how reports call it.
        space: the free parameters of its answers, and the patch that the others are held at.
        note: the note that its sounds are played with.
        whole: whether it answers all that shapes a sound, so that the base patch, its tuning and
            its transposition tell nothing of the sounds.
    """

    whole: bool = False
    name: str
    space: ParameterSpace
    note: Note

    def of_note(self, note: Note, base: NDArray[np.float64] | None = None) -> Predictor:  # noqa: ARG002
        """The same predictor for sounds of another note, where it knows all of them.

        Args:
            note: what is played.
            base: patch of whatever is not answered, shape (len(space.table),), in units.

        Raises:
            InvalidValueError: a note that it does not know.
        """
        if note != self.note:
            raise InvalidValueError(f"{self.name} knows {self.note} alone")
        return self

    @abstractmethod
    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        """Candidates for each sound; what they are does not depend on the other sounds.

        Args:
            sounds: shape (count, note.samples), mono, full scale 1.0.
            note: what the sounds are recordings of.

        Returns:
            One `Candidates` for each sound.

        Raises:
            InvalidValueError: sounds of another shape, or a note that the predictor does not know.
        """


def check_sounds(sounds: NDArray[np.float32], note: Note, known: Note) -> None:
    """Refuse what a predictor for the note `known` cannot hear.

    Raises:
        InvalidValueError: another note, another shape, or samples that are not finite.
    """
    if note != known:
        raise InvalidValueError(
            f"The sounds are said to be {note}, and this predictor was made for {known}: name that "
            "note, or train a predictor for yours (`deepdiva train`)."
        )
    if sounds.ndim != 2 or sounds.shape[1] != note.samples:
        raise InvalidValueError(
            f"The sounds have the shape {sounds.shape}: it must be (count, {note.samples}), mono "
            f"at {note.sample_rate} Hz. `deepdiva.audio.load_target` trims and pads."
        )
    if not np.isfinite(sounds).all():
        raise InvalidValueError(
            "A sound holds samples that are not finite (NaN or infinity): mend or leave it out."
        )
