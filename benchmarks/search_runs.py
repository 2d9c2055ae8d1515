"""What the benchmarks of the search share: sounds with known patches, results that survive a break.

No benchmark itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deepdiva.audio import load_target, sound_files
from deepdiva.distance import Distance
from deepdiva.models.registry import load_predictor
from deepdiva.note import Note
from deepdiva.parameters import ParameterTable
from deepdiva.renderer import Renderer, RendererInfo, Seeds
from deepdiva.search.start import Start
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import default_space
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.workers import single_thread

AUDIBLE = 0.02
"""Peak below which a random patch is left out."""

REALIZATIONS = 32
"""So often a patch is rendered with other seeds to know how far it lies from a target."""

_STRUCK_AGAIN = 1_000_000
"""First seed of those realizations; no target and no search has it."""

Item = TypeVar("Item")
Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Sound:
    """What is to be matched.

    Attributes:
        name: in results.
        audio: shape (note.samples,), float32.
        space: in which it is sought.
        patch: that made it, shape (len(space.table),), in units; empty for a recording.
    """

    name: str
    audio: NDArray[np.float32]
    space: ParameterSpace
    patch: NDArray[np.float64]


def known_sounds(count: int, seed: int, voices: int) -> list[Sound]:
    """Sounds of random patches of the embedded engine that can be heard.

    Args:
        count: how many; the first ones do not depend on it.
        seed: of the patches and their realizations.
        voices: that are stacked.
    """
    space = default_space().locked({"VCC.Voicing": float(voices)})
    rng = np.random.default_rng([seed, 4711])
    engine = PanelRenderer()
    found: list[Sound] = []
    while len(found) < count:
        patch = space.patches(space.random(rng, 1))
        # As a preset file holds it: what is to be found can be found.
        patch[:, space.columns] = np.round(patch[:, space.columns], 2)
        audio = engine.render(patch, Note(), 1000 + len(found))[0]
        if np.abs(audio).max() > AUDIBLE:
            found.append(Sound(f"engine {len(found)}", audio, space, patch[0]))
    return found


def recorded_sounds(folder: Path, take: int | None) -> list[Sound]:
    """Recordings of a folder, to be matched with a stack of two voices.

    Args:
        folder: of sound files.
        take: so many of them, spread evenly; None for all.
    """
    space = default_space().locked({"VCC.Voicing": 2.0})
    files = sound_files([folder])
    chosen = np.linspace(0, len(files) - 1, min(len(files), take or len(files))).round()
    return [
        Sound(files[row].stem, load_target(files[row], Note()).audio, space, np.empty(0))
        for row in chosen.astype(int)
    ]


def over_seeds(
    patch: NDArray[np.float64],
    distance: Distance,
    count: int = REALIZATIONS,
    note: Note = Note(),  # noqa: B008  (frozen)
) -> NDArray[np.float64]:
    """Distances of a patch to a target, shape (count,), with seeds that nobody has met."""
    sounds = PanelRenderer().render(
        np.repeat(patch[None], count, axis=0), note, _STRUCK_AGAIN + np.arange(count)
    )
    return distance(sounds)


def network_start(sound: Sound, weights: Path | None) -> Start:
    """What the network says of a sound, as `deepdiva refine` asks it."""
    predictor, _ = load_predictor(weights)
    with single_thread():
        [answer] = predictor.predict(sound.audio[None], Note())
    return Start.predicted(sound.space, predictor.space.names, answer.x, answer.class_probabilities)


class WithoutRealizations(Renderer):
    """A renderer as others have it: nobody tells it the realization.

    A search with it spends nothing on start phases.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    @property
    def info(self) -> RendererInfo:
        """Of the renderer, which takes no realizations here."""
        return replace(self._renderer.info, takes_realizations=False)

    @property
    def table(self) -> ParameterTable:
        """Of the renderer."""
        return self._renderer.table

    @property
    def supported(self) -> frozenset[str]:
        """Of the renderer."""
        return self._renderer.supported

    def render(
        self, patches: NDArray[np.float64], note: Note, seeds: Seeds = 0
    ) -> NDArray[np.float32]:
        """Play, as the renderer does."""
        return self._renderer.render(patches, note, seeds)


class Results:
    """Records in a file of JSON lines; what is there already need not be done again.

    Args:
        path: made if missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self.records: list[Record] = [json.loads(line) for line in lines]

    def of(self, key: Record) -> list[Record]:
        """The records that hold all values of a key."""
        return [
            record
            for record in self.records
            if all(record.get(name) == value for name, value in key.items())
        ]

    def add(self, record: Record) -> None:
        """Append a record, on disk when this returns."""
        self.records.append(record)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def side_by_side(
    work: Callable[[Item], list[Record]], items: Sequence[Item], processes: int
) -> Iterator[Record]:
    """Records of all items, each as soon as its item is done, one process for each item."""
    from joblib import Parallel, delayed

    parallel = Parallel(
        n_jobs=processes, return_as="generator_unordered", pre_dispatch="all", batch_size=1
    )
    for records in parallel(delayed(work)(item) for item in items):
        yield from records


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
