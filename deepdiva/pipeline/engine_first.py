"""What goes before a search with Diva as a plug-in: one of the embedded engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deepdiva.search.refine_settings import DEFAULT_MODE, MODES, RENDERS, RefineSettings

if TYPE_CHECKING:
    from deepdiva.renderer import Renderer
    from deepdiva.search.fidelity import Sketch
    from deepdiva.space import ParameterSpace
    from deepdiva.synths.diva.preset import Preset


def engine_sketch(
    settings: RefineSettings,
    mode: str | None,
    space: ParameterSpace,
    synth: Renderer,
    base: Preset,
    constants: Path | str | None = None,
) -> Sketch | None:
    """The embedded engine's search that goes before that of Diva as a plug-in; None of others.

    With the user's own constants, or those of `constants`, it plays as that plug-in does.
    """
    from deepdiva.renderers import make_renderer
    from deepdiva.search.fidelity import SKETCH_SECONDS, Sketch

    if synth.info.cheap_to_copy:
        return None
    engine = make_renderer(preset=base, constants=constants)
    if synth.table != engine.table or not set(space.names) & engine.supported:
        return None
    return Sketch(
        engine,
        replace(
            settings,
            optimizer=RefineSettings.optimizer,
            evaluations=MODES[mode or DEFAULT_MODE],
            seconds=settings.seconds and SKETCH_SECONDS * settings.seconds,
            target_distance=None,
        ),
    )


def after_sketch(
    settings: RefineSettings, mode: str | None, evaluations: int | None
) -> RefineSettings:
    """What is left for the plug-in when the engine was searched."""
    from deepdiva.search.fidelity import SKETCH_SECONDS

    if evaluations is None and (mode is not None or settings.seconds is None):
        evaluations = RENDERS[mode or DEFAULT_MODE]
    seconds = settings.seconds and (1 - SKETCH_SECONDS) * settings.seconds
    return replace(settings, evaluations=evaluations, seconds=seconds)
