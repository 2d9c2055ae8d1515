"""What the network of the whole panel learns from: shards that processes make beside the training.

The shards lie in the folder of the training, about 9 KB a recording, and are not made again when a
training goes on.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepdiva.errors import InvalidValueError, RenderError
from deepdiva.pipeline.training_data import TrainingData

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.models.panel.sounds import Shard, SoundSettings
    from deepdiva.models.training_settings import TrainingSettings
    from deepdiva.note import Note
    from deepdiva.synths.diva.panel_code import PanelCode
    from deepdiva.synths.diva.prior.base import Prior

SOUNDS = "sounds"
"""Folder of the shards in that of a training."""

BATCHES_A_SHARD = 4
"""A shard has as many patches as so many batches have recordings."""

FIRST = 40
"""Shards that are waited for before the first step, at most."""

_COUNTED = 12
"""Shards from which the network begins at the shares of classes."""

_TRAINING, _TEST = 0, 1
"""Streams of sounds."""


@dataclass(frozen=True)
class PanelChoice:
    """What the user said about the sounds of a whole panel.

    Attributes:
        prior: `human`, `uniform`, or a folder of presets.
        epoch_sounds: recordings after which an epoch is said to be over.
        test_sounds: recordings that judge it, at least.
        engine_width: how far the engine's uncertain constants vary, 0 to 1.
        jobs: processes that make sounds; None for one for each core.
    """

    prior: str
    epoch_sounds: int
    test_sounds: int
    engine_width: float
    jobs: int | None

    def prepare(self, model: str, settings: TrainingSettings, folder: Path) -> TrainingData:  # noqa: ARG002
        """Make the network, the sounds that judge it, and those from which it begins.

        Args:
            model: `panel`.
            settings: of the training.
            folder: of the training.

        Raises:
            InvalidValueError: a batch that does not fall into four parts.
            DeepDivaError: a prior that cannot be read.
        """
        import torch

        from deepdiva.models.panel.learner import PanelLearner
        from deepdiva.models.panel.predictor import default_note
        from deepdiva.models.panel.source import ShardSource, whole_batches
        from deepdiva.synths.diva.panel_renderer import PanelRenderer
        from deepdiva.synths.diva.space import whole_panel

        if settings.batch_size % 4:
            raise InvalidValueError(
                f"batch_size is {settings.batch_size}: it must be a multiple of 4 for this network."
            )
        maker = ShardMaker.of(self, settings)
        steps = -(-self.epoch_sounds // settings.batch_size)
        first = min(FIRST, -(-settings.epochs * steps // (4 * BATCHES_A_SHARD)))
        sounds = folder / SOUNDS
        sounds.mkdir(exist_ok=True)
        counted = [maker.shard(sounds, _TRAINING, k) for k in range(min(_COUNTED, first))]
        per_shard = maker.settings.patches * maker.settings.heard
        tests = [maker.shard(sounds, _TEST, k) for k in range(-(-self.test_sounds // per_shard))]
        torch.manual_seed(settings.seed)
        learner = PanelLearner(
            maker.code, None, class_counts(maker.code, counted), settings.precision
        )
        alive = _Alive([])
        source = ShardSource(
            sounds, settings.batch_size, maker.settings.patches, steps, settings.seed,
            first=first, check=alive.check,
        )  # fmt: skip
        return TrainingData(
            learner,
            source,
            whole_batches(tests, settings.batch_size),
            whole_panel(),
            default_note(),
            PanelRenderer().info.to_dict(),
            partial(_made_beside, maker, sounds, source.shards(settings.epochs * steps), alive),
        )


def class_counts(code: PanelCode, shards: list[Shard]) -> NDArray[np.int64]:
    """How often each class occurs, shape (classes,)."""
    import numpy as np

    starts = np.concatenate([[0], np.cumsum(code.sizes)])[:-1]
    counts = np.zeros(sum(code.sizes), np.int64)
    for shard in shards:
        tokens = (shard.classes + starts)[shard.classes >= 0]
        counts += np.bincount(tokens, minlength=len(counts))
    return counts


@dataclass(frozen=True, eq=False)
class ShardMaker:
    """Makes the shards of one training; each is a function of its number.

    Attributes:
        prior: of the patches.
        code: of their variables.
        settings: of the sounds.
        seed: of all draws.
    """

    prior: Prior
    code: PanelCode
    settings: SoundSettings
    seed: int

    @classmethod
    def of(cls, choice: PanelChoice, settings: TrainingSettings) -> ShardMaker:
        """The maker that the user's choice describes."""
        from deepdiva.models.panel.sounds import SoundSettings
        from deepdiva.synths.diva.panel_code import panel_code
        from deepdiva.synths.diva.prior.registry import prior_for

        sounds = replace(
            SoundSettings(),
            patches=BATCHES_A_SHARD * settings.batch_size,
            engine_width=choice.engine_width,
        )
        code = panel_code(prior_for("human"))
        return cls(prior_for(choice.prior), code, sounds, settings.seed)

    def shard(self, folder: Path, stream: int, number: int) -> Shard:
        """The shard of a number, read from a folder, or made and written there."""
        from deepdiva.models.panel.sounds import Shard, make_shard
        from deepdiva.models.panel.source import shard_path
        from deepdiva.synths.diva.panel_code import canonical

        path = shard_path(folder, stream, number)
        if path.is_file():
            return Shard.read(path)
        made = make_shard(
            number, self.settings, self.seed, stream, self._draw, self._play,
            lambda patches: self.code.encode(*canonical(patches)),
        )  # fmt: skip
        made.write(path)
        return made

    def _draw(self, count: int, seed: int, notes: list[Note]) -> NDArray[np.float64]:
        return self.prior.sample(count, seed, notes)

    def _play(
        self,
        patches: NDArray[np.float64],
        note: Note,
        seeds: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:
        from deepdiva.synths.diva.panel import draw_constants
        from deepdiva.synths.diva.panel_renderer import PanelRenderer

        constants = draw_constants(rng, self.settings.engine_width)
        return PanelRenderer(constants=constants).render_stereo(patches, note, seeds)


@dataclass(frozen=True, eq=False)
class _Alive:
    """The processes that make sounds, and whether they still do."""

    workers: list[BaseProcess]

    def check(self) -> None:
        """Called while a shard is waited for.

        Raises:
            RenderError: nobody makes it.
        """
        dead = [worker.exitcode for worker in self.workers if worker.exitcode]
        if dead:
            raise RenderError(
                f"A process that makes sounds ended with status {dead[0]}: see what it said above, "
                "and go on with --resume."
            )


@contextmanager
def _made_beside(
    maker: ShardMaker, folder: Path, shards: int, alive: _Alive, jobs: int
) -> Iterator[None]:
    """Let processes make the shards of a training while a block runs."""
    context = multiprocessing.get_context("spawn")
    share = math.ceil(shards / jobs)
    alive.workers.extend(
        context.Process(
            target=_make, args=(maker, folder, range(k, shards, jobs), os.getpid()), daemon=True
        )
        for k in range(min(jobs, shards, share * jobs))
    )
    for worker in alive.workers:
        worker.start()
    try:
        yield
    finally:
        for worker in alive.workers:
            worker.terminate()
            worker.join()


def _make(maker: ShardMaker, folder: Path, numbers: range, parent: int) -> None:
    """Make shards in a process of its own, as long as its parent lives."""
    for number in numbers:
        if os.getppid() != parent:
            return
        maker.shard(folder, _TRAINING, number)
