"""Fresh sounds to train a network on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.pipeline.options import RendererChoice, SpaceChoice
from deepdiva.pipeline.training_data import TrainingData, make_learner, usual_features
from deepdiva.synths.diva.own_constants import BUILTIN
from deepdiva.synths.diva.space import USUAL_VARIETY as _VARIETY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from deepdiva.models.online import DomainRandomization, FreshSounds
    from deepdiva.models.training_settings import TrainingSettings
    from deepdiva.space import ParameterSpace

USUAL_VARIETY = tuple(
    f"{name}={','.join(f'{value:g}' for value in values)}" for name, values in _VARIETY.items()
)
"""What varies where nobody says what."""

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
        vary: `NAME=VALUE,VALUE`: values of fixed parameters that differ from sound to sound;
            nothing for the usual ones, `none` for none.
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

    def prepare(self, model: str, settings: TrainingSettings, folder: Path) -> TrainingData:  # noqa: ARG002
        """Make the network and its sources.

        Raises:
            InvalidValueError: a value that a parameter does not have, or a plug-in that is not
                Diva.
            UnknownNameError: a parameter that does not exist.
        """
        from deepdiva.models.online import FreshSounds, OnlineSource, embedded_renderers
        from deepdiva.synths import synthesizer_of

        preset = self.space.preset()
        # Constants are drawn anew for each batch, around the engine's own.
        chosen = replace(self.renderer, constants=BUILTIN)
        renderer = chosen.open(preset, state=self.space.state)
        if not synthesizer_of(renderer.table).preset_suffix:
            renderer.close()
            raise InvalidValueError(
                f"{self.renderer.plugin} is {renderer.table.name}, and networks answer with "
                "patches of Diva: leave out --plugin, or name Diva's. deepdiva refine --plugin "
                "searches any synthesizer without a network."
            )
        space = self.space.space(preset, renderer.table)
        variety = self._variety(space)
        draw = (
            embedded_renderers(self.engine_width, preset)
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
            renderer.info.to_dict(),
        )

    def _variety(self, space: ParameterSpace) -> DomainRandomization:
        from deepdiva.models.augmentation import NONE, Augmentation
        from deepdiva.models.online import DomainRandomization
        from deepdiva.space import parse_lock

        locked = {parse_lock(space.table, text)[0] for text in self.space.lock}
        settings = {}
        for text in () if self.vary == ("none",) else self.vary or USUAL_VARIETY:
            name, equals, values = text.partition("=")
            if not equals:
                raise InvalidValueError(f"{text!r} varies nothing: write NAME=VALUE,VALUE.")
            parameter = space.table[name.strip()]
            several = tuple(parameter.parse(value) for value in values.split(","))
            if not self.vary and (
                parameter.name in locked
                or parameter.name in space.names
                or space.base[parameter.index] not in several
            ):
                continue
            if parameter.name in space.names:
                raise InvalidValueError(
                    f"{parameter.name} is free, and predicted: only a fixed parameter can vary."
                )
            if parameter.name in locked:
                raise InvalidValueError(
                    f"{parameter.name} cannot vary and be held: leave out its --vary or its --lock."
                )
            settings[parameter.name] = several
        return DomainRandomization(
            settings, Augmentation() if self.recording else NONE, self.engine_width
        )
