"""Training sounds that are rendered while the network trains: none is stored or seen twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepdiva.errors import RenderError
from deepdiva.models.augmentation import Augmentation, augment, white_noise
from deepdiva.models.learner import Learner
from deepdiva.models.training_batches import Batch, Source
from deepdiva.note import Note
from deepdiva.renderer import Renderer
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import USUAL_VARIETY

if TYPE_CHECKING:
    from deepdiva.synths.diva.preset import Preset

_REDRAWS = 100
"""How often a sound is drawn anew, where the synthesizer cannot play the patch, before it ends."""

DrawRenderer = Callable[[np.random.Generator], Renderer]
"""Gives the renderer of the next sounds: the same one always, or one with constants of its own."""


def embedded_renderers(width: float, preset: Preset | None = None) -> DrawRenderer:
    """Embedded engines whose uncertain constants are drawn anew each time.

    Args:
        width: 0 keeps the best values, 1 draws from all that is known of them.
        preset: of Diva, whatever in it is no parameter: detune pots, trimmers, tuning.
    """
    from deepdiva.synths.diva.panel import draw_constants
    from deepdiva.synths.diva.panel_renderer import PanelRenderer

    if width == 0.0:
        engine = PanelRenderer.of_preset(preset)
        return lambda _: engine
    return lambda rng: PanelRenderer.of_preset(preset, constants=draw_constants(rng, width))


@dataclass(frozen=True)
class DomainRandomization:
    """What differs between two recordings of one patch. Drawn for each sound, never predicted.

    A network that is to know the patch behind a recording must have met all that the recording may
    have besides the patch (domain randomisation: Tobin et al. 2017, arXiv:1703.06907).

    Attributes:
        settings: values of parameters that are not free, by name; each is as likely. The base
            patch's value is among them only if it is named.
        recording: what recordings differ in.
        engine_width: how far the engine's uncertain constants leave their best values: 0 not at
            all, 1 over all that is known of them.
        engine_group: sounds that share such constants.
    """

    settings: dict[str, tuple[float, ...]] = field(default_factory=lambda: dict(USUAL_VARIETY))
    recording: Augmentation = field(default_factory=Augmentation)
    engine_width: float = 0.5
    engine_group: int = 32

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


class FreshSounds:
    """Random patches and their sounds, rendered when they are asked for.

    A patch that the synthesizer cannot play gives way to another, which depends on the seed, the
    step and the place in the batch alone; all else is drawn as if nothing had been.

    Args:
        draw_renderer: gives the renderer of each group of sounds.
        space: from which patches are drawn, uniformly.
        note: what is played.
        variety: what else differs between sounds.
        batch_size: sounds of a step.
        seed: of all draws.
        stream: 0 for training; another number gives sounds that training never meets.
    """

    def __init__(
        self,
        draw_renderer: DrawRenderer,
        space: ParameterSpace,
        note: Note,
        variety: DomainRandomization,
        batch_size: int,
        seed: int,
        stream: int = 0,
    ) -> None:
        self._draw_renderer, self._space, self._note = draw_renderer, space, note
        self.variety, self.seed = variety, seed
        self.batch_size, self._stream = batch_size, stream
        self._noise = white_noise(note.samples)
        self._varied = {
            space.table.index(name): np.asarray(values) for name, values in variety.settings.items()
        }

    def sounds(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Sounds and positions of a step: (batch, samples) and (batch, dimensions).

        Raises:
            RenderError: the synthesizer cannot play at all, or none of many patches in one place.
        """
        rng = self.rng(step)
        x, patches, seeds = self._draw(rng)
        sounds = np.empty((len(patches), self._note.samples), dtype=np.float32)
        for start in range(0, len(patches), self.variety.engine_group):
            rows = np.arange(len(patches))[start : start + self.variety.engine_group]
            renderer = self._draw_renderer(rng)
            for attempt in range(_REDRAWS + 1):
                if attempt:
                    # Purpose 0 are the sounds, 1 the targets.
                    anew = self._draw(self.rng(step, purpose=1 + attempt))
                    x[rows], patches[rows], seeds[rows] = (values[rows] for values in anew)
                played = renderer.render_checked(patches[rows], self._note, seeds[rows])
                sounds[rows] = played.audio
                finite = np.isfinite(played.audio).all(axis=1)
                rows = rows[~(played.played & finite)]
                if not len(rows):
                    break
            else:
                reasons = [failure.reason for failure in played.failures]
                reason = reasons[0] if reasons else "gave samples that are not finite"
                raise RenderError(
                    f"Sound {rows[0]} of step {step} was drawn {_REDRAWS + 1} times, and could "
                    f"never be played; the last patch {reason}. Choose other free parameters or "
                    "another base preset."
                )
        augment(sounds, self._note.sample_rate, self.variety.recording, self._noise, rng)
        return sounds, x

    def _draw(
        self, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Positions, their patches, and seeds of a batch."""
        x = self._space.random(rng, self.batch_size)
        patches = self._space.patches(x)
        for column, values in self._varied.items():
            patches[:, column] = rng.choice(values, len(patches))
        return x, patches, rng.integers(0, 2**31, len(patches))

    def rng(self, step: int, purpose: int = 0) -> np.random.Generator:
        """The random numbers of a step, apart from those of all other steps and purposes."""
        return np.random.default_rng([self.seed, self._stream, step, purpose])


class OnlineSource(Source):
    """Fresh sounds as batches for a network.

    Args:
        fresh: the sounds.
        learner: hears them and encodes their patches.
        epoch_sounds: sounds after which an epoch is said to be over.
    """

    def __init__(self, fresh: FreshSounds, learner: Learner, epoch_sounds: int) -> None:
        self._fresh, self._learner = fresh, learner
        self._steps_per_epoch = -(-epoch_sounds // fresh.batch_size)

    @property
    def steps_per_epoch(self) -> int:
        return self._steps_per_epoch

    def batch(self, step: int) -> Batch:
        sounds, x = self._fresh.sounds(step)
        targets = self._learner.encode(x, self._fresh.rng(step, purpose=1))
        return Batch(self._learner.featurize(sounds), targets)

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "online",
            "variety": self._fresh.variety.to_dict(),
            "seed": self._fresh.seed,
        }
