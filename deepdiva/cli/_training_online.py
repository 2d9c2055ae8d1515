"""Fresh sounds for `deepdiva train --online`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepdiva.cli._common import RendererChoice, SpaceChoice
from deepdiva.cli._training import TrainingData, make_learner, usual_features
from deepdiva.errors import InvalidValueError
from deepdiva.note import Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.models.online import FreshSounds, Variety
    from deepdiva.models.settings import TrainingSettings
    from deepdiva.space import ParameterSpace

_TEST_STREAM, _SCALER_STREAM = 1, 2
_SCALER_BATCHES = 32


@dataclass(frozen=True)
class OnlineChoice:
    """What the user said about fresh sounds.

    Attributes:
        note: what is played.
        space: which parameters are free.
        renderer: what renders.
        epoch_sounds: sounds after which an epoch is said to be over.
        test_sounds: sounds that judge it.
        engine_width: how far the embedded engine's uncertain constants vary, 0 to 1.
        vary: `NAME=VALUE,VALUE`: values of fixed parameters that differ from sound to sound.
        recording: whether sounds are disturbed as recordings are.
    """

    note: Note
    space: SpaceChoice
    renderer: RendererChoice
    epoch_sounds: int
    test_sounds: int
    engine_width: float
    vary: tuple[str, ...]
    recording: bool

    def prepare(self, model: str, settings: TrainingSettings) -> TrainingData:
        """Make the network and its sources.

        Raises:
            InvalidValueError: a value that a parameter does not have.
            UnknownNameError: a parameter that does not exist.
        """
        from deepdiva.models.online import FreshSounds, OnlineSource, embedded_renderers

        preset = self.space.preset()
        renderer = self.renderer.open(preset)
        space = self.space.space(preset, renderer.table)
        variety = self._variety(space)
        draw = (
            embedded_renderers(self.engine_width, preset.detune_pots())
            if self.renderer.is_embedded
            else lambda _: renderer
        )

        def fresh(stream: int) -> FreshSounds:
            return FreshSounds(
                draw, space, self.note, variety, settings.batch_size, settings.seed, stream
            )

        def some_sounds() -> Iterator[NDArray[np.float32]]:
            some = fresh(_SCALER_STREAM)
            return (some.sounds(step)[0] for step in range(_SCALER_BATCHES))

        learner = make_learner(
            model,
            space,
            self.note,
            settings,
            lambda: usual_features(model, self.note, some_sounds),
        )
        test = OnlineSource(fresh(_TEST_STREAM), learner, self.test_sounds)
        return TrainingData(
            learner,
            OnlineSource(fresh(0), learner, self.epoch_sounds),
            [test.batch(step) for step in range(test.steps_per_epoch)],
            space,
            self.note,
            {"name": renderer.info.name, "version": renderer.info.version},
        )

    def _variety(self, space: ParameterSpace) -> Variety:
        from deepdiva.models.augmentation import NONE, Augmentation
        from deepdiva.models.online import Variety

        settings = {}
        for text in self.vary:
            name, equals, values = text.partition("=")
            if not equals:
                raise InvalidValueError(f"{text!r} varies nothing: write NAME=VALUE,VALUE.")
            parameter = space.table[name.strip()]
            if parameter.name in space.names:
                raise InvalidValueError(
                    f"{parameter.name} is free, and predicted: only a fixed parameter can vary."
                )
            settings[parameter.name] = tuple(parameter.parse(value) for value in values.split(","))
        return Variety(settings, Augmentation() if self.recording else NONE, self.engine_width)
