"""Answers a sound of any key and length with patches of the whole panel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError
from deepdiva.models.panel.player import Draws, PanelPlayer
from deepdiva.models.panel.views import RATE, Played, views
from deepdiva.models.predictor import Candidates, ChainShare, Predictor, check_sounds
from deepdiva.note import Note
from deepdiva.synths.diva.panel_code import PanelCode, canonical, quiet
from deepdiva.synths.diva.space import whole_panel

SECONDS = (0.1, 6.0)
"""Shortest and longest recording that it is asked about."""

CHAIN_VARIABLES = 3
"""The first variables choose the modules of the chain."""

PRIOR = "prior"
"""Among the weights: how often each class is in the training data, shape (classes,)."""


class PanelPredictor(Predictor):
    """Draws patches of the whole panel for each sound, the likeliest first.

    Args:
        player: the network.
        code: its variables.
        prior: share of each class in the training data, shape (classes,).
        note: what its sounds are recordings of; `of_note` gives the same network for another.
        base: patch of whatever is not answered, shape (281,), in units; None for MS-REV1.
        draws: patches per sound.
        seed: of the draws; the same seed gives the same answers.

    Raises:
        InvalidValueError: a note that the network cannot hear.
    """

    name = "panel"
    whole = True

    def __init__(
        self,
        player: PanelPlayer,
        code: PanelCode,
        prior: NDArray[np.float32],
        note: Note,
        base: NDArray[np.float64] | None = None,
        draws: int = 64,
        seed: int = 0,
    ) -> None:
        check_note(note)
        self.space, self.note = whole_panel(base), note
        self.code, self.draws, self.seed = code, draws, seed
        self._player, self._prior = player, prior
        self._quiet = quiet(self.space.base)

    @classmethod
    def of_weights(
        cls,
        arrays: dict[str, NDArray[Any]],
        description: dict[str, Any],
        note: Note,
        draws: int = 64,
        seed: int = 0,
    ) -> PanelPredictor:
        """From the arrays and the description of a weights file."""
        code = PanelCode.from_dict(description["code"])
        network = {name: array for name, array in arrays.items() if name != PRIOR}
        player = PanelPlayer(network, code.sizes, code.stages)
        return cls(player, code, arrays[PRIOR].astype(np.float32), note, None, draws, seed)

    def of_note(self, note: Note, base: NDArray[np.float64] | None = None) -> PanelPredictor:
        """The same network for sounds of another note, around another base patch.

        Raises:
            InvalidValueError: a note that it cannot hear.
        """
        held = self.space.base if base is None else base
        return PanelPredictor(
            self._player, self.code, self._prior, note, held, self.draws, self.seed
        )

    def drawing(self, draws: int) -> PanelPredictor:
        """The same network with another number of patches per sound."""
        return PanelPredictor(
            self._player, self.code, self._prior, self.note, self.space.base, draws, self.seed
        )

    def predict(self, sounds: NDArray[np.float32], note: Note) -> list[Candidates]:
        check_sounds(sounds, note, self.note)
        return [self.answer(sound)[0] for sound in sounds]

    def answer(self, sound: NDArray[np.float32]) -> tuple[Candidates, NDArray[np.float64]]:
        """Candidates for one sound, and their patches: shape (draws, 281), in units.

        Args:
            sound: shape (note.samples,), or (2, note.samples) of a recording in stereo.
        """
        note = self.note
        vector = views(sound, Played(note.pitch, note.velocity, note.length_seconds))
        encoding = self._player.encode(vector[None])[0]
        rng = np.random.default_rng([self.seed, 0])
        shape = (self.draws, len(self.code.variables))
        uniform, within = rng.random(shape), rng.random(shape)
        draws = self._player.draw(
            encoding, uniform, lambda known, stage: self.code.present_at(known, stage, self._quiet)
        )
        patches, density = self._canonical(encoding, draws, within)
        order = np.argsort(-density, kind="stable")
        classes, shares = self._player.chain(encoding, CHAIN_VARIABLES)
        chains = tuple(
            ChainShare(
                {
                    variable.name: float(variable.low[number])
                    for variable, number in zip(self.code.variables, row, strict=False)
                },
                float(share),
            )
            for row, share in zip(classes, shares, strict=True)
        )
        names = self.code.names
        return Candidates(
            self.space.normalised(patches[order]),
            density[order],
            self._class_probabilities(draws),
            chains,
            dict(zip(names, self._certainties(draws).tolist(), strict=True)),
            dict(zip(names, draws.acting.tolist(), strict=True)),
        ), patches[order]

    def _canonical(
        self, encoding: NDArray[np.float32], draws: Draws, within: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Patches of draws, none with an input that nothing listens to, and their densities."""
        patches = self.code.decode(draws.classes, self._quiet, within)
        patches, present = canonical(patches)
        classes, total = self.code.encode(patches, present), draws.log_probability.copy()
        changed = np.flatnonzero((classes != draws.classes).any(axis=1))
        if len(changed):
            found = self._player.log_probabilities(encoding, classes[changed])
            total[changed] = found.sum(axis=1)
        return patches, total - self.code.log_volume(classes)

    def log_density(
        self, sound: NDArray[np.float32], patches: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Natural logarithm of the probability of patches, as a preset file spells them.

        Args:
            sound: as in `answer`.
            patches: shape (batch, 281), in units.

        Returns:
            Shape (batch,).
        """
        note = self.note
        vector = views(sound, Played(note.pitch, note.velocity, note.length_seconds))
        encoding = self._player.encode(vector[None])[0]
        classes = self.code.encode(*canonical(patches))
        found = self._player.log_probabilities(encoding, classes).sum(axis=1)
        return np.asarray(found - self.code.log_volume(classes))

    def _class_probabilities(self, draws: Draws) -> dict[str, NDArray[np.float64]]:
        found = {}
        marginals = dict(zip(self.code.names, draws.marginals, strict=True))
        for dimension in self.space.classes:
            name = dimension.parameter.name
            count = len(dimension.positions)
            found[name] = marginals.get(name, np.full(count, 1.0 / count))
        return found

    def _certainties(self, draws: Draws) -> NDArray[np.float64]:
        """Share of the prior's entropy that the sound takes away, shape (variables,)."""
        found, at = np.zeros(len(draws.marginals)), 0
        for column, shares in enumerate(draws.marginals):
            prior = self._prior[at : at + len(shares)].astype(np.float64)
            at += len(shares)
            if draws.acting[column] > 0.0:
                left = _entropy(shares) / max(_entropy(prior / prior.sum()), 1e-9)
                found[column] = min(1.0, max(0.0, 1.0 - left))
        return found


def check_note(note: Note) -> None:
    """Refuse a note that the panel network cannot hear. Keys beyond those it has met are heard.

    Raises:
        InvalidValueError: a length or a sampling rate beyond what it has learned.
    """
    if note.sample_rate != RATE:
        raise InvalidValueError(
            f"The network hears {RATE} samples a second, not {note.sample_rate}"
        )
    if not SECONDS[0] <= note.render_seconds <= SECONDS[1]:
        raise InvalidValueError(
            f"The network knows recordings of {SECONDS[0]:g} to {SECONDS[1]:g} s, and this one has "
            f"{note.render_seconds:.3g} s"
        )


def _entropy(shares: NDArray[np.float64]) -> float:
    return float(-(shares * np.log(np.maximum(shares, 1e-300))).sum())


def default_note() -> Note:
    """The note that a weights file of the panel names: any other does as well."""
    return replace(Note(), sample_rate=RATE)
