"""A folder of presets as a prior: presets crossed with others of the same chain, and jittered."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.errors import DeepDivaError, InvalidValueError, MissingFileError, PresetError
from deepdiva.files import files_below
from deepdiva.parameters import Parameter
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.prior.base import STEP, Drawn, Prior, as_spelled, places_of
from deepdiva.synths.diva.prior.cells import UNSEEN
from deepdiva.synths.diva.prior.streams import uniforms

CHAIN = ("OSC.Model", "HPF.Model", "VCF1.Model")
KEPT = (*CHAIN, "main.#FX1", "FX1.Module", "main.#FX2", "FX2.Module")
"""What makes the chain: it comes from the preset and is never changed."""
MOVED = 0.5
"""How likely a continuous value moves."""
MOVED_FROM_REST = 0.05
"""The same of a value at rest: an end of its range, or the default."""
LARGEST_JITTER = 0.5
_ALL = np.arange(len(DIVA))
_CONTINUOUS = np.array([entry.index for entry in DIVA if not entry.choices])


class FolderPrior(Prior):
    """Each patch is made of two presets of one chain, chosen at random.

    Every part of the panel (an oscillator, an envelope, an effect slot ...) comes whole from one or
    the other. Then continuous values move by a normal step, reflected at the ends of the range, and
    choices become one that another preset of the folder has. A note does not matter: what the
    user's own presets do is taken to be wanted.

    Args:
        patches: of the presets, shape (presets, 281), in units; stepped values between two choices
            count as the nearest.
        jitter: standard deviation of the steps in parts of a range, and how likely a choice
            changes; 0 to 0.5.
        crossed: false to take each patch from one preset.
        refused: why files of the folder are no part of it, by path.

    Raises:
        InvalidValueError: no patch, a value outside its range, or such a jitter.
    """

    name = "folder"

    def __init__(
        self,
        patches: ArrayLike,
        jitter: float = 0.1,
        crossed: bool = True,
        refused: Mapping[Path, str] | None = None,
    ) -> None:
        values = np.asarray(patches, dtype=np.float64)
        if values.ndim != 2 or not len(values):
            raise InvalidValueError("There is no preset to draw around: name at least one.")
        if not math.isfinite(jitter) or not 0.0 <= jitter <= LARGEST_JITTER:
            raise InvalidValueError(f"jitter is {jitter!r}: it must be from 0 to {LARGEST_JITTER}.")
        DIVA.check(values)
        self.patches = as_spelled(values)
        self.jitter = jitter
        self.crossed = crossed
        self.refused = dict(refused or {})
        self.remarks = tuple(f"Passed over: {reason}" for reason in self.refused.values())
        self._units = _units()
        self._mates = [np.flatnonzero(self._same_chain(patch)) for patch in self.patches]
        self._seen = [np.unique(self.patches[:, place]) for place in range(len(DIVA))]

    @classmethod
    def read(cls, folder: Path | str, jitter: float = 0.1, crossed: bool = True) -> FolderPrior:
        """Read the presets of a folder and of those below it; files that are none are passed over.

        Raises:
            MissingFileError: the folder does not exist, or holds no `.h2p` file.
            PresetError: none of its files can be read.
        """
        patches: list[NDArray[np.float64]] = []
        refused: dict[Path, str] = {}
        for path in _presets(Path(folder)):
            try:
                patches.append(Preset.read(path).values())
            except (DeepDivaError, OSError) as error:
                refused[path] = str(error)
        if not patches:
            raise PresetError(
                f"None of the {len(refused)} presets in {folder} can be read; the first: "
                f"{next(iter(refused.values()))}"
            )
        return cls(np.array(patches), jitter, crossed, refused)

    def _same_chain(self, patch: NDArray[np.float64]) -> NDArray[np.bool_]:
        columns = [DIVA.index(name) for name in CHAIN]
        return np.asarray((self.patches[:, columns] == patch[columns]).all(axis=1))

    def _draw(self, numbers: NDArray[np.int64], seed: int, notes: NDArray[np.float64]) -> Drawn:
        del notes
        from scipy.special import ndtri

        units = self._units
        drawn = uniforms(seed, numbers, 0, 2 + units.max() + 1 + 2 * len(DIVA))
        first = (drawn[0] * len(self.patches)).astype(np.intp)
        mates = [self._mates[preset] for preset in first]
        second = np.array(
            [mate[int(u * len(mate))] for mate, u in zip(mates, drawn[1], strict=True)]
        )
        second = second if self.crossed else first
        takes_first = drawn[2 : 3 + units.max()] < 0.5
        chosen = np.where(takes_first[units].T, self.patches[first], self.patches[second])
        whether, how_far = drawn[3 + units.max() :].reshape(2, len(DIVA), -1)
        for place, parameter in enumerate(DIVA):
            unseen = whether[place] >= 1.0 - UNSEEN
            column = chosen[:, place].copy()
            if parameter.choices:
                change = whether[place] < self._changing(parameter)
                seen = self._seen[place]
                other = seen[(how_far[place] * len(seen)).astype(np.intp)]
                column = np.where(change & ~unseen, other, column)
            else:
                change = whether[place] < _moving(parameter, column, self.jitter)
                width = parameter.maximum - parameter.minimum
                steps = ndtri(np.maximum(how_far[place], 2.0**-54)) * self.jitter
                position = np.mod((column - parameter.minimum) / width + steps, 2.0)
                moved = parameter.minimum + width * np.minimum(position, 2.0 - position)
                column = np.where(change & ~unseen, np.round(moved, 2) + 0.0, column)
            anywhere = np.floor(how_far[place] * places_of(parameter)).astype(np.intp)
            chosen[:, place] = np.where(unseen, _spelled_at(parameter, anywhere), column)
        return Drawn(chosen, len(numbers))

    def _changing(self, parameter: Parameter) -> float:
        """How likely a choice is drawn anew."""
        return 0.0 if parameter.name in KEPT else (1.0 - UNSEEN) * self.jitter

    def _weigh(self, patches: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = np.stack([self._log_parts(preset, patches) for preset in self.patches])
        total = np.full(len(patches), -np.inf)
        for preset, mates in enumerate(self._mates):
            others = mates if self.crossed else np.array([preset])
            for mate in others:
                both = np.logaddexp(parts[preset], parts[mate]) - math.log(2.0)
                share = -math.log(len(self.patches) * len(others))
                total = np.logaddexp(total, both.sum(axis=0) + share)
        return total

    def _log_parts(
        self, preset: NDArray[np.float64], patches: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Log-probability of each part of the panel as a jittered preset's, (units, batch)."""
        chances = np.log(self.kernels(preset, patches))
        order = np.argsort(self._units, kind="stable")
        firsts = np.searchsorted(self._units[order], np.arange(self._units.max() + 1))
        return np.asarray(np.add.reduceat(chances.T[order], firsts))

    def kernels(
        self,
        preset: NDArray[np.float64],
        values: NDArray[np.float64],
        places: NDArray[np.intp] = _ALL,
    ) -> NDArray[np.float64]:
        """Probability that values of a preset become others.

        Args:
            preset: one of `patches`, shape (281,).
            values: spelled, shape (batch, parameters).
            places: of the parameters, shape (parameters,).

        Returns:
            Shape (batch, parameters).
        """
        same = values == preset[places]
        change, spread = np.zeros(len(places)), np.zeros(values.shape)
        for column, place in enumerate(places):
            parameter = DIVA[int(place)]
            if parameter.choices:
                seen = self._seen[place]
                change[column] = self._changing(parameter)
                spread[:, column] = np.isin(values[:, column], seen) / len(seen)
            else:
                centre = preset[place : place + 1]
                change[column] = _moving(parameter, centre, self.jitter)[0]
        moving = np.flatnonzero(np.isin(places, _CONTINUOUS))
        if self.jitter and len(moving):
            spread[:, moving] = _reflected(
                places[moving], preset[places[moving]], values[:, moving], self.jitter
            )
        floor = UNSEEN / np.array([places_of(DIVA[int(place)]) for place in places])
        return np.asarray(floor + (1.0 - UNSEEN - change) * same + change * spread)

    @property
    def digest(self) -> str:
        """SHA-256 of the presets' patches, in the order of their files."""
        return hashlib.sha256(self.patches.tobytes()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "presets": len(self.patches),
            "presets_sha256": self.digest,
            "jitter": self.jitter,
            "crossed": self.crossed,
        }


