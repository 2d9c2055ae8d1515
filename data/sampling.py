"""How the patches of a data set are drawn.

Draws come in blocks of `BLOCK` sounds. Each block of each batch has a random stream of its own,
keyed by (seed, batch, block, attempt), so that a sound depends neither on the sounds before it nor
on who makes it. Whoever needs fewer sounds than a block takes the first ones.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.files import files_below
from deepdiva.space import ParameterSpace
from deepdiva.synths import synthesizer_of
from deepdiva.synths.diva.preset import Preset

BLOCK = 256
"""Sounds that are drawn, rendered and written together. Part of the format: it decides bytes."""


class Sampling(ABC):
    """A distribution of points over a parameter space."""

    @abstractmethod
    def points(
        self, space: ParameterSpace, rng: np.random.Generator, count: int
    ) -> NDArray[np.float64]:
        """Draw points, shape (count, space.dimensions), in [0, 1]."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The distribution in words and numbers, ready for JSON."""


@dataclass(frozen=True)
class Uniform(Sampling):
    """Uniform over each range, every class equally often: the 2021 project's."""

    def points(
        self, space: ParameterSpace, rng: np.random.Generator, count: int
    ) -> NDArray[np.float64]:
        return space.random(rng, count)

    def to_dict(self) -> dict[str, Any]:
        return {"name": "uniform"}


@dataclass(frozen=True)
class AroundPresets(Sampling):
    """Each patch is a preset, drawn at random, whose free parameters are jittered.

    A continuous parameter moves by a normal step and is reflected at the ends of its range. A
    class is kept, or, with a probability of `jitter`, drawn anew from all classes.

    Attributes:
        names: of the presets.
        points_of_presets: their free parameters, normalised: one tuple for each preset.
        jitter: standard deviation of the step in normalised units, 0 to 1.
        digest: SHA-256 of names and points, by which two runs compare their presets.

    Raises:
        InvalidValueError: no preset, or a jitter outside its range.
    """

    names: tuple[str, ...]
    points_of_presets: tuple[tuple[float, ...], ...]
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if not self.names:
            raise InvalidValueError("There is no preset to draw around: name at least one.")
        if not math.isfinite(self.jitter) or not 0.0 <= self.jitter <= 1.0:
            raise InvalidValueError(f"jitter is {self.jitter!r}: it must be from 0 to 1.")

    @classmethod
    def read(
        cls, paths: Sequence[Path], space: ParameterSpace, jitter: float = 0.1
    ) -> AroundPresets:
        """Take the free parameters from preset files; all others stay as the space has them.

        Raises:
            InvalidValueError: the space is that of another synthesizer.
            PresetError: a file that is no preset of Diva.
        """
        if not synthesizer_of(space.table).preset_suffix:
            raise InvalidValueError(
                f"The presets are of Diva, and the synthesizer is {space.table.name}: leave out "
                "--from-presets."
            )
        patches = [Preset.read(path).values() for path in paths]
        points = space.normalised(np.reshape(patches, (len(paths), len(space.table))))
        return cls(
            names=tuple(path.name for path in paths),
            points_of_presets=tuple(map(tuple, points.tolist())),
            jitter=jitter,
        )

    @property
    def digest(self) -> str:
        """SHA-256 of names and points."""
        text = repr((self.names, self.points_of_presets))
        return hashlib.sha256(text.encode()).hexdigest()

    def points(
        self, space: ParameterSpace, rng: np.random.Generator, count: int
    ) -> NDArray[np.float64]:
        presets = rng.integers(len(self.names), size=count)
        steps = rng.normal(0.0, self.jitter, (count, space.dimensions))
        anew = rng.random((count, space.dimensions)) < self.jitter
        drawn = space.random(rng, count)
        centres = np.array(self.points_of_presets)[presets]
        moved = _reflected(centres + steps)
        classes = [dimension.position for dimension in space.classes]
        moved[:, classes] = np.where(anew, drawn, centres)[:, classes]
        return moved

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": "around presets",
            "jitter": self.jitter,
            "presets": list(self.names),
            "presets_sha256": self.digest,
        }


def preset_files(folder: Path) -> list[Path]:
    """The presets of a folder and those below it, sorted (`files_below`).

    Raises:
        MissingFileError: the folder does not exist, or holds none.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is no folder: name one that holds .h2p presets.")
    files = files_below(folder, (".h2p",))
    if not files:
        raise MissingFileError(f"{folder} holds no .h2p preset.")
    return files


def stream(seed: int, batch: int, block: int, attempt: int) -> np.random.Generator:
    """The random stream of one attempt at one block."""
    return np.random.default_rng(
        np.random.SeedSequence(entropy=seed, spawn_key=(batch, block, attempt))
    )


def draw_block(
    sampling: Sampling, space: ParameterSpace, rng: np.random.Generator, count: int
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Points and render seeds of the first `count` sounds of a block.

    Returns:
        Points, shape (count, dimensions), rounded to the float32 in which they are stored, so that
        what is stored is what was rendered; seeds, shape (count,).
    """
    points = sampling.points(space, rng, BLOCK).astype(np.float32)
    seeds = rng.integers(0, 2**32, size=BLOCK, dtype=np.uint32)
    return points[:count], seeds[:count]


def _reflected(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fold numbers back into [0, 1] as mirrors at both ends would."""
    folded = np.mod(points, 2.0)
    return np.asarray(np.minimum(folded, 2.0 - folded))