def _units() -> NDArray[np.intp]:
    """Number of the part of the panel that each parameter belongs to, shape (281,)."""
    names: list[str] = []
    slots = {"main.#FX1": "slot1", "main.#FX2": "slot2"}
    effects: Sequence[str] = ("FX", "Chrs", "Phase", "Plate", "Delay", "Rtary")
    for parameter in DIVA:
        section = slots.get(parameter.name, parameter.section)
        if section[:-1] in effects:
            section = f"slot{section[-1]}"
        names.append({"CLK": "ARP"}.get(section, section))
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], dtype=np.intp)


def _moving(
    parameter: Parameter, centres: NDArray[np.float64], jitter: float
) -> NDArray[np.float64]:
    """How likely continuous values move, shape (batch,)."""
    if jitter == 0.0:
        return np.zeros(len(centres))
    ends = (parameter.minimum, parameter.maximum, parameter.default)
    moving = np.where(np.isin(centres, ends), MOVED_FROM_REST, MOVED)
    return np.asarray((1.0 - UNSEEN) * moving)


def _spelled_at(parameter: Parameter, number: NDArray[np.intp]) -> NDArray[np.float64]:
    """The values that a preset file can spell, by number."""
    if parameter.choices:
        return parameter.choice_values[number]
    return np.round(parameter.minimum + number * STEP, 2) + 0.0


def _reflected(
    places: NDArray[np.intp],
    centres: NDArray[np.float64],
    values: NDArray[np.float64],
    jitter: float,
) -> NDArray[np.float64]:
    """Probability of spelled values after a normal step that is reflected at both ends.

    Args:
        places: of continuous parameters, shape (parameters,).
        centres: before the step, shape (parameters,).
        values: after it, shape (batch, parameters).
        jitter: standard deviation in parts of a range.
    """
    from scipy.special import ndtr

    low = np.array([DIVA[int(place)].minimum for place in places])
    width = np.array([DIVA[int(place)].maximum for place in places]) - low
    middle = (centres - low) / width
    positions = (values - low) / width
    start = np.clip(positions - STEP / 2 / width, 0.0, 1.0)
    end = np.clip(positions + STEP / 2 / width, 0.0, 1.0)
    total = np.zeros(positions.shape)
    reach = 1 if jitter <= 0.25 else 2  # images whose steps are within 8 standard deviations
    for image in range(-reach, reach + 1):
        for first, last in (
            (2 * image + start, 2 * image + end),
            (2 * image - end, 2 * image - start),
        ):
            total += ndtr((last - middle) / jitter) - ndtr((first - middle) / jitter)
    return total


def _presets(folder: Path) -> list[Path]:
    files = files_below(folder, (".h2p",)) if folder.is_dir() else []
    if not files:
        raise MissingFileError(f"{folder} holds no .h2p preset.")
    return files
